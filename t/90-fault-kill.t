#!/usr/bin/perl

# kill -9 of everything while runs go on: no acknowledged run is lost, no
# execution counts twice, all runs end.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Demo;
use Voice::Kill;

my $kills = $ENV{VOICE_TEST_LONG} ? 100 : 20;

my $voice = Voice->start(processes => 2, workers => 2);
my $owner = $voice->tenant('acme');
my $suite = Voice::Demo::suite($voice, $owner, 1);

my %victims = (
    worker     => sub { kill_child($voice, 'workers') },
    nginx      => sub { kill_child($voice, 'nginx') },
    postgres   => sub { kill_service($voice, 'postgres') },
    redis      => sub { kill_service($voice, 'redis') },
    empty      => sub { kill_service($voice, 'redis', 1) },
    supervisor => sub { kill_service($voice, 'workers') },
);
my @order = qw(worker nginx redis worker postgres supervisor empty);

my (@runs, $done);

for my $round (0 .. $kills - 1) {
    push @runs, start_run();
    $done++ if $victims{$order[$round % @order]}->($round);
}

is($done, $kills, "$kills processes were killed");

pass_time($voice);
my @states = map { ended($_) } @runs;

is(scalar(grep { $_->{status} !~ /^(?:completed|failed)$/ } @states), 0,
   'every acknowledged run ends');
is(scalar(grep { $_->{total_tests} != $_->{passed_tests}
                 + $_->{failed_tests} + $_->{skipped_tests}
                 + $_->{pending_validation} } @states), 0,
   'the counters of each run add up');
is($voice->sql('select count(*) from (select execution_id from'
               . ' core.validation_result group by execution_id'
               . ' having count(*) > 1) twice'), 0,
   'no execution was judged twice');
is($voice->sql("select count(*) from (select subject_id from core.event where"
               . " type in ('test_run.completed', 'test_run.failed') group by"
               . ' subject_id having count(*) <> 1) twice'), 0,
   'the end of each run was told once');
is($voice->sql("select count(*) from core.job where state in ('queued',"
               . " 'running')"), 0, 'no job is left');
is($voice->sql("select count(*) from core.voice_test_execution where status = 'error'"),
   0, 'no execution was given up');

ok($voice->wait_for(sub {
    $voice->sql('select count(*) from core.event where published_at is null')
        eq '0' }, 60), 'every event was published in the end');

pass_time($voice, qw(test_execution validation));
$voice->finish(alerts => qr/exited on signal 9/);


# A run that was acknowledged; a request that met a dying process is asked
# again.
sub start_run {
    my $id;

    $voice->wait_for(sub {
        my $reply = $voice->request('POST', '/api/v1/test-runs', headers => {
            Authorization => "Bearer $owner->{token}",
            'Content-Type' => 'application/json' },
            content => qq({"suite_id":"$suite"}));
        $id = $reply->{json}{data}{id} if $reply->{status} == 201;
        return $id;
    }, 30) or BAIL_OUT('no run can be started');

    return $id;
}


sub ended {
    my ($id) = @_;

    my $run;
    $voice->wait_for(sub {
        my $reply = $voice->request('GET', "/api/v1/test-runs/$id",
            headers => { Authorization => "Bearer $owner->{token}" });
        $run = $reply->{json}{data} // return 0;
        return $run->{status} !~ /^(?:pending|running)$/;
    }, 240);

    return $run;
}
