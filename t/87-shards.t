#!/usr/bin/perl

# Tenants in a shard: a database of their own, found by the host of the
# request, by their tokens and by their keys.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Raw;

my $voice = Voice->start(workers => 0, processes => 2);
my $stack = $voice->{stack};
my %env = (PGHOST => $stack->{sockets}, PGUSER => 'postgres',
           PGPASSWORD => Voice::slurp("$stack->{secrets}/postgres"),
           PGDATABASE => $stack->{database});

make_shard();

my $id = place('east', 'east.example');
my $main = $voice->tenant('acme');
my ($email, $password) = make_person('east');
my $east = login('east.example');

own_database();
keys_of_a_shard();
revocation();
mistakes();

$voice->finish(alerts => qr/no "voice_postgres" has the name/);


sub make_shard {
    local @ENV{keys %env} = values %env;

    $voice->sql('create database voice_east');
    {
        local $ENV{PGDATABASE} = 'voice_east';
        is(system("$Voice::ROOT/sql/migrate >$voice->{dir}/migrate.log 2>&1"),
           0, 'a shard is a database like the main one');
    }

    my $file = "$stack->{data}/etc/edge.conf";
    my ($uid, $gid) = (stat $file)[4, 5];
    my $text = Voice::slurp($file);
    $text =~ /^(voice_postgres [^;]*;)/m or die 'no voice_postgres';
    my $east = $1 =~ s/voice_postgres /voice_postgres name=east /r
                  =~ s/dbname=\S+/dbname=voice_east/r;
    Voice::spew($file, $text =~ s/^(voice_postgres [^;]*;)/$1\n$east\nvoice_hosts on;/mr);
    chown $uid, $gid, $file;

    my %preload = %{$stack->{preload}};
    local @ENV{keys %preload} = values %preload;
    is(system("$Voice::ROOT/bin/voicegate-reload", '--pid-file',
              "$stack->{data}/run/nginx.pid"), 0, 'a reload takes it');
}


sub place {
    my ($name, $host) = @_;

    local @ENV{keys %env} = values %env;
    my @command = ("$Voice::ROOT/bin/voicegate-admin", 'place', '--tenant',
                   $name, '--shard', 'east', '--host', $host, '--database',
                   'voice_east');
    my ($id) = run(@command) =~ /is tenant (\S+) in shard east/;

    ok($id, 'a tenant is placed in it');
    like(run(@command), qr/is tenant $id in/, 'which may be repeated');

    return $id;
}


sub make_person {
    my ($tenant) = @_;

    local @ENV{keys %env} = values %env;
    local $ENV{PGDATABASE} = 'voice_east';
    my $email = "owner\@$tenant.example";
    my $output = run("$Voice::ROOT/bin/voicegate-admin", 'create',
                     '--email', $email, '--tenant', $tenant);
    my ($password) = $output =~ /password:? (\S+)/;
    ok($password, 'its people are made there') or diag($output);

    return ($email, $password);
}


sub login {
    my ($host) = @_;

    my $reply = login_at($host);
    is($reply->{status}, 200, "they log in at $host");

    my $data = JSON::PP::decode_json($reply->{content})->{data};

    return { token => $data->{tokens}{access_token},
             tenant_id => $data->{tenant}{id} };
}


sub own_database {
    is($east->{tenant_id}, $id, 'in the tenant that was placed');

    my $suite = $voice->call('create_test_suite', as => $east,
        body => { name => 'In the east' });
    is($suite->{status}, 201, 'their token leads to the shard');
    is(on_east('select count(*) from core.test_suite'), 1,
       'where what they make is');
    is($voice->sql('select count(*) from core.test_suite'), 0,
       'and nothing in the main database');

    is($voice->call('get_test_suite', as => $main,
                    path => { id => $suite->{json}{data}{id} })->{status},
       404, 'a tenant of the main database sees none of it');
    is($voice->call('list_test_suites', as => $main)
        ->{json}{pagination}{total_items}, 0, 'nor lists it');
    is(at('east.example', 'GET', '/api/v1/test-suites',
          Authorization => "Bearer $main->{token}")->{status}, 403,
       'a token of another tenant is refused at its host');
}


sub keys_of_a_shard {
    my $key = $voice->call('create_api_key', as => $east,
        body => { name => 'robot', role => 'api_client' })
        ->{json}{data}{secret};
    my @headers = ('X-API-Key' => $key);

    is(at('east.example', 'GET', '/api/v1/test-suites', @headers)
        ->{status}, 200,
       'a key of a tenant in a shard is good at its host');
    is($voice->request('GET', '/api/v1/test-suites',
                       headers => { @headers })->{status}, 200,
       'and known from then on');
}


sub revocation {
    is($voice->call('logout', as => $east)->{status}, 200,
       'a session of the shard ends');
    is($voice->call('me', as => $east)->{status}, 401, 'and is over');

    $voice->sql("update core.tenant set status = 'suspended'
                  where id = '$id'");
    my $again = login_status();
    ok($voice->wait_for(sub { login_status() == 403 }, 20),
       'the main database suspends a tenant wherever its data are');
    $voice->sql("update core.tenant set status = 'active' where id = '$id'");
    ok($voice->wait_for(sub { login_status() == 200 }, 20),
       'and lets it in again');
}


sub mistakes {
    $voice->sql("update core.tenant set shard = 'west' where id = '$id'");
    ok($voice->wait_for(sub { login_status() == 503 }, 20),
       'a shard that no voice_postgres names is 503');
    $voice->sql("update core.tenant set shard = 'east' where id = '$id'");
    ok($voice->wait_for(sub { login_status() == 200 }, 20),
       'until it is corrected');

    local @ENV{keys %env} = values %env;
    like(run("$Voice::ROOT/bin/voicegate-admin", 'place', '--tenant', 'acme',
             '--shard', 'east', '--host', 'acme.example', '--database',
             'voice_east'), qr/has people in the main database/,
         'who is in the main database is not moved');
}


sub login_status { return login_at('east.example')->{status} }


sub login_at {
    my ($host) = @_;

    my $body = JSON::PP::encode_json(
        { email => $email, password => $password });

    return at($host, 'POST', '/api/v1/auth/login', 'Content-Type' =>
              'application/json', 'Content-Length' => length $body, $body);
}


# A request to a host; what is left after the headers is the body.
sub at {
    my ($host, $method, $path, @headers) = @_;

    my $body = @headers % 2 ? pop @headers : '';
    my %headers = @headers;
    my $raw = Voice::Raw->new($voice);

    $raw->put("$method $path HTTP/1.1\r\nHost: $host\r\n"
              . "Connection: close\r\n"
              . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers)
              . "\r\n$body");

    return $raw->reply;
}


sub on_east {
    my ($query) = @_;

    local @ENV{keys %env} = values %env;
    my $rows = run('psql', '-XAtq', '-d', 'voice_east', '-c', $query);
    chomp $rows;

    return $rows;
}


sub run {
    my (@command) = @_;

    open my $out, '-|', 'sh', '-c', '"$@" 2>&1', 'sh', @command
        or die "$command[0]: $!";
    my $output = do { local $/; <$out> } // '';
    close $out;

    return $output;
}
