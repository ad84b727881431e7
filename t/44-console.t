#!/usr/bin/perl

# The supervisors' console: what nginx serves of it, and the page itself in
# Chromium, from the login to a call's transcript, over reloads of nginx.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Browser;

use constant CALLS => 6;        # that go on while nginx is reloaded

my $voice = Voice->start(processes => 2);
my $owner = $voice->tenant('acme');
my $console = "$voice->{base_url}/console/";
my $browser;
my %sent;                       # packets of a call

served();

if (my $why = Voice::Browser::absent()) {
    SKIP: { skip $why, 1 }
    $voice->finish;
    exit;
}

$browser = Voice::Browser->start;

log_in();
first_call();
keyboard();
reloads();
filters();
pause();
again();
sound();
thousand();
credential();
session();

$browser->quit;
$voice->finish;


# --- what nginx serves ----------------------------------------------------

sub served {
    my $page = $voice->request('GET', '/console/');
    my $policy = $page->{headers}{'content-security-policy'};

    is($page->{status}, 200, 'the page is there');
    like($policy, qr/^default-src 'none'; script-src 'self'; /,
         'its policy lets no script but its own run');
    unlike($policy, qr/unsafe|\*|https?:|data:/, 'without an exception');
    is($page->{headers}{'cache-control'}, 'no-cache', 'asked for again');
    is($page->{headers}{'x-content-type-options'}, 'nosniff', 'not guessed');

    my $again = $voice->request('GET', '/console/', headers => {
        'If-None-Match' => $page->{headers}{etag} });
    is($again->{status}, 304, 'and not sent again where it is the same');

    my @files = $page->{content} =~ /(?:src|href)="([^"#]+)"/g;
    is(join(' ', grep { m{//|^/} } @files), '',
       'it asks for nothing from elsewhere');
    my %type = (js => 'application/javascript', css => 'text/css',
                svg => 'image/svg+xml');
    for my $path (map { m{([^/]+)$} } glob "$Voice::ROOT/web/console/*.*s*") {
        my ($ending) = $path =~ /\.(\w+)$/;
        my $file = $voice->request('GET', "/console/$path");
        like("$file->{status} $file->{headers}{'content-type'}",
             qr/^200 \Q$type{$ending}\E/, "$path has its type");
        is($file->{headers}{'content-security-policy'}, $policy,
           "$path: and the policy") if $ending eq 'svg';
    }
    unlike($page->{content}, qr/<script>|<style|\sstyle=|\son\w+=/i,
           'nothing in it is inline');

    my $none = $voice->request('GET', '/console/none.js');
    is("$none->{status} $none->{json}{error}{code}",
       '404 RESOURCE_NOT_FOUND', 'what is not there is 404');
    my $bare = HTTP::Tiny->new(max_redirect => 0)
        ->get("$voice->{base_url}/console");
    is("$bare->{status} $bare->{headers}{location}", "308 $console",
       'without its slash it is told where it is');
}


# --- the page -------------------------------------------------------------

sub log_in {
    ok($browser->open($console), 'Chromium loads the page');
    ok($browser->wait_js(visible('#login')), 'which asks for a login');

    fill_login('wrong');
    ok($browser->wait_js(q{document.querySelector('#login-error')
        .textContent !== ''}), 'a wrong password is told');
    $voice->forgive;
    complaints(qr/\b401\b/, 'one refusal');

    fill_login($owner->{password});
    ok($browser->wait_js(visible('#console')), 'the right one opens it');
    is($browser->js(text('#tenant')), 'acme', 'for the tenant');
    live('it is');
    is($browser->js(text('#empty')),
       'No calls yet. They appear here with their first packet.',
       'there is no call yet');
}


sub first_call {
    packet('first', $_) for 0, 1, 5;

    shows('first', '.packets', '3', 'packets are seen');
    shows('first', '.missing', '3 missing', 'and what is missing');
    shows('first', '.state', 'In progress', 'with the state');
    ok($browser->wait_js(row('first') . q{?.querySelector('.strip-missing')
        .getAttribute('d').startsWith('M10 0h')}),
       'the strip shows the gap where it is');

    packet('first', 3);
    shows('first', '.missing', '2 missing', 'a late one fills its place');
}


# By the keys alone: to the row, into the pane and back.
sub keyboard {
    $browser->js(row('first') . '.focus()');
    $browser->key('Enter', 13, "\r");
    ok($browser->wait_js(visible('#details')), 'Enter opens a call');
    is($browser->js('document.activeElement.textContent'), 'first',
       'and goes there');
    is($browser->js(text('#details .gaps')), '2 missing: 2, 4',
       'the gaps are named');
    is($browser->js(text('#details .axis')), '031', 'on their axis');

    $browser->key('Escape', 27);
    ok(!$browser->js(visible('#details')), 'Escape closes it');
    is($browser->js('document.activeElement.dataset.call'), 'first',
       'and comes back to the row');

    packet('second', 0);
    shows('second', '.packets', '1', 'another call comes');
    is($browser->js(q{document.querySelector('.row').dataset.call}),
       'second', 'above the former');
    $browser->key('ArrowUp', 38);
    is($browser->js('document.activeElement.dataset.call'), 'second',
       'which an arrow reaches');
    is($browser->js(q{document.querySelectorAll('.row[tabindex="0"]')
        .length}), 1, 'the list is one stop of the tab key');
    $browser->key('/', 191, '/');
    is($browser->js('document.activeElement.id'), 'text',
       'a slash goes to the search');
    complaints(undef, 'nothing');
}


# Calls go on and end while nginx takes its configuration anew, three times.
sub reloads {
    my @open = map { "reload-$_" } 1 .. CALLS;
    my @words = qw(I am very happy with this wonderful service thank you);

    for my $round (0 .. 2) {
        my $reload = reload_begun();
        for my $n (20 * $round .. 20 * $round + 19) {
            packet($_, $n, $words[$n] // 'good') for @open;
        }
        complete($_) for splice @open, 0, 2;
        waitpid $reload, 0;
        is($?, 0, 'nginx is reloaded while packets come in');
    }

    live('after the last reload the page is');
    for my $name (map { "reload-$_" } 1 .. CALLS) {
        shows($name, '.packets', "$sent{$name} / $sent{$name}",
              "$name: every packet is counted");
        shows($name, '.state', 'Archived', 'it is seen to its end');
        shows($name, '.sentiment-word', 'positive', 'with its sentiment');
    }
    ok($browser->wait_js(row('reload-1') . q{?.querySelector(
        '.sentiment-bar').style.width.match(/^[1-9]/) !== null}),
       'and its score');

    $browser->open($console);
    live('loaded again it is');
    $browser->js(row('reload-6') . '.click()');
    ok($browser->wait_js(text('#details .transcript') . q{ ===
        'I am very happy with this wonderful service thank you'
        + ' good'.repeat(50)}), 'the transcript is what was said, all of it');
    ok($browser->wait_js(q{[...document.querySelectorAll(
        '#details .entry-move > span')].map((n) => n.textContent).join() ===
        'In progress \u2192 Completed,Completed \u2192 Processing,'
        + 'Processing \u2192 Archived'}), 'the history has every move');
    is($browser->js(q{document.querySelectorAll('#details .entry-try')
        .length}), 1, 'and the try');

    $browser->js(q{document.querySelectorAll('#details .actions button')[2]
        .click()});
    ok($browser->wait_js(q{document.querySelectorAll('.packets-list tbody tr')
        .length === 60}), 'its packets can be read');
    $browser->key('Escape', 27);
    complaints(undef, 'nothing');
}


sub reload_begun {
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        my %preload = %{$voice->{stack}{preload}};
        @ENV{keys %preload} = values %preload;
        open STDOUT, '>', '/dev/null';
        exec "$Voice::ROOT/bin/voicegate-reload", '--pid-file',
            "$voice->{stack}{data}/run/nginx.pid" or POSIX::_exit(127);
    }

    return $pid;
}


sub filters {
    $browser->fill('#text', 'reload-3');
    rows_are('reload-3', 'words filter by the id');
    $browser->fill('#text', 'WONDERFUL happy');
    rows_are(join(' ', map { "reload-$_" } reverse 1 .. CALLS),
             'and by what was said');
    $browser->click('#states [data-state=IN_PROGRESS]');
    rows_are('', 'a state, besides, leaves none');
    is($browser->js(text('#empty')), 'No call fits the filter.',
       'which is said');
    $browser->fill('#text', '');
    rows_are('second first', 'the state alone');
    $browser->click('#states [data-state=IN_PROGRESS]');
    $browser->js(q{document.querySelector('#sentiment').value = 'negative';
        document.querySelector('#sentiment')
            .dispatchEvent(new Event('change'))});
    rows_are('', 'a sentiment that nobody had');
    $browser->js(q{document.querySelector('#sentiment').value = '';
        document.querySelector('#sentiment')
            .dispatchEvent(new Event('change'))});
    rows_are(join(' ', (map { "reload-$_" } reverse 1 .. CALLS),
                  'second first'), 'without a filter all are back');
}


sub pause {
    $browser->click('#pause');
    is($browser->js(text('#pause-text')), 'Resume', 'the list can be held');
    packet('first', 2);
    packet('third', 0);
    ok($browser->wait_js(text('#held') . ' === "2"'),
       'what comes is counted');
    is($browser->js(row('first') . q{.querySelector('.missing')
        .textContent}), '2 missing', 'and not shown');
    is($browser->js(row('third') . ' === null'), JSON::PP::true,
       'nor is a new call');

    $browser->click('#pause');
    shows('first', '.missing', '1 missing', 'then all of it is');
    shows('third', '.packets', '1', 'and the new one');
}


# One packet changes one row, also among a thousand.
sub thousand {
    $voice->sql(q{
        insert into core.call (tenant_id, external_id, status, disposition,
                               processing_state, started_at, completed_at)
        select :'tenant', 'many-' || n, 'completed', 'completed', 'ARCHIVED',
               now() - make_interval(mins => n), now()
          from generate_series(1, 1200) n},
        tenant => $owner->{tenant_id});

    $browser->open($console);
    ok($browser->wait_js('document.querySelectorAll(".row").length === 1000'),
       'a thousand calls are listed, and no more');
    live('with a thousand calls it is');
    $browser->js(q{
        window.touched = new Set();
        new MutationObserver((records) => records.forEach((record) => {
            const node = record.target;
            const row = (node.closest ? node : node.parentElement)
                .closest('.row');
            if (node.nodeName !== 'SPAN' || node.className !== 'cell-time') {
                touched.add(row === null ? node.id : row.dataset.call);
            }
        })).observe(document.querySelector('#calls'), { subtree: true,
            childList: true, attributes: true, characterData: true })});
    packet('third', 1);
    shows('third', '.packets', '2', 'a packet is seen among them');
    is($browser->js('[...touched].join()'), 'third',
       'and nothing else on the list was touched');
}


# A failed call is processed again when a person wants it.
sub again {
    packet('failed', 0, 'terrible, awful service');
    $voice->sql(q{
        update core.call set processing_state = 'FAILED',
               status = 'completed', disposition = 'completed',
               completed_at = now(), failed_at = now(), drive = 1,
               failure_reason = 'AI service failed after maximum retries'
         where external_id = 'failed';
        update core.call_stream set closed = true, expected = 1,
               closes_at = now(), idle_at = null
         where external_id = 'failed'});
    $browser->open($console);
    live('anew it is');
    shows('failed', '.state', 'Failed', 'a failed call is shown');
    shows('failed', '.cell-words', 'AI service failed after maximum retries',
          'with its reason');

    $browser->js(row('failed') . '.click()');
    is($browser->js(text('#details .actions .primary')), 'Process again',
       'and can be processed again');
    $browser->click('#details .actions .primary');
    shows('failed', '.state', 'Archived', 'which is followed to its end');
    shows('failed', '.sentiment-word', 'negative', 'and its sentiment');
    $browser->key('Escape', 27);
    complaints(undef, 'nothing');
}


# A recording is played from the page's own memory.
sub sound {
    my $half = pack 's<*', map { int(6000 * sin($_ / 3)) } 1 .. 4000;

    packet('sound', $_, encode_base64($half, ''), 'pcm/8000') for 0 .. 2;
    complete('sound');
    shows('sound', '.state', 'Archived', 'a call of sound comes to its end');
    $browser->js(row('sound') . '.click()');
    ok($browser->wait_js(q{!document.querySelectorAll(
        '#details .actions button')[1].hidden}), 'it has a recording');
    $browser->js(q{document.querySelectorAll(
        '#details .actions button')[1].click()});
    ok($browser->wait_js(q{Math.abs(document.querySelector('#details audio')
        .duration - 1.5) < 0.01}), 'which is played');
    $browser->key('Escape', 27);
    complaints(undef, 'nothing');
}


# Tokens are in the tab alone, are renewed, and end.
# A token that is no longer good is renewed, and the stream goes on; a
# session that has ended is not.
sub credential {
    my $eyes = $voice->person('acme', 'viewer', 'eyes@acme.example');
    my $token = q{JSON.parse(sessionStorage.getItem('voicegate.session'))
        ?.token};

    $browser->click('#logout');
    $browser->wait_js(visible('#login'));
    fill_login($eyes->{password}, $eyes->{email});
    ok($browser->wait_js(visible('#console')), 'a viewer logs in');
    live('he is');

    my $former = $browser->js($token);
    $voice->sql("update core.membership set role = 'supervisor'"
                . " where user_id = '$eyes->{user_id}'");
    ok($browser->wait_js("$token !== '$former'"),
       'with another role he gets another token');
    live('and is');
    packet('renewed', 0);
    shows('renewed', '.packets', '1', 'he hears what comes then');

    $voice->sql("update core.session set ended_at = now()"
                . " where user_id = '$eyes->{user_id}'");
    ok($browser->wait_js(visible('#login')),
       'a session that ended leads to the login');
    like($browser->js(text('#login-error')), qr/session has ended/,
         'which says why');
    complaints(qr/\b401\b/, 'refusals');

    fill_login($owner->{password});
    $browser->wait_js(visible('#console'));
}


sub session {
    is($browser->js(q{Object.keys(localStorage).join() + document.cookie}),
       '', 'no token is where another tab or request has it');

    $browser->js(q{
        const s = JSON.parse(sessionStorage.getItem('voicegate.session'));
        s.expiresAt = 0;
        sessionStorage.setItem('voicegate.session', JSON.stringify(s));
        window.former = s.token});
    my $former = $browser->js('window.former');
    $browser->open($console);
    live('with an old token it is');
    isnt($browser->js(q{JSON.parse(sessionStorage
        .getItem('voicegate.session')).token}), $former,
         'by a new one');
    is(join(' ', grep { /\Q$former\E|access_token/ } $browser->requests), '',
       'none is ever in a URL');
    is(join(' ', grep { !m{^\Q$voice->{base_url}\E/|^(?:about|blob|data):} }
            $browser->requests), '', 'nothing is asked for elsewhere');

    $browser->click('#logout');
    ok($browser->wait_js(visible('#login')), 'one can log out');
    is($browser->js(q{sessionStorage.length}), 0, 'which leaves nothing');
    is($browser->js(q{document.querySelectorAll('.row').length}), 0,
       'no call either');
    complaints(undef, 'nothing');
}


# --- small things ---------------------------------------------------------

sub fill_login {
    my ($password, $email) = @_;

    $browser->fill('#email', $email // $owner->{email});
    $browser->fill('#password', $password);
    $browser->click('#login-form button');
}


sub packet {
    my ($call, $sequence, $data, $media) = @_;

    my $reply = $voice->call('ingest_packet', as => $owner,
        path => { call_id => $call }, body => { sequence => $sequence,
            data => $data // 'word', timestamp => 1234567890.5,
            media => $media // 'text' });

    $sent{$call}++ if $reply->{status} == 202;
    is("$reply->{status} $reply->{json}{status}", '202 accepted',
       "packet $sequence of $call is taken")
        if $reply->{status} != 202 || $reply->{json}{status} ne 'accepted';
}


sub complete {
    my ($call) = @_;

    my $reply = $voice->call('complete_call', as => $owner,
        path => { call_id => $call },
        body => { total_packets => $sent{$call} });

    is($reply->{status}, 202, "$call is complete");
}


sub live {
    my ($what) = @_;

    ok($browser->wait_js(text('#connection-text') . ' === "Live"
        && document.querySelector("#calls[aria-busy]") === null', 60),
       "$what live, with its calls");
}


sub shows {
    my ($call, $selector, $text, $name) = @_;

    my $node = row($call) . "?.querySelector('$selector')?.textContent";
    my $wanted = JSON::PP->new->allow_nonref->encode($text);

    $browser->wait_js("$node === $wanted", 60);
    is($browser->js($node), $text, $name);
}


sub rows_are {
    my ($ids, $name) = @_;

    my $rows = q{[...document.querySelectorAll('.row')]
        .map((node) => node.dataset.call).join(' ')};

    $browser->wait_js("$rows === '$ids'", 10);
    is($browser->js($rows), $ids, $name);
}


sub complaints {
    my ($allowed, $what) = @_;

    my @complaints = grep { !$allowed || !/$allowed/ }
        $browser->complaints;

    is(join("\n", @complaints), '', "the browser complains of $what");
}


sub row { return qq{document.querySelector('.row[data-call="$_[0]"]')} }
sub text { return "document.querySelector('$_[0]').textContent" }
sub visible { return "!document.querySelector('$_[0]').hidden" }
