package Voice::Sessions;

# Sessions of psql that work at the same time, on what Voice::Sql::start() has
# started.
#
#   my $one = session();
#   say_to($one, 'begin;', 'select 1;', '\echo done');
#   hear($one);
#   hear_end($one);

use strict;
use warnings;

use Exporter qw(import);
use IPC::Open2;
use Test::More;
use Time::HiRes qw(time);

our @EXPORT = qw(query session say_to hear hear_end wait_for);


# What a query prints; the test ends where it fails.
sub query {
    my ($sql) = @_;

    my $one = session();
    print { $one->{in} } "$sql;\n";
    my $text = hear_end($one);
    BAIL_OUT("psql: $sql") if $? != 0;
    chomp $text;

    return $text;
}


sub session {
    my $pid = open2(my $out, my $in, 'psql', '-qXAt', '-v',
                    'ON_ERROR_STOP=1', '-f', '-');
    $in->autoflush(1);

    return { pid => $pid, in => $in, out => $out };
}


sub say_to {
    my ($session, @lines) = @_;

    print { $session->{in} } map { "$_\n" } @lines;
}


# Reads until the session says "done" or ends.
sub hear {
    my ($session) = @_;

    my $text = '';
    while (my $line = readline $session->{out}) {
        $text .= $line;
        last if $line eq "done\n";
    }

    return $text;
}


# Ends the session; the rest of what it says.
sub hear_end {
    my ($session) = @_;

    close $session->{in};
    my $text = join '', readline $session->{out};
    waitpid $session->{pid}, 0;

    return $text;
}


# Polls until a query gives a row.
sub wait_for {
    my ($sql) = @_;

    my $deadline = time + 60;

    while (time < $deadline) {
        return 1 if query($sql) ne '';
        select undef, undef, undef, 0.02;
    }

    return 0;
}

1;
