#!/usr/bin/perl

# An upgrade under load, from the first release, as docs/operations.md
# "Upgrade" has it: migrations while the old edge and the old pool work, a new
# nginx on the same sockets, a new pool beside the old one.  What was
# acknowledged is done once, nothing is refused, nothing is lost.
#
# The first release is the last commit before the edge's second round of work
# began (5ec9409, "Edge: one policy for operations and locations"): the spine,
# on which version 1.0.0 of CHANGES ends.  It is built from the history of
# this checkout, once for each build directory.

# covers: create_test_run get_test_run list_test_suites

use strict;
use warnings;

use File::Path qw(make_path);
use File::Temp qw(tempdir);
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Demo;
use Voice::Kill qw(pass_time);
use Voice::Pool;

use constant FIRST => '1d08fef19105351e0de14b78a43719dfd1441652';
use constant CLIENTS => 2;

my $test = $$;
my ($tree, $build) = first_release();
my $voice = Voice->start(root => $tree, build => $build, processes => 2);
my $owner = $voice->tenant('acme');
my $suite = Voice::Demo::suite($voice, $owner, 1);
my $other = $voice->tenant('other');
my $waiting = Voice::Demo::suite($voice, $other, 1);
my %file = map { $_ => "$voice->{dir}/$_" } qw(stop said);

is(version(), '1.0.0', 'the first release serves');
my @load = map { run_apart(\&load, $_) } 1 .. CLIENTS;
my $readers = run_apart(\&read_on);
goes_on('on the first release');
put_off();

migrate();
go_on();
goes_on('with the new database below the old edge and pool');

upgrade_nginx();
goes_on('with the new edge before the old pool');

upgrade_pool();
goes_on('on the new release');

Voice::spew($file{stop}, '');
waitpid $_, 0 for @load, $readers;
all_is_well();

# what a child that was cut off had read stays for a minute
pass_time($voice, qw(test_execution validation));
$voice->finish;


# --- the first release ----------------------------------------------------

