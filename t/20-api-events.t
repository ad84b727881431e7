#!/usr/bin/perl

# Events: the list, and the live streams: who may listen, what arrives, and
# ids to resume from that are none.

# covers: stream_events stream_test_run

use strict;
use warnings;

use IO::Socket::UNIX;
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Raw;
use Voice::Resources;

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(workers => 0, processes => 2);
my $owner = $voice->tenant('acme');
my $id = Voice::Resources::make($voice, $owner, 'acme');
my $events = "/events/stream/$owner->{tenant_id}";
my $run = "/ws/test-runs/$id->{'test-runs'}";
my @pids = sort $voice->children('nginx');
my $number = 1000;

listing();
listeners();
forms();
delivery();
types();
websocket();
resumption();
no_resumption();

is(join(' ', sort $voice->children('nginx')), "@pids",
   'no process of nginx has died');

$voice->finish;


# --- the list -------------------------------------------------------------

sub listing {
    my $all = $voice->call('list_events', as => $owner)->{json}{data};

    is(join(' ', map { $_->{id} } @$all), join(' ', 1 .. @$all),
       'events are numbered without a gap');
    is(join(' ', map { $_->{event_type} =~ s/^test_//r } @$all),
       'run.created run.started execution.completed run.progress'
       . ' run.completed', 'in the order in which they happened');
    is($all->[-1]{payload}{pending_validation}, 1,
       'the last one tells how it went');
    is_deeply([map { $_->{id} } @{$voice->call('list_events', as => $owner,
        query => { after => 2, limit => 2 })->{json}{data}}], [3, 4],
       'a list goes on after an id');
    is_deeply([map { $_->{id} } @{$voice->call('list_events', as => $owner,
        query => { types => 'test_run.created,test_run.completed' })
        ->{json}{data}}], [1, 5], 'types filter events');
    is_deeply($voice->call('list_events', as => $owner,
        query => { after => '9223372036854775807' })->{json}{data}, [],
       'after the last one there is none');

    refuses_queries($voice, $owner, 'list_events', '/query/after',
                    { after => -1 }, { after => '9223372036854775808' },
                    { after => 'x' });
    refuses_queries($voice, $owner, 'list_events', '/query/types',
                    { types => 'test_run' }, { types => ',' });
    refuses_queries($voice, $owner, 'list_events', '/query/limit',
                    { limit => 0 }, { limit => 501 });
}


# --- who may listen -------------------------------------------------------

sub listeners {
    my $key = $voice->call('create_api_key', as => $owner, body => {
        name => 'ears', role => 'api_client' })->{json}{data}{secret};
    my $deaf = $voice->call('create_api_key', as => $owner, body => {
        name => 'deaf', role => 'api_client',
        scopes => ['test-suites:read'] })->{json}{data}{secret};
    my $billing = $voice->person('acme', 'billing');
    my $gone = $voice->person('acme', 'viewer', 'gone@acme.example');
    $voice->call('logout', as => $gone);

    my @rows = (
        ['nobody', '', '', 401],
        ['a token', "Authorization: Bearer $owner->{token}\r\n", '', 200],
        ['a token in the query', '', "access_token=$owner->{token}", 200],
        ['a key', "X-API-Key: $key\r\n", '', 200],
        ['a key without the scope', "X-API-Key: $deaf\r\n", '', 403],
        ['a key in the query', '', "access_token=$key", 200],
        ['a role without ears', "Authorization: Bearer $billing->{token}\r\n",
         '', 403],
        ['a token whose session ended', '', "access_token=$gone->{token}",
         401],
        ['a false token', '', 'access_token=a.b.c', 401],
        ['two tokens', '', "access_token=$owner->{token}&access_token=x",
         401, 422],
        ['an unknown type', "Authorization: Bearer $owner->{token}\r\n",
         'event_types=x', 422],
    );

    for my $row (@rows) {
        my ($who, $headers, $query, @statuses) = @$row;
        for my $path ($events, $run) {
            next if $path eq $run && $query =~ /event_types/;
            my $raw = Voice::Raw->new($voice);
            $raw->put("GET $path?$query HTTP/1.1\r\nHost: x\r\n$headers"
                      . upgrade($path) . "\r\n");
            my $reply = $raw->reply(head => $statuses[0] == 200);
            my @expected = map { $_ == 200 && $path eq $run ? 101 : $_ }
                @statuses;
            is(improper($voice, $reply, @expected), '',
               "$who at " . ($path eq $run ? 'a run' : 'the events')
               . ": @expected");
            $raw->abort;
        }
    }
}


sub upgrade {
    my ($path) = @_;

    return "Accept: text/event-stream\r\n" if $path !~ m{^/ws/};

    return "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        . "Sec-WebSocket-Version: 13\r\n"
        . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
}


sub forms {
    my $auth = "Authorization: Bearer $owner->{token}\r\n";
    my @rows = (
        ['events as JSON', "GET $events", "Accept: application/json\r\n",
         406],
        ['events to anybody', "GET $events", "Accept: */*\r\n", 200],
        ['events without Accept', "GET $events", '', 200],
        ['a run without an upgrade', "GET $run", '', 400],
        ['a run over another protocol', "GET $run",
         "Connection: Upgrade\r\nUpgrade: h2c\r\n", 400],
        ['events by POST', "POST $events",
         "Content-Length: 1\r\n\r\nx", 405],
        ['a publication', 'POST /publish?channels=x',
         "Content-Length: 1\r\n\r\nx", 404],
    );

    for my $row (@rows) {
        my ($what, $line, $headers, $status) = @$row;
        my $raw = Voice::Raw->new($voice);
        $raw->put("$line HTTP/1.1\r\nHost: x\r\n$auth$headers\r\n");
        is(improper($voice, $raw->reply(head => $status == 200), $status), '',
           "$what: $status");
        $raw->abort;
    }
}


# --- what arrives ---------------------------------------------------------

sub delivery {
    my @streams = map { listen_to($events) } 1 .. 8;
    my $other = $voice->tenant('rival');
    my $foreign = $voice->stream("/events/stream/$other->{tenant_id}",
        Authorization => "Bearer $other->{token}");

    is(join(' ', map { $_->{status} } @streams, $foreign),
       join(' ', (200) x 9), 'nine listen');
    publish('test_run.progress', "\x{e9}t\x{e9} \n\r\"");
    my $first = $number;
    publish('test_run.progress', 'two');

    my @got = map { [$_->next(20), $_->next(20)] } @streams;
    is(join(' ', map { join ',', map { $_->{json}{id} // 'none' } @$_ } @got),
       join(' ', ("$first,$number") x 8),
       'each gets each event, in order, from whichever process');
    is($got[0][0]{event}, 'test_run.progress', 'by its type');
    is($got[0][0]{json}{payload}{text}, "\x{e9}t\x{e9} \n\r\"",
       'as it was');
    like($got[0][0]{id}, qr/^\d+:\S+$/, 'with an id to resume from');
    is($foreign->next(0.2), undef, 'and others hear nothing of it');
}


sub types {
    my $some = listen_to("$events?event_types=test_run.completed,"
                         . 'test_run.failed');

    publish('test_run.progress', 'no');
    publish('test_run.completed', 'yes');
    publish('test_run.failed', 'yes');
    is(join(' ', map { $some->next(20)->{event} } 1 .. 2),
       'test_run.completed test_run.failed',
       'who asks for types gets those alone');
}


sub websocket {
    my $raw = Voice::Raw->new($voice);

    $raw->put("GET $run?access_token=$owner->{token} HTTP/1.1\r\nHost: x\r\n"
              . upgrade($run) . "\r\n");
    my $reply = $raw->reply;
    is($reply->{status}, 101, 'a run is followed by WebSocket');
    is($reply->{headers}{'sec-websocket-accept'},
       's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'by the protocol of RFC 6455');

    publish('test_run.progress', 'x' x 3000);
    my $event = frame($raw);
    is($event->{id}, $number, 'events arrive');
    is(length $event->{payload}{text}, 3000, 'whole');

    # A frame that is not masked, and one of an unknown kind.
    for my $bytes ("\x81\x05hello", "\x8f\x80\0\0\0\0", "\xff" x 64) {
        my $bad = Voice::Raw->new($voice);
        $bad->put("GET $run?access_token=$owner->{token} HTTP/1.1\r\n"
                  . "Host: x\r\n" . upgrade($run) . "\r\n");
        $bad->reply;
        $bad->put($bytes);
        $bad->abort;
    }
    publish('test_run.progress', 'still');
    is(frame($raw)->{id}, $number, 'whatever others send');
}


# The JSON of the next text frame of a server.
sub frame {
    my ($raw) = @_;

    while (1) {
        my ($kind, $size) = unpack 'CC', $raw->take(2) // return {};
        $size = unpack 'n', $raw->take(2) if $size == 126;
        $size = unpack 'Q>', $raw->take(8) if $size == 127;
        my $text = $raw->take($size);
        return $json->decode($text) if ($kind & 15) == 1;
    }
}


# --- resuming -------------------------------------------------------------

sub resumption {
    my $first = listen_to($events);

    publish('test_run.progress', 'seen');
    my $seen = $first->next(20);
    $first->close;
    publish('test_run.progress', 'missed');
    publish('test_run.progress', 'missed, too');

    for my $how ('header', 'query') {
        my $again = $how eq 'header'
            ? listen_to($events, 'Last-Event-ID' => $seen->{id})
            : listen_to("$events?last_event_id="
                        . Voice::escape($seen->{id}));
        is(join(' ', map { $_ ? $_->{json}{id} // $_->{event} : 'none' }
                map { $again->next(20) } 1 .. 2),
           join(' ', $number - 1, $number),
           "what was missed comes after an id in the $how");
    }
}


# An id that names no message: the client is told of the gap, and goes on
# with what comes; nchan never sees it.
sub no_resumption {
    # before the first message, within the time that is kept
    my $now = time - 600;
    my @ids = ('x', '0', ':', '1:0', "$now:0", "$now:1", "$now:9999999999",
        "$now:-1", "$now:[0]", "$now:0,0", "$now:0,[1]", "$now:", "$now:x",
        ($now - 4000) . ':0', ($now + 4000) . ':0', '9' x 30 . ':0',
        '-1:0', "$now:0" . ',0' x 100, 'x' x 250, '1:1:1', "$now:0:0",
        '%s%n', "'", '"', '\\', '../..', "$now.5:0", '0x10:0', time . ':77');

    my @open = map { my $bad = $_; [$bad, 'in the header',
        listen_to($events, 'Last-Event-ID' => $bad)] } @ids;
    push @open, map { my $bad = $_; ([$bad, 'in the query',
        listen_to("$events?last_event_id=" . Voice::escape($bad))],
        [$bad, 'on two channels', listen_to("$events?event_types="
            . 'test_run.progress,test_run.failed',
            'Last-Event-ID' => $bad)]) } @ids[0, 4, 8, 10];

    my @wrong;
    for my $row (@open) {
        my ($bad, $where, $stream) = @$row;
        my $event = $stream->next(20);
        push @wrong, "$bad $where: " . ($event ? $event->{event} : 'none')
            if !$event || $event->{event} ne 'gap';
        $stream->close;
    }
    is(join("\n", @wrong), '', scalar @open . ' ids that are none are a gap');

    my $after = listen_to($events, 'Last-Event-ID' => 'x');
    $after->next(20);
    publish('test_run.progress', 'after the gap');
    is($after->next(20)->{json}{id}, $number, 'after a gap events go on');

    my $raw;
    ok($voice->wait_for(sub {
        $raw = Voice::Raw->new($voice);
        $raw->put("GET $run?last_event_id=$now:0 HTTP/1.1\r\nHost: x\r\n"
                  . "Authorization: Bearer $owner->{token}\r\n"
                  . upgrade($run) . "\r\n");
        return $raw->reply->{status} == 101;
    }, 20), 'a WebSocket opens, too');
    publish('test_run.progress', 'over the socket');
    is(frame($raw)->{id}, $number, 'and goes on');
}


# --- small things ---------------------------------------------------------

sub listen_to {
    my ($path, %headers) = @_;

    # opening streams has a limit, too
    return $voice->wait_for(sub {
        my $stream = $voice->stream($path, %headers,
            Authorization => "Bearer $owner->{token}");
        return $stream->{status} != 429 && $stream;
    }, 20);
}


# As the relay does, to the listener that is its own.
sub publish {
    my ($type, $text) = @_;

    my $body = $json->encode({ id => ++$number, event_type => $type,
                               payload => { text => $text } });
    my $channels = join ',', "$owner->{tenant_id}.all",
        "$owner->{tenant_id}.$type", "test_run.$id->{'test-runs'}";
    my $socket = IO::Socket::UNIX->new(
        Peer => "$voice->{stack}{sockets}/publish.sock")
        or die "publish.sock: $!\n";

    print $socket "POST /publish?channels=$channels HTTP/1.0\r\n"
        . "X-EventSource-Event: $type\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    my $line = <$socket> // '';

    $line =~ / 20\d / or die "not published: $line";
}
