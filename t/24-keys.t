#!/usr/bin/perl

# API keys: two secrets after a rotation, scopes, expiry, limits; and that no
# secret is told twice.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my @secrets;

rotation();
overlap();
uses();
refusals();
values_checked();
bounds();
limits();
passwords();
silence();

$voice->finish;


sub make {
    my ($name, %body) = @_;

    my $reply = $voice->call('create_api_key', as => delete $body{as} // $owner,
        body => { name => $name, role => 'api_client', %body });
    push @secrets, $reply->{json}{data}{secret} // ();

    return $reply->{json}{data};
}


sub rotate {
    my ($key, %arg) = @_;

    my $reply = $voice->call('rotate_api_key', as => $arg{as} // $owner,
        path => { id => $key->{id} }, headers => $arg{headers} // {},
        body => exists $arg{overlap} ? { overlap_seconds => $arg{overlap} }
                                     : {});
    push @secrets, $reply->{json}{data}{secret} // ();

    return $reply;
}


sub shown {
    my ($key) = @_;

    return $voice->call('get_api_key', as => $owner,
                        path => { id => $key->{id} })->{json}{data};
}


sub status {
    my ($secret) = @_;

    return $voice->call('list_test_suites', as => { api_key => $secret })
        ->{status};
}


# Refused, at the latest when the edge has heard of the change.
sub ended {
    my ($secret) = @_;

    return $voice->wait_for(sub { status($secret) == 401 }, 10);
}


sub rotation {
    my $key = make('rotated');
    is(status($key->{secret}), 200, 'a new key opens the door');
    is($key->{previous}, undef, 'and has one secret');

    my $reply = rotate($key, overlap => 3600);
    my $second = $reply->{json}{data};
    is($reply->{status}, 200, 'it is rotated');
    isnt($second->{secret}, $key->{secret}, 'to another secret');
    is(substr($second->{secret}, 0, 13), "$key->{prefix}_",
       'that begins like the first');
    is($second->{last_four}, substr($second->{secret}, -4),
       'and ends as shown');
    is($second->{previous}{last_four}, $key->{last_four},
       'the first is shown as the previous one');
    is(status($second->{secret}) . status($key->{secret}), '200200',
       'both work');

    my $third = rotate($key, overlap => 3600)->{json}{data};
    is(status($third->{secret}) . status($second->{secret}), '200200',
       'rotated again, the last two work');
    ok(ended($key->{secret}), 'the oldest no more');

    my $listed = $voice->call('list_api_keys', as => $owner);
    unlike($listed->{content}, qr/"secret"|hash/, 'lists tell no secret');
    is($voice->call('delete_api_key', as => $owner,
        path => { id => $key->{id} })->{status}, 204, 'a revoked key');
    ok(ended($third->{secret}) && ended($second->{secret}),
       'loses both secrets');
    is(rotate($key)->{status}, 409, 'and is not rotated any more');
}


sub overlap {
    my $key = make('overlap');
    my $now = rotate($key)->{json}{data};

    is($voice->sql('select previous_until - updated_at from core.api_key'
                   . " where id = '$key->{id}'"), '1 day',
       'the old secret works for a day where nothing is asked for');
    is(status($key->{secret}), 200, 'within the overlap');
    $voice->sql('update core.api_key set previous_until = now()'
                . " where id = '$key->{id}'");
    ok(ended($key->{secret}), 'when it is over, no more');
    is(status($now->{secret}), 200, 'the new one goes on');
    is(shown($key)->{previous}, undef, 'and is the only one shown');

    my $last = rotate($key, overlap => 0)->{json}{data};
    ok(ended($now->{secret}), 'without an overlap the old one ends at once');
    is(status($last->{secret}), 200, 'and the new one works');

    $voice->sql('update core.api_key set expires_at = now()'
                . " where id = '$key->{id}'");
    ok(ended($last->{secret}), 'a key that has expired is refused');
    is(rotate($key)->{status}, 409, 'and not rotated');
}


sub uses {
    my $key = make('uses');
    is($key->{last_used_at}, undef, 'a new key was never used');
    status($key->{secret});
    ok(shown($key)->{last_used_at}, 'its first use shows');

    my $new = rotate($key)->{json}{data};
    status($new->{secret});
    is(shown($key)->{previous}{last_used_at}, undef,
       'while the new secret is used, the old one is not');
    ok($voice->wait_for(sub { status($key->{secret});
                              shown($key)->{previous}{last_used_at} }, 10),
       'who has not changed over yet shows');
    rotate($key);
    is(shown($key)->{previous}{last_used_at}, undef,
       'each rotation begins anew');
}


sub refusals {
    my $key = make('refusals');
    my $reply = rotate($key, headers => { 'If-Match' => '"7"' });
    is($reply->{status}, 412, 'a stale version is not rotated');
    is(rotate($key, headers => { 'If-Match' => '"1"' })
           ->{headers}{etag}, '"2"', 'the present one is');
    is(rotate($key, as => $voice->person('acme', 'supervisor'))->{status},
       403, 'below an administrator nobody rotates');
    is(rotate($key, as => $voice->tenant('rival'))->{status}, 404,
       "nor another tenant's owner");

    my $top = make('top', role => 'owner');
    is(rotate($top, as => $voice->person('acme', 'admin'))->{status}, 403,
       'nor whoever is below the key');
}


