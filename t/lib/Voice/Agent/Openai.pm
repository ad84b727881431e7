package Voice::Agent::Openai;

# A fake of OpenAI's POST /v1/audio/transcriptions, /v1/embeddings and
# /v1/chat/completions.
#
#   api_key, model   what is demanded
#   chat_model       the same for chats; default: model
#   transcribe       sub ($wav, $fields): text
#   embed            sub ($text): list of numbers
#   chat             sub ($messages): the content of the answer

use strict;
use warnings;

use parent 'Voice::Agent';

use JSON::PP;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

my %endpoints = (
    '/v1/audio/transcriptions' => \&transcription,
    '/v1/embeddings'           => \&embeddings,
    '/v1/chat/completions'     => \&chat,
);


sub handle {
    my ($self, $request) = @_;

    my $endpoint = $endpoints{$request->{path}}
        or return refusal(404, 'unknown_url');

    return refusal(405, 'method_not_supported')
        if $request->{method} ne 'POST';
    return refusal(401, 'invalid_api_key')
        if ($request->{headers}{authorization} // '')
            ne "Bearer $self->{api_key}";

    return $endpoint->($self, $request);
}


sub transcription {
    my ($self, $request) = @_;

    my $part = parts($request) or return refusal(400, 'no_multipart_form');

    return refusal(400, "missing_$_")
        for grep { !defined $part->{$_} } qw(model file);
    return refusal(404, 'model_not_found')
        if $part->{model}{body} ne $self->{model};
    return refusal(400, 'no_file_name')
        if ($part->{file}{filename} // '') !~ /\.wav$/;
    return refusal(400, 'invalid_file_format')
        if $part->{file}{body} !~ /^RIFF....WAVE/s;
    return refusal(400, 'response_format')
        if ($part->{response_format}{body} // 'json') ne 'json';

    my %field = map { $_ => $part->{$_}{body} }
        grep { $_ ne 'file' } keys %$part;
    my $text = $self->{transcribe}->($part->{file}{body}, \%field);

    return Voice::Agent::reply(200, 'application/json',
                               $json->encode({ text => $text }));
}


# The parts of a form by name: {body, filename}; undef: that is none.
sub parts {
    my ($request) = @_;

    my ($boundary) = ($request->{headers}{'content-type'} // '')
        =~ m{^multipart/form-data;\s*boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})$}
        or return undef;
    my $body = "\r\n" . $request->{body};
    my $end = "\r\n--$boundary--\r\n";

    return undef if substr($body, -length $end) ne $end;
    substr $body, -length $end, length $end, '';

    my ($preamble, @parts) = split /\r\n--\Q$boundary\E\r\n/, $body, -1;
    return undef if $preamble ne '' || !@parts;

    my %part;
    for my $part (@parts) {
        my ($head, $content) = split /\r\n\r\n/, $part, 2;
        my ($name) = ($head // '')
            =~ /^Content-Disposition: form-data; name="(\w+)"/mi;
        return undef if !defined $name || !defined $content || $part{$name};
        my ($file) = $head =~ /; filename="([^"]+)"/;
        $part{$name} = { body => $content, filename => $file };
    }

    return \%part;
}


sub embeddings {
    my ($self, $request) = @_;

    return refusal(400, 'no_json')
        if ($request->{headers}{'content-type'} // '')
            !~ m{^application/json\b};
    my $body = eval { $json->decode($request->{body}) };

    return refusal(400, 'no_json') if ref $body ne 'HASH';
    return refusal(404, 'model_not_found')
        if ($body->{model} // '') ne $self->{model};

    my @input = ref $body->{input} ? @{$body->{input}} : $body->{input};
    return refusal(400, 'invalid_input')
        if !@input || grep { !defined || ref || $_ eq '' } @input;

    # The order is told by the index only.
    my @data = reverse map { {
        object => 'embedding', index => $_,
        embedding => [$self->{embed}->($input[$_])] } } 0 .. $#input;

    return Voice::Agent::reply(200, 'application/json', $json->encode({
        object => 'list', model => $self->{model}, data => \@data,
        usage => { prompt_tokens => 1, total_tokens => 1 } }));
}


sub message {
    my ($message) = @_;

    return ref $message eq 'HASH' && defined $message->{content}
        && !ref $message->{content}
        && ($message->{role} // '') =~ /^(?:system|user|assistant)$/;
}


sub chat {
    my ($self, $request) = @_;

    my $body = eval { $json->decode($request->{body}) };
    return refusal(400, 'no_json') if ref $body ne 'HASH';
    return refusal(404, 'model_not_found')
        if ($body->{model} // '') ne ($self->{chat_model} // $self->{model});

    my $messages = $body->{messages};
    return refusal(400, 'invalid_messages')
        if ref $messages ne 'ARRAY' || !@$messages
            || grep { !message($_) } @$messages;
    return refusal(400, 'json_must_be_mentioned')
        if ref $body->{response_format}
            && $body->{response_format}{type} eq 'json_object'
            && !grep { $_->{content} =~ /json/i } @$messages;

    return Voice::Agent::reply(200, 'application/json', $json->encode({
        id => 'chatcmpl-1', object => 'chat.completion',
        model => $body->{model}, choices => [{ index => 0,
            finish_reason => 'stop', message => { role => 'assistant',
                content => $self->{chat}->($messages) } }] }));
}


sub refusal {
    my ($status, $code) = @_;

    return Voice::Agent::reply($status, 'application/json', $json->encode({
        error => { message => "refused: $code", code => $code,
                   type => 'invalid_request_error' } }));
}


1;
