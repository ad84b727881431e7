#!/usr/bin/perl

# Reloads of nginx and of the workers while runs go on and subscribers
# listen: no exchange is interrupted, no durable event is missed.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Demo;
use Voice::Raw;

my $reloads = $ENV{VOICE_TEST_LONG} ? 60 : 8;

my $voice = Voice->start(processes => 2, workers => 2);
my $owner = $voice->tenant('acme');
my $suite = Voice::Demo::suite($voice, $owner, 2);

my $path = "/events/stream/$owner->{tenant_id}";
my $last_id;
my $stream = subscribe();
my ($exchanges, $interrupted, @ids, @runs) = (0, 0);

for my $round (1 .. $reloads) {
    push @runs, exchange('POST', '/api/v1/test-runs',
                         qq({"suite_id":"$suite"}))->{json}{data}{id};
    my $output = $voice->stack('reload', $round % 2 ? 'nginx' : 'workers');
    is($?, 0, "reload $round is taken") or diag($output);

    for (1 .. 20) {
        exchange('GET', "/api/v1/test-runs/$runs[-1]");
        listen_a_while(0.02);
    }
}

ok($voice->wait_for(sub {
    listen_a_while(0.2);
    return !grep { !ended($_) } @runs;
}, 240), 'every run ends');

is($interrupted, 0, "none of $exchanges exchanges was interrupted");

my $last = $voice->sql('select max(seq) from core.event');
$voice->wait_for(sub { listen_a_while(0.2); return @ids && $ids[-1] >= $last },
                 60);
my %seen = map { $_ => 1 } @ids;
is(join(' ', grep { !$seen{$_} } $ids[0] .. $last), '',
   'a subscriber that reconnects with its last id misses no event');

kept_connection();
broken_configuration();

$voice->finish(alerts => qr/exited on signal 9|unexpected end of file/);


sub exchange {
    my ($method, $path, $content) = @_;

    my $reply = $voice->request($method, $path, content => $content,
        headers => { Authorization => "Bearer $owner->{token}",
                     $content ? ('Content-Type' => 'application/json')
                              : () });
    $exchanges++;
    if ($reply->{status} !~ /^20[01]$/) {
        $interrupted++;
        diag("$method $path: $reply->{status} $reply->{content}");
    }

    return $reply;
}


sub subscribe {
    my ($last) = @_;

    return $voice->wait_for(sub {
        my $stream = $voice->stream($path,
            Authorization => "Bearer $owner->{token}",
            defined $last ? ('Last-Event-ID' => $last) : ());
        return $stream && $stream->{status} && $stream->{status} == 200
            ? $stream : undef;
    }, 30) // BAIL_OUT('the stream does not open');
}


# Takes what there is; reconnects as EventSource does, which keeps the last id
# also over a connection that brought nothing.
sub listen_a_while {
    my ($seconds) = @_;

    while (my $event = $stream->next($seconds)) {
        push @ids, $event->{json}{id} if $event->{json}{id};
    }
    $last_id = $stream->last_id // $last_id;
    $stream = subscribe($last_id) if $stream->ended;
}


sub ended {
    my ($id) = @_;

    my $run = exchange('GET', "/api/v1/test-runs/$id")->{json}{data};

    return $run && $run->{status} !~ /^(?:pending|running)$/;
}


# A request on a connection whose process has just begun to exit.
sub kept_connection {
    my $kept = Voice::Raw->new($voice);
    my $health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    my %old = map { $_ => 1 } $voice->children('nginx');

    $kept->put($health);
    is($kept->reply->{status}, 200, 'a connection is kept');

    kill 'HUP', $voice->pid('nginx');
    $voice->wait_for(sub {
        !grep { $old{$_} && title($_) !~ /shutting down/ }
            $voice->children('nginx') }, 30);
    $kept->put($health);
    my $reply = $kept->reply;
    is($reply && $reply->{status}, 200, 'and serves over a reload');
    is($reply && $reply->{headers}{connection}, 'close', 'once more');

    # nchan loses count of its processes if one is killed while it exits.
    $voice->wait_for(sub { !grep { $old{$_} } $voice->children('nginx') },
                     60);
}


sub title { return eval { Voice::slurp("/proc/$_[0]/cmdline") } // '' }


# A raw HUP with a broken file, then the death of a process.
sub broken_configuration {
    my $file = "$voice->{stack}{data}/etc/nginx.conf";
    my $good = Voice::slurp($file);

    Voice::spew($file, "$good\nbroken");
    kill 'HUP', $voice->pid('nginx');
    ok($voice->wait_for(sub {
        Voice::slurp("$voice->{stack}{log}/nginx.log") =~ /\[emerg\]/ }, 30),
       'a broken file is refused by name');

    my ($child) = $voice->children('nginx');
    kill 'KILL', $child;
    $voice->wait_for(sub {
        !grep { $_ == $child } $voice->children('nginx') }, 30);

    ok($voice->wait_for(sub {
        my @replies = map { $voice->request('GET', '/health')->{status} }
            1 .. 20;
        return !grep { $_ != 200 } @replies;
    }, 30), 'the old configuration serves on after a process died');

    my $before = () = Voice::slurp("$voice->{stack}{log}/nginx.log")
        =~ /exited on signal/g;
    $voice->request('GET', '/ready') for 1 .. 50;
    my $after = () = Voice::slurp("$voice->{stack}{log}/nginx.log")
        =~ /exited on signal/g;
    is($after, $before, 'no process dies again and again');

    Voice::spew($file, $good);
}
