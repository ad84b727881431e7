#!/usr/bin/perl

# Bad input on every operation, driven by the contract: each is refused as
# the contract says, none is ever our fault.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Raw;
use Voice::Resources;
use Voice::Values;

use constant {
    BODY     => 65536,
    MEBIBYTE => 1048576,
};

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $nobody = '00000000-0000-7000-8000-000000000000';
my $voice = Voice->start(workers => 0, processes => 2);
my @actors = map { $voice->person("t$_", 'platform_admin') } 1 .. 12;
my $resources = Voice::Resources::make($voice, $voice->tenant('acme'),
                                       'acme');
my @operations = sort { $a->{operationId} cmp $b->{operationId} }
    values %{$voice->{operations}};
my @pids = sort $voice->children('nginx');
my %connection;
my ($turn, $address) = (0, 0);

use_contract($voice->{contract});

bodies_of_wrong_members();
bodies_of_no_json();
bodies_without_type();
bodies_too_large();
queries();
captures();
methods();
paths();
nasty_values();

is(join(' ', sort $voice->children('nginx')), "@pids",
   'no process of nginx has died');
logs_are_whole();

$voice->finish;


# --- bodies ---------------------------------------------------------------

sub bodies_of_wrong_members {
    for my $operation (grep { $_->{requestBody} } @operations) {
        my $schema = body_schema($operation);
        my @bad;

        for my $value (\1, undef, 7, 'text', []) {
            next if grep { $_ eq kind($value) } types($schema);
            push @bad, fault($operation, $json->encode($value), '/body', 422);
        }
        for my $name (@{$schema->{required} || []}) {
            push @bad, fault($operation, '{}', "/body/$name", 422);
        }
        # what comes of a PBX may hold more than we read
        if (exists $schema->{additionalProperties}) {
            push @bad, fault($operation, '{"no_such_member":1}',
                             '/body/no_such_member', 422);
            push @bad, fault($operation, '{"":1}', '/body/', 422);
        }

        for my $name (sort keys %{$schema->{properties}}) {
            for my $value (wrong($schema->{properties}{$name})) {
                push @bad, fault($operation,
                    $json->encode({ $name => $value }), "/body/$name", 422);
            }
        }
        is(join("\n", @bad), '',
           "$operation->{operationId} refuses each wrong member");
    }
}


sub bodies_of_no_json {
    my $deep = 10_000;
    my @broken = (
        '{', '}', '{"a":1}}', '{"a":1} x', '{"a":}', '{"a" 1}', '{a:1}',
        "{'a':1}", '{"a":1,}', '[1,]', '{"a":01}', '{"a":.5}', '{"a":1.}',
        '{"a":+1}', '{"a":NaN}', '{"a":Infinity}', '{"a":"\\x41"}',
        '{"a":"' . "\n" . '"}', '{"a":tru}', '/**/{}', 'x', "\0", '""""',
        "\xef\xbb\xbf{}", "{}\0", "{\"a\":\"\0\"}", '{"a":"\\u12"}',
        "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}",
        "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}",
        "{\"a\":\"\xe2\x82\"}", "\xff\xfe{\0}\0", '{"a":"\\ud800"}',
        '{"a":"\\udc00"}', '{"a":"\\ud800\\u0041"}', '{"\\ud800":1}',
        '{"a":1,"a":2', '{"a":1,"a":2}}', '{"a":"\\u0000"',
        '[' x $deep, '{"a":' x $deep,
        ('[' x $deep) . (']' x $deep), ' ',
    );

    # JSON, but of no one meaning, or of none that PostgreSQL can hold.
    my @odd = ('{"a":1,"a":2}', '{"b":{"a":1,"\\u0061":2}}',
               '{"a":"\\u0000"}', '{"\\u0000":1}', '{"a\\u0000":1,"a":2}');

    for my $operation (grep { $_->{requestBody} } @operations) {
        my @bad;
        push @bad, map { fault($operation, $_, undef, 400) } @broken;
        push @bad, map { fault($operation, $_, '/body', 422) } @odd;
        push @bad, fault($operation, '{"a":1e999}', undef, 400, 422);
        push @bad, fault($operation, '{"a":' . '9' x 5000 . '}', undef,
                         400, 422);
        is(join("\n", @bad), '',
           "$operation->{operationId} refuses what is no JSON");
    }
}


