#!/usr/bin/perl

# Cron expressions and times at random, half of them near a change of the
# clock: ours must be what t/cron/model.py finds by brute force, and what
# croniter and cron-parser say.  Where they say something else, a rule of
# theirs must explain it; docs/schedules.md has ours.
#
# VOICE_CRON_SEED chooses the cases, which are always the same without it and
# VOICE_TEST_LONG.  Without npm or croniter the other one and
# the model are compared.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP;
use Test::More;
use Voice::Sql;

my $count = $ENV{VOICE_TEST_LONG} ? 100_000 : 11_000;
my $seed = $ENV{VOICE_CRON_SEED} || ($ENV{VOICE_TEST_LONG} ? time : 5);
my $build = abs_path($ENV{VOICE_BUILD} || 'build');
my $dir = "$build/npm-cron";
my $python = '/usr/bin/python3';
my $json = JSON::PP->new->canonical->allow_nonref;

plan skip_all => 'Python is missing'
    if system("$python -c 'import zoneinfo' 2>/dev/null") != 0;
make_path($dir);
note "seed $seed";

my $npm = fetch_parser();

run("$python t/cron/cases.py $seed $count >'$dir/cases'");
my $pid = fork // die "fork: $!";
if ($pid == 0) {
    exec 'sh', '-c', "$python t/cron/model.py <'$dir/cases' >'$dir/model'";
}
run("cd '$dir' && node next.mjs <cases >parser") if $npm;

Voice::Sql::start() or exit 0;
ours();
waitpid $pid, 0;
die "the model failed: $?\n" if $? != 0;

my @cases = read_lines('cases');
my @ours = read_lines('ours');
my @model = read_lines('model');
my %theirs = (model => [map { $_->{model} } @model]);

$theirs{croniter} = [map { $_->{croniter} } @model]
    if exists $model[0]{croniter};
$theirs{'cron-parser'} = [read_lines('parser')] if $npm;

is(scalar @ours, $count, "$count cases are answered");

for my $name (qw(model croniter cron-parser)) {
    SKIP: {
        skip "there is no $name", 1 if !$theirs{$name};
        compare($name, $theirs{$name});
    }
}

done_testing();


sub fetch_parser {
    return 0 if system('command -v npm node >/dev/null') != 0;

    copy("t/npm/cron/$_", "$dir/$_") or die "$dir/$_: $!\n"
        for qw(package.json package-lock.json next.mjs);

    return 1 if -d "$dir/node_modules/cron-parser";

    return system("cd '$dir' && npm ci --ignore-scripts --no-audit"
                  . ' --no-fund >npm.log 2>&1') == 0;
}


# All in one statement, as a client of the schema would ask.
sub ours {
    open my $out, '>', "$dir/cases.tsv" or die "$dir/cases.tsv: $!";
    print $out join("\t", @$_), "\n" for read_lines('cases');
    close $out or die $!;

    open my $sql, '|-', 'psql', '-qXAt', '-v', 'ON_ERROR_STOP=1',
        '-o', "$dir/ours" or die "psql: $!";
    print $sql <<"END";
create temporary table c (n serial, expression text, zone text, at bigint);
\\copy c (expression, zone, at) from '$dir/cases.tsv'
select coalesce(extract(epoch from core.cron_next(c.expression, c.zone,
           to_timestamp(c.at)))::bigint::text, 'null')
  from c order by c.n;
END
    close $sql or die "psql failed\n";
}


# Where an answer is not ours: the model is right or we are wrong; of the
# others one of the reasons in t/cron/model.py must hold.
sub compare {
    my ($name, $theirs) = @_;

    my @other = grep { text($theirs->[$_]) ne text($ours[$_]) } 0 .. $#ours;
    my $same = @ours - @other;
    my (%reasons, @open);

    if ($name ne 'model') {
        my @said = explained($theirs, @other);
        for my $n (0 .. $#other) {
            my ($why) = @{ $said[$n] };
            defined $why ? push(@{ $reasons{$why} }, $other[$n])
                         : push(@open, $other[$n]);
        }
    } else {
        @open = @other;
    }

    note "$name: $same of $count the same";
    for my $why (sort keys %reasons) {
        note sprintf '%s: %d: %s, as %s', $name,
            scalar @{ $reasons{$why} }, $why, shown($theirs,
                                                    $reasons{$why}[0]);
    }

    is(scalar @open, 0, "what $name says is explained")
        or diag map { shown($theirs, $_) . "\n" } @open[0 .. min(9, $#open)];
}


sub explained {
    my ($theirs, @other) = @_;

    open my $out, '>', "$dir/other" or die "$dir/other: $!";
    print $out $json->encode([@{ $cases[$_] }, $ours[$_], $theirs->[$_]]),
        "\n" for @other;
    close $out or die $!;

    run("$python t/cron/model.py explain <'$dir/other' >'$dir/reasons'");
    return read_lines('reasons');
}


sub shown {
    my ($theirs, $n) = @_;

    return sprintf '%s: ours %s, theirs %s', $json->encode($cases[$n]),
        text($ours[$n]), text($theirs->[$n]);
}


sub text { return defined $_[0] ? $_[0] : 'never' }


sub min { return $_[0] < $_[1] ? $_[0] : $_[1] }


sub read_lines {
    my ($name) = @_;

    open my $in, '<', "$dir/$name" or die "$dir/$name: $!";
    return map { $json->decode($_) } <$in>;
}


sub run {
    my ($command) = @_;

    system('sh', '-c', $command) == 0 or die "$command: $?\n";
}
