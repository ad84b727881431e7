package Voice::Agent::Houndify;

# A fake of Houndify's public service: POST /text?query= and POST /audio,
# both signature schemes recomputed here, newline-separated JSON.
#
#   client_id, client_key (base64url)   whose requests are let in
#   demand    both (default), public, document: the schemes that must be there
#   answer    sub ($heard): {spoken, written, intent, command_kind, entities,
#             transcript, confidence, wav, state, partials => [..], error}
#
# $heard: {text} or {wav}, user, language, info (RequestInfo), state (what the
# caller sent as ConversationState), turns (of this user, from 1).

use strict;
use warnings;

use parent 'Voice::Agent';

use Digest::SHA qw(hmac_sha256);
use JSON::PP;
use MIME::Base64 qw(decode_base64 encode_base64);

use constant STALE => 300;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


# --- signatures -----------------------------------------------------------

# Headers of one request, as a client writes them; for tests that call the
# fake themselves.
sub headers {
    my ($self, %arg) = @_;

    my ($user, $request, $time) = @arg{qw(user request time)};

    return (
        'Hound-Request-Authentication' => "$user;$request",
        'Hound-Client-Authentication' => join(';', $self->{client_id}, $time,
            public_signature($self->{client_key}, $user, $request, $time)),
        'Hound-Client-ID' => $self->{client_id},
        'Hound-Request-ID' => $request,
        'Hound-Request-Timestamp' => $time,
        'Hound-Request-Signature' => document_signature(
            $self->{client_key}, $self->{client_id}, $request, $time),
    );
}


# As the public SDKs do.
sub public_signature {
    my ($key, $user, $request, $time) = @_;

    $key =~ tr{-_}{+/};
    my $signature = encode_base64(hmac_sha256("$user;$request$time",
                                              decode_base64($key)), '');
    $signature =~ tr{+/}{-_};

    return $signature;
}


# As the documents say.
sub document_signature {
    my ($key, $client, $request, $time) = @_;

    return encode_base64(hmac_sha256("$client;$request;$time", $key), '');
}


