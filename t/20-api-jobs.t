#!/usr/bin/perl

# Jobs over HTTP: what their tenants and the platform's operators see, and what
# they do with them.

# covers: list_dead_jobs

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Drill;

my $nobody = '00000000-0000-7000-8000-000000000000';
my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $rival = $voice->tenant('rival');
my $root = $voice->person('platform', 'platform_admin');

drill($voice);

lists();
detail();
cancel_and_retry();
other_tenants();
dead_letters();
probe();
roles();

$voice->finish;


# --- jobs -----------------------------------------------------------------

sub lists {
    my $group = $voice->sql("select core.open_group() from "
        . under($owner));
    my %job = (
        first  => add($owner, priority => 1),
        second => add($owner, priority => 9, group => $group),
        later  => add($owner, run_at => "now() + interval '1 hour'",
                      subject => $owner->{user_id}),
        done   => add($owner),
        dead   => dead($owner),
    );
    my %name = reverse %job;
    $voice->sql("update core.job set created_at = now() + case id
            when '$job{first}' then interval '1 s'
            when '$job{second}' then interval '2 s'
            when '$job{later}' then interval '3 s'
            when '$job{done}' then interval '4 s' else '5 s' end;
        update core.job set state = 'done', ended_at = now()
         where id = '$job{done}'");

    my $shown = sub {
        my ($query, $names, $what) = @_;
        my $list = $voice->call('list_jobs', as => $owner, query => $query);
        is(join(' ', map { $name{$_->{id}} // $_->{id} }
                @{$list->{json}{data}}), $names, $what);
    };

    $shown->({}, 'dead done later second first',
             'a tenant sees its jobs, the newest first');
    $shown->({ sort => 'created_at' }, 'first second later done dead',
             'or the oldest');
    $shown->({ sort => '-priority', state => 'queued' },
             'second later first', 'or by priority');
    $shown->({ sort => 'ended_at', page_size => 2 }, 'dead done',
             'or by their end');
    $shown->({ state => 'queued' }, 'later second first',
             'those that wait');
    $shown->({ state => 'done' }, 'done', 'those that are done');
    $shown->({ state => 'dead' }, 'dead', 'those that are dead');
    $shown->({ state => 'running' }, '', 'those that run');
    $shown->({ kind => 'drill', page_size => 1, page => 2 }, 'done',
             "a kind's, by pages");
    $shown->({ kind => 'probe' }, '', "no other kind's");
    $shown->({ queue => 'drill', sort => 'run_at', page_size => 1,
               page => 5 }, 'later', "a queue's");
    $shown->({ queue => 'probe' }, '', "no other queue's");
    $shown->({ subject_id => $owner->{user_id} }, 'later', "a subject's");
    $shown->({ group_id => $group }, 'second', "a group's");
    $shown->({ trace_id => 'drill' }, 'dead done later second first',
             "a trace's");
    $shown->({ created_from => '2999-01-01T00:00:00Z' }, '',
             'none is from the future');
    $shown->({ created_to => '2999-01-01T00:00:00Z', state => 'done' },
             'done', 'all are from before it');
    refuses_queries($voice, $owner, 'list_jobs', '/query/state',
                    { state => 'lost' });
    refuses_queries($voice, $owner, 'list_jobs', '/query/created_from',
                    { created_from => 'yesterday' });
    is($voice->call('list_jobs', as => $owner)
             ->{json}{pagination}{total_items}, 5, 'they are counted');
}


sub detail {
    my $id = add($owner, args => '{"name": "x"}');
    my ($token) = take($id);
    $voice->sql("select work.progress('$id', $token, 0.25, 'a quarter')");

    my $job = show($owner, $id);
    is("$job->{state} $job->{progress} $job->{progress_text}",
       'running 0.25 a quarter', 'one that runs tells how far it is');
    is("$job->{attempt}/$job->{max_attempts} $job->{worker}", '1/3 test',
       'in which attempt, and where');
    is_deeply($job->{args}, { name => 'x' }, 'and what it was made with');

    $voice->sql("select work.fail('$id', $token, 'no luck', true, 0)");
    $job = show($owner, $id);
    is("$job->{state} $job->{error}", 'queued no luck',
       'one that failed tells why');
    is_deeply([map { "$_->{number} $_->{outcome} $_->{error}" }
               @{$job->{attempts}}], ['1 retried no luck'],
              'and lists its attempts');

    ($token) = take($id);
    $voice->sql("select * from work.finish(array['$id'::uuid],
        array[$token]::bigint[], array['{\"y\": 2}'::jsonb])");
    $job = show($owner, $id);
    is_deeply([$job->{state}, $job->{result}, $job->{progress}],
              ['done', { y => 2 }, 1], 'one that is done has a result');

    for my $name (qw(get_job retry_job cancel_job)) {
        is($voice->call($name, as => $owner, path => { id => $nobody })
                 ->{status}, 404, "$name of none is 404");
    }
}


sub cancel_and_retry {
    my $id = add($owner);
    my %path = (as => $owner, path => { id => $id });

    is($voice->call('retry_job', %path)->{status}, 409,
       'a job that waits is not queued again');
    is($voice->call('cancel_job', %path)->{json}{data}{state}, 'cancelled',
       'but it is cancelled');
    my $again = $voice->call('cancel_job', %path);
    is("$again->{status} $again->{json}{error}{code}", '409 INVALID_STATE',
       'once');
    my $before = wakes();
    is($voice->call('retry_job', %path)->{json}{data}{state}, 'queued',
       'one that was cancelled is queued again');
    ok(woken($before), 'and its queue is woken');

    my ($token) = take($id);
    is($voice->call('cancel_job', %path)->{json}{data}{state}, 'cancelled',
       'one that runs is cancelled, too');
    is($voice->sql("select accepted from work.finish(array['$id'::uuid],
           array[$token]::bigint[], array[null::jsonb])"), 'f',
       'what it still does counts no more');
    is($voice->sql("select string_agg(action, ' ' order by seq) from
           core.audit_log where resource_id = '$id'"),
       'job.cancelled job.retried job.cancelled', 'all that is audited');

    # a run's jobs are cancelled and repeated with the run
    my $run = run();
    my $job = $voice->call('list_jobs', as => $owner,
        query => { subject_id => $run })->{json}{data}[0]{id};
    my $reply = $voice->call('cancel_job', as => $owner,
                             path => { id => $job });
    is($reply->{status}, 409, 'a job of a run is not cancelled alone');
    like($reply->{json}{error}{message}, qr{/test-runs/$run/cancel},
         'and the way is named');
    $voice->call('cancel_test_run', as => $owner, path => { id => $run });
    $reply = $voice->call('retry_job', as => $owner, path => { id => $job });
    is($reply->{status}, 409, 'nor queued again alone');
    like($reply->{json}{error}{message}, qr{/test-runs/$run/retry},
         'and that way is named as well');
}


sub other_tenants {
    my $id = add($rival);

    is($voice->call('get_job', as => $owner, path => { id => $id })
             ->{status}, 404, "another tenant's job is not there");
    for my $tenant ('all', $rival->{tenant_id}) {
        is($voice->call('list_jobs', as => $owner,
                        query => { tenant => $tenant })->{status}, 403,
           'nor may a tenant ask for it');
    }
    is($voice->call('list_jobs', as => $owner, query => {
        tenant => $owner->{tenant_id} })->{status}, 200,
       'his own is no other');
    is($voice->call('get_job', as => $root, path => { id => $id })
             ->{status}, 404, 'an operator has to say that he means it');
    is($voice->call('get_job', as => $root, path => { id => $id },
                    query => { tenant => 'all' })->{json}{data}{tenant_id},
       $rival->{tenant_id}, 'then he sees it');

    lists_by($voice, $root, 'list_jobs', 'id',
        [{ tenant => $rival->{tenant_id} }, $id, "and a tenant's jobs"],
        [{ tenant => $nobody }, '', 'not those of another']);
    my %seen = map { $_->{tenant_id} => 1 } @{$voice->call('list_jobs',
        as => $root, query => { tenant => 'all', page_size => 100 })
        ->{json}{data}};
    ok($seen{$owner->{tenant_id}} && $seen{$rival->{tenant_id}},
       'or those of all');

    is($voice->call('cancel_job', as => $root, path => { id => $id },
                    query => { tenant => 'all' })->{status}, 200,
       'he cancels it');
    is($voice->sql("select tenant_id from core.audit_log
                     where resource_id = '$id'"), $root->{tenant_id},
       'which stands in the log of who did it');
    refuses_queries($voice, $root, 'list_jobs', '/query/tenant',
                    { tenant => 'some' });
}


# --- dead letters ---------------------------------------------------------

sub dead_letters {
    $voice->sql("delete from core.job where state = 'dead'");
    my @dead = map { dead($owner) } 1 .. 4;
    my $theirs = dead($rival);
    $voice->sql("update core.job set ended_at = now() - case id
        when '$dead[0]' then interval '4 h' when '$dead[1]' then '3 h'
        when '$dead[2]' then '2 h' else '1 h' end where state = 'dead'");
    my $kept = add($owner);

    lists_by($voice, $owner, 'list_dead_jobs', 'id',
        [{}, join(' ', reverse @dead), 'who died last comes first'],
        [{ older_than_seconds => 3 * 3600 }, "$dead[1] $dead[0]",
         'or those of some age'],
        [{ kind => 'probe' }, '', 'or of a kind'],
        [{ queue => 'drill', page_size => 1 }, $dead[3], 'or of a queue']);

    my $reply = $voice->call('requeue_dead_jobs', as => $owner,
        body => { older_than_seconds => 7200, limit => 1 });
    is_deeply($reply->{json}{data}, { requeued => 1, skipped => 0 },
              'some are queued again');
    is(show($owner, $dead[0])->{state}, 'queued', 'the oldest first');
    $reply = $voice->call('requeue_dead_jobs', as => $owner,
        body => { ids => [$dead[3], $theirs, $kept, $nobody] });
    is_deeply($reply->{json}{data}, { requeued => 1, skipped => 0 },
              'by their ids');
    is(show($owner, $dead[3])->{state}, 'queued', 'those that are dead');

    $reply = $voice->call('purge_dead_jobs', as => $owner,
        body => { kind => 'drill', older_than_seconds => 9000 });
    is_deeply($reply->{json}{data}, { purged => 1 }, 'some are deleted');
    is($voice->call('get_job', as => $owner, path => { id => $dead[1] })
             ->{status}, 404, 'for good');
    $reply = $voice->call('purge_dead_jobs', as => $owner, body => {});
    is_deeply($reply->{json}{data}, { purged => 1 }, 'or all');
    is($voice->sql("select count(*) from core.job where state = 'dead'"), 1,
       "but for another tenant's");
    is($voice->call('purge_dead_jobs', as => $owner, body => {},
                    query => { tenant => 'all' })->{status}, 403,
       "which are the operator's to delete");
    is_deeply($voice->call('requeue_dead_jobs', as => $root, body => {},
                           query => { tenant => 'all' })->{json}{data},
              { requeued => 1, skipped => 0 }, 'or to queue again');
    is($voice->sql("select string_agg(action || ' ' || (detail ->>
           'purged'), ', ' order by seq) from core.audit_log
            where action = 'jobs.purged'"), 'jobs.purged 1, jobs.purged 1',
       'that is audited');

    my $run = run();
    $voice->sql("select work.fail(job_id, token, 'x', false, 0)
                   from work.claim('test', 'test_execution', 1)");
    is_deeply($voice->call('requeue_dead_jobs', as => $owner, body => {})
                    ->{json}{data}, { requeued => 0, skipped => 1 },
              'what has ended with its run is passed over');

    refused($voice->call('requeue_dead_jobs', as => $owner, body => {
        limit => 10001 }), '/body/limit', 'more than ten thousand at once');
    refused($voice->call('purge_dead_jobs', as => $owner, body => {
        ids => ['x'] }), '/body/ids/0', 'an id that is none');
}


sub probe {
    my $made = $voice->call('probe_jobs', as => $owner,
                            body => { work_ms => 20, priority => 10 });
    is("$made->{status} $made->{json}{data}{kind} "
       . $made->{json}{data}{priority}, '201 probe 10',
       'a probe is sent round');
    is($made->{headers}{location},
       "/api/v1/jobs/$made->{json}{data}{id}", 'and can be followed');
    is_deeply($made->{json}{data}{args}, { work_ms => 20 },
              'it takes as long as it is told to');
    is($voice->call('probe_jobs', as => $owner)->{status}, 201,
       'also without a word');
    refused($voice->call('probe_jobs', as => $owner,
                         body => { work_ms => 10001 }), '/body/work_ms',
            'one of more than ten seconds');
}


# --- rights ---------------------------------------------------------------

sub roles {
    my $admin = $voice->person('acme', 'admin');
    my $supervisor = $voice->person('acme', 'supervisor');

    is($voice->call('list_jobs', as => $admin)->{status}, 200,
       'an admin sees jobs');
    is($voice->call('list_jobs', as => $supervisor)->{status}, 403,
       'a supervisor does not');
    is($voice->call($_, as => $owner)->{status}, 403,
       "$_ is the platform's") for qw(list_queues list_workers);
}


# --- small things ---------------------------------------------------------

sub show {
    my ($person, $id) = @_;

    return $voice->call('get_job', as => $person, path => { id => $id })
        ->{json}{data};
}


my $cases = 0;

sub run {
    my $case = $voice->call('create_test_case', as => $owner, body => {
        name => 'Case ' . ++$cases, languages => [
            { language_code => 'en', input_text => 'hello' }] })
        ->{json}{data}{id};

    return $voice->call('create_test_run', as => $owner, body => {
        test_case_ids => [$case] })->{json}{data}{id};
}