sub first_release {
    my $dir = tempdir('voice-first-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $git = "git -c safe.directory='*' -C '$Voice::ROOT'";
    my $build = ($ENV{VOICE_BUILD} || "$Voice::ROOT/build") . '/first';

    plan skip_all => 'the history of this checkout does not have ' . FIRST
        if system("$git cat-file -e " . FIRST . '^{commit} 2>/dev/null');

    my $said = `$git worktree add --detach '$dir/tree' @{[FIRST]} 2>&1`;
    $? == 0 or BAIL_OUT("git worktree: $said");

    my @built = map { "$build/$_" } qw(ngx_voice_module.so voicegate-worker);
    if (grep { !-e } @built) {
        my $began = time;
        # not the programs of its tests
        $said = `cd '$dir/tree' && make -s -j2 BUILD=first module 2>&1 \\
            && make -s -j2 -f workers/workers.mk BUILD=first \\
                   first/voicegate-worker 2>&1`;
        $? == 0 or BAIL_OUT('the first release is not built: '
                            . substr($said, -400) =~ s/\n+/ | /gr);
        note(sprintf 'the first release was built within %.0f s',
             time - $began);
        make_path($build);
        for my $file (@built) {
            my ($name) = $file =~ m{([^/]+)\z};
            system('cp', '-p', "$dir/tree/first/$name", $file) == 0
                or BAIL_OUT("$file cannot be kept");
        }
    }

    return ("$dir/tree", $build);
}


END {
    if (defined $tree && $$ == $test) {
        local $?;
        system('git', '-c', 'safe.directory=*', '-C', $Voice::ROOT,
               'worktree', 'remove', '--force', $tree);
    }
}


# --- the upgrade ----------------------------------------------------------

sub migrate {
    my $began = time;

    $voice->{root} = $Voice::ROOT;
    $voice->{build} = $ENV{VOICE_BUILD} || "$Voice::ROOT/build";
    $voice->{options}[2] = $voice->{build};
    my $output = $voice->stack('migrate');

    is($?, 0, 'migrations are applied while it works')
        or BAIL_OUT($output =~ s{\n}{}r . tail("$voice->{stack}{log}/migrate.log"));
    note(sprintf 'the migration took %.1f s', time - $began);
}


# A run of a tenant that nobody knows yet but by what the migration finds.
sub put_off {
    my @pool = ($voice->pid('workers'), $voice->children('workers'));

    kill 'STOP', @pool;
    $voice->call('create_test_run', as => $other,
                 body => { suite_id => $waiting });
    $voice->sql("update core.job set run_at = now() + interval '1 hour'"
                . " where tenant_id = '$other->{tenant_id}'");
    kill 'CONT', @pool;
}


sub go_on {
    is($voice->sql("select min(priority) > 0 and max(priority) < 11 from"
                   . ' core.job'), 't', 'priorities are those of now');
    $voice->sql('update core.job set run_at = now(), sent_at = null'
                . " where tenant_id = '$other->{tenant_id}'");
    ok($voice->wait_for(sub { $voice->sql('select count(*) from core.job'
        . " where tenant_id = '$other->{tenant_id}' and state <> 'done'")
        eq '0' }, 120), 'what was queued before them is done');
}


sub upgrade_nginx {
    my $pid = $voice->pid('nginx');
    my $output = $voice->stack('upgrade', 'nginx');

    is($?, 0, 'a new nginx takes over the sockets') or BAIL_OUT($output);
    isnt($voice->pid('nginx'), $pid, 'by another master');
    ok($voice->wait_for(sub { !Voice::alive($pid) }, 60),
       'the old one ends when its requests have');
    isnt(version(), '1.0.0', 'and the new release serves');
}


# A second pool for the time that the first one needs to end its jobs.
sub upgrade_pool {
    my $second = Voice::Pool->start($voice, 'second');

    ok($voice->wait_for(sub {
        $voice->sql("select count(*) from core.worker where beat_at >"
                    . " now() - interval '15 s' and name = 'second'") }, 60),
       'a pool of the new release joins');
    goes_on('with a pool of each');

    my $output = $voice->stack('stop', 'workers');
    unlike($output, qr/killed/, 'the old pool ends in good order');
    goes_on('with the new pool alone');

    $output = $voice->stack('start', 'workers');
    is($?, 0, 'the pool of the new release has its place') or diag($output);
    is($second->stop, 0, 'the second one is not needed any more');
}


sub tail {
    return substr(Voice::slurp($_[0]), -600) =~ s/\n+/ | /gr;
}


sub version {
    my $reply = $voice->request('GET', '/openapi.json');

    return $reply->{json}{info}{version} // '';
}


# --- the load -------------------------------------------------------------

# Runs that began now end.
sub goes_on {
    my ($when) = @_;

    my $before = acknowledged();
    ok($voice->wait_for(sub { acknowledged() >= $before + CLIENTS }, 120),
       "runs begin $when");

    my $wanted = $voice->sql('select count(*) from core.test_run');
    ok($voice->wait_for(sub {
        $voice->sql('select count(*) from (select status from core.test_run'
            . " order by created_at limit $wanted) t where status in"
            . " ('pending', 'running')") eq '0' }, 180), 'and end');
}


# A process of its own; without what ends the test.
sub run_apart {
    my ($work, @arguments) = @_;

    my $pid = fork() // die "fork: $!";
    return $pid if $pid;

    my $done = eval { $work->(@arguments); 1 };
    print STDERR "# $@" unless $done;
    POSIX::_exit($done ? 0 : 1);
}


# Starts a run, follows it to its end, then another.
sub load {
    my ($client) = @_;

    while (!-e $file{stop} && getppid() == $test) {
        my $reply = ask('POST', '/api/v1/test-runs',
                        qq({"suite_id":"$suite"}));
        my $id = $reply->{json}{data}{id} // next;
        say_so("run $id");

        $voice->wait_for(sub {
            my $run = ask('GET', "/api/v1/test-runs/$id");
            return -e $file{stop} || getppid() != $test
                || ($run->{json}{data}{status} // '')
                   =~ /^(?:completed|failed|cancelled)$/;
        }, 120);
    }
}


sub read_on {
    while (!-e $file{stop} && getppid() == $test) {
        ask('GET', '/api/v1/test-suites');
        ask('GET', '/health');
        # a client has pauses, and its limits
        select undef, undef, undef, 0.05;
    }
}


sub ask {
    my ($method, $path, $content) = @_;

    my $reply = $voice->request($method, $path, content => $content,
        headers => { Authorization => "Bearer $owner->{token}",
                     'Content-Type' => 'application/json' });
    say_so("answer $reply->{status}"
           . ($reply->{status} < 400 ? '' : " $method $path $reply->{content}")
              =~ s/\s+/ /gr);

    return $reply;
}


sub say_so {
    my ($line) = @_;

    open my $out, '>>', $file{said} or die "$file{said}: $!";
    syswrite $out, "$line\n";
}


sub said {
    my ($what) = @_;

    return () unless -e $file{said};

    return map { /^\Q$what\E (.*)/ ? $1 : () }
        split /\n/, Voice::slurp($file{said});
}


sub acknowledged { return scalar(() = said('run')) }


# --- afterwards -----------------------------------------------------------

sub all_is_well {
    my @answers = said('answer');
    my @bad = grep { !/^(?:2|429)/ } @answers;
    my @runs = said('run');
    my $list = join ',', map { "'$_'" } @runs;

    note(scalar(@answers) . ' answers, ' . @runs . ' runs');
    is(scalar(@bad), 0, 'every request was answered well')
        or diag(join "\n", @bad[0 .. ($#bad < 9 ? $#bad : 9)]);

    ok($voice->wait_for(sub { $voice->sql("select count(*) from core.test_run"
        . " where status in ('pending', 'running')") eq '0' }, 180),
       'every run ends');
    is($voice->sql("select count(*) from core.test_run where id in ($list)"
                   . " and status = 'completed'"), scalar @runs,
       'each that was acknowledged, and well');
    is($voice->sql('select count(*) from core.voice_test_execution e'
        . ' where (select count(*) from core.validation_result v'
        . ' where v.execution_id = e.id) <> 1'), 0,
       'each execution was judged once');
    is($voice->sql("select count(*) from (select subject_id from core.event"
        . " where type in ('test_run.completed', 'test_run.failed')"
        . ' group by 1 having count(*) <> 1) t'), 0,
       'each end was told once');
    is($voice->sql("select count(*) from core.job where state <> 'done'"), 0,
       'no job is left and none died');
    is($voice->sql('select count(*) from core.job where attempt > 1 + lost'),
       0, 'none was tried twice');
    ok($voice->wait_for(sub { $voice->sql('select count(*) from core.event'
        . ' where published_at is null') eq '0' }, 60),
       'every event was published');
}
