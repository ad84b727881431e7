#!/usr/bin/perl

# The built-in voice agent over HTTP: Houndify's protocol, and what it
# refuses.

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(hmac_sha256);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64;
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{VOICE_BUILD} || "$root/build";
my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;
my ($id, $key) = ('tester', encode_base64url('k' x 32));
my $sentence = 'Book a table for two people at noon in Boston.';

die "$build/pool-agent is not built" . "\n"
    unless -x "$build/pool-agent";

my ($pid, $port) = start();

text();
signatures();
refusals();
audio();
conversation();
robust();

kill TERM => $pid;
waitpid $pid, 0;
is $?, 0, 'the agent ends when it is told to';
unlike slurp("$dir/log"), qr/AddressSanitizer|runtime error|\Q$key\E/,
    'its log has no fault and no key';

done_testing;


sub start {
    spew("$dir/key", "$key\n");
    mkdir "$dir/cache";
    spew("$dir/workers.conf", <<"END");
speech_dir = $root/conf/speech
cache_dir = $dir/cache
log_file = $dir/log
agent_listen = 127.0.0.1:1
queue test_execution = 1

[agent builtin]
base_url = http://127.0.0.1:1/v1
client_id = $id
client_key_file = $dir/key
END

    my $child = open my $out, '-|', "$build/pool-agent", "$dir/workers.conf";
    my $number = <$out> // die 'the agent does not start';
    chomp $number;

    # closing it would wait for the agent's end
    our $keep = $out;

    return ($child, $number);
}


