#!/usr/bin/perl

# Limits over two real edges on one Redis: together they keep to one limit,
# whatever becomes of Redis; what the client is told; rehearsals; reload.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Node;
use Voice::Raw;
use Voice::Upstream;

# rate and burst; "big" leases ahead, "small" asks.
my %class = (big => [200, 300], small => [10, 30], slow => [1, 20],
             lone => [1, 3]);

my $voice = Voice->start(workers => 0);
my $upstream = Voice::Upstream->start('behind');
my ($one, $two) = nodes(qw(one two));
my $address = 1;

told();
refused_exactly();
together($_) for qw(small big);
floods();
rehearsed();
reloaded();
users();
failures();
without_redis();
failing_redis();
vanished();
emptied();
restarted();

$_->stop for $one, $two;
$voice->finish;


# --- the edges ------------------------------------------------------------

# Two nodes that share limits of their own, so that the stack's own edge is
# none of them: it is stopped.
sub nodes {
    my @names = @_;

    $voice->{acme} = $voice->tenant('acme');
    $voice->stack('stop', 'nginx');
    $voice->redis('FLUSHALL');
    keep_limits();

    return map { Voice::Node->start($voice, $_, edit => \&configure,
        set => { NODES => 2, PROCESSES => 2 }) } @names;
}


sub keep_limits {
    system("$Voice::ROOT/bin/voicegate-admin", 'keep-limits', '--redis',
           "127.0.0.1:$voice->{stack}{redis_port}", '--password-file',
           "$voice->{stack}{secrets}/redis") == 0 or die 'keep-limits';
}


sub configure {
    my ($etc) = @_;

    my $port = $upstream->port;
    system('cp', '-rL', "$voice->{stack}{data}/app/openapi",
           "$etc/openapi") == 0 or die 'cp';

    my $json = JSON::PP->new->utf8->canonical->pretty;
    my $file = "$etc/openapi/openapi.json";
    my $contract = $json->decode(Voice::slurp($file));
    for my $name (keys %class) {
        @{$contract->{'x-limits'}{$name}}{qw(rate burst)} = @{$class{$name}};
    }
    @{$contract->{'x-limits'}{failure}}{qw(rate burst)} = (1, 20);
    Voice::spew($file, $json->encode($contract));

    my $text = Voice::slurp("$etc/edge.conf");
    $text =~ s/voice_contract [^;]+;/voice_contract $etc\/openapi;/;
    $text .= "log_format limit '\$request_uri \$voice_limit_status';\n"
        . "access_log $voice->{stack}{log}/limit.log limit;\n";
    Voice::spew("$etc/edge.conf", $text);

    $text = Voice::slurp("$etc/locations.conf");
    for my $name (sort keys %class) {
        $text .= "location = /$name {\n    voice_limit class=$name;\n"
            . "    add_header X-Limit \$voice_limit_status always;\n"
            . ($name eq 'lone' ? "    proxy_pass http://127.0.0.1:$port/;\n"
                               : "    empty_gif;\n") . "}\n";
    }
    $text .= "location = /rehearsal {\n    voice_limit class=lone dry_run;\n"
        . "    add_header X-Limit \$voice_limit_status always;\n"
        . "    proxy_pass http://127.0.0.1:$port/;\n}\n"
        . "location = /free {\n    voice_limit off;\n    empty_gif;\n}\n"
        . "location = /known {\n    voice_auth on;\n    empty_gif;\n}\n";
    Voice::spew("$etc/locations.conf", $text);
}


# An address that nobody has used.
sub fresh {
    $address++;

    return sprintf '127.9.%d.%d', $address >> 8, $address & 255;
}


# One request; the reply.
sub ask {
    my ($node, $path, $from, %header) = @_;

    my $raw = Voice::Raw->new($node, $from);
    $raw->put("GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
              . join('', map { "$_: $header{$_}\r\n" } sort keys %header)
              . "\r\n");

    return $raw->reply;
}


# Statuses of n requests in one go on one connection.
sub burst {
    my ($node, $path, $from, $n) = @_;

    my %status;
    my $raw = Voice::Raw->new($node, $from);
    $raw->put("GET $path HTTP/1.1\r\nHost: x\r\n\r\n" x $n);
    $status{$raw->reply->{status}}++ for 1 .. $n;

    return \%status;
}


