#!/usr/bin/perl

# voicectl against a stack: every command as text and as JSON, its exit
# codes, on pipes and on a terminal.  The test does the jobs of runs itself,
# so that each turn of them can be seen.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Ctl;
use Voice::Demo;

my $nobody = '00000000-0000-7000-8000-000000000000';
my $voice = Voice->start(workers => 0);
start_pool();
my $owner = $voice->tenant('acme');
my $root = $voice->person('platform', 'platform_admin');
my $url = $voice->{base_url};
my $suite = Voice::Demo::suite($voice, $owner, 1, 1);
my $ctl = Voice::Ctl->new(VOICEGATE_URL => $url,
                          VOICEGATE_TOKEN => $owner->{token});
my $platform = $ctl->with(VOICEGATE_TOKEN => $root->{token});

# a kind that no worker takes
$voice->sql(<<'END');
insert into core.queue (name) values ('drill');
insert into core.job_kind (kind, queue, max_attempts, backoff_seconds,
                           backoff_max)
values ('drill', 'drill', 3, 2, 60);
END

runs();
watching();
polling();
jobs();
dead_letters();
schedules();
api_keys();
probe();
queues();
kinds();
workers();

is(join('', $ctl->faults), '', 'no sanitizer found anything');
$voice->finish;


# --- runs -----------------------------------------------------------------

sub runs {
    my $started = $ctl->run('runs', 'start', '--suite', $suite, '--name',
        'First', '--language', 'en-US', '--meta', 'branch=main', '--meta',
        'commit_sha=abc', '--priority', 9, '--trigger', 'ci_cd');
    is($started->{code}, 0, 'runs start makes a run') or diag(
        $started->{err});
    my ($id) = $started->{out} =~ /^([0-9a-f-]{36})\n\z/;
    ok($id, 'and says its id, nothing else');

    my $run = $voice->call('get_test_run', as => $owner,
                           path => { id => $id })->{json}{data};
    is_deeply([@$run{qw(name languages priority trigger_type
                        trigger_metadata suite_id)}],
              ['First', ['en-US'], 9, 'ci_cd',
               { branch => 'main', commit_sha => 'abc' }, $suite],
              'with what its options say');

    my $shown = $ctl->run('runs', 'show', $id);
    like($shown->{out}, qr/^name +First$/m, 'runs show shows it');
    is($ctl->run('runs', 'show', $id, '--json')->{json}{id}, $id,
       'also as JSON');
    my $list = $ctl->run('runs', 'list', '--search', 'irst');
    like($list->{out}, qr/^ID +STATUS +NAME.*\n\Q$id\E +\w+ +First /,
         'runs list lists it');
    is($ctl->run(qw(runs list --search nowhere))->{err}, "No runs.\n",
       'no run is told');
    is_deeply($ctl->run(qw(runs list --search nowhere --json))->{json}, [],
              'as JSON it is an empty list');
    is_deeply([map { $_->{id} } @{$ctl->run(qw(runs list --trigger ci_cd
        --json))->{json}}], [$id], 'or those of a trigger');
    is($ctl->run(qw(runs list --trigger webhook))->{err}, "No runs.\n",
       'and no others');

    is($ctl->run('runs', 'cancel', $id)->{out}, "$id: cancelled\n",
       'runs cancel cancels it');
    is($ctl->run('runs', 'cancel', $id)->{code}, 7, 'once');
    my $watched = $ctl->run('runs', 'watch', $id);
    is($watched->{code}, 1, 'a cancelled run is not a success');
    like($watched->{out}, qr/^cancelled: 2 tests, 0 passed/m,
         'and watching it ends at once');

    pages();
}


sub pages {
    my $ids = $voice->sql("select array_to_string(core.add_jobs('drill',
        array_fill('{}'::jsonb, array[103]), null, 1,
        now() + interval '1 day', null), ' ') from " . under($owner));

    my $list = $ctl->run(qw(jobs list --kind drill --json --all));
    is(join(' ', sort map { $_->{id} } @{$list->{json}}),
       join(' ', sort split / /, $ids), '--all gets all pages');
    $list = $ctl->run(qw(jobs list --kind drill -n 101 --json));
    is(@{$list->{json}}, 101, '--limit goes over pages, too');
    $list = $ctl->run(qw(jobs list --kind drill));
    is($list->{out} =~ tr/\n//, 21, 'a list is of twenty');
    is($list->{err}, "20 of 103; --all shows all\n", 'and tells of others');
    $voice->sql("delete from core.job where kind = 'drill'");
}


