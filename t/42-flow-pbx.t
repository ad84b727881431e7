#!/usr/bin/perl

# What the VoiceStream documents promise of a call, over HTTP and WebSocket:
# packets in any order, their totals and gaps, completion, the grace period,
# the states, the events, and the races.

# covers: stream_supervisor

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::CallModel;
use Voice::Pbx;
use Voice::WebSocket;

use constant GRACE => 2;               # seconds of the tenant "acme"

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(processes => 2, profiles => {
    'analysis dead' => { base_url => 'http://127.0.0.1:9',
        allow_private => 'yes' } });
my %who = (acme => settle('acme', grace_seconds => GRACE),
           slow => settle('slow', grace_seconds => 600),
           fail => settle('fail', grace_seconds => 0, analysis => 'dead',
                          redrive_seconds => 3600));
my $who = $who{slow};
my $failing = begin_to_fail();      # five tries take their time

banner();
one_packet();
in_order();
out_of_order();
late();
far_gap();
duplicates();
refused_packets();
completion();
grace();
incomplete();
states();
whole_call();
failed_call();
first_packets();
same_packet();
same_end();
end_and_packets();

$voice->finish;


# --- packets --------------------------------------------------------------

sub banner {
    is_deeply($voice->call('service_banner')->{json},
              { service => 'VoiceStream PBX Microservice',
                status => 'running', version => '1.0.0' },
              'the service says what it is');
}


sub one_packet {
    my $reply = packet('call_001', 0, 'audio_chunk_0');

    is($reply->{status}, 202, 'a packet is accepted');
    is_deeply($reply->{json}, { status => 'accepted',
        message => 'Packet received successfully', call_id => 'call_001',
        sequence => 0, total_received => 1, missing_sequences => [],
        missing_count => 0, duplicate => JSON::PP::false },
        'with the members that the documents show');
    is(show('call_001')->{state}, 'IN_PROGRESS', 'the call has begun');

    $reply = $voice->call('ingest_packet', as => $who,
        path => { call_id => 'call_001' }, body => { sequence => 1,
            data => 'x', timestamp => 0.5, codec => 'opus', extra => [1] });
    is("$reply->{status} $reply->{json}{total_received}", '202 2',
       'members that nobody knows are passed by');
    is(packet("n\x{101}me 1/2", 0, "\x{4e2d} \"\\\x{1f600}")->{json}{call_id},
       "n\x{101}me 1/2", 'ids and data are any text');
}


sub in_order {
    my @replies = map { packet('inorder', $_, "d$_")->{json} } 0 .. 9;

    is(join(' ', map { $_->{total_received} } @replies), '1 2 3 4 5 6 7 8 9 10',
       'packets in order are counted');
    is(scalar(grep { $_->{status} ne 'accepted' || $_->{missing_count}
                     || @{$_->{missing_sequences}} } @replies), 0,
       'and none is missing');
}


sub out_of_order {
    my $reply = packet('gap', 5, 'd5')->{json};

    is("@{$reply->{missing_sequences}}", '0 1 2 3 4',
       'a first packet of number 5 leaves five gaps');
    $reply = packet('gap', 8, 'd8')->{json};
    is("@{$reply->{missing_sequences}} $reply->{missing_count}",
       '0 1 2 3 4 6 7 7', 'the next one more');
    my $call = show('gap');
    is_deeply($call->{missing_ranges}, [[0, 4], [6, 7]],
              'which are shown as ranges');
    is("$call->{total_received} $call->{missing_count}", '2 7',
       'with their number');
}


sub late {
    my $reply = packet('gap', 2, 'd2')->{json};

    is($reply->{status}, 'accepted', 'a late packet is accepted');
    is("$reply->{total_received} @{$reply->{missing_sequences}}",
       '3 0 1 3 4 6 7', 'and no longer missing');
    packet('gap', $_, "d$_") for 7, 0, 6, 4, 1;
    $reply = packet('gap', 3, 'd3')->{json};
    is("$reply->{total_received} $reply->{missing_count}", '9 0',
       'until none is');
}


# The source drops such a gap whole and loses what comes for it.
sub far_gap {
    my $reply = packet('far', 5000, 'last')->{json};

    is($reply->{missing_count}, 5000, 'a gap of thousands is kept');
    is(join(' ', @{$reply->{missing_sequences}}), join(' ', 0 .. 99),
       'its first hundred are listed');
    is(packet('far', $_, "d$_")->{json}{status}, 'accepted',
       "packet $_ of it still counts") for 4999, 0, 2500;
    is(packet('far', 4998, 'd')->{json}{missing_count}, 4996,
       'and the number falls');
    is(packet('far', 2_147_483_647, 'd')->{status}, 202,
       'the largest sequence is taken');
}


