package Bench::Load;

# Load by wrk, and what a server makes of it.

use strict;
use warnings;

use File::Temp qw(tempdir);
use POSIX ();

use Bench::Server;


# wrk(url => ..., cpu => sub {microseconds used so far}); also token,
# tokens (a file, one a line), connections, seconds, pin (processor of wrk),
# pg => sub {the same of PostgreSQL}.  Gives {rate, p50, p99, cpu, pg}; dies
# where a request failed.
sub wrk {
    my (%arg) = @_;

    my @command = (
        defined $arg{pin} ? ('taskset', '-c', $arg{pin}) : (),
        'wrk', '-t1', '-c', $arg{connections} // 64, '-d',
        ($arg{seconds} // seconds()) . 's', '-s',
        "$Bench::Server::ROOT/bench/load/wrk.lua",
        map({ ('-H', $_) } headers(\%arg)), $arg{url},
        $arg{tokens} ? ('--', $arg{tokens}) : ());

    my @clocks = grep { $arg{$_} } qw(cpu pg);
    my %before = map { $_ => $arg{$_}->() } @clocks;
    my $output = run(@command);
    my %used = map { $_ => $arg{$_}->() - $before{$_} } @clocks;

    my ($requests, $us, $p50, $p99, $errors)
        = $output =~ /^figures (\d+) (\d+) (\d+) (\d+) (\d+)/m
        or die "bench: wrk says no figures:\n$output";

    die "bench: $errors of $requests requests to $arg{url} failed\n"
        if $errors || !$requests;

    return { rate => $requests / $us * 1e6, p50 => $p50, p99 => $p99,
             map { $_ => $used{$_} / $requests } @clocks };
}


# pgbench(env => {PG*}, sql => text, clients, values => {name => text} for
# :name in it, rate (transactions a second, else as many as can be), pg => sub
# {...}): the same figures of calls without a gateway.
sub pgbench {
    my (%arg) = @_;

    local @ENV{keys %{$arg{env}}} = values %{$arg{env}};
    my $dir = tempdir('voice-bench-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $seconds = $arg{seconds} // seconds();

    Bench::Server::spew("$dir/call.sql", "$arg{sql};\n");

    my $before = $arg{pg}->();
    my $output = run('/usr/lib/postgresql/15/bin/pgbench', '-n', '-M',
        'prepared', '-c', $arg{clients}, '-j', 1, '-T', $seconds, '-l',
        $arg{rate} ? ('-R', $arg{rate}) : (),
        "--log-prefix=$dir/log", '-f', "$dir/call.sql",
        map { ('-D', "$_=$arg{values}{$_}") } sort keys %{$arg{values}});
    my $used = $arg{pg}->() - $before;

    my ($rate) = $output =~ /^tps = ([\d.]+)/m
        or die "bench: pgbench says no rate:\n$output";
    # with a rate a seventh column is how late a transaction began
    my @us = sort { $a <=> $b } map { my @c = split ' '; $c[2] - ($c[6] // 0) }
        map { split /\n/, Bench::Server::slurp($_) } glob "$dir/log*";

    return { rate => $rate, p50 => $us[@us * 0.5], p99 => $us[@us * 0.99],
             cpu => 0, pg => $used / @us };
}


# pacer(port, rate, connections, seconds, requests => [[method, path, body or
# undef, header, ...], ...]): an open loop at a fixed rate.  Starts it and
# gives a function that waits for its end and gives {rate, answers, failed,
# unsent, p50, p99, p999, max}.
sub pacer {
    my (%arg) = @_;

    my $dir = tempdir('voice-bench-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $n = 0;
    my @files = map {
        my $file = "$dir/" . $n++;
        Bench::Server::spew($file, request(@$_));
        $file;
    } @{$arg{requests}};

    my $pid = open(my $out, '-|', "$Bench::Server::ROOT/build/tools/pacer",
                   $arg{port}, $arg{rate}, $arg{seconds} // seconds(),
                   $arg{connections} // 16, @files)
        or die "bench: pacer: $!\n";

    return sub {
        my $text = join '', <$out>;
        close $out or die "bench: pacer $pid failed\n";
        my @figures = $text =~ /^figures (.*)/ ? split ' ', $1 : ();
        die "bench: pacer says no figures: $text\n" if @figures < 8;

        my %got;
        @got{qw(answers failed unsent us p50 p99 p999 max)} = @figures;
        $got{rate} = $got{answers} / $got{us} * 1e6;

        return \%got;
    };
}


# The bytes of a request.
sub request {
    my ($method, $path, $body, @headers) = @_;

    push @headers, 'Content-Type: application/json',
        'Content-Length: ' . length $body if defined $body;

    return join "\r\n", "$method $path HTTP/1.1", 'Host: bench', @headers,
        '', $body // '';
}


# Seconds of one run.
sub seconds { return $ENV{VOICE_BENCH_SECONDS} || 2 }


sub headers {
    my ($arg) = @_;

    return (@{$arg->{headers} || []},
            $arg->{token} ? "Authorization: Bearer $arg->{token}" : ());
}


# The output of a command, errors included; dies where it fails.
sub run {
    my (@command) = @_;

    my $pid = open(my $out, '-|') // die "bench: fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    my $text = join '', <$out>;
    close $out or die "bench: $command[0] failed:\n$text";

    return $text;
}


1;
