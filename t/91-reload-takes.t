#!/usr/bin/perl

# What a reload takes: keys, limits, routes and tenants; what it leaves
# alone: connections that are kept, and all that serves if the new
# configuration is broken.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use JSON::PP;
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Raw;

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(processes => 2, workers => 0);
my $owner = $voice->tenant('acme');
my $data = $voice->{stack}{data};
my $openapi = "$data/app/openapi";

new_key();
new_route();
new_limit();
new_tenant();
kept_connection();
broken_configuration();

$voice->finish(alerts => qr/exited on signal 9|unexpected end of file/);


# Signed with the new key; the old one stays beside it.
sub new_key {
    my $file = "$data/etc/edge.conf";
    my $text = Voice::slurp($file);
    my $secret = 'another secret of thirty-two bytes and more';
    my $token = signed($secret, 'next');

    is(status($token), 401, 'a token of an unknown key is refused');

    Voice::spew("$voice->{stack}{secrets}/jwt-next", "$secret\n");
    chown +(stat "$voice->{stack}{secrets}/jwt")[4, 5],
        "$voice->{stack}{secrets}/jwt-next";
    $text =~ s{^(voice_jwt_key .*)/jwt;$}
              {$1/jwt;\nvoice_jwt_key kid=next alg=HS256 file=$voice->{stack}{secrets}/jwt-next;}m
        or die 'no key';
    Voice::spew($file, $text);
    reload();

    is(status($token), 200, 'a reload takes a new key');
    is(status($owner->{token}), 200, 'the old one goes on');
}


sub signed {
    my ($secret, $kid) = @_;

    my (undef, $claims) = split /\./, $owner->{token};
    my $head = encode_base64url($json->encode({ alg => 'HS256',
        typ => 'JWT', kid => $kid }));

    return "$head.$claims." . encode_base64url(
        hmac_sha256("$head.$claims", $secret));
}


sub new_route {
    my $path = '/api/v1/suites-by-another-name';
    my $contract = document('test_suites.json');

    is(status($owner->{token}, $path), 404, 'there is no such route');

    $contract->{paths}{'/api/v1/test-suites'}{get}{'x-aliases'} = [$path];
    Voice::spew("$openapi/test_suites.json", $json->encode($contract));
    reload();

    is(status($owner->{token}, $path), 200, 'a reload takes a new route');
}


# The class gets one at once, and one an hour is not to be had.
sub new_limit {
    my $contract = document('openapi.json');

    for (1 .. 3) { status($owner->{token}, '/api/v1/test-suites') }
    is(status($owner->{token}, '/api/v1/test-suites'), 200,
       'reads are many');

    $contract->{'x-limits'}{read} = { rate => 1, burst => 1 };
    Voice::spew("$openapi/openapi.json", $json->encode($contract));
    reload();

    ok($voice->wait_for(sub {
        return grep { $_ == 429 }
            map { status($owner->{token}, '/api/v1/test-suites') } 1 .. 5;
    }, 30), 'a reload takes a new limit');

    $contract->{'x-limits'}{read} = { rate => 1000, burst => 1000 };
    Voice::spew("$openapi/openapi.json", $json->encode($contract));
    reload();
    ok($voice->wait_for(sub {
        return !grep { $_ != 200 }
            map { status($owner->{token}, '/api/v1/test-suites') } 1 .. 20;
    }, 30), 'and one that is raised');
}


sub new_tenant {
    my $new;

    kill 'HUP', $voice->pid('nginx');
    $new = $voice->tenant('fresh');
    is($new->{status}, 200, 'a tenant made while nginx reloads may come in');
    is(status($new->{token}), 200, 'at once');
}


sub document { return $json->decode(Voice::slurp("$openapi/$_[0]")) }


# Over new connections: a kept one may be of an old process.
sub status {
    my ($token, $path) = @_;

    my $raw = Voice::Raw->new($voice);
    $raw->put('GET ' . ($path // '/api/v1/auth/me') . " HTTP/1.1\r\n"
        . "Host: x\r\nConnection: close\r\n"
        . "Authorization: Bearer $token\r\n\r\n");
    my $reply = $raw->reply;

    return $reply ? $reply->{status} : 'nothing';
}


# The files as they are, which bin/stack would write anew.
sub reload {
    local @ENV{keys %{$voice->{stack}{preload}}}
        = values %{$voice->{stack}{preload}};
    my $out = `$Voice::ROOT/bin/voicegate-reload --pid-file $data/run/nginx.pid 2>&1`;

    $? == 0 or BAIL_OUT("no reload: $out");
}


# A request on a connection whose process has just begun to exit.
sub kept_connection {
    my $kept = Voice::Raw->new($voice);
    my $health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    my %old = map { $_ => 1 } $voice->children('nginx');

    $kept->put($health);
    is($kept->reply->{status}, 200, 'a connection is kept');

    kill 'HUP', $voice->pid('nginx');
    $voice->wait_for(sub {
        !grep { $old{$_} && title($_) !~ /shutting down/ }
            $voice->children('nginx') }, 30);
    $kept->put($health);
    my $reply = $kept->reply;
    is($reply && $reply->{status}, 200, 'and serves over a reload');
    is($reply && $reply->{headers}{connection}, 'close', 'once more');

    # nchan loses count of its processes if one is killed while it exits.
    $voice->wait_for(sub { !grep { $old{$_} } $voice->children('nginx') },
                     60);
}


sub title { return eval { Voice::slurp("/proc/$_[0]/cmdline") } // '' }


# A raw HUP with a broken file, then the death of a process.
sub broken_configuration {
    my $file = "$voice->{stack}{data}/etc/nginx.conf";
    my $good = Voice::slurp($file);

    Voice::spew($file, "$good\nbroken");
    kill 'HUP', $voice->pid('nginx');
    ok($voice->wait_for(sub {
        Voice::slurp("$voice->{stack}{log}/nginx.log") =~ /\[emerg\]/ }, 30),
       'a broken file is refused by name');

    my ($child) = $voice->children('nginx');
    kill 'KILL', $child;
    $voice->wait_for(sub {
        !grep { $_ == $child } $voice->children('nginx') }, 30);

    ok($voice->wait_for(sub {
        my @replies = map { $voice->request('GET', '/health')->{status} }
            1 .. 20;
        return !grep { $_ != 200 } @replies;
    }, 30), 'the old configuration serves on after a process died');

    my $before = () = Voice::slurp("$voice->{stack}{log}/nginx.log")
        =~ /exited on signal/g;
    $voice->request('GET', '/ready') for 1 .. 50;
    my $after = () = Voice::slurp("$voice->{stack}{log}/nginx.log")
        =~ /exited on signal/g;
    is($after, $before, 'no process dies again and again');

    Voice::spew($file, $good);
}
