#!/usr/bin/perl

# An object store that cannot be written, and a job that kills who runs it:
# the first is waited out, the second keeps nobody else from the queue.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Demo;

my $voice = Voice->start(workers => 1);
my $owner = $voice->tenant('acme');
my $suite = Voice::Demo::suite($voice, $owner, 1);
my ($store) = Voice::slurp("$voice->{stack}{data}/etc/workers.conf")
              =~ /^object_dir = (\S+)/m;

unwritable();
poison();

# the keeper leaves the entries of the dead a minute
$voice->redis('FLUSHALL');
$voice->finish;


sub unwritable {
    rename $store, "$store.away" or die "$store: $!";
    Voice::spew($store, 'in the way');

    my $run = run();
    ok($voice->wait_for(sub {
        $voice->sql('select error from core.job') eq 'the object store failed'
    }, 60), 'a store that cannot be written fails the job');
    is($voice->sql('select state from core.job'), 'queued',
       'which is tried again');
    cmp_ok($voice->sql('select run_at - now() > interval \'10 seconds\''
                       . ' from core.job'), 'eq', 't', 'but not at once');

    unlink $store;
    rename "$store.away", $store or die "$store: $!";
    $voice->sql('update core.job set run_at = now()');

    my $end = $voice->wait_run($owner, $run);
    is($end->{status}, 'completed', 'when it is back the run goes on');
    is($end->{passed_tests}, 1, 'and is passed');
}


# Whoever runs it dies of a signal that is nobody else's doing.
sub poison {
    # each death makes the next child wait twice as long
    $voice->sql("update core.job_kind set max_lost = 4"
                . " where kind = 'test_execution'");
    my $bad = run();

    ok($voice->wait_for(sub {
        my $state = $voice->sql('select coalesce(max(state), \'\') from'
            . " core.job where subject_id = '$bad' and state in ('running',"
            . " 'dead')");
        if ($state eq 'running') {
            kill 'USR2', $voice->children('workers');
        }
        return $state eq 'dead';
    }, 120), 'a job that kills its children is dead in the end');
    is($voice->sql('select lost, attempt - lost from core.job'
                   . " where state = 'dead'"), '4|0',
       'after as many as its kind allows, and none was an attempt');
    is($voice->wait_run($owner, $bad)->{error_tests}, 1,
       'its execution is an error');

    is($voice->wait_run($owner, run(), 60)->{status}, 'completed',
       'and the next one is run');
}


sub run {
    return $voice->call('create_test_run', as => $owner,
        body => { suite_id => $suite })->{json}{data}{id};
}
