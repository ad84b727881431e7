#!/usr/bin/perl

# Several nodes on one Redis, in random schedules: what they admit together is
# never more than the limit.  t/tools/lease.c runs them in virtual time on the
# edge's own arithmetic and script.
#
# VOICE_SEED repeats a run; a fault prints the seed of its schedule, which
# runs alone by VOICE_SEED=that VOICE_SCHEDULES=1.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use POSIX ();
use Test::More;

use lib 't/lib';
use Voice;

my $build = $ENV{VOICE_BUILD} || 'build';
my $count = $ENV{VOICE_SCHEDULES} || ($ENV{VOICE_TEST_LONG} ? 5000 : 200);
my $seed = $ENV{VOICE_SEED} || time;
my $dir = tempdir('voice-lease-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $redis = start_redis();

diag("seed $seed, $count schedules");

my @lines = `$build/tools/lease $dir/redis.sock $seed $count 2>&1`;
my $status = $?;
my %figure = map { /(\w+)=([\d.]+)/g } @lines;

is($status, 0, 'no window of any schedule admits more than the limit')
    or diag(@lines);
is($figure{over}, 0, 'and none was left out');
cmp_ok($figure{storm}, '>', 0, 'requests are admitted while all fails');

SKIP: {
    skip 'too few schedules', 3 if $count < 20;

    cmp_ok($figure{use}, '>=', 0.8,
           'where nothing fails, the limit can be used');
    cmp_ok($figure{share}, '>=', 0.8,
           'a node that is cut off has its share');
    cmp_ok($figure{asked}, '<=', 0.05,
           'from 100 a second next to no request waits for Redis');
}

diag(grep { /=/ } @lines);
done_testing();


sub start_redis {
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', "$dir/redis.log";
        exec 'redis-server', '--port', '0', '--unixsocket',
            "$dir/redis.sock", '--save', '', '--dir', $dir
            or POSIX::_exit(127);
    }

    Voice->wait_for(sub {
        IO::Socket::UNIX->new(Peer => "$dir/redis.sock");
    }, 30) or BAIL_OUT('no Redis');

    return $pid;
}


END {
    local $?;

    if ($redis) {
        kill 'KILL', $redis;
        waitpid $redis, 0;
    }
}
