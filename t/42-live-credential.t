#!/usr/bin/perl

# An open stream does not outlive its credential, of whichever kind either
# is; those of others go on, and who comes again with a good one misses
# nothing.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Http2;
use Voice::Resources;
use Voice::WebSocket;

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(processes => 2, workers => 0);
my $owner = $voice->tenant('acme');
my $rival = $voice->tenant('rival');
my $root = $voice->person('platform', 'platform_admin');
my $id = Voice::Resources::make($voice, $owner, 'acme');
my $marks = 0;

# opening streams has a limit
$voice->sql("update core.tenant set plan = 'business'");

# who makes things needs no workers about; the relay is one of them
$voice->start_services('workers');
settled();

my @kinds = (
    ['a WebSocket of calls', \&socket_of],
    ['events of calls', \&calls_of],
    ['events of the tenant', \&events_of],
    ['a WebSocket of a run', \&run_of],
    ['a WebSocket by a ticket', \&ticket_of],
);

revocations();
rotations();
expiry();
changes();
suspended();
http2();
away();

$voice->finish;


# --- losing it ------------------------------------------------------------

# Of two who have the same rights one loses them.
sub revocations {
    my @rows = (
        ['a revoked key', sub { key_actor('gone') }, sub {
            $voice->call('delete_api_key', as => $owner,
                         path => { id => $_[0]{id} }) }],
        ['a session that was ended', sub { person('gone') }, sub {
            $voice->call('logout', as => $_[0]) }],
        ['a role that was taken', sub { person('lost') }, sub {
            $voice->sql("update core.membership set role = 'billing' where"
                        . " user_id = '$_[0]{user_id}'") }],
        ['a member who was removed', sub { person('out') }, sub {
            $voice->sql("delete from core.membership where"
                        . " user_id = '$_[0]{user_id}'") }],
    );
    my %others = open_all($owner);

    for my $row (@rows) {
        my ($name, $make, $revoke) = @$row;
        my $actor = $make->();
        my %streams = open_all($actor);

        my $began = time;
        $revoke->($actor);
        ended($name, \%streams, '4401 AUTH_INVALID_TOKEN', 401);
        note(sprintf '%s: %.2f s', $name, time - $began);
    }

    hear('others', \%others);
    like($voice->request('GET', '/metrics')->{content},
         qr/^voice_stream_lapses_total [1-9]/m, 'what was ended is counted');
}


# A secret that was replaced is good for as long as it was said.
sub rotations {
    my $key = key_actor('rotated');
    my %streams = open_all($key);

    my $made = $voice->call('rotate_api_key', as => $owner,
        path => { id => $key->{id} }, body => { overlap_seconds => 3600 });
    my $ticket = delete $streams{'a WebSocket by a ticket'};
    ended('a key that changed', { 'a WebSocket by a ticket' => $ticket },
          '4401 AUTH_INVALID_TOKEN', 401);
    my $next = { %$key, api_key => $made->{json}{data}{secret} };
    my %next = open_all($next);
    hear('the old secret in its overlap', \%streams);
    hear('the new secret', \%next);

    # the other secret of the same key
    delete $next{'a WebSocket by a ticket'};
    $voice->sql("update core.api_key set previous_until = now()"
                . " where id = '$key->{id}'");
    ended('an old secret after its overlap', \%streams,
          '4401 AUTH_INVALID_TOKEN', 401);
    hear('the new one', \%next);
}