# By events: lines on a pipe, a bar on a terminal.
sub watching {
    my $file = "$ctl->{home}/junit.xml";
    my $watched = $ctl->run({ while => sub { work('auto_pass', 'auto_fail') }
        }, 'runs', 'start', '--suite', 'Navigation and booking', '--wait',
        '--junit', $file);
    is($watched->{code}, 1, 'a run with a failed test exits with 1')
        or diag($watched->{err});
    like($watched->{out}, qr/^passed +\S.*  en-US  0\.90$/m,
         'each test has a line');
    like($watched->{out}, qr/^failed +\S.*  en-US  0\.90$/m,
         'those that failed, too');
    like($watched->{out}, qr/^failed: 2 tests, 1 passed, 1 failed.*\n\z/m,
         'and at last the run');
    like($watched->{err}, qr/^run [0-9a-f-]{36}$/, 'its id is a remark');

    my $xml = Voice::slurp($file);
    like($xml, qr/<testsuite name="Navigation and booking" tests="2" /,
         'JUnit XML counts the tests of the suite');
    like($xml, qr/ failures="1" errors="0" skipped="0"/, 'and its failures');
    is(() = $xml =~ /<testcase /g, 2, 'and has each of them');
    like($xml, qr/<failure message="intent &quot;call&quot;, expected /,
         'with what was found wrong');

    my ($id) = $watched->{err} =~ /run (\S+)/;
    my $results = $ctl->run('runs', 'results', $id);
    like($results->{out}, qr/^CASE +LANG.*(?:\n.*){2}\n\z/,
         'runs results lists what came of them');
    like($results->{out}, qr/ failed .* intent "call", expected "navigate"$/m,
         'and why');
    unlike($results->{out}, qr/ passed .*intent/, 'where it did not pass');
    my $again = $ctl->run('runs', 'retry', $id, '--json')->{json};
    is($again->{retry_of}, $id, 'runs retry repeats what failed');
    my $good = $ctl->run({ while => sub { work('auto_pass') } }, 'runs',
                         'watch', $again->{id});
    is($good->{code}, 0, 'a run without a failure exits with 0');
    like($good->{out}, qr/^passed .*\ncompleted: 1 tests, 1 passed/m,
         'its tests have lines');

    bar();
    lines_of_json();
    interrupted();
}


