package Bench::Hearers;

# Many WebSockets that listen to one publisher (build/tools/hearers).

use strict;
use warnings;

use IPC::Open2 qw(open2);
use Time::HiRes qw(sleep);

use Bench;
use Bench::Load;
use Bench::Memory;
use Bench::Server;

use constant {
    FILES   => 16_384,     # connections of a process of nginx
    SETTLED => 1,          # seconds until who has just come hears all
};

my $runs = 0;


# run(port, hearers, calls, rate, pids => sub {processes of the server}); also
# seconds, header, hear (path), path (to publish at).  Gives {p50, p99, p999,
# max, answer, cpu, memory}: microseconds from the request to publish until a
# subscriber has the message, until the publisher is answered, of the
# server's CPU a delivery, and KiB a subscriber.  Dies where a message is
# missing.
sub run {
    my (%arg) = @_;

    my %option = (seconds => Bench::Load::seconds() + 3,
                  prefix => 'live' . ++$runs);
    for my $name (qw(hearers calls rate seconds header hear path)) {
        $option{$name} = $arg{$name} if defined $arg{$name};
    }

    my $before = Bench::Memory::together($arg{pids}->());
    my $pid = open2(my $out, my $in,
                    "$Bench::Server::ROOT/build/tools/hearers",
                    map({ ("--$_", $option{$_}) } sort keys %option),
                    $arg{port});

    my ($opened) = (<$out> // '') =~ /^ready (\d+)/
        or die "bench: not all subscribers were let in\n";
    my $after = Bench::Memory::together($arg{pids}->());
    sleep SETTLED;
    my $cpu = Bench::Server::cpu($arg{pids}->());

    print $in "go\n";
    close $in;
    my $text = join '', <$out>;
    waitpid $pid, 0;
    $cpu = Bench::Server::cpu($arg{pids}->()) - $cpu;

    my @figures = $text =~ /^figures (.*)/m ? split ' ', $1 : ();
    my %got;
    @got{qw(heard missed twice failed us p50 p99 p999 max answer answer99
            own)} = @figures;
    die "bench: messages were missed: $text\n"
        if @figures < 12 || $got{missed} || $got{twice} || $got{failed};

    return { %got, opened => $opened, cpu => $cpu / $got{heard},
             memory => ($after - $before) / $arg{hearers} };
}


sub table {
    my ($figures, @names) = @_;

    my %title = (opened => 'open ms', p50 => 'p50 us', p99 => 'p99 us',
                 answer => 'answer us', cpu => 'CPU us', memory => 'KiB');
    my @keys = qw(opened p50 p99 answer cpu memory);

    printf "%-20s" . ' %10s' x @keys . "\n", '', map { $title{$_} } @keys;

    for my $name (@names) {
        printf "%-20s" . ' %10s' x @keys . "\n", $name, map {
            my $key = $_;
            my $value = Bench::median(map { $_->{$key} }
                                      @{$figures->{$name}});
            sprintf $key =~ /cpu|memory/ ? '%.2f' : '%.0f',
                $key eq 'opened' ? $value / 1000 : $value } @keys;
    }

    print "\n";
}


1;
