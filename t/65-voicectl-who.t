#!/usr/bin/perl

# voicectl and those who use it: what they are refused, their credentials,
# their logins, and text of others that they look at.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Ctl;

my $nobody = '00000000-0000-7000-8000-000000000000';
my $hostile = "Evil \e[31m\x{9b}2J\x{202e}name\x{7}";
my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $root = $voice->person('platform', 'platform_admin');
my $viewer = $voice->person('acme', 'viewer');
my $url = $voice->{base_url};
my $ctl = Voice::Ctl->new(VOICEGATE_URL => $url,
                          VOICEGATE_TOKEN => $owner->{token});
my $suite = $voice->call('create_test_suite', as => $owner,
    body => { name => 'Navigation' })->{json}{data}{id};
my $case = $voice->call('create_test_case', as => $owner, body => {
    suite_id => $suite, name => 'Home', languages => [
        { language_code => 'en-US', input_text => 'take me home' }] })
    ->{json}{data}{id};

refusals();
credentials();
login();
texts();

is(join('', $ctl->faults), '', 'no sanitizer found anything');
$voice->finish;


# --- what goes wrong ------------------------------------------------------

sub refusals {
    my $viewing = $ctl->with(VOICEGATE_TOKEN => $viewer->{token});
    my @rows = (
        ['no command', $ctl, 2, qr/^usage: voicectl/m],
        ['a slip', $ctl, 2, qr/do you mean "jobs"/, 'jbos'],
        ['an option that is not there', $ctl, 2, qr/no option "--fly"/,
         qw(jobs list --fly)],
        ['a role without the right', $viewing, 3,
         qr/\(AUTH_INSUFFICIENT_PERMISSIONS\)\n  request /, qw(jobs list)],
        ['a false token', $ctl->with(VOICEGATE_TOKEN => 'a.b.c'), 3,
         qr/\(AUTH_INVALID_TOKEN\)/, qw(runs list)],
        ['nobody', $ctl->with(VOICEGATE_TOKEN => ''), 3,
         qr/nobody is logged in at/, qw(runs list)],
        ['a run that is not there', $ctl, 4, qr/\(RESOURCE_NOT_FOUND\)/,
         qw(runs show), $nobody],
        ['a suite that is not there', $ctl, 4, qr/no suite "Nav"; do you/,
         qw(runs start --suite Nav)],
        ['what is no id', $ctl, 7,
         qr{: /path/id: .* \(VALIDATION_ERROR\)\n  request },
         qw(runs show x)],
        ['neither suite nor case', $ctl, 2, qr/give --suite, or --case/,
         qw(runs start)],
        ['nobody there', $ctl->with(VOICEGATE_URL => 'http://127.0.0.1:1'),
         5, qr/nobody answers there/, qw(runs list)],
        ['no such host', $ctl->with(VOICEGATE_URL =>
         'https://nowhere.invalid'), 5, qr/nowhere\.invalid/,
         qw(runs list)],
        ['no TLS', $ctl->with(VOICEGATE_URL => $url =~ s/http/https/r), 5,
         qr/TLS failed/, qw(runs list)],
        ['an unencrypted URL', $ctl->with(VOICEGATE_URL =>
         'http://voice.example'), 2, qr/not encrypted/, qw(runs list)],
        ['no URL', $ctl->with(VOICEGATE_URL => ''), 2, qr/no URL/,
         qw(runs list)],
        ['something else than Voicegate', $ctl->with(VOICEGATE_URL =>
         "$url/console"), 4, qr/not one of Voicegate's|RESOURCE/,
         qw(runs list)],
    );

    for my $row (@rows) {
        my ($what, $who, $code, $text, @words) = @$row;
        my $r = $who->run(@words);
        is($r->{code}, $code, "$what exits with $code");
        like($r->{err}, $text, 'and says why');
        is($r->{out}, '', 'on stderr only');
    }

    my $json = $viewing->run(qw(jobs list --json));
    is_deeply([$json->{out}, $json->{problem}{exit},
               $json->{problem}{error}{code}],
              ['', 3, 'AUTH_INSUFFICIENT_PERMISSIONS'],
              'with --json a problem is JSON, on stderr');
    # a language that no case has: such a run ends at once
    my $full = $ctl->run('runs', 'start', '--suite', $suite, '--language',
                         'fr-FR', '--wait', '--junit', '/nowhere/x.xml');
    is($full->{code}, 10, 'a file that cannot be written is 10');
}


# --- credentials ----------------------------------------------------------

