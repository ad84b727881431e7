#!/usr/bin/perl

# A Redis that may throw away what it holds: the pool does not start with it,
# and is told of one that changes; the edge tells of it.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Node;
use Voice::Servers;

my $voice = Voice->start(workers => 0);
my $servers = Voice::Servers->new($voice);
my $etc = "$voice->{stack}{data}/etc";
my $log = "$voice->{stack}{log}/workers.log";

my $evicts = $servers->redis(settings => ['maxmemory 64mb',
                                          'maxmemory-policy allkeys-lru']);

my ($status, $said) = pool($evicts);
is($status, 1, 'a pool does not start with a Redis that may evict');
like($said, qr/redis\ 127\.0\.0\.1:$evicts->{port}\ may\ evict
               .*maxmemory\ is\ 67108864
               .*maxmemory-policy\ is\ allkeys-lru
               .*set\ \\"maxmemory-policy\ noeviction\\"/x,
     'and says what there is and what to set');

$servers->ask($evicts, qw(CONFIG SET maxmemory-policy volatile-ttl));
is((pool($evicts))[0], 1, 'nor with one that evicts what expires');

my $dumb = $servers->redis(settings => ['rename-command CONFIG ""',
    'rename-command INFO ""', 'maxmemory 64mb',
    'maxmemory-policy allkeys-lru']);
like(pool_runs($dumb), qr/does not tell by INFO memory whether it may evict/,
     'of one that does not say it is warned');

my $small = $servers->redis(settings => ['rename-command CONFIG ""',
    'maxmemory 64mb', 'maxmemory-policy noeviction']);
unlike(pool_runs($small), qr/evict/,
       'one that is bounded and keeps is good, also without CONFIG');

$servers->ask($evicts, qw(CONFIG SET maxmemory-policy noeviction));
start_pool($evicts);
$servers->ask($evicts, qw(CONFIG SET maxmemory-policy allkeys-lru));
$servers->ask($evicts, qw(CLIENT KILL TYPE normal));
ok($voice->wait_for(sub { logged(qr/may evict what it holds/) }, 30),
   'one that changes is told of when it is connected to again');
$servers->ask($evicts, qw(CONFIG SET maxmemory 0));
$servers->ask($evicts, qw(CLIENT KILL TYPE normal));
ok($voice->wait_for(sub { logged(qr/evicts nothing/) }, 30),
   'and that all is well again');
$voice->stack('stop', 'workers');

edge();

$servers->stop;
$voice->finish;


# nginx starts with any, for nobody may be asked at its start.
sub edge {
    my $node = Voice::Node->start($voice, 'edge',
        set => { REDIS_PORT => $evicts->{port}, PROCESSES => 1 });
    my $said = "$voice->{stack}{log}/nginx.log";

    ok($voice->wait_for(sub { figure($node) eq '0' }, 30),
       'the edge tells that its Redis evicts nothing');

    $servers->ask($evicts, qw(CONFIG SET maxmemory 64mb));
    $servers->ask($evicts, qw(CLIENT KILL TYPE normal));
    ok($voice->wait_for(sub { figure($node) eq '1' }, 30),
       'and that it does, in its metrics');
    like(Voice::slurp($said), qr/\[error\].*:$evicts->{port}":\ may\ evict
         .*maxmemory-policy\ is\ allkeys-lru;\ set
         \ "maxmemory-policy\ noeviction"/x, 'and in its log');

    $servers->ask($evicts, qw(CONFIG SET maxmemory-policy noeviction));
    $servers->ask($evicts, qw(CLIENT KILL TYPE normal));
    ok($voice->wait_for(sub { figure($node) eq '0' }, 30),
       'until it is mended');
    $node->stop;
}


sub figure {
    my ($node) = @_;

    my ($value) = $node->request('GET', '/metrics')->{content}
        =~ /^voice_redis_evicts (\d+)/m;

    return $value // '';
}


sub configure {
    my ($redis) = @_;

    unlink $log;
    $voice->configure_workers({ redis_host => "127.0.0.1:$redis->{port}" });
}


# Exit status and words of a pool that is to refuse.
sub pool {
    my ($redis) = @_;

    configure($redis);
    my $text = Voice::slurp("$etc/workers.conf");
    $text =~ s/^(log_file|pid_file) = .*/$1 =/mg;
    Voice::spew("$etc/workers.conf", $text);
    open my $out, '-|', 'sh', '-c', 'exec timeout 30 "$0" "$@" 2>&1',
        "$voice->{build}/voicegate-worker", '--config', "$etc/workers.conf"
        or die "sh: $!";
    my $words = join '', <$out>;
    close $out;

    return ($? >> 8, $words);
}


sub start_pool {
    my ($redis) = @_;

    configure($redis);
    $voice->start_services('workers');
}


# What one says that starts and is stopped.
sub pool_runs {
    my ($redis) = @_;

    start_pool($redis);
    ok($voice->wait_for(sub { $voice->children('workers') }, 30),
       'a pool starts');
    $voice->stack('stop', 'workers');

    return Voice::slurp($log);
}


sub logged {
    my ($pattern) = @_;

    return (eval { Voice::slurp($log) } // '') =~ $pattern;
}
