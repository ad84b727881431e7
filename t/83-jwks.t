#!/usr/bin/perl

# Keys of foreign issuers from servers that are slow, down, lying or rotating:
# how long a valid token can be refused, and how often a server is asked.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP;
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Jwks;
use Voice::Node;

# Of every issuer unless it says otherwise, in seconds.
my ($min_interval, $overlap, $timeout) = (1, 4, 1);
# What a machine under load may add to any bound.
my $slack = 10;

my $voice = Voice->start(workers => 0);
my $tenant = $voice->tenant('acme')->{tenant_id};
my $directory = "$voice->{stack}{data}/issuers";
mkdir $directory or die "$directory: $!";
chmod 0755, $directory;

my %key = map { $_ => Voice::Jwks::key('ec', $_) } qw(first second third);
# What a server does, and what it is told beside that; see Voice::Jwks.
my %hostile = (
    (map { $_ => {} } qw(error broken page cut huge announced headers drip
                         hang close down)),
    redirect => { to => 'http://127.0.0.1/' },
    empty    => { mode => 'plain', keys => [] },
    odd      => { mode => 'plain', body => '{"keys":{}}' },
);
$key{foreign} = Voice::Jwks::key('ec', 'first');
my %server = map { $_ => Voice::Jwks->start }
    qw(steady turning slow dead other cached fleeing), keys %hostile;
$hostile{redirect}{to} = $server{steady}->url;
my %tls = Voice::Jwks::certificates($directory);
$server{tls} = Voice::Jwks->start(tls => $tls{good});
$_->serve(keys => [$key{first}]) for values %server;
$server{other}->serve(keys => [$key{foreign}]);
$server{cached}->serve(keys => [$key{first}], cache => 'public, max-age=1');
$server{dead}->down;

my @issuers = (
    (map { issuer($_, jwks => $server{$_}->url) }
        grep { $_ ne 'tls' } sort keys %server),
    issuer('named', jwks => $server{steady}->url('localhost')),
    issuer('tls', jwks => $server{tls}->url, ca => $tls{ca},
           timeout => '20s'),
    issuer('wrong_ca', jwks => $server{tls}->url,
           ca => $tls{other_ca}, timeout => '20s'),
    issuer('system_ca', jwks => $server{tls}->url, timeout => '20s'),
    issuer('wrong_host', jwks => $server{tls}->url('127.0.0.1'),
           ca => $tls{ca}, timeout => '20s'),
    issuer('file', jwks_file => set_file(1, $key{first})),
    issuer('pem', key_file => pem_file($key{first}), kid => 'first',
           alg => 'ES256'),
    issuer('typed', jwks => $server{steady}->url, typ => 'at+jwt'),
);
my $base;
my $node = Voice::Node->start($voice, 'issuers', set => { PROCESSES => 2 },
    edit => sub {
        my ($etc) = @_;
        my $locations = Voice::slurp("$etc/locations.conf");
        Voice::spew("$etc/locations.conf", "$locations\n"
            . "location = /status { voice_status on; }\n");
        $base = without_limits($etc);
        Voice::spew("$etc/edge.conf", join "\n", $base, @issuers);
    });

at_start();
apart();
certified();
files();
by_the_clock();
rotation();
stampede();
misbehaviour();
dead_at_start();
reloads();
deaths();

$node->stop;
$voice->finish(alerts => qr/exited on signal 9/);


# --- the cases ------------------------------------------------------------

sub at_start {
    ok(verified_soon('steady', $key{first}),
       'a set is fetched at the start, before any token comes');
    ok(verified_soon('named', $key{first}), 'a host name is resolved');
    $node->wait_for(sub { status('typed')->{keys} }, 60);
    is($server{steady}->requests, 3,
       'once for each issuer, though there are two processes');
    is(try_token('steady', $key{first}, iss => 'https://nobody.example'),
       401, 'a token of an unknown issuer is refused');
    is(try_token('steady', $key{first}, aud => 'others'), 401,
       'so is one for another audience');
    is(try_token('steady', $key{first}, exp => time - 60), 401,
       'and one that has expired');
    is(try_token('typed', $key{first}), 401,
       'and one of another type than the issuer makes');
    is(answer($key{first}->token(claims('typed'),
                                 header => { typ => 'at+jwt' })), 403,
       'one of its type is taken');
}


