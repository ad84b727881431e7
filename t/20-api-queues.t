#!/usr/bin/perl

# Queues, kinds, shares and workers over HTTP, and what /metrics tells of
# jobs.

# covers: pause_queue pause_job_kind

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

queues();
settings();
shares();
workers();
figures();
alerts();

$voice->finish;


# --- queues and workers ---------------------------------------------------

sub queues {
    $voice->sql("delete from core.job where kind = 'drill'");
    add($owner, run_at => "now() - interval '10 s'");
    add($owner, run_at => "now() + interval '1 hour'");
    dead($owner);

    my $queues = $voice->call('list_queues', as => $root)->{json}{data};
    is(join(' ', map { $_->{name} } @$queues),
       join(' ', sort map { $_->{name} } @$queues),
       'queues are listed by their names');
    my ($drill) = grep { $_->{name} eq 'drill' } @$queues;
    my ($kind) = @{$drill->{kinds}};
    is(join(' ', map { "$_=$kind->{$_}" } qw(kind queued due running dead
                                             done_last_hour)),
       'kind=drill queued=2 due=1 running=0 dead=1 done_last_hour=0',
       'with what waits, runs and is dead of each kind');
    cmp_ok($kind->{oldest_due_seconds}, '>=', 10, 'since when');
    is("$kind->{settings}{max_attempts} $kind->{settings}{hard_seconds}",
       '3 1800', 'and how the kind is set');

    for my $row (['queue', { name => 'drill' }],
                 ['job_kind', { kind => 'drill' }])
    {
        my ($what, $path) = @$row;

        my $reply = $voice->call("pause_$what", as => $root, path => $path);
        ok($reply->{json}{data}{paused_at}, "a $what is paused");
        my $since = $reply->{json}{data}{paused_at};
        is($voice->call("pause_$what", as => $root, path => $path)
                 ->{json}{data}{paused_at}, $since, 'once');
        is(takes(), 0, 'nothing of it is claimed');
        my $before = wakes();
        $reply = $voice->call("resume_$what", as => $root, path => $path);
        is($reply->{json}{data}{paused_at}, undef, 'it goes on');
        ok(woken($before), 'its workers are woken');
        is(takes(), 1, 'and work');
        is($voice->call("pause_$what", as => $root, path => {
            map { $_ => 'none' } keys %$path })->{status}, 404,
           "there is no $what that is not there");
    }
    is($voice->call('resume_queue', as => $root, path => {
        name => 'none' })->{status}, 404, 'to resume either');
    is($voice->call('resume_job_kind', as => $root, path => {
        kind => 'none' })->{status}, 404, 'nor a kind');
}


