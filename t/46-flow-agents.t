#!/usr/bin/perl

# Voice agents, speech to text and embeddings behind real protocols, against
# fakes that check what the real ones would, and misbehave.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use HTTP::Tiny;
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Agent::Houndify;
use Voice::Agent::Http;
use Voice::Agent::Openai;
use Voice::Cases;
use Voice::Speech;

use constant {
    QUESTION => 'take me to the airport',
    AIRPORT  => 'Navigating to the airport.',
    ODD      => 'caf\x{e9} & 100% "ja"; #1',
};

my %secret = (
    hound => 'c2VjcmV0LWhvdW5kaWZ5LWtleS0zMi1ieXRlcy1sb25nIQ==',
    wrong => 'd3JvbmctaG91bmRpZnkta2V5LXRoaXJ0eS10d28tYnl0ZSE=',
    http  => 'sk-http-5b1e0c52f7',
    asr   => 'sk-asr-77a1b0c9d3',
    other => 'sk-other-e4c2a86f10',
);

my $speech = Voice::Speech::speak(AIRPORT);
my $asked = Voice::Speech::speak(QUESTION);
my %good = (spoken => AIRPORT, wav => $speech, intent => 'navigate_to',
            command_kind => 'NavigationCommand', transcript => QUESTION,
            entities => { destination => 'the airport' },
            state => { Place => 'airport' });
my %text = (%good, wav => undef);
my (%agent, %profile);

hounds();
plain_agents();

my $openai = Voice::Agent::Openai->start(api_key => $secret{asr},
    model => 'hear-1', transcribe => \&transcribe, embed => \&embed,
    fault => \&openai_fault);

my $voice = Voice->start(workers => 4, profiles => \%profile);
my $owner = $voice->tenant('acme');
my $cases = Voice::Cases->new($voice, $owner);
my %got;

fakes_refuse();
agents();
houndify_is_spoken();
plain_http_is_spoken();
faults_are_errors();
endpoints();
endpoints_refuse();
secrets_are_kept();

$voice->finish;


# --- the fakes ------------------------------------------------------------

sub hound {
    my ($name, $settings, %opt) = @_;

    $agent{$name} = Voice::Agent::Houndify->start(client_id => 'test-id',
        client_key => $secret{hound}, answer => sub { \%good }, %opt);
    $profile{"agent $name"} = {
        base_url => $agent{$name}->url . '/v1', client_id => 'test-id',
        client_key => $secret{hound}, allow_private => 'yes',
        retries => 0, %$settings };
}


sub hounds {
    hound('hound', {});
    hound('public', { signature => 'public' }, demand => 'public');
    hound('document', { signature => 'document' }, demand => 'document');
    hound('written', { mode => 'text' }, answer => sub { \%text });
    hound('flaky', { retries => 1 },
          fault => sub { $_[0] == 1 ? '503' : undef });
    hound('slow', { timeout_ms => 5000 }, fault => 'slow');
    hound('wrongkey', { client_key => $secret{wrong} });
    hound('sorry', {}, answer => sub { +{ error => 'no such domain' } });
    hound('verbose', {},
          answer => sub { +{ %good, spoken => 'on and on ' x 7_000 } });
    hound('hoarder', {},
          answer => sub { +{ %good, state => { Slots => 'x' x 300_000 } } });
    hound('hang', { timeout_ms => 300 }, fault => 'hang');
    hound('huge', { max_response => 200_000 }, fault => 'huge');
    hound($_, {}, fault => $_) for qw(cut malformed short garbage);
    hound("h$_", {}, fault => $_) for 429, 500;
}


sub plain_agent {
    my ($name, $settings, %opt) = @_;

    $agent{$name} = Voice::Agent::Http->start(api_key => $secret{http},
        answer => sub { \%good }, %opt);
    $profile{"agent $name"} = {
        provider => 'http', base_url => $agent{$name}->url,
        path => '/chat', audio_path => '/talk', api_key => $secret{http},
        allow_private => 'yes', retries => 0, mode => 'text', %$settings };
}


sub plain_agents {
    plain_agent('chat', {}, answer => sub { \%text });
    plain_agent('talk', { mode => 'audio' });
    plain_agent('sound', { mode => 'audio' },
                answer => sub { +{ %good, as_wav => 1 } });
    plain_agent('pointers', { text_pointer => '/reply/0/say',
                              audio_pointer => '/reply/0/sound' },
        shape => sub { +{ reply => [{ say => $_[0]{text},
                                     sound => $_[0]{audio} }],
                         intent => $_[0]{intent} } });
    plain_agent('boaster', {},
                answer => sub { +{ %text, confidence => 95 } });
    plain_agent('keyless', { api_key => $secret{other} });
    plain_agent('p500', {}, fault => '500');
    plain_agent('pbroken', {}, fault => 'malformed');
}


