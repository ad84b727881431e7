#!/usr/bin/perl

# Each sample configuration, started beside a stack and used as its operator
# and clients would.

use strict;
use warnings;

use File::Path qw(make_path);
use IO::Socket::INET;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Node;
use Voice::Raw;
use Voice::Upstream;

# So many may share the limits, those that have just stopped among them.
my $voice = Voice->start(workers => 1, nodes => 8);
my $owner = $voice->tenant('acme');

single();
tls();
nodes();
front();
dropin();

$voice->finish(alerts => qr/"voice_tenancy/);


# --- a single box ---------------------------------------------------------

# The stack itself runs conf/nginx.conf; here as voicegate-configure alone
# leaves it.
sub single {
    my $node = Voice::Node->start($voice, 'single');

    is($node->call('me', as => $owner)->{json}{data}{tenant}{business_name},
       'acme', 'a single box serves');
    unlike(Voice::nginx_conf("$node->{data}/etc"), qr/@[A-Z_]+@/,
           'no name is left unfilled');
    $node->stop;
}


# --- TLS ------------------------------------------------------------------

sub tls {
    my $dir = "$voice->{stack}{data}/certificate";
    my $plain = Port::free();

    make_path($dir);
    `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \\
        -nodes -days 2 -subj /CN=localhost \\
        -addext subjectAltName=DNS:localhost -keyout $dir/key.pem \\
        -out $dir/certificate.pem 2>&1`;
    is($?, 0, 'a certificate is made');
    my ($uid, $gid) = (stat $voice->{stack}{data})[4, 5];
    chown $uid, $gid, glob "$dir/*";

    my $node = Voice::Node->start($voice, 'tls', sample => 'tls', set => {
        CERTIFICATE => "$dir/certificate.pem",
        CERTIFICATE_KEY => "$dir/key.pem",
        LISTEN_PLAIN => "127.0.0.1:$plain" });
    my $url = "https://localhost:$node->{port}";
    my @trust = ('--cacert', "$dir/certificate.pem", '-H',
                 "Authorization: Bearer $owner->{token}");

    is(curl(@trust, '-o', '/dev/null', '-w', '%{http_code} %{http_version}',
            "$url/api/v1/test-suites"), '200 2',
       'an operation is served over TLS and HTTP/2');
    is(curl(@trust, '--http1.1', '-o', '/dev/null', '-w',
            '%{http_code} %{http_version}', "$url/api/v1/test-suites"),
       '200 1.1', 'and over HTTP/1.1');
    like(curl(@trust, '-X', 'POST', '-H', 'Content-Type: application/json',
              '-d', '{"name":"Over TLS"}', "$url/api/v1/test-suites"),
         qr/"success":true/, 'a body arrives');
    is(curl(@trust, '--tls-max', '1.1', '-o', '/dev/null', '-w',
            '%{http_code}', $url), '000', 'old TLS is refused');
    is(curl('-o', '/dev/null', '-w', '%{http_code} %{redirect_url}',
            "http://127.0.0.1:$plain/api/v1/me"),
       '308 https://127.0.0.1/api/v1/me',
       'who comes without TLS is told where it is');

    like(curl(@trust, '--http1.1', '-N', '-m', '2',
              '-H', 'Accept: text/event-stream',
              '-D', '-', "$url/events/stream/$owner->{tenant_id}"),
         qr{^HTTP/1.1 200.*text/event-stream}s, 'a stream runs over TLS');
    $node->stop;
}


# --- many nodes -----------------------------------------------------------

sub nodes {
    my @node = map {
        Voice::Node->start($voice, "node$_", sample => 'nodes',
            set => { BALANCER => '127.0.0.1' })
    } 1, 2;
    my $person = $voice->person('acme', 'operator');

    is($node[$_]->call('me', as => $person)->{status}, 200,
       "a token of one node is good at node $_") for 0, 1;

    my $suite = $node[0]->call('create_test_suite', as => $owner,
        body => { name => 'On a node' })->{json}{data};
    ok($suite->{id}, 'a node makes a suite');
    is($node[1]->call('get_test_suite', as => $owner,
                      path => { id => $suite->{id} })->{status}, 200,
       'that the other has');

    is($node[0]->call('logout', as => $person)->{status}, 200,
       'a session ends at one node');
    is($node[1]->call('me', as => $person)->{status}, 401,
       'and is over at the other');

    allow_from($owner, '203.0.113.0/24');
    for my $node (@node) {
        ok($voice->wait_for(sub { from('198.51.100.7', $node) == 403 }, 20),
           'an address off the list is refused');
    }
    is(from('203.0.113.9', $node[1]), 200,
       'the address that the balancer names is the client\'s');
    is(from('198.51.100.7, 203.0.113.9', $node[0]), 200,
       'and only the balancer is believed');
    allow_from($owner);
    ok($voice->wait_for(sub { from('198.51.100.7', $node[0]) == 200 }, 20),
       'an empty list admits all again');

    $_->stop for @node;
}


sub allow_from {
    my ($tenant, @ranges) = @_;

    $voice->sql("update core.tenant set allow_addresses = '{"
                . join(',', @ranges)
                . "}' where id = '$tenant->{tenant_id}'");
}


sub from {
    my ($address, $node) = @_;

    return $node->request('GET', '/api/v1/test-suites', headers => {
        Authorization => "Bearer $owner->{token}",
        'X-Forwarded-For' => $address })->{status};
}


# --- in front of other services -------------------------------------------

sub front {
    my %upstream = map { $_ => Voice::Upstream->start($_) }
        qw(service dedicated);
    my $node = Voice::Node->start($voice, 'front', sample => 'front', set => {
        SERVICE => '127.0.0.1:' . $upstream{service}->port,
        SERVICE_DEDICATED => '127.0.0.1:' . $upstream{dedicated}->port });
    my $viewer = $voice->person('acme', 'viewer');

    my $seen = ask($node, $viewer, '/service/x?y=1', 'X-Role' => 'owner',
                   'X-Tenant-Id' => 'mine');
    is("$seen->{name} $seen->{target}", 'service /service/x?y=1',
       'the service behind the edge answers');
    is($seen->{headers}{'x-tenant-id'}, $owner->{tenant_id},
       'it hears which tenant asks, whatever the client says');
    is($seen->{headers}{'x-role'}, 'viewer', 'in which role');
    ok(!exists $seen->{headers}{authorization}, 'and no token');
    like($seen->{headers}{traceparent}, qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-/,
         'the trace goes on');

    my $bare = $node->request('GET', '/service/x');
    is($bare->{status}, 401, 'nobody gets through without a credential');
    is($bare->{json}{error}{code}, 'AUTH_INVALID_TOKEN',
       'the refusal is the API\'s');
    is(status($node, $viewer, '/service/admin/x'), 403,
       'a viewer is no administrator');
    is(status($node, $owner, '/service/admin/x'), 200, 'an owner is more');

    $voice->sql("update core.tenant set upstream = 'dedicated'
                  where id = '$owner->{tenant_id}'");
    ok($voice->wait_for(sub {
        ask($node, $viewer, '/service/x')->{name} eq 'dedicated' }, 20),
       'a tenant moves to another upstream without a reload');

    my $reply = $node->request('GET', '/service/x', headers => {
        Authorization => "Bearer $viewer->{token}" });
    like($reply->{headers}{'ratelimit-policy'} // '', qr/^"read";q=\d+/,
         'a proxied reply tells the limit');
    $node->stop;
}


# --- in the place of a PBX service ----------------------------------------

sub dropin {
    my %set = (TENANT => $owner->{tenant_id}, ALLOW => '127.0.0.0/8',
               HOST => 'calls.example *.calls.example');
    my $node = Voice::Node->start($voice, 'dropin', sample => 'dropin',
                                  set => \%set);

    my $reply = packet($node, 'nobody', 0);
    is($reply->{status}, 202, 'a PBX without credentials sends packets');
    is($reply->{json}{status}, 'accepted', 'which are taken');
    is($voice->sql("select tenant_id from core.call where external_id ="
                   . " 'nobody'"), $owner->{tenant_id}, 'as the tenant\'s');
    is($node->request('GET', '/v1/calls/nobody')->{json}{total_received}, 1,
       'a call is shown, where supervisors need no token');
    is($node->request('DELETE', '/v1/calls/nobody')->{status}, 401,
       'but not erased');
    is($node->request('GET', '/api/v1/calls')->{status}, 401,
       'the rest asks for credentials');
    is(packet($node, 'nobody', 1, Authorization => 'Bearer x.y.z')->{status},
       401, 'wrong credentials are refused as ever');
    is(packet($node, 'nobody', 1, Origin => 'http://else.example')->{status},
       403, 'and so is somebody\'s page');
    is(packet($node, 'nobody', 1,
              Authorization => "Bearer $owner->{token}")->{status}, 202,
       'right credentials are good');
    is(upgrade($node), '101', 'supervisors listen without a token');
    is(upgrade($node, Origin => 'http://else.example'), '403',
       'but for somebody\'s page');
    hosts($node);
    $node->stop;

    $node = Voice::Node->start($voice, 'dropin2', sample => 'dropin', set => {
        %set, ALLOW => '10.0.0.0/8,192.0.2.7', SUPERVISOR => 'token' },
        edit => \&behind_a_proxy);
    $reply = packet($node, 'nobody', 2);
    is("$reply->{status} $reply->{json}{error}{code}",
       '403 ADDRESS_NOT_ALLOWED', 'an address off the list is refused');
    is(packet($node, 'nobody', 2,
              Authorization => "Bearer $owner->{token}")->{status}, 202,
       'who shows credentials is not asked whence');
    is(packet($node, 'nobody', 3, 'X-Forwarded-For' => $_)->{status}, 202,
       "one that a trusted proxy names is good: $_")
        for '10.255.0.1', '192.0.2.7';
    is(packet($node, 'nobody', 3, 'X-Forwarded-For' => $_)->{status}, 403,
       "or not: $_") for '11.0.0.1', '192.0.2.8', '10.0.0.1, 198.51.100.1';
    is(upgrade($node), '401', 'supervisors need a token where it says so');
    is($node->request('GET', '/v1/calls/nobody')->{status}, 401,
       'and whoever reads a call');
    $node->stop;

    for my $listen ('0.0.0.0', '[::]') {
        for my $allow ('', '10.0.0.0/8') {
            my ($code, $text) = dropin_tested($listen, %set,
                                              ALLOW => $allow);
            is($code == 0 ? 'taken' : 'refused',
               $allow ? 'taken' : 'refused',
               "listening to $listen allowing \"$allow\" is "
               . ($allow ? 'taken' : 'refused'));
            like($text, qr/"voice_tenancy single" needs "allow"/, 'as told')
                unless $allow;
        }
    }

    my %bad = (TENANT => ['', qr/"tenant" must be the id/],
               SUPERVISOR => ['wide', qr/"supervisor" must be/],
               ALLOW => ['10.0.0.0/8,x', qr/"allow" must be/]);
    for my $name (sort keys %bad) {
        my ($code, $text) = dropin_tested('127.0.0.1', %set,
                                          $name => $bad{$name}[0]);
        isnt($code, 0, "$name=$bad{$name}[0] is refused");
        like($text, $bad{$name}[1], 'as told');
    }
}


# A page whose name leads here by its owner's DNS is told apart by its name.
sub hosts {
    my ($node) = @_;

    is(asked($node, $_), 200, "host $_ is served")
        for 'localhost', 'LOCALHOST:8080', '127.0.0.1', '127.0.0.1:8080',
        '[::1]', '[2001:db8::7]:80', 'calls.example', 'a.calls.example';

    for my $host ('else.example', '127.0.0.1.else.example', 'x.localhost',
                  'example', '1.2.3.4a', 'calls.example.net')
    {
        is(asked($node, $host, Origin => "http://$host"), 421,
           "a page of $host is shown no call");
        is(upgrade($node, Host => $host, Origin => "http://$host"), 421,
           'nor events');
    }

    my $raw = Voice::Raw->new($node);
    $raw->put("GET http://else.example/v1/calls/nobody HTTP/1.1\r\n"
              . "Host: localhost\r\n\r\n");
    is($raw->reply->{status}, 421, 'the name in a request line counts');

    my $old = Voice::Raw->new($node);
    $old->put("GET /v1/calls/nobody HTTP/1.0\r\n\r\n");
    is($old->reply->{status}, 200, 'a PBX that says no name is no page');
}


sub asked {
    my ($node, $host, %headers) = @_;

    my $raw = Voice::Raw->new($node);
    $raw->put(join "\r\n", 'GET /v1/calls/nobody HTTP/1.1', "Host: $host",
        (map { "$_: $headers{$_}" } sort keys %headers), '', '');

    return $raw->reply->{status};
}


sub packet {
    my ($node, $call, $sequence, %headers) = @_;

    return $node->request('POST', "/v1/call/stream/$call",
        headers => { 'Content-Type' => 'application/json', %headers },
        content => qq({"sequence":$sequence,"data":"x","timestamp":1}));
}


sub behind_a_proxy {
    my ($etc) = @_;

    my $text = Voice::slurp("$etc/nginx.conf");
    $text =~ s/(?=    voice_tenancy)/    set_real_ip_from 127.0.0.1;
    real_ip_header X-Forwarded-For;
/;
    Voice::spew("$etc/nginx.conf", $text);
}


# The status of a WebSocket's request.
sub upgrade {
    my ($node, %headers) = @_;

    my $host = delete $headers{Host} // 'localhost';
    my $raw = Voice::Raw->new($node);
    $raw->put(join "\r\n", 'GET /ws/supervisor HTTP/1.1', "Host: $host",
        'Connection: Upgrade', 'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
        (map { "$_: $headers{$_}" } sort keys %headers), '', '');

    return $raw->until(qr/\r\n/) =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'none';
}


# nginx -t of the sample, listening elsewhere.
sub dropin_tested {
    my ($listen, %set) = @_;

    my $port = Port::free();
    my $node = Voice::Node->prepare($voice, 'dropin3', sample => 'dropin',
        set => { %set, LISTEN => "$listen:$port" });

    return $node->test;
}


sub ask {
    my ($node, $person, $path, %headers) = @_;

    return $node->request('GET', $path, headers => {
        Authorization => "Bearer $person->{token}", %headers })->{json};
}


sub status {
    my ($node, $person, $path) = @_;

    return $node->request('GET', $path, headers => {
        Authorization => "Bearer $person->{token}" })->{status};
}


sub curl {
    my $output = '';

    open my $out, '-|', 'curl', '-sS', '--noproxy', '*', '--stderr',
        "$voice->{dir}/curl.log", @_ or die "curl: $!";
    $output .= $_ while <$out>;
    close $out;

    return $output;
}
