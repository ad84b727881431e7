#!/usr/bin/perl

# WER and CER against NIST sclite (Debian package sctk): the same matches,
# substitutions, deletions and insertions on each of many random pairs.

use strict;
use warnings;
use utf8;

use File::Temp qw(tempdir);
use Test::More;

my $sclite = '/usr/lib/sctk/bin/sclite';
my $tool = ($ENV{VOICE_BUILD} || 'build') . '/tools/wer';
my $pairs = $ENV{VOICE_TEST_LONG} ? 100_000 : 10_000;
my $batch = 2_500;

die "no $sclite: install sctk" . "\n" if !-x $sclite;

# A generator of our own: the same pairs on each machine and Perl.
my $state = 20_151_007;

my @words = map { word($_) } 0 .. 299;
my @letters = (map { chr } 97 .. 122, 0xe1 .. 0xff, 0x430 .. 0x44f,
               0x4e00 .. 0x4e20);
@letters = grep { $_ ne chr 0xf7 } @letters;

my $dir = tempdir(CLEANUP => 1);

my @texts = map { pair(\@words) } 1 .. $pairs;
my @strings = map { pair(\@letters) } 1 .. $pairs;

compare('words', ' ', \@texts, 'words', '-s', '-e', 'utf-8');
compare('characters', '', \@strings, 'characters', '-c', '-s', '-e',
        'utf-8');

# sclite drops spaces where it cuts words into characters itself, so that
# they are given to it as a token of their own.
my @spaced = map { [ map { [ map { $_ % 5 ? $letters[$_ % 9] : ' ' } @$_ ] }
                     list(1000), list(1000) ] } 1 .. $pairs;
compare('characters and spaces', '', \@spaced, 'characters', '-s', '-e',
        'utf-8');

is(run_tool('words', [ [ [], [] ] ], ' ')->[0][4], 0,
   'two empty texts have no errors');

done_testing();


sub compare {
    my ($name, $join, $list, $mode, @options) = @_;

    my $ours = run_tool($mode, $list, $join);
    my $theirs = run_sclite($list, @options);
    my ($different, $rare, $below) = (0, 0, 0);

    for my $i (0 .. $#$list) {
        my ($c, $s, $d, $n, $distance) = @{ $ours->[$i] };
        my $same = "$c $s $d $n" eq ($theirs->[$i] // 'nothing');

        $different++ if !$same;
        $rare++ if $s + $d + $n > $distance;
        $below++ if $s + $d + $n < $distance;

        diag("$name $i: ours $c $s $d $n, sclite's ",
             $theirs->[$i] // 'nothing', ': ',
             join(' | ', map { join ' ', @$_ } @{ $list->[$i] }))
            if !$same && $different <= 5;
    }

    is(scalar @$ours, scalar @$list, "$name: every pair is measured");
    is($different, 0, "$name: the counts of " . @$list
       . " random pairs equal sclite's");
    is($below, 0, "$name: no alignment has fewer errors than the distance");
    note("$name: sclite's alignment has more errors than the Levenshtein "
         . "distance in $rare of " . @$list);
}


sub run_tool {
    my ($mode, $list, $join) = @_;

    my $in = "$dir/tool.in";
    my @out;

    open my $file, '>:encoding(UTF-8)', $in or die "$in: $!";
    print $file join("\t", map { join $join, @$_ } @$_), "\n" for @$list;
    close $file or die "$in: $!";

    open my $pipe, '-|', "$tool $mode < $in" or die "$tool: $!";
    @out = map { [ split ' ' ] } <$pipe>;
    close $pipe or die "$tool failed: $?";

    return \@out;
}


sub run_sclite {
    my ($list, @options) = @_;

    my @out;

    for (my $first = 0; $first < @$list; $first += $batch) {
        my $last = $first + $batch - 1;
        $last = $#$list if $last > $#$list;

        write_trn("$dir/ref", $list, 0, $first, $last);
        write_trn("$dir/hyp", $list, 1, $first, $last);

        system("$sclite -r $dir/ref trn -h $dir/hyp trn -i rm @options "
               . "-o pra -O $dir -n out > $dir/log 2>&1") == 0
            or die "sclite failed: $?";

        read_counts("$dir/out.pra", \@out);
    }

    return \@out;
}


sub write_trn {
    my ($path, $list, $side, $first, $last) = @_;

    open my $file, '>:encoding(UTF-8)', $path or die "$path: $!";

    for my $i ($first .. $last) {
        my @tokens = map { $_ eq ' ' ? '_' : $_ } @{ $list->[$i][$side] };
        print $file "@tokens (s_$i)\n";
    }

    close $file or die "$path: $!";
}


sub read_counts {
    my ($path, $out) = @_;

    my $id;

    open my $file, '<', $path or die "$path: $!";

    while (my $line = <$file>) {
        $id = $1 if $line =~ /^id: \(s_(\d+)\)/;
        $out->[$id] = "$1 $2 $3 $4"
            if $line =~ /^Scores: \S+ \S+ \S+ \S+ (\d+) (\d+) (\d+) (\d+)/;
    }

    close $file or die "$path: $!";
}


# A number below the limit (xorshift, 32 bits).
sub random {
    my ($limit) = @_;

    $state ^= $state << 13 & 0xffffffff;
    $state ^= $state >> 17;
    $state ^= $state << 5 & 0xffffffff;

    return $state % $limit;
}


sub list {
    my ($limit) = @_;

    return [ map { random($limit) } 1 .. 1 + random(12) ];
}


sub word {
    my ($number) = @_;

    return join '', map { chr 97 + $_ } $number % 26, $number / 26 % 26,
                                        $number % 7;
}


# Half of the pairs have nothing to do with one another, the others are a
# text and what became of it; few and many distinct tokens, short and long.
sub pair {
    my ($tokens) = @_;

    my $kinds = (2, 4, 10, 50, scalar @$tokens)[random(5)];
    my $length = 1 + random((5, 12, 40, 150)[random(4)]);
    my $rate = 1 + random(60);
    my @one = map { $tokens->[random($kinds)] } 1 .. $length;
    my @two;

    if (random(2)) {
        @two = map { $tokens->[random($kinds)] } 1 .. random($length + 5);
        return [ \@one, \@two ];
    }

    for my $token (@one) {
        my $fate = random(100);
        my $other = $tokens->[random($kinds)];

        push @two, $fate >= $rate ? ($token)
                 : $fate % 3 == 0 ? ($other)
                 : $fate % 3 == 1 ? ($token, $other) : ();
    }

    return [ \@one, \@two ];
}
