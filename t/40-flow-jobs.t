#!/usr/bin/perl

# Jobs through the whole house: made over HTTP and in SQL, woken by Redis, run
# by a pool, followed by the jobs that they cause.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start(workers => 1);
my $owner = $voice->tenant('acme');
my $root = $voice->person('platform', 'platform_admin');
my $under = "core.use_tenant('$owner->{tenant_id}', null, 'system', null,
                             'flow')";

probe();
trace();
dead_letters();
cancelled();
chain_in_group();
pauses();
metrics();

$voice->finish;


sub probe {
    my $job = ended(send_probe(work_ms => 1));

    is($job->{state}, 'done', 'a probe comes back');
    ok($job->{result}, 'with a result');
    is("$job->{attempt} $job->{lost} $job->{deferred}", '1 0 0',
       'in one attempt');
    my $health = $voice->call('workers_health')->{json};
    is($health->{status}, 'healthy', 'the workers are healthy');
    is($job->{worker}, $health->{workers}[0]{name}, 'and one has done it');
}


# The request's trace is the job's.
sub trace {
    my $id = '0af7651916cd43dd8448eb211c80319c';
    my $made = $voice->call('probe_jobs', as => $owner, body => {},
        headers => { traceparent => "00-$id-b7ad6b7169203331-01" });
    my $job = ended($made->{json}{data}{id});

    is($job->{trace_id}, $id, 'a job belongs to the trace of its request');
    is($voice->call('list_jobs', as => $owner, query => { trace_id => $id })
             ->{json}{data}[0]{id}, $job->{id}, 'and is found by it');
}


sub dead_letters {
    my $job = ended(send_probe(fail => 'dead'));

    is($job->{state}, 'dead', 'a probe that fails for good is dead');
    is_deeply([map { $_->{outcome} } @{$job->{attempts}}], ['dead'],
              'its attempt is kept');
    ok($job->{error}, 'with the reason');
    is($voice->call('list_dead_jobs', as => $owner)->{json}{data}[0]{id},
       $job->{id}, 'it is a dead letter');

    $voice->sql("update core.job set args = '{}' where id = '$job->{id}'");
    $voice->call('requeue_dead_jobs', as => $owner, body => {});
    is(ended($job->{id})->{state}, 'done', 'queued again it is done');
    is(show($job->{id})->{attempts}[0]{outcome}, 'dead',
       'its past is still known');
}


# The process that runs it is asked to end, and takes the next one.
sub cancelled {
    my $id = send_probe(work_ms => 10000);

    ok($voice->wait_for(sub { show($id)->{state} eq 'running' }, 60),
       'a long probe runs');
    is($voice->call('cancel_job', as => $owner, path => { id => $id })
             ->{json}{data}{state}, 'cancelled', 'and is cancelled');
    is(ended(send_probe())->{state}, 'done', 'the pool works on');
    is(show($id)->{state}, 'cancelled', 'what was cancelled stays so');
}


# Each step, and then the finalizer, is added by the end of a job in the pool.
sub chain_in_group {
    my $group = $voice->sql("select core.open_group('probe',
                                '{\"final\": true}') from $under");
    $voice->sql("select core.add_jobs('probe', array_fill('{}'::jsonb,
               array[20]), p_group => '$group') from $under;
        select core.add_chain('[{\"kind\": \"probe\"},
            {\"kind\": \"probe\", \"take\": \"before\"},
            {\"kind\": \"probe\", \"take\": \"before\"}]', null, 5, '$group')
          from $under;
        select core.close_group('$group') from $under");

    my $final = $voice->wait_for(sub {
        return $voice->sql("select finalizer_id from core.job_group
                             where id = '$group'");
    }, 60);
    ok($final, 'a group of probes and a chain ends');

    my $job = ended($final);
    is("$job->{state} $job->{args}{group}{done}", 'done 23',
       'its finalizer runs after all of them');
    is($voice->sql("select count(*) from core.job where group_id = '$group'
                       and args #> '{before}' is not null"), 2,
       'each step has the result of the one before');
    is($voice->sql("select count(*) from core.job
                     where args ? 'final'"), 1, 'there is one finalizer');
}


sub pauses {
    $voice->call('pause_queue', as => $root, path => { name => 'probe' });
    my $id = send_probe();
    my $other = $voice->sql('select clock_timestamp()');
    ok($voice->wait_for(sub {
        return $voice->sql("select count(*) > 0 from core.worker
            where beat_at > '$other'") eq 't';
    }, 60), 'a paused queue lives on');
    is(show($id)->{state}, 'queued', 'and nothing of it is run');
    $voice->call('resume_queue', as => $root, path => { name => 'probe' });
    is(ended($id)->{state}, 'done', 'until it goes on');
}


# The keeper of the pool adds up what has ended, half a minute ago at least: as
# all of it has while nobody looked.
sub metrics {
    my $figures = '';

    $voice->stack('stop', 'workers');
    $voice->sql(<<'SQL');
update core.job j set ended_at = j.ended_at - interval '1 minute'
  from core.job_tally a where j.ended_at >= a.told_at;
update core.job_tally set told_at = greatest(told_at - interval '1 minute',
    (select min(ended_at) from core.job) - interval '1 second');
SQL
    $voice->stack('start', 'workers');
    ok($voice->wait_for(sub {
        $figures = $voice->request('GET', '/metrics')->{content};
        return $figures =~ /^job_run_seconds_count\{kind="probe"/m
            && $figures =~ /^job_attempts_total\{kind="probe",.*dead"\} 1$/m;
    }, 120), 'the keeper tells what has ended')
        or diag($figures =~ /^(jobs?_.*)$/mg);
    like($figures, qr/^jobs_dead_total\{kind="probe"\} 1$/m,
         'and what was given up');
}


# --- small things ---------------------------------------------------------

sub send_probe {
    my (%body) = @_;

    my $made = $voice->call('probe_jobs', as => $owner, body => \%body);

    return $made->{json}{data}{id} // die $made->{content};
}


sub show {
    my ($id) = @_;

    return $voice->call('get_job', as => $owner, path => { id => $id })
        ->{json}{data};
}


sub ended {
    my ($id) = @_;

    my $job;
    $voice->wait_for(sub {
        $job = show($id);
        return $job->{state} =~ /^(?:done|dead|cancelled)$/;
    }, 60);

    return $job;
}
