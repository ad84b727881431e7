#!/usr/bin/perl

# voice_status: what operators see of a node, as JSON and as a page, and what
# they never see.

use strict;
use warnings;

use Digest::SHA;
use IO::Socket::UNIX;
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Jwks;
use Voice::Node;

my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $key = Voice::Jwks::key('ec', 'k<1>&"2"');
my $server = Voice::Jwks->start;
$server->serve(keys => [$key]);

my $node = Voice::Node->start($voice, 'watched', set => { PROCESSES => 2 },
    edit => sub {
        my ($etc) = @_;
        my $url = $server->url;
        Voice::spew("$etc/edge.conf", Voice::slurp("$etc/edge.conf")
            . "voice_jwt_issuer name=https://id.example audience=voice"
            . " jwks=$url?secret=in-the-url role=*:viewer overlap=1h"
            . " refresh=1h min_interval=1s"
            . " tenant=$owner->{tenant_id};\n");
        Voice::spew("$etc/locations.conf", Voice::slurp("$etc/locations.conf")
            . "location = /status { voice_status on; }\n"
            . "location = /closed { voice_status on; deny all; }\n");
    });

figures();
schema();
page();
secrets();
access();
changes();

$node->stop;
$voice->finish;


sub status { return $node->request('GET', '/status')->{json} }


sub figures {
    $node->call('list_users', as => $owner);
    ok($node->wait_for(sub { status()->{issuers}[0]{keys} == 1 }, 60),
       'the keys of an issuer are told');

    my $status = status();
    my %contract = %{$status->{contract}};

    is($contract{version}, $voice->{contract}{info}{version},
       'the version of the contract is told');
    is($contract{operations}, scalar keys %{$voice->{operations}},
       'how many operations it has');
    is($contract{sha256}, Digest::SHA::sha256_hex(
           $node->request('GET', '/openapi.json')->{content}),
       'and the digest of what is served');
    is($status->{configuration}{loads}, 1, 'the configuration is the first');
    is_deeply([sort { $a <=> $b } map { $_->{pid} } @{$status->{processes}}],
              [sort { $a <=> $b } $node->children('nginx')],
              'every process is told');
    ok($node->wait_for(sub {
           !grep { $_->{connections} == 0 } @{status()->{processes}} }, 60),
       'with its connections');
    is($status->{redis}{connected}, JSON::PP::true, 'Redis is connected');

    is(join(', ', map { $_->{pool} } @{$status->{postgres_pools}}),
       'main, main slow, main ingest',
       'the pools are told, and no replica where none is');
    my ($pool) = grep { $_->{pool} eq 'main' } @{$status->{postgres_pools}};
    is($pool->{size}, 4, 'the pool has its size');
    ok($node->wait_for(sub {
           my ($pool) = grep { $_->{pool} eq 'main' }
               @{status()->{postgres_pools}};
           return $pool->{connections} == 4 }, 60), 'and its connections');

    my ($known) = grep { $_->{table} eq 'credentials' }
        @{$status->{memory}};
    cmp_ok($known->{used}, '>', 0, 'the owner\'s token is known');
    cmp_ok($known->{used}, '<', $known->{room}, 'and there is room');
    cmp_ok($status->{databases}[0]{watch_lag_ms}, '<', 60_000,
           'the database is watched');

    my ($ours) = grep { $_->{origin} eq 'configuration' } @{$status->{keys}};
    is("$ours->{kid} $ours->{alg}", 'main HS256', 'our own key is told');
    my ($theirs) = grep { $_->{origin} eq 'url' } @{$status->{keys}};
    is_deeply([@{$theirs}{qw(issuer kid alg left_seconds)}],
              ['https://id.example', $key->{kid}, 'ES256', undef],
              'so is a foreign one');
}


# Members and their types, so that scripts can rest on them.
sub schema {
    my %row = (
        processes      => { pid => 'n', connections => 'n',
                            pg_connections => 'n' },
        postgres_pools => { database => 's', pool => 's', size => 'n',
                            connections => 'n', in_flight => 'n',
                            waiting => 'n', failures => 'n' },
        databases      => { database => 's', watch_lag_ms => 'n' },
        memory         => { table => 's', room => 'n', used => 'n',
                            hits => 'n', misses => 'n' },
        issuers        => { issuer => 's', source => 's', keys => 'n',
                            fetched_seconds_ago => 'n',
                            next_in_seconds => 'n', fetches => 'n',
                            failures => 'n', waiting => 'n', error => 'z',
                            fetching => 'b' },
        keys           => { issuer => 's', kid => 's', alg => 's',
                            origin => 's', age_seconds => 'n',
                            left_seconds => 'z' },
        errors         => { type => 's', service => 's', count => 'n' },
        counters       => { pg_connects => 'n', known_hits => 'n' },
        redis          => { connected => 'b', in_flight => 'n' },
        configuration  => { loads => 'n', loaded => 's',
                            age_seconds => 'n' },
        contract       => { version => 's', sha256 => 's',
                            operations => 'n' },
    );
    $node->call('list_users', as => { token => 'no.such.token' });
    my $status = status();

    for my $name (sort keys %row) {
        my $section = $status->{$name};
        my $object = ref $section eq 'ARRAY' ? $section->[0] : $section;
        my %type = map { $_ => type($object->{$_}) } keys %{$row{$name}};
        is_deeply(\%type, $row{$name}, "$name has its members");
        ok(!grep({ join(' ', sort keys %$_) ne join(' ', sort keys %$object) }
                 ref $section eq 'ARRAY' ? @$section : ()),
           "$name: all rows have the same");
    }
}


