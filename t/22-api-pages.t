#!/usr/bin/perl

# Replies that are made page by page: the packets of a call as a stream of
# lines, whoever reads them and however slowly.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Raw;

use constant MANY => 100_000;

my $json = JSON::PP->new->utf8;
my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $small = call('small', 3);
my $large = call('large', MANY);

small();
slow();
idle();
aborted();
broken();

$voice->finish;


sub small {
    my $reply = $voice->call('list_call_packets', as => $owner,
                             path => { id => $small });

    is($reply->{status}, 200, 'a call of one page is shown');
    is($reply->{headers}{'content-type'}, 'application/x-ndjson',
       'as lines of JSON');
    is(join(' ', map { $_->{sequence} } lines($reply->{content})), '0 1 2',
       'in their order');

    $voice->sql("delete from core.packet where call_id = '$small'"
                . ' and sequence = 1');
    $reply = $voice->call('list_call_packets', as => $owner,
                          path => { id => $small });
    is_deeply([map { $_->{gap} ? $_->{gap} : $_->{sequence} }
                   lines($reply->{content})],
              [0, { from => 1, to => 1 }, 2], 'a gap is marked');

    my $head = $voice->request('HEAD', path($small), headers => token());
    is("$head->{status} " . ($head->{content} // ''), '200 ', 'HEAD has no lines');

    my $raw = Voice::Raw->new($voice);
    $raw->put(request($small, 'HTTP/1.0'));
    is(scalar(lines((split /\r\n\r\n/, $raw->rest, 2)[1])), 3,
       'HTTP/1.0 gets them without chunks');

    $reply = $voice->call('list_call_packets', as => $owner,
        path => { id => '00000000-0000-7000-8000-000000000000' });
    is($reply->{json}{error}{code}, 'RESOURCE_NOT_FOUND',
       'an unknown call is refused as ever');
    is($voice->request('GET', path($small))->{status}, 401,
       'and so is a stranger');
}


# All of it through a small window, and the process stays as it is.
sub slow {
    my $pid = ($voice->children('nginx'))[0];

    my $whole = $voice->request('GET', path($large), headers => token());
    my @sequences = $whole->{content} =~ /^\{"sequence":(\d+),/mg;
    is(scalar @sequences, MANY, 'a hundred thousand packets are shown');
    is(scalar(grep { $sequences[$_] != $_ } 0 .. $#sequences), 0,
       'in their order');

    my $before = rss($pid);
    my $raw = Voice::Raw->new($voice);
    $raw->put(request($large, 'HTTP/1.1'));
    ok($raw->until(qr/\r\n\r\n/), 'a slow client begins');

    my ($most, $got, $pages) = ($before, 0, 0);
    while (1) {
        my $size = hex($raw->until(qr/\r\n/) // last);
        $raw->take($size + 2) // last;
        $got += $size;
        last if $size == 0;
        my $now = rss($pid);
        $most = $now if $now > $most;
        $pages++;
    }

    is($got, length $whole->{content}, 'and gets the same bytes');
    cmp_ok($pages, '>', 100, 'in many pages');
    grows_less($most - $before, 4096, 'the slow client\'s page');
}


# Who does not read at all costs what he was sent first.
sub idle {
    my $pid = ($voice->children('nginx'))[0];
    my $before = rss($pid);
    my @clients = map { Voice::Raw->new($voice) } 1 .. 20;

    $_->put(request($large, 'HTTP/1.1')) for @clients;
    is(scalar(grep { defined $_->until(qr/\r\n\r\n/) } @clients), 20,
       'twenty clients begin and read no more');
    ok($voice->wait_for(\&quiet, 30), 'no page is asked for');
    grows_less(rss($pid) - $before, 20 * 1024, 'a page for each');

    $_->abort for @clients;
}


# In kilobytes; a sanitizer keeps what is freed.
sub grows_less {
    my ($growth, $bound, $what) = @_;

    SKIP: {
        skip 'memory is measured without a sanitizer', 1
            if $ENV{VOICE_SANITIZE};
        cmp_ok($growth, '<', $bound, "the process grows by $what at most");
    }
}


# The scrape itself is one query.
sub quiet {
    my $metrics = $voice->request('GET', '/metrics')->{content};

    return $metrics !~ /^voice_postgres_in_flight\S* ([2-9]|\d\d)/m
        && $metrics =~ /^voice_postgres_waiting\S* 0$/m;
}


sub aborted {
    for (1 .. 50) {
        my $raw = Voice::Raw->new($voice);
        $raw->put(request($large, 'HTTP/1.1'));
        $raw->until(qr/\r\n\r\n/);
        $raw->abort;
    }

    ok($voice->wait_for(\&quiet, 30), 'clients that go away leave no page under way');
    is($voice->request('GET', path($small), headers => token())->{status},
       200, 'and others are served');
}


# The database goes in the middle: the reply does not look like a whole one.
sub broken {
    my $raw = Voice::Raw->new($voice);
    $raw->put(request($large, 'HTTP/1.1'));
    ok($raw->until(qr/\r\n\r\n/), 'a client begins');

    $voice->stack('stop', 'postgres');
    my $rest = $raw->rest;
    $voice->stack('start', 'postgres');

    cmp_ok(length $rest, '<', 5_000_000, 'it does not get all of it');
    unlike($rest, qr/\r\n0\r\n\r\n\z/, 'and no last chunk');
    like(join('', map { Voice::slurp($_) }
                  glob "$voice->{stack}{log}/nginx.log"),
         qr/reply broken off: 503/, 'the log tells');
    ok($voice->wait_for(sub {
        $voice->request('GET', path($small),
                        headers => token())->{status} == 200 }, 60),
       'the next one is whole again');
}


# --- calls ----------------------------------------------------------------

sub call {
    my ($name, $packets) = @_;

    my $id = $voice->sql("insert into core.call (tenant_id, external_id)"
        . " values ('$owner->{tenant_id}', '$name') returning id");

    $voice->sql("insert into core.call_stream (tenant_id, external_id,"
        . " call_id, day, next_sequence, received, last_at) select"
        . " c.tenant_id, c.external_id, c.id, c.day, $packets, $packets,"
        . " now() from core.call c where c.id = '$id'");
    $voice->sql("insert into core.packet (tenant_id, call_id, sequence, day,"
        . " sent_at, received_at, data) select c.tenant_id, c.id, n, c.day,"
        . " n, now(), repeat('x', 100) from core.call c,"
        . " generate_series(0, $packets - 1) n where c.id = '$id'");

    return $id;
}


sub path { "/api/v1/calls/$_[0]/packets" }
sub token { return { Authorization => "Bearer $owner->{token}" } }


sub request {
    my ($id, $version) = @_;

    return 'GET ' . path($id) . " $version\r\nHost: x\r\n"
        . "Authorization: Bearer $owner->{token}\r\n\r\n";
}


sub lines { return map { $json->decode($_) } split /\n/, $_[0] }


# Kilobytes that a process has in memory.
sub rss {
    my ($pid) = @_;

    my ($rss) = Voice::slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;

    return $rss;
}
