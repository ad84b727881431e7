#!/usr/bin/perl

# HTTP/2: the same operations, streams and errors as over HTTP/1.1, many at
# once on one connection, and clients that reset what they asked for.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Http2;
use Voice::Raw;

my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $h2 = Voice::Http2->start($voice);
my $auth = "Authorization: Bearer $owner->{token}";
my $type = 'Content-Type: application/json';
my @pids = sort $voice->children('nginx');

operations();
same_as_before();
errors();
bodies();
streams();
live_streams();
many_at_once();
resets();
broken_frames();

is(join(' ', sort $voice->children('nginx')), "@pids",
   'no process of nginx has died');

$voice->finish;


sub post {
    my ($path, $body, @headers) = @_;

    return $h2->ask($path, (map { ('-H', $_) } $auth, $type, @headers),
                    '-d', $body);
}


# Makes, reads, changes, lists, deletes; with a key, a version, a trace.
sub operations {
    my $made = post('/api/v1/test-suites', '{"name":"Two"}',
                    'Idempotency-Key: two');
    is($made->{version}, 2, 'the edge speaks HTTP/2');
    is($made->{status}, 201, 'something is made');

    my $again = post('/api/v1/test-suites', '{"name":"Two"}',
                     'Idempotency-Key: two');
    is($again->{headers}{'idempotent-replayed'}, 'true',
       'a repetition is known');
    is($again->{json}{data}{id}, $made->{json}{data}{id}, 'by its key');

    my $path = $made->{headers}{location};
    is($h2->get($path, $auth, 'If-None-Match: "1"')->{status}, 304,
       'what has not changed is not sent');
    is($h2->ask($path, '-X', 'PUT', '-H', $auth, '-H', $type, '-H',
                'If-Match: "1"', '-d', '{"description":"d"}')->{status}, 200,
       'a change with its version');
    is($h2->ask($path, '-X', 'PUT', '-H', $auth, '-H', $type, '-H',
                'If-Match: "1"', '-d', '{"description":"d"}')->{status}, 412,
       'an old one is refused');
    is($h2->get('/api/v1/test-suites', $auth)->{json}{pagination}
       {total_items}, 1, 'it is listed');
    is($h2->ask($path, '-X', 'DELETE', '-H', $auth)->{status}, 204,
       'and deleted');

    my $trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    like($h2->get('/health', "traceparent: $trace")->{headers}{traceparent},
         qr/^00-0af7651916cd43dd8448eb211c80319c-/, 'a trace goes on');
}


