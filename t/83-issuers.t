#!/usr/bin/perl

# Which foreign issuers nginx -t refuses, and where it says the fault is.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Node;

my $voice = Voice->start(workers => 0);
my $node = Voice::Node->start($voice, 'issuers');
my $first = issuer(name => 'https://first.example');

Voice::spew("$node->{data}/broken", 'broken');
refused();
warned();
accepted();

$node->stop;
$voice->finish(alerts => qr{\[emerg\].*(?:issuers/etc|has no CA)});


sub issuer {
    my (%change) = @_;

    my %value = (name => 'https://x.example', audience => 'voice',
                 jwks => 'http://127.0.0.1:1/', role => '*:viewer',
                 tenant => '0197c2a0-0000-7000-8000-000000000001', %change);

    return 'voice_jwt_issuer ' . join(' ', map { "$_=$value{$_}" }
        grep { defined $value{$_} } sort keys %value) . ';';
}


sub refused {
    my %fault = (
        'no name'          => [{ name => undef }, qr/"name" must be/],
        'a name twice'     => [{ name => 'https://first.example' },
                               qr/another issuer's/],
        'our own name'     => [{ name => 'voicegate' }, qr/our own/],
        'no audience'      => [{ audience => undef }, qr/"audience"/],
        'no keys'          => [{ jwks => undef }, qr/one of "jwks"/],
        'keys twice'       => [{ jwks_file => '/x' }, qr/one of "jwks"/],
        'another scheme'   => [{ jwks => 'ftp://x/' }, qr/http or https/],
        'a user in it'     => [{ jwks => 'https://u:p@x/' },
                               qr/without user/],
        'no tenant'        => [{ tenant => undef }, qr/one of "tenant"/],
        'a wrong tenant'   => [{ tenant => 'acme' }, qr/UUID/],
        'a wrong claim'    => [{ tenant => undef, tenant_claim => 'org' },
                               qr/JSON pointer/],
        'no role'          => [{ role => undef }, qr/"role" is needed/],
        'a wrong role'     => [{ role => 'x:king' }, qr/one of ours/],
        'the platform'     => [{ role => 'x:platform_admin' },
                               qr/ours but platform_admin/],
        'a shared secret'  => [{ alg => 'HS256' }, qr/public keys/],
        'no algorithm'     => [{ jwks => undef, key_file => '/x' },
                               qr/needs "alg"/],
        'a missing file'   => [{ jwks => undef, jwks_file => '/no/file' },
                               qr/no\/file/],
        'a broken file'    => [{ jwks => undef,
                                 jwks_file => "$node->{data}/broken" },
                               qr/no JSON/],
        'no certificates'  => [{ jwks => 'https://x/',
                                 ca => "$node->{data}/broken" },
                               qr/no CA certificates/],
        'a long interval'  => [{ refresh => '2s', min_interval => '3s' },
                               qr/over "refresh"/],
        'an odd argument'  => [{ odd => 1 }, qr/invalid parameter/],
    );

    for my $what (sort keys %fault) {
        my ($change, $reason) = @{$fault{$what}};
        like(test_issuers(issuer(%$change)), $reason, "$what is refused");
    }
}


sub warned {
    like(test_issuers(issuer(jwks => 'http://keys.example/')),
         qr/\[warn\].*on the way/, 'http to another machine is warned of');
}


sub accepted {
    my $text = test_issuers(issuer(alg => 'PS256', typ => 'at+jwt,none',
        role_claim => '/a/b', role => 'read:calls:viewer'),
        map { issuer(name => "https://$_.example") } 1 .. 30);
    like($text, qr/test is successful/, '32 issuers are taken');
    like(test_issuers(map { issuer(name => "https://$_.example") } 1 .. 32),
         qr/too many/, 'and no more');
}


sub test_issuers {
    my (@issuers) = @_;

    my $file = "$node->{data}/etc/edge.conf";
    my $good = Voice::slurp($file);
    Voice::spew($file, join "\n", $good, $first, @issuers);
    my %preload = %{$voice->{stack}{preload}};
    local @ENV{keys %preload} = values %preload;
    my @command = $node->nginx_command('-t');
    my $output = `@command 2>&1`;
    Voice::spew($file, $good);

    return $output;
}
