package Bench;

# What benchmarks share: pairs of figures taken in one run, their ratio with
# its spread, one line for people and one JSON object for machines.

use strict;
use warnings;

use JSON::PP;


# row(name, unit, ours => [...], theirs => [...], against => text,
# kind => 'rate' (more is better) or 'time' (less is better)).  The figures
# of one index were taken side by side.
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

    printf "%-28s %12.2f %-6s %8.2fx of %s (%.2f .. %.2f, %d runs)\n",
        $arg{name}, $value, $arg{unit}, $ratio, $arg{against}, $min, $max,
        scalar @ratios;

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
