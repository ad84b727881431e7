#!/usr/bin/perl

# Runs t/pool/held.c, which prints TAP itself.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $program = ($ENV{VOICE_BUILD} || "$root/build") . '/pool-held';
$program = abs_path($program) if -e $program;

die "$program is not built" . "\n" unless -x $program;

chdir $root or die "$root: $!";
exec $program or die "$program: $!";
