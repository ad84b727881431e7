#!/usr/bin/perl

# The processes of the pool: who there is, who comes back, who refuses.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start(workers => 2);
my $data = $voice->{stack}{data};
my $config = "$data/etc/workers.conf";
my $log = "$voice->{stack}{log}/workers.log";
my $json = JSON::PP->new;

ok(settled(12), 'five queues with their children, keeper, relay and agent run');

ok($voice->wait_for(sub { logged(qr/this relay leads/) }, 20),
   'the relay leads');
is(scalar(grep { !$_->{time} || !$_->{level} || !$_->{worker}
                 || !$_->{child} || !$_->{pid} || !defined $_->{message} }
          lines()), 0, 'each line of the log is JSON with its fields');

heartbeat();
returning();
restarts();
stopped_child();
redis_lost();
failing_job();
log_reopened();
broken_reload();
good_reload();
second_pool();
kinds();
graceful_stop();

$voice->finish;


sub heartbeat {
    my $query = 'select max(beat_at) from core.worker';
    my $before = $voice->sql($query);

    ok($voice->wait_for(sub { $voice->sql($query) gt $before }, 20),
       'the supervisor beats');
}


sub returning {
    for my $child ($voice->children('workers')) {
        kill 'KILL', $child;
        $voice->wait_for(sub {
            !grep { $_ == $child } $voice->children('workers') }, 20);
    }

    ok(settled(12), 'each child that is killed comes back');
}


# All are killed as soon as they are seen, for as long as four waits take.
sub restarts {
    my %seen;
    my $end = time + 5;

    $voice->wait_for(sub {
        my @children = $voice->children('workers');
        $seen{$_} = 1 for @children;
        kill 'KILL', @children;
        return time > $end;
    }, 10);

    # after 0.2, 0.4, 0.8, 1.6 and 3.2 seconds
    cmp_ok(scalar keys %seen, '<=', 12 * 6,
           'a child that dies at once is started later and later');
    ok(settled(12), 'and yet again');
}


sub stopped_child {
    my ($child) = $voice->children('workers');

    kill 'STOP', $child;
    ok($voice->wait_for(sub { logged(qr/\($child\) is killed: it is stopped/)
                        }, 30), 'a child that was stopped is killed');
    ok(settled(12), 'and replaced');
}


sub redis_lost {
    $voice->redis('FLUSHALL');

    ok($voice->wait_for(sub {
        my $groups = eval { $voice->redis('XINFO', 'GROUPS',
                                          'voice:queue:validation') };
        return ref $groups && @$groups == 1;
    }, 30), 'a group that Redis lost is made again');
}


# Its input cannot be had, so each attempt fails.
sub failing_job {
    $voice->tenant('acme');
    $voice->sql("insert into core.job (tenant_id, kind, queue, args) select"
                . " id, 'validation', 'validation', json_build_object("
                . "'execution_id', core.uuid_v7()) from core.tenant limit 1");

    ok($voice->wait_for(sub {
        $voice->sql('select state from core.job') eq 'dead' }, 60),
       'a job that fails each time is dead in the end');
    is($voice->sql('select attempt from core.job'), 3,
       'after as many attempts as its kind allows');
    my ($line) = grep { $_->{message} =~ /^job\.finished: retry/ } lines();
    is($line->{kind}, 'validation', 'its lines name the kind');
    is($line->{attempt}, 1, 'the attempt');
    ok(defined $line->{run_ms}, 'and how long it took');
}


sub log_reopened {
    rename $log, "$log.1";
    kill 'USR1', $voice->pid('workers');
    ok($voice->wait_for(sub { -e $log }, 20), 'USR1 opens the log again');

    my ($child) = $voice->children('workers');
    kill 'KILL', $child;
    ok($voice->wait_for(sub { logged(qr/\($child\) died/) }, 20),
       'what is said after it stands in the new file');
    ok(settled(12), 'all children are back');
}


