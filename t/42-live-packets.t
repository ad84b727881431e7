#!/usr/bin/perl

# Packets of calls as supervisors see them: each of a few, the newest of many,
# all of them raw, and none where nobody listens.

# covers: stream_supervisor ingest_packet complete_call

use strict;
use warnings;

use IO::Select;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Node;
use Voice::Raw;
use Voice::WebSocket;

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(processes => 2, workers => 1);
my $owner = $voice->tenant('acme');
my $rival = $voice->tenant('rival');
$voice->sql('update core.tenant set settings = jsonb_set(settings,'
            . q{'{calls}', '{"grace_seconds": 1}')});

unheard();
shapes();
burst();
raw();
nodes();
forgotten();

$voice->finish;


# --- nobody listens -------------------------------------------------------

sub unheard {
    my $other = socket_of($rival);

    send_packets('quiet', 0 .. 30);
    is(metric('live_published_total') + metric('live_coalesced_total'), 0,
       'nothing is told of a tenant to whom nobody listens');
    is($other->next(0.3), undef, 'nor to who listens to another');
    $other->close;
}


# --- one by one -----------------------------------------------------------

sub shapes {
    my $socket = socket_of($owner);
    my $one = socket_of($owner, 'call_id=call_demo'
                        . '&event_types=packet_received,packet_rejected');

    send_packets('call_demo', 0, 2, 2, 1);
    send_packets('call_other', 0);
    $voice->call('complete_call', as => $owner, path => {
        call_id => 'call_demo' }, body => { total_packets => 3 });

    my @got = map { $socket->next(20)->{data} } 1 .. 6;
    my $body = '"call_id":"call_demo","sequence":%s,"total_received":%s,'
        . '"missing_sequences":[%s],"missing_count":%s}';
    is_deeply([grep { /call_demo/ && /packet/ } @got], [
        sprintf("{\"event\":\"packet_received\",$body", 0, 1, '', 0),
        sprintf("{\"event\":\"packet_received\",$body", 2, 2, 1, 1),
        sprintf("{\"event\":\"packet_duplicate\",$body", 2, 2, 1, 1),
        sprintf("{\"event\":\"packet_received\",$body", 1, 3, '', 0),
    ], 'each packet is told, in its order, by the keys of the document');
    is(join(' ', map { m{"event":"(\w+)","call_id":"(\w+)"} && "$1/$2" }
            @got[4, 5]) =~ s/packet_received.call_other ?//r =~ s/ $//r,
       'state_changed/call_demo', 'then the move of the state');

    ok($voice->wait_for(sub {
        return (send_packets('call_demo', 3))[0]{status} eq 'rejected';
    }, 20), 'after the grace period packets are rejected');
    my @filtered = map { $one->next(20)->{data} } 1 .. 4;
    like($filtered[3], qr/^\{"event":"packet_rejected","call_id":"call_demo",
        "sequence":3,"reason":"Call\ already\ completed,\ no\ longer
        \ accepting\ packets","state":"[A-Z_]+"\}$/x, 'which is told, too');
    unlike(join(' ', @filtered), qr/call_other|duplicate|state_changed/,
           'a filter keeps the rest out');

    my @states = map { $_->{json} } grep { $_->{json}{event} !~ /^packet/ }
        until_event($socket, 'ai_completed');
    is(join(' ', map { $_->{to_state} // $_->{event} } @states),
       'PROCESSING_AI ARCHIVED ai_completed',
       'the road of a call to its end is told in its order');
    $_->close for $socket, $one;
}


# All events of the demo call until one of a kind has come.
sub until_event {
    my ($socket, $name) = @_;

    my @all;
    $voice->wait_for(sub {
        push @all, grep { $_->{json}{call_id} eq 'call_demo' }
            $socket->next(1) // ();
        return @all && $all[-1]{json}{event} eq $name;
    }, 60);

    return @all;
}


# --- many -----------------------------------------------------------------

sub burst {
    my $socket = socket_of($owner);
    my ($before, $start) = (metric('live_coalesced_total'), time);
    my $sender = sender('flood', 1500);
    my @got;

    $voice->wait_for(sub {
        push @got, $socket->next(1) // ();
        return @got && $got[-1]{json}{total_received} == 1500;
    }, 60);
    my $seconds = time - $start;
    waitpid $sender, 0;

    my $sum = 0;
    $sum += $_->{json}{coalesced} // 1 for @got;
    is($sum, 1500, 'what is told of a flood adds up to all packets');
    cmp_ok(scalar @got, '<=', 20 * ($seconds + 1),
           'at most twenty a second are told');
    cmp_ok(scalar @got, '>=', 10, 'and some at once');
    is(metric('live_coalesced_total') - $before, 1500 - @got,
       'the metric says how many went into others');
    is_deeply($got[-1]{json}{missing_sequences}, [],
              'the last one has the counts of the end');
    $socket->close;
}


sub raw {
    my $socket = socket_of($owner, 'rate=raw&call_id=rawcall');
    my $sender = sender('rawcall', 300);
    my @got;

    $voice->wait_for(sub {
        while (@got < 300) { push @got, $socket->next(1) // return 0 }
        return 1;
    }, 60);
    waitpid $sender, 0;

    is(join(' ', map { $_->{json}{sequence} } @got), join(' ', 0 .. 299),
       'raw is every packet');
    is(scalar(grep { exists $_->{json}{coalesced} } @got), 0, 'as it is');
    $socket->close;
}


# --- several nodes --------------------------------------------------------

# A listener of one node hears what another node takes.
sub nodes {
    my $node = Voice::Node->start($voice, 'second');
    my $socket = socket_of($owner, 'call_id=far');
    my $n = 0;

    my $heard = $voice->wait_for(sub {
        $node->call('ingest_packet', as => $owner, path => {
            call_id => 'far' }, body => { sequence => $n++, data => 'x',
                                          timestamp => 1 });
        return $socket->next(0.1);
    }, 20);
    is($heard->{json}{call_id}, 'far', 'another node tells its packets');
    cmp_ok($n, '<=', 20, 'soon after the listener came');

    my $far = Voice::WebSocket->open($node, '/ws/supervisor?call_id=near',
        Authorization => "Bearer $owner->{token}");
    $n = 0;
    $heard = $voice->wait_for(sub {
        send_packets('near', $n++);
        return $far->next(0.1);
    }, 20);
    is($heard->{json}{call_id}, 'near', 'and hears ours');
    $_->close for $socket, $far;
    $node->stop;
}


# --- nobody any more ------------------------------------------------------

sub forgotten {
    my $n = 0;

    ok($voice->wait_for(sub {
        my $before = metric('live_published_total');
        send_packets('late', $n++);
        return metric('live_published_total') == $before;
    }, 30), 'when nobody listens any more nothing is told');
    is($voice->wait_for(sub { return metric('live_listeners') == 0 }, 10), 1,
       'and there are no listeners');
}


# --- small things ---------------------------------------------------------

# Replies to packets of these sequences, one after the other.
sub send_packets {
    my ($call, @sequences) = @_;

    return map { $voice->call('ingest_packet', as => $owner,
        path => { call_id => $call }, body => { sequence => $_,
        data => "chunk $_", timestamp => 1234567890.5 })->{json} }
        @sequences;
}


# A child that sends so many packets, in order, as fast as it can on one
# connection; its pid.
sub sender {
    my ($call, $n) = @_;

    my $pid = fork() // die "fork: $!";
    return $pid if $pid;

    my $raw = Voice::Raw->new($voice);
    for my $start (map { $_ * 50 } 0 .. $n / 50 - 1) {
        $raw->put(join '', map { packet($call, $start + $_) } 0 .. 49);
        $raw->reply for 1 .. 50;
    }

    require POSIX;
    POSIX::_exit(0);
}


sub packet {
    my ($call, $sequence) = @_;

    my $body = qq({"sequence":$sequence,"data":"x","timestamp":1});

    return "POST /v1/call/stream/$call HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: Bearer $owner->{token}\r\n"
        . "Content-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}


# Of all processes, brought up to date once a second.
sub metric {
    my ($name) = @_;

    my $sum = 0;
    for (1, 2) {
        $sum = 0;
        my $text = $voice->request('GET', '/metrics')->{content};
        $sum += $_ for $text =~ /^voice_$name(?:\{[^}]*\})? (\S+)$/mg;
    }

    return $sum;
}


sub socket_of {
    my ($actor, $query) = @_;

    # opening streams has a limit, too
    return $voice->wait_for(sub {
        my $socket = Voice::WebSocket->open($voice, '/ws/supervisor?'
            . ($query // ''), Authorization => "Bearer $actor->{token}");
        return $socket->{status} && $socket->{status} == 101 && $socket;
    }, 20) || die "no socket\n";
}