# Hammers from a process for each of the nodes; how many were admitted, and
# in how long at most.
sub hammer {
    my ($path, $from, $seconds, @nodes) = @_;

    my @readers;
    my $began = time;
    for my $node (@nodes) {
        my $pid = open(my $out, '-|') // die "fork: $!";
        if ($pid == 0) {
            my $admitted = 0;
            while (time - $began < $seconds) {
                my $status = burst($node, $path, $from, 20);
                $admitted += $status->{200} // 0;
            }
            print "$admitted\n";
            close STDOUT;
            POSIX::_exit(0);
        }
        push @readers, $out;
    }

    my $sum = 0;
    $sum += <$_> for @readers;

    return ($sum, time - $began);
}


sub bound {
    my ($name, $seconds) = @_;

    my ($rate, $burst) = @{$class{$name}};

    return $burst + $rate * $seconds;
}


sub metric {
    my ($node, $name) = @_;

    my $text = $voice->wait_for(sub {
        my $reply = ask($node, '/metrics', fresh());
        return $reply->{status} == 200 && $reply->{content};
    }, 20);

    return ($text =~ /^voice_limit_${name}_total (\d+)/m)[0] // 0;
}


# --- what the client sees -------------------------------------------------

sub told {
    my $from = fresh();
    my $reply = ask($one, '/small', $from);

    is($reply->{status}, 200, 'a request is admitted');
    is($reply->{headers}{'ratelimit-policy'}, '"small";q=30;w=3',
       'and told the policy');
    like($reply->{headers}{ratelimit}, qr/^"small";r=\d+;t=\d+$/,
         'and what is left');
    is($reply->{headers}{'x-limit'}, 'admitted', 'logs can tell, too');

    my ($first) = $reply->{headers}{ratelimit} =~ /r=(\d+)/;
    my ($second) = ask($one, '/small', $from)->{headers}{ratelimit}
        =~ /r=(\d+)/;
    cmp_ok($second, '<', $first, 'the next one has less left');

    is(ask($one, '/lone', $from)->{headers}{'ratelimit-policy'},
       '"lone";q=3;w=3', 'also where another server answers');
    is(ask($one, '/free', $from)->{headers}{'ratelimit-policy'}, undef,
       'nothing is told where there is no limit');
    is(ask($one, '/health', $from)->{headers}{'ratelimit-policy'},
       '"read";q=400;w=2', 'an operation has the class of the contract');
}


# Who waits as long as he is told gets in, who does not may not.
sub refused_exactly {
    my $from = fresh();
    my $status = burst($one, '/lone', $from, 8);
    cmp_ok($status->{429}, '>=', 5, 'what is above the burst is refused');

    my $reply = ask($one, '/lone', $from);
    is($reply->{status}, 429, 'on the next connection, too');
    like($reply->{content}, qr/"RATE_LIMIT_EXCEEDED"/, 'in our words');
    like(Voice::slurp("$voice->{stack}{log}/limit.log"), qr{^/lone refused$}m,
         'logs can tell');
    like($reply->{headers}{ratelimit}, qr/^"lone";r=0;t=[12]$/,
         'nothing is left');

    my $wait = $reply->{headers}{'retry-after'};
    like($wait, qr/^[1-4]$/, 'there is a time to wait');
    my $until = time + $wait;
    $voice->wait_for(sub { time >= $until });
    is(ask($one, '/lone', $from)->{status}, 200,
       'and who waits so long is admitted');

    is(ask($two, '/lone', fresh())->{status}, 200,
       'another address never had to wait');
}


# --- over nodes -----------------------------------------------------------

sub together {
    my ($name) = @_;

    my ($sum, $seconds) = hammer("/$name", fresh(), 4, $one, $two);

    cmp_ok($sum, '<=', bound($name, $seconds),
           "two nodes admit no more than the limit of \"$name\"");
    diag("$name: $sum in $seconds s, may be ", bound($name, $seconds));
    cmp_ok($sum, '>=', 0.6 * bound($name, 4), 'and most of it');
}


sub floods {
    my $from = fresh();
    hammer('/small', $from, 1, $one);
    my $before = evaluations();
    my ($n, $seconds) = (0, time);
    while (time - $seconds < 2) {
        burst($one, '/small', $from, 50);
        $n += 50;
    }
    $seconds = time - $seconds;
    my $asked = evaluations() - $before;

    # a question a token, the registrations of two nodes, metrics
    cmp_ok($asked, '<=', (10 + 4) * $seconds * 1.5 + 20,
           "a flood of refused requests does not reach Redis ($n: $asked)");
}


sub evaluations {
    my $text = $voice->redis('INFO', 'commandstats');
    my $sum = 0;
    $sum += $1 while $text =~ /^cmdstat_eval(?:sha)?:calls=(\d+)/mg;

    return $sum;
}


