package Bench::Packets;

# Packets of calls: our own stack that keeps them durably, services of Python
# that take the same, PostgreSQL alone, and what is in the database in the
# end.

use strict;
use warnings;

use File::Temp qw(tempdir);
use POSIX ();

use Bench::Gate;
use Bench::Load;
use Bench::Server;

use constant CONNECTIONS => 300;     # of PostgreSQL: the peers want theirs

# The table of packets as the product has it, for who writes without it.
use constant TABLE => <<'END';
    set client_min_messages = warning;
    drop table if exists bench.packet;
    create schema if not exists bench;
    grant usage on schema bench to bench;
    create table bench.packet (
        tenant_id    uuid not null,
        call_id      uuid not null,
        sequence     int not null check (sequence >= 0),
        day          date not null,
        sent_at      float8 not null,
        received_at  timestamptz not null,
        data         text not null,
        primary key (tenant_id, call_id, sequence, day)
    ) partition by range (day);
    create table bench.packet_day partition of bench.packet
        for values from ('2020-01-01') to ('2100-01-01');
    grant insert on bench.packet to bench;
END

my $runs = 0;
my $beside;       # pid of the load that runs beside what else is done


# A stack that keeps what it answers: fsync is on, commits are synchronous.
# Options: processes (of nginx), workers (0: no pool).
sub start {
    my ($class, %opt) = @_;

    my $self = bless { sent => {},
        gate => Bench::Gate->start(workers => $opt{workers} // 0,
                                   durable => 1),
        dir => tempdir('voice-bench-XXXXXXXX', TMPDIR => 1, CLEANUP => 1),
        port => Port::free() }, $class;
    my $gate = $self->{gate};
    my $voice = $self->{voice} = $gate->{voice};

    $voice->sql('alter system set max_connections = ' . CONNECTIONS);
    for my $what ('stop', 'start') {
        my $output = $voice->stack($what, 'postgres');
        die "bench: $output" if $?;
    }

    for my $name (qw(fsync synchronous_commit full_page_writes)) {
        die "bench: $name is off\n" if $voice->sql("show $name") ne 'on';
    }

    $voice->sql("create role bench login password 'bench'");
    $self->{key} = $self->api_key;

    $self->configure($opt{processes} // 1);

    return $self;
}


# Starts nginx anew, with so many processes, each with so many connections.
sub configure {
    my ($self, $processes, $connections) = @_;

    $self->{processes} = $processes;

    # without a log, as the peers have none
    $self->{gate}->configure(processes => $processes,
                             connections => $connections, http => <<"END");
    server {
        listen 127.0.0.1:$self->{port} backlog=4096;
        include $self->{gate}{data}/etc/locations.conf;
        access_log off;
    }
END
}


sub api_key {
    my ($self) = @_;

    my $reply = $self->{voice}->call('create_api_key',
        as => $self->{gate}{owner},
        body => { name => 'bench', role => 'api_client',
                  scopes => ['calls:ingest', 'calls:read'] });

    return $reply->{json}{data}{secret}
        // die "bench: no API key: $reply->{content}\n";
}


# A case: packets to the edge, with options of build/tools/packets; processes
# of nginx are one, or as many as it says.
sub ours {
    my ($self, %how) = @_;

    my $gate = $self->{gate};

    return sub {
        my $processes = $how{processes} // 1;
        $self->configure($processes) if $processes != $self->{processes};
        return $self->load(@_, %how, $self->edge, cpu => sub { $gate->cpu });
    };
}


# Where packets go, with what right, and that they are looked for in the end.
sub edge {
    my ($self) = @_;

    return (port => $self->{port}, header => "X-API-Key: $self->{key}",
            noted => 1);
}


# A case: packets to a service of Python.
sub theirs {
    my ($self, $server, %how) = @_;

    return sub { $self->load(@_, %how, port => $server->{port},
                             cpu => sub { Bench::Server::cpu($server->pids) })
    };
}


# build/tools/packets, with its options: the figures of Bench, and "completed",
# "refused"; dies where an answer was wrong.
sub load {
    my ($self, %arg) = @_;

    $self->settle;

    my %clock = (cpu => $arg{cpu}, pg => sub { $self->{gate}->postgres_cpu });
    my %before = map { $_ => $clock{$_}->() } keys %clock;
    my ($got, $all) = $self->run(%arg);
    my %used = map { $_ => $clock{$_}->() - $before{$_} } keys %clock;

    return { %$got, map { $_ => $used{$_} / $all } keys %used };
}


# The same beside what else is done: starts it, and gives a function that
# waits for the figures.
sub load_beside {
    my ($self, %arg) = @_;

    $beside = open(my $out, '-|') // die "bench: fork: $!\n";

    if ($beside == 0) {
        open STDERR, '>&', \*STDOUT;
        exec $self->command(%arg, $self->edge) or POSIX::_exit(127);
    }

    return sub {
        my $text = join '', <$out>;
        close $out;
        $beside = 0;
        return ($self->figures($text, %arg, $self->edge))[0];
    };
}


sub run {
    my ($self, %arg) = @_;

    return $self->figures(Bench::Load::run($self->command(%arg)), %arg);
}


sub command {
    my ($self, %arg) = @_;

    my %option = (seconds => Bench::Load::seconds(), header => 'X-Bench: 1');
    for my $name (qw(connections calls seconds rate payload length header)) {
        $option{$name} = $arg{$name} if defined $arg{$name};
    }

    return ("$Bench::Server::ROOT/build/tools/packets",
            map({ ("--$_", $option{$_}) } sort keys %option),
            $arg{words} ? '--words' : (), '--log', "$self->{dir}/calls",
            '--prefix', 'bench' . ++$runs, $arg{port});
}


# What it says, and the number of packets, those that were not timed, too.
sub figures {
    my ($self, $output, %arg) = @_;

    my %got;
    my @figures = $output =~ /^figures (.*)/m ? split ' ', $1 : ();
    @got{qw(accepted completed refused lost faults us p50 p99 p999 max own)}
        = @figures;

    die "bench: packets went wrong:\n$output\n"
        if @figures < 11 || $got{faults} || $got{lost} || !$got{accepted};

    $self->note if $arg{noted};
    $got{rate} = $got{accepted} / $got{us} * 1e6;

    return (\%got, $got{accepted} + ($arg{calls} // 64));
}


# What one case leaves to be written is not the next one's.
sub settle {
    my ($self) = @_;

    $self->{voice}->sql('checkpoint');
}


sub note {
    my ($self) = @_;

    for my $line (split /\n/, Bench::Server::slurp("$self->{dir}/calls")) {
        my ($id, $packets) = split ' ', $line;
        $self->{sent}{$id} = $packets;
    }
}


# A case: PostgreSQL alone, so many rows a statement; what is counted are
# rows, times are of statements.
sub rows {
    my ($self, %how) = @_;

    my $each = $how{rows};
    my $data = 'x' x ($how{payload} // 32);

    return sub {
        my %arg = (seconds => Bench::Load::seconds(), @_);

        $self->{voice}->sql(TABLE);
        $self->settle;

        my %run = (clients => $how{clients}, sql => rows_sql($each),
            rate => $how{rate}, pg => sub { $self->{gate}->postgres_cpu },
            env => { PGHOST => $self->{voice}{stack}{sockets},
                     PGDATABASE => $self->{voice}{stack}{database},
                     PGUSER => 'bench', PGPASSWORD => 'bench' },
            values => { n => -$each, data => $data });

        # its seconds begin before it is connected, which takes a busy
        # machine longer
        my $got;
        for my $more ($how{clients} > 8 ? (2, 5, 10) : 0) {
            $got = eval { Bench::Load::pgbench(%run,
                seconds => $arg{seconds} + $more) };
            last if $got;
        }
        die $@ unless $got;

        return { %$got, rate => $got->{rate} * $each,
                 pg => $got->{pg} / $each };
    };
}


# A client is a call, its packets are in order.
sub rows_sql {
    my ($each) = @_;

    my $from = $each == 1 ? '' : "\n  from generate_series(:n::int,"
        . ' :n::int + ' . ($each - 1) . ') g (n)';
    my $sequence = $each == 1 ? ':n::int' : 'g.n';

    return <<"END";
\\set n :n + $each
insert into bench.packet (tenant_id, call_id, sequence, day, sent_at,
                          received_at, data)
select '018f0000-0000-7000-8000-000000000000'::uuid,
       ('018f0000-0000-7000-8000-' || lpad(:client_id, 12, '0'))::uuid,
       $sequence, current_date, 1700000000.5, now(), :data$from
END
}


# A service of Python in bench/peers, with a database of its own.
sub python {
    my ($self, $name, $scheme) = @_;

    $self->{voice}->sql("create database $name owner bench");

    return Bench::Server->start(name => $name, command => [
        'env', "DATABASE_URL=$scheme://bench:bench\@/$name?host="
               . $self->{voice}{stack}{sockets},
        'PYTHONDONTWRITEBYTECODE=1',
        '/usr/bin/python3', '-m', 'uvicorn', '--app-dir', '@DIR@', '--host',
        '127.0.0.1', '--port', '@PORT@', '--backlog', 4096, "$name:app" ]);
}


# Every packet that was answered with 202 is there, once, and nothing else;
# gives their number.
sub prove {
    my ($self) = @_;

    my $rows = $self->{voice}->sql(<<'END');
        select c.external_id, count(p.sequence), s.received,
               coalesce(min(p.sequence), 0), coalesce(max(p.sequence), -1) + 1
          from core.call c
          join core.call_stream s on s.tenant_id = c.tenant_id
                                 and s.call_id = c.id
          left join core.packet p on p.tenant_id = c.tenant_id
                                 and p.call_id = c.id
         group by c.external_id, s.received
END
    my %kept = map { my ($id, @counts) = split /\|/; ($id => \@counts) }
        split /\n/, $rows;
    my $all = 0;

    for my $id (sort keys %{$self->{sent}}) {
        my $sent = $self->{sent}{$id};
        my ($count, $received, $least, $next) = @{$kept{$id} || [0, 0, 0, 0]};

        die "bench: call $id has $count packets, $received counted, from"
            . " $least to before $next, but $sent were answered\n"
            if grep { $_ != $sent } $count, $received, $next or $least != 0;
        $all += $count;
    }

    return $all;
}


sub stop { $_[0]{gate}->stop }


END {
    local ($?, $@, $!);
    kill 'TERM', $beside if $beside;
}


1;
