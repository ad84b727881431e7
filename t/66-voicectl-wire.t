#!/usr/bin/perl

# voicectl against servers that are busy, break or lie; its help and its
# completion.  Needs no stack.

use strict;
use warnings;

use Fcntl qw(:flock);
use JSON::PP;
use POSIX qw(WNOHANG);
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Ctl;

my $json = JSON::PP->new->utf8->canonical;
my @servers;

busy();
broken();
hostile();
pages();
shapes();
streams();
late();
words();
interrupted();
helps();
completion();

is(join('', map { $_->{ctl}->faults } @servers), '',
   'no sanitizer found anything');
done_testing();


# --- what the server does -------------------------------------------------

sub busy {
    my $server = server(sub {
        my ($n) = @_;
        return $n == 1 ? busy_reply(429, 1) : $n == 2 ? busy_reply(503, 1)
            : $n == 3 ? error(409, 'IDEMPOTENCY_IN_PROGRESS') : made();
    });
    my $r = $server->{ctl}->run(qw(runs start --case x));
    is($r->{code}, 0, 'who is told to wait waits, and comes through')
        or diag($r->{err});
    is($r->{out}, "run-1\n", 'with the result');
    like($r->{err}, qr/^voicectl: too many requests; once more in 1 s
voicectl: the service is not available; once more in 1 s
voicectl: the first attempt is under way; once more in 1 s\n\z/,
         'and says what it waits for');
    my @calls = @{$server->{fake}->calls};
    is(scalar @calls, 4, 'each time it asks once more');
    my %keys = map { ($_->{headers}{'idempotency-key'} // '') => 1 } @calls;
    is(scalar keys %keys, 1, 'the request is the same each time');
    like((keys %keys)[0], qr/^"?[0-9a-f]{8}-[0-9a-f-]{27}"?$/,
         'by its Idempotency-Key');
    is($calls[0]{headers}{'x-api-key'}, 'secret-key', 'with the credential');

    $server = server(sub { busy_reply(429, 3600) });
    $r = $server->{ctl}->run(qw(runs list --json));
    is($r->{code}, 9, 'nobody waits longer than --patience');
    is($r->{problem}{error}{code}, 'TEST', 'then the refusal is told');
    is(scalar @{$server->{fake}->calls}, 1, 'after one attempt');
    $r = server(sub { busy_reply(503, 1) })->{ctl}
        ->run(qw(runs list --patience 1 -q));
    is("$r->{code} $r->{out}", '9 ', 'nor for ever');
}


sub broken {
    my $server = server(sub { made() }, sub { $_[0] == 1 ? 'cut' : undef });
    my $r = $server->{ctl}->run(qw(runs start --case x));
    is("$r->{code} $r->{out}", "0 run-1\n",
       'a POST whose reply broke is sent again');
    my @keys = map { $_->{headers}{'idempotency-key'} }
        @{$server->{fake}->calls};
    is($keys[0], $keys[1], 'with the same key');

    my @rows = (
        ['a reply that always breaks', 5, qr/cut short/, 'cut'],
        ['what is no HTTP', 8, qr/no HTTP/, 'garbage'],
        ['half of a reply', 8, qr/not as Voicegate/, 'short'],
        ['an answer that never comes', 6, qr/took too long/, 'hang'],
    );
    for my $row (@rows) {
        my ($what, $code, $text, $fault) = @$row;
        $r = server(sub { made() }, $fault)->{ctl}
            ->run(qw(runs show x --patience 2 --request-timeout),
                  $fault eq 'hang' ? 1 : 60);
        is($r->{code}, $code, "$what is $code");
        like($r->{err}, $text, 'and said so');
    }

    my @statuses = ([500, 8], [502, 8], [504, 6], [400, 7], [412, 7],
                    [302, 8]);
    for my $row (@statuses) {
        my ($status, $code) = @$row;
        $r = server(sub { error($status, 'TEST') })->{ctl}
            ->run(qw(runs show x));
        is($r->{code}, $code, "$status is exit code $code");
        like($r->{err}, qr/^voicectl: It is so\. \(TEST\)\n.*request r-1/s,
             'with what the API says');
    }
    $r = server(sub { reply(200, '<html>hello</html>') })->{ctl}
        ->run(qw(runs list));
    is($r->{code}, 8, 'a page of somebody else is not taken for a reply');
    $r = server(sub { reply(502, '<html>bad</html>') })->{ctl}
        ->run(qw(runs list));
    like($r->{err}, qr/the answer is 502, and not one of Voicegate's/,
         'nor a proxy\'s error');
}


# Whatever stands in a reply, the terminal is not steered by it.
sub hostile {
    my $evil = "a\e]0;title\x{7}\x{9b}2J\x{202e}\nvoicectl: done";
    my $server = server(sub {
        return $_[1]{path} =~ m{/evil$}
            ? reply(422, $json->encode({ success => JSON::PP::false,
                request_id => $evil, error => { code => $evil,
                    message => $evil, request_id => $evil, details => {
                        errors => [{ path => $evil, reason => $evil }] } } }))
            : reply(200, $json->encode({ success => JSON::PP::true,
                data => { $evil => $evil, list => [{ $evil => [$evil] }] } }));
    });

    for my $words (['runs', 'show', 'evil'], ['runs', 'show', 'good'],
                   ['runs', 'show', 'evil', '--json'],
                   ['runs', 'show', 'good', '--json'])
    {
        my $r = $server->{ctl}->run(@$words);
        my $screen = $server->{ctl}->terminal(60, @$words)->{screen};
        for my $text ($r->{out}, $r->{err}, $screen =~ s/\r\n/\n/gr) {
            unlike($text, qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]
                             |\xe2\x80\xae|^voicectl:\ done/xm,
                   "@$words is safe to look at");
        }
    }

    my @odd = ('null', '[]', '{}', '{"data":[[],{},null,"x"]}',
               '{"data":{"id":{"a":[{"b":[[[[[[[[[[1]]]]]]]]]]}]}}}');
    my $n = 0;
    $server = server(sub { reply(200, $odd[($_[0] - 1) % @odd]) });
    for (1 .. 2 * @odd) {
        my $r = $server->{ctl}->run('runs', $_ % 2 ? 'list' : ('show', 'x'));
        $n++ if $r->{code} >= 1000;
    }
    is($n, 0, 'replies of another shape do not kill it');
}


# A list that lies about its length has an end all the same.
sub pages {
    my $server = server(sub {
        my ($n, $request) = @_;
        return reply(200, $json->encode({ success => JSON::PP::true,
            data => [map { { id => "$n-$_" } } 1 .. ($n < 3 ? 100 : 7)],
            pagination => { total_items => 100000 } }));
    });
    my $r = $server->{ctl}->run(qw(runs list --all --json));
    is(scalar @{$r->{json}}, 207, 'a short page is the last one');
    is(join(' ', map { $_->{query}{page} } @{$server->{fake}->calls}),
       '1 2 3', 'pages are asked for one by one');
}


# Whoever answers everything with 200 has done nothing of it.
sub shapes {
    for my $body ('null', '[]', '{}', '"x"', '{"data":{}}') {
        my $ctl = server(sub { reply(200, $body) })->{ctl};
        is($ctl->run(qw(jobs list))->{code}, 8, "$body is no list");
        next if $body =~ /data/;
        is($ctl->run(qw(jobs cancel x))->{code}, 8, "$body cancels nothing");
    }

    my $r = server(sub { reply(204, '') })
        ->{ctl}->run(qw(schedules delete x --yes --json));
    is("$r->{code} $r->{out}", "0 null\n",
       'what is done without a word is JSON, too');
}


# What comes by a stream does not steer the terminal, either.
sub streams {
    my $evil = "failed\e]0;title\x{7}\x{9b}2J";
    my $event = $json->encode({ event_type => 'test_execution.completed',
        payload => { test_run_id => 'x', id => 't', status => $evil,
                     test_case_name => $evil, language_code => $evil } });
    my $ctl = server(sub {
        my $path = $_[1]{path};
        return $path =~ m{/events/stream/}
            ? Voice::Agent::reply(200, 'text/event-stream',
                                  "event: message\ndata: $event\n\n")
            : reply(200, $json->encode({ success => JSON::PP::true, data =>
                $path =~ m{/executions$} ? []
                : { id => 'x', tenant => { id => 'y' }, name => $evil,
                    status => $evil, total_tests => 9_000_000_000_000_000_000 } }));
    })->{ctl};

    my $r = $ctl->run(qw(runs watch x));
    is($r->{code}, 1, 'a run of an unknown end is no success');
    like($r->{out}, qr/^failed\\x1b.*\n.*^failed\\x1b.*: /ms,
         'its test and its end are told');
    for my $text ($r->{out}, $ctl->terminal(60, qw(runs watch x))->{screen}) {
        unlike($text =~ s/\e\[(?:K|\d*m)//gr,
               qr/[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]/,
               'in words that are safe to look at');
    }

    $ctl = $ctl->with(LC_ALL => '', LC_CTYPE => 'de_DE.ISO-8859-1');
    unlike($ctl->terminal(60, qw(runs watch x))->{screen}, qr/[^\x00-\x7e]/,
           'a terminal of another charset gets ASCII');
}


# Each request alone has a minute, a command no more than was said.
sub late {
    for my $words ([qw(probe)], [qw(runs watch x)],
                   [qw(runs watch x --poll)])
    {
        my $ctl = server(sub { made() }, 'hang')->{ctl};
        my $r = $ctl->run(@$words, '--timeout', 1, '--json');
        is($r->{code}, 6, "@$words ends in time where nobody answers");
        is($r->{problem}{error}{code}, 'TIMEOUT', 'and says so');
    }

    my $server = server(sub { busy_reply(503, 5) });
    is($server->{ctl}->run(qw(probe --timeout 2))->{code}, 9,
       'who is told to wait for longer does not');
    is(scalar @{$server->{fake}->calls}, 1, 'he has asked once');
}


sub words {
    my $server = server(sub { made() });
    my $r = $server->{ctl}->run(qw(jobs dead purge --yes --json), "\xff");
    is($r->{code}, 2, 'an id that is no UTF-8 is refused');
    is($r->{problem}{exit}, 2, 'in JSON');
    is_deeply($server->{fake}->calls, [], 'and does not stand for all');

    $r = $server->{ctl}->run(qw(jobs list --nonsense --json));
    is($r->{problem}{exit}, 2, '--json may stand behind a wrong word');
}


# Ctrl-C where a person is asked, and where another one holds the login.
sub interrupted {
    my $server = server(sub { made() });
    my @rows = (
        ['a question', qr/\[y\/N\] /, qw(jobs dead purge)],
        ['a password', qr/Password: /,
         qw(login --email a@b.example --profile x --url),
         $server->{fake}->url],
    );
    for my $row (@rows) {
        my ($what, $seen, @words) = @$row;
        my $r = $server->{ctl}->terminal(60,
            { on => [[$seen, Voice::Ctl::types("\x03")]] }, @words);
        is($r->{code}, 130, "$what can be interrupted") or diag($r->{screen});
    }
    is_deeply($server->{fake}->calls, [], 'nothing was sent');

    my $ctl = Voice::Ctl->new;
    my $dir = "$ctl->{home}/.config/voicegate";
    mkdir $_ for "$ctl->{home}/.config", $dir;
    Voice::spew("$dir/voicectl.conf", '[default]' . "\nurl = "
                . $server->{fake}->url . "\n");
    chmod 0600, "$dir/voicectl.conf";
    open my $lock, '>', "$dir/default.session.lock" or die "$!";
    flock $lock, LOCK_EX or die "$!";

    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        $ctl->execute(qw(runs list));
    }
    my $end = time + 60;
    select undef, undef, undef, 0.05
        until time > $end || catches_int($pid);
    my $gone = 0;
    until ($gone || time > $end) {
        kill 'INT', $pid;
        select undef, undef, undef, 0.05;
        $gone = waitpid $pid, WNOHANG;
    }
    is($gone ? Voice::Ctl::code($?) : 'goes on', 130,
       'who waits for another one can be interrupted');
    kill 'KILL', $pid if !$gone;
}


sub catches_int {
    my ($pid) = @_;

    my ($caught) = Voice::slurp("/proc/$pid/status") =~ /^SigCgt:\s*(\w+)/m;

    return hex($caught // 0) & 2;
}


# --- help -----------------------------------------------------------------

sub helps {
    my $ctl = Voice::Ctl->new;
    my $help = $ctl->run('--help');
    is($help->{code}, 0, '--help is no mistake');
    my @names = $help->{out} =~ /^  ([a-z]+(?: [a-z]+)*)  +[a-z]/mg;
    cmp_ok(scalar @names, '>', 30, 'it lists the commands');
    my @long = grep { length > 79 } split /\n/, $help->{out};
    is("@long", '', 'within 79 columns');

    my @bad;
    for my $name (@names) {
        my $r = $ctl->run(split(/ /, $name), '--help');
        push @bad, $name if $r->{code} != 0 || $r->{err} ne ''
            || $r->{out} !~ /^usage: voicectl \Q$name\E/m
            || $r->{out} !~ /^Examples\n  .*voicectl /m;
        push @bad, "help $name"
            if $ctl->run('help', split / /, $name)->{out} ne $r->{out};
    }
    is("@bad", '', 'each command has help with examples');
    like($ctl->run(qw(jobs --help))->{out},
         qr/^  jobs list .*^  jobs dead purge /ms, 'a group lists its commands');
    like($ctl->run('kinds')->{err}, qr/^  kinds pause /m,
         'also where it is none by itself');
    is($ctl->run('kinds')->{code}, 2, 'which is wrong usage');
    is($ctl->run('--version')->{out}, "voicectl 1.1.0\n", 'it has a version');
}


sub completion {
    my $ctl = Voice::Ctl->new;
    my $script = "$ctl->{home}/completion";
    Voice::spew($script, $ctl->run(qw(completion bash))->{out});

    my @rows = (
        ['', qr/^runs suites schedules jobs probe queues kinds workers /],
        ['jo', qr/^jobs$/],
        ['jobs ', qr/^list show retry cancel dead$/],
        ['jobs dead ', qr/^list requeue purge$/],
        ['--stack jobs de', qr/^dead$/],
        ['--url x jobs li', qr/^list$/],
        ['jobs list --st', qr/^--state --stack --stack-dir$/],
        ['jobs list --state ', qr/^queued running done dead cancelled$/],
        ['jobs list --state d', qr/^done dead$/],
        ['runs start --wa', qr/^--wait$/],
        ['queues --col', qr/^--color$/],
        ['completion ', qr/^bash zsh$/],
        ['kinds set probe max_', qr/^max_attempts= max_lost=$/],
        ['runs watch --junit ' . substr($script, 0, -3), qr/^\Q$script\E$/],
    );
    for my $row (@rows) {
        my ($line, $expected) = @$row;
        my @words = split / /, "voicectl $line", -1;
        my $list = join ' ', map { "'$_'" } @words;
        my $found = `bash -c 'source $script; COMP_WORDS=(@{[
            $list =~ s/'/"/gr]}); COMP_CWORD=$#words; _voicectl_complete;
            echo "\${COMPREPLY[*]}"' 2>&1`;
        chomp $found;
        like($found, $expected, "\"voicectl $line\" is completed");
    }
    is($ctl->run(qw(completion fish))->{code}, 2, 'for shells that it knows');

  SKIP: {
        skip('there is no zsh', 1) unless grep { -x "$_/zsh" }
            split /:/, $ENV{PATH};
        Voice::spew($script, $ctl->run(qw(completion zsh))->{out});
        is(`zsh -fn $script 2>&1`, '', 'zsh can read its own');
    }
}


# --- small things ---------------------------------------------------------

# {fake, ctl}: a server that answers by a sub of (n, request).
sub server {
    my ($answer, $fault) = @_;

    my $fake = Voice::Fake->start(answer => $answer, fault => $fault);
    push @servers, { fake => $fake, ctl => Voice::Ctl->new(
        VOICEGATE_URL => $fake->url, VOICEGATE_API_KEY => 'secret-key') };

    return $servers[-1];
}


sub reply {
    my ($status, $body) = @_;

    return Voice::Agent::reply($status, 'application/json', $body);
}


sub error {
    my ($status, $code) = @_;

    return reply($status, $json->encode({ success => JSON::PP::false,
        request_id => 'r-1', error => { code => $code, details => {},
            message => 'It is so.', request_id => 'r-1' } }));
}


sub busy_reply {
    my ($status, $seconds) = @_;

    my $reply = error($status, 'TEST');
    $reply->{headers}{'Retry-After'} = $seconds;

    return $reply;
}


sub made {
    return reply(201, $json->encode({ success => JSON::PP::true,
        request_id => 'r-1', data => { id => 'run-1' } }));
}


package Voice::Fake;

use parent 'Voice::Agent';


# The number is that of the call, as the faults have it.
sub handle {
    my ($self, $request) = @_;

    return $self->{answer}->($self->state('handled',
        sub { ($_[0] // 0) + 1 }), $request);
}