# Both have a key of that name.
sub apart {
    my $foreign = $key{foreign};

    ok(verified_soon('other', $foreign), 'another issuer has its keys');
    is(try_token('steady', $foreign), 401,
       'a key of one issuer verifies no token of another, kid or not');
    is(answer($foreign->token(claims('steady'), header => { kid => undef })),
       401, 'nor without a kid');
}


sub certified {
    ok(verified_soon('tls', $key{first}),
       'a server whose certificate is of the given CA is believed');

    for my $name (qw(wrong_ca system_ca wrong_host)) {
        my $row = $node->wait_for(sub {
            my $row = status($name);
            return $row->{error} ? $row : undef }, 60);
        like($row->{error}, qr/certificate|SSL/, "$name: the server is not");
        is($row->{keys}, 0, "$name: it gives no keys");
        is(try_token($name, $key{first}), 503,
           "$name: a token cannot be judged");
    }
}


sub files {
    ok(verified_soon('file', $key{first}), 'keys are read from a file');
    is(try_token('pem', $key{first}), 403, 'and one from PEM');
    is(answer($key{first}->token(claims('pem'), header => { kid => undef })),
       403, 'also for a token without kid');
    is(try_token('pem', Voice::Jwks::key('ec', 'first')), 401,
       'which verifies no other signature');

    set_file(2, $key{second});
    ok(verified_soon('file', $key{second}, $min_interval + $slack),
       'a changed file is read again within min_interval');
    is(try_token('file', $key{first}), 403, 'its old key has an overlap');

    Voice::spew("$directory/set.json", 'broken');
    my $row = $node->wait_for(sub {
        my $row = status('file'); return $row->{error} ? $row : undef }, 60);
    like($row->{error}, qr/no JSON/, 'a broken file is told');
    is(try_token('file', $key{second}), 403, 'and changes nothing');
    set_file(3, $key{second});
}


# max-age 1 is as good as min_interval, 10 minutes being the refresh.
sub by_the_clock {
    my $before = $server{cached}->requests;

    ok($node->wait_for(sub { $server{cached}->requests >= $before + 2 },
                       2 * ($min_interval + $slack)),
       'a set is fetched again when its Cache-Control says so');
    cmp_ok(status('steady')->{next_in_seconds}, '>', 500,
           'and else by the refresh');
}


sub rotation {
    my $name = 'turning';
    my $server = $server{$name};

    ok(verified_soon($name, $key{first}), 'the first key is known');
    my $before = $server->requests;

    $server->serve(keys => [$key{second}]);
    my $took = until_verified($name, $key{second});
    cmp_ok($took, '<', $min_interval + $timeout + $slack,
           'a token of a new key is refused for min_interval at most');
    is($server->requests, $before + 1, 'one fetch brought the key');
    is(try_token($name, $key{first}), 403,
       'tokens of the key that has vanished are good meanwhile');

    my $turned = time;
    $server->serve(keys => [$key{third}]);
    $took = until_verified($name, $key{third});
    cmp_ok($took, '<', $min_interval + $timeout + $slack,
           'also when it turns again at once');
    is($server->requests, $before + 2, 'by one fetch more');
    is(try_token($name, $key{second}), 403, 'the second key has its overlap');

    my ($row) = grep { $_->{issuer} eq iss($name) && $_->{kid} eq 'second' }
        @{overview()->{keys}};
    cmp_ok($row->{left_seconds}, '<=', $overlap, 'which is told');

    ok($node->wait_for(sub { try_token($name, $key{second}) == 401 },
                       $overlap + $slack), 'and ends');
    cmp_ok(time - $turned, '>', $overlap - 1, 'not before its time');
    is(try_token($name, $key{third}), 403, 'the present key stays');

    # The same name, another key: it can only be one of them.
    my $again = Voice::Jwks::key('ec', 'third');
    $server->serve(keys => [$again]);
    rested($name);
    try_token($name, Voice::Jwks::unknown('nobody'));
    is(try_token($name, $again), 403, 'a name that is given away is the new'
       . ' key\'s');
    is(try_token($name, $key{third}), 401, 'and no longer the old one\'s');
}


