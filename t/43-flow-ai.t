#!/usr/bin/perl

# The road of a call, over HTTP: packets, completion, the AI service, what
# the API shows then and what is told of it.

use strict;
use warnings;

use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Agent::Openai;
use Voice::Ai;
use Voice::Speech;

my %key = (service => 'sk-svc-41c0a7', openai => 'sk-chat-77e1d2');
my $ai = Voice::Ai->start(api_key => $key{service}, path => '/analyse');
my $openai = Voice::Agent::Openai->start(api_key => $key{openai},
    model => 'hear-1', chat_model => 'judge-1', chat => \&judge,
    transcribe => sub { $_[1]{language} ? 'told' : 'my pipe still leaks' },
    fault => sub { $_[0] == 1 ? 'malformed' : undef });

my $voice = Voice->start(workers => 3, profiles => {
    'analysis service' => { base_url => $ai->url, path => '/analyse',
        api_key => $key{service}, allow_private => 'yes', open_ms => 500 },
    'analysis openai' => { provider => 'openai', model => 'judge-1',
        audio_model => 'hear-1', base_url => $openai->url . '/v1',
        api_key => $key{openai}, allow_private => 'yes' },
});
my $owner = $voice->tenant('acme');

settings();
one_call();
grace();
driven_again();
unreliable();
chat();
sound();
heard();
bad_chat();
counted();

$voice->finish;


sub settings {
    my (%more) = @_;

    my $reply = $voice->call('update_tenant', as => $owner,
        path => { id => $owner->{tenant_id} },
        body => { settings => { calls => { grace_seconds => 0,
            analysis => 'service', redrive_seconds => 1, %more } } });
    is($reply->{status}, 200, 'the tenant has its settings');
}


sub packet {
    my ($call, $sequence, $data, %more) = @_;

    my $reply = $voice->call('ingest_packet', as => $owner,
        path => { call_id => $call },
        body => { %more, sequence => $sequence, data => $data,
                  timestamp => 1_700_000_000 + $sequence });

    return $reply->{json}{status} // $reply->{status};
}


sub complete {
    my ($call, $total) = @_;

    return $voice->call('complete_call', as => $owner,
        path => { call_id => $call },
        body => { total_packets => $total })->{status};
}


# A whole call of these packets.
sub send_call {
    my ($call, @packets) = @_;

    packet($call, $_, $packets[$_]) for 0 .. $#packets;

    return complete($call, scalar @packets);
}


sub shown {
    my ($call) = @_;

    return $voice->call('get_named_call', as => $owner,
                        path => { call_id => $call })->{json};
}


sub reaches {
    my ($call, $state) = @_;

    return $voice->wait_for(sub { shown($call)->{state} eq $state }, 90);
}


