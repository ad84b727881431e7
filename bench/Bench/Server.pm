package Bench::Server;

# A peer of a benchmark: its configuration from bench/peers, a free port, its
# processes and what they have used of the CPU.  Whatever happens, it ends
# with the benchmark.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

use lib abs_path(dirname(__FILE__) . '/../../bin/lib');
use Port;

our $ROOT = abs_path(dirname(__FILE__) . '/../..');

my %alive;      # servers that run, by pid
my $owner = $$;

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';


# start(name => 'nginx', command => [...], values => {PROCESSES => 1, ...},
# cpu => pin to that processor).  Files of bench/peers that begin with the
# name are copied with @NAME@ replaced; the command finds them in @DIR@ and
# listens on 127.0.0.1:@PORT@.
sub start {
    my ($class, %arg) = @_;

    my $self = bless { name => $arg{name}, port => Port::free(),
        dir => tempdir('voice-bench-XXXXXXXX', TMPDIR => 1, CLEANUP => 1) },
        $class;

    # what it runs as may be another user
    chmod 0755, $self->{dir};
    make_path("$self->{dir}/tmp");

    my %values = (%{$arg{values} || {}}, DIR => $self->{dir},
                  PORT => $self->{port});
    for my $file (glob "$ROOT/bench/peers/$arg{name}*") {
        my $target = $file =~ s/.*\///r;
        spew("$self->{dir}/$target", fill(slurp($file), \%values));
    }

    my @pin = defined $arg{cpu} ? ('taskset', '-c', $arg{cpu}) : ();
    $self->{pid} = spawn($self->{dir}, @pin,
                         map { fill($_, \%values) } @{$arg{command}});
    $alive{$self->{pid}} = $self;

    for (1 .. 200) {
        return $self if connects($self->{port});
        sleep 0.05;
    }

    die "bench: $arg{name} does not start:\n"
        . slurp("$self->{dir}/output.log");
}


# nginx of Debian with a configuration of bench/peers.
sub nginx {
    my ($class, $name, %arg) = @_;

    return $class->start(name => $name, cpu => $arg{cpu},
        command => ['/usr/sbin/nginx', '-p', '@DIR@', '-e',
                    '@DIR@/nginx.log', '-c', "\@DIR\@/$name.conf", '-g',
                    'daemon off;'],
        values => { PROCESSES => 1, %{$arg{values} || {}} });
}


sub url { return "http://127.0.0.1:$_[0]{port}" }


# The processes that serve: the children where there are some.
sub pids {
    my ($self) = @_;

    my @children = children($self->{pid});

    return @children ? @children : $self->{pid};
}


# Microseconds of CPU that processes have used.
sub cpu {
    my (@pids) = @_;

    my $ticks = 0;
    for my $pid (@pids) {
        my $stat = eval { slurp("/proc/$pid/stat") } // next;
        my @field = split ' ', $stat =~ s/^.*\) //sr;
        next if @field < 13;           # it ended meanwhile
        $ticks += $field[11] + $field[12];
    }

    return $ticks * 1e6 / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


# The same with what ended children used, for servers that make one a client.
sub cpu_of_family {
    my ($pid) = @_;

    my @field = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\) //sr;

    return cpu($pid, children($pid))
        + ($field[13] + $field[14]) * 1e6
          / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


sub children {
    my ($pid) = @_;

    my $list = eval { slurp("/proc/$pid/task/$pid/children") } // '';

    return split ' ', $list;
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;
    delete $alive{$pid};

    kill 'TERM', $pid;
    for (1 .. 100) {
        return if waitpid($pid, POSIX::WNOHANG()) != 0;
        sleep 0.05;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
}


END {
    local ($?, $@, $!);
    if ($$ == $owner) {
        $_->stop for values %alive;
    }
}


# A process in the background; its output goes to a file of the directory.
sub spawn {
    my ($dir, @command) = @_;

    my $pid = fork() // die "bench: fork: $!\n";

    if ($pid == 0) {
        # a session of its own, as a service has: Linux shares out by session
        POSIX::setsid();
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/output.log";
        open STDERR, '>&', \*STDOUT;
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    return $pid;
}


sub fill {
    my ($text, $values) = @_;

    return $text =~ s/\@([A-Z_]+)\@/$values->{$1}
        \/\/ die "bench: there is no $1\n"/gexr;
}


sub connects {
    my ($port) = @_;

    return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Timeout => 1);
}


sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or die "bench: $file: $!\n";
    local $/;

    return <$in> // '';
}


sub spew {
    my ($file, $text) = @_;

    open my $out, '>:raw', $file or die "bench: $file: $!\n";
    print $out $text;
    close $out or die "bench: $file: $!\n";
}


1;
