#!/usr/bin/perl

# Providers by HTTP against a server that checks what it gets and can
# misbehave: Houndify, plain agents, transcriptions, embeddings.

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha256);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP;
use MIME::Base64;
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $program = ($ENV{VOICE_BUILD} || "$root/build") . '/pool-provider';
my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;
my $raw_key = join '', map { chr(($_ * 7 + 3) % 256) } 1 .. 64;
my $key = encode_base64($raw_key, '') =~ tr{+/}{-_}r;
my $wav = 'RIFF' . pack('V', 36 + 20_000) . 'WAVEfmt '
    . pack('VvvVVvv', 16, 1, 1, 16000, 32000, 2, 16) . 'data'
    . pack('V', 20_000) . "\1\2" x 10_000;

die "$program is not built" . "\n" unless -x $program;

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16,
                                   ReuseAddr => 1) or die "listen: $!";
my $port = $listen->sockport;
my $server = fork() // die "fork: $!";
serve() if $server == 0;

settings();
houndify();
http();
transcriptions();
embeddings();

kill TERM => $server;
waitpid $server, 0;
done_testing;


sub settings {
    spew("$dir/key", $key);
    spew("$dir/bearer", 'bearer-secret');

    my $text = "queue test_execution = 1\n";

    for my $case (qw(good text busy broken late wrong refused error legacy
                     private))
    {
        my $mode = $case eq 'text' ? 'text' : 'audio';
        my $private = $case eq 'private' ? 'no' : 'yes';
        $text .= <<"END";

[agent hound-$case]
provider = houndify
base_url = http://127.0.0.1:$port/hound-$case/v1
client_id = the-client
client_key_file = $dir/key
mode = $mode
allow_private = $private
timeout_ms = 700
retries = 0
END
    }

    for my $case (qw(text json wav pointer busy broken forbidden nothing)) {
        my $mode = $case eq 'json' || $case eq 'wav' ? 'audio' : 'text';
        my $pointer = $case eq 'pointer' ? 'text_pointer = /a/0/b' : '';
        $text .= <<"END";

[agent http-$case]
provider = http
base_url = http://127.0.0.1:$port/http-$case
path = /chat
audio_path = /voice
mode = $mode
api_key_file = $dir/bearer
allow_private = yes
retries = 0
$pointer
END
    }

    for my $case (qw(good busy empty)) {
        $text .= <<"END";

[asr $case]
base_url = http://127.0.0.1:$port/asr-$case
model = whisper-1
api_key_file = $dir/bearer
allow_private = yes
retries = 0

[embeddings $case]
base_url = http://127.0.0.1:$port/embed-$case
model = small
api_key_file = $dir/bearer
allow_private = yes
retries = 0
END
    }

    spew("$dir/workers.conf", $text);
}


sub houndify {
    my $reply = provider($wav, 'agent', 'hound-good');
    is $reply->{outcome}, 'ok', 'Houndify answers a sound';
    is $reply->{response_text}, 'audio ok public document chunked '
        . length $wav, 'both signatures hold, the sound came in chunks';
    is $reply->{transcript}, 'what was heard', 'the transcript is read';
    is $reply->{confidence}, 0.9, 'and its confidence';
    is $reply->{intent}, 'greet', 'the intent is read';
    is_deeply $reply->{entities}, { n => 1 }, 'and the entities';
    is $reply->{partials}, 2, 'partial transcripts are counted';
    is $reply->{wav}, length $wav, 'the spoken answer is decoded';
    is_deeply $reply->{state}, { Turn => 1 }, 'the state is read';
    cmp_ok $reply->{final_result_ms}, '>=', $reply->{first_byte_ms},
        'the final result is not before the first byte';

    $reply = provider($wav, 'agent', 'hound-good', '{"Turn":1}');
    is_deeply $reply->{state}, { Turn => 2 }, 'the state goes back';

    is provider($wav, 'agent', 'hound-text')->{response_text},
        'text a "spoken" test & more', 'a text goes in the query';
    is provider($wav, 'agent', 'hound-legacy')->{response_text}, 'legacy',
        'the older format with lengths is read';

    $reply = provider($wav, 'agent', 'hound-busy');
    is $reply->{outcome}, 'retry', '429 is tried again';
    is $reply->{retry_after}, 7, 'after what Retry-After says';
    is provider($wav, 'agent', 'hound-late')->{outcome}, 'retry',
        'a time-out is tried again';
    is provider($wav, 'agent', 'hound-broken')->{outcome}, 'retry',
        'an answer without a final object is tried again';

    for my $case (qw(wrong refused error private)) {
        $reply = provider($wav, 'agent', "hound-$case");
        is $reply->{outcome}, 'dead', "Houndify $case is not tried again";
        unlike $reply->{reason}, qr/\Q$key\E/, 'the reason holds no key';
    }
}


