package Voice::Drill;

# A kind of jobs without rules of its own, for tests of what is done with
# jobs: added, claimed and ended by SQL.

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(drill under add dead take takes wakes woken);

my $voice;


# Makes kind and queue.
sub drill {
    ($voice) = @_;

    $voice->sql(<<'END');
insert into core.queue (name) values ('drill');
insert into core.job_kind (kind, queue, max_attempts, backoff_seconds,
                           backoff_max)
values ('drill', 'drill', 3, 2, 60);
END

    return;
}


# Of a query: puts it under a person's tenant.
sub under {
    my ($person) = @_;

    return "core.use_tenant('$person->{tenant_id}', null, 'system', null, "
        . "'drill')";
}


sub add {
    my ($person, %job) = @_;

    my $subject = $job{subject} ? "'$job{subject}'" : 'null';
    my $group = $job{group} ? "'$job{group}'" : 'null';
    my $args = $job{args} // '{}';

    return $voice->sql("select (core.add_jobs('drill', array['$args'::jsonb],
        $subject, " . ($job{priority} // 5) . ', '
        . ($job{run_at} // 'now()') . ", $group))[1] from "
        . under($person));
}


sub dead {
    my ($person) = @_;

    my $id = add($person);
    $voice->sql("update core.job set state = 'dead', ended_at = now(),
                     error = 'died' where id = '$id'");

    return $id;
}


# Claims that job, whosever turn it is; its token.
sub take {
    my ($id, $worker) = @_;

    $worker //= 'test';

    return $voice->sql("update core.job
           set state = 'running', attempt = attempt + 1, token = token + 1,
               worker = '$worker', claimed_at = now(),
               lease_until = now() + interval '30 s'
         where id = '$id' and state = 'queued' returning token")
        || die "job $id does not wait\n";
}


# How many may be claimed; they are given back.
sub takes {
    return $voice->sql("select count(work.give_back(array[job_id],
        array[token])) from work.take('test', 'drill', 10)");
}


# Wake-ups of the queue so far.
sub wakes {
    return $voice->redis('XLEN', 'voice:queue:drill') // 0;
}


sub woken {
    my ($before) = @_;

    return $voice->wait_for(sub { wakes() > $before }, 10);
}


1;
