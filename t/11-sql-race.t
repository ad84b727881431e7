#!/usr/bin/perl

# Sessions that work on the same run at the same time: it ends once, its
# counters stay right, nobody deadlocks.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Voice::Sessions;
use Voice::Sql;

use constant WORKERS => 4;
use constant CASES   => 60;
use constant GATE    => 10;      # jobs of a worker before the cancel

Voice::Sql::start() or exit 0;

my $setup = "\\i $Voice::Sql::ROOT/t/sql/setup/tenants.sql\n";

last_two_end_the_run_once();
many_workers_and_a_cancel();

done_testing();


# Two sessions hold the last two validations of a run; the second one has to
# wait for the first one's commit, and then ends the run.
sub last_two_end_the_run_once {
    query("$setup select pg_temp.suite(2); select pg_temp.run('run');
           select pg_temp.speak(); select pg_temp.speak();");
    my @jobs = map { [split /\|/] } split /\n/, query(
        "select job_id, token from work.claim('race', 'validation', 1);" x 2);
    is(scalar @jobs, 2, 'two validations are claimed');

    my ($first, $second) = (session(), session());

    say_to($first, 'begin;', finish($jobs[0]), '\echo done');
    like(hear($first), qr/done/, 'the first session has finished its job');

    say_to($second, finish($jobs[1]), '\echo done');
    ok(wait_for("select 1 from pg_stat_activity
                  where wait_event_type = 'Lock'"),
       'the second session waits for the first one');

    say_to($first, 'commit;');
    hear_end($first);
    like(hear($second), qr/done/, 'then it goes on');
    hear_end($second);

    is(query("select status from core.test_run"), 'completed',
       'the run has ended');
    is(query("select count(*) from core.event
               where type = 'test_run.completed'"), 1, 'it ended once');
}


# Workers claim, start, finish and fail at random while the run that they
# work on is cancelled; two more runs follow.
sub many_workers_and_a_cancel {
    my $cases = CASES;

    my $tenant = '00000000-0000-7000-8000-00000000000a';
    my $enter = "api.enter('$tenant', '00000000-0000-7000-8000-0000000000aa',
        'api_key', 'admin', null, 'race', null)";
    my $suite = query("select data ->> 'id' from api.create_test_suite($enter,
        '{\"name\": \"Race\"}')");
    query("select count(api.create_test_case($enter, jsonb_build_object(
               'name', i::text, 'suite_id', '$suite', 'languages',
               '[{\"language_code\": \"en-US\",
                  \"input_text\": \"go\"}]'::jsonb)))
             from generate_series(1, $cases) i");
    my @runs = map { query("select data ->> 'id' from api.create_test_run(
        $enter, '{\"suite_id\": \"$suite\"}')") } 1 .. 3;

    my $cancel = session();
    my @workers = map { session() } 1 .. WORKERS;

    # the first run is far from its end when all workers have come so far
    say_to($cancel, 'select pg_advisory_lock(1);', '\echo done');
    hear($cancel);
    say_to($_, worker_loop(), '\echo done') for @workers;
    ok(wait_for("select 1 from pg_stat_activity where wait_event = 'advisory'
                 having count(*) = " . WORKERS), 'workers are at work');

    say_to($cancel, 'select pg_advisory_unlock(1);',
           "select data ->> 'status' from api.cancel_test_run($enter,
                '{\"id\": \"$runs[0]\"}');", '\echo done');
    like(hear($cancel), qr/^cancelled$/m, 'a run is cancelled under them');
    hear_end($cancel);
    for my $worker (@workers) {
        like(hear($worker), qr/^done/m, 'a worker meets no error');
        hear_end($worker);
    }

    check_run($enter, $_) for @runs;
    is(query("select status from core.test_run where id = '$runs[0]'"),
       'cancelled', 'the cancelled run stays cancelled');
    is(query("select count(*) from core.job
               where state in ('queued', 'running')"), 0, 'no job is left');
}


sub check_run {
    my ($enter, $id) = @_;

    is(query("select (data ->> 'passed_tests')::int
                   + (data ->> 'failed_tests')::int
                   + (data ->> 'skipped_tests')::int
                   + (data ->> 'pending_validation')::int
                from api.get_test_run($enter, '{\"id\": \"$id\"}')"),
       CASES, 'every execution of a run is counted once');
    is(query("select count(*) from core.event where subject_id = '$id'
                 and type in ('test_run.completed', 'test_run.failed',
                              'test_run.cancelled')"),
       1, 'the run ended once');
}


# SQL that ends a validation.
sub finish {
    my ($job) = @_;

    return "select accepted from work.finish_validation('$job->[0]',
        $job->[1], '{\"decision\": \"auto_pass\",
                     \"confidence_score\": 1}');";
}


# Works until no job is left, waiting once at the gate; one in eight jobs
# fails for good.
sub worker_loop {
    my $gate = GATE;

    return <<'SQL' =~ s/GATE/$gate/r;
do $$
declare
    q     text;
    c     record;
    n     int := 1;
    done  int := 0;
begin
    while n > 0 loop
        n := 0;
        foreach q in array array['test_execution', 'validation'] loop
            for c in select * from work.claim('race', q, 1) loop
                n := n + 1;
                done := done + 1;
                commit;
                if done = GATE then
                    perform pg_advisory_xact_lock_shared(1);
                    commit;
                end if;
                if random() < 0.125 then
                    perform work.fail(c.job_id, c.token, 'bad luck', false,
                                      0);
                elsif q = 'test_execution' then
                    begin
                        perform work.start_test_execution(c.job_id, c.token);
                    exception when sqlstate 'V1409' then
                        continue;          -- cancelled
                    end;
                    perform work.finish_test_execution(c.job_id, c.token,
                        '{"response_text": "going"}');
                else
                    perform work.finish_validation(c.job_id, c.token,
                        '{"decision": "auto_pass", "confidence_score": 1}');
                end if;
                commit;
            end loop;
        end loop;
        n := (select count(*) from core.job where state = 'queued');
        commit;
    end loop;
end
$$;
SQL
}