sub text {
    my $reply = ask(query => 'what is the weather in seattle');
    is $reply->{status}, 200, 'a text is answered';
    is $reply->{final}{Status}, 'OK', 'with status OK';
    is $reply->{result}{CommandKind}, 'WeatherCommand', 'by the right rule';
    is $reply->{result}{NativeData}{Entities}{city}, 'seattle',
        'with its entities';
    is $reply->{final}{Disambiguation}{ChoiceData}[0]{Transcription},
        'what is the weather in seattle', 'with the transcription';
    ok !exists $reply->{result}{ResponseAudioBytes},
        'without sound unless it is wished';

    $reply = ask(query => 'play some jazz', info => {
        ResponseAudioShortOrLong => 'Short', ResponseAudioVoice => 'rms' });
    is_wav(decode_base64($reply->{result}{ResponseAudioBytes} // ''),
           'a spoken answer');

    $reply = ask(method => 'POST', path => '/v1/text', scheme => 'S',
                 body => $json->encode({ Query => 'call my mother' }));
    is $reply->{result}{SpokenResponse}, 'Calling your mother.',
        'a query in the body is answered';

    $reply = ask(method => 'POST', path => '/v1/text?query=hello',
                 headers => { 'Hound-Request-Info-Length' => 2 },
                 body => '{}');
    is $reply->{result}{CommandKind}, 'SmallTalkCommand',
        'RequestInfo is read from the body';

    $reply = ask(query => 'hello', info => {
        ObjectByteCountPrefixes => JSON::PP::true });
    like $reply->{body}, qr/\A\d+\n\{/, 'a length precedes an object';

    $reply = ask(query => 'bonjour', info => {
        InputLanguageIETFTag => 'fr-FR' });
    is $reply->{final}{Status}, 'Error', 'French is not spoken';
}


sub signatures {
    for my $scheme (qw(R S RS)) {
        is ask(query => 'hello', scheme => $scheme)->{status}, 200,
            "scheme $scheme is taken";
    }

    is ask(query => 'hello', scheme => '')->{status}, 401,
        'who does not sign is refused';

    for my $scheme (qw(R S)) {
        is ask(query => 'hello', scheme => $scheme, key => 'a' x 43 . '=')
            ->{status}, 403, "a wrong signature ($scheme) is refused";
        is ask(query => 'hello', scheme => $scheme, time => time - 400)
            ->{status}, 403, "an old time stamp ($scheme) is refused";
        is ask(query => 'hello', scheme => $scheme, time => time + 400)
            ->{status}, 403, "a future time stamp ($scheme) is refused";
        is ask(query => 'hello', scheme => $scheme, id => 'other')->{status},
            401, "an unknown client ($scheme) is refused";
    }
}


sub refusals {
    is ask(path => '/v1/none')->{status}, 404, 'an unknown road';
    is ask(path => '/v1/audio')->{status}, 405, 'GET for audio';
    is ask(path => '/v1/text')->{status}, 400, 'no query';
    is ask(query => 'x' x 1001)->{status}, 400, 'a query that is too long';
    is ask(query => "\xff\xfe")->{status}, 400, 'a query that is no UTF-8';

    for my $info ('{', '[]', '"x"', '{"a":1,"a":2}', '{"Domain":5}',
                  '{"ConversationState":[1]}',
                  '{"InputLanguageIETFTag":"!!"}')
    {
        is ask(query => 'hello', raw_info => $info)->{status}, 400,
            "RequestInfo $info";
    }

    is ask(query => 'hello', info => { Domain => '../navigation' })
        ->{final}{Status}, 'Error', 'a domain is a name and no path';

    for my $length (qw(-1 99999999 999999999999999999999 x)) {
        is ask(method => 'POST', path => '/v1/audio', body => 'RIFF',
               headers => { 'Hound-Request-Info-Length' => $length })
            ->{status}, 400, "a RequestInfo of length $length";
    }

    is ask(method => 'POST', path => '/v1/audio', body => '')->{status},
        400, 'no sound';
    is ask(method => 'POST', path => '/v1/audio', body => 'x' x 100)
        ->{final}{Status}, 'Error', 'a sound that is none';
    is ask(method => 'POST', path => '/v1/audio',
           body => 'x' x (4 * 1024 * 1024 + 1))->{status}, 413,
        'a body that is too large';
}


sub audio {
    my $wav = spoken($sentence);
    my $reply = ask(method => 'POST', path => '/v1/audio', body => $wav,
                    info => { PartialTranscriptsDesired => JSON::PP::true,
                              ResponseAudioShortOrLong => 'Short' });

    is $reply->{final}{Disambiguation}{ChoiceData}[0]{Transcription},
        'book a table for two people at noon in boston',
        'what was spoken is heard';
    cmp_ok scalar @{$reply->{partials}}, '>', 2,
        'partial transcripts come first';
    is $reply->{partials}[0]{Format}, 'HoundVoiceQueryPartialTranscript',
        'in their format';
    is $reply->{result}{SpokenResponse},
        'I booked a table for two people at noon in boston.',
        'what was heard is answered';
    is $reply->{result}{NativeData}{Entities}{people}, 2,
        'numbers are numbers';
    is_wav(decode_base64($reply->{result}{ResponseAudioBytes} // ''),
           'the answer');

    $reply = ask(method => 'POST', path => '/v1/audio', chunked => 1,
                 body => $wav);
    is scalar @{$reply->{partials}}, 0, 'no partials unless they are wished';
    is $reply->{result}{NativeData}{Intent}, 'book_table',
        'a sound in chunks is heard';

    substr($wav, 44) = "\0" x (length($wav) - 44);
    $reply = ask(method => 'POST', path => '/v1/audio', body => $wav);
    is $reply->{result}{CommandKind}, 'NoResultCommand',
        'silence is not understood';
    is $reply->{final}{Disambiguation}{ChoiceData}[0]{Transcription}, '',
        'and heard as nothing';
}


sub conversation {
    my $reply = ask(query => 'book a table in seattle');
    ok $reply->{result}{AutoListen}, 'the agent asks back';

    $reply = ask(query => 'for four people', info => {
        ConversationState => $reply->{result}{ConversationState} });
    is $reply->{result}{SpokenResponse}, 'At what time?',
        'the state is taken up';

    $reply = ask(query => 'at noon', info => {
        ConversationState => $reply->{result}{ConversationState} });
    is $reply->{result}{SpokenResponse},
        'I booked a table for four people at noon in seattle.',
        'to the end';
}


# Callers who go away do no harm.

sub robust {
    for my $part ("POST /v1/audio HTTP/1.1\r\n",
                  head('POST', '/v1/audio', 100_000) . 'RIFF',
                  "GET /" . 'x' x 200_000, "\r\n\r\n\0\0\0")
    {
        my $socket = connect_agent();
        print $socket $part;
        close $socket;
    }

    my $socket = connect_agent();
    print $socket head('POST', '/v1/audio', length spoken($sentence))
        . spoken($sentence);
    close $socket;

    is ask(query => 'hello')->{status}, 200, 'the agent still answers';
}


sub head {
    my ($method, $path, $length) = @_;

    my %headers = sign('RS', $id, $key, time);

    return join("\r\n", "$method $path HTTP/1.1", 'Host: localhost',
                (map { "$_: $headers{$_}" } sort keys %headers),
                "Content-Length: $length") . "\r\n\r\n";
}


sub sign {
    my ($scheme, $client, $secret, $now) = @_;

    my %headers;

    if ($scheme =~ /R/) {
        my $raw = decode_base64(($secret =~ tr{-_}{+/}r));
        my $mac = encode_base64(hmac_sha256("user;request$now", $raw), '');
        $mac =~ tr{+/}{-_};
        $headers{'Hound-Request-Authentication'} = 'user;request';
        $headers{'Hound-Client-Authentication'} = "$client;$now;$mac";
    }

    if ($scheme =~ /S/) {
        $headers{'Hound-Client-ID'} = $client;
        $headers{'Hound-Request-ID'} = 'request';
        $headers{'Hound-Request-Timestamp'} = $now;
        $headers{'Hound-Request-Signature'} = encode_base64(
            hmac_sha256("$client;request;$now", $secret), '');
    }

    return %headers;
}


# One exchange; final is the last object, partials those before it.

sub ask {
    my (%arg) = @_;

    my %headers = (sign($arg{scheme} // 'RS', $arg{id} // $id,
                        $arg{key} // $key, $arg{time} // time),
                   %{$arg{headers} || {}});
    my $info = $arg{raw_info}
        // ($arg{info} ? $json->encode($arg{info}) : undef);
    $headers{'Hound-Request-Info'} = $info if defined $info;

    my $path = $arg{path} // '/v1/text';
    $path .= '?query=' . ($arg{query} =~ s/(\W)/sprintf '%%%02X', ord $1/ger)
        if defined $arg{query};

    my $body = $arg{body} // '';
    my $method = $arg{method} // 'GET';
    my $socket = connect_agent();

    if ($arg{chunked}) {
        $headers{'Transfer-Encoding'} = 'chunked';
        $body = join '', (map { sprintf "%x\r\n%s\r\n", length, $_ }
            unpack '(a8192)*', $body), "0\r\n\r\n";
    } else {
        $headers{'Content-Length'} = length $body;
    }

    local $SIG{PIPE} = 'IGNORE';
    print $socket join("\r\n", "$method $path HTTP/1.1", 'Host: localhost',
                       'Connection: close',
                       map { "$_: $headers{$_}" } sort keys %headers),
        "\r\n\r\n", $body;

    return parse($socket);
}


sub parse {
    my ($socket) = @_;

    my $answer = do { local $/; <$socket> } // '';
    my ($head, $rest) = split /\r\n\r\n/, $answer, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)};

    if (($head // '') =~ /^Transfer-Encoding: chunked/mi) {
        my $whole = '';
        while ($rest =~ s/\A([0-9a-fA-F]+)\r\n//) {
            my $length = hex $1;
            $whole .= substr $rest, 0, $length, '';
            $rest =~ s/\A\r\n//;
        }
        $rest = $whole;
    }

    my @objects = map { eval { $json->decode($_) } // () }
        grep { /^\{/ } split /\n/, $rest // '';
    my $final = pop @objects;

    return { status => $status // 0, body => $rest // '', final => $final,
             partials => \@objects, result => $final->{AllResults}[0] };
}


sub connect_agent {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Timeout => 10) || die "no agent: $!";
}


# A WAV file by the pool's own voice, as the cache has it.

sub spoken {
    my ($text) = @_;

    our %spoken;

    return $spoken{$text} if $spoken{$text};

    my $cache = tempdir(CLEANUP => 1);
    open my $out, '|-', "$build/pool-hearing $root/conf/speech $cache "
        . '>/dev/null' or die "pool-hearing: $!";
    print $out "right|q|slt|$text\n";
    close $out or die 'pool-hearing failed';

    my ($file) = glob "$cache/*/*";

    return $spoken{$text} = slurp($file);
}


sub is_wav {
    my ($bytes, $name) = @_;

    my ($loud) = sort { $b <=> $a } map { abs } unpack 's<*',
        substr $bytes, 44, 64_000 if length $bytes > 44;

    ok substr($bytes, 0, 4) eq 'RIFF' && substr($bytes, 8, 4) eq 'WAVE'
        && ($loud // 0) > 1000, "$name is a WAV file and not silent";
}


sub encode_base64url {
    my $text = encode_base64($_[0], '');
    $text =~ tr{+/}{-_};

    return $text;
}


sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or return '';
    local $/;

    return scalar(<$in>) // '';
}


sub spew {
    my ($file, $text) = @_;

    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
}