sub same_as_before {
    my @reads = grep {
        $_->{method} eq 'GET' && $_->{path} !~ /[{]|metrics|ready|health/
    } values %{$voice->{operations}};
    my @differ;

    for my $operation (sort { $a->{path} cmp $b->{path} } @reads) {
        my $one = $voice->request('GET', $operation->{path}, headers => {
            Authorization => "Bearer $owner->{token}",
            'X-Request-Id' => 'same' });
        my $two = $h2->get($operation->{path}, $auth, 'X-Request-Id: same');
        push @differ, $operation->{path}
            if $one->{status} != $two->{status}
                || $one->{content} =~ s/"timestamp".*//r
                   ne $two->{content} =~ s/"timestamp".*//r
                || $one->{headers}{'content-type'}
                   ne $two->{headers}{'content-type'};
    }

    cmp_ok(scalar @reads, '>', 10, 'reads of all kinds');
    is("@differ", '', 'give the same over both versions');
}


sub errors {
    my %bad = ('/api/v1/nothing' => 404, '/api/v1/test-suites/x' => 422,
               '/api/v1/test-suites?page=0' => 422);

    for my $path (sort keys %bad) {
        is(improper($voice, $h2->get($path, $auth), $bad{$path}), '',
           "GET $path fails in our form");
    }

    is(improper($voice, $h2->get('/api/v1/auth/me'), 401), '',
       'so without credentials');
    is(improper($voice, post('/api/v1/test-suites', '{"name":'), 400), '',
       'with a body that is no JSON');
    # curl gives up at the reset that follows a reply to half a request
    my $raw = $h2->raw;
    $raw->request(1, 0, ':method' => 'POST', ':scheme' => 'http',
        ':path' => '/api/v1/test-suites', ':authority' => 'x',
        authorization => "Bearer $owner->{token}",
        'content-type' => 'application/json', 'content-length' => 1_100_000);
    like($raw->until(Voice::Http2::DATA, 1)->{payload},
         qr/^\{"success":false.*"PAYLOAD_TOO_LARGE"/,
         'with one that is too large');
    is(unpack('N', $raw->until(Voice::Http2::RST_STREAM, 1)->{payload}), 0,
       'whose rest is not wanted');
    is(improper($voice, $h2->ask('/api/v1/test-suites', '-X', 'PATCH', '-H',
                                 $auth), 405), '',
       'with a method that is not there');
    my $options = $h2->ask('/api/v1/test-suites', '-X', 'OPTIONS');
    is($options->{headers}{allow}, 'GET, POST, HEAD, OPTIONS',
       'OPTIONS tells which are');
    is($h2->ask('/api/v1/auth/me', '-I', '-H', $auth)->{status}, 200,
       'HEAD is answered');
}


sub bodies {
    my $suite = post('/api/v1/test-suites', '{"name":"Large"}');
    my $large = encode_json({ name => 'Large',
        suite_id => $suite->{json}{data}{id}, languages => [
            { language_code => 'en-US', input_text => 'hello' }] });
    $large .= ' ' x (131_072 - length $large);
    my $file = "$voice->{dir}/large";
    Voice::spew($file, $large);

    is(post('/api/v1/test-cases', "\@$file")->{status}, 201,
       'a body of many frames is read');
    is(post('/api/v1/test-cases', "\@$file",
            'Content-Length:')->{status}, 201,
       'also one whose length is not told');

    my $document = $h2->get('/openapi.json');
    cmp_ok(length $document->{content}, '>', 65536,
           'a reply larger than the window');
    is($document->{content}, $voice->request('GET', '/openapi.json')
       ->{content}, 'comes whole');
}


# Those that the edge serves itself; what is told before comes again.
sub live_streams {
    my $raw = $h2->raw;
    $voice->sql("begin; select core.use_tenant('$owner->{tenant_id}', null,"
        . ' \'system\', null, \'r\'); select core.emit(\'call.ai_failed\','
        . ' \'call\', core.uuid_v7(), jsonb_build_object(\'call_id\', n))'
        . ' from generate_series(1, 150) n; commit');
    $voice->sql('select count(*) from work.relay_take(1000)');

    for my $stream (1, 3) {
        $raw->request($stream, 1, ':method' => 'GET', ':scheme' => 'http',
            ':path' => '/api/v1/calls/stream?event_types=ai_failed',
            ':authority' => 'x', authorization => "Bearer $owner->{token}",
            'last-event-id' => 0);
        my $text = '';
        while ($text !~ /"call_id":150,/) {
            my $frame = $raw->until(Voice::Http2::DATA, $stream) or last;
            $text .= $frame->{payload};
        }
        is(join(' ', $text =~ /"call_id":(\d+),/g), join(' ', 1 .. 150),
           'a live stream brings all that was missed');
    }

    $raw->frame(Voice::Http2::RST_STREAM, 0, 1, pack 'N', 8);
    $raw->request(5, 1, ':method' => 'GET', ':scheme' => 'http',
        ':path' => '/health', ':authority' => 'x');
    ok($raw->until(Voice::Http2::DATA, 5), 'one is reset, others go on');
}


sub streams {
    my $raw = $h2->raw;
    $raw->request(1, 1, ':method' => 'GET', ':scheme' => 'http',
        ':path' => "/events/stream/$owner->{tenant_id}",
        ':authority' => 'x', authorization => "Bearer $owner->{token}",
        accept => 'text/event-stream');

    my $first = $raw->until(Voice::Http2::DATA, 1);
    like($first->{payload}, qr/^:/, 'a stream opens');

    $voice->sql("begin; select core.use_tenant('$owner->{tenant_id}', null,"
        . ' \'system\', null, \'r\'); select core.emit(\'test_run.created\','
        . ' \'test_run\', core.uuid_v7(), \'{"status":"pending"}\');'
        . ' commit');
    my @publish = map { split /\|/ } $voice->sql('select tenant_id, seq,'
        . ' array_to_string(channels, \',\'), body from work.relay_take(1)');
    publish($publish[2], $publish[3]);

    my $event = '';
    while ($event !~ /test_run.created/) {
        my $frame = $raw->until(Voice::Http2::DATA, 1) or last;
        $event .= $frame->{payload};
    }
    like($event, qr/test_run\.created/, 'and brings an event');

    # another request beside the open stream
    $raw->request(3, 1, ':method' => 'GET', ':scheme' => 'http',
        ':path' => '/health', ':authority' => 'x');
    ok($raw->until(Voice::Http2::DATA, 3), 'beside other requests');

    $raw->frame(Voice::Http2::RST_STREAM, 0, 1, pack 'N', 8);
    $raw->request(5, 1, ':method' => 'GET', ':scheme' => 'http',
        ':path' => '/health', ':authority' => 'x');
    ok($raw->until(Voice::Http2::DATA, 5),
       'the connection outlives a stream that is reset');
}


# What the relay does.
sub publish {
    my ($channels, $body) = @_;

    my $socket = "$voice->{stack}{sockets}/publish.sock";
    my $status = qx{curl -s -o /dev/null -w '%{http_code}' --unix-socket \\
        $socket -H 'Content-Type: application/json' --data-binary \@- \\
        'http://x/publish?channels=$channels' <<'END'
$body
END
};
    like($status, qr/^20[12]$/, 'an event is published');
}


sub many_at_once {
    my $output = qx{h2load -n 300 -c 3 -m 50 -H '$auth' \\
        $h2->{url}/api/v1/auth/me 2>&1};
    my ($good, $failed, $errored) = $output
        =~ /(\d+) succeeded, (\d+) failed, (\d+) errored/;
    is($good, 300, '300 requests, 50 at once on a connection')
        or diag($output);

    $output = qx{h2load -n 2000 -c 4 -m 100 -H '$auth' \\
        $h2->{url}/api/v1/auth/me 2>&1};
    my ($ok, $refused, $broken) = $output
        =~ /status codes: (\d+) 2xx, 0 3xx, (\d+) 4xx, (\d+) 5xx/;
    is($ok + $refused, 2000, 'over the limit each is answered')
        or diag($output);
    is($broken, 0, 'and none fails for it');
}


# Streams that are reset while the database is asked, while the body is
# read, and right away; then all at once by closing the connection.
sub resets {
    my $psql = "begin; lock table core.test_suite;";
    my $lock = hold($psql);
    # the first one's limit is used up
    my $other = $voice->tenant('other');
    my @more = (':scheme' => 'http', ':authority' => 'x',
                authorization => "Bearer $other->{token}");
    my $raw = $h2->raw;

    for my $n (0 .. 19) {
        $raw->request(1 + 2 * $n, 1, ':method' => 'GET',
                      ':path' => '/api/v1/test-suites', @more);
    }
    ok($voice->wait_for(sub { $voice->sql('select count(*) from'
        . ' pg_stat_activity where wait_event_type = \'Lock\'') > 0 }, 20),
       'streams wait for the database');
    $raw->frame(Voice::Http2::RST_STREAM, 0, 1 + 2 * $_, pack 'N', 8)
        for 0 .. 9;
    close $raw->{socket};
    let_go($lock);

    $raw = $h2->raw;
    for my $n (0 .. 19) {
        my $stream = 1 + 2 * $n;
        $raw->request($stream, 0, ':method' => 'POST',
            ':path' => '/api/v1/test-suites', @more,
            'content-type' => 'application/json');
        $raw->frame(Voice::Http2::DATA, 0, $stream, '{"name":');
        $raw->frame(Voice::Http2::RST_STREAM, 0, $stream, pack 'N', 8);
    }
    $raw->request(99, 1, ':method' => 'GET', ':path' => '/health', @more);
    ok($raw->until(Voice::Http2::DATA, 99),
       'streams may be reset in every state');
    is($h2->get('/api/v1/auth/me', $auth)->{status}, 200,
       'and others are served');
}


sub hold {
    my ($query) = @_;

    local $ENV{PGPASSWORD}
        = Voice::slurp("$voice->{stack}{secrets}/postgres");
    open my $psql, '|-', 'psql', '-XAtq', '-h', $voice->{stack}{sockets},
        '-U', 'postgres', '-d', $voice->{stack}{database}
        or die "psql: $!";
    $psql->autoflush(1);
    print $psql "$query\n";
    $voice->wait_for(sub { $voice->sql('select count(*) from'
        . ' pg_stat_activity where state = \'idle in transaction\'') > 0 },
        20);

    return $psql;
}


sub let_go {
    my ($psql) = @_;

    print $psql "rollback;\n";
    close $psql;
}


sub broken_frames {
    my %bad = (
        'a header block that is none' => sub {
            $_[0]->frame(Voice::Http2::HEADERS, 5, 1, "\xff" x 40) },
        'a frame that is too large' => sub {
            $_[0]->frame(Voice::Http2::DATA, 0, 1, 'x' x 20000) },
        'data of no stream' => sub {
            $_[0]->frame(Voice::Http2::DATA, 1, 7, 'x') },
        'a window of nothing' => sub {
            $_[0]->frame(Voice::Http2::WINDOW_UPDATE, 0, 0, "\0\0\0\0") },
        'no method' => sub {
            $_[0]->request(1, 1, ':path' => '/', ':scheme' => 'http') },
        'upper case' => sub {
            $_[0]->request(1, 1, ':method' => 'GET', ':path' => '/health',
                ':scheme' => 'http', ':authority' => 'x', 'X-Y' => 'z') },
        'a line break' => sub {
            $_[0]->request(1, 1, ':method' => 'GET', ':path' => '/health',
                ':scheme' => 'http', ':authority' => 'x',
                'x-y' => "z\r\nset-cookie: a") },
        'a space in the path' => sub {
            $_[0]->request(1, 1, ':method' => 'GET', ':path' => '/a b',
                ':scheme' => 'http', ':authority' => 'x') },
        'connection headers' => sub {
            $_[0]->request(1, 1, ':method' => 'GET', ':path' => '/health',
                ':scheme' => 'http', ':authority' => 'x',
                'transfer-encoding' => 'chunked') },
    );

    for my $what (sort keys %bad) {
        my $raw = $h2->raw;
        $bad{$what}->($raw);
        $raw->frame(Voice::Http2::PING, 0, 0, 'p' x 8);
        my $frames = 0;
        while (my $frame = $raw->next(5)) {
            last if $frame->{type} == Voice::Http2::PING
                || $frame->{type} == Voice::Http2::GOAWAY;
            last if ++$frames > 50;
        }
        is($h2->get('/health')->{status}, 200, "$what harms nobody");
    }
}