sub broken_reload {
    my @before = sort $voice->children('workers');
    my $good = Voice::slurp($config);

    Voice::spew($config, "$good\nnonsense = 1\n");
    kill 'HUP', $voice->pid('workers');
    ok($voice->wait_for(sub {
        logged(qr/reload is refused.*unknown setting "nonsense"/) }, 20),
       'a broken file is refused and told');
    is_deeply([sort $voice->children('workers')], \@before,
              'no child was touched');
    Voice::spew($config, $good);
}


sub good_reload {
    my %before = map { $_ => 1 } $voice->children('workers');
    my $good = Voice::slurp($config);

    Voice::spew($config, $good =~ s/^queue validation = 2/queue validation = 1/mr);
    kill 'HUP', $voice->pid('workers');
    ok($voice->wait_for(sub {
        my @now = $voice->children('workers');
        return @now == 11 && !grep { $before{$_} } @now;
    }, 60), 'a good file replaces all children and drops what is not wanted');

    Voice::spew($config, $good);
    kill 'HUP', $voice->pid('workers');
    ok($voice->wait_for(sub { $voice->children('workers') == 12 }, 60),
       'and adds what is wanted again');
}


# Another pool beside: refused with the same pid file, standing by without.
sub second_pool {
    my $own = Voice::slurp($config);

    $own =~ s/^log_file = .*/log_file =/m;
    $own =~ s/^agent_listen = .*/agent_listen = 0/m;
    like(pool($own), qr/another pool holds it/,
         'a pool does not start beside one with the same pid file');
}


sub kinds {
    my $own = Voice::slurp($config);

    $own =~ s/^log_file = .*/log_file =/m;
    $own =~ s/^pid_file = .*/pid_file =/m;
    $own =~ s/^agent_listen = .*/agent_listen = 0/m;

    $voice->sql("insert into core.job_kind values"
                . " ('fortune', 'validation', 1, 2, 1, 1, 1)");
    like(pool($own), qr/"fortune\\" is in the database and not in this/,
         'a kind that only SQL knows is named, and the pool refuses');
    $voice->sql("delete from core.job_kind where kind = 'fortune'");

    $voice->sql("delete from core.job_kind_change"
                . " where kind = 'test_execution';"
                . "update core.job_kind set kind = 'execution'"
                . " where kind = 'test_execution'");
    like(pool($own), qr/"test_execution\\" is in this program and not in/,
         'so is one that only the pool knows');
    $voice->sql("update core.job_kind set kind = 'test_execution'"
                . " where kind = 'execution';"
                . "insert into core.job_kind_change (kind)"
                . " values ('test_execution')");
}


sub graceful_stop {
    my @all = ($voice->pid('workers'), $voice->children('workers'));

    kill 'TERM', $all[0];
    ok($voice->wait_for(sub { !grep { Voice::alive($_) } @all }, 30),
       'TERM ends all processes');
    ok(logged(qr/the pool has stopped/), 'and says so');
    my ($pool) = map { $_->{worker} } lines();
    is(join(' ', map { $_->{status} } grep { $_->{name} eq $pool }
            @{$voice->call('workers_health')->{json}{workers}}), 'offline',
       'also to the others, at once');
    is(-s "$data/run/workers.pid", 0, 'the pid file is empty then');

    my $output = $voice->stack('start', 'workers');
    is($?, 0, 'the pool starts again') or diag($output);
}


# Runs a pool that is to refuse; what it said.
sub pool {
    my ($text) = @_;

    Voice::spew("$data/etc/other.conf", $text);
    open my $out, '-|', 'sh', '-c', 'exec timeout 30 "$0" "$@" 2>&1',
        "$voice->{build}/voicegate-worker", '--config',
        "$data/etc/other.conf" or die "sh: $!";
    my $said = join '', <$out>;
    close $out;
    is($? >> 8, 1, 'its exit status is 1');

    return $said;
}


sub settled {
    my ($count) = @_;

    return $voice->wait_for(sub {
        $voice->children('workers') == $count }, 30);
}


sub lines {
    return map { $json->decode($_) } grep { /\S/ }
        split /\n/, Voice::slurp($log);
}


sub logged {
    my ($pattern) = @_;

    return -e $log && grep { $_->{message} =~ $pattern } lines();
}