sub bodies_without_type {
    for my $operation (grep { $_->{requestBody} } @operations) {
        my @bad;

        for my $type (undef, '', 'text/plain', 'application/jsonx', 'json',
                      'application/x-www-form-urlencoded',
                      'multipart/form-data; boundary=x', 'application/xml',
                      'text/plain, application/json')
        {
            my $reply = ask($operation->{method}, url($operation),
                body => '{}', actor => $operation, type => $type);
            my $why = improper($voice, $reply, 415) or next;
            push @bad, ($type // 'none') . ": $why";
        }
        if ($operation->{requestBody}{required}) {
            my $reply = ask($operation->{method}, url($operation),
                            actor => $operation);
            my $why = improper($voice, $reply, 422);
            push @bad, "no body: $why" if $why;
        }
        is(join("\n", @bad), '',
           "$operation->{operationId} takes nothing but JSON");
    }
}


# Refused by its length alone, before it is sent; or when it has come.
sub bodies_too_large {
    my (@bad, @near);
    my $who = $voice->person('large', 'platform_admin');

    for my $operation (grep { $_->{requestBody} } @operations) {
        my $limit = $operation->{'x-max-body'} || BODY;
        my $raw = Voice::Raw->new($voice, stranger());

        $raw->put(head($operation->{method}, url($operation),
            type => 'application/json', length => $limit + 1,
            as => $operation->{'x-role'} eq 'public' ? undef : $who));
        my $why = improper($voice, $raw->reply, 413);
        push @bad, "$operation->{operationId}: $why" if $why;
        $raw->abort;

        $why = fault($operation, '{' . ' ' x ($limit - 1), undef, 400);
        push @near, $why if $why;
    }
    is(join("\n", @bad), '', 'every operation has a limit of its body');
    is(join("\n", @near), '', 'and takes one up to it');

    my ($suite) = grep { $_->{operationId} eq 'create_test_suite' }
        @operations;
    for my $size (MEBIBYTE + 1, 9 * MEBIBYTE) {
        my $raw = Voice::Raw->new($voice);
        $raw->put(head('POST', url($suite), as => $who,
                       type => 'application/json',
                       more => "Transfer-Encoding: chunked\r\n"));
        my $piece = ' ' x 65536;
        for (1 .. $size / length($piece) + 1) {
            $raw->put(sprintf "%x\r\n%s\r\n", length $piece, $piece) or last;
        }
        $raw->put("0\r\n\r\n");
        is(improper($voice, $raw->reply, 413), '',
           "$size bytes in chunks are too many");
    }
}


# Sends a body; '' or what is wrong with the answer.
sub fault {
    my ($operation, $body, $path, @statuses) = @_;

    my $reply = ask($operation->{method}, url($operation), body => $body,
                    actor => $operation, type => 'application/json');
    my $why = improper($voice, $reply, @statuses);

    if ($why eq '' && defined $path) {
        my $details = decode_json($reply->{content})->{error}{details};
        my @paths = map { $_->{path} } @{$details->{errors}};
        # the list of problems is not endless
        $why = "at @paths" unless @paths >= 20
            || grep { index($_, $path) == 0 } @paths;
    }

    return () if $why eq '';

    $body = substr($body, 0, 60) . '...' if length $body > 60;

    return "$operation->{operationId}: $body: $why";
}


# --- queries and captures -------------------------------------------------

sub queries {
    for my $operation (grep { $_->{'x-role'} ne 'public' } @operations) {
        my @parameters = parameters($operation, 'query');
        my @bad;
        my $try = sub {
            my ($query, @statuses) = @_;
            my $reply = ask($operation->{method}, url($operation) . "?$query",
                actor => $operation, stream_headers($operation),
                $operation->{requestBody}
                    ? (body => '{}', type => 'application/json') : ());
            my $why = improper($voice, $reply, @statuses);
            push @bad, "?$query: $why" if $why;
        };

        $try->($_, 422) for 'no_such=1', '=1', 'no_such', '%00=1';
        $try->($_, 400, 422) for 'a=%', 'a=%zz', 'a=%ff', '%ff=1', '%';

        for my $parameter (@parameters) {
            my $name = $parameter->{name};
            next if $name eq 'access_token';
            $try->("$name=" . Voice::escape($_), 422)
                for wrong_texts($parameter->{schema});
            $try->("$name=%00", 400, 422);
            $try->("$name=%ff", 400, 422);
            $try->("$name=%ed%a0%80", 400, 422);
            $try->("$name=1&$name=1", 422);
        }
        is(join("\n", @bad), '', "$operation->{operationId} refuses each"
           . ' wrong parameter of its query');
    }
}


sub captures {
    my @uuid = ('x', '0', '-1', "'%20or%201=1", '%00', '%ff', '%', '%zz',
        '..%2f..%2fetc%2fpasswd', '%2e%2e', 'x' x 3000,
        "{$nobody}", "$nobody%0a", "%20$nobody", substr($nobody, 1),
        "${nobody}0", '00000000000070008000000000000000', '$1', '*', '%252e');

    for my $operation (grep { $_->{path} =~ /\{/ } @operations) {
        my @bad;
        for my $parameter (parameters($operation, 'path')) {
            my $is_uuid = (resolve($parameter->{schema})->{format} // '')
                eq 'uuid';
            for my $value ($is_uuid ? @uuid
                           : map { Voice::escape($_) }
                             grep { $_ ne '' && !/[.\/]/ }
                             wrong_texts($parameter->{schema}))
            {
                my $path = url($operation, $parameter->{name} => $value);
                my $reply = ask($operation->{method}, $path,
                    actor => $operation, stream_headers($operation),
                    $operation->{requestBody}
                        ? (body => '{}', type => 'application/json') : ());
                my $why = improper($voice, $reply, 422, 404, 400) or next;
                push @bad, "$path: $why";
            }
        }
        is(join("\n", @bad), '',
           "$operation->{operationId} refuses each wrong capture");
    }
}


# --- methods and paths ----------------------------------------------------

sub methods {
    my %allowed = map { $_->{path} => {} } @operations;
    my @bad;

    for my $path (sort keys %allowed) {
        my $url = $path;
        $url =~ s/\{\w+\}/$nobody/g;
        # "/jobs/{id}" has methods of "/jobs/probe", too
        $allowed{$path}{$_->{method}} = 1 for grep {
            my $pattern = $_->{path} =~ s/\{\w+\}/[^\/]+/gr;
            $url =~ /^$pattern$/;
        } @operations;
        my @allow = sort keys %{$allowed{$path}}, 'OPTIONS',
            $allowed{$path}{GET} ? 'HEAD' : ();

        for my $method (qw(GET POST PUT PATCH DELETE HEAD OPTIONS FOO)) {
            next if $method ne 'OPTIONS' && grep { $_ eq $method } @allow;
            my $reply = ask($method, $url);
            my $why = $method eq 'HEAD'
                ? ($reply->{status} == 405 ? '' : "status $reply->{status}")
                : improper($voice, $reply, $method eq 'OPTIONS' ? 204 : 405);
            my $told = join ', ', sort split /, /,
                $reply->{headers}{allow} // '';
            $why ||= "Allow: $told" if $told ne join ', ', @allow;
            push @bad, "$method $url: $why" if $why;
        }
    }
    is(join("\n", @bad), '', 'a method that is not there is 405 with Allow');

    my @heads;
    for my $operation (grep { $_->{method} eq 'GET' && !$_->{'x-stream'} }
                       @operations)
    {
        my $url = Voice::Resources::path($operation->{path}, $resources);
        my $get = ask('GET', $url, actor => $operation);
        my $head = ask('HEAD', $url, actor => $operation);
        push @heads, "$url: $get->{status} $head->{status}"
            if $get->{status} != $head->{status} || length $head->{content}
                || $get->{headers}{'content-type'}
                   ne $head->{headers}{'content-type'};
    }
    is(join("\n", @heads), '', 'HEAD answers as GET does, without a body');
}


sub paths {
    my @unknown = ('/x', '/api', '/api/', '/api/v1', '/api/v2/me',
        '/api/v1/test-suites/', '//api/v1/test-suites', '/API/v1/auth/me',
        '/api//v1/test-suites', '/api/v1/test-suites//', '/api/v1/./auth/me',
        '/api/v1/x/../auth/me', '/api/v1/%61uth/me/x', '/voice-error',
        '/publish', '/objects/', '/objects/../secrets/jwt', '/nginx_status',
        '/../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/..%2f..%2fsecrets',
        '/docs/../../secrets/jwt', '/docs/', '/health/', '/health;x=1',
        '/openapi.json/', '/.git/config', '/api/v1/test-suites/' . $nobody
        . '/no-such', '/ws/test-runs/', '/events/stream/', '/%ff', '/%00');
    my @bad;

    for my $path (@unknown) {
        my $why = improper($voice, ask('GET', $path), 404, 400);
        push @bad, "$path: $why" if $why;
    }
    is(join("\n", @bad), '', 'unknown paths are 404');

    is(improper($voice, ask('GET', '/' . 'a' x 9000), 404), '',
       'a long path is unknown, too');
    is(improper($voice, ask('GET', '/' . 'a' x 40000), 414), '',
       'one too long is 414');
}


# --- what passes the schema -----------------------------------------------

# Bodies of every operation that are right by the contract, with texts that
# are nasty; on real resources.
sub nasty_values {
    my @nasty = ("'; drop table core.tenant; --", '$1 %s %n \\ \\0 ${x}',
        "a\x{202e}b\x{200b}\x{feff}", "\x{10ffff}\x{1f600}", "\t\r\n\x7f",
        "<script>alert(1)</script>", '../../etc/passwd', '%00%0a', '{}',
        "\x{fffe}\x{ffff}", "e\x{301}" x 5);
    my @bad;
    my $owner = $voice->login('owner@acme.example', 'Correct-Horse-9');

    for my $operation (grep { $_->{requestBody}
                              && $_->{operationId} !~ /^(?:login|refresh
                                 |change_password|create_tenant)$/x }
                       @operations)
    {
        my $schema = body_schema($operation);
        my $path = Voice::Resources::path($operation->{path}, $resources);

        for my $text (@nasty) {
            my %body;
            for my $name (keys %{$schema->{properties}}) {
                my $value = valid($schema->{properties}{$name}, $text);
                $body{$name} = $value if defined $value;
            }
            my $reply = ask($operation->{method}, $path, as => $owner,
                type => 'application/json', body => $json->encode(\%body));
            my $why = improper($voice, $reply, 200, 201, 202, 403, 404, 409,
                               412, 422);
            push @bad, "$operation->{operationId}: $text: $why" if $why;
        }
    }
    for my $operation (grep { $_->{operationId} =~ /^list_/ } @operations) {
        my ($search) = grep { $_->{name} eq 'search' }
            parameters($operation, 'query') or next;
        for my $text (@nasty, '%' x 200, '_' x 200, '\\' x 200) {
            my $path = Voice::Resources::path($operation->{path}, $resources);
            my $reply = ask('GET', "$path?search=" . Voice::escape($text),
                            as => $actors[0]);
            my $why = improper($voice, $reply, 200, 404);
            push @bad, "$operation->{operationId}: $text: $why" if $why;
        }
    }
    for my $match ('"x"', '*', '-1', '"99999999999999999999"', '\\', "'") {
        my $why = improper($voice, ask('PUT', Voice::Resources::path(
            '/api/v1/test-suites/{id}', $resources), as => $owner,
            type => 'application/json', body => '{"name":"x"}',
            more => "If-Match: $match\r\n"),
            $match eq '*' ? 200 : $match =~ /^"/ ? 412 : 422);
        push @bad, "If-Match: $match: $why" if $why;
    }
    is(join("\n", @bad), '', 'nasty texts are texts');
}


# --- logs -----------------------------------------------------------------

sub logs_are_whole {
    my (@broken, %status);

    for my $file (map { "$voice->{stack}{log}/$_.log" } qw(access error)) {
        for my $line (split /\n/, Voice::slurp($file)) {
            my $entry = eval { decode_json($line) };
            push @broken, $line unless ref $entry eq 'HASH';
            $status{$entry->{status} // 0}++;
        }
    }

    is(join("\n", @broken), '', 'every line of the logs is one JSON object');
    is(join(' ', map { "$_:$status{$_}" } grep { $_ >= 500 }
            sort keys %status), '', 'nothing of this was our fault');
}


# --- requests -------------------------------------------------------------

# One request.  actor: an operation, called by one of many tenants; as: a
# person; body, type; more: header lines.
sub ask {
    my ($method, $path, %arg) = @_;

    my $public = !$arg{actor} || $arg{actor}{'x-role'} eq 'public';
    my $reply;

    # what is over a limit goes to the next tenant, from the next address
    $voice->wait_for(sub {
        my $who = $arg{as}
            // ($public ? undef : $actors[$turn++ % @actors]);
        $reply = exchange($method, stranger(),
                          head($method, $path, %arg, as => $who));
        return !defined $reply || $reply->{status} != 429;
    }, 20);

    return $reply;
}


# On a kept connection of that address; once more if it was just closed.
sub exchange {
    my ($method, $from, $request) = @_;

    for my $try (1, 2) {
        my $raw = $connection{$from} //= Voice::Raw->new($voice, $from);
        my $reply = $raw->put($request)
            ? $raw->reply(head => $method eq 'HEAD') : undef;
        delete $connection{$from} if !defined $reply
            || ($reply->{headers}{connection} // '') =~ /close/i;
        return $reply if defined $reply;
    }

    return undef;
}


sub head {
    my ($method, $path, %arg) = @_;

    my $length = $arg{length}
        // (defined $arg{body} ? length $arg{body} : undef);

    return "$method $path HTTP/1.1\r\nHost: localhost\r\n"
        . ($arg{as} ? "Authorization: Bearer $arg{as}{token}\r\n" : '')
        . (defined $arg{type} ? "Content-Type: $arg{type}\r\n" : '')
        . (defined $length ? "Content-Length: $length\r\n" : '')
        . ($arg{more} // '') . "\r\n" . ($arg{body} // '');
}


# Limits of strangers are by address.
sub stranger { return '127.0.0.' . (2 + $address++ % 100) }


sub url {
    my ($operation, %capture) = @_;

    my $url = $operation->{path};
    my %usual = (code => 'en', number => 1, other => 1, kind => 'input');

    $url =~ s/\{(\w+)\}/$capture{$1} \/\/ $usual{$1} \/\/ $nobody/ge;

    return $url;
}


sub stream_headers {
    my ($operation) = @_;

    return () unless $operation->{'x-stream'};
    return (more => "Accept: text/event-stream\r\n")
        unless $operation->{path} =~ m{^/ws/};

    return (more => "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            . "Sec-WebSocket-Version: 13\r\n"
            . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
}
