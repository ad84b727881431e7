#!/usr/bin/perl

# Idempotency-Key: one effect, however often the request comes, and whatever
# dies between the commit and the reply.

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
my $other = $voice->tenant('beta');
my $keys = 0;

documented();
replayed();
other_requests();
whose_keys();
forms_of_keys();
errors();
secrets();
under_way();
opted_out();
jobs_wake_once();
killed();
passwords();
forgotten();

$voice->finish(alerts => qr/worker process \d+ exited on signal 9/);


sub key { return 'key-' . ++$keys }


# Makes a suite under a key.
sub suite {
    my ($name, $key, %arg) = @_;

    return $voice->call('create_test_suite', as => $arg{as} // $owner,
        headers => { 'Idempotency-Key' => $key, %{$arg{headers} || {}} },
        body => { name => $name, %{$arg{body} || {}} });
}


sub suites {
    my ($name) = @_;

    return $voice->sql('select count(*) from core.test_suite'
                       . ' where name = :\'name\'', name => $name);
}


sub replayed_as { return $_[0]{headers}{'idempotent-replayed'} // 'no' }


sub stored { return $voice->sql('select count(*) from core.idempotency') }


sub documented {
    my $operations = $voice->{operations};
    my %has;

    for my $name (sort keys %$operations) {
        my @refs = map { $_->{'$ref'} // '' }
            @{$operations->{$name}{parameters} || []};
        $has{$name} = grep { m{/IdempotencyKey$} } @refs;
    }

    my @posts = grep { $operations->{$_}{method} eq 'POST'
                       && $operations->{$_}{path} =~ m{^/api/v1/} }
        keys %has;
    my @without = sort grep { !$has{$_} } @posts;

    # a stored ticket would be one that was used
    is("@without", 'create_stream_ticket login refresh',
       'every POST of an identified caller documents the header');
    is(scalar(grep { $has{$_} } keys %has), @posts - @without,
       'and nothing else does');
    ok($operations->{create_test_suite}{responses}{409},
       'with the reply to a request that is under way');
}


sub replayed {
    my $key = key();
    my $first = suite('One', $key);
    my $again = suite('One', $key, headers => { 'X-Request-Id' => 'second' });

    is($first->{status}, 201, 'a request with a key is done');
    is(replayed_as($first), 'no', 'the first reply is no repetition');
    is($again->{status}, 201, 'it comes again and has its status');
    is(replayed_as($again), 'true', 'the reply says that it is stored');
    is_deeply($again->{json}{data}, $first->{json}{data}, 'with its data');
    is($again->{headers}{$_}, $first->{headers}{$_}, "and its $_")
        for qw(location etag content-type);
    is($again->{json}{request_id}, 'second',
       'the request id is that of the repetition');
    is(suites('One'), 1, 'there is one effect');
    is(suite('One', $key)->{status}, 201, 'a third time, too');

    $voice->call('create_test_suite', as => $owner,
                 body => { name => 'One' });
    is(suites('One'), 2, 'without the key it is another request');
}


sub other_requests {
    my $key = key();
    my $first = suite('Two', $key, body => { description => 'd' });

    is(suite('Three', $key)->{json}{error}{code}, 'IDEMPOTENCY_KEY_REUSED',
       'another body under the key is refused');
    is(suites('Three'), 0, 'and not done');

    my $elsewhere = $voice->call('create_expected_outcome', as => $owner,
        headers => { 'Idempotency-Key' => $key },
        body => { outcome_code => 'X', name => 'Two' });
    is($elsewhere->{status}, 422, 'so is another operation');

    my $body = '{ "description" : "d",  "name":"Two" }';
    my $same = $voice->request('POST', '/api/v1/test-suites',
        headers => { Authorization => "Bearer $owner->{token}",
                     'Content-Type' => 'application/json',
                     'Idempotency-Key' => $key }, content => $body);
    is($same->{json}{data}{id}, $first->{json}{data}{id},
       'another spelling of the same body is the same request');
}


sub whose_keys {
    my $key = key();
    my $mine = suite('Ours', $key);
    my $theirs = suite('Ours', $key, as => $other);
    my $admin = $voice->person('acme', 'admin');
    my $colleague = suite('Of a colleague', $key, as => $admin);

    is($theirs->{status}, 201, 'another tenant may use the same key');
    is(replayed_as($theirs), 'no', 'and gets nothing of ours');
    isnt($theirs->{json}{data}{id}, $mine->{json}{data}{id}, 'but its own');
    is($colleague->{status}, 201, 'so may another person of the tenant');

    is($voice->request('POST', '/api/v1/test-suites',
           headers => { 'Idempotency-Key' => $key,
                        'Content-Type' => 'application/json' },
           content => '{"name":"Ours"}')->{status}, 401,
       'a key is no credential');
}


sub forms_of_keys {
    my %good = (uuid => '8e03978e-40d5-43dd-bc93-6894a57f9324',
                'one character' => '!', '255 characters' => 'x' x 255);

    for my $what (sort keys %good) {
        is(suite("Key: $what", $good{$what})->{status}, 201,
           "a key of $what is taken");
        is(replayed_as(suite("Key: $what", "\"$good{$what}\"")), 'true',
           'and is the same as a string');
    }

    my %bad = ('256 characters' => 'x' x 256, 'a blank' => 'a b',
               'an open quote' => '"abc', 'an empty string' => '""',
               'nothing' => '', 'parameters' => '"abc";a=1');

    for my $what (sort keys %bad) {
        refused(suite("Bad key: $what", $bad{$what}),
                '/header/idempotency_key', "a key with $what");
        is(suites("Bad key: $what"), 0, 'and nothing done');
    }

    for my $twice ("a\r\nIdempotency-Key: b", "a\xe9", "a\x01") {
        is(post('/api/v1/test-suites', $twice, '{"name":"Raw"}')->reply
               ->{status}, 422, 'two keys, high bytes, controls are refused');
    }
}


sub errors {
    my $before = stored();
    my $key = key();

    is(suite('', $key)->{status}, 422, 'what the contract refuses');
    is($voice->call('create_test_run', as => $owner,
           headers => { 'Idempotency-Key' => $key }, body => {
               suite_id => '00000000-0000-7000-8000-000000000000' })
           ->{status}, 404, 'or a rule');
    is(stored(), $before, 'is not stored');
    is(suite('Mended', $key)->{status}, 201,
       'so that the key is good for the mended request');
}


sub passwords {
    my $eve = $voice->person('acme', 'viewer', 'eve@acme.example');
    my $key = key();
    my %good = (as => $eve, headers => { 'Idempotency-Key' => $key },
        body => { current_password => $eve->{password},
                  new_password => 'Other-Horse-9' });
    my $first = $voice->call('change_password', %good);
    my $again = $voice->call('change_password', %good);
    is($first->{status}, 200, 'a password is changed');
    is($again->{status}, 200,
       'a second time nothing is, though the old one is wrong by now');
    is(replayed_as($again), 'true', 'and the repetition says so');

    my $before = stored();
    # A wrong password is counted: a refusal that commits.
    my $person = $voice->person('acme', 'viewer', 'pat@acme.example');
    $key = key();
    my %call = (as => $person, headers => { 'Idempotency-Key' => $key },
        body => { current_password => 'Wrong-Horse-9',
                  new_password => 'Other-Horse-9' });
    $first = $voice->call('change_password', %call);
    $again = $voice->call('change_password', %call);

    is(stored(), $before + 1, 'a refusal that committed is stored');
    is($again->{status}, 401, 'it comes again');
    is($again->{json}{error}{code}, $first->{json}{error}{code},
       'with its code');
    is(replayed_as($again), 'true', 'and marked');
}


sub secrets {
    my %call = (as => $owner, headers => { 'Idempotency-Key' => 'raw-key' },
        body => { name => 'secret', role => 'api_client' });
    my $first = $voice->call('create_api_key', %call);
    my $again = $voice->call('create_api_key', %call);
    my $secret = $first->{json}{data}{secret};

    ok(length $secret, 'an API key is made');
    is($again->{json}{data}{secret}, $secret,
       'the repetition shows its secret');

    my $rows = $voice->sql('select key_hash, fingerprint,'
        . ' encode(reply, \'escape\') from core.idempotency');
    unlike($rows, qr/\Q$secret\E|raw-key|"secret"|api_client/,
           'the table holds neither the reply nor the key in clear');

    for my $log (glob "$voice->{stack}{log}/*.log") {
        unlike(Voice::slurp($log), qr/\Q$secret\E|raw-key/,
               'nor does ' . $log =~ s{.*/}{}r);
    }
}


# The first request waits for a lock that we hold.
sub under_way {
    my $key = key();
    my $id = suite('Held', key())->{json}{data}{id};
    my $body = "{\"suite_id\":\"$id\",\"name\":\"Slow\",\"languages\":[]}";
    my $psql = hold("select from core.test_suite where id = '$id'"
                    . ' for update');

    my $first = post('/api/v1/test-cases', $key, $body);
    $voice->wait_for(sub { waiting() }, 20);

    my $began = time;
    my $second = post('/api/v1/test-cases', $key, $body)->reply;
    is($second->{status}, 409, 'while the first is under way the second');
    like($second->{content}, qr/IDEMPOTENCY_IN_PROGRESS/, 'is told so');
    cmp_ok($second->{headers}{'retry-after'}, '>=', 1, 'and when to come');
    ok(waiting(), 'it has not waited for it');

    let_go($psql);
    my $reply = $first->reply;
    my $third = post('/api/v1/test-cases', $key, $body)->reply;
    is($third->{status}, $reply->{status}, 'afterwards it gets the reply');
}


sub post {
    my ($path, $key, $body) = @_;

    my $raw = Voice::Raw->new($voice);
    $raw->put("POST $path HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: Bearer $owner->{token}\r\n"
        . "Content-Type: application/json\r\nIdempotency-Key: $key\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

    return $raw;
}


# A transaction of ours that stays open; its pipe.
sub hold {
    my ($query) = @_;

    local $ENV{PGPASSWORD}
        = Voice::slurp("$voice->{stack}{secrets}/postgres");
    open my $psql, '|-', 'psql', '-XAtq', '-o', '/dev/null', '-h',
        $voice->{stack}{sockets}, '-U', 'postgres', '-d',
        $voice->{stack}{database} or die "psql: $!";
    $psql->autoflush(1);
    print $psql "begin;\n$query;\n";
    $voice->wait_for(sub { $voice->sql('select count(*) from'
        . ' pg_stat_activity where state = \'idle in transaction\''
        . ' and application_name = \'psql\'') > 0 }, 20);

    return $psql;
}


sub let_go {
    my ($psql) = @_;

    print $psql "rollback;\n";
    close $psql;
}


sub waiting {
    return $voice->sql('select count(*) from pg_stat_activity'
        . ' where wait_event_type = \'Lock\' and usename = \'voice_edge\'')
        > 0;
}


sub opted_out {
    my $before = stored();
    my %headers = (headers => { 'Idempotency-Key' => key() });

    for (1 .. 2) {
        my $reply = $voice->call('login', %headers,
            body => { email => $owner->{email},
                      password => $owner->{password} });
        is($reply->{status}, 200, 'a login ignores the header');
        is(replayed_as($reply), 'no', 'and is a new one each time');
    }

    is(stored(), $before, 'nothing is stored of it');
}


sub jobs_wake_once {
    my $suite = suite('To run', key())->{json}{data}{id};
    $voice->call('create_test_case', as => $owner, body => {
        suite_id => $suite, name => 'Case', languages => [
            { language_code => 'en-US', input_text => 'hello' }] });

    my %call = (as => $owner, headers => { 'Idempotency-Key' => key() },
                body => { suite_id => $suite });
    my $first = $voice->call('create_test_run', %call);
    my $stream = 'voice:queue:test_execution';
    $voice->wait_for(sub { $voice->redis('XLEN', $stream) }, 20);
    my $woken = $voice->redis('XLEN', $stream);
    my $again = $voice->call('create_test_run', %call);

    is($again->{json}{data}{id}, $first->{json}{data}{id},
       'a run is started once');
    $voice->call('me', as => $owner);
    is($voice->redis('XLEN', $stream), $woken,
       'the repetition wakes no worker');
    is($voice->sql('select count(*) from core.job'), 1, 'there is one job');
    $voice->sql('delete from core.job');
    $voice->redis('DEL', $stream);
}


# Committed, but the reply is lost: with nginx, or with the connection to
# PostgreSQL.  A trigger that sleeps keeps the commit before the reply.
sub killed {
    for my $round (1 .. 4) {
        my $key = key();
        my $name = "Killed $round";
        my $psql = hold('select pg_advisory_lock(4711)');
        $voice->sql(<<'END');
create or replace function core.test_wait() returns trigger
language plpgsql as $$
begin
    if new.name like 'Killed%' then
        perform pg_advisory_xact_lock(4711);
    end if;
    return null;
end $$;
grant execute on function core.test_wait() to public;
set client_min_messages = warning;
drop trigger if exists test_wait on core.test_suite;
create constraint trigger test_wait after insert on core.test_suite
    deferrable initially deferred for each row
    execute function core.test_wait();
END
        my $raw = post('/api/v1/test-suites', $key, "{\"name\":\"$name\"}");
        $voice->wait_for(sub { waiting() }, 20);

        if ($round % 2) {
            kill 'KILL', $voice->children('nginx');
        } else {
            # the client leaves while the server commits
            $raw->abort;
        }

        let_go($psql);
        $voice->wait_for(sub { suites($name) == 1 || !waiting() }, 20);
        like(suites($name), qr/^[01]$/, 'it was done, or not');

        my $reply = $voice->wait_for(sub {
            my $try = eval { suite($name, $key) };
            return $try && $try->{status} !~ /^(?:409|5\d\d)$/ && $try;
        }, 30);
        is($reply->{status}, 201, 'the client that comes again is served');
        is(suites($name), 1, 'and there is one effect');
    }

    $voice->sql('drop trigger test_wait on core.test_suite;'
                . ' drop function core.test_wait()');

    # PostgreSQL's end of the connections goes, again and again.
    for my $round (1 .. 6) {
        my $key = key();
        my $raw = post('/api/v1/test-suites', $key, "{\"name\":\"Cut $round\"}");
        $voice->sql('select count(pg_terminate_backend(pid))'
            . ' from pg_stat_activity where usename = \'voice_edge\'');
        $raw->reply;
        my $reply = $voice->wait_for(sub {
            my $try = suite("Cut $round", $key);
            return $try->{status} !~ /^(?:409|5\d\d)$/ && $try;
        }, 30);
        is($reply->{status}, 201, 'a cut connection is no harm');
        is(suites("Cut $round"), 1, 'there is one effect');
    }
}


sub forgotten {
    my $key = key();
    my $first = suite('Old', $key);

    $voice->sql('update core.idempotency set created_at = created_at'
                . ' - interval \'24 hours\'');
    is(suite('New', $key)->{status}, 201,
       'after 24 hours the key is good for another request');
    is(replayed_as(suite('New', $key)), 'true', 'which is stored instead');

    $voice->sql('select work.purge()');
    is(stored(), 1, 'retention removes what is over');
}