sub duplicates {
    packet('twice', $_, "d$_") for 0, 1, 3;

    my $reply = packet('twice', 1, 'd1');
    is($reply->{status}, 202, 'a duplicate is no error');
    is_deeply($reply->{json}, { status => 'duplicate',
        message => 'Packet already received', call_id => 'twice',
        sequence => 1, total_received => 3, missing_sequences => [2],
        missing_count => 1, duplicate => JSON::PP::true },
        'but told, and not counted');

    my $before = metric('packets_total{status="differing"}');
    packet('twice', 3, 'something else');
    is(stored('twice', 3), 'd3', 'another payload does not overwrite');
    ok($voice->wait_for(sub {
        metric('packets_total{status="differing"}') == $before + 1 }, 10),
       'it is counted');
    like(logs(), qr/packet 3 of call "twice" came again with other data/,
         'and logged');
}


sub refused_packets {
    my @rows = (
        ['{"sequence":-1,"data":"x","timestamp":1}', 422, 'body sequence'],
        ['{"sequence":1.5,"data":"x","timestamp":1}', 422, 'body sequence'],
        ['{"sequence":null,"data":"x","timestamp":1}', 422, 'body sequence'],
        ['{"sequence":2147483648,"data":"x","timestamp":1}', 422,
         'body sequence'],
        ['{"data":"x","timestamp":1}', 422, 'body sequence'],
        ['{"sequence":0,"timestamp":1}', 422, 'body data'],
        ['{"sequence":0,"data":"","timestamp":1}', 422, 'body data'],
        ['{"sequence":0,"data":["x"],"timestamp":1}', 422, 'body data'],
        ['{"sequence":0,"data":"x"}', 422, 'body timestamp'],
        ['{"sequence":0,"data":"x","timestamp":0}', 422, 'body timestamp'],
        ['{"sequence":0,"data":"x","timestamp":-1}', 422, 'body timestamp'],
        ['{"sequence":0,"data":"x","timestamp":"1"}', 422, 'body timestamp'],
        ['{"sequence":0,"data":"x\u0000","timestamp":1}', 422, undef],
        ['{"sequence":0,"data":"' . 'x' x 60_000 . '","timestamp":1}', 422,
         'body data'],
        ['{"sequence":0,"data":"x","timestamp":1', 400, undef],
        ["{\"sequence\":0,\"data\":\"\xc3\x28\",\"timestamp\":1}", 400, undef],
        ['{"sequence":0,"data":"' . 'x' x 300_000 . '","timestamp":1}', 413,
         undef],
        ['', 400, undef],
    );

    for my $row (@rows) {
        my ($body, $status, $place) = @$row;
        my $what = length $body > 60 ? length($body) . ' bytes' : $body;
        my $reply = post('/v1/call/stream/refused', $body);
        is($reply->{status}, $status, "$what: $status");
        ok(exists $reply->{json}{detail}, 'with a detail');
        is(join(', ', map { "@{$_->{loc}}" } @{$reply->{json}{detail}}),
           $place, "at $place") if defined $place;
    }

    is($voice->request('GET', '/v1/call/stream/refused')->{status}, 405,
       'another method is refused');
    is(post('/v1/call/stream/' . 'c' x 256,
            '{"sequence":0,"data":"x","timestamp":1}')->{status}, 422,
       'and so is an id that is too long');
    is($voice->request('GET', '/v1/calls/refused', headers => token())
             ->{status}, 404, 'none of them has begun a call');
}


# --- the end --------------------------------------------------------------

