package Bench::Queues;

# Queues of jobs that we are measured against: Celery with Redis and with
# RabbitMQ, BullMQ.  Each has two worker processes, which are stopped (as by
# SIGSTOP) while another is measured.

use strict;
use warnings;

use File::Temp qw(tempdir);
use POSIX ();
use Time::HiRes qw(sleep);

use Bench::Client;
use Bench::Load;
use Bench::Memory;
use Bench::Server;

use constant {
    PYTHON => '/usr/bin/python3',
    RABBIT => '/usr/lib/rabbitmq/bin/rabbitmq-server',
    UP     => 60,          # seconds that a broker or worker may take to start
};

my $runs = 0;              # each has a database of Redis, or a queue
my @groups;                # of processes, which end with the benchmark
my $owner = $$;


# Debian's Redis with what it does when nothing is configured: a snapshot now
# and then.
sub redis {
    my ($class) = @_;

    return Bench::Server->start(name => 'queue-redis', command => [
        '/usr/bin/redis-server', '--bind', '127.0.0.1', '--port', '@PORT@',
        '--dir', '@DIR@' ]);
}


# A RabbitMQ of our own, with nothing but defaults, on loopback.
sub rabbit {
    my ($class) = @_;

    my $dir = tempdir('voice-bench-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my ($port, $mapper) = (Port::free(), Port::free());
    Bench::Server::spew("$dir/$_", '') for qw(plugins none);
    my @as = as_rabbit($dir);

    my @env = ('env', '-i', 'PATH=/usr/bin:/bin', "HOME=$dir",
        'LC_ALL=C.UTF-8', "ERL_EPMD_PORT=$mapper",
        'ERL_EPMD_ADDRESS=127.0.0.1', map { "RABBITMQ_$_" }
        "NODENAME=voice$port\@localhost", 'NODE_IP_ADDRESS=127.0.0.1',
        "NODE_PORT=$port", 'DIST_PORT=' . Port::free(),
        "MNESIA_BASE=$dir", "LOG_BASE=$dir", "CONFIG_FILE=$dir/none",
        "ENABLED_PLUGINS_FILE=$dir/plugins", "CONF_ENV_FILE=$dir/none",
        'SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface'
        . ' {127,0,0,1}');

    group($dir, @as, '/usr/bin/epmd', '-port', $mapper, '-address',
          '127.0.0.1');
    wait_port($mapper, $dir);
    my $pid = group($dir, @as, @env, RABBIT);
    wait_port($port, $dir);

    return bless { port => $port, pid => $pid }, $class;
}


# As who owns it, where we are root.
sub as_rabbit {
    my ($dir) = @_;

    return () if $> != 0;

    system('chown', '-R', 'rabbitmq:', $dir) == 0 or die "bench: chown\n";

    return qw(setpriv --reuid=rabbitmq --regid=rabbitmq --clear-groups);
}


# celery(broker => Redis or RabbitMQ, results => a Redis, confirm => 1)
sub celery {
    my ($class, %arg) = @_;

    my $broker = $arg{broker};
    my $redis = $broker->isa('Bench::Server');
    my $base = $runs++;
    my $peers = "$Bench::Server::ROOT/bench/peers";
    my %env = (PYTHONPATH => $peers, PYTHONDONTWRITEBYTECODE => 1,
        BENCH_BROKER => $redis
            ? "redis://127.0.0.1:$broker->{port}/$base"
            : "amqp://guest:guest\@127.0.0.1:$broker->{port}//",
        BENCH_RESULTS => $arg{results}
            ? "redis://127.0.0.1:$arg{results}{port}/$base" : '',
        BENCH_QUEUE => "jobs$base", BENCH_CONFIRM => $arg{confirm} ? 1 : 0);

    return $class->queue(%arg, env => \%env,
        workers => [[PYTHON, '-m', 'celery', '-A', 'jobs_celery', 'worker',
                     '-n', "jobs$base\@localhost", qw(-P prefork -c 2 --without-gossip --without-mingle
                        --without-heartbeat -l WARNING)]],
        client => [PYTHON, "$peers/jobs_celery_client.py"]);
}


# bullmq(broker => Redis, concurrency => of each of two processes, results)
sub bullmq {
    my ($class, %arg) = @_;

    my $to = "$Bench::Server::ROOT/build/bullmq";
    my %env = (NODE_ENV => 'production', BENCH_BASE => $runs++,
        BENCH_REDIS_PORT => $arg{broker}{port},
        BENCH_CONCURRENCY => $arg{concurrency},
        BENCH_RESULTS => $arg{results} ? 1 : 0);

    return $class->queue(%arg, env => \%env,
        workers => [map { ['node', "$to/worker.js"] } 1, 2],
        client => ['node', "$to/client.js"]);
}


sub queue {
    my ($class, %arg) = @_;

    my $dir = tempdir('voice-bench-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my %env = (%{$arg{env}}, BENCH_SLOTS => "$dir/slots");
    my $self = bless { broker => $arg{broker}, groups => [],
                       servers => [grep { ref } @arg{qw(broker results)}] },
        $class;

    Bench::Server::spew($env{BENCH_SLOTS}, '');
    {
        local @ENV{keys %env} = values %env;
        push @{$self->{groups}}, group($dir, @$_) for @{$arg{workers}};
    }
    $self->{client} = Bench::Client->start(env => \%env,
                                           command => $arg{client});
    eval {
        local $SIG{ALRM} = sub { die };
        alarm UP;
        $self->{client}->ask('rate 10 1');
        alarm 0;
        1;
    } or die "bench: a queue does not run:\n"
        . Bench::Server::slurp("$dir/output.log");
    $self->rest;

    return $self;
}


sub rest { my ($self) = @_; kill 'STOP', map { -$_ } @{$self->{groups}} }

sub work { my ($self) = @_; kill 'CONT', map { -$_ } @{$self->{groups}} }


sub hold { $_[0]->rest }

sub go { $_[0]->work }


# Microseconds of CPU of broker and workers.
sub cpu {
    my ($self) = @_;

    return Bench::Server::cpu(map({ family($_->{pid}) } @{$self->{servers}}),
                              map { family($_) } @{$self->{groups}});
}


# Bytes that broker (of Redis: what it uses by its own account) and workers
# have for themselves.
sub memory {
    my ($self) = @_;

    my $broker = $self->{broker};
    my $info = $broker->isa('Bench::Server')
        ? Bench::Load::run('redis-cli', '-p', $broker->{port}, 'info',
                           'memory') : '';

    return { broker => $info =~ /^used_memory:(\d+)/m ? $1
                 : 1024 * Bench::Memory::own(family($broker->{pid})),
             workers => 1024 * Bench::Memory::together(
                 map { family($_) } @{$self->{groups}}) };
}


sub ask { my ($self, @command) = @_; return $self->{client}->ask(@command) }


# A process, its children and theirs.
sub family {
    my ($pid) = @_;

    return ($pid, map { family($_) } Bench::Server::children($pid));
}


# A process in a session of its own.
sub group {
    my ($dir, @command) = @_;

    my $pid = Bench::Server::spawn($dir, @command);
    push @groups, $pid;

    return $pid;
}


sub wait_port {
    my ($port, $dir) = @_;

    for (1 .. UP * 10) {
        return if Bench::Server::connects($port);
        sleep 0.1;
    }

    die "bench: port $port stays closed:\n"
        . Bench::Server::slurp("$dir/output.log");
}


# Those that are stopped hear it when they go on.
END {
    local ($?, $@, $!);
    if ($$ == $owner) {
        kill 'CONT', map { -$_ } @groups;
        kill 'TERM', map { -$_ } reverse @groups;
        for my $pid (reverse @groups) {
            my $tries = 100;
            sleep 0.1 while waitpid($pid, POSIX::WNOHANG()) == 0
                && --$tries;
            kill 'KILL', -$pid if !$tries;
        }
    }
}


1;