sub type {
    my ($value) = @_;

    return 'z' if !defined $value;
    return 'b' if JSON::PP::is_bool($value);

    return encode_json([$value]) =~ /"/ ? 's' : 'n';
}


sub page {
    my $reply = $node->request('GET', '/status', headers => {
        Accept => 'text/html,application/xhtml+xml,*/*;q=0.8' });
    my $page = $reply->{content};

    is($reply->{headers}{'content-type'}, 'text/html; charset=utf-8',
       'a browser gets a page');
    is($reply->{headers}{'cache-control'}, 'no-store', 'which is not kept');
    unlike($page, qr/<script|\bon\w+=|javascript:|https?:[^<]*\.(?:js|css)/,
           'without scripts or anything from elsewhere');
    like($page, qr/k&lt;1&gt;&amp;&quot;2&quot;/, 'names are escaped');

    my $status = status();
    like($page, qr{<h2>\Q${\ ($_ =~ tr/_/ /r)}\E</h2>}, "it has $_")
        for grep { ref $status->{$_} } sort keys %$status;
    like($page, qr/<td>\Q$status->{contract}{sha256}\E</,
         'with the digest of the contract');
    is(scalar(() = $page =~ /<td>https:\/\/id\.example</g), 2,
       'the issuer and its key');

    # Both are of the same figures: each name and each row of the one is in
    # the other.
    my @names = map { tr/_/ /r } map { ref eq 'HASH' ? keys %$_
        : ref eq 'ARRAY' && @$_ ? keys %{$_->[0]} : () } values %$status;
    my @missing = grep { $page !~ m{<th[^>]*>\Q$_\E</th>} } @names;
    is("@missing", '', 'every figure has its name there');
    my $rows = () = $page =~ /<tr>/g;
    my $wanted = 0;
    for my $section (values %$status) {
        $wanted += ref $section eq 'HASH' ? keys %$section
            : ref $section eq 'ARRAY' ? @$section && 1 + @$section : 1;
    }
    is($rows, $wanted, 'and every row');

    is($node->request('HEAD', '/status')->{status}, 200, 'HEAD is answered');
    is($node->request('POST', '/status')->{status}, 405, 'POST is refused');
}


sub secrets {
    my $page = $node->request('GET', '/status', headers => {
        Accept => 'text/html' })->{content};
    my $json = $node->request('GET', '/status')->{content};

    my %secret = (map({ $_ => Voice::slurp("$voice->{stack}{secrets}/$_") }
                      qw(jwt edge redis postgres worker)),
                  url => 'in-the-url', token => $owner->{token},
                  'key material' => $key->{jwk}{x});
    for my $name (sort keys %secret) {
        my $text = $secret{$name} =~ s/\s+\z//r;
        ok(index("$page$json", $text) < 0, "no secret of $name is in it");
    }
}


sub access {
    is($node->request('GET', '/closed')->{status}, 403,
       'deny holds for it');
    is($voice->request('GET', '/voice-status')->{status}, 404,
       'the API has no such path');

    my $socket = IO::Socket::UNIX->new(
        Peer => "$voice->{stack}{sockets}/publish.sock") or die "socket: $!";
    print $socket "GET /voice-status HTTP/1.0\r\nHost: edge\r\n\r\n";
    local $/;
    like(<$socket>, qr/\A[^\n]* 200 .*"version"/s,
         'the internal socket has it');
}


# Failures, new keys and reloads show.
sub changes {
    my $fetches = status()->{issuers}[0]{fetches};

    $server->down;
    $node->wait_for(sub {
        ask_unknown(); status()->{issuers}[0]{failures} > 0 }, 60);
    my $issuer = status()->{issuers}[0];
    cmp_ok($issuer->{fetches}, '>', $fetches, 'a further fetch is counted');
    ok($issuer->{error}, 'its error is told');
    is($issuer->{keys}, 1, 'its keys stay');
    like($node->request('GET', '/status', headers => {
             Accept => 'text/html' })->{content},
         qr/<td class="e">\Q$issuer->{error}\E</, 'the page shows it');

    $server->up;
    $server->serve(keys => [Voice::Jwks::key('ec', 'later')]);
    ok($node->wait_for(sub {
           ask_unknown(); status()->{issuers}[0]{keys} == 2 }, 60),
       'a new key is told beside the old one');
    my ($old) = grep { $_->{kid} eq $key->{kid} } @{status()->{keys}};
    cmp_ok($old->{left_seconds}, '>', 3000, 'whose time is told');
    is(status()->{issuers}[0]{error}, undef, 'the error is over');

    kill 'HUP', $node->pid('nginx');
    ok($node->wait_for(sub { status()->{configuration}{loads} == 2 }, 60),
       'a reload counts');
    is(status()->{issuers}[0]{keys}, 2, 'and keeps the keys');
}


# So that keys are fetched.
sub ask_unknown {
    my $claims = { iss => 'https://id.example', aud => 'voice', sub => 'x',
                   exp => time + 60 };

    $node->call('list_users',
                as => { token => Voice::Jwks::unknown('u' . rand)
                            ->token($claims) });
}