# 200 at once over two processes, of kids that nobody has.
sub stampede {
    my ($name, $server) = ('slow', $server{slow});

    ok(verified_soon($name, $key{first}), 'the slow server\'s key is known');
    my @unknown = map { Voice::Jwks::unknown("none-$_") } 1 .. 200;

    rested($name);
    $server->serve(keys => [$key{first}], mode => 'slow', seconds => 0.5);
    my $before = $server->requests;
    my ($took, @answers) = burst($name, @unknown);
    is(join(' ', sort keys %{{ map { $_ => 1 } @answers }}), '401',
       'unknown keys are refused');
    cmp_ok($took, '<', $timeout + $slack, 'within the timeout');
    is($server->requests - $before, 1, 'after one request to the server');

    ($took, @answers) = burst($name, @unknown);
    cmp_ok($server->requests - $before, '<=', 1 + int($took + 1),
           'the same ones again ask no more than once in min_interval');
    is(try_token($name, $key{first}), 403, 'known keys are good all the time');

    rested($name);
    $server->serve(keys => [$key{first}, $key{second}], mode => 'slow',
                   seconds => 0.5);
    $before = $server->requests;
    ($took, @answers) = burst($name, ($key{second}) x 100);
    is(join(' ', sort keys %{{ map { $_ => 1 } @answers }}), '403',
       'tokens of a new key wait for it and are taken');
    is($server->requests - $before, 1, 'after one request for all of them');

    $server->serve(keys => [$key{first}]);
    $before = $server->requests;
    my ($begun, $sent) = (time, 0);
    while (time < $begun + 3) {
        try_token($name, $unknown[$sent++ % @unknown], kid => "flood-$sent");
    }
    cmp_ok($server->requests - $before, '<=', 1 + (time - $begun)
           / $min_interval,
           "a flood of $sent random keys asks once in min_interval");
}