sub bar {
    my $resize = sub { $_[0]->set_winsize(40, 44) };
    my $r = $ctl->terminal(70, { on => [
        [qr/ 0\/2 /, sub { work('auto_pass') }],
        [qr/ 1\/2 /, sub { $resize->(@_); work('auto_fail') }] ] },
        'runs', 'start', '--suite', $suite, '--name', 'Evening', '--wait');

    my @bars = grep { /\d %/ } split /[\r\n]+/, $r->{screen};
    like($bars[0], qr/^Evening  \[ +\] +0 %  0\/2  0 passed  0 failed  0:0/,
         'a terminal has a bar with a name, and how far it is');
    my @wide = map { s/\033\[[0-9;]*[mK]//gr } @bars;
    is(scalar(grep { length > 69 } @wide), 0, 'never wider than the window');
    cmp_ok(length $wide[-1], '<=', 43, 'also when that became narrower');
    like(join('', @bars), qr/\033\[32m#+\033\[0m/, 'in colours');
    like($r->{screen}, qr/failed\S* +\S.* en-US  0\.90\r\n/,
         'what failed has a line');
    unlike($r->{screen}, qr/passed(?:\033\[0m)? {3}/,
           'what passed has none');
    like($r->{screen}, qr/failed\S*: 2 tests, 1 passed, 1 failed.*\n\z/,
         'and the end, too');

    unlike($ctl->with(NO_COLOR => 1)->terminal(80, 'runs', 'list')
               ->{screen}, qr/\033\[/, 'no colours with NO_COLOR');
    my $list = $ctl->terminal(80, 'runs', 'list');
    is(scalar(grep { length > 80 } map { s/\033\[[0-9;]*m//gr =~
                                         s/\xe2\x80\xa6/~/gr }
              split /\r\n/, $list->{screen}), 0,
       'tables are cut to the terminal') or diag($list->{screen});
}


sub lines_of_json {
    my $r = $ctl->run({ while => sub { work('auto_fail', 'auto_pass') } },
        'runs', 'start', '--suite', $suite, '--wait', '--json');
    my @lines = map { decode_json($_) } split /\n/, $r->{out};
    is($r->{code}, 1, 'the exit code is the same with --json');
    is(join(' ', sort map { $_->{test}{status} }
            grep { $_->{event} eq 'test' } @lines), 'failed passed',
       'each test is a line of JSON, once');
    is_deeply([$lines[-1]{event}, $lines[-1]{run}{status}],
              ['run', 'failed'], 'the last one is the run as it ended');
}


# Ctrl-C ends the watching only.
sub interrupted {
    my $r = $ctl->terminal(80, { on => [[qr/ 0\/2 /,
                                         Voice::Ctl::types("\003")]] },
                           'runs', 'start', '--suite', $suite, '--wait');
    is($r->{code}, 130, 'an interrupted watcher exits with 130');
    my ($id) = $r->{screen} =~ /run ([0-9a-f-]{36})/;
    is($voice->call('get_test_run', as => $owner, path => { id => $id })
             ->{json}{data}{status}, 'pending', 'and the run goes on');

    $r = $ctl->run('runs', 'watch', $id, '--timeout', '1s', '--json');
    is($r->{code}, 6, '--timeout ends the watching with 6');
    is($r->{problem}{error}{code}, 'TIMEOUT', 'and says so');
    $ctl->run('runs', 'cancel', $id);
}


# Without events the same is known by asking.
sub polling {
    my $deaf = $voice->call('create_api_key', as => $owner, body => {
        name => 'deaf', role => 'api_client',
        scopes => ['test-runs:read', 'test-runs:write',
                   'test-suites:read'] })->{json}{data}{secret};
    my $key = $ctl->with(VOICEGATE_TOKEN => '', VOICEGATE_API_KEY => $deaf);

    for my $row (['--poll', $ctl, '--poll'],
                 ['a key that may not listen', $key])
    {
        my ($what, $who, @option) = @$row;
        my $r = $who->run({ while => sub { work(('auto_pass') x 2) } },
            'runs', 'start', '--suite', $suite, '--wait', @option);
        like($r->{out}, qr/^(?:passed .* en-US.*\n){2}completed: 2 tests/,
             "with $what a run is followed by asking") or diag($r->{err});
    }
}


# --- jobs -----------------------------------------------------------------

sub jobs {
    my $id = add($owner);
    my $list = $ctl->run(qw(jobs list --kind drill));
    like($list->{out}, qr/^ID +KIND +STATE.*\n\Q$id\E +drill +queued +5 /,
         'jobs list lists jobs');
    is_deeply([map { $_->{id} } @{$ctl->run(qw(jobs list --json --state
        queued --kind drill --queue drill --sort -created_at --from
        2020-01-01T00:00:00Z --to 2999-01-01T00:00:00Z))->{json}}], [$id],
        'as its options say');
    like($ctl->run('jobs', 'show', $id)->{out}, qr/^kind +drill$/m,
         'jobs show shows one');

    my $r = $ctl->run('jobs', 'cancel', $id, $nobody, add($owner));
    like($r->{out}, qr/^\Q$id\E: cancelled\n\S+: cancelled\n\z/,
         'jobs cancel cancels some');
    is($r->{code}, 4, 'and the first that fails gives the exit code');
    is($ctl->run('jobs', 'retry', $id)->{out}, "$id: queued again\n",
       'jobs retry queues one again');
    is($ctl->run('jobs', 'cancel', $id, '--json')->{json}{state},
       'cancelled', 'as JSON it is the job');
    is($platform->run('jobs', 'show', $id)->{code}, 4,
       "another tenant's job is not there");
    is($platform->run('jobs', 'show', $id, '--tenant', 'all', '--json')
                ->{json}{id}, $id, 'unless an operator says --tenant');
}


sub dead_letters {
    my @dead = map { dead($owner) } 1 .. 4;

    like($ctl->run(qw(jobs dead --kind drill))->{out},
         qr/^ID +KIND.*(?:\n\S+ +drill .*died){4}\n\z/,
         'jobs dead lists dead letters');
    is(@{$ctl->run(qw(jobs dead list --older-than 1h --json))->{json}}, 0,
       'none of some age');

    my $asked = $ctl->run(qw(jobs dead purge));
    is($asked->{code}, 2, 'a purge that nobody was asked about is not done');
    like($asked->{err}, qr/--yes/, 'and the way is told');
    my $no = $ctl->terminal(80, { on => [[qr/\[y\/N\] /,
                                        Voice::Ctl::types("n\n")]] },
                            qw(jobs dead purge));
    is($no->{code}, 2, 'nor one that was refused');
    like($no->{screen}, qr/Delete dead letters for good at \Q$url\E\?/,
         'the question says what and where');
    is(@{$ctl->run(qw(jobs dead --json))->{json}}, 4, 'nothing was deleted');

    is_deeply($ctl->run('jobs', 'dead', 'requeue', $dead[0], '--yes',
                        '--json')->{json}, { requeued => 1, skipped => 0 },
              'jobs dead requeue takes ids');
    my $yes = $ctl->terminal(80, { on => [[qr/\[y\/N\] /,
                                         Voice::Ctl::types("y\n")]] },
        qw(jobs dead purge --kind drill --limit 1));
    like($yes->{screen}, qr/^purged +1\r$/m, 'who says yes gets it');
    like($ctl->run(qw(jobs dead purge --yes))->{out}, qr/^purged +2$/m,
         'without ids it is all of them');
}


sub schedules {
    my $made = $ctl->run('schedules', 'create', '--name', 'Nightly',
        '--cron', '0 2 * * *', '--timezone', 'Europe/Berlin', '--suite',
        'Navigation and booking', '--language', 'en-US', '--missed', 'skip',
        '--disabled', '--json');
    is($made->{code}, 0, 'schedules create makes one') or diag($made->{err});
    is_deeply([@{$made->{json}}{qw(name expression timezone missed_runs
                                   enabled)}],
              ['Nightly', '0 2 * * *', 'Europe/Berlin', 'skip',
               JSON::PP::false], 'as its options say');
    is_deeply($made->{json}{action}, { type => 'run_suite',
        suite_id => $suite, languages => ['en-US'] }, 'of a suite by name');
    my $id = $made->{json}{id};

    like($ctl->run('schedules')->{out},
         qr/^ID +NAME.*\n\Q$id\E +Nightly +0 2 \* \* \* /,
         'schedules lists them');
    like($ctl->run('schedules', 'show', $id)->{out}, qr/^enabled +no$/m,
         'schedules show shows one');
    like($ctl->run('schedules', 'enable', $id)->{out},
         qr/^\Q$id\E: enabled, due next at [-\d]{10} 0[01]:00:00 UTC\n\z/,
         'it is enabled, and says when it is due');
    is($ctl->run('schedules', 'disable', $id, '--json')->{json}{enabled},
       JSON::PP::false, 'and disabled');
    is($ctl->run('schedules', 'run', $id)->{out}, "$id: runs now\n",
       'and runs by hand');

    my $changed = $ctl->run('schedules', 'change', $id, '--cron',
        '30 1 * * *', '--from', '2999-01-04T00:00:00+01:00', '--json');
    is_deeply([@{$changed->{json}}{qw(expression timezone starts_at)}],
              ['30 1 * * *', 'Europe/Berlin', '2999-01-03T23:00:00.000Z'],
              'it is changed, but for what was not named')
        or diag($changed->{err});
    like($ctl->run('schedules', 'enable', $id)->{out},
         qr/: enabled, due next at 2999-01-04 00:30:00 UTC$/,
         'and pauses until it may be due');

    my $times = $ctl->run('schedules', 'preview', '0 2 * * *', '-n', 2,
        '--timezone', 'Europe/Berlin', '--after', '2026-03-28T12:00:00Z');
    like($times->{out}, qr/^UTC +LOCAL\n2026-03-29 01:00:00 .*\n2026-03-30 00:00:00 /,
         'a preview shows when an expression is due');
    is($ctl->run('schedules', 'preview', '0 2 31 2 *')->{err},
       "It will never be due again.\n", 'or that it never is');
    is($ctl->run('schedules', 'preview', '61 * * * *')->{code}, 7,
       'or that it is none');

    is($ctl->run('schedules', 'delete', $id)->{code}, 2,
       'a schedule is not deleted unasked');
    is($ctl->run('schedules', 'delete', $id, '--yes')->{out},
       "$id: deleted\n", 'but where that is said');
    is($ctl->run('schedules', 'show', $id)->{code}, 4, 'then it is gone');
    is($ctl->run(qw(schedules create --name x --cron @daily))->{code}, 2,
       'one that runs nothing is not made');
    ok($ctl->run(qw(runs regression --trigger ci --meta commit_sha=a
                    --json))->{json}{job_id}, 'regressions are run at once');
}


sub api_keys {
    my $made = $ctl->run(qw(keys create --name nightly --role api_client
        --scope test-runs:read --scope test-suites:read --expires
        2999-01-01T00:00:00Z --json))->{json};
    is_deeply([@$made{qw(name role scopes expires_at)}],
              ['nightly', 'api_client', ['test-runs:read',
               'test-suites:read'], '2999-01-01T00:00:00.000Z'],
              'keys create makes a key');
    my $ci = $ctl->with(VOICEGATE_TOKEN => '',
                        VOICEGATE_API_KEY => $made->{secret});
    is($ci->run(qw(runs list))->{code}, 0, 'which comes in');

    my $list = $ctl->run(qw(keys --search nightly))->{out};
    like($list, qr/^ID +NAME.*\n\Q$made->{id}\E +nightly +api_client /,
         'keys lists it');
    unlike($list, qr/\Q$made->{secret}\E/, 'without its secret');
    my $narrow = $ctl->with(NO_COLOR => 1)->terminal(80, 'keys')->{screen};
    is(scalar(grep { length > 80 } map { s/\xe2\x80\xa6/~/gr }
              split /\r\n/, $narrow), 0, 'within a terminal')
        or diag($narrow);
    is($ctl->run('keys', 'revoke', $made->{id})->{code}, 2,
       'none is revoked unasked');
    is($ctl->run('keys', 'revoke', $made->{id}, '--yes')->{out},
       "$made->{id}: revoked\n", 'keys revoke ends it');
    is($ctl->run(qw(keys --search nightly))->{err}, "No keys.\n",
       'then it is not in use');
}


sub probe {
    my $r = $ctl->run(qw(probe --work-ms 20));
    is($r->{code}, 0, 'probe sends a job round') or diag($r->{err});
    like($r->{out}, qr/^done: waited [\d.]+ m?s, ran [\d.]+ m?s, by \S+\n/,
         'and tells how long that took');
    my $json = $ctl->run(qw(probe --priority 10 --json))->{json};
    is($json->{state}, 'done', 'as JSON it is the job');
    ok(defined $json->{waited_ms} && defined $json->{ran_ms},
       'with both times');

    $r = $ctl->run(qw(probe --fail dead));
    is($r->{code}, 1, 'a probe that fails exits with 1');
    like($r->{err}, qr/^voicectl: the job \S+ is dead: \S/,
         'and says why it is dead');

    $platform->run(qw(queues pause probe));
    $r = $ctl->run(qw(probe --timeout 1));
    is($r->{code}, 6, 'a probe that nobody takes exits with 6');
    like($r->{err}, qr/is still queued$/m, 'and says that it waits');
    $platform->run(qw(queues resume probe));
}


# --- queues, workers ------------------------------------------------------

sub queues {
    my $line = sub {
        my ($text) = $platform->run('queues')->{out} =~ /^(drill .*)$/m;
        return $text;
    };

    like($line->(), qr/^drill +drill +\d+ /, 'queues lists kinds');
    is($platform->run(qw(queues pause drill))->{out}, "drill: paused\n",
       'a queue is paused');
    like($line->(), qr/^drill +drill +paused /, 'which is shown');
    is($platform->run(qw(queues resume drill))->{code}, 0, 'it goes on');
    is($platform->run(qw(kinds pause drill))->{code}, 0, 'so is a kind');
    like($line->(), qr/paused/, 'which is shown, too');
    is($platform->run(qw(kinds resume drill --json))->{json}{kind}, 'drill',
       'it goes on, also as JSON');
    my $list = $platform->run(qw(queues list --json))->{json};
    ok(scalar(grep { $_->{name} eq 'drill' } @$list),
       'as JSON queues are as the API gives them');
    is($platform->run(qw(queues pause nowhere))->{code}, 4,
       'a queue that is not there is 4');
}


sub kinds {
    my $lines = sub {
        my ($r) = @_;
        return join ', ', map { s/ +/ /gr } $r->{out} =~
            /^((?:SETTING|max_attempts|backoff|jitter|rate) .*)$/mg;
    };

    is($lines->($platform->run(qw(kinds show drill))),
       'SETTING VALUE DEFAULT, max_attempts 3, backoff exponential, '
       . 'jitter yes, rate -', 'kinds show shows the settings of one');
    my $set = $platform->run(qw(kinds set drill max_attempts=5 rate=2.5
                                backoff=linear jitter=no));
    is($set->{code}, 0, 'kinds set changes some') or diag($set->{err});
    is($lines->($set), 'SETTING VALUE DEFAULT, max_attempts 5 3, '
       . 'backoff linear exponential, jitter no yes, rate 2.5 -',
       'and shows what they were');
    is($platform->run(qw(kinds set drill rate=default --json))
                ->{json}{settings}{rate}, undef, 'default takes one back');

    my $wrong = $platform->run(qw(kinds set drill rate=0));
    is($wrong->{code}, 7, 'a value that it is not is refused');
    like($wrong->{err}, qr/rate/, 'by its name');
    is($platform->run(qw(kinds set drill colour=red))->{code}, 7,
       'so is what is no setting');
    is($platform->run('kinds', 'set', 'drill', $_)->{code}, 2,
       "\"$_\" is none") for 'rate', '=1', "rate=\xff";
    is($platform->run(qw(kinds show nowhere))->{code}, 4,
       'a kind that is not there is 4');
    is($ctl->run(qw(kinds set drill rate=1))->{code}, 3,
       'a tenant may not');
}


sub workers {
    my $r = $platform->run('workers');
    like($r->{out}, qr/^NAME +STATUS.*\n\S+ +online .*probe \d/,
         'workers lists pools');
    is($platform->run(qw(workers list --status offline --json))->{out},
       "[]\n", 'none is offline');

    my $nobody = $ctl->with(VOICEGATE_TOKEN => '');
    $r = $nobody->run(qw(workers health --json));
    like($r->{json}{status}, qr/^\w+$/, 'their health needs no login');
    is($r->{code}, $r->{json}{status} eq 'critical' ? 1 : 0,
       'and is the exit code');
    my @alerts = @{$r->{json}{alerts}};
    $r = $nobody->run(qw(workers health));
    like($r->{out}, qr/^\w+ +1 of 1 pools of the last hour online$/m,
         'people get a line for the whole');
    is($r->{out} =~ tr/\n//, 1 + @alerts, 'and one for each alert');
}


# --- the jobs of runs -----------------------------------------------------

# A pool that takes no job of runs.
sub start_pool {
    my $file = "$voice->{stack}{data}/etc/workers.conf";
    my $text = Voice::slurp($file);

    $text =~ s/^queue (?:test_execution|validation) = .*\n//mg;
    Voice::spew($file, $text);
    $voice->start_services('workers');
}


# Does tests that were or will be asked for, one after the other.
sub work {
    for my $decision (@_) {
        my ($job, $token) = claim('test_execution');
        $voice->sql("select work.start_test_execution('$job', $token);
            select * from work.finish_test_execution('$job', $token,
                :'result')", result => encode_json({
            skipped => undef, response_text => 'going home',
            transcript => 'take me home', intent => 'navigate',
            entities => {}, asr_confidence => 0.9, rtf => 0.2,
            input_audio => undef, response_audio => undef,
            timings => { first_byte_ms => 20, final_result_ms => 300,
                         network_ms => 1 },
            agent => { provider => 'houndify', profile => 'builtin' } }));

        ($job, $token) = claim('validation');
        $voice->sql("select work.start_validation('$job', $token);
            select * from work.finish_validation('$job', $token,
                :'result')", result => encode_json({
            decision => $decision, confidence_score => 0.9,
            heard_text => 'going home', wer_score => 0.1, wer_raw => 0.1,
            alignment => { substitutions => 1 },
            gates => [{ name => 'spoken', passed => JSON::PP::true,
                        reason => '' }, $decision eq 'auto_fail' ? {
                name => 'intent', passed => JSON::PP::false,
                reason => 'intent "call", expected "navigate"' } : ()],
            response_patterns => { passed => JSON::PP::true,
                                   errors => [] } }));
    }
}


sub claim {
    my ($queue) = @_;

    return split /\|/, $voice->wait_for(sub { $voice->sql(
        "select job_id, token from work.claim('test', '$queue', 1)") });
}


# --- small things ---------------------------------------------------------

sub add {
    my ($person) = @_;

    return $voice->sql("select (core.add_jobs('drill', array['{}'::jsonb],
        null, 5, now(), null))[1] from " . under($person));
}


sub under {
    my ($person) = @_;

    return "core.use_tenant('$person->{tenant_id}', null, 'system', null, "
        . "'drill')";
}


sub dead {
    my ($person) = @_;

    my $id = add($person);
    $voice->sql("update core.job set state = 'dead', ended_at = now(),
                     error = 'died' where id = '$id'");

    return $id;
}