# The words of a recording; the fake knows it by its bytes.
sub transcribe {
    my ($wav, $field) = @_;

    return $field->{language} eq 'de' ? 'Zum Flughafen.' : AIRPORT;
}


# Texts of the same meaning are near: a vector for each first letter.
sub embed {
    my ($text) = @_;

    return () if $text =~ /^Nothing/;

    return map { $_ == ord(lc $text) % 8 ? 1 : 0.1 } 0 .. 7;
}


# By what is in the request.
sub openai_fault {
    my ($n, $request) = @_;

    return 429 if index($request->{body}, sound(1)) >= 0;
    return 'malformed' if index($request->{body}, sound(2)) >= 0;
    return 500 if $request->{path} =~ /embed/
        && $request->{body} =~ /Always/;

    return undef;
}


sub sound { return Voice::Speech::noise($_[0] / 4, 8000) }


# --- what the fakes demand ------------------------------------------------

# Else "the signature was accepted" would prove nothing.
sub fakes_refuse {
    my $fake = $agent{hound};
    my %info = (ClientID => 'test-id', UserID => 'u', TimeStamp => time);
    my $ask = sub {
        my ($id, $time, %change) = @_;
        my $info = delete $change{info}
            // encode_json({ %info, RequestID => $id });
        return HTTP::Tiny->new->post($fake->url . '/v1/text?query=hello', {
            headers => { $fake->headers(user => 'u', request => $id,
                                        time => $time),
                         'Hound-Request-Info' => $info, %change },
        })->{status};
    };

    is($ask->('a', time), 200, 'the fake lets in what is signed');
    is($ask->('a', time), 403, 'but no request twice');
    is($ask->('b', time - 301), 403, 'no time that is stale');
    is($ask->('c', time + 360), 403, 'nor one of the future');
    is($ask->('d', time, info => '{"ClientID":'), 400, 'no broken JSON');
    is($ask->('e', time, 'Hound-Request-Signature' => 'x'), 403,
       'no wrong documented signature');
    is($ask->('f', time, 'Hound-Request-Authentication' => 'v;f'), 403,
       'no other user than the signed one');
    is(HTTP::Tiny->new->post($fake->url . '/v1/text?query=hello')->{status},
       401, 'nobody without a signature');
}


# --- agents ---------------------------------------------------------------

