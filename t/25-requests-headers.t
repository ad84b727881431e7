#!/usr/bin/perl

# Conditions, methods, media types, deprecation, limits of heads and bodies,
# connections: what HTTP itself asks of every operation.

use strict;
use warnings;

use File::Copy qw(copy);
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Raw;

my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $suite = $voice->call('create_test_suite', as => $owner,
                         body => { name => 'One' });
my $id = $suite->{json}{data}{id};

not_modified();
preconditions();
caching();
heads();
options();
methods();
media();
limits();
keep_alive();
logged();
deprecated();

$voice->finish;


sub get {
    my (%headers) = @_;

    return $voice->call('get_test_suite', as => $owner,
                        path => { id => $id }, headers => \%headers);
}


sub raw {
    my ($bytes, %opt) = @_;

    my $raw = Voice::Raw->new($voice);
    $raw->put($bytes);

    return $raw->reply(%opt);
}


sub head {
    my ($line, @headers) = @_;

    return join "\r\n", "$line HTTP/1.1", 'Host: x',
        "Authorization: Bearer $owner->{token}", @headers, '', '';
}


# --- conditions -----------------------------------------------------------

sub not_modified {
    my $tag = get()->{headers}{etag};
    is($tag, '"1"', 'a versioned resource has an ETag');

    for my $list ('"1"', 'W/"1"', '*', '"0", "1"', '"a,b" ,W/"1"') {
        my $reply = raw(head("GET /api/v1/test-suites/$id",
                             "If-None-Match: $list"), head => 1);
        is($reply->{status}, 304, "$list is what the client has");
        is($reply->{headers}{etag}, $tag, 'the 304 names it');
        is($reply->{headers}{'cache-control'}, 'private, no-cache',
           'and how long it is good');
        like($reply->{headers}{vary}, qr/Origin/, 'and by what it varies');
        ok(!exists $reply->{headers}{'content-type'}, 'it has no body');
    }

    for my $list ('"2"', '"2", "3"', '1', '"1', '"1" "2"', ',', '') {
        is(get('If-None-Match' => $list)->{status}, 200,
           "\"$list\" is not");
    }

    my $twice = head("GET /api/v1/test-suites/$id", 'If-None-Match: "0"',
                     'If-None-Match: "1"');
    my $again = head('GET /health');
    my $once = head("GET /api/v1/test-suites/$id", 'If-None-Match: "1"');
    my $raw = Voice::Raw->new($voice);
    $raw->put($once . $again);
    is($raw->reply(head => 1)->{status}, 304, 'what the client has');
    is($raw->reply->{status}, 200, 'has nothing behind its head');
    is(raw($twice)->{status}, 400, 'two lists are one too many');

    is(raw(head("HEAD /api/v1/test-suites/$id", 'If-None-Match: "1"'),
           head => 1)->{status}, 304, 'a HEAD is answered the same');
    is($voice->call('update_test_suite', as => $owner,
           path => { id => $id }, headers => { 'If-None-Match' => '*' },
           body => { description => 'd' })->{status}, 200,
       'a change does not look at it');
    is(get('If-None-Match' => '"1"')->{status}, 200,
       'what has changed is sent');
}


sub preconditions {
    my $change = sub {
        my ($match) = @_;
        return $voice->call('update_test_suite', as => $owner,
            path => { id => $id }, headers => { 'If-Match' => $match },
            body => { description => $match });
    };
    my $version = sub { get()->{headers}{etag} =~ /(\d+)/ && $1 };

    for my $form ('*', '"%d"', '%d', '"0", "%d"', '"%d","0"',
                  'W/"%d", "%d"')
    {
        my $now = $version->();
        is($change->($form =~ s/%d/$now/gr)->{status}, 200,
           "If-Match $form takes the present version");
    }

    for my $form ('"0"', 'W/"%d"', '"0", W/"%d"', '0', '"%d0"') {
        my $now = $version->();
        is($change->($form =~ s/%d/$now/gr)->{json}{error}{code},
           'VERSION_MISMATCH', "If-Match $form does not");
        is($version->(), $now, 'and changes nothing');
    }

    for my $form ('"', 'abc', '"1" "2"', '"1",', '*, "1"', 'w/"1"') {
        refused($change->($form), '/header/if_match', "If-Match $form");
    }
}


sub caching {
    like(get()->{headers}{vary}, qr/Origin/, 'replies vary by the origin');
    is($voice->call('create_test_suite', as => $owner,
           body => { name => 'Two' })->{headers}{'cache-control'}, 'no-store',
       'nobody keeps the reply to a change');
}


