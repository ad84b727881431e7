package Bench;

# What benchmarks share: pairs of figures taken in one run, their ratio with
# its spread, one line for people and one JSON object for machines.
#
# Figures of one run of a case are {rate, p50, p99, cpu}: requests a second,
# microseconds, and microseconds of CPU a request; pg is PostgreSQL's CPU.

use strict;
use warnings;

use JSON::PP;


# Runs commands that a benchmark rests on, their output on stderr.
sub need {
    my (@commands) = @_;

    for my $command (@commands) {
        system("$command >&2") == 0 or die "bench: $command failed\n";
    }
}


# Runs each case in turn, round after round, so that what else the machine does
# falls on all of them alike; one round before goes uncounted, for what warms
# up; it is short, (seconds => 1).  Cases are (name => sub {figures}, ...);
# gives {name => [figures, ...]}.
sub rounds {
    my ($rounds, @cases) = @_;

    my %figures;
    for my $round (0 .. $rounds) {
        for (my $i = 0; $i < @cases; $i += 2) {
            my $run = $cases[$i + 1]->($round == 0 ? (seconds => 1) : ());
            push @{$figures{$cases[$i]}}, $run if $round > 0;
        }
    }

    return \%figures;
}


# A line each: the medians of the named cases.
sub table {
    my ($figures, @names) = @_;

    my @keys = qw(rate p50 p99 cpu);
    push @keys, 'pg' if defined $figures->{$names[0]}[0]{pg};
    my %title = (rate => 'req/s', p50 => 'p50 us', p99 => 'p99 us',
                 cpu => 'CPU us', pg => 'PG us');

    printf "%-34s" . ' %10s' x @keys . "\n", '', map { $title{$_} } @keys;

    for my $name (@names) {
        my @runs = @{$figures->{$name}};
        printf "%-34s" . ' %10s' x @keys . "\n", $name, map {
            my $key = $_;
            my $value = median(map { $_->{$key} } @runs);
            sprintf $key =~ /cpu|pg/ ? '%.2f' : '%.0f', $value } @keys;
    }

    print "\n";
}


# The rows of two cases: the rate under the name itself, then .p50, .p99, .cpu.
sub compare {
    my ($figures, $name, $ours, $theirs) = @_;

    my @kinds = (['', 'req/s', 'rate', 'rate'], ['.p50', 'us', 'p50', 'time'],
                 ['.p99', 'us', 'p99', 'time'], ['.cpu', 'us', 'cpu', 'time'],
                 ['.pg', 'us', 'pg', 'time']);

    for my $kind (@kinds) {
        my ($suffix, $unit, $key, $sort) = @$kind;
        next if grep { !$_->{$key} } @{$figures->{$ours}},
                                     @{$figures->{$theirs}};
        row(name => "$name$suffix", unit => $unit, against => $theirs,
            kind => $sort, quiet => scalar $suffix =~ /p\d/,
            ours => [map { $_->{$key} } @{$figures->{$ours}}],
            theirs => [map { $_->{$key} } @{$figures->{$theirs}}]);
    }
}


# row(name, unit, ours => [...], theirs => [...], against => text,
# kind => 'rate' (more is better) or 'time' (less is better)).  The figures
# of one index were taken side by side.  quiet => 1: for machines only.
sub row {
    my (%arg) = @_;

    my @ratios;
    for my $i (0 .. $#{$arg{ours}}) {
        my ($ours, $theirs) = ($arg{ours}[$i], $arg{theirs}[$i]);
        push @ratios, $arg{kind} eq 'rate' ? $ours / $theirs
                                           : $theirs / $ours;
    }

    my $value = median(@{$arg{ours}});
    my ($ratio, $min, $max) = (median(@ratios), (sort { $a <=> $b }
        @ratios)[0, -1]);

    printf "%-34s %10.2f %-6s %6.2fx of %s (%.2f .. %.2f, %d runs)\n",
        $arg{name}, $value, $arg{unit}, $ratio, $arg{against}, $min, $max,
        scalar @ratios unless $arg{quiet};

    # By hand, since bench/run finds a benchmark's rows by their beginning.
    my $encode = JSON::PP->new->allow_nonref;
    my @pairs = map { [$_->[0], $encode->encode($_->[1])] }
        (['name', $arg{name}], ['value', $value + 0], ['unit', $arg{unit}],
         ['against', $arg{against}], ['ratio', $ratio + 0],
         ['min', $min + 0], ['max', $max + 0], ['runs', scalar @ratios]);

    open my $out, '>>', $ENV{VOICE_BENCH_ROWS} // '/dev/null'
        or die "bench: $!\n";
    print $out '{', join(',', map { qq("$_->[0]":$_->[1]) } @pairs), "}\n";
    close $out or die "bench: $!\n";
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return @sorted % 2 ? $sorted[$#sorted / 2]
                       : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}


1;