sub completion {
    my $reply = complete('nobody', 1);
    is($reply->{status}, 404, 'a call that is not known cannot end');
    is($reply->{json}{detail}, 'Call nobody not found', 'as the source says');

    packet('end', $_, "d$_") for 0 .. 2;
    for my $body ('{"total_packets":0}', '{"total_packets":-3}', '{}',
                  '{"total_packets":"3"}', '{"total_packets":2147483648}')
    {
        is(post('/v1/call/complete/end', $body)->{status}, 422,
           "$body is refused");
    }

    $reply = complete('end', 5);
    is($reply->{status}, 202, 'a completion is accepted');
    is_deeply($reply->{json}, { status => 'accepted', call_id => 'end',
        message => 'Call completion signal received',
        expected_total_packets => 5 },
        'with the members that the documents show');
    is(show('end')->{state}, 'COMPLETED', 'the call is completed');
    is(show('end')->{expected_total_packets}, 5, 'with that total');

    $reply = complete('end', 5);
    is("$reply->{status} $reply->{json}{expected_total_packets}"
       . " $reply->{json}{processing_state} $reply->{json}{missing_count}",
       '202 5 COMPLETED 2', 'the same again tells how it stands');
    $reply = complete('end', 4);
    is("$reply->{status} $reply->{json}{error}{code}", '409 CONFLICT',
       'another total is refused');
    is(show('end')->{expected_total_packets}, 5, 'and changes nothing');

    $reply = packet('end', 5, 'd5')->{json};
    is_deeply($reply, { status => 'rejected', call_id => 'end', sequence => 5,
        message => 'Call already completed, no longer accepting packets',
        total_received => 3, missing_sequences => [], missing_count => 0,
        duplicate => JSON::PP::false },
        'a sequence past the total is rejected');
    is(packet('end', 4, 'd4')->{json}{status}, 'accepted',
       'what belongs to it still counts');
    is(packet('end', 4, 'd4')->{json}{status}, 'duplicate',
       'and is told when it comes twice');
}


# Late packets are part of what is processed; after that none is taken.
sub grace {
    $who = $who{acme};
    packet('grace', $_, "w$_") for 0, 2;
    complete('grace', 3);
    is(packet('grace', 1, 'w1')->{json}{status}, 'accepted',
       'a packet is late, but within the grace period');

    ok(reaches('grace', 'ARCHIVED'), 'the call is processed after it');
    is(show('grace')->{transcription}, 'w0 w1 w2',
       'the late packet is in its place');
    is(packet('grace', $_, 'x')->{json}{status}, 'rejected',
       "packet $_ is rejected after it") for 0, 1, 7;
    is(stored('grace', 1), 'w1', 'and overwrites nothing');
    is(complete('grace', 3)->{json}{processing_state}, 'ARCHIVED',
       'the completion may still be repeated');
    is(complete('grace', 4)->{status}, 409, 'but not with another total');
    is(show('grace')->{drive}, 1, 'it was processed once');
}


# What never came is told, and the rest is processed.
sub incomplete {
    packet('tail', $_, "w$_") for 0, 3;
    complete('tail', 6);
    ok(reaches('tail', 'ARCHIVED'), 'a call with gaps is processed');

    my $call = show('tail');
    is_deeply($call->{missing_ranges}, [[1, 2], [4, 5]],
              'the gap and the tail are missing');
    is("$call->{missing_count} $call->{total_received}", '4 2',
       'by their number');
    is($call->{transcription}, 'w0 w3', 'what came is joined');
}