sub http {
    my $reply = provider($wav, 'agent', 'http-text');
    is $reply->{response_text}, 'a "spoken" test & more in en-US',
        'a text agent gets JSON and a bearer key';
    is $reply->{intent}, 'echo', 'its intent is read';
    is $reply->{wav}, 0, 'it gives no sound';

    $reply = provider($wav, 'agent', 'http-json');
    is $reply->{wav}, length $wav, 'base64 sound in JSON is decoded';

    $reply = provider($wav, 'agent', 'http-wav');
    is $reply->{wav}, length $wav, 'a WAV file as the answer is taken';
    is $reply->{transcript}, 'heard in header', 'with what its header says';
    is $reply->{response_text}, 'said in header', 'and with its text';

    is provider($wav, 'agent', 'http-pointer')->{response_text}, 'deep',
        'text_pointer finds the text';
    is provider($wav, 'agent', 'http-busy')->{outcome}, 'retry',
        'status 503 is tried again';
    is provider($wav, 'agent', 'http-broken')->{outcome}, 'dead',
        'what is no JSON is not tried again';
    is provider($wav, 'agent', 'http-forbidden')->{outcome}, 'dead',
        'status 403 is not tried again';
    is provider($wav, 'agent', 'http-nothing')->{response_text}, undef,
        'an answer without a text is none';
}


sub transcriptions {
    my $reply = provider($wav, 'asr', 'good');
    is $reply->{text}, 'whisper-1 en json ' . length $wav,
        'a transcription endpoint gets model, language and sound';
    is $reply->{method}, 'openai:whisper-1', 'the method is told';
    is provider($wav, 'asr', 'busy')->{outcome}, 'retry', '503 is retried';
    is provider($wav, 'asr', 'empty')->{outcome}, 'dead',
        'an answer without a text is refused';
}


sub embeddings {
    my $near = sub { abs($_[0] - $_[1]) < 1e-6 };

    my $reply = provider("same\nsame", 'embeddings', 'good');
    ok $near->($reply->{similarity}, 1), 'the same vector is 1';
    $reply = provider("same\nother", 'embeddings', 'good');
    ok $near->($reply->{similarity}, 0.6), 'another one is its cosine';
    is provider("a\nb", 'embeddings', 'busy')->{outcome}, 'retry',
        '503 is retried';
    is provider("a\nb", 'embeddings', 'empty')->{outcome}, 'dead',
        'an answer without vectors is refused';
}


sub provider {
    my ($input, @arguments) = @_;

    my $pid = open2(my $out, my $in, $program, "$dir/workers.conf",
                    @arguments);
    binmode $in;
    print $in $input;
    close $in;

    my $text = do { local $/; <$out> };
    waitpid $pid, 0;

    return eval { $json->decode($text) } // { outcome => 'none',
                                              reason => '' };
}


# --- the server -----------------------------------------------------------

sub serve {
    local $SIG{TERM} = sub { require POSIX; POSIX::_exit(0) };
    local $SIG{PIPE} = 'IGNORE';
    my $late;

    while (my $socket = $listen->accept) {
        my $request = read_request($socket) or next;
        my ($case) = $request->{path} =~ m{^/([a-z-]+)};

        if ($case eq 'hound-late') {
            $late = $socket;           # kept open, never answered
            next;
        }

        my ($kind) = $case =~ /^([a-z]+)/;
        my %answer = (hound => \&hound_answer, http => \&http_answer,
                      asr => \&asr_answer, embed => \&embed_answer);
        print $socket $answer{$kind}->($request, $case);
        close $socket;
    }

    require POSIX;
    POSIX::_exit(0);
}