# Whatever a server does, the keys stay, and a new key is found soon after.
sub misbehaviour {
    my $elsewhere = $server{steady}->requests;
    my %failures;

    for my $mode (sort keys %hostile) {
        ok(verified_soon($mode, $key{first}), "$mode: the key is known");
        $server{$mode}->serve(keys => [$key{second}], mode => $mode,
                              %{$hostile{$mode}});
        $server{$mode}->down if $mode eq 'down';
    }
    rested(keys %hostile);
    $failures{$_} = status($_)->{failures} for keys %hostile;

    for my $mode (sort keys %hostile) {
        my $begun = time;
        is(try_token($mode, Voice::Jwks::unknown('nobody')),
           401, "$mode: an unknown key is refused");
        cmp_ok(time - $begun, '<', $timeout + $slack, "$mode: in time");

        my $row = $node->wait_for(sub {
            my $row = status($mode);
            return $row->{failures} > $failures{$mode} ? $row : undef }, 60);
        ok($row && $row->{error}, "$mode: told as "
           . ($row->{error} // 'nothing'));
        is(try_token($mode, $key{first}), 403, "$mode: its key is good");
    }

    for my $mode (sort keys %hostile) {
        $server{$mode}->up if $mode eq 'down';
        $server{$mode}->serve(keys => [$key{first}, $key{third}],
                              type => 'text/html; charset=latin1');
        cmp_ok(until_verified($mode, $key{third}), '<',
               $min_interval + $timeout + $slack,
               "$mode: a good set is taken, min_interval later at most");
        is(status($mode)->{error}, undef, "$mode: the last error is over");
    }
    is($server{steady}->requests, $elsewhere, 'no redirect was followed');
}


sub dead_at_start {
    my ($name, $server) = ('dead', $server{dead});
    my $reply = reply($key{first}->token(claims($name)));

    is($reply->{status}, 503, 'without keys a token cannot be judged');
    is($server->requests, 0, 'the server is not there');
    cmp_ok(status($name)->{failures}, '>', 1, 'it is tried again and again');

    my $failures = status($name)->{failures};
    my ($took) = burst($name, map { Voice::Jwks::unknown("dead-$_") }
                       1 .. 100);
    cmp_ok(status($name)->{failures} - $failures, '<=', $slack + 2 * $took,
           'requests do not hurry it');

    $server->up;
    cmp_ok(until_verified($name, $key{first}), '<',
           $min_interval + $timeout + $slack,
           'min_interval after it came up, its tokens are taken');
}


sub reloads {
    my $name = 'steady';
    my $before = $server{$name}->requests;

    reload(@issuers);
    is(try_token($name, $key{first}), 403, 'a reload keeps the keys');
    $server{$name}->down;
    reload(@issuers);
    is(try_token($name, $key{first}), 403, 'also while the server is down');
    $server{$name}->up;
    is($server{$name}->requests, $before, 'and fetches nothing');

    # What has vanished is forced out by overlap=0.
    $server{$name}->serve(keys => [$key{second}]);
    rested($name);
    until_verified($name, $key{second});
    is(try_token($name, $key{first}), 403, 'an old key is good');
    my $iss = iss($name);
    my @forced = map { / name=\Q$iss\E / ? s/overlap=\S+/overlap=0s/r : $_ }
        @issuers;
    reload(@forced);
    ok($node->wait_for(sub { try_token($name, $key{first}) == 401 },
                       $slack), 'a reload with overlap=0 forces it out');
    is(try_token($name, $key{second}), 403, 'the present one stays');
    $server{$name}->serve(keys => [$key{third}]);
    reload(@forced);
    ok($node->wait_for(sub { try_token($name, $key{second}) == 401 },
                       $slack), 'also one that goes just before the reload');
    reload(@issuers);
}


# The process that fetches dies, by force and in order.
sub deaths {
    my ($name, $server) = ('fleeing', $server{fleeing});

    ok(verified_soon($name, $key{first}), 'the last server\'s key is known');
    $server->serve(keys => [$key{second}], mode => 'hang');
    rested($name);

    my $before = $server->requests;
    my $waits = begin($key{second}->token(claims($name)));
    ok($node->wait_for(sub { $server->requests > $before }, 60),
       'a fetch is under way');
    $server->serve(keys => [$key{second}]);
    my %old = map { $_ => 1 } $node->children('nginx');
    kill 'KILL', keys %old;
    $node->wait_for(sub {
        2 == grep { !$old{$_} } $node->children('nginx') }, 30);
    close $waits;
    ok(verified_soon($name, $key{first}),
       'keys outlive the processes that fetched them');
    cmp_ok(until_verified($name, $key{second}), '<',
           $min_interval + $timeout + $slack,
           'another process fetches where one died');

    $server->serve(keys => [$key{third}], mode => 'hang');
    rested($name);
    $before = $server->requests;
    $waits = begin($key{third}->token(claims($name)));
    $node->wait_for(sub { $server->requests > $before }, 10);
    %old = map { $_ => 1 } $node->children('nginx');
    my $begun = time;
    kill 'HUP', $node->pid('nginx');
    like(finish($waits), qr{^HTTP/1.1 401 },
         'a request that waits is answered by a process that exits');
    ok($node->wait_for(sub { !grep { $old{$_} } $node->children('nginx') },
                       30), 'which exits');
    cmp_ok(time - $begun, '<', $timeout + 2 + $slack, 'in time');
}


# --- issuers and tokens ---------------------------------------------------

sub iss { return "https://$_[0].example/" }


sub issuer {
    my ($name, %opt) = @_;

    my %value = (
        name => iss($name), audience => 'voice', tenant => $tenant,
        role => '*:viewer', refresh => '10m',
        min_interval => "${min_interval}s", overlap => "${overlap}s",
        timeout => "${timeout}s", %opt);

    return 'voice_jwt_issuer '
        . join(' ', map { "$_=$value{$_}" } sort keys %value) . ' ;';
}


sub claims {
    my ($name, %more) = @_;

    return { iss => iss($name), aud => 'voice', sub => 'somebody',
             exp => int(time) + 600, iat => int(time), %more };
}


sub reply {
    my ($token) = @_;

    return $node->request('GET', '/api/v1/users',
                          headers => { Authorization => "Bearer $token" });
}


# 403: the token is good and its role too low; 401: it is not; 503: who knows.
sub answer { return reply($_[0])->{status} }


sub try_token {
    my ($name, $key, %more) = @_;

    my %header = exists $more{kid} ? (kid => delete $more{kid}) : ();

    return answer($key->token(claims($name, %more), header => \%header));
}


sub verified_soon {
    my ($name, $key, $seconds) = @_;

    return $node->wait_for(sub { try_token($name, $key) == 403 },
                           $seconds // 60);
}


# Seconds from now to the first answer that takes the key's token.
sub until_verified {
    my ($name, $key) = @_;

    my $begun = time;
    my $token = $key->token(claims($name));
    $node->wait_for(sub { answer($token) == 403 }, 30);

    return time - $begun;
}


# Waits until unknown keys may cause a fetch again.
sub rested {
    my (@names) = @_;

    my ($fetches, $since) = ('', time);
    my %wanted = map { iss($_) => 1 } @names;
    $node->wait_for(sub {
        my @rows = grep { $wanted{$_->{issuer}} } @{overview()->{issuers}};
        my $now = join ' ', map { $_->{fetches} } @rows;
        ($fetches, $since) = ($now, time) if $now ne $fetches;
        return time - $since > $min_interval
            && !grep { $_->{fetching} } @rows;
    }, 30);
}


sub overview { return $node->request('GET', '/status')->{json} }


sub status {
    my ($name) = @_;

    my ($row) = grep { $_->{issuer} eq iss($name) } @{overview()->{issuers}};

    return $row;
}


# All tokens at once, each on a connection of its own: the time that it took,
# and the status of each.
sub burst {
    my ($name, @keys) = @_;

    my @tokens = map { $_->token(claims($name)) } @keys;
    my $begun = time;
    my @sockets = map { begin($_) } @tokens;
    my @answers = map { finish($_) =~ m{^HTTP/1.1 (\d+)} ? $1 : 'none' }
        @sockets;

    return (time - $begun, @answers);
}


sub begin {
    my ($token) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $node->{port}) or die "connect: $!";
    print $socket "GET /api/v1/users HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: Bearer $token\r\nConnection: close\r\n\r\n";

    return $socket;
}


sub finish {
    my ($socket) = @_;

    local $/;
    return <$socket> // '';
}


sub reload {
    my (@issuers) = @_;

    my %old = map { $_ => 1 } $node->children('nginx');
    Voice::spew("$node->{data}/etc/edge.conf", join "\n", $base, @issuers);
    $node->own;
    $node->hang_up;
    kill 'HUP', $node->pid('nginx');
    ok($node->wait_for(sub {
        !grep { $old{$_} } $node->children('nginx') }, 60),
       'old processes end');
}


# The directives of http, by a contract whose limits are no matter here.
sub without_limits {
    my ($etc) = @_;

    my $contract = "$etc/../openapi";
    system('cp', '-rp', "$voice->{stack}{data}/app/openapi", $contract) == 0
        or die "cp: $?";
    my $document = decode_json(Voice::slurp("$contract/openapi.json"));
    $_->{rate} = $_->{burst} = 100_000
        for values %{$document->{'x-limits'}};
    Voice::spew("$contract/openapi.json", encode_json($document));

    my $text = Voice::slurp("$etc/edge.conf");
    $text =~ s/^(voice_contract )[^;]*/$1$contract/m
        or die 'no voice_contract';

    return $text;
}


# --- files ----------------------------------------------------------------

# Written whole, with a time that differs from the one before.
sub set_file {
    my ($turn, @keys) = @_;

    my $file = "$directory/set.json";
    Voice::spew("$file.new",
                encode_json({ keys => [map { $_->{jwk} } @keys] }));
    utime 1e9 + $turn, 1e9 + $turn, "$file.new";
    chmod 0644, "$file.new";
    rename "$file.new", $file or die "$file: $!";

    return $file;
}


sub pem_file {
    my ($key) = @_;

    Voice::Jwks::run('openssl', 'pkey', '-in', $key->{file}, '-pubout',
                     '-out', "$directory/key.pem");

    return "$directory/key.pem";
}
