package Bench::Memory;

# Memory of services over a time: what is theirs alone, and whether it grows.

use strict;
use warnings;

use Bench;
use Bench::Server;

use constant WARM => 0.2;     # share of the time that is not looked at


# (name => sub {pids}, ...)
sub new {
    my ($class, @services) = @_;

    my $self = bless { names => [], pids => {}, samples => [] }, $class;
    while (my ($name, $pids) = splice @services, 0, 2) {
        push @{$self->{names}}, $name;
        $self->{pids}{$name} = $pids;
    }

    return $self;
}


# KiB of anonymous memory: shared buffers and zones have a fixed size.
sub own {
    my (@pids) = @_;

    my $kib = 0;
    for my $pid (@pids) {
        my $status = eval { Bench::Server::slurp("/proc/$pid/status") } // '';
        $kib += $1 if $status =~ /^RssAnon:\s+(\d+)/m;
    }

    return $kib;
}


# KiB of processes that share some of it, which counts once.
sub together {
    my (@pids) = @_;

    my $kib = 0;
    for my $pid (@pids) {
        my $map = eval { Bench::Server::slurp("/proc/$pid/smaps_rollup") }
            // '';
        $kib += $1 if $map =~ /^Pss:\s+(\d+)/m;
    }

    return $kib;
}


sub title {
    my ($self) = @_;

    printf "%-10s" . ' %12s' x @{$self->{names}} . "\n", 'seconds',
        map { "$_ MiB" } @{$self->{names}};
}


sub sample {
    my ($self, $at) = @_;

    my %kib = map { $_ => own($self->{pids}{$_}->()) } @{$self->{names}};
    push @{$self->{samples}}, { at => $at, %kib };

    printf "%-10.0f" . ' %12.1f' x @{$self->{names}} . "\n", $at,
        map { $kib{$_} / 1024 } @{$self->{names}};
}


# A row a service: memory in the last fifth against that of the second, and
# the slope of what is between.
sub rows {
    my ($self, $prefix) = @_;

    my @samples = @{$self->{samples}};
    my $fifth = int(@samples * WARM) || 1;
    my @seen = @samples[$fifth .. $#samples];
    die "bench: too few samples\n" if @seen < 2 * $fifth;

    for my $name (@{$self->{names}}) {
        my $early = Bench::median(map { $_->{$name} } @seen[0 .. $fifth - 1]);
        my $late = Bench::median(map { $_->{$name} } @seen[-$fifth .. -1]);
        my $slope = slope(map { [$_->{at} / 60, $_->{$name}] } @seen);

        Bench::row(name => "$prefix." . lc $name, unit => 'MiB',
            kind => 'time', against => 'the second fifth of the time',
            ours => [$late / 1024], theirs => [$early / 1024]);
        printf "%-34s %10.1f KiB a minute\n", "$prefix." . lc($name)
            . '.slope', $slope;
    }
}


# Least squares.
sub slope {
    my (@points) = @_;

    my ($n, $x, $y, $xx, $xy) = (scalar @points, 0, 0, 0, 0);
    for my $point (@points) {
        $x += $point->[0];
        $y += $point->[1];
        $xx += $point->[0] ** 2;
        $xy += $point->[0] * $point->[1];
    }

    return ($n * $xy - $x * $y) / ($n * $xx - $x ** 2 || 1);
}


1;