# --- settings -------------------------------------------------------------

sub rehearsed {
    my $from = fresh();
    my $before = metric($one, 'dry_run');
    my $raw = Voice::Raw->new($one, $from);
    $raw->put("GET /rehearsal HTTP/1.1\r\nHost: x\r\n\r\n" x 8);
    my @replies = map { $raw->reply } 1 .. 8;

    is(scalar(grep { $_->{status} == 200 } @replies), 8,
       'a rehearsal admits all');
    is($replies[7]{headers}{'x-limit'}, 'dry_run',
       'and marks whom the limit would have refused');
    cmp_ok(metric($one, 'dry_run') - $before, '>=', 5, 'they are counted');
    like(Voice::slurp("$voice->{stack}{log}/nginx.log"), qr/\[notice\].*dry run: the limit "lone"/,
         'and logged');

    configuration($one, sub { $_[0] . "voice_limit_dry_run on;\n" });
    $from = fresh();
    is(burst($one, '/lone', $from, 8)->{200}, 8,
       'the whole edge may be rehearsed');
    configuration($one, sub { $_[0] =~ s/voice_limit_dry_run on;\n//r });
    cmp_ok(burst($one, '/lone', fresh(), 8)->{429} // 0, '>=', 5,
           'and turned back');
}


sub configuration {
    my ($node, $edit) = @_;

    my $file = "$node->{data}/etc/edge.conf";
    Voice::spew($file, $edit->(Voice::slurp($file)));
    my ($status, $output) = $node->reload;
    is($status, 0, 'reloaded') or diag($output);
}


sub reloaded {
    my $from = fresh();
    my $began = time;
    my $sum = 0;

    for (1 .. 4) {
        $sum += burst($one, '/slow', $from, 30)->{200} // 0;
        my ($status, $output) = $one->reload;
        is($status, 0, 'the edge is reloaded') or diag($output);
    }

    cmp_ok($sum, '<=', bound('slow', time - $began),
           'no reload gives a bucket anew');
    is(ask($one, '/small', fresh())->{status}, 200,
       'a new process admits its first request');
}


# --- whose bucket ---------------------------------------------------------

sub users {
    my $person = $voice->{acme};

    $voice->sql("insert into core.plan (id, name, limits, user_limits) values"
        . " ('narrow', 'Narrow', '{\"read\": {\"rate\": 20, \"burst\": 60}}',"
        . " '{\"read\": {\"rate\": 1, \"burst\": 8}}')");
    $voice->sql("update core.tenant set plan = 'narrow' where id = "
        . "'$person->{tenant_id}'");

    my $reply = $voice->wait_for(sub {
        my $reply = as($person);
        return ($reply->{headers}{'ratelimit-policy'} // '')
            =~ /^"read-user"/ && $reply;
    }, 20);
    is($reply && $reply->{headers}{'ratelimit-policy'}, '"read-user";q=8;w=8',
       'a plan gives each user a limit of his own');

    my %status;
    $status{as($person)->{status}}++ for 1 .. 20;
    cmp_ok($status{429} // 0, '>=', 8, 'which he meets');

    # a key's own limit, over all classes
    my $key = $two->call('create_api_key', as => $person, body => {
        name => 'limited', role => 'viewer',
        limits => { rate => 1, burst => 4 } })->{json}{data};
    $reply = ask($one, '/api/v1/test-suites', fresh(),
                 'X-API-Key' => $key->{secret});
    is($reply->{headers}{'ratelimit-policy'}, '"key";q=4;w=4',
       'a key may have its own over all classes');
}


sub as {
    my ($person) = @_;

    return ask($one, '/api/v1/test-suites', fresh(),
               Authorization => "Bearer $person->{token}");
}


# Bad credentials count against the address, and only against it.
sub failures {
    my $from = fresh();
    my %known = (Authorization => "Bearer $voice->{acme}{token}");
    my %status;

    is(ask($one, '/known', $from, %known)->{status}, 200,
       'a credential is verified');
    for my $n (1 .. 40) {
        my $reply = ask($one, '/known', $from, 'X-API-Key' => "none$n");
        $status{$reply->{status}}++;
    }
    cmp_ok($status{401}, '>=', 10, 'bad ones are refused');
    cmp_ok($status{401}, '<=', 30, 'until there were too many');
    cmp_ok($status{429} // 0, '>=', 10, 'then none is verified any more');
    is(ask($one, '/known', $from, %known)->{status}, 200,
       'but one that is known goes on');
    is(ask($one, '/known', fresh(), 'X-API-Key' => 'none')->{status}, 401,
       'and other addresses do');
}


# --- without Redis --------------------------------------------------------

sub without_redis {
    my $from = fresh();

    # the nodes have met the bucket, and hold their shares of it
    burst($_, '/big', $from, 1) for $one, $two;
    my $began = time;
    $voice->stack('stop', 'redis');

    my ($sum, $seconds) = hammer('/big', $from, 8, $one, $two);
    my $part = $class{big}[0] * ($seconds - 4);
    cmp_ok($sum, '<=', bound('big', time - $began),
           'without Redis two nodes admit no more than the limit');
    cmp_ok($sum, '>=', 0.5 * $part, 'but their shares');

    my $reply = ask($one, '/lone', fresh());
    is($reply->{status}, 503, 'where a node has no share it says so');
    like($reply->{headers}{'retry-after'}, qr/^\d+$/, 'with a time to wait');

    $voice->stack('start', 'redis');
    ok($voice->wait_for(sub {
        ask($one, '/lone', fresh())->{status} == 200;
    }, 20), 'when Redis is back it decides again');
}


# One that can be reached and does nothing but fail.
sub failing_redis {
    my $from = fresh();

    burst($_, '/big', $from, 1) for $one, $two;
    my $began = time;
    $voice->redis('CONFIG', 'SET', 'maxmemory', 1);

    my ($sum, $seconds) = hammer('/big', $from, 10, $one, $two);
    cmp_ok($sum, '<=', bound('big', time - $began),
           'while Redis fails two nodes admit no more than the limit');
    cmp_ok($sum, '>=', 0.5 * $class{big}[0] * ($seconds - 6),
           'but their shares');

    my $complaints = () = Voice::slurp("$voice->{stack}{log}/nginx.log")
        =~ /limits: Redis refused the script/g;
    cmp_ok($complaints, '>', 0, 'the log says why');
    cmp_ok($complaints, '<=', 8, 'not for each request');

    $voice->redis('CONFIG', 'SET', 'maxmemory', 0);
    ok($voice->wait_for(sub {
        ask($one, '/lone', fresh())->{status} == 200;
    }, 20), 'when it works again it decides');
}


# Clients that go away while their requests wait for a Redis that hangs.
sub vanished {
    my $from = fresh();
    my $redis = $voice->pid('redis');

    for my $hangs (0, 1) {
        kill 'STOP', $redis;
        for (1 .. 150) {
            my $raw = Voice::Raw->new($_ % 2 ? $one : $two, $from);
            $raw->put("GET /small HTTP/1.1\r\nHost: x\r\n\r\n" x 3);
        }
        ok(!$hangs || $voice->wait_for(sub {
            ask($one, '/lone', fresh())->{status} == 503;
        }, 30), 'clients have gone while Redis hung');
        kill 'CONT', $redis;

        ok($voice->wait_for(sub {
            ask($one, '/lone', fresh())->{status} == 200
                && ask($two, '/lone', fresh())->{status} == 200;
        }, 30), 'others are served when it goes on');
    }
}


sub emptied {
    ok($voice->wait_for(sub {
        (burst($one, '/slow', fresh(), 3)->{200} // 0) == 3;
    }, 30), 'buckets are filled again');

    my $before = metric($one, 'epochs') + metric($two, 'epochs');
    my $began = time;
    $voice->redis('FLUSHALL');
    ok($voice->wait_for(sub {
        metric($one, 'epochs') + metric($two, 'epochs') > $before;
    }, 20), 'a Redis that was emptied is noticed');

    my $other = fresh();
    my $status = burst($two, '/slow', $other, 20);
    cmp_ok($status->{200} // 0, '<=', 2 + (time - $began),
           'after which every bucket begins empty');
}


# Killed, it may have lost what it granted last.
sub restarted {
    my $before = metric($one, 'epochs') + metric($two, 'epochs');

    kill 'KILL', $voice->pid('redis');
    $voice->wait_for(sub { !$voice->pid('redis') }, 20);
    my $began = time;
    $voice->stack('start', 'redis');

    ok($voice->wait_for(sub {
        metric($one, 'epochs') + metric($two, 'epochs') > $before;
    }, 20), 'a Redis that was killed is noticed');
    my $status = burst($two, '/slow', fresh(), 20);
    cmp_ok($status->{200} // 0, '<=', 2 + (time - $began),
           'and begins empty, too');
}
