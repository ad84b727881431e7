#!/usr/bin/perl

# Live streams of calls: what arrives, in which shape and for whom; resuming;
# tickets; and that nothing is told to nobody.

# covers: stream_supervisor create_stream_ticket

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Raw;
use Voice::WebSocket;

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(processes => 2, workers => 1);
my $owner = $voice->tenant('acme');
my $rival = $voice->tenant('rival');

shapes();
filters();
handshakes();
frames();
resumption();
gaps();
tickets();
reload();
outage();

$voice->finish;


# --- what arrives ---------------------------------------------------------

sub shapes {
    my $socket = socket_of($owner);
    my $stream = stream_of($owner);
    my $other = socket_of($rival);

    is("$socket->{status} $stream->{status} $other->{status}", '101 200 101',
       'a WebSocket and a stream of events open');

    emit($owner, state_changed => { call_id => 'c"1', to_state => 'COMPLETED',
                                    from_state => 'IN_PROGRESS' });
    emit($owner, ai_completed => { call_id => 'c"1', sentiment => 'neutral',
                                   transcription => "\x{e9}t\x{e9}\n" });
    emit($owner, ai_failed => { call_id => 'c2', reason => 'no answer' });

    my @got = map { $socket->next(20) } 1 .. 3;
    is_deeply([map { $_->{json}{event} } @got],
              [qw(state_changed ai_completed ai_failed)],
              'events of states come in their order');
    like($got[0]{data}, qr/^\{"event":"state_changed","call_id":"c\\"1",
        "from_state":"IN_PROGRESS","to_state":"COMPLETED",
        "id":\d+,"timestamp":"[^"]+"\}$/x, 'their keys, too');
    like($got[1]{data}, qr/^\{"event":"ai_completed","call_id":"c\\"1",
        "transcription":"[^"]+","sentiment":"neutral","id":\d+,
        "timestamp":"[^"]+"\}$/x, 'those of a transcript');
    like($got[2]{data}, qr/^\{"event":"ai_failed","call_id":"c2",
        "reason":"no\ answer","id":\d+,"timestamp":"[^"]+"\}$/x,
        'and those of a failure');

    my @sse = map { $stream->next(20) } 1 .. 3;
    is(join('|', map { $_->{data} } @sse), join('|', map { $_->{data} } @got),
       'both streams say the same');
    is(join(' ', map { "$_->{event}/$_->{id}" } @sse),
       join(' ', map { "$_->{json}{event}/$_->{json}{id}" } @got),
       'a server-sent event has the name and the id');

    publish($owner, 'packet_received', 'c2', 'packet', { sequence => 1 });
    is($socket->next(20)->{json}{event}, 'packet_received',
       'events of packets come, too');
    is($stream->next(20)->{id}, undef, 'without an id to resume from');
    is($other->next(0.3), undef, 'another tenant hears nothing of it');
}


sub filters {
    my @rows = (
        ['all', '', 'ai1 ai2 pa1 pa2 st1 st2'],
        ['one call', 'call_id=f1', 'ai1 pa1 st1'],
        ['one type', 'event_types=ai_failed', 'ai1 ai2'],
        ['states', 'event_types=state_changed,ai_failed,ai_completed',
         'ai1 ai2 st1 st2'],
        ['packets of a call', 'call_id=f1&event_types=packet_received',
         'pa1'],
        ['raw', 'rate=raw', 'ai1 ai2 pa1 pa2 st1 st2'],
    );
    my @streams = map { socket_of($owner, $_->[1]) } @rows;

    for my $call ('f1', 'f2') {
        emit($owner, state_changed => { call_id => $call });
        emit($owner, ai_failed => { call_id => $call });
        publish($owner, 'packet_received', $call, 'packet', {});
        publish($owner, 'packet_received', $call, 'raw', {});
    }

    # packets come by another way than states: each has its order
    for my $row (@rows) {
        my ($name, undef, $expected) = @$row;
        my $socket = shift @streams;
        my @events = map { $socket->next(20) } split / /, $expected;
        push @events, $socket->next(0.3) // ();
        is(join(' ', sort map { substr($_->{json}{event}, 0, 2)
                . substr $_->{json}{call_id}, 1 } @events), $expected,
           "$name: what was asked for, once");
    }
}


# --- the protocol ---------------------------------------------------------

sub handshakes {
    my $auth = "Authorization: Bearer $owner->{token}\r\n";
    my $ws = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    my $key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    my $version = "Sec-WebSocket-Version: 13\r\n";
    my $sse = "Accept: text/event-stream\r\n";
    my @rows = (
        ['nobody', '/ws/supervisor', "$ws$key$version", 401],
        ['no upgrade', '/ws/supervisor', $auth, 400],
        ['no key', '/ws/supervisor', "$auth$ws$version", 400],
        ['another version', '/ws/supervisor',
         "$auth$ws${key}Sec-WebSocket-Version: 8\r\n", 400],
        ['an unknown type', '/ws/supervisor?event_types=x',
         "$auth$ws$key$version", 422],
        ['an unknown rate', '/ws/supervisor?rate=x', "$auth$ws$key$version",
         422],
        ['nobody hears events', '/api/v1/calls/stream', $sse, 401],
        ['events as JSON', '/api/v1/calls/stream',
         "${auth}Accept: application/json\r\n", 406],
    );

    for my $row (@rows) {
        my ($what, $path, $headers, $status) = @$row;
        my $raw = Voice::Raw->new($voice);
        $raw->put("GET $path HTTP/1.1\r\nHost: x\r\n$headers\r\n");
        is($raw->reply->{status}, $status, "$what: $status");
        $raw->abort;
    }

    my $raw = opened($owner);
    is($raw->{reply}{headers}{'sec-websocket-accept'},
       's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'the answer of RFC 6455');
    is(lc $raw->{reply}{headers}{connection}, 'upgrade', 'and its header');
    $raw->abort;
}


# What a client sends.  A mask of zeros leaves the bytes as they are.
sub frames {
    my $raw = opened($owner);
    my $mask = "\0\0\0\0";

    $raw->put("\x81\x85${mask}hello\x82\xfe\x01\x00$mask" . 'x' x 256);
    $raw->put("\x89\x84" . "\x01\x02\x03\x04" . ('ping' ^ "\x01\x02\x03\x04"));
    is($raw->take(6), "\x8a\x04ping", 'a ping is answered, the rest ignored');

    $raw->put($_) for split //, "\x89\x81${mask}a";
    is($raw->take(3), "\x8a\x01a", 'a ping in pieces, too');

    $raw->put("\x88\x82$mask\x03\xe8");
    is($raw->rest, "\x88\x02\x03\xe8", 'a close is answered, then it ends');

    for my $bytes ("\x81\x05hello", "\xf1\x80$mask", "\x83\x80$mask",
                   "\x09\x80$mask", "\x89\xfe\x00\x7e$mask",
                   "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff$mask")
    {
        my $bad = opened($owner);
        $bad->put($bytes);
        is(unpack('H*', $bad->rest), '880203ea',
           'a broken frame is refused: ' . unpack 'H*', $bytes);
    }

    # a ping that is too long, and more bytes than a ping can have
    my $early = opened($owner, "\x89\xfe$mask" . 'x' x 126);
    is(unpack('H*', $early->rest), '880203ea',
       'a broken frame that comes with the request is refused, too');
}


# --- resuming -------------------------------------------------------------

sub resumption {
    my $first = socket_of($owner);
    emit($owner, state_changed => { call_id => 'r', to_state => 0 });
    my $id = $first->next(20)->{json}{id};
    $first->close;

    my @states = map { { call_id => $_ % 2 ? 'r' : 's', to_state => $_ } }
        1 .. 40;
    emit($owner, state_changed => @states);
    publish($owner, 'packet_received', 'r', 'packet', {}) for 1 .. 50;
    ok($voice->wait_for(sub { told() }, 20), 'all are told');

    my @all = map { $_->{json}{to_state} } following(
        socket_of($owner, "last_event_id=$id"));
    is("@all", join(' ', 1 .. 40), 'a WebSocket goes on where it was');

    @all = map { $_->{json}{to_state} } following(
        stream_of($owner, '', 'Last-Event-ID' => $id));
    is("@all", join(' ', 1 .. 40), 'events go on after the last id');

    @all = map { $_->{json}{to_state} } following(
        stream_of($owner, 'call_id=s', 'Last-Event-ID' => $id));
    is("@all", join(' ', map { $_ * 2 } 1 .. 20), 'those of a call, too');

    @all = following(stream_of($owner, 'event_types=ai_failed',
                               'Last-Event-ID' => $id));
    is(scalar @all, 0, 'those of other types do not come');
}


# All that comes until nothing comes for a while.
sub following {
    my ($stream) = @_;

    my @all;
    while (my $event = $stream->next(1)) {
        push @all, $event;
    }
    $stream->close;

    return @all;
}


sub gaps {
    for my $id ('x', '999999999999', '17:0', '99999999999999999999', "'",
                '-1')
    {
        my $stream = stream_of($owner, '', 'Last-Event-ID' => $id);
        my $event = $stream->next(20) // {};
        is($event->{event}, 'gap', "the id $id is a gap");
        like($event->{json}{refetch}, qr{^/api/v1/events\?after=\d+$},
             'which says where to read');
        $stream->close;
    }

    my $socket = socket_of($owner, 'last_event_id=x');
    is($socket->next(20)->{json}{event}, 'gap', 'a WebSocket hears of it');
    emit($owner, ai_failed => { call_id => 'after' });
    is($socket->next(20)->{json}{call_id}, 'after', 'and goes on');

    $voice->sql("insert into core.event (tenant_id, type, subject_type,"
        . " subject_id, payload, trace_id) select '$owner->{tenant_id}',"
        . " 'call.ai_failed', 'call', core.uuid_v7(),"
        . " '{\"call_id\": \"many\"}', '' from generate_series(1, 1100)");
    $voice->wait_for(sub { told() }, 30);
    my $all = stream_of($owner, '', 'Last-Event-ID' => 1);
    is($all->next(20)->{event}, 'gap', 'more than a thousand are a gap, too');
    my $head = $voice->sql('select max(seq) from core.event'
        . " where tenant_id = '$owner->{tenant_id}'");
    my @last = following(stream_of($owner, '',
                                   'Last-Event-ID' => $head - 1000));
    is(scalar @last, 1000, 'a thousand are not');
}


# --- tickets --------------------------------------------------------------

sub tickets {
    my $key = $voice->call('create_api_key', as => $owner, body => {
        name => 'eyes', role => 'api_client', scopes => ['calls:read',
                                                        'events:read'] });
    my $deaf = $voice->call('create_api_key', as => $owner, body => {
        name => 'deaf', role => 'api_client', scopes => ['events:read'] });
    my @actors = ($owner, { api_key => $key->{json}{data}{secret} });

    for my $actor (@actors) {
        my $reply = $voice->call('create_stream_ticket', as => $actor);
        is($reply->{status}, 201, 'a ticket is made');
        is($reply->{json}{data}{expires_in}, 30, 'for half a minute');

        my $ticket = $reply->{json}{data}{ticket};
        is($voice->sql("select count(*) from core.stream_ticket t where"
           . " t::text like '%$ticket%'"), 0, 'that is not stored itself');
        my @both = map { Voice::WebSocket->open($voice,
            "/ws/supervisor?ticket=$ticket") } 1 .. 2;
        is(join(' ', map { $_->{status} } @both), '101 401',
           'it opens one stream');
        emit($owner, ai_failed => { call_id => 'ticket' });
        is($both[0]->next(20)->{json}{call_id}, 'ticket', 'which works');
    }

    my $ticket = sub {
        return $voice->call('create_stream_ticket', as => $_[0] // $owner,
            body => $_[1] ? { stream => $_[1] } : {})->{json}{data}{ticket};
    };

    is(status_of("ticket=" . $ticket->(undef, 'stream_events')), 401,
       'a ticket of another stream does not');
    is(status_of("ticket=" . $ticket->(undef, 'stream_supervisor')), 101,
       'one of this stream does');
    is(status_of('ticket=' . $ticket->({ api_key =>
        $deaf->{json}{data}{secret} })), 403, 'a key lends its scopes alone');

    my $old = $ticket->();
    $voice->sql("update core.stream_ticket set expires_at = now()");
    is(status_of("ticket=$old"), 401, 'an old one does not');
    is(status_of('ticket=vgt_x'), 401, 'nor one that was never made');
    is(status_of('ticket=' . 'x' x 65), 401, 'nor one that is too long');

    my $wrong = $ticket->();
    is($voice->request('GET', "/api/v1/events?ticket=$wrong")->{status}, 401,
       'what is no stream takes none');
    is(status_of("ticket=$wrong"), 101, 'and does not use it up');

    my $logout = $voice->person('acme', 'viewer', 'gone@acme.example');
    my $gone = $ticket->($logout);
    $voice->call('logout', as => $logout);
    is(status_of("ticket=$gone"), 401, 'a session that ended takes it along');

    my @raced = race($ticket->());
    is(scalar(grep { $_ == 101 } @raced), 1, 'of twenty at once one gets in');

    my $logs = join '', map { Voice::slurp($_) }
        glob "$voice->{stack}{log}/*.log";
    unlike($logs, qr/vgt_/, 'no log has seen a ticket');
}


# Statuses of twenty connections that bring a ticket at the same time.
sub race {
    my ($ticket) = @_;

    my @raws = map { Voice::Raw->new($voice) } 1 .. 20;
    $_->put("GET /ws/supervisor?ticket=$ticket HTTP/1.1\r\nHost: x\r\n"
            . upgrade()) for @raws;
    my @statuses = map { $_->reply(head => 1)->{status} } @raws;
    $_->abort for @raws;

    return @statuses;
}


sub status_of {
    my ($query) = @_;

    my $socket = Voice::WebSocket->open($voice, "/ws/supervisor?$query");
    my $status = $socket->{status};
    $socket->close;

    return $status;
}


# --- a reload -------------------------------------------------------------

# Streams end as their protocol says; who comes again misses nothing.
sub reload {
    my $socket = socket_of($owner);
    my $stream = stream_of($owner);
    my (@socket, @stream);

    emit($owner, state_changed => { call_id => 'reload', to_state => 0 });
    push @socket, $socket->next(20);
    push @stream, $stream->next(20);

    for my $round (1 .. 3) {
        $voice->stack('reload', 'nginx');

        for my $n (1 .. 20) {
            emit($owner, state_changed => { call_id => 'reload',
                                            to_state => $round * 100 + $n });
            publish($owner, 'packet_received', 'reload', 'packet', {})
                for 1 .. 5;
            push @socket, $socket->next(0.05) // ();
            push @stream, $stream->next(0.05) // ();
            $socket = socket_of($owner, "last_event_id="
                                . last_of(@socket)) if $socket->ended;
            $stream = stream_of($owner, '', 'Last-Event-ID'
                                => last_of(@stream)) if $stream->ended;
        }
    }

    my $end = emit($owner, ai_failed => { call_id => 'reload' });
    for my $pair ([\$socket, \@socket, 'a WebSocket'],
                  [\$stream, \@stream, 'a stream of events'])
    {
        my ($stream, $got, $name) = @$pair;
        $voice->wait_for(sub {
            push @$got, $$stream->next(0.2) // ();
            if ($$stream->ended) {
                $$stream = $name =~ /Web/
                    ? socket_of($owner, 'last_event_id=' . last_of(@$got))
                    : stream_of($owner, '', 'Last-Event-ID'
                                => last_of(@$got));
            }
            return grep { $_->{json}{event} eq 'ai_failed' } @$got;
        }, 30);
        is(join(' ', map { $_->{json}{to_state} // () } @$got),
           join(' ', 0, map { my $r = $_ * 100; map { $r + $_ } 1 .. 20 }
                     1 .. 3),
           "$name has every event once, in order, over three reloads");
    }
}


# Without Redis nobody hears; who was cut off comes again.
sub outage {
    my $socket = socket_of($owner);
    my $stream = stream_of($owner);
    emit($owner, state_changed => { call_id => 'cut', to_state => 1 });
    my $id = $socket->next(20)->{json}{id};
    is($stream->next(20)->{id}, $id, 'both hear of it');

    $voice->stack('stop', 'redis');
    emit($owner, state_changed => { call_id => 'cut', to_state => 2 });
    my $raw = Voice::Raw->new($voice);
    $raw->put("GET /ws/supervisor HTTP/1.1\r\nHost: x\r\n"
              . "Authorization: Bearer $owner->{token}\r\n" . upgrade());
    my $reply = $raw->reply;
    is($reply->{status}, 503, 'a stream cannot begin without Redis');
    ok($reply->{headers}{'retry-after'}, 'which says when to come again');
    $voice->stack('start', 'redis');

    my @last;
    ok($voice->wait_for(sub {
        push @last, $socket->next(0.1) // ();
        push @last, $stream->next(0.1) // ();
        return $socket->ended && $stream->ended;
    }, 60), 'streams that were cut off end');
    is(scalar @last, 0, 'and say nothing more');
    ok($voice->wait_for(sub { listeners() =~ /^0( 0)*$/ }, 10),
       'nobody listens then, and who was refused never did');

    my @all = map { $_->{json}{to_state} } following(
        socket_of($owner, "last_event_id=$id"));
    @all = map { $_->{json}{to_state} } following(
        socket_of($owner, "last_event_id=$id")) if !@all;
    is("@all", 2, 'who comes again gets what was missed');
}


sub listeners {
    my $text = $voice->request('GET', '/metrics')->{content};

    return join ' ', $text =~ /^voice_live_listeners(?:\{[^}]*\})? (\S+)$/mg;
}


sub last_of {
    my ($last) = grep { defined } map { $_->{json}{id} } reverse @_;

    return $last;
}


# --- small things ---------------------------------------------------------

# Durable events of calls, as SQL makes them; they are told soon.
sub emit {
    my ($tenant, $type, @payloads) = @_;

    $voice->sql("begin; select core.use_tenant(:'tenant');"
        . " select core.emit('call.' || :'type', 'call', core.uuid_v7(), p)"
        . " from jsonb_array_elements(:'payloads') p; commit;",
        tenant => $tenant->{tenant_id}, type => $type,
        payloads => $json->encode(\@payloads));
}


sub told {
    return $voice->sql('select count(*) = 0 from core.event'
                       . ' where published_at is null') eq 't';
}


# An event that is not durable, as an nginx process of another node tells it.
sub publish {
    my ($tenant, $event, $call, $family, $more) = @_;

    my ($all, $one) = $family eq 'raw' ? qw(raw rawcall)
                                       : qw(packets packet);
    my $root = $tenant->{tenant_id};
    my $md5 = md5_hex($call);
    my $channels = join ',', "$root.$all", "$root.$all.$event",
        "$root.$one.$md5", "$root.$one.$md5.$event";
    my $body = $json->encode({ event => $event, call_id => $call, %$more });

    $voice->redis('PUBLISH', "voice:live:" . shard($root),
                  "0 $event $channels\n$body");
}


# FNV-1a of 64 bits.
sub shard {
    my ($text) = @_;

    use integer;
    my $key = -3750763034362895579;
    $key = ($key ^ ord) * 1099511628211 for split //, $text;

    return $key & 63;
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


sub stream_of {
    my ($actor, $query, %headers) = @_;

    return $voice->wait_for(sub {
        my $stream = $voice->stream('/api/v1/calls/stream?' . ($query // ''),
            %headers, Authorization => "Bearer $actor->{token}");
        return $stream && ($stream->{status} // 0) == 200 && $stream;
    }, 20) || die "no stream\n";
}


# $bytes are sent together with the request.
sub opened {
    my ($actor, $bytes) = @_;

    return $voice->wait_for(sub {
        my $raw = Voice::Raw->new($voice);
        $raw->put("GET /ws/supervisor HTTP/1.1\r\nHost: x\r\n"
            . "Authorization: Bearer $actor->{token}\r\n" . upgrade()
            . ($bytes // ''));
        $raw->{reply} = $raw->reply;
        return ($raw->{reply}{status} // 0) == 101 && $raw;
    }, 20) || die "no socket\n";
}


sub upgrade {
    return "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        . "Sec-WebSocket-Version: 13\r\n"
        . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}