sub states {
    my @moves = map { "$_->{from_state}>$_->{to_state}" }
        @{show('grace')->{history}};

    is("@moves", 'IN_PROGRESS>COMPLETED COMPLETED>PROCESSING_AI'
       . ' PROCESSING_AI>ARCHIVED', 'the states follow one another');
    for my $to (qw(IN_PROGRESS COMPLETED PROCESSING_AI FAILED ARCHIVED)) {
        my $moved = $voice->sql("begin; select core.use_tenant("
            . "'$who->{tenant_id}'); select core.call_move(c.id, '$to') from"
            . " core.call c where c.tenant_id = '$who->{tenant_id}'"
            . " and c.external_id = 'grace'; commit");
        is($moved =~ s/\s//gr, 'f', "none leads from ARCHIVED to $to");
    }
    is(show('grace')->{state}, 'ARCHIVED', 'it stays what it is');
}


# --- all of it, seen by a supervisor --------------------------------------

sub whole_call {
    my $socket = listen_to('whole');
    is($socket->{status}, 101, 'a supervisor listens');

    packet('whole', $_, "w$_") for 0, 2, 1;
    # whatever a client says is passed by
    syswrite $socket->{socket}, pack('CCN', 0x81, 0x82, 0) . 'hi';
    packet('whole', 1, 'w1');
    complete('whole', 3);
    my @events = events($socket, 'ai_completed');

    is(join(' ', map { $_->{event} } @events), 'packet_received'
       . ' packet_received packet_received packet_duplicate state_changed'
       . ' state_changed state_changed ai_completed',
       'all that happens is told in its order');
    is(join(' ', map { "$_->{from_state}>$_->{to_state}" }
                     grep { $_->{event} eq 'state_changed' } @events),
       'IN_PROGRESS>COMPLETED COMPLETED>PROCESSING_AI'
       . ' PROCESSING_AI>ARCHIVED', 'the states, too');

    my %shown = (packet_received => { call_id => 'whole', sequence => 2,
                     total_received => 2, missing_sequences => [1] },
                 packet_duplicate => { call_id => 'whole', sequence => 1,
                     total_received => 3, missing_sequences => [] },
                 state_changed => { call_id => 'whole',
                     from_state => 'IN_PROGRESS', to_state => 'COMPLETED' },
                 ai_completed => { call_id => 'whole',
                     transcription => 'w0 w1 w2', sentiment => 'neutral' });
    for my $name (sort keys %shown) {
        my %members = %{$shown{$name}};
        ok(scalar(grep { my $event = $_; $event->{event} eq $name
               && !grep { $json->encode([$event->{$_}])
                          ne $json->encode([$members{$_}]) } keys %members }
                  @events), "$name has the members of the source");
    }

    packet('whole', 0, 'w0');
    my ($rejected) = events($socket, 'packet_rejected');
    is(($rejected || {})->{state}, 'ARCHIVED', 'what is rejected is told');
    is(listen_to('whole', 'X-Nobody: 1')->{status}, 401,
       'a supervisor has to say who he is');
}


# Who listens to the call that will have failed.
sub begin_to_fail {
    $who = $who{fail};
    my $socket = listen_to('bad');
    packet('bad', 0, 'w0');
    complete('bad', 1);
    $who = $who{slow};

    return $socket;
}


sub failed_call {
    $who = $who{fail};
    my @events = events($failing, 'ai_failed');

    is(($events[-1] || {})->{reason},
       'AI service failed after maximum retries',
       'a service that never answers fails the call, as the source says');
    is(join(' ', map { $_->{to_state} }
                     grep { $_->{event} eq 'state_changed' } @events),
       'COMPLETED PROCESSING_AI FAILED', 'by way of its states');
    is(show('bad')->{state}, 'FAILED', 'it has failed');
    is($voice->sql("select count(*) from core.call_try t join core.call c on"
                   . " c.id = t.call_id where c.external_id = 'bad'"), 5,
       'after five tries');
    is($voice->sql("select count(*) from core.job j join core.call c on"
                   . " c.id = j.subject_id where c.external_id = 'bad' and"
                   . " j.state = 'queued'"), 1, 'it will be tried again');
    is(packet('bad', 1, 'w1')->{json}{status}, 'rejected',
       'it takes no more packets');
    $who = $who{slow};
}


# --- races ----------------------------------------------------------------

# First packets of new calls from many connections: the source loses one.
sub first_packets {
    my @wrong;

    for my $round (1 .. 20) {
        my $pbx = pbx(16);
        $pbx->packet($_, "first$round", $_, "d$_") for 0 .. 15;
        my @exchanges = $pbx->run;
        push @wrong, Voice::CallModel::check(\@exchanges,
                                             whole("first$round"));
        push @wrong, 'not all accepted'
            if grep { $_->{json}{status} ne 'accepted' } @exchanges;
    }

    is(join("\n", @wrong), '',
       'sixteen first packets of a call are all accepted, twenty times');
}


sub same_packet {
    my %count;
    my @wrong;

    for my $round (1 .. 20) {
        packet("same$round", 0, 'd0') if $round % 2;
        my $pbx = pbx(16);
        $pbx->packet($_, "same$round", 1, "d$_") for 0 .. 15;
        my @exchanges = $pbx->run;
        $count{$_->{json}{status}}++ for @exchanges;
        push @wrong, Voice::CallModel::check(\@exchanges,
            whole("same$round")) unless $round % 2;
    }

    is_deeply(\%count, { accepted => 20, duplicate => 300 },
              'of sixteen of the same packet one is accepted');
    is(join("\n", @wrong), '', 'and it is the one that is stored');
}


sub same_end {
    packet('ends', $_, "d$_") for 0 .. 3;
    my $pbx = pbx(16);
    $pbx->complete($_, 'ends', $_ % 2 ? 4 : 5) for 0 .. 15;
    my @exchanges = $pbx->run;
    my %count;

    $count{$_->{status}}++ for @exchanges;
    is_deeply(\%count, { 202 => 8, 409 => 8 },
              'of two totals at the same time one is taken');
    is($voice->sql("select count(*) from core.job j join core.call c on"
                   . " c.id = j.subject_id where c.external_id = 'ends'"), 1,
       'and the call is processed once');
}


sub end_and_packets {
    my @wrong;

    for my $round (1 .. 20) {
        packet("mix$round", 0, 'd0');
        my $pbx = pbx(8);
        $pbx->packet($_ % 8, "mix$round", $_, "d$_") for 1 .. 16;
        $pbx->complete(3, "mix$round", 9);
        $pbx->packet($_ % 8, "mix$round", $_, 'other') for 5 .. 12;
        my @exchanges = ({ connection => 0, kind => 'packet', sequence => 0,
            data => 'd0', call => "mix$round", status => 202, begun => -1,
            ended => 0, json => { status => 'accepted', sequence => 0,
                message => 'Packet received successfully', total_received => 1,
                call_id => "mix$round", missing_sequences => [],
                missing_count => 0, duplicate => JSON::PP::false } },
            $pbx->run);
        push @wrong, Voice::CallModel::check(\@exchanges, whole("mix$round"),
                                             grace => 'long');
    }

    is(join("\n", @wrong), '',
       'packets that race with the end are before it or after it');
}


# --- small things ---------------------------------------------------------

sub settle {
    my ($name, %settings) = @_;

    my $owner = $voice->tenant($name);
    $voice->call('update_tenant', as => $owner,
        path => { id => $owner->{tenant_id} },
        body => { settings => { calls => \%settings } });

    return $owner;
}


sub packet {
    my ($call, $sequence, $data) = @_;

    return $voice->call('ingest_packet', as => $who,
        path => { call_id => $call },
        body => { sequence => $sequence, data => $data,
                  timestamp => 1_234_567_890.5 });
}


sub complete {
    my ($call, $total) = @_;

    return $voice->call('complete_call', as => $who,
        path => { call_id => $call }, body => { total_packets => $total });
}


sub show {
    my ($call) = @_;

    return $voice->call('get_named_call', as => $who,
                        path => { call_id => $call })->{json};
}


sub reaches {
    my ($call, $state) = @_;

    return $voice->wait_for(sub { show($call)->{state} eq $state }, 60);
}


sub token { return { Authorization => "Bearer $who->{token}" } }


sub post {
    my ($path, $body) = @_;

    return $voice->request('POST', $path, content => $body, headers => {
        %{token()}, 'Content-Type' => 'application/json' });
}


sub pbx {
    my ($connections) = @_;

    return Voice::Pbx->new(ports => [$voice->{stack}{port}],
        connections => $connections,
        header => "Authorization: Bearer $who->{token}");
}


sub listen_to {
    my ($call, $header) = @_;

    return Voice::WebSocket->open($voice, "/ws/supervisor?call_id=$call",
        split /: /, $header // "Authorization: Bearer $who->{token}");
}


# What a supervisor hears up to an event of that name.
sub events {
    my ($socket, $last) = @_;

    my @events;
    while (my $event = $socket->next(60)) {
        push @events, $event->{json};
        last if $event->{json}{event} eq $last;
    }

    return @events;
}


sub stored {
    my ($call, $sequence) = @_;

    return $voice->sql("select p.data from core.packet p join core.call c on"
        . " c.id = p.call_id where c.external_id = '$call' and p.sequence ="
        . " $sequence");
}


# A call as the model of calls wants it.
sub whole {
    my ($call) = @_;

    return $json->decode($voice->sql("select json_build_object('received',"
        . " s.received, 'next', s.next_sequence, 'expected',"
        . " coalesce(s.expected::text, ''), 'missing', (select"
        . " coalesce(string_agg(m::text, ',' order by m), '') from"
        . " unnest(s.missing) r, generate_series(lower(r), upper(r) - 1) m),"
        . " 'rows', (select json_object_agg(p.sequence, p.data) from"
        . " core.packet p where p.call_id = s.call_id)) from"
        . " core.call_stream s where s.external_id = '$call'"));
}


sub metric {
    my ($name) = @_;

    my $sum = 0;
    $sum += $_ for $voice->request('GET', '/metrics')->{content}
        =~ /^\Q$name\E (\d+)/mg;

    return $sum;
}


sub logs {
    return join '', map { Voice::slurp($_) }
        glob "$voice->{stack}{log}/*.log";
}