# (refusal, user, request id)
sub authenticate {
    my ($self, $h) = @_;

    my $demand = $self->{demand} // 'both';
    my ($user, $id) = split /;/, $h->{'hound-request-authentication'} // '';
    my ($client, $time, $signature)
        = split /;/, $h->{'hound-client-authentication'} // '';

    if (defined $signature) {
        my $no = $self->refused($client, $time, $signature,
            public_signature($self->{client_key}, $user // '', $id // '',
                             $time));
        return $no if $no;
    } elsif ($demand ne 'document') {
        return Voice::Agent::refusal(401, 'no public signature');
    }

    if (defined $h->{'hound-request-signature'}) {
        my ($c, $r, $t, $s) = map { $h->{"hound-$_"} // '' }
            qw(client-id request-id request-timestamp request-signature);
        my $no = $self->refused($c, $t, $s,
            document_signature($self->{client_key}, $c, $r, $t));
        return $no if $no;
        return Voice::Agent::refusal(403, 'two request ids')
            if defined $id && $id ne $r;
        $id = $r;
    } elsif ($demand ne 'public') {
        return Voice::Agent::refusal(401, 'no documented signature');
    }

    return (undef, $user, $id);
}


sub refused {
    my ($self, $client, $time, $signature, $right) = @_;

    return Voice::Agent::refusal(400, 'the time is no number')
        if $time !~ /^\d{1,12}$/;
    return Voice::Agent::refusal(401, 'unknown client')
        if $client ne $self->{client_id};
    return Voice::Agent::refusal(403, 'the time is stale')
        if abs(time - $time) > STALE;
    return Voice::Agent::refusal(403, 'the signature is wrong')
        if $signature ne $right;

    return undef;
}


# --- a query --------------------------------------------------------------

sub handle {
    my ($self, $request) = @_;

    my ($no, $user, $id) = $self->authenticate($request->{headers});
    return $no if $no;

    return Voice::Agent::refusal(404, 'there is /text and /audio')
        if $request->{path} !~ m{^(?:/v1)?/(text|audio)$};
    my $kind = $1;
    return Voice::Agent::refusal(405, 'POST is wanted')
        if $request->{method} ne 'POST';

    # A request that is repeated is a stolen one.
    return Voice::Agent::refusal(403, 'the request id was used before')
        if $self->state("id $id", sub { ($_[0] // 0) + 1 }) > 1;

    my $info = eval {
        $json->decode($request->{headers}{'hound-request-info'} // '');
    };
    my $wrong = wrong_info($info, $self->{client_id}, $user, $id);
    return Voice::Agent::refusal(400, $wrong) if $wrong;

    my %heard = (user => $info->{UserID}, info => $info,
        language => $info->{InputLanguageIETFTag},
        state => $info->{ConversationState});
    if ($kind eq 'text') {
        $heard{text} = $request->{query}{query};
        return Voice::Agent::refusal(400, 'no query')
            if ($heard{text} // '') eq '';
    } else {
        $heard{wav} = $request->{body};
        return Voice::Agent::refusal(400, 'no 16-bit mono PCM')
            if !is_wave($heard{wav});
    }

    return $self->result(\%heard);
}


sub wrong_info {
    my ($info, $client, $user, $id) = @_;

    return 'RequestInfo is no JSON object' if ref $info ne 'HASH';
    return 'RequestInfo names another client'
        if ($info->{ClientID} // '') ne $client;
    return 'RequestInfo names another user'
        if defined $user && ($info->{UserID} // '') ne $user;
    return 'RequestInfo has another id' if ($info->{RequestID} // '') ne $id;
    return 'RequestInfo has no time' if ($info->{TimeStamp} // '') !~ /^\d+$/;
    return 'ConversationState is no object'
        if defined $info->{ConversationState}
            && ref $info->{ConversationState} ne 'HASH';

    return undef;
}


sub is_wave {
    my ($wav) = @_;

    my ($riff, $wave, $fmt, undef, $pcm, $channels, $rate, undef, undef,
        $bits) = unpack 'a4 x4 a4 a4 V v v V V v v', $wav . "\0" x 44;

    return $riff eq 'RIFF' && $wave eq 'WAVE' && $fmt eq 'fmt ' && $pcm == 1
        && $channels == 1 && $bits == 16 && $rate =~ /^(?:8000|16000)$/;
}


sub result {
    my ($self, $heard) = @_;

    $heard->{turns} = $self->state("user $heard->{user}",
                                   sub { ($_[0] // 0) + 1 });
    my $answer = $self->{answer}->($heard);
    my $spoken = $answer->{spoken};
    my $transcript = $answer->{transcript} // $heard->{text} // '';
    my %state = (%{$heard->{state} // {}}, %{$answer->{state} // {}},
                 ConversationStateTime => time, TurnCount => $heard->{turns});

    my %first = (
        CommandKind => $answer->{command_kind} // 'NoResultCommand',
        SpokenResponse => $spoken, SpokenResponseLong => $spoken,
        WrittenResponse => $answer->{written} // $spoken,
        WrittenResponseLong => $answer->{written} // $spoken,
        AutoListen => JSON::PP::false, ConversationState => \%state,
        ConversationStateTime => $state{ConversationStateTime},
        NativeData => { Intent => $answer->{intent},
                        Entities => $answer->{entities} // {} },
    );
    $first{ResponseAudioBytes} = encode_base64($answer->{wav}, '')
        if defined $answer->{wav};

    my %final = (
        Format => 'SoundHoundVoiceSearchResult', FormatVersion => '1.0',
        Status => $answer->{error} ? 'Error' : 'OK',
        $answer->{error} ? (ErrorMessage => $answer->{error}) : (),
        NumToReturn => 1, AllResults => $answer->{error} ? [] : [\%first],
        Disambiguation => { NumToShow => 1, ChoiceData => [{
            Transcription => $transcript,
            ConfidenceScore => $answer->{confidence} // 0.95 }] },
        ResultsAreFinal => [JSON::PP::true], DomainUsage => [],
        BuildInfo => { Kind => 'fake' },
    );

    return Voice::Agent::reply(200, 'application/json',
        (map { $json->encode($_) . "\n" }
             partials($transcript, $answer->{partials})),
        $json->encode(\%final) . "\n");
}


# What was heard, word by word; the old spelling of the format at times.
sub partials {
    my ($transcript, $given) = @_;

    my @words = split ' ', $transcript;
    my @texts = $given ? @$given
        : map { join ' ', @words[0 .. $_] } grep { $_ < 4 } 0 .. $#words;
    my $n = 0;

    return map { {
        Format => $n++ % 2 ? 'SoundHoundVoiceSearchParialTranscript'
                           : 'HoundVoiceQueryPartialTranscript',
        FormatVersion => '1.0', PartialTranscript => $_,
        DurationMS => 100 * $n, Done => JSON::PP::false,
        SafeToStopAudio => JSON::PP::false } } @texts;
}


1;
