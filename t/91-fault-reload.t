#!/usr/bin/perl

# Reloads of nginx and of the workers under load, while runs go on, long
# requests wait and subscribers listen: no exchange is interrupted, no
# durable event is missed, and old processes are gone in time.

# covers: stream_events stream_test_run

use strict;
use warnings;

use IO::Select;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Demo;
use Voice::Raw;
use Voice::WebSocket;

use constant LOADERS => 3;

my $reloads = $ENV{VOICE_TEST_LONG} ? 50 : 6;

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(processes => 2, workers => 2);
my $owner = $voice->tenant('acme');
plenty();
my $suite = Voice::Demo::suite($voice, $owner, 2);
my $bearer = "Authorization: Bearer $owner->{token}\r\n";
my $type = "Content-Type: application/json\r\n";

my @subscribers = (subscriber('SSE', 'subject_id is not null',
                              "/events/stream/$owner->{tenant_id}"));
my (%figure, @runs, %over, %old, @gone, $stop);
my @loaders = map { loader("load$_") } 1 .. LOADERS;

for my $round (1 .. $reloads) {
    # voicegate-reload waits for it, too, and a body may take so long only
    $voice->wait_for(sub { listen_all(0.02); return !leaving() }, 60);
    my $run = run();
    push @runs, $run;
    push @subscribers, subscriber('WebSocket', "subject_id = '$run'",
                                  "/ws/test-runs/$run");
    my @long = long_requests();

    $old{$_} //= 0 for $voice->children('nginx');
    my $output = reload($round % 4 ? 'nginx' : 'workers', @long);
    is($?, 0, "reload $round is taken") or diag($output);
    my %now = map { $_ => 1 } $voice->children('nginx');
    $old{$_} ||= time for grep { !$now{$_} || title($_) =~ /shutting/ }
        keys %old;

    answered(@long);
    listen_all(0.02) for 1 .. 5;
}

ok($voice->wait_for(sub {
    listen_all(0.1);
    return !grep { !ended($_) } @runs;
}, 240), 'every run ends');

stop_loaders();
is($figure{interrupted} // 0, 0,
   "none of $figure{exchanges} exchanges was interrupted");
subscribers_have_all();
old_processes_are_gone();

diag("$reloads reloads: " . join(', ', map { "$_ $figure{$_}" }
     sort keys %figure));

$voice->finish;


# --- load -----------------------------------------------------------------

