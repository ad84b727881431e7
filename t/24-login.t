#!/usr/bin/perl

# Wrong passwords: what a client sees of delays and locks, how many passwords
# are compared, and that none of it tells who has an account.

use strict;
use warnings;

use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;

use constant { RIGHT => 'Correct-Horse-9', WRONG => 'Wrong-Horse-99' };

my $voice = Voice->start(processes => 2);
my $owner = $voice->tenant('acme');
my $other = $voice->tenant('other');
my $pat = $voice->person('acme', 'viewer', 'pat@acme.example');
my $house = 0;

refused();
alike();
together();
addresses();
own_password();
unlocked();
restarted();

$voice->finish;


# A login from an address of this machine.
sub try_login {
    my ($email, $password, %arg) = @_;

    local $voice->{http} = HTTP::Tiny->new(timeout => 60,
        local_address => $arg{from} // '127.0.0.1');

    return $voice->call('login', body => { email => $email,
        password => $password,
        $arg{tenant} ? (tenant_id => $arg{tenant}) : () });
}


# An address that nobody has used: requests of each are limited, too.
sub fresh {
    $house++;

    return "127.0.4.$house";
}


# Time goes by: what is remembered lies so much further back.
sub elapse {
    my ($seconds) = @_;

    $voice->sql("update core.login_attempt set"
        . " wait_until = wait_until - interval '$seconds seconds',"
        . " updated_at = updated_at - interval '$seconds seconds'");
}


sub compared {
    my ($n) = $voice->request('GET', '/metrics')->{content}
        =~ /^voice_passwords_compared_total (\d+)/m;

    return $n;
}


sub code {
    my ($reply) = @_;

    return $reply->{json}{error}{code} // $reply->{status};
}


sub refused {
    my @seen;
    my @from = (from => fresh());

    for my $n (1 .. 5) {
        my $wrong = try_login($pat->{email}, WRONG, @from);
        my $before = compared();
        my $early = try_login($pat->{email}, RIGHT, @from);
        push @seen, "$wrong->{status} $early->{status} "
            . $early->{headers}{'retry-after'};
        is(code($early), 'AUTH_TOO_MANY_ATTEMPTS',
           "after failure $n the right password is refused, too");
        is(compared(), $before, 'and not looked at');
        elapse(8) if $n < 5;
    }
    is("@seen", '401 429 1 401 429 2 401 429 4 401 429 8 401 429 900',
       'Retry-After grows, the fifth failure locks for 15 minutes');

    is($voice->call('me', as => $pat)->{status}, 200,
       'who is logged in stays so');
    elapse(900);
    is(try_login($pat->{email}, RIGHT, @from)->{status}, 200,
       'when the lock is over the right password logs in');
    $voice->forgive;
}


# Replies but for what names the request; comparisons.
sub told {
    my (@arguments) = @_;

    my $before = compared();
    my $reply = try_login(@arguments);
    my %headers = %{$reply->{headers}};
    my %error = %{$reply->{json}{error}};

    # The bucket of the address is a clock, as the date is.
    delete @headers{qw(date x-request-id ratelimit)};
    delete @error{qw(request_id timestamp)};

    return encode_pretty({ status => $reply->{status}, error => \%error,
        headers => \%headers, compared => compared() - $before });
}


sub encode_pretty {
    return JSON::PP->new->canonical->pretty->encode($_[0]);
}


sub alike {
    my %case = (
        'a wrong password'           => [$owner->{email}, WRONG],
        'an unknown user'            => ['nobody@acme.example', RIGHT],
        'a tenant that is not one\'s' => [$owner->{email}, RIGHT,
                                          tenant => $other->{tenant_id}],
    );
    my (%first, %second, %locked);

    for my $case (sort keys %case) {
        my @login = (@{$case{$case}}, from => fresh());
        $first{$case} = told(@login);
        $second{$case} = told(@login);
        for (2 .. 5) {
            elapse(8);
            try_login(@login);
        }
        $locked{$case} = told(@login);
        $voice->forgive;
    }

    my $like = $first{'a wrong password'};
    like($like, qr/"compared" : 1\b/, 'a wrong password is compared');
    like($second{'a wrong password'}, qr/"compared" : 0\b/,
         'an early one not');
    like($locked{'a wrong password'}, qr/"retry-after" : "900"/,
         'nor one that is locked');

    for my $case (grep { $_ ne 'a wrong password' } sort keys %case) {
        is($first{$case}, $like, "$case reads and costs the same");
        is($second{$case}, $second{'a wrong password'}, 'when early');
        is($locked{$case}, $locked{'a wrong password'}, 'and when locked');
    }
}


# Fifty at once, each from an address of its own.
sub together {
    my $before = compared();
    my $body = encode_json({ email => $pat->{email}, password => WRONG });
    my (%status, @open);

    for my $n (1 .. 50) {
        my $socket = IO::Socket::INET->new(LocalAddr => "127.0.1.$n",
            PeerAddr => '127.0.0.1', PeerPort => $voice->{stack}{port})
            or die "connect: $@";
        print $socket "POST /auth/login HTTP/1.1\r\nHost: x\r\n"
            . "Connection: close\r\nContent-Type: application/json\r\n"
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
        push @open, $socket;
    }
    for my $socket (@open) {
        my ($status) = (<$socket> // '') =~ m{^HTTP/1.1 (\d+)};
        $status{$status // 'none'}++;
        1 while <$socket>;
    }

    my $n = compared() - $before;
    cmp_ok($n, '>=', 1, 'of fifty wrong passwords at once some are compared');
    cmp_ok($n, '<=', 5, 'no more than five');
    is($status{401}, $n, 'as many are wrong');
    is($status{429}, 50 - $n, 'the others are refused');
    is($voice->sql('select cardinality(pending) from core.login_attempt'
        . " where scope = 'account'"), 0, 'and nothing stays reserved');
    $voice->forgive;
}


sub addresses {
    for my $n (1 .. 5) {
        try_login("guess$n\@acme.example", WRONG, from => '127.0.2.1');
        elapse(8) if $n < 5;
    }

    my $reply = try_login($owner->{email}, RIGHT, from => '127.0.2.1');
    is("$reply->{status} $reply->{headers}{'retry-after'}", '429 900',
       'an address that guesses at five accounts is locked for all');
    is(try_login($owner->{email}, RIGHT, from => '127.0.2.2')->{status}, 200,
       'its neighbour is not');
    $voice->forgive;
}


sub own_password {
    my %change = (as => $pat, body => { current_password => WRONG,
                                        new_password => 'Another-Horse-10' });

    is(code($voice->call('change_password', %change)),
       'AUTH_INVALID_CREDENTIALS', 'a wrong current password is refused');
    my $before = compared();
    my $early = $voice->call('change_password', %change);
    is(code($early), 'AUTH_TOO_MANY_ATTEMPTS', 'the next one not looked at');
    is(compared(), $before, 'nor compared');
    is($early->{headers}{'retry-after'}, 1, 'for a second');
    is(code(try_login($pat->{email}, RIGHT, from => '127.0.3.1')),
       'AUTH_TOO_MANY_ATTEMPTS', 'a login counts as well');
    $voice->forgive;
}


# Locks the account and the address, which it returns.
sub lock_out {
    my $from = fresh();

    for my $n (1 .. 5) {
        try_login($pat->{email}, WRONG, from => $from);
        elapse(8) if $n < 5;
    }

    return $from;
}


sub unlocked {
    my $from = lock_out();

    ok($voice->wait_for(sub { $voice->sql('select action from'
        . " core.audit_log where resource_id = '$pat->{user_id}'"
        . ' order by seq desc limit 1') eq 'user.locked' }, 30),
       'the keeper writes the lock to the audit log');
    unlike($voice->sql('select string_agg(a::text, \'\') from'
        . ' core.login_attempt a'), qr/\@/, 'no email is kept');

    is($voice->call('unlock_user', as => $pat,
        path => { id => $pat->{user_id} })->{status}, 403,
       'nobody unlocks himself');
    my $reply = $voice->call('unlock_user', as => $owner,
                             path => { id => $pat->{user_id} });
    is($reply->{json}{data}{unlocked}, JSON::PP::true,
       'an administrator ends the lock');
    is(try_login($pat->{email}, RIGHT, from => $from)->{status}, 200,
       'and the person logs in, from the same address');
    is($voice->call('unlock_user', as => $owner,
        path => { id => $pat->{user_id} })->{json}{data}{unlocked},
       JSON::PP::false, 'a second time there is nothing to end');
    $voice->forgive;
}


sub restarted {
    lock_out();
    $voice->stack('stop', $_) for qw(nginx postgres);
    $voice->start_services(qw(postgres nginx));

    is(code(try_login($pat->{email}, RIGHT, from => fresh())),
       'AUTH_TOO_MANY_ATTEMPTS',
       'a lock survives the restart of nginx and PostgreSQL');
    $voice->forgive;
}
