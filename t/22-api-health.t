#!/usr/bin/perl

# The service about itself: health, readiness, figures, contract and page.

# covers: docs contract

use strict;
use warnings;

use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Raw;

my $voice = Voice->start(workers => 0, processes => 2);
my $owner = $voice->tenant('acme');

health();
contract();
docs();
exposition();
counts();
readiness();
with_hanging();
without_redis();
without_postgres();

$voice->finish;


sub health {
    my $reply = $voice->call('health');

    is($reply->{status}, 200, 'the edge lives');
    is($reply->{json}{status}, 'healthy', 'and says so');
    is($voice->request('GET', '/health?x=1')->{status}, 200,
       'whatever stands in its query');
}


# --- the contract and its page --------------------------------------------

sub contract {
    my $reply = $voice->request('GET', '/openapi.json');
    my $served = $reply->{json};
    my %union;

    for my $file (glob "$Voice::ROOT/conf/openapi/*.json") {
        merge(\%union, decode_json(Voice::slurp($file)), $file);
    }

    is($reply->{headers}{'content-type'}, 'application/json',
       'the contract is JSON');
    is_deeply(as_written($served->{paths}, $union{paths}), $union{paths},
              'with the paths of all its files');
    is_deeply($served->{components}, $union{components},
              'and their components');
    is_deeply([map { $served->{$_} } qw(openapi info tags x-limits x-errors)],
              [map { $union{$_} } qw(openapi info tags x-limits x-errors)],
              'and all that stands beside them');
    is(join(' ', sort keys %$served), join(' ', sort keys %union),
       'and nothing else');
}


