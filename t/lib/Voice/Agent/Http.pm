package Voice::Agent::Http;

# A fake of a voice agent behind a plain endpoint: JSON text or a WAV file
# in, JSON (perhaps with base64 audio) or a WAV file out.
#
#   api_key   bearer key that is demanded; none: nothing is
#   answer    sub ($heard): {spoken, written, intent, command_kind, entities,
#             transcript, confidence, wav, state}; wav alone makes the reply
#             with as_wav => 1
#   shape     sub ($body): the JSON body changed, for pointers
#
# $heard: {text, context, state} or {wav}, language, user, turns.

use strict;
use warnings;

use parent 'Voice::Agent';

use JSON::PP;
use MIME::Base64 qw(encode_base64);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


sub handle {
    my ($self, $request) = @_;

    my $h = $request->{headers};

    return Voice::Agent::refusal(401, 'the key is wrong')
        if defined $self->{api_key}
            && ($h->{authorization} // '') ne "Bearer $self->{api_key}";
    return Voice::Agent::refusal(405, 'POST is wanted')
        if $request->{method} ne 'POST';

    my $heard = ($h->{'content-type'} // '') =~ m{^audio/wav$}
        ? { wav => $request->{body} } : read_text($request->{body});
    return Voice::Agent::refusal(400, 'no JSON with a text') if !$heard;
    return Voice::Agent::refusal(400, 'no WAV file')
        if defined $heard->{wav} && $heard->{wav} !~ /^RIFF....WAVE/s;

    $heard->{language} = $h->{'x-language'} // '';
    $heard->{user} = $h->{'x-conversation-id'} // '';
    return Voice::Agent::refusal(400, 'no language or conversation')
        if $heard->{language} eq '' || $heard->{user} eq '';
    return Voice::Agent::refusal(400, 'two conversations')
        if defined $heard->{body}
            && $heard->{body}{conversation_id} ne $heard->{user};

    $heard->{turns} = $self->state("user $heard->{user}",
                                   sub { ($_[0] // 0) + 1 });

    return $self->result($self->{answer}->($heard));
}


sub read_text {
    my ($bytes) = @_;

    my $body = eval { $json->decode($bytes) };

    return undef if ref $body ne 'HASH' || ref $body->{text}
        || !length($body->{text} // '') || !defined $body->{conversation_id};

    return { text => $body->{text}, body => $body,
             context => $body->{context},
             state => $body->{conversation_state} };
}


sub result {
    my ($self, $answer) = @_;

    if ($answer->{as_wav}) {
        my $reply = Voice::Agent::reply(200, 'audio/wav', $answer->{wav});
        $reply->{headers} = {
            'X-Transcript' => $answer->{transcript} // '',
            'X-Response-Text' => $answer->{spoken} // '',
            'X-Intent' => $answer->{intent} // '',
            'X-Command-Kind' => $answer->{command_kind} // '',
        };
        return $reply;
    }

    my $body = {
        text => $answer->{spoken}, written_response => $answer->{written},
        intent => $answer->{intent}, command_kind => $answer->{command_kind},
        entities => $answer->{entities} // {},
        transcript => $answer->{transcript},
        confidence => $answer->{confidence},
        conversation_state => $answer->{state} // {},
        defined $answer->{wav}
            ? (audio => encode_base64($answer->{wav}, '')) : (),
    };
    $body = $self->{shape}->($body) if $self->{shape};

    return Voice::Agent::reply(200, 'application/json',
                               $json->encode($body));
}


1;
