#!/usr/bin/perl

# PostgreSQL with a standby below a stack that works: the primary is shut to
# writes, then dies, and its standby is promoted.  Pool and edge go over; what
# was acknowledged is done (the standby is synchronous).

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Demo;
use Voice::Node;
use Voice::Packets;
use Voice::Servers;

my $voice = Voice->start(processes => 2, workers => 0);
my $servers = Voice::Servers->new($voice);
my $etc = "$voice->{stack}{data}/etc";
my $log = "$voice->{stack}{log}/workers.log";
my $owner = $voice->tenant('acme');
my $suite = Voice::Demo::suite($voice, $owner, 1);
my $packets = Voice::Packets->new($voice,
    Voice::Packets::key($voice, $owner, 'calls:ingest'));

my $standby = $servers->standby;
synchronous();
use_both();

my $load = $packets->start_load('flow', 2);
my @runs = map { start_run() } 1 .. 3;

promoted();

my ($told) = Voice::Packets::end_load($load);
cmp_ok($told, '>', 20, 'packets came before and after');
on_new_primary();

is(scalar(grep { $voice->wait_run($owner, $_)->{status}
                 !~ /^(?:completed|failed)$/ } @runs), 0,
   'every run that was acknowledged ends');
is($voice->sql("select count(*) from core.job where state = 'dead'"), 0,
   'no job is dead');
is($packets->lost($load), 0, 'all packets that were acknowledged are stored');

demoted();
second_host();

$voice->stack('stop', 'workers');
$voice->stack('stop', 'nginx');
$servers->stop;
$voice->finish;


# Who is told that it is done can rely on it being on both.
sub synchronous {
    $voice->sql("alter system set synchronous_standby_names = '*'");
    $voice->sql('select pg_reload_conf()');

    ok($voice->wait_for(sub {
        ($voice->sql('select sync_state from pg_stat_replication') // '')
            eq 'sync' }), 'the standby is synchronous');
}


sub use_both {
    my $text = Voice::slurp("$etc/edge.conf");

    $text =~ s/(voice_postgres host=\S+)/$1,$standby->{sockets}/
        or die 'no voice_postgres';
    Voice::spew("$etc/edge.conf", $text);
    $servers->own("$etc/edge.conf");

    my %preload = %{$voice->{stack}{preload}};
    local @ENV{keys %preload} = values %preload;
    is(system("$Voice::ROOT/bin/voicegate-reload", '--pid-file',
              "$voice->{stack}{data}/run/nginx.pid"), 0,
       'the edge takes both servers');

    # the standby first: it takes no writes yet
    $voice->configure_workers({ postgres_host =>
        "$standby->{sockets}, $voice->{stack}{sockets}", grace_seconds => 2 });
    $voice->start_services('workers');
    ok(ready(), 'edge and pool work');
}


sub promoted {
    my $old = $voice->pid('postgres');

    kill 'QUIT', $old;
    $voice->wait_for(sub { !Voice::alive($old) }, 30);
    push @runs, maybe_run() // ();
    $servers->on_standby($standby, 'select pg_promote(false)');
    ok($voice->wait_for(sub {
        ($servers->on_standby($standby, 'select pg_is_in_recovery()') // '')
            eq 'f' }), 'the primary dies, its standby is promoted');

    push @runs, start_run();
    ok(ready(), 'edge and pool go over to it');
    push @runs, start_run();
}


# A primary that is taken out of service without being stopped: sessions stay,
# and their writes are refused.
sub demoted {
    my %old = map { $_ => 1 } split /\n/, $voice->sql(clients());

    $voice->sql('alter system set default_transaction_read_only = on');
    $voice->sql('select pg_reload_conf()');
    ok($voice->wait_for(sub { status_of_run() =~ /^50[34]$/ }, 30),
       'where no server takes writes the client is told to come again');
    $voice->sql('set default_transaction_read_only = off;'
                . ' alter system reset default_transaction_read_only');
    $voice->sql('select pg_reload_conf()');

    is($voice->wait_run($owner, start_run())->{status}, 'completed',
       'as soon as one does, all goes on');
    ok($voice->wait_for(sub {
        my @now = split /\n/, $voice->sql(clients());
        return grep { !$old{$_} } @now;
    }, 30), 'over new connections');
}


sub clients {
    return "select pid from pg_stat_activity where application_name in"
        . " ('voice main', 'voicegate-worker')";
}


# Another pool with a name of its own, from another file, joins.
sub second_host {
    my $file = "$etc/second.conf";
    my $text = Voice::slurp("$etc/workers.conf");

    $text =~ s/^(log_file|pid_file|publish_socket) = .*/$1 =/mg;
    my ($listen) = $text =~ /^agent_listen = (\S+)/m;
    my $own = '127.0.0.1:' . Port::free();
    $text =~ s/\Q$listen\E/$own/g;
    Voice::spew($file, "worker_name = second\n$text");

    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>', "$voice->{dir}/second.log";
        exec "$voice->{build}/voicegate-worker", '--config', $file
            or POSIX::_exit(127);
    }

    ok($voice->wait_for(sub {
        $voice->sql("select count(*) from core.worker where beat_at >"
                    . " now() - interval '15 s'") == 2 }),
       'a second pool beats beside the first');

    my @old = ($voice->pid('workers'), $voice->children('workers'));
    kill 'KILL', @old;
    my $run = start_run();
    is($voice->wait_run($owner, $run)->{status}, 'completed',
       'and works on when the first one is gone');

    kill 'TERM', $pid;
    waitpid $pid, 0;
    is($? >> 8, 0, 'it ends in good order');
}


# From here on what the test asks of the database it asks of the standby.
sub on_new_primary {
    $voice->{stack}{sockets} = $standby->{sockets};
}


sub ready {
    return $voice->wait_for(sub {
        my $reply = $voice->request('GET', '/ready');
        return ($reply->{json}{status} // '') eq 'healthy';
    }, 60);
}


sub start_run {
    my $id;

    $voice->wait_for(sub { $id = maybe_run() })
        or BAIL_OUT('no run can be started');

    return $id;
}


sub maybe_run {
    my $reply = run();

    return $reply->{status} == 201 ? $reply->{json}{data}{id} : undef;
}


sub status_of_run { return run()->{status} }


sub run {
    return $voice->request('POST', '/api/v1/test-runs', headers => {
        Authorization => "Bearer $owner->{token}",
        'Content-Type' => 'application/json' },
        content => qq({"suite_id":"$suite"}));
}