# What was told of a call: [type, payload].
sub told {
    my ($call) = @_;

    my $reply = $voice->call('list_events', as => $owner,
                             query => { limit => 500 });

    return map { [$_->{event_type}, $_->{payload}] }
        grep { ($_->{payload}{call_id} // '') eq $call }
        @{$reply->{json}{data}};
}


sub one_call {
    is(packet('call-1', $_->[0], $_->[1]), 'accepted', "packet $_->[0]")
        for [2, 'you'], [0, 'thank'], [1, ' '], [3, 'so much'];
    is(complete('call-1', 4), 202, 'the call is complete');
    is(complete('call-1', 4), 202, 'and once more') for 1 .. 3;

    ok(reaches('call-1', 'ARCHIVED'), 'it is archived');
    my @asked = $ai->arrivals('call-1');
    is(@asked, 1, 'the service was asked once');
    is($asked[0]{problem}, undef, 'in its own shape');
    is($asked[0]{body}{data}, 'thank   you so much',
       'for the packets in their order');

    my $call = shown('call-1');
    is($call->{transcription}, 'Heard: thank   you so much',
       'the transcription is shown');
    is($call->{sentiment}, 'positive', 'the sentiment');
    is($call->{sentiment_detail}{confidence}, 0.9, 'its confidence');
    is($call->{sentiment_detail}{method}, 'http:service', 'and where from');
    is($call->{duration_ms}, 3000, 'how long it took');
    is_deeply([map { $_->{to_state} } @{$call->{history}}],
              [qw(COMPLETED PROCESSING_AI ARCHIVED)], 'and its history');

    ok($voice->wait_for(sub { told('call-1') == 4 }, 30),
       'four things are told of it');
    my @told = told('call-1');
    is_deeply([map { join ' ', $_->[0], $_->[1]{to_state} // () } @told],
              ['call.state_changed COMPLETED',
               'call.state_changed PROCESSING_AI',
               'call.state_changed ARCHIVED', 'call.ai_completed'],
              'in the order in which they were');
    is_deeply($told[3][1], { call_id => 'call-1', sentiment => 'positive',
                             transcription => $call->{transcription} },
              'the last one holds the result');
}


# What comes within the grace period counts.
sub grace {
    settings(grace_seconds => 2);
    packet('late', 0, 'first');
    my $ended = time;
    complete('late', 2);
    is(packet('late', 1, 'second'), 'accepted', 'a late packet is taken');

    ok(reaches('late', 'ARCHIVED'), 'the call is processed');
    my ($asked) = $ai->arrivals('late');
    is($asked->{body}{data}, 'first second', 'with it');
    cmp_ok($asked->{at}, '>=', $ended + 2, 'after the grace period');
    is(packet('late', 1, 'other'), 'rejected', 'then nothing more is taken');
}


sub driven_again {
    settings();
    attempts(3);
    $ai->script_of('again', ('503') x 3, '401', 'ok:neutral');
    send_call('again', 'hello');

    ok(reaches('again', 'ARCHIVED'), 'a call that failed twice is archived');
    is(shown('again')->{drive}, 3, 'by its third drive');
    is_deeply([map { $_->{to_state} } @{shown('again')->{history}}],
              [qw(COMPLETED PROCESSING_AI FAILED PROCESSING_AI FAILED
                  PROCESSING_AI ARCHIVED)], 'its history has all moves');

    ok($voice->wait_for(sub { told('again') == 10 }, 30),
       'ten things are told');
    my @failed = grep { $_->[0] eq 'call.ai_failed' } told('again');
    is(@failed, 2, 'two of them that it failed');
    is($failed[0][1]{reason}, 'AI service failed after maximum retries',
       'after all its tries');
    like($failed[1][1]{detail}, qr/refused the credentials/, 'and why');

    my $list = $voice->call('list_call_events', as => $owner,
        path => { id => shown('again')->{id} },
        query => { page_size => 100 })->{json}{data};
    is(scalar(grep { $_->{kind} eq 'try' } @$list), 5, 'each try is listed');
}


# How often a call is tried in a drive; five times would take a while.
sub attempts {
    my ($most) = @_;

    $voice->sql("update core.job_kind set max_attempts = $most"
                . " where kind = 'call_processing'");
}


# Every fourth request fails, as the source's own service does.
sub unreliable {
    srand 7;
    $ai->script((map { rand() < 0.25 ? '503' : 'ok' } 1 .. 60), 'ok');
    my @calls = map { "busy-$_" } 1 .. 20;
    send_call($_, 'hello', 'there') for @calls;

    is(scalar(grep { reaches($_, 'ARCHIVED') } @calls), 20,
       'twenty calls get through to a service that fails often');
    is(scalar(grep { 1 != grep { $_->{step} eq 'ok' } $ai->arrivals($_) }
              @calls), 0, 'each of them once');
    $ai->script('ok');
}


# The content of an answer, by what was said.
sub judge {
    my ($messages) = @_;

    my $said = $messages->[-1]{content};
    return 'I would say: positive' if $said =~ /odd/;
    return '{"sentiment": "grumpy", "score": 3, "confidence": 1,'
        . ' "summary": ""}' if $said =~ /worse/;

    return '{"sentiment": "negative", "score": -0.75, "confidence": 0.8,'
        . ' "summary": "The caller is angry.", "language": "en_us"}';
}


sub chat {
    settings(analysis => 'openai');
    send_call('chat', 'my pipe', 'still leaks');

    ok(reaches('chat', 'ARCHIVED'), 'a model judges a call');
    my $call = shown('chat');
    is($call->{transcription}, 'my pipe still leaks', 'whose text it is');
    is($call->{sentiment}, 'negative', 'its sentiment');
    is_deeply($call->{sentiment_detail}, { score => -0.75,
              confidence => 0.8, method => 'openai:judge-1' },
              'score, confidence and method');
    is($call->{summary}, 'The caller is angry.', 'the summary');
    is($call->{language}, 'en-US', 'the language, in its usual form');
    is(scalar @{$openai->calls}, 2, 'a broken answer was not the last word');
}


# Sends speech in packets of 0.1 s, all but the fourth.
sub speak {
    my ($call) = @_;

    my @packets = unpack '(a3200)*',
        substr Voice::Speech::speak('my pipe still leaks'), 44;
    packet($call, $_, encode_base64($packets[$_], ''),
           media => 'pcm/16000') for grep { $_ != 3 } 0 .. $#packets;
    complete($call, scalar @packets);

    return join '', @packets[0 .. 2], "\0" x 3200, @packets[4 .. $#packets];
}


sub sound {
    settings();
    my $samples = speak('sound');
    ok(reaches('sound', 'ARCHIVED'), 'a call of sound is processed');

    my ($asked) = $ai->arrivals('sound');
    is($asked->{problem}, undef, 'the service gets a WAV file');
    is($asked->{body}{media}, 'audio/wav', 'as such');
    is($asked->{body}{missing}, 1, 'it is told of the packet that is missing');
    my $wav = decode_base64($asked->{body}{data});
    ok($wav =~ /\Q$samples\E/, 'whose place is silent');

    my $call = shown('sound');
    is($call->{duration_ms}, int(length($samples) / 32), 'how long it took');
    cmp_ok($call->{talk_ms}, '>', 500, 'how much of it was talk');
    is($call->{talk_ms} + $call->{silence_ms}, $call->{duration_ms},
       'and how much was not');

    my $reply = $voice->request('GET', $call->{recording_url},
        headers => { Authorization => "Bearer $owner->{token}" });
    is($reply->{status}, 200, 'its recording can be had');
    ok($reply->{content} eq $wav, 'and is what the service got');
    is($voice->sql("select count(*) from core.object_erasure"), 0,
       'it will not be erased');
}


sub heard {
    settings(analysis => 'openai');
    speak('heard');
    ok(reaches('heard', 'ARCHIVED'), 'a model hears a call');
    is(shown('heard')->{transcription}, 'my pipe still leaks',
       'what was said, in a language that nobody told');
    is(shown('heard')->{sentiment}, 'negative', 'another judges it');
}


sub bad_chat {
    attempts(2);

    for my $said (qw(odd worse)) {
        settings(analysis => 'openai', redrive_seconds => 3600);
        send_call($said, $said);
        ok(reaches($said, 'FAILED'), 'an answer of another form is none');
        like(shown($said)->{failure_reason}, qr/form that was asked for/,
             'which the reason says');
        is(shown($said)->{sentiment}, undef, 'nothing of it is kept');
    }
}


sub counted {
    my $metrics = $voice->request('GET', '/metrics')->{content};
    my ($done) = $metrics =~ /^call_tries_total\{outcome="done"\} (\d+)/m;

    is($done, $voice->sql("select count(*) from core.call_try"
                          . " where outcome = 'done'"),
       'tries are counted by their outcome');
}
