package Voice::Kill;

# kill -9 of what a stack consists of; what was a service is started again.

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

use Voice;

our @EXPORT = qw(kill_child kill_service pass_time);


# One of the processes of nginx or workers, whose parent starts another.
sub kill_child {
    my ($voice, $service) = @_;

    my $pid = $voice->wait_for(sub {
        my @children = $voice->children($service);
        return $children[int rand @children];
    }, 30) or return 0;

    return kill 'KILL', $pid;
}


sub kill_service {
    my ($voice, $service, $lose) = @_;

    my $pid = $voice->pid($service) or return 0;
    my @children = $voice->children($service);

    kill 'KILL', $pid or return 0;
    # PostgreSQL's backends see by themselves that their master is gone.
    $voice->wait_for(sub { !grep { Voice::alive($_) } $pid, @children }, 30);

    if ($lose) {
        system('rm', '-rf', "$voice->{stack}{data}/run/appendonlydir");
    }
    my $output = $voice->stack('start', $service);

    return $? == 0 || do { diag($output); 0 };
}


# What those who were killed held is as old as it has to be for others to take
# it: the leases of pools that are gone, and what children had read of queues.
sub pass_time {
    my ($voice, @queues) = @_;

    my $pid = $voice->pid('workers');
    $voice->sql("update core.job set lease_until = now() where"
                . " state = 'running' and worker not like '%:$pid'");

    for my $stream (map { "voice:queue:$_" } @queues) {
        my $read = $voice->redis('XPENDING', $stream, 'workers', '-', '+',
                                 1000);
        $voice->redis('XCLAIM', $stream, 'workers', $_->[1], 0, $_->[0],
                      'IDLE', 60_000, 'JUSTID') for @$read;
    }
}


1;