# Without what every POST with an Idempotency-Key has of itself.
sub as_written {
    my ($paths, $files) = @_;

    for my $path (keys %$paths) {
        my $operation = $paths->{$path}{post} or next;
        my $written = $files->{$path}{post};
        my @own = grep {
            ($_->{'$ref'} // '') !~ m{/IdempotencyKey$}
        } @{$operation->{parameters} || []};

        @own ? ($operation->{parameters} = \@own)
             : delete $operation->{parameters};
        delete @{$operation->{responses}}{
            grep { !$written->{responses}{$_} } 409, 422 };
    }

    return $paths;
}


sub merge {
    my ($into, $from, $file) = @_;

    for my $name (keys %$from) {
        if (ref $into->{$name} eq 'HASH' && ref $from->{$name} eq 'HASH') {
            merge($into->{$name}, $from->{$name}, $file);
        } else {
            die "$file: $name stands twice\n" if exists $into->{$name};
            $into->{$name} = $from->{$name};
        }
    }
}


sub docs {
    my $page = $voice->request('GET', '/docs');

    is($page->{status}, 200, 'the contract has a page');
    is($page->{headers}{'content-type'}, 'text/html; charset=utf-8',
       'in HTML');
    ok($page->{content} =~ m{/openapi\.json}, 'that shows the contract');

    my @fetched = $page->{content} =~ m{
        <(?:script|img|iframe)[^>]*\ssrc\s*=\s*["']?(?:https?:)?//[^>]*
        |<link\b[^>]*|url\(["']?https?:[^)]*|src:\s*["']https?:[^"']*
        |//cdn\.[\w./-]*}xig;
    is("@fetched", '', 'and fetches nothing from elsewhere');
}


# --- figures --------------------------------------------------------------

# The text format 0.0.4, read strictly; and what its linters demand.
sub exposition {
    my $reply = $voice->call('metrics');
    my ($families, @faults) = parse($reply->{content});

    is($reply->{headers}{'content-type'},
       'text/plain; version=0.0.4; charset=utf-8', 'figures have their type');
    is(join("\n", @faults), '', 'each line is as it should be');

    for my $name (qw(requests_total request_duration_seconds errors_total
                     queue_depth active_workers))
    {
        ok($families->{$name}, "$name is told");
    }

    my @lint;
    for my $name (sort keys %$families) {
        my $type = $families->{$name}{type};
        push @lint, "$name: counter without _total"
            if $type eq 'counter' && $name !~ /_total$/;
        push @lint, "$name: $type with a counter's name"
            if $type ne 'counter' && $name =~ /_total$/;
        push @lint, "$name: reserved ending" if $name =~ /_(?:bucket|count
                                                        |sum|info)$/x;
        push @lint, "$name: type in its name"
            if $name =~ /gauge|counter|histogram/;
        push @lint, "$name: unit is no base unit"
            if $name =~ /_(?:ms|milliseconds|minutes|kb|kilobytes|percent)\b/;
        push @lint, histogram($name, $families->{$name})
            if $type eq 'histogram';
    }
    is(join("\n", @lint), '', 'and a linter has nothing to say');
}


# ({name => {type, samples => [[name, labels, value]]}}, faults...)
sub parse {
    my ($text) = @_;

    my (%families, %series, @faults, $now);
    my $label = qr/[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"/;
    my $value = qr/[+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Inf)|NaN/;

    push @faults, 'no line feed at the end' unless $text =~ /\n\z/;

    for my $line (split /\n/, $text) {
        if ($line =~ /^# HELP ([a-zA-Z_:][\w:]*) (\S.*)$/) {
            push @faults, "twice: $line" if $families{$1};
            $families{$1} = { help => $2, samples => [] };
            $now = $1;
        } elsif ($line =~ /^\#\ TYPE\ ([a-zA-Z_:][\w:]*)
                            \ (counter|gauge|histogram)$/x)
        {
            push @faults, "out of place: $line"
                if !defined $now || $1 ne $now || $families{$1}{type};
            $families{$1}{type} = $2;
        } elsif ($line =~ /^([a-zA-Z_:][\w:]*)
                            (?:\{($label(?:,$label)*)\})?\ ($value)$/x)
        {
            my ($name, $labels, $number) = ($1, $2 // '', $3);
            my $family = $name;
            $family =~ s/_(?:bucket|sum|count)$//
                if ($families{$now // ''}{type} // '') eq 'histogram';
            push @faults, "in another family: $line" if $family ne $now;
            push @faults, "twice: $line" if $series{"$name $labels"}++;
            push @{$families{$family}{samples}}, [$name, $labels, $number];
        } else {
            push @faults, "no line: $line";
        }
    }

    push @faults, map { "$_ has no type" }
        grep { !$families{$_}{type} } sort keys %families;

    return (\%families, @faults);
}


# Buckets grow to +Inf, which is the count; there is a sum.
sub histogram {
    my ($name, $family) = @_;

    my (%last, %count, %sum, @faults);

    for my $sample (@{$family->{samples}}) {
        my ($kind, $labels, $value) = @$sample;
        if ($kind eq "${name}_bucket") {
            $labels =~ s/,?le="([^"]*)"//;
            my $le = $1 eq '+Inf' ? 9**9**9 : $1;
            my $old = $last{$labels} // [-1, 0];
            push @faults, "$name\{$labels\} at $1"
                if $le <= $old->[0] || $value < $old->[1];
            $last{$labels} = [$le, $value];
        }
        $count{$labels} = $value if $kind eq "${name}_count";
        $sum{$labels} = $value if $kind eq "${name}_sum";
    }
    for my $labels (keys %last) {
        push @faults, "$name\{$labels\} has another count"
            if $last{$labels}[0] != 9**9**9
                || $last{$labels}[1] != ($count{$labels} // -1);
        push @faults, "$name\{$labels\} has no sum"
            unless defined $sum{$labels};
    }

    return @faults;
}


# Requests of known number, some to one process alone, some to the other:
# counted each once, whichever process is asked.
sub counts {
    my @pids = $voice->children('nginx');
    my %request = (
        'requests_total method="GET",endpoint="/api/v1/auth/me",status="200"'
            => "GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n"
               . "Authorization: Bearer $owner->{token}\r\n",
        'requests_total method="GET",endpoint="/api/v1/auth/me",status="401"'
            => "GET /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n",
        'requests_total method="GET",endpoint="/api/v1/test-suites/{id}",'
        . 'status="404"'
            => 'GET /api/v1/test-suites/00000000-0000-7000-8000-000000000000'
               . " HTTP/1.1\r\nHost: x\r\n"
               . "Authorization: Bearer $owner->{token}\r\n",
        'requests_total method="GET",endpoint="-",status="404"'
            => "GET /nowhere/at/all HTTP/1.1\r\nHost: x\r\n",
        'requests_total method="DELETE",endpoint="-",status="405"'
            => "DELETE /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n",
    );
    my $before = figures();
    my $each = 0;

    is(scalar @pids, 2, 'two processes serve');

    for my $stopped (@pids) {
        kill 'STOP', $stopped;
        $voice->wait_for(sub {
            Voice::slurp("/proc/$stopped/stat") =~ /\) T /;
        }, 10) or die "process $stopped does not stop\n";
        for (1 .. 7) {
            $each++;
            for my $key (sort keys %request) {
                my $raw = Voice::Raw->new($voice);
                $raw->put("$request{$key}Connection: close\r\n\r\n");
                $raw->reply or diag("no reply: $key");
            }
        }
        kill 'CONT', $stopped;
    }

    my $now;
    my $count = sub { ($now->{$_[0]} // 0) - ($before->{$_[0]} // 0) };
    $voice->wait_for(sub {
        $now = figures();
        return !grep { $count->($_) < $each } keys %request;
    }, 10);

    for my $key (sort keys %request) {
        my ($name) = $key =~ /endpoint="([^"]*)"/;
        my ($status) = $key =~ /status="(\d+)"/;
        is($count->($key), $each,
           "$each requests of $name with $status are $each");
    }
    is($count->('request_duration_seconds_count method="GET",'
                . 'endpoint="/api/v1/auth/me"'), 2 * $each,
       'and as many durations');
    is($count->('errors_total type="RESOURCE_NOT_FOUND",service="database"'),
       $each, 'errors are counted by who found them');
    is($count->('errors_total type="METHOD_NOT_ALLOWED",service="edge"'),
       $each, 'each once');

    my @answers = map { figures()->{'requests_total method="DELETE",'
        . 'endpoint="-",status="405"'} } 1 .. 10;
    is(scalar(grep { $_ == $answers[0] } @answers), 10,
       'whoever is asked tells the same');
}


# Samples by "name labels".
sub figures {
    my $raw = Voice::Raw->new($voice);

    $raw->put("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    my ($families) = parse($raw->reply->{content});

    return { map { ("$_->[0] $_->[1]" => $_->[2]) }
             map { @{$_->{samples}} } values %$families };
}


# --- what the service depends on ------------------------------------------

sub readiness {
    my $reply = $voice->call('ready');

    is($reply->{status}, 200, 'without workers the service answers');
    is($reply->{json}{status}, 'degraded', 'if less than well');
    is(states($reply), 'database:ok redis:ok workers:degraded',
       'and says what is missing');

    $voice->sql(q{select work.beat('test', '{}', '{}', '{}')});
    my $ready = $voice->call('ready');
    is($ready->{json}{status}, 'healthy', 'with workers it is well');
    is(states($ready), 'database:ok redis:ok workers:ok', 'in all parts');
}


sub states {
    my ($reply) = @_;

    my $parts = $reply->{json}{dependencies};

    return join ' ', map { "$_:$parts->{$_}" } sort keys %$parts;
}


sub without_redis {
    my $suite = $voice->call('create_test_suite', as => $owner,
        body => { name => 'Redis' })->{json}{data}{id};
    $voice->call('create_test_case', as => $owner, body => {
        name => 'x', suite_id => $suite, languages => [
            { language_code => 'en-US', input_text => 'hello' }] });

    $voice->stack('stop', 'redis');

    my $reply = $voice->wait_for(sub {
        my $reply = $voice->call('ready');
        return $reply->{json}{status} eq 'degraded' && $reply;
    }, 20);
    is($reply->{status}, 200, 'without Redis the service answers');
    like(states($reply), qr/^database:ok redis:(?!ok)\w+ workers:ok$/,
         'and says so');
    is($voice->call('create_test_run', as => $owner,
                    body => { suite_id => $suite })->{status}, 201,
       'runs are still taken: what PostgreSQL has is not lost');
    is($voice->request('GET', '/health')->{status}, 200, 'the edge lives');

    $voice->stack('start', 'redis');
    ok($voice->wait_for(sub {
        beat();
        return $voice->call('ready')->{json}{status} eq 'healthy';
    }, 30), 'with Redis again all is well');
}


sub without_postgres {
    $voice->stack('stop', 'postgres');

    my $reply = $voice->wait_for(sub {
        my $reply = $voice->call('ready');
        return $reply->{status} == 503 && $reply;
    }, 20);
    is($reply->{json}{status}, 'unhealthy',
       'without PostgreSQL the service is not ready');
    like(states($reply), qr/^database:(?!ok)\w+ redis:ok/, 'and says why');
    like($reply->{headers}{'retry-after'} // '', qr/^\d+$/,
         'and when to come again');

    my $me = $voice->call('me', as => $owner);
    is(improper($voice, $me, 503), '', 'what needs data is 503');
    is($me->{json}{error}{code}, 'SERVICE_UNAVAILABLE', 'by its code');
    is($voice->request('GET', '/health')->{status}, 200, 'the edge lives');
    my ($families, @faults) = parse($voice->request('GET', '/metrics')
                                          ->{content});
    is("@faults", '', 'its own figures are still told');
    ok($families->{requests_total}, 'those of requests first of all');

    $voice->stack('start', 'postgres');
    ok($voice->wait_for(sub {
        beat();
        return $voice->call('ready')->{json}{status} eq 'healthy';
    }, 30), 'with PostgreSQL again all is well');
    is($voice->call('me', as => $owner)->{status}, 200,
       'and people are still logged in');
}


# Stopped, they take connections and bytes, and never answer.
sub with_hanging {
    my $postgres = $voice->pid('postgres');
    my @all = ($postgres, $voice->children('postgres'), $voice->pid('redis'));

    kill 'STOP', @all;
    my $start = time;
    my $reply = $voice->request('GET', '/health');
    cmp_ok(time - $start, '<', 0.5, 'the edge lives while all else hangs');
    is($reply->{status}, 200, 'and says so');

    $start = time;
    $reply = $voice->call('ready');
    cmp_ok(time - $start, '<', 2, 'that it is not ready is told in time');
    is($reply->{status}, 503, 'by its status');
    like(states($reply), qr/^database:(?!ok)\w+ redis:(?!ok)/,
         'and what hangs');
    kill 'CONT', @all;

    ok($voice->wait_for(sub {
        beat();
        return $voice->call('ready')->{json}{status} eq 'healthy';
    }, 30), 'when they go on, so does the edge');
}


sub beat {
    $voice->sql(q{select work.beat('test', '{}', '{}', '{}')});
}