sub read_request {
    my ($socket) = @_;

    local $/ = "\r\n\r\n";
    my $head = <$socket> // return;
    my %r = (headers => {}, body => '', chunks => 0);

    ($r{method}, $r{path}) = $head =~ m{^(\S+) (\S+)};
    $r{headers}{lc $1} = $2 while $head =~ /^([\w-]+): *(.*?)\r$/mg;
    print $socket "HTTP/1.1 100 Continue\r\n\r\n" if $r{headers}{expect};

    if (($r{headers}{'transfer-encoding'} // '') eq 'chunked') {
        local $/ = "\r\n";
        while (defined(my $size = <$socket>)) {
            chomp $size;
            my $length = hex $size;
            read $socket, my $bytes, $length + 2;
            last if $length == 0;
            $r{chunks}++;
            $r{body} .= substr $bytes, 0, $length;
        }
    } else {
        read $socket, $r{body}, $r{headers}{'content-length'} // 0;
    }

    return \%r;
}


sub reply {
    my ($status, $body, @headers) = @_;

    return join("\r\n", "HTTP/1.1 $status Status", @headers,
                'Content-Length: ' . length $body, 'Connection: close')
        . "\r\n\r\n$body";
}


sub hound_answer {
    my ($r, $case) = @_;

    return reply(429, 'slow down', 'Retry-After: 7') if $case eq 'hound-busy';
    return reply(401, 'no JSON') if $case eq 'hound-refused';
    return reply(400, '{}') if $case eq 'hound-wrong';

    my @signed = signed($r);
    my $info = $json->decode($r->{headers}{'hound-request-info'});
    my $turn = ($info->{ConversationState} || { Turn => 0 })->{Turn} + 1;

    return reply(200, '{"Format":"HoundVoiceQueryPartialTranscript"}')
        if $case eq 'hound-broken';
    return reply(200, $json->encode({ Format => 'HoundQueryResult',
        Status => 'Error', ErrorMessage => 'no', AllResults => [] }))
        if $case eq 'hound-error';

    my $text = 'audio ' . ($info->{PartialTranscriptsDesired} ? 'ok' : 'no')
        . " @signed " . ($r->{chunks} > 1 ? 'chunked' : 'whole') . ' '
        . length $r->{body};

    if ($case eq 'hound-text') {
        my ($query) = $r->{path} =~ /query=(.*)/;
        $text = 'text ' . ($query =~ s/%(..)/chr hex $1/ger);
    }

    if ($case eq 'hound-legacy') {
        my $object = $json->encode({ Format => 'SoundHoundVoiceSearchResult',
            Status => 'OK', AllResults => [{ CommandKind => 'X',
            SpokenResponse => 'legacy' }] }) . "\n";
        return reply(200, length($object) . "\n$object");
    }

    my @objects = map { {
        Format => $_, FormatVersion => '1.0', PartialTranscript => 'what',
        DurationMS => 100, Done => JSON::PP::false,
        SafeToStopAudio => JSON::PP::false
    } } qw(HoundVoiceQueryPartialTranscript
           SoundHoundVoiceSearchParialTranscript);

    push @objects, { Format => 'HoundQueryResult', Status => 'OK',
        NumToReturn => 1, Disambiguation => { NumToShow => 1,
            ChoiceData => [{ Transcription => 'what was heard',
                             ConfidenceScore => 0.9 }] },
        AllResults => [{ CommandKind => 'X', SpokenResponse => $text,
            WrittenResponse => $text, ConversationState => { Turn => $turn },
            NativeData => { Intent => 'greet', Entities => { n => 1 } },
            ResponseAudioBytes => encode_base64($wav, '') }] };

    return reply(200, join "\n", map { $json->encode($_) } @objects);
}


# Which signatures hold, computed anew.

sub signed {
    my ($r) = @_;

    my $h = $r->{headers};
    my @signed;
    my ($client, $time, $mac)
        = split /;/, $h->{'hound-client-authentication'} // ';;';
    my ($user, $id)
        = split /;/, $h->{'hound-request-authentication'} // ';';

    my $public = encode_base64(hmac_sha256("$user;$id$time", $raw_key), '');
    push @signed, 'public' if $client eq 'the-client'
        && $mac eq ($public =~ tr{+/}{-_}r) && abs(time - $time) < 10;

    my $document = encode_base64(hmac_sha256(join(';',
        map { $h->{"hound-$_"} // '' } qw(client-id request-id
                                          request-timestamp)), $key), '');
    push @signed, 'document'
        if ($h->{'hound-request-signature'} // '') eq $document;

    return @signed;
}


sub http_answer {
    my ($r, $case) = @_;

    my %fixed = (
        'http-busy' => reply(503, ''),
        'http-broken' => reply(200, 'no JSON'),
        'http-forbidden' => reply(403, '{}'),
        'http-nothing' => reply(200, '{"other":1}'),
        'http-pointer' => reply(200, '{"a":[{"b":"deep"}]}'),
        'http-json' => reply(200, $json->encode({
            text => 'spoken', audio => encode_base64($wav, '') })),
        'http-wav' => reply(200, $wav, 'Content-Type: audio/wav',
            'X-Transcript: heard in header',
            'X-Response-Text: said in header'),
    );

    return $fixed{$case} if $fixed{$case};

    my $in = $json->decode($r->{body});
    my $right = $r->{headers}{authorization} eq 'Bearer bearer-secret'
        && $in->{conversation_id} eq 'conversation-1';

    return reply($right ? 200 : 401, $json->encode({
        text => "$in->{text} in $in->{language}", intent => 'echo' }));
}


sub asr_answer {
    my ($r, $case) = @_;

    return reply(503, '') if $case eq 'asr-busy';
    return reply(200, '{}') if $case eq 'asr-empty';

    my ($boundary) = $r->{headers}{'content-type'} =~ /boundary=(\S+)/;
    my %part = map { /name="(\w+)".*?\r\n\r\n(.*)\r\n\z/s ? ($1, $2) : () }
        split /--\Q$boundary\E(?:--)?(?:\r\n)?/, $r->{body};

    return reply(401, '')
        if $r->{headers}{authorization} ne 'Bearer bearer-secret'
            || $part{file} ne $wav;

    return reply(200, $json->encode({ text => join ' ',
        @part{qw(model language response_format)}, length $part{file} }));
}


sub embed_answer {
    my ($r, $case) = @_;

    return reply(503, '') if $case eq 'embed-busy';
    return reply(200, '{"data":[]}') if $case eq 'embed-empty';

    my %vector = (same => [1, 0], other => [0.6, 0.8]);
    my $in = $json->decode($r->{body});
    my $n = 0;
    my @data = map { { index => $n++, embedding => $vector{$_} } }
        @{$in->{input}};

    return reply(200, $json->encode({ data => [reverse @data] }));
}


sub spew {
    my ($file, $text) = @_;

    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
}