# A token that is renewed goes on where the old one ended.
sub expiry {
    my $short = short_token();
    my %streams = ('a WebSocket of calls' => socket_of($short),
                   'events of calls' => calls_of($short),
                   'a WebSocket by a ticket' => ticket_of($short));
    my %last;

    for my $n (1 .. 3) {
        emit($owner, $n);
        for my $name ('a WebSocket of calls', 'events of calls') {
            my $event = $streams{$name}->next(20) // {};
            is($event->{json}{to_state}, $n, "$name: event $n");
            $last{$name} = $event->{json}{id};
        }
    }

    ended('an expired token', \%streams, '4401 AUTH_INVALID_TOKEN', 401);
    emit($owner, 4);
    emit($owner, 5);

    my $reply = $voice->call('refresh', body => {
        refresh_token => $short->{refresh_token} })->{json}{data};
    my $again = { %$short, token => $reply->{tokens}{access_token} };
    my %again = (
        'a WebSocket of calls' => socket_of($again,
            "last_event_id=$last{'a WebSocket of calls'}"),
        'events of calls' => calls_of($again,
            "last_event_id=$last{'events of calls'}"),
    );
    for my $name (sort keys %again) {
        is(join(' ', map { $again{$name}->next(20)->{json}{to_state} } 1 .. 2),
           '4 5', "$name: the renewed token misses nothing");
        $again{$name}->close;
    }

    my $old = $voice->call('create_stream_ticket', as => $owner)
        ->{json}{data}{ticket};
    $voice->sql('update core.stream_ticket set until = now()');
    is(Voice::WebSocket->open($voice, "/ws/supervisor?ticket=$old")->{status},
       401, 'a ticket is no good once its token has expired');
}


# A change that takes nothing away ends nothing.
sub changes {
    my $actor = person('kept');
    my $key = key_actor('kept');
    my %streams = (open_all($actor),
                   map { ("key $_->[0]" => $_->[1]->($key)) } @kinds[0 .. 3]);

    $voice->call('update_tenant', as => $root,
                 path => { id => $owner->{tenant_id} },
                 body => { plan => 'standard' });
    $voice->call('update_api_key', as => $owner, path => { id => $key->{id} },
        headers => { 'If-Match' => '*' }, body => { scopes => ['*'] });
    $voice->sql("insert into core.edge_change (kind) values ('all')");
    seen();
    hear('after changes that take nothing', \%streams);

    $voice->sql("update core.api_key set scopes = '{test-runs:read}'"
                . " where id = '$key->{id}'");
    my %narrow = map { ($_ => delete $streams{$_}) }
        'key a WebSocket of calls', 'key events of calls',
        'key events of the tenant';
    ended('a key of narrower scopes', \%narrow,
          '4403 AUTH_INSUFFICIENT_PERMISSIONS', 403);
    hear('who may still', \%streams);
}


sub suspended {
    my %streams = (socket => socket_of($rival), events => calls_of($rival));
    my %others = open_all($owner);

    for my $status (qw(suspended active)) {
        $voice->call('update_tenant', as => $root,
            path => { id => $rival->{tenant_id} },
            body => { status => $status });
        next if $status eq 'active';
        ended('a suspended tenant', \%streams, '4403 TENANT_SUSPENDED', 403);
    }

    hear('another tenant', \%others);

    # he may come in, but not from here
    %streams = (events => calls_of($rival));
    $voice->sql("update core.tenant set deny_addresses = '{127.0.0.1}'"
                . " where id = '$rival->{tenant_id}'");
    ended('a denied address', \%streams, '4403 ADDRESS_NOT_ALLOWED', 403);
}