sub credentials {
    my $secret = $voice->call('create_api_key', as => $owner, body => {
        name => 'ci', role => 'api_client' })->{json}{data}{secret};
    my $home = $ctl->{home};
    my $dir = "$home/.config/voicegate";
    my $bare = $ctl->with(VOICEGATE_URL => '', VOICEGATE_TOKEN => '');
    my $who = sub {
        my ($ctl, @words) = @_;
        my $r = $ctl->run('whoami', '--json', @words);
        return $r->{json} ? $r->{json}{actor_kind} : $r->{code};
    };

    is($who->($bare->with(VOICEGATE_URL => $url,
                          VOICEGATE_API_KEY => $secret)), 'api_key',
       'a key of the environment');
    is($who->($ctl->with(VOICEGATE_API_KEY => $secret)), 2,
       'but not a token beside it');
    file("$home/key", 0600, "$secret\n");
    is($who->($bare, '--url', $url, '--key-file', "$home/key"), 'api_key',
       'a key of a file');
    is($bare->run({ in => $secret }, 'whoami', '--url', $url, '--key-file',
                  '-')->{code}, 0, 'or of stdin');
    chmod 0604, "$home/key";
    is($who->($bare, '--url', $url, '--key-file', "$home/key"), 2,
       'which others must not read');

    mkdir $_ for "$home/.config", $dir;
    file("$dir/voicectl.conf", 0600, "profile = here\n\n[here]\n"
         . "url = $url/\napi_key = $secret\n\n[gone]\n"
         . "url = http://127.0.0.1:1\n");
    is($who->($bare), 'api_key', 'the usual profile of the configuration');
    is($who->($bare, '--profile', 'gone'), 3, 'or another, which has none');
    is($who->($ctl, '-p', 'gone'), 3,
       'a profile that is named is not mixed with the environment');
    is($who->($bare, '--url', 'http://127.0.0.1:2'), 3,
       "a profile's key is for its own URL only");
    is($who->($bare, '--profile', 'none'), 2, 'a profile that is not there');
    my $shown = $bare->run('config', '--json');
    is_deeply([@{$shown->{json}}{qw(url profile credential)}],
              [$url, 'here', 'API key'], 'config shows what is used');
    unlike($shown->{out} . $bare->run('-v', 'whoami')->{err}, qr/\Q$secret/,
           'and no secret is shown');
    chmod 0640, "$dir/voicectl.conf";
    is($who->($bare), 2, 'a configuration that others may read is refused');
    file("$dir/voicectl.conf", 0600, "[default]\nulr = x\n");
    like($bare->run('whoami')->{err}, qr/line 2: there is no setting "ulr"/,
         'so is one with a slip');
    unlink "$dir/voicectl.conf";
}


sub login {
    my $dir = "$ctl->{home}/.config/voicegate";
    my $bare = $ctl->with(VOICEGATE_URL => '', VOICEGATE_TOKEN => '');
    my $r = $bare->terminal(80, { on => [[qr/Password: /,
        Voice::Ctl::types("$owner->{password}\n")]] },
        'login', '--url', $url, '--profile', 'acme', '--email',
        $owner->{email});
    is($r->{code}, 0, 'login asks for the password') or diag($r->{screen});
    unlike($r->{screen}, qr/\Q$owner->{password}/, 'which is not shown');
    is((stat "$dir/acme.session")[2] & 0777, 0600, 'the login is kept');
    my $tokens = decode_json(Voice::slurp("$dir/acme.session"));

    is($bare->run(qw(whoami -p acme --json))->{json}{user}{email},
       $owner->{email}, 'and used');
    file("$dir/acme.session", 0600, encode_json({ %$tokens,
                                                  expires_at => 1 }));
    is($bare->run(qw(whoami -p acme))->{code}, 0,
       'a token that ran out is renewed');
    my $next = decode_json(Voice::slurp("$dir/acme.session"));
    isnt($next->{refresh_token}, $tokens->{refresh_token},
         'and the new ones are kept');
    file("$dir/acme.session", 0600, encode_json({ %$next,
        access_token => 'a.b.c' }));
    is($bare->run(qw(whoami -p acme))->{code}, 0,
       'one that is refused, too');

    is($bare->run(qw(logout -p acme))->{code}, 0, 'logout ends it');
    ok(!-e "$dir/acme.session", 'here');
    is($bare->run(qw(whoami -p acme))->{code}, 3, 'nobody is logged in then');

    stack_of_make_run($bare);

    my $wrong = $bare->run({ in => 'Wrong-Horse-9' }, 'login', '-p', 'acme',
        '--email', $owner->{email}, '--password-file', '-', '--patience',
        0);
    is($wrong->{code}, 3, 'a wrong password logs nobody in');
    like($wrong->{err}, qr/\(AUTH_INVALID_CREDENTIALS\)/, 'as the API says');
    $voice->forgive;
}


# --stack takes what bin/demo has written.
sub stack_of_make_run {
    my ($bare) = @_;

    my $dir = "$ctl->{home}/run";
    mkdir $dir;
    is($bare->run('whoami', '--stack-dir', $dir)->{code}, 2,
       'there is no stack yet');
    file("$dir/demo.json", 0600, encode_json({ base_url => $url,
        email => $owner->{email}, password => $owner->{password},
        platform_email => $root->{email},
        platform_password => $root->{password} }));
    is($bare->run('whoami', '--stack-dir', $dir, '--json')
            ->{json}{user}{email}, $owner->{email},
       'the stack of "make run" needs no login');
    is($bare->run('queues', '--stack-dir', $dir)->{code}, 0,
       'and has an operator for what is the platform\'s');
    ok(-e "$dir/voicectl.session" && -e "$dir/platform.session",
       'their logins are kept there');
}


# --- text of others -------------------------------------------------------

sub texts {
    $voice->call('create_test_run', as => $owner, body => {
        test_case_ids => [$case], languages => ['fr-FR'],
        name => $hostile });

    my $r = $ctl->run(qw(runs list --search Evil));
    like($r->{out}, qr/Evil \\x1b\[31m\\u\{9b\}2J\\u\{202e\}name\\x07/,
         'what would steer a terminal is written out');
    $r = $ctl->run(qw(runs list --search Evil --json));
    is($r->{json}[0]{name}, $hostile, 'JSON keeps the value');
    unlike($r->{out}, qr/[^\n -~]/, 'without a byte that steers');
    $r = $ctl->run("jobs\e[2J");
    unlike($r->{err}, qr/\e/, 'nor is what we were given');
}


# --- small things ---------------------------------------------------------

sub file {
    my ($path, $mode, $text) = @_;

    Voice::spew($path, $text);
    chmod $mode, $path or die "$path: $!";
}
