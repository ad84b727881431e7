package Bench::Gate;

# Our own stack under a benchmark: limits that nothing reaches, servers of the
# benchmark's own beside the API, one tenant with an owner who is logged in.

use strict;
use warnings;

use Digest::SHA ();
use JSON::PP;

use Bench::Load;
use Bench::Server;
use lib "$Bench::Server::ROOT/t/lib";
use Voice;

use constant {
    RATE     => 1_000_000,     # requests a second of each limit class
    SEGMENTS => 60,            # of WAL, 16 MiB each
};

my $json = JSON::PP->new->utf8->canonical;


# Options: workers (0: no pool), durable (PostgreSQL waits for the disk).
sub start {
    my ($class, %opt) = @_;

    my $self = bless { voice => Voice->start(workers => $opt{workers} // 0,
                                              durable => $opt{durable}),
                       processes => 1 }, $class;

    $self->{data} = $self->{voice}{stack}{data};
    $self->lift_limits;
    $self->configure;
    $self->{owner} = $self->{voice}->tenant('bench');
    $self->age if $opt{durable};

    return $self;
}


# As PostgreSQL is when it has run for a while: it writes over old segments of
# its WAL.  In its first minutes each 16 MiB a commit waits for a new one, for
# 50 ms.
sub age {
    my ($self) = @_;

    my $voice = $self->{voice};

    $voice->sql("alter system set $_") for "min_wal_size = '2GB'",
        "max_wal_size = '4GB'";
    $voice->sql('select pg_reload_conf()');

    $voice->sql("select pg_logical_emit_message(false, 'bench', ''),
        pg_switch_wal() from generate_series(1, @{[SEGMENTS]}); checkpoint");
    my $segments = $voice->sql('select count(*) from pg_ls_waldir()');
    die "bench: $segments segments of WAL are kept\n"
        if $segments < SEGMENTS;
}


sub lift_limits {
    my ($self) = @_;

    my $file = "$self->{data}/app/openapi/openapi.json";
    my $part = $json->decode(Voice::slurp($file));

    for my $class (values %{$part->{'x-limits'}}) {
        for my $limit ($class, $class->{each} // ()) {
            $limit->{rate} = $limit->{burst} = RATE;
        }
    }

    Voice::spew($file, $json->encode($part));
}


# Starts nginx anew: processes => 2, connections => of a process, http =>
# directives and server blocks.
sub configure {
    my ($self, %opt) = @_;

    my $processes = $opt{processes} // 1;
    my $http = $opt{http} // '';

    my $connections = $opt{connections} // 4096;

    $self->edit('main.conf', sub {
        s/^worker_processes .*;/worker_processes $processes;/m
            && s/worker_connections \d+/worker_connections $connections/
    });
    $self->edit('edge.conf',
                sub { s/keepalive_requests \d+/keepalive_requests 1000000000/ });
    $self->edit('nginx.conf', sub { s/^\}\s*\z/\n$http}\n/m });

    my $voice = $self->{voice};
    $voice->stack('stop', 'nginx');
    my $output = $voice->stack('start', 'nginx');
    die "bench: $output" if $?;

    # it listens before its processes are there
    my $up = $voice->wait_for(sub {
        $voice->request('GET', '/health')->{status} == 200
            && $voice->children('nginx') == $processes;
    }, 20);
    die "bench: nginx does not serve\n" unless $up;
}


# Without an interruption.
sub reload {
    my ($self) = @_;

    Bench::Load::run("$Bench::Server::ROOT/bin/voicegate-reload",
                     '--pid-file', "$self->{data}/run/nginx.pid");
}


# Changes a file, $_, from how the stack had written it.
sub edit {
    my ($self, $name, $change) = @_;

    my $file = "$self->{data}/etc/$name";
    local $_ = $self->{sample}{$name} //= Voice::slurp($file);

    $change->() or die "bench: $name has not what we change\n";
    Voice::spew($file, $_);
}


# Processes of nginx that serve, and what a run of them has used.
sub cpu {
    my ($self) = @_;

    return Bench::Server::cpu($self->{voice}->children('nginx'));
}


sub postgres_cpu {
    my ($self) = @_;

    return Bench::Server::cpu_of_family($self->{voice}->pid('postgres'));
}


# Pins nginx to a processor, or with -1 to none.
sub pin {
    my ($self, $processor) = @_;

    for my $pid ($self->{voice}->children('nginx')) {
        my $list = $processor < 0 ? '0-1023' : $processor;
        system("taskset -acp $list $pid >/dev/null") == 0
            or die "bench: taskset failed\n";
    }
}


sub secret {
    my ($self, $name) = @_;

    return Voice::slurp("$self->{voice}{stack}{secrets}/$name");
}


sub url { return $_[0]{voice}{base_url} }


# Ends it; the checks of a test's end are not ours.
sub stop {
    my ($self) = @_;

    $self->{voice}->stack('clean');
}


1;