# One request of a connection ends, the others go on.
sub http2 {
    my $h2 = Voice::Http2->start($voice);
    my @keys = map { key_actor("h2-$_") } 1 .. 2;
    my $raw = $h2->raw;
    my %text = map { ($_ => '') } 1, 3, 5, 7;
    my %end;
    my @paths = ('/api/v1/calls/stream',
                 "/events/stream/$owner->{tenant_id}");

    for my $n (0 .. 3) {
        $raw->request(2 * $n + 1, 1, ':method' => 'GET', ':scheme' => 'http',
            ':authority' => 'x', ':path' => $paths[$n / 2],
            'x-api-key' => $keys[$n % 2]{api_key});
        $raw->until(Voice::Http2::HEADERS, 2 * $n + 1);
    }

    $voice->call('delete_api_key', as => $owner,
                 path => { id => $keys[0]{id} });
    emit($owner, 'h2');

    my $over = time + 40;
    until (time > $over || (keys %end == 2
                            && 2 == grep { /"h2"/ } @text{3, 7}))
    {
        my $frame = $raw->next(1) or next;
        next if $frame->{type} != Voice::Http2::DATA;
        $text{$frame->{stream}} .= $frame->{payload};
        $end{$frame->{stream}}++
            if $frame->{flags} & Voice::Http2::END_STREAM;
    }

    is(join(' ', sort keys %end), '1 5', 'HTTP/2: streams of the key end');
    like($text{$_}, qr/^event: end\ndata: \{"event.*AUTH_INVALID_TOKEN.*\}$/m,
         'and say why') for 1, 5;
    like($text{$_}, qr/"h2"/, 'the others of the connection go on') for 3, 7;
}


# While the database is away nobody can tell whether a key that ran out has a
# successor: its stream waits, and the edge does not ask without a pause.
sub away {
    my ($stream, $until);

    for my $seconds (8, 40, 240) {
        my $key = key_actor("brief-$seconds");
        $stream = socket_of($key);
        $voice->sql("update core.api_key set expires_at = now()"
            . " + interval '$seconds seconds' where id = '$key->{id}'");
        $until = time + $seconds;
        seen();
        $voice->stack('stop', 'postgres');
        last if time < $until - 2;
        $stream->close;
        $voice->stack('start', 'postgres');
    }

    $voice->wait_for(sub { time > $until + 2 }, 300);
    my ($began, $before) = (time, misses());
    $voice->wait_for(sub { time > $began + 3 }, 60);
    my $rate = (misses() - $before) / (time - $began);
    cmp_ok($rate, '<', 20, 'a database that is away is not asked in a hurry');
    ok(!$stream->ended, 'the stream of a key that ran out waits');

    $voice->stack('start', 'postgres');
    ended('a key that ran out meanwhile', { 'a WebSocket of calls' => $stream },
          '4401 AUTH_INVALID_TOKEN', 401);
}


sub misses {
    my $text = $voice->request('GET', '/metrics')->{content};

    return $text =~ /^voice_credential_misses_total (\d+)/m ? $1 : 0;
}


# --- what is expected -----------------------------------------------------

# All streams end, and say why.
sub ended {
    my ($what, $streams, $close, $status) = @_;

    for my $name (sort keys %$streams) {
        my $stream = $streams->{$name};
        my @last;
        $voice->wait_for(sub {
            my $event = $stream->next(0.1);
            push @last, $event if $event;
            return $stream->ended && !$event;
        }, 40);
        ok($stream->ended, "$what: $name is ended");

        if ($stream->isa('Voice::WebSocket')) {
            is($stream->closed, $close, 'by a close that says why');
        } else {
            my ($code) = $close =~ /(\w+)$/;
            my $end = $last[-1] // {};
            is(join(' ', map { $_ // '' } $end->{event}, @{$end->{json} // {}}
                {qw(status code)}), "end $status $code",
               'by an event that says why');
        }
        $stream->close;
    }
}


# Streams of calls bring what is told now, and all others are still open.
sub hear {
    my ($what, $streams) = @_;

    my $mark = 'mark ' . ++$marks;
    emit($owner, $mark);

    for my $name (sort keys %$streams) {
        my $stream = $streams->{$name};
        my $came = $voice->wait_for(sub {
            my $event = $stream->next(0.1);
            return 'came' if $event
                && ($event->{data} // '') =~ /"\Q$mark\E"/;
            return $stream->ended ? 'ended'
                : $name =~ /run/ && !$event ? 'open' : 0;
        }, 20) // 'nothing';
        isnt($came, $name =~ /run/ ? 'ended' : 'nothing',
             "$what: $name goes on");
        isnt($came, 'ended', 'and is open');
    }
}


# Has every process looked at the last change?
sub seen {
    my ($before) = map { changes_counted() } 1;

    $voice->sql("insert into core.edge_change (kind) values ('hosts')");
    $voice->wait_for(sub { changes_counted() > $before }, 20);
}


sub changes_counted {
    my $text = $voice->request('GET', '/metrics')->{content};

    return $text =~ /^voice_changes_total (\d+)/m ? $1 : 0;
}


# --- streams --------------------------------------------------------------

sub open_all {
    my ($actor) = @_;

    return map { ($_->[0] => $_->[1]->($actor)) } @kinds;
}


sub socket_of {
    my ($actor, $query) = @_;

    return opened(sub { Voice::WebSocket->open($voice, '/ws/supervisor?'
        . ($query // ''), headers_of($actor)) });
}


sub calls_of {
    my ($actor, $query) = @_;

    return opened(sub { $voice->stream('/api/v1/calls/stream?'
        . ($query // ''), headers_of($actor)) });
}


sub events_of {
    my ($actor) = @_;

    return opened(sub { $voice->stream("/events/stream/$owner->{tenant_id}",
                                       headers_of($actor)) });
}


sub run_of {
    my ($actor) = @_;

    return opened(sub { Voice::WebSocket->open($voice,
        "/ws/test-runs/$id->{'test-runs'}", headers_of($actor)) });
}


sub ticket_of {
    my ($actor) = @_;

    return opened(sub {
        my $made = $voice->call('create_stream_ticket', as => $actor);
        return $made->{status} == 201 ? Voice::WebSocket->open($voice,
            "/ws/supervisor?ticket=$made->{json}{data}{ticket}") : undef;
    });
}


# Opening streams has a limit, too.
sub opened {
    my ($open) = @_;

    return $voice->wait_for(sub {
        my $stream = $open->();
        return $stream && ($stream->{status} // 0) =~ /^(?:101|200)$/
            && $stream;
    }, 40) || die "no stream\n";
}


sub headers_of {
    my ($actor) = @_;

    return $actor->{api_key} ? ('X-API-Key' => $actor->{api_key})
        : (Authorization => "Bearer $actor->{token}");
}


# --- people ---------------------------------------------------------------

sub person {
    my ($name) = @_;

    return $voice->person('acme', 'supervisor', "$name\@acme.example");
}


sub key_actor {
    my ($name) = @_;

    my $data = $voice->call('create_api_key', as => $owner, body => {
        name => $name, role => 'api_client',
        scopes => ['calls:read', 'events:read', 'test-runs:read'],
    })->{json}{data};

    return { api_key => $data->{secret}, id => $data->{id} };
}


# Somebody whose token lives for some seconds, and the edge's leeway.
sub short_token {
    my $file = "$voice->{stack}{data}/etc/edge.conf";
    my $text = Voice::slurp($file);

    Voice::spew($file, $text =~ s/(voice_token_lifetime) \w+;/$1 6s;/r);
    hang_up();
    my $short = person('short');
    Voice::spew($file, $text);

    return $short;
}


# Streams of nchan in a young process are told to connect once more.
sub settled {
    $voice->wait_for(sub {
        my @ages = map { s/\D//gr } qx(ps -o etimes= -p @{[
            join ',', $voice->children('nginx')]});
        return @ages && !grep { $_ < 7 } @ages;
    }, 60);
}


sub hang_up {
    my %old = map { $_ => 1 } $voice->children('nginx');

    kill 'HUP', $voice->pid('nginx');
    $voice->wait_for(sub {
        my @now = $voice->children('nginx');
        return @now && !grep { $old{$_} } @now;
    }, 60);
}


# A durable event of a call.
sub emit {
    my ($tenant, $state) = @_;

    $voice->sql("begin; select core.use_tenant(:'tenant');"
        . " select core.emit('call.state_changed', 'call', core.uuid_v7(),"
        . " :'payload'); commit;", tenant => $tenant->{tenant_id},
        payload => $json->encode({ call_id => 'c', to_state => $state }));
}