# --- methods --------------------------------------------------------------

sub heads {
    for my $path ("/api/v1/test-suites/$id", '/api/v1/test-suites',
                  '/api/v1/nothing', '/health', '/openapi.json')
    {
        my $get = raw(head("GET $path", 'X-Request-Id: same'));
        my $head = raw(head("HEAD $path", 'X-Request-Id: same'), head => 1);
        my @names = grep { $_ ne 'date' && !/^ratelimit/ }
            sort keys %{$get->{headers}};

        is($head->{status}, $get->{status}, "HEAD $path has the status");
        is_deeply([map { "$_: " . ($head->{headers}{$_} // '') } @names],
                  [map { "$_: $get->{headers}{$_}" } @names],
                  'and the headers of the GET')
            unless $path eq '/health';
    }
}


sub options {
    my %allow = ('/api/v1/test-suites' => 'GET, POST, HEAD, OPTIONS',
                 "/api/v1/test-suites/$id"
                     => 'GET, PUT, DELETE, HEAD, OPTIONS',
                 '/api/v1/auth/login' => 'POST, OPTIONS',
                 '/health' => 'GET, HEAD, OPTIONS');

    for my $path (sort keys %allow) {
        my $reply = raw("OPTIONS $path HTTP/1.1\r\nHost: x\r\n\r\n",
                        head => 1);
        is($reply->{status}, 204, "OPTIONS $path needs no credentials");
        is($reply->{headers}{allow}, $allow{$path}, 'and tells the methods');
    }

    my $stream = raw("OPTIONS /events/stream/$owner->{tenant_id} HTTP/1.1"
                     . "\r\nHost: x\r\n\r\n", head => 1);
    is($stream->{status}, 204, 'also of a stream');
    is(raw("OPTIONS /api/v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n")->{status},
       404, 'there is nothing to tell where there is no path');

    my $server = raw("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", head => 1);
    is($server->{status}, 204, 'OPTIONS * asks the server itself');
    is($server->{headers}{allow}, 'GET, POST, PUT, DELETE, HEAD, OPTIONS',
       'which knows these methods');
}


sub methods {
    my $reply = raw(head("PATCH /api/v1/test-suites/$id",
                         'Content-Length: 2', 'Content-Type: text/plain')
                    . '{}');
    is(improper($voice, $reply, 405), '', 'a method that is not there');
    is($reply->{headers}{allow}, 'GET, PUT, DELETE, HEAD, OPTIONS',
       'is refused with those that are');
    is(improper($voice, raw(head('POST /health', 'Content-Length: 0')), 405),
       '', 'also where nothing can be changed');
    is(improper($voice, raw(head('GET /health', 'Transfer-Encoding: gzip')),
                501), '', 'an unknown transfer coding is not implemented');
    is(improper($voice, raw("GET / HTTP/3.0\r\nHost: x\r\n\r\n"), 505), '',
       'nor is another version of HTTP spoken');
}


sub media {
    my $post = sub {
        my ($type) = @_;
        my $body = '{"name":"Media"}';
        return raw(head('POST /api/v1/test-suites', "Content-Type: $type",
                        'Content-Length: ' . length $body) . $body);
    };

    for my $type ('application/json', 'APPLICATION/JSON',
                  'application/json; charset=utf-8',
                  'application/json ;charset="UTF-8"')
    {
        is($post->($type)->{status}, 201, "$type is taken");
    }

    for my $type ('text/plain', 'application/jsonp', 'application/xml',
                  'multipart/form-data; boundary=x', 'json', ';', '')
    {
        is(improper($voice, $post->($type), 415), '',
           "\"$type\" is no media type of ours");
    }

    my $path = "/events/stream/$owner->{tenant_id}";
    for my $accept ('text/html', 'application/json', 'text/event-stream;q=0',
                    'text/event-stream;q=0.0, text/html')
    {
        is(improper($voice, raw(head("GET $path", "Accept: $accept")), 406),
           '', "a stream cannot be had as $accept");
    }

    for my $accept ('text/event-stream', '*/*', 'text/*;q=0.1',
                    'text/html, text/event-stream;q=0.5')
    {
        is(raw(head("GET $path", "Accept: $accept"), head => 1)->{status},
           200, "but as $accept");
    }
}


# --- limits ---------------------------------------------------------------

sub limits {
    my %bad = (
        'a target that is too long' => [
            'GET /' . 'x' x 17000 . " HTTP/1.1\r\nHost: x\r\n\r\n", 414],
        'a header that is too large' => [
            head('GET /health', 'X-Large: ' . 'x' x 17000), 400, 431],
        'a body that is too large' => [
            head('POST /api/v1/test-suites', 'Content-Length: 1048577',
                 'Content-Type: application/json'), 413],
        'a length that is none' => [
            head('POST /api/v1/test-suites', 'Content-Length: x'), 400],
        'two lengths' => [head('POST /api/v1/test-suites',
            'Content-Length: 1', 'Content-Length: 2'), 400],
    );

    for my $what (sort keys %bad) {
        my ($bytes, @statuses) = @{$bad{$what}};
        is(improper($voice, raw($bytes), @statuses), '',
           "$what is refused in our own form");
    }
}


sub keep_alive {
    my $raw = Voice::Raw->new($voice);
    my $body = '{"name":"Pipelined"}';
    my @requests = (head('GET /api/v1/auth/me'), head('GET /api/v1/nothing'),
        head("GET /api/v1/test-suites/$id", 'If-None-Match: *'),
        head('POST /api/v1/test-suites', 'Content-Type: application/json',
             'Content-Length: ' . length $body) . $body,
        head('OPTIONS /health'),
        head("PATCH /api/v1/test-suites/$id", 'Content-Length: 4') . 'GET ',
        head('HEAD /api/v1/auth/me'), head('GET /health'));
    my @statuses = (200, 404, 304, 201, 204, 405, 200, 200);

    $raw->put(join '', @requests);
    my @got = map {
        $raw->reply(head => scalar(/^(?:OPTIONS|HEAD)|If-None/))->{status}
    } @requests;
    is("@got", "@statuses", 'requests in one flight are answered in order');
}


# What a client sends stays inside of its field.
sub logged {
    raw(head("GET /a\",id:\"forged\\\xff"));

    my $line = $voice->wait_for(sub {
        my @lines = grep { /forged/ } split /\n/,
            Voice::slurp("$voice->{stack}{log}/nginx.log");
        return $lines[0] }, 20);

    like($line // '', qr/path: "\/a\\x22,id:\\x22forged\\x5C\\xFF"/,
         'the error log escapes what a client sends');
}


# --- deprecation ----------------------------------------------------------

# Another contract: the stack's own with one operation about to go.
sub deprecated {
    my $etc = "$voice->{stack}{data}/etc";
    my ($file) = grep { -f } "$etc/edge.conf", "$etc/nginx.conf";
    my $text = Voice::slurp($file);
    my ($from) = $text =~ /voice_contract (\S+);/;
    my $to = "$voice->{dir}/openapi";

    mkdir $to;
    chmod 0755, $voice->{dir}, $to;
    for my $old (glob "$from/*.json") {
        my $name = $old =~ s{.*/}{}r;
        copy($old, "$to/$name") or die "$old: $!";
    }

    my $suites = Voice::slurp("$to/test_suites.json");
    $suites =~ s/("operationId": "list_test_suites",)/$1
        "x-deprecated": "2026-01-01T00:00:00Z",
        "x-sunset": "2027-06-30T12:00:00Z",/ or die 'no such operation';
    Voice::spew("$to/test_suites.json", $suites);
    Voice::spew($file, $text =~ s/voice_contract \S+;/voice_contract $to;/r);

    my %before = map { $_ => 1 } $voice->children('nginx');
    kill 'HUP', $voice->pid('nginx');
    $voice->wait_for(sub {
        my @now = $voice->children('nginx');
        return @now && !grep { $before{$_} } @now;
    }, 60) or diag('no new processes');

    my $list = $voice->request('GET', '/api/v1/test-suites',
        headers => { Authorization => "Bearer $owner->{token}" });
    is($list->{status}, 200, 'a deprecated operation works');
    is($list->{headers}{deprecation}, '@1767225600', 'it says since when');
    is($list->{headers}{sunset}, 'Wed, 30 Jun 2027 12:00:00 GMT',
       'and until when');

    my $error = $voice->request('GET', '/api/v1/test-suites');
    ok(exists $error->{headers}{sunset}, 'so do its errors');
    ok(!exists get()->{headers}{sunset}, 'others do not');

    my $document = $voice->request('GET', '/openapi.json')->{json};
    ok($document->{paths}{'/api/v1/test-suites'}{get}{deprecated},
       'the document says it, too');
}