sub values_checked {
    my $key = make('values');
    my %wrong = (
        '/body/overlap_seconds' => [rotate_api_key =>
            { overlap_seconds => 604801 }],
        '/body/scopes/0' => [update_api_key =>
            { scopes => ['test-cases:delete'] }],
        '/body/limits/rate' => [update_api_key =>
            { limits => { rate => 0, burst => 1 } }],
        '/body/limits/burst' => [update_api_key => { limits => { rate => 1 } }],
        '/body/expires_at' => [update_api_key =>
            { expires_at => '2020-01-01T00:00:00Z' }],
    );

    for my $path (sort keys %wrong) {
        my ($operation, $body) = @{$wrong{$path}};
        my $reply = $voice->call($operation, as => $owner,
            path => { id => $key->{id} }, body => $body);
        my $problem = $reply->{json}{error}{details}{errors}[0];
        is($reply->{status}, 422, "a wrong $path is refused");
        like($path, qr/^\Q$problem->{path}\E/, 'by its place')
            or diag($reply->{content});
    }

    my $changed = $voice->call('update_api_key', as => $owner,
        path => { id => $key->{id} }, headers => { 'If-Match' => '"1"' },
        body => { name => 'better',
                  scopes => ['test-runs:read', 'test-runs:write'],
                  expires_at => '2099-01-01T00:00:00Z' })->{json}{data};
    is("$changed->{name} @{$changed->{scopes}} $changed->{expires_at}",
       'better test-runs:read test-runs:write 2099-01-01T00:00:00.000Z',
       'name, scopes and expiry change');
    is($voice->call('update_api_key', as => $owner,
        path => { id => $key->{id} }, headers => { 'If-Match' => '"1"' },
        body => { name => 'worse' })->{status}, 412,
       'not for a version that is gone');
}


# A key gives no more than it has.
sub bounds {
    my $wide = make('wide', role => 'admin');
    my %narrow = (
        'of few scopes' => { scopes => ['api-keys:write', 'api-keys:read'] },
        'of low limits' => { limits => { rate => 10, burst => 20 } },
        'that ends'     => { expires_at => '2099-01-01T00:00:00Z' },
    );

    for my $what (sort keys %narrow) {
        my $key = make("narrow $what", role => 'admin', %{$narrow{$what}});
        my $me = { api_key => $key->{secret} };
        is(rotate($wide, as => $me)->{status}, 403,
           "a key $what learns no secret of a wider one");
        is($voice->call('create_api_key', as => $me, body => {
            name => "child $what", role => 'viewer' })->{status}, 403,
           'nor makes one');
        is(rotate($key, as => $me)->{status}, 200, 'but a new one of its own');
    }
}


sub limits {
    my $key = make('limited', limits => { rate => 100, burst => 300 });
    is_deeply($key->{limits}, { rate => 100, burst => 300 },
              'a key may have limits of its own');

    my $me = sub {
        return decode_json($voice->sql('select data from'
            . ' api.authenticate_key(encode(sha256(:\'key\'), \'hex\'))',
            key => $_[0]));
    };
    my $told = $me->($key->{secret});
    is("$told->{rate} $told->{burst}", '100 300', 'which the edge is told');
    ok(!exists $told->{expires}, 'a key without an end is good until changed');

    my $narrow = make('narrow', limits => { rate => 5, burst => 20 });
    my $reply = $voice->call('list_test_suites',
        as => { api_key => $narrow->{secret} });
    is($reply->{headers}{'ratelimit-policy'}, '"key";q=20;w=4',
       'its replies tell of the limit of the key, whatever the class');

    my $changed = $voice->call('update_api_key', as => $owner,
        path => { id => $key->{id} }, body => { limits => undef });
    is($changed->{json}{data}{limits}, undef, 'null takes them away');
    ok(!exists $me->($key->{secret})->{rate}, 'for the edge, too');

    rotate($key, overlap => 30);
    cmp_ok($me->($key->{secret})->{expires} - time, '<=', 31,
           'an old secret is known no longer than it works');
}


# Nothing that is kept or written holds a secret.
sub passwords {
    my $key = make('of-an-administrator', role => 'admin');
    my $reply = $voice->call('change_password',
        as => { api_key => $key->{secret} }, body => {
            current_password => 'whatever it is',
            new_password => 'Another-Secret-12' });

    is("$reply->{status} $reply->{json}{error}{message}",
       '409 Only a user has a password.', 'a key has none to change');
}


sub silence {
    my $kept = join '', map { $voice->sql("select t from core.$_ t") }
        qw(api_key audit_log event edge_change);
    my $logs = join '', map { Voice::slurp($_) }
        glob "$voice->{stack}{log}/*.log";

    cmp_ok(scalar @secrets, '>', 15, 'of all those secrets');
    is(scalar(grep { index($kept, $_) >= 0 } @secrets), 0,
       'none is in a table');
    is(scalar(grep { index($logs, $_) >= 0 } @secrets), 0, 'nor in a log');
    like($voice->sql('select string_agg(action, \' \') from core.audit_log'),
         qr/api_key\.rotated/, 'a rotation is audited');
}
