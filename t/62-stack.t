#!/usr/bin/perl

# bin/stack where it is hard: a checkout that others cannot read, a path too
# long for a socket, a taken port, a caller that reads to the end, an
# ordinary user; and started twice.

use strict;
use warnings;

use File::Path qw(make_path);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;

use lib 't/lib';
use Voice;

use constant LONG => 'd' x 60 . '/' . 'e' x 60;

my $root = $Voice::ROOT;
my $build = $ENV{VOICE_BUILD} || "$root/build";
my $work = tempdir('voice-stack-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $checkout = "$work/checkout";

delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};

copy_checkout();
private_checkout();

SKIP: {
    skip('only root can become an ordinary user', 5) if $> != 0;
    ordinary_user();
}

done_testing();


# What bin/stack needs, where nobody else may look.
sub copy_checkout {
    make_path("$checkout/build");
    system('cp', '-rp', (map { "$root/$_" } qw(bin conf sql web)),
           "$checkout/") == 0 or die "cp: $?";
    system('cp', '-p', "$build/ngx_voice_module.so",
           "$build/voicegate-worker", "$checkout/build/") == 0
        or die "cp: $?";
    chmod 0700, $checkout;
}


sub private_checkout {
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
    my @options = ('--dir', "$work/" . LONG, '--port', $taken->sockport);
    my $output = stack([], @options, 'start');

    like($output, qr/port \d+ is taken/, 'a taken port is told')
        or diag($output);

    my $stack = settings("$work/" . LONG);
    isnt($stack->{port}, $taken->sockport, 'and another one used');
    is(get("$stack->{base_url}/ready")->{status}, 200,
       'a stack of an unreadable checkout, with a long path, is ready');

    my %pids = pids(@options);
    is(scalar keys %pids, 4, 'its four services run');
    is(stack([], @options, 'start'), '', 'another start says nothing');
    is_deeply({ pids(@options) }, \%pids, 'and starts nothing');

    stack([], @options, 'stop', 'workers');
    is(join(' ', sort { $a cmp $b } pids(@options)),
       join(' ', sort { $a cmp $b } map { ($_ => $pids{$_}) }
                grep { $_ ne 'workers' } keys %pids),
       'one service is stopped alone');
    stack([], @options, 'start');
    is(scalar(() = pids(@options)), 8, 'and started again');

    gone($stack, @options);
}


sub ordinary_user {
    my ($name, $gid) = (getpwnam 'nobody')[0, 3];

    system('chown', '-R', "$name:", $work) == 0 or die "chown: $?";

    my @as = ('setpriv', "--reuid=$name", "--regid=$gid", '--clear-groups',
              'env', '-u', 'PERL5LIB', "HOME=$work");
    my @options = ('--dir', "$work/user/" . LONG, '--port', 0);
    my $output = stack(\@as, @options, 'start');
    my $stack = settings("$work/user/" . LONG);

    is(get("$stack->{base_url}/ready")->{status}, 200,
       'an ordinary user starts a stack below a long path')
        or diag($output);
    is((stat "$stack->{data}/pg/PG_VERSION")[4], (getpwnam $name)[2],
       'and its services are his');

    gone($stack, @options);
}


# The end: nothing runs, nothing is left.
sub gone {
    my ($stack, @options) = @_;

    my %pids = pids(@options);

    stack([], @options, 'clean');
    ok(Voice->wait_for(sub { !grep { alive($_) } values %pids }, 10),
       'clean ends every service');
    ok(!-e $stack->{data}, 'and removes the data');
    stack([], @options, 'status');
    isnt($?, 0, 'status then says so');
}


# Who has ended and was not reaped yet does not live.
sub alive {
    my ($pid) = @_;

    my $stat = eval { Voice::slurp("/proc/$pid/stat") } // return 0;

    return $stat !~ /\) Z /;
}


# Output of bin/stack, read to its end: no service may keep it open.
sub stack {
    my ($as, @words) = @_;

    my $pid = open(my $out, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        # An ordinary user may not see where the tests are.
        chdir $work;
        exec @$as, "$checkout/bin/stack", '--test',
            $ENV{VOICE_SANITIZE} ? '--sanitize' : (), @words
            or POSIX::_exit(127);
    }

    local $SIG{ALRM} = sub { BAIL_OUT("stack @words does not end") };
    alarm 180;
    my $text = join '', <$out>;
    alarm 0;
    close $out;

    return $text;
}


sub pids {
    return stack([], @_, 'status') =~ /^(\w+) +up \(pid (\d+)\)$/mg;
}


sub settings {
    my ($dir) = @_;

    return decode_json(Voice::slurp("$dir/stack.json"));
}


# Polled: the pool's first heartbeat may be on its way.
sub get {
    my ($url) = @_;

    my $http = HTTP::Tiny->new(timeout => 10);
    my $reply;

    Voice->wait_for(sub {
        $reply = $http->get($url);
        return $reply->{status} == 200
            && $reply->{content} !~ /degraded|unhealthy/;
    }, 30);

    return $reply;
}


END {
    return unless defined $checkout && -d $checkout;
    local $?;
    for my $dir ("$work/" . LONG, "$work/user/" . LONG) {
        stack([], '--dir', $dir, 'clean') if -e "$dir/stack.json";
    }
}
