#!/usr/bin/perl

# Settings of a kind that an operator changes: the pool that runs obeys them
# from the next job on.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start(workers => 1, settings => { 'queue probe' => 3 });
my $tenant = $voice->tenant('acme')->{tenant_id};
my $root = $voice->person('platform', 'platform_admin');

my @none = add(6, '{}');
ok(ended(@none), 'jobs run')
    or diag(Voice::slurp("$voice->{stack}{log}/workers.log"));
cmp_ok(of('count(distinct claimed_at)', @none), '<', 6,
       'some of them are taken together');
my @before = $voice->children('workers');

cap();
rate();
attempts();
limit();

is(join(' ', $voice->children('workers')), "@before",
   'all by the processes that there were');
$voice->finish;


# Three children, and one job at a time.
sub cap {
    set(running_max => 1);
    my @jobs = add(6, '{}');

    ok(ended(@jobs), 'under a cap all jobs run');
    is(of('count(distinct claimed_at)', @jobs), 6, 'each is taken alone');

    set(running_max => undef);
    @jobs = add(6, '{}');
    ended(@jobs);
    cmp_ok(of('count(distinct claimed_at)', @jobs), '<', 6,
           'without it they are taken together again');
}


sub rate {
    set(rate => 0.001);
    my @jobs = add(2, '{}');

    ok($voice->wait_for(sub { of("count(*) filter (where state = 'done')",
                                 @jobs) == 1 }, 30),
       'one in a thousand seconds runs');
    set(rate => 1000);
    ok(ended(@jobs), 'the other one when that is enough');
    set(rate => undef);
}


sub attempts {
    for my $most (1, 2) {
        set(max_attempts => $most, backoff_seconds => 1, backoff_max => 1);
        my @jobs = add(1, '{"fail": "retry"}');
        ok(ended(@jobs), 'a job fails');
        is(of("state || ' ' || attempt", @jobs), "dead $most",
           "and is given up after $most");
    }
}


sub limit {
    set(soft_seconds => 1, max_attempts => 1);
    my @jobs = add(1, '{"work_ms": 10000}');

    ok(ended(@jobs), 'a job ends at another limit');
    like(of('error', @jobs), qr/longer than it may/, 'and says why');
}


# --- small things ---------------------------------------------------------

sub set {
    my (%settings) = @_;

    my $reply = $voice->call('update_job_kind', as => $root,
        path => { kind => 'probe' }, body => \%settings);
    is($reply->{status}, 200, 'an operator sets ' . join ', ', map {
        "$_ " . ($settings{$_} // 'back') } sort keys %settings)
        or diag($reply->{content});
}


# Seen by the workers all at once.
sub add {
    my ($count, $args) = @_;

    my @jobs = split /\n/, $voice->sql("insert into core.job (tenant_id, kind,
            queue, args, sent_at)
        select '$tenant', 'probe', 'probe', '$args', now()
          from generate_series(1, $count) returning id");
    $voice->redis('XADD', 'voice:queue:probe', '*', 'wake', '1') for @jobs;

    return @jobs;
}


sub ended {
    my (@jobs) = @_;

    return $voice->wait_for(sub {
        of('count(*) filter (where ended_at is null)', @jobs) == 0 }, 60);
}


sub of {
    my ($what, @jobs) = @_;

    return $voice->sql("select $what from core.job where id in ("
                       . join(',', map { "'$_'" } @jobs) . ')');
}
