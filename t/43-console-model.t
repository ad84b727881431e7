#!/usr/bin/perl

# The parts of the console that know no page, in Node.js.

use strict;
use warnings;

use Test::More;

plan skip_all => 'there is no Node.js (bin/deps test installs it)'
    if system('node --version >/dev/null 2>&1') != 0;

for my $name (qw(ranges model stream)) {
    my $output = `node --test-reporter=tap t/console/$name.mjs 2>&1`;
    my ($passed) = $output =~ /^# pass (\d+)$/m;

    ok($? == 0 && $passed, "$name: all that it promises")
        or diag($output);
}

done_testing();