sub agents {
    for my $name (sort keys %agent) {
        $cases->add(name => $name, agent => $name,
            input => $name =~ /^(?:written|chat)$/ ? ODD : QUESTION,
            expected_intent => 'navigate_to', expected_response => AIRPORT,
            max_response_time_ms => 20_000);
    }

    (my $run, %got) = $cases->run;

    is($run->{total_tests}, keys %agent, 'every agent was tried');
    is($run->{passed_tests} + $run->{failed_tests}, keys %agent,
       'and every execution has ended');
    is($got{$_}{status}, 'passed', "\"$_\" passes")
        or diag($got{$_}{error_message} // '')
        for qw(hound public document written flaky slow chat talk sound
               pointers boaster);
}


sub last_call { return $agent{$_[0]}->calls->[-1] }


sub houndify_is_spoken {
    my $call = last_call('hound');
    my %sent = map { $_ => 1 } @{$call->{names}};

    is($call->{body_sha256}, sha256_hex($asked),
       'Houndify gets the spoken input');
    is($call->{headers}{'transfer-encoding'}, 'chunked', 'in pieces');
    ok($sent{$_}, "with the header $_") for qw(Hound-Request-Authentication
        Hound-Client-Authentication Hound-Client-ID Hound-Request-ID
        Hound-Request-Timestamp Hound-Request-Signature Hound-Request-Info);
    ok(!last_call('public')->{headers}{'hound-request-signature'},
       'the public scheme can be sent alone');
    ok(!last_call('document')->{headers}{'hound-client-authentication'},
       'so can the documented one');

    $call = last_call('written');
    is($call->{path}, '/v1/text', 'text goes to its own road');
    my $query = $call->{query}{query};
    utf8::decode($query);
    is($query, ODD, 'letter by letter');

    my @flaky = @{$agent{flaky}->calls};
    is(scalar @flaky, 2, 'a passing fault is tried again');
    isnt($flaky[0]{headers}{'hound-request-id'},
         $flaky[1]{headers}{'hound-request-id'}, 'with an id of its own');

    conversation($got{hound});
    timings($got{hound});
    my $slow = $got{slow}{timings};
    cmp_ok($slow->{first_byte_ms}, '>=', 300, 'a late first byte is measured');

    is($got{hound}{transcript}, QUESTION, 'what the agent heard is kept');
    is($got{hound}{asr_confidence}, 0.95, 'and how sure it was');
    is($got{hound}{response_entities}{destination}, 'the airport',
       'and the entities it found');
    is($got{hound}{agent_provider}, 'houndify', 'and who it was');
}


sub conversation {
    my ($execution) = @_;

    my $info = decode_json(
        last_call('hound')->{headers}{'hound-request-info'});
    is($info->{ConversationState}{Case}, 'hound',
       "the case's conversation state is sent");
    is($info->{UserID}, $execution->{id},
       'each execution is a conversation of its own');

    my $state = decode_json($voice->sql(
        'select conversation_state from core.voice_test_execution'
        . " where id = :'id'", id => $execution->{id}));
    is($state->{Place}, 'airport', "the answer's state is kept");
    is($state->{TurnCount}, 1, 'it is the first turn');
    is($state->{Case}, 'hound', 'with what was sent');
}


sub timings {
    my ($execution) = @_;

    my $t = $execution->{timings};

    cmp_ok($t->{first_byte_ms}, '>=', $t->{network_ms},
           'the first byte comes after the connection');
    cmp_ok($t->{final_result_ms}, '>=', $t->{first_byte_ms} + 60,
           'the final result after the partial ones');
    is($execution->{response_time_ms}, $t->{final_result_ms},
       'the response time is that of the final result');
    cmp_ok($execution->{rtf}, '>', 0, 'the real-time factor is told');
}


sub plain_http_is_spoken {
    my $call = last_call('chat');
    my $body = decode_json($call->{body});

    is($call->{path}, '/chat', 'text goes to its path');
    is($body->{text}, ODD, 'letter by letter');
    is($body->{language}, 'en-US', 'with its language');
    is($body->{conversation_id}, $got{chat}{id}, 'and conversation');
    is($body->{conversation_state}{Case}, 'chat', 'and state');
    is($got{chat}{processing_mode}, 'text', 'it is told that it was text');
    is($cases->result($got{chat})->{heard_text}, undef,
       'and that nobody listened');

    is(last_call('talk')->{path}, '/talk', 'sound goes to its path');
    is(last_call('talk')->{body_sha256}, sha256_hex($asked),
       'it is the spoken input');

    for my $name (qw(talk sound pointers)) {
        is($cases->result($got{$name})->{heard_text},
           'navigating to the airport', "the sound of \"$name\" is heard");
        is($got{$name}{response_text}, AIRPORT, 'its text is found');
    }
    is($got{boaster}{asr_confidence}, undef,
       'a confidence above 1 is none');
    is($got{sound}{intent}, 'navigate_to', 'headers tell the intent');
}


# --- faults ---------------------------------------------------------------

sub faults_are_errors {
    # calls, then the sentence
    my %fault = (
        wrongkey  => [1, qr/refused the credentials.* status 403/],
        keyless   => [1, qr/refused the credentials.* status 401/],
        sorry     => [1, qr/answered with an error/],
        verbose   => [1, qr/text of the agent is longer than 65536 bytes/],
        hoarder   => [1, qr/entities and state are larger than/],
        huge      => [1, qr/\(too_large\)/],
        pbroken   => [1, qr/no JSON object/],
        h429      => [3, qr/answered with status 429/],
        h500      => [3, qr/answered with status 500/],
        p500      => [3, qr/answered with status 500/],
        hang      => [3, qr/\(timeout\)/],
        cut       => [3, qr/\(broken\)/],
        garbage   => [3, qr/\(broken\)/],
        malformed => [3, qr/not Houndify's JSON/],
        short     => [3, qr/not Houndify's JSON/],
    );

    for my $name (sort keys %fault) {
        my $execution = $got{$name};
        my ($calls, $sentence) = @{$fault{$name}};

        is($execution->{status}, 'error', "\"$name\" is an error");
        like($execution->{error_message}, $sentence, 'with its reason');
        is(scalar @{$agent{$name}->calls}, $calls,
           $calls == 1 ? 'it is not tried again'
                       : "after $calls attempts");
        is($execution->{validation_result_id}, undef, 'nothing is scored');
    }
}


# --- speech to text, embeddings -------------------------------------------

sub openai_profile {
    return { base_url => $openai->url . '/v1', model => 'hear-1',
             api_key => $secret{asr}, allow_private => 'yes', retries => 0,
             @_ };
}


sub restart_workers {
    my (%change) = @_;

    $voice->stack('stop', 'workers');
    $voice->configure_workers(
        { default_asr => 'fake', default_embeddings => 'fake' },
        { %profile, 'asr fake' => openai_profile(%{$change{asr} || {}}),
          'embeddings fake' => openai_profile(%{$change{embeddings} || {}}) });
    $voice->start_services('workers');
}


sub endpoints {
    # what is said is up to the fake now
    my %say = (
        'near'  => [$speech, AIRPORT, 'navigating there'],
        'far'   => [$speech, AIRPORT, 'a table for two'],
        'busy'  => [sound(1), AIRPORT, AIRPORT],
        'mute'  => [sound(2), AIRPORT, AIRPORT],
        'empty' => [$speech, AIRPORT, 'Nothing at all'],
        'down'  => [$speech, AIRPORT, 'Always down'],
        'Deutsch' => [$speech, 'Zum Flughafen.', 'Zum Flughafen.'],
    );
    plain_agent('any', {}, answer => sub {
        my $it = $say{$_[0]{state}{Case}};
        return { spoken => $it->[1], wav => $it->[0] };
    });

    restart_workers();
    $cases->add(name => $_, agent => 'any', expected_response => $say{$_}[2],
                $_ eq 'Deutsch' ? (language => 'de-DE') : ())
        for sort keys %say;
    $cases->add(name => 'voiceless', agent => 'hound', language => 'de-DE');
    (my $run, %got) = $cases->run;

    my $near = $cases->result($got{near});
    is($near->{recogniser}, 'openai:hear-1', 'the endpoint has listened');
    is($near->{heard_text}, AIRPORT, 'what it heard is kept');
    is($near->{semantic_method}, 'embedding', 'vectors were compared');
    is($near->{semantic_similarity_score}, 1, 'near texts are near');
    cmp_ok($cases->result($got{far})->{semantic_similarity_score}, '<', 0.7,
           'others are not');
    is($cases->result($got{Deutsch})->{heard_text}, 'Zum Flughafen.',
       'it hears a language that the embedded recogniser does not know');
    is($got{voiceless}{status}, 'skipped',
       'what no voice can speak is skipped all the same');
    like($got{voiceless}{reason}, qr/no voice.* de-DE/, 'with the reason');

    my %fault = (busy => qr/the ASR answered with status 429/,
                 mute => qr/the ASR answered without a text/,
                 empty => qr/no two vectors/,
                 down => qr/embeddings endpoint answered with status 500/);
    for my $name (sort keys %fault) {
        is($got{$name}{status}, 'error', "\"$name\" is an error");
        like($got{$name}{error_message}, $fault{$name},
             'with its reason: nothing else listens instead');
    }
}


sub endpoints_refuse {
    restart_workers(asr => { model => 'hear-9' },
                    embeddings => { api_key => $secret{other} });

    $cases->add(name => 'near', agent => 'any', expected_response => AIRPORT);
    $cases->add(name => 'written', agent => 'chat',
                expected_response => 'Going to the airport.');
    (undef, %got) = $cases->run;

    like($got{near}{error_message}, qr/the ASR answered with status 404/,
         'a model that is not there is an error');
    like($got{written}{error_message},
         qr/embeddings endpoint refused the credentials/,
         'so is a wrong key');
}


# --- secrets --------------------------------------------------------------

sub secrets_are_kept {
    local @ENV{qw(PGPASSWORD PGHOST PGUSER)} = (
        Voice::slurp("$voice->{stack}{secrets}/postgres"),
        $voice->{stack}{sockets}, 'postgres');
    my %text = (database => scalar
                    `pg_dump --data-only $voice->{stack}{database} 2>/dev/null`);
    $text{$_} = Voice::slurp($_) for glob "$voice->{stack}{log}/*.log";

    like($text{database}, qr/\Q$secret{hound}\E|test_execution/,
         'the database can be read');

    for my $name (sort keys %secret) {
        my @found = grep { index($text{$_}, $secret{$name}) >= 0 } keys %text;
        is("@found", '', "the key \"$name\" is in no log or table");
    }
    my @found = grep { $text{$_} =~ /Bearer sk-/ } keys %text;
    is("@found", '', 'no credentials are, either');
}
