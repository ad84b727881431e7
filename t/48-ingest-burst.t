#!/usr/bin/perl

# Ten thousand packets of one call, shuffled, from 64 connections to two
# edges: each is taken once, nothing is missing, what is made of them is in
# their order.  Then the same from connections that send everything twice.

use strict;
use warnings;

use JSON::PP;
use List::Util qw(shuffle);
use Test::More;

use lib 't/lib';
use Voice;
use Voice::CallModel;
use Voice::Node;
use Voice::Pbx;

use constant { PACKETS => 10_000, CONNECTIONS => 64 };

my $json = JSON::PP->new->utf8;
my $seed = $ENV{VOICE_TEST_SEED} || 1 + int rand 1_000_000_000;
srand $seed;
diag("seed $seed");

my $voice = Voice->start;
my $node = Voice::Node->start($voice, 'second');
my $owner = $voice->tenant('acme');
my $key = $voice->call('create_api_key', as => $owner, body => {
    name => 'pbx', role => 'api_client',
    scopes => ['calls:ingest'] })->{json}{data}{secret};

once();
twice();

$node->stop;
$voice->finish;


sub once {
    my @exchanges = burst('burst', shuffle 0 .. PACKETS - 1);

    is(scalar(grep { ($_->{json}{status} // '') eq 'accepted' } @exchanges),
       PACKETS, 'each of ten thousand packets is accepted once');
    is_deeply([Voice::CallModel::check(\@exchanges, stored('burst'))], [],
              'and there is an order that agrees with all replies');

    my $call = show('burst');
    is("$call->{total_received} $call->{missing_count}", PACKETS . ' 0',
       'nothing is missing in the end');

    my $reply = $voice->request('POST', '/v1/call/complete/burst',
        content => '{"total_packets":' . PACKETS . '}', headers => {
            'X-API-Key' => $key, 'Content-Type' => 'application/json' });
    is($reply->{status}, 202, 'the call is completed');
    ok($voice->wait_for(sub { show('burst')->{state} eq 'ARCHIVED' }, 120),
       'and processed');
    ok((show('burst')->{transcription} // '')
       eq join(' ', map { "w$_" } 0 .. PACKETS - 1),
       'all of it in its order');
}


# Each packet is there twice, and nobody knows which one comes first.
sub twice {
    my $half = PACKETS / 2;
    my @exchanges = burst('twice', shuffle map { ($_, $_) } 0 .. $half - 1);
    my %count;

    $count{$_->{json}{status} // $_->{status}}++ for @exchanges;
    is_deeply(\%count, { accepted => $half, duplicate => $half },
              'of packets that come twice one is accepted');
    is_deeply([Voice::CallModel::check(\@exchanges, stored('twice'))], [],
              'and there is an order that agrees with all replies');
}


sub burst {
    my ($call, @sequences) = @_;

    my $pbx = Voice::Pbx->new(ports => [map { $_->{stack}{port} } $voice,
        $node], connections => CONNECTIONS, header => "X-API-Key: $key");

    $pbx->spread(map { ['packet', $call, $_, "w$_"] } @sequences);

    return $pbx->run;
}


sub show {
    my ($call) = @_;

    return $voice->request('GET', "/v1/calls/$call", headers => {
        Authorization => "Bearer $owner->{token}" })->{json};
}


sub stored {
    my ($call) = @_;

    my $stored = $json->decode($voice->sql("select json_build_object("
        . "'received', s.received, 'next', s.next_sequence, 'expected', '',"
        . " 'missing', (select coalesce(string_agg(r::text, ','), '') from"
        . " unnest(s.missing) r), 'rows', (select json_object_agg("
        . "p.sequence, p.data) from core.packet p where"
        . " p.tenant_id = s.tenant_id and p.call_id = s.call_id"
        . " and p.day = s.day)) from core.call_stream s"
        . " where s.external_id = '$call'"));

    return $stored;
}