sub settings {
    my %kind = (path => { kind => 'drill' });
    my $kind = $voice->call('get_job_kind', as => $root, %kind);
    my $data = $kind->{json}{data};
    is_deeply([@$data{qw(kind queue version updated_at)}],
              ['drill', 'drill', 1, undef], 'an operator sees a kind');
    is($kind->{headers}{etag}, '"1"', 'with its version');
    is_deeply($data->{settings}, $data->{defaults}, 'as its release has it');

    my $before = wakes();
    my $changed = $voice->call('update_job_kind', as => $root, %kind,
        headers => { 'If-Match' => '"1"' },
        body => { max_attempts => 9, rate => 2.5, backoff => 'linear' });
    is_deeply($changed->{json}{data}{settings}, { %{$data->{settings}},
        max_attempts => 9, rate => 2.5, backoff => 'linear' },
        'and changes what he sends');
    is_deeply($changed->{json}{data}{defaults}, $data->{defaults},
              'of which the defaults are kept');
    is($changed->{headers}{etag}, '"2"', 'it is another version');
    ok(woken($before), 'workers look whether there is more to do');
    is_deeply($voice->call('get_job_kind', as => $root, %kind)->{json}{data},
              $changed->{json}{data}, 'so it stays');
    my ($listed) = map { @{$_->{kinds}} } grep { $_->{name} eq 'drill' }
        @{$voice->call('list_queues', as => $root)->{json}{data}};
    is_deeply($listed->{settings}, $changed->{json}{data}{settings},
              'and is listed');
    is($voice->call('update_job_kind', as => $root, %kind,
        headers => { 'If-Match' => '"1"' }, body => { rate => 1 })->{status},
       412, 'a change of an earlier version is refused');
    is($voice->sql("select l.detail ->> 'max_attempts' from core.audit_log l
                     where l.action = 'job_kind.updated'
                       and l.resource_id = 'drill'
                       and l.actor_id = '$root->{user_id}'"), 9,
       'the log has who changed what');

    refusals(\%kind);
    is_deeply($voice->call('update_job_kind', as => $root, %kind,
        body => { max_attempts => undef, rate => undef, backoff => undef })
        ->{json}{data}{settings}, $data->{defaults}, 'null takes it back');
}


sub refusals {
    my ($kind) = @_;

    my @wrong = map { my $name = $_; map { [$name, $_] } (
        $name eq 'backoff' ? ('cubic', 1) : (-1, 1e12, 'x', [])) }
        sort keys %{$voice->{contract}{components}{schemas}{JobKindSettings}
                    {properties}};
    cmp_ok(scalar @wrong, '>', 60, 'each setting has values that it is not');
    for my $row (@wrong, ['queue', 'probe'], ['paused_at', undef],
                 ['soft_seconds', 1800], ['backoff_max', 1])
    {
        my ($name, $value) = @$row;
        refused($voice->call('update_job_kind', as => $root, %$kind,
                             body => { $name => $value }), "/body/$name",
                "$name = " . ($value // 'null'));
    }
    refused($voice->call('update_job_kind', as => $root, %$kind, body => {}),
            undef, 'no setting');

    is($voice->call('get_job_kind', as => $root, path => {
        kind => 'none' })->{status}, 404, 'there is no kind that is not there');
    is($voice->call('update_job_kind', as => $root, body => { rate => 1 },
        path => { kind => 'none' })->{status}, 404, 'nor to change');
    is($voice->call('get_job_kind', as => $owner, %$kind)->{status}, 403,
       'a tenant does not see a kind');
    is($voice->call('update_job_kind', as => $owner, %$kind,
        body => { rate => 1 })->{status}, 403, 'nor change it');
}


sub shares {
    my %path = (as => $root, path => { id => $rival->{tenant_id} });
    my %kind = (as => $root, path => { id => $rival->{tenant_id},
                                       kind => 'drill' });

    is_deeply($voice->call('list_job_shares_of_tenant', %path)
                    ->{json}{data}, [], 'a tenant has the usual share');
    my $reply = $voice->call('set_job_share_of_tenant', %kind,
                             body => { weight => 3, running_max => 5 });
    is_deeply($reply->{json}{data},
              { kind => 'drill', weight => 3, running_max => 5 },
              'it is given another');
    is_deeply($voice->call('list_job_shares_of_tenant', %path)
                    ->{json}{data}, [$reply->{json}{data}],
              'which is listed');
    is($voice->sql("select weight from core.job_share
                     where tenant_id = '$rival->{tenant_id}'"), 3,
       "and is that tenant's");
    $voice->call('set_job_share_of_tenant', %kind, body => {});
    is_deeply($voice->call('list_job_shares_of_tenant', %path)
                    ->{json}{data}, [], 'nothing said, it is as usual');
    is($voice->call('set_job_share_of_tenant', as => $root, body => {},
        path => { id => $rival->{tenant_id}, kind => 'none' })->{status},
       404, 'there is no share of no kind');
    is($voice->call('list_job_shares_of_tenant', as => $root,
                    path => { id => $nobody })->{status}, 404,
       'nor of no tenant');
    refused($voice->call('set_job_share_of_tenant', %kind,
                         body => { weight => 0 }), '/body/weight',
            'a weight of nothing');
    is($voice->sql("select count(*) from core.audit_log
                     where action = 'job_share.set'"), 2,
       'each change is audited');
}


sub workers {
    $voice->sql('delete from core.worker; delete from core.job');

    my $health = sub {
        my $reply = $voice->call('workers_health');
        is($voice->request('GET', '/api/v1/workers/health')->{status}, 200,
           'by either path');
        return $reply->{json};
    };

    my $none = $health->();
    is("$none->{status} $none->{totals}{workers}", 'critical 0',
       'without a pool the workers are critical');
    is($none->{alerts}[0]{level}, 'critical', 'and it is said why');

    $voice->sql("select count(*) from work.heartbeat('one', '{drill,probe}',
        '{2,1}', '{}', '{}')");
    my $id = add($owner);
    take($id, 'one');
    my $fine = $health->();
    is_deeply([@$fine{qw(status totals alerts)}],
              ['healthy', { workers => 1, online => 1, offline => 0 }, []],
              'with one that beats they are healthy');
    is_deeply($fine->{workers}, [{ name => 'one', status => 'online',
        active_tasks => 1, max_concurrency => 3,
        queues => ['drill', 'probe'] }], 'which is told with what it does');

    my $list = $voice->call('list_workers', as => $root)->{json}{data};
    is_deeply([map { $list->[0]{$_} } qw(name status children)],
              ['one', 'online', { drill => 2, probe => 1 }],
              'an operator sees its children');
    is_deeply($voice->call('list_workers', as => $root,
        query => { status => 'offline' })->{json}{data}, [],
        'and asks for those that are gone');

    $voice->sql("update core.job_kind set paused_at = now()
                  where kind = 'probe';
                 select core.add_job('probe', '{}', null, 5,
                     now() - interval '1 s') from " . under($owner));
    is($health->()->{status}, 'degraded', 'what waits in a pause is told');
    $voice->sql("update core.job_kind set paused_at = null;
        update core.job set run_at = now() - interval '301 s'
         where kind = 'probe'");
    my $late = $health->();
    is($late->{status}, 'degraded', 'and what waits for long');
    like($late->{alerts}[0]{message}, qr/probe has waited/, 'which');
    $voice->sql("delete from core.job where kind = 'probe';
        select core.add_job('validation', '{}') from " . under($owner));
    like($health->()->{alerts}[0]{message}, qr/validation.*nobody serves/,
         'and a queue without workers');
    $voice->sql("delete from core.job where kind = 'validation';
        update core.worker set beat_at = now() - interval '16 s'");
    my $gone = $health->();
    is("$gone->{status} $gone->{totals}{offline}", 'critical 1',
       'a pool that does not beat is offline');
    $voice->sql("select count(*) from work.heartbeat('two', '{drill}',
        '{1}', '{}', '{}')");
    like($health->()->{alerts}[0]{message}, qr/one has not been heard of/,
         'and it is told that it holds a job');
}


# --- figures --------------------------------------------------------------

# Ended jobs are added up by the keeper, by kind and plan.
sub figures {
    $voice->sql("delete from core.job; delete from core.counter
                  where name like 'job%'");
    my @done = map { add($owner) } 1 .. 3;
    my $dead = dead($owner);
    add($owner);
    add($owner, run_at => "now() + interval '1 hour'");
    my $plan = $voice->sql("select plan from core.tenant
                             where id = '$owner->{tenant_id}'");
    my $retried = add($owner);
    my $token = take($retried);
    $voice->sql("select work.fail('$retried', $token, 'x', true, 3600)");
    $voice->sql("update core.job set state = 'done', ended_at = now(),
               run_at = now() - interval '62.5 s',
               claimed_at = now() - interval '2.5 s' where id in ('"
        . join("','", @done) . "');
        update core.job set claimed_at = ended_at - interval '0.25 s'
         where id = '$dead'; select work.tally()");
    unlike(metrics(), qr/^job_run_seconds_count/m, 'late figures are told');

    $voice->sql("update core.job set claimed_at = claimed_at - age,
                     run_at = run_at - age, ended_at = ended_at - age
                   from (select interval '20 s') a (age)
                  where ended_at is not null;
        update core.job_attempt set ended_at = ended_at - interval '20 s';
        update core.job_tally set told_at = now() - interval '30 s';
        select work.tally(); select work.tally();");
    my $metrics = metrics();
    my $class = qq{kind="drill",class="$plan"};

    for my $line (
        qq{jobs{$class,state="queued"} 2}, qq{jobs{$class,state="due"} 1},
        qq{jobs{$class,state="dead"} 1}, 'queue_depth{queue="drill"} 3',
        qq{job_attempts_total{$class,outcome="done"} 3},
        qq{job_attempts_total{$class,outcome="retried"} 1},
        qq{job_run_seconds_bucket{$class,le="0.1"} 0},
        qq{job_run_seconds_bucket{$class,le="1"} 1},
        qq{job_run_seconds_bucket{$class,le="10"} 4},
        qq{job_run_seconds_sum{$class} 7.750},
        qq{job_run_seconds_count{$class} 4},
        qq{job_wait_seconds_bucket{$class,le="10"} 0},
        qq{job_wait_seconds_bucket{$class,le="60"} 3},
        qq{job_wait_seconds_sum{$class} 180.000},
        'jobs_retried_total{kind="drill"} 1',
        'jobs_rescued_total{kind="drill"} 0')
    {
        like($metrics, qr/^\Q$line\E$/m, "figures tell $line");
    }

    is(lint($metrics), '', 'and promtool has nothing to say');

    add($owner);
    like(metrics(), qr/^queue_depth\{queue="drill"\} 3$/m,
         'a scrape does not count what the keeper has counted');
    $voice->sql("update core.job_tally set
                     counted_at = now() - interval '121 s'");
    like(metrics(), qr/^queue_depth\{queue="drill"\} 4$/m,
         'but where he has not for long');
}


sub metrics {
    return $voice->request('GET', '/metrics')->{content};
}


sub lint {
    my ($metrics) = @_;

    Voice::spew("$voice->{dir}/metrics", $metrics);

    return scalar `promtool check metrics < $voice->{dir}/metrics 2>&1`;
}


sub alerts {
    my $said = `promtool test rules $Voice::ROOT/t/prometheus/alerts.yml 2>&1`;
    is($?, 0, 'alerts come when they should, and only then') or diag($said);

    my $metrics = metrics();
    my $rules = Voice::slurp("$Voice::ROOT/conf/prometheus/alerts.yml");
    my %used = map { $_ => 1 }
        map { /([a-z_]{8,})(?=[\[)])/g } $rules =~ /^ *expr: (.*)$/mg;
    cmp_ok(scalar keys %used, '==', 7, 'they look at seven figures');
    like($metrics, qr/^# TYPE $_ /m, "$_ is told") for sort keys %used;
}