# A child that asks all the time, in a tenant of its own, on a connection that
# it keeps as long as the edge does; {pid, out}: it writes its counts to the
# pipe when it is told to stop.
sub loader {
    my ($tenant) = @_;

    my $token = $voice->tenant($tenant)->{token};
    pipe my $out, my $in or die "pipe: $!";
    my $pid = fork() // die "fork: $!";

    if ($pid) {
        close $in;
        return { pid => $pid, out => $out };
    }

    my ($parent, %count) = getppid;
    $SIG{TERM} = sub { $stop = 1 };
    load($token, \%count) until $stop || getppid != $parent;

    syswrite $in, join ' ', map { $_ // 0 }
        @count{qw(exchanges interrupted connections)}, $count{why} // '';
    # nothing of the parent's is ours to clean up
    require POSIX;
    POSIX::_exit(0);
}


# One connection's life.
sub load {
    my ($token, $count) = @_;

    my $raw = eval { Voice::Raw->new($voice) };
    my $last = time;
    $count->{connections}++;

    for my $n (1 .. 200) {
        my $content = $n % 10 ? '' : qq({"name":"load $$ $n )
            . int(rand 1e9) . '"}';
        my $reply = $raw && $raw->put(($n % 10 ? 'GET' : 'POST')
            . " /api/v1/test-suites HTTP/1.1\r\nHost: x\r\n"
            . "Authorization: Bearer $token\r\n" . ($n % 10 ? ''
               : "${type}Content-Length: " . length($content) . "\r\n")
            . "\r\n$content") ? $raw->reply : undef;

        # told to stop, which ends a read as well
        return if $stop;
        $count->{exchanges}++;
        # over a limit, or past a query's deadline on a busy machine, is an
        # answer, too
        if (!$reply || $reply->{status} !~ /^(?:20[01]|429|504)$/) {
            $count->{interrupted}++;
            $count->{why} = $reply ? $reply->{status}
                : sprintf 'request-%d-after-%.3f-s', $n, time - $last;
            return;
        }
        $last = time;
        return if ($reply->{headers}{connection} // '') eq 'close';
    }
}


sub stop_loaders {
    kill 'TERM', map { $_->{pid} } @loaders;

    for my $loader (@loaders) {
        my $line = readline($loader->{out}) // '0 1 0 none';
        my ($exchanges, $interrupted, $connections, $why) = split / /, $line;
        $figure{exchanges} += $exchanges;
        $figure{interrupted} += $interrupted;
        $figure{connections} += $connections;
        diag("interrupted: $why") if $interrupted;
        waitpid $loader->{pid}, 0;
    }
}


# A body of which half is sent, and a change that waits for a row which
# somebody holds: both are under way when the reload comes.
sub long_requests {
    my $body = qq({"name":"slow $figure{exchanges}x) . int(rand 1e9) . '"'
        . ' ' x 2000 . '}';
    my $half = Voice::Raw->new($voice);
    $half->put("POST /api/v1/test-suites HTTP/1.1\r\nHost: x\r\n$bearer"
        . "${type}Content-Length: "
        . length($body) . "\r\n\r\n" . substr $body, 0, 10);

    my $holder = hold();
    my $waiting = Voice::Raw->new($voice);
    my $change = '{"description":"' . int(rand 1e9) . '"}';
    $waiting->put("PUT /api/v1/test-suites/$suite HTTP/1.1\r\nHost: x\r\n"
        . "$bearer${type}Content-Length: "
        . length($change) . "\r\n\r\n$change");

    return ({ raw => $half, rest => substr($body, 10), status => 201 },
            { raw => $waiting, holder => $holder, status => 200 });
}


# A session that has the suite's row for some seconds, fewer than a query of
# the edge may take.
sub hold {
    local $ENV{PGPASSWORD} = Voice::slurp("$voice->{stack}{secrets}/postgres");
    open my $psql, '|-', 'psql', '-XAtqo', '/dev/null', '-h',
        $voice->{stack}{sockets}, '-U', 'postgres', '-d',
        $voice->{stack}{database} or die "psql: $!";
    $psql->autoflush(1);
    print $psql "set application_name = 'holder';\n",
        "set idle_in_transaction_session_timeout = '2500ms'; begin;\n",
        "select 1 from core.test_suite where id = '$suite' for update;\n";
    $voice->wait_for(sub { $voice->sql("select count(*) from"
        . " pg_stat_activity where application_name = 'holder' and state"
        . " = 'idle in transaction'") }, 20) or die "no lock\n";

    return $psql;
}


# bin/stack, and meanwhile a byte of each body that is under way now and then.
sub reload {
    my ($service, @long) = @_;

    open my $out, '-|', "$Voice::ROOT/bin/stack", '--dir', $voice->{dir},
        @{$voice->{options}}, 'reload', $service or die "bin/stack: $!";
    my ($output, $select) = ('', IO::Select->new($out));

    while (1) {
        if ($select->can_read(0.2)) {
            sysread $out, $output, 65536, length $output or last;
        }
        for my $long (grep { length($_->{rest} // '') > 1000 } @long) {
            $long->{raw}->put(substr $long->{rest}, 0, 1, '');
        }
        listen_all(0);
    }
    close $out;

    return $output;
}


sub answered {
    for my $long (@_) {
        # it counts from what was sent last, even if nothing is left
        $long->{raw}->put($long->{rest} // '');
        my $reply = $long->{raw}->reply;
        close $long->{holder} if $long->{holder};
        my $status = $reply ? $reply->{status} : 'nothing';

        $figure{exchanges}++;
        $figure{long}++;
        $figure{'past their deadline'} += $status eq '504';
        next if $status eq $long->{status} || $status eq '504';
        $figure{interrupted}++;
        diag("a long request: $status, not $long->{status}");
    }
}


sub run {
    my $reply = exchange('POST', '/api/v1/test-runs',
                         qq({"suite_id":"$suite"}));

    return $reply->{json}{data}{id} // BAIL_OUT('no run');
}


sub ended {
    my ($id) = @_;

    return 1 if $over{$id};
    my $run = exchange('GET', "/api/v1/test-runs/$id")->{json}{data};

    $over{$id} = $run && $run->{status} !~ /^(?:pending|running)$/;

    return $over{$id};
}


sub exchange {
    my ($method, $path, $content) = @_;

    my $reply;
    $voice->wait_for(sub {
        $reply = $voice->request($method, $path, content => $content,
            headers => { Authorization => "Bearer $owner->{token}",
                         $content ? ('Content-Type' => 'application/json')
                                  : () });
        return $reply->{status} != 429;
    }, 30);
    $figure{exchanges}++;
    if ($reply->{status} !~ /^(?:20[01]|504)$/) {
        $figure{interrupted}++;
        diag("$method $path: $reply->{status} $reply->{content}");
    }

    return $reply;
}


# --- subscribers ----------------------------------------------------------

# Must hear all durable events that meet the condition and come after now.
sub subscriber {
    my ($kind, $condition, $path) = @_;

    my $self = { kind => $kind, condition => $condition, path => $path,
                 heard => {} };
    connect_again($self);
    $self->{after} = $voice->sql('select coalesce(max(seq), 0) from'
                                 . ' core.event');

    return $self;
}


# As EventSource does, with the last id, which it keeps also over a
# connection that brought nothing.  Who has no id yet reads what there was.
sub connect_again {
    my ($self) = @_;

    $figure{"$self->{kind} connections"}++;
    $self->{stream} = $voice->wait_for(sub {
        my $last = $self->{last_id};
        my $stream = $self->{kind} eq 'SSE'
            ? $voice->stream($self->{path},
                  Authorization => "Bearer $owner->{token}",
                  defined $last ? ('Last-Event-ID' => $last) : ())
            : Voice::WebSocket->open($voice, $self->{path}
                  . (defined $last ? '?last_event_id='
                                     . Voice::escape($last) : ''),
                  Authorization => "Bearer $owner->{token}");
        return $stream && ($stream->{status} // '') =~ /^(?:200|101)$/
            ? $stream : undef;
    }, 30) // BAIL_OUT("$self->{path} does not open");
}


sub read_list {
    my ($self) = @_;

    my $reply = exchange('GET', "/api/v1/events?limit=500&after="
                         . $self->{after});
    $figure{'events read from the list'}++;
    $self->{heard}{$_->{id}}++ for @{$reply->{json}{data}};
}


sub listen_all {
    my ($seconds) = @_;

    for my $self (@subscribers) {
        while (my $event = $self->{stream}->next($seconds)) {
            $self->{heard}{$event->{json}{id}}++ if $event->{json}{id};
        }
        $self->{last_id} = $self->{stream}->last_id // $self->{last_id};
        next if !$self->{stream}->ended;
        connect_again($self);
        read_list($self) if !defined $self->{last_id};
    }
    processes();
}


sub subscribers_have_all {
    my %missed;

    for my $self (@subscribers) {
        my @due = split /\n/, $voice->sql("select seq from core.event where"
            . " seq > $self->{after} and $self->{condition} order by seq");

        $voice->wait_for(sub {
            listen_all(0.02);
            return !grep { !$self->{heard}{$_} } @due;
        }, 20);
        $figure{"$self->{kind} events"} += @due;
        push @{$missed{$self->{kind}}}, grep { !$self->{heard}{$_} } @due;
    }

    for my $kind ('SSE', 'WebSocket') {
        is("@{$missed{$kind}}", '', "who reconnects by $kind misses none of "
           . $figure{"$kind events"} . ' events');
    }
}


# --- processes ------------------------------------------------------------

# Notes which of the old ones are gone, and how long that took.
sub processes {
    for my $pid (grep { $old{$_} && $old{$_} > 0 } keys %old) {
        next if Voice::alive($pid);
        push @gone, time - $old{$pid};
        $old{$pid} = -1;
    }
}


sub old_processes_are_gone {
    my ($limit) = Voice::nginx_conf("$voice->{stack}{data}/etc")
        =~ /^worker_shutdown_timeout (\d+)s;/m;

    $voice->wait_for(sub {
        processes();
        return !grep { $old{$_} > 0 } keys %old;
    }, 2 * $limit);

    my ($longest) = sort { $b <=> $a } @gone;
    $figure{'old processes'} = @gone;
    $figure{'longest end in s'} = sprintf '%.1f', $longest;
    cmp_ok(scalar @gone, '>=', 2, 'there were old processes');
    # it takes a moment to see that one is gone
    cmp_ok($longest, '<=', $limit + 5,
           "each was gone within worker_shutdown_timeout ($limit s)");
}


sub leaving {
    return grep { title($_) =~ /shutting/ } $voice->children('nginx');
}


sub title { return eval { Voice::slurp("/proc/$_[0]/cmdline") } // '' }


# Nothing here is about limits.
sub plenty {
    my %class = map { $_ => { rate => 10000, burst => 10000 } }
        keys %{$voice->{contract}{'x-limits'}};

    $voice->sql("update core.plan set limits = :'figures'",
                figures => $json->encode(\%class));
}
