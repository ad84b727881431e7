#!/usr/bin/perl

# Who may come in, and as whom: login, tokens, sessions, keys, people.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(encode_base64url decode_base64url);
use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');

login();
tokens();
refresh();
password();
sessions();
users();
memberships();
api_keys();
tenants();

$voice->finish;


sub login {
    my $reply = $voice->call('login', body => {
        email => $owner->{email}, password => $owner->{password} });
    my $data = $reply->{json}{data};

    is($reply->{status}, 200, 'the right password logs in');
    is(join(' ', sort keys %$data), 'session_info tenant tokens user',
       'login answers user, tenant, tokens and session');
    is($data->{tokens}{token_type}, 'Bearer', 'the token is a bearer token');
    is($data->{tokens}{expires_in}, 1800, 'it lives for 30 minutes');

    for my $wrong ({ email => $owner->{email}, password => 'Wrong-Horse-99' },
                   { email => 'nobody@acme.example',
                     password => 'Wrong-Horse-99' })
    {
        my $refused = $voice->call('login', body => $wrong);
        is($refused->{status}, 401, "$wrong->{email} is refused");
        is($refused->{json}{error}{code}, 'AUTH_INVALID_CREDENTIALS',
           'with the same code');
        $voice->forgive;
    }

    is($voice->request('POST', '/auth/login',
        headers => { 'Content-Type' => 'application/json' },
        content => encode_json({ email => $owner->{email},
                                 password => $owner->{password} }))->{status},
       200, 'the short path is the same operation');

    my $field = $voice->call('login', body => { email => 7 });
    is($field->{status}, 422, 'a field of a wrong type is 422');
    is_deeply([sort map { $_->{path} }
               @{$field->{json}{error}{details}{errors}}],
              ['/body/email', '/body/password'],
              'and every wrong field is named');
}


sub tokens {
    is($voice->call('me', as => $owner)->{json}{data}{user}{email},
       $owner->{email}, 'a token says who one is');
    is($voice->call('validate_token', as => $owner)->{status}, 200,
       'a valid token is valid');

    my ($head, $body, $signature) = split /\./, $owner->{token};
    my $claims = decode_json(decode_base64url($body));
    my $secret = pack 'H*', Voice::slurp("$voice->{stack}{secrets}/jwt");
    my $none = encode_base64url('{"alg":"none","typ":"JWT"}');

    my %bad = (
        'with another signature' => "$head.$body." . reverse($signature),
        'without a signature'    => "$head.$body.",
        'of algorithm none'      => "$none.$body.",
        'with changed claims'    => "$head."
            . encode_base64url(encode_json({ %$claims,
                                             role => 'platform_admin' }))
            . ".$signature",
        'of another role, as long' => "$head." . encode_base64url(
            decode_base64url($body) =~ s/"owner"/"admin"/r) . ".$signature",
        'that is no token'       => 'x',
        'that is far too long'   => 'a' x 9000,
    );

    for my $what (sort keys %bad) {
        my $reply = $voice->call('me', as => { token => $bad{$what} });
        is($reply->{status}, 401, "a token $what is refused");
    }
}


sub refresh {
    my $first = $voice->login($owner->{email}, $owner->{password});
    my $second = $voice->call('refresh', body => {
        refresh_token => $first->{refresh_token} });

    is($second->{status}, 200, 'a refresh token gives new tokens');
    my $tokens = $second->{json}{data}{tokens};
    isnt($tokens->{refresh_token}, $first->{refresh_token},
         'the refresh token is rotated');
    is($voice->call('me', as => { token => $tokens->{access_token} })
             ->{status}, 200, 'the new access token is taken');

    my $reused = $voice->call('refresh', body => {
        refresh_token => $first->{refresh_token} });
    is($reused->{status}, 401, 'an old refresh token is refused');
    is($reused->{json}{error}{code}, 'AUTH_TOKEN_REUSED', 'by its name');
    is($voice->call('refresh', body => {
        refresh_token => $tokens->{refresh_token} })->{status}, 401,
       'its reuse ended the whole family');
    is($voice->call('me', as => { token => $tokens->{access_token} })
             ->{status}, 401, 'and the session with it');

    is($voice->sql("select count(*) from core.refresh_token t where t::text"
        . " like '%$tokens->{refresh_token}%'"), 0,
       'no refresh token is stored as it is');
}


sub password {
    my $person = $voice->person('acme', 'viewer', 'pat@acme.example');
    my $other = $voice->login($person->{email}, $person->{password});
    my $new = 'Another-Horse-10';

    for my $weak ('short-A1', 'nouppercase-11', 'NOLOWERCASE-11',
                  'NoDigitsHere-x', 'NoOtherClass11', 'A1-' . 'x' x 70)
    {
        is($voice->call('change_password', as => $person, body => {
            current_password => $person->{password},
            new_password => $weak })->{status}, 422, "\"$weak\" is too weak");
    }

    is($voice->call('change_password', as => $person, body => {
        current_password => 'Wrong-Horse-99', new_password => $new })
        ->{status}, 401, 'the present password is demanded');
    $voice->forgive;
    is($voice->call('change_password', as => $person, body => {
        current_password => $person->{password}, new_password => $new })
        ->{status}, 200, 'a strong password is taken');
    is($voice->call('me', as => $other)->{status}, 401,
       'the other sessions are ended');
    is($voice->login($person->{email}, $new)->{status}, 200,
       'the new password logs in');
    is($voice->login($person->{email}, $person->{password})->{status}, 401,
       'the old one does not');
    $voice->forgive;
}


sub sessions {
    my $person = $voice->person('acme', 'viewer', 'sam@acme.example');
    my $second = $voice->login($person->{email}, $person->{password});
    my $list = $voice->call('list_sessions', as => $person)->{json}{data};

    is(scalar @$list, 2, 'a person sees his sessions');
    my $id = $voice->call('login', body => {
        email => $person->{email}, password => $person->{password} })
        ->{json}{data}{session_info}{session_id};
    is($voice->call('get_session', as => $person, path => { id => $id })
             ->{status}, 200, 'and each of them');
    is($voice->call('delete_session', as => $person, path => { id => $id })
             ->{status}, 204, 'and can end one');
    in_use('list_sessions', $person, $id, 'a session that is over');

    is($voice->call('logout', as => $second)->{status}, 200,
       'one can log out');
    is($voice->call('me', as => $second)->{status}, 401,
       'the token is dead at once');
    is($voice->call('me', as => $person)->{status}, 200,
       'the other session lives');
}


sub users {
    my $made = $voice->call('create_user', as => $owner, body => {
        email => 'new@acme.example', password => 'Correct-Horse-9',
        role => 'operator', display_name => 'New' });
    my $user = $made->{json}{data};

    is($made->{status}, 201, 'an owner makes a user');
    ok(!exists $user->{password} && $made->{content} !~ /Horse|\$2b\$/,
       'no password or hash comes back');
    is($voice->call('create_user', as => $owner, body => {
        email => 'NEW@acme.example', password => 'Correct-Horse-9',
        role => 'operator' })->{status}, 409, 'an email is taken once');
    is($voice->login('new@acme.example', 'Correct-Horse-9')->{status}, 200,
       'the user logs in');

    my $list = $voice->call('list_users', as => $owner,
        query => { search => 'new@', page_size => 1 });
    is($list->{json}{pagination}{total_items}, 1, 'search finds the user');
    is($voice->call('get_user', as => $owner, path => { id => $user->{id} })
             ->{json}{data}{email}, 'new@acme.example', 'and shows him');
    is($voice->call('update_user', as => $owner, path => { id => $user->{id} },
        body => { role => 'supervisor' })->{json}{data}{role}, 'supervisor',
       'an owner changes a role');

    my $admin = $voice->person('acme', 'admin');
    is($voice->call('update_user', as => $admin, path => { id => $user->{id} },
        body => { role => 'owner' })->{status}, 403,
       'nobody grants a role above his own');
    is($voice->call('update_user', as => $owner,
        path => { id => $owner->{user_id} },
        body => { role => 'viewer' })->{status}, 409,
       'nobody changes his own role');
    is($voice->call('update_user', as => $owner, path => { id => $user->{id} },
        body => { is_active => JSON::PP::false })->{json}{data}{role},
       'supervisor', 'a change leaves alone what was not sent');
    in_use('list_users', $owner, $user->{id}, 'a user who is shut out');
    is($voice->call('list_users', as => $voice->person('acme', 'viewer'))
             ->{status}, 403, 'a viewer may not see users');
    is($voice->call('delete_user', as => $owner, path => { id => $user->{id} })
             ->{status}, 204, 'an owner removes a user');
    is($voice->login('new@acme.example', 'Correct-Horse-9')->{status}, 401,
       'who then cannot log in');
    $voice->forgive;
}


sub memberships {
    my $guest = $voice->person('other', 'viewer', 'guest@other.example');
    my $made = $voice->call('create_membership', as => $owner, body => {
        email => $guest->{email}, role => 'viewer' });

    is($made->{status}, 201, 'an existing person joins a second tenant');
    my $id = $made->{json}{data}{id};
    ok(scalar(grep { $_->{id} eq $id } @{$voice->call('list_memberships',
        as => $owner, query => { page_size => 100 })->{json}{data}}),
       'the membership is listed');
    is($voice->call('get_membership', as => $owner, path => { id => $id })
             ->{json}{data}{role}, 'viewer', 'with its role');
    is($voice->call('update_membership', as => $owner, path => { id => $id },
        body => { role => 'operator' })->{json}{data}{role}, 'operator',
       'which can change');
    $voice->call('update_membership', as => $owner, path => { id => $id },
                 body => { is_active => JSON::PP::false });
    in_use('list_memberships', $owner, $id, 'a member who is shut out');
    is($voice->call('delete_membership', as => $owner, path => { id => $id })
             ->{status}, 204, 'and end');
    is($voice->call('create_membership', as => $owner, body => {
        email => 'nobody@acme.example', role => 'viewer' })->{status}, 404,
       'an unknown person cannot join');
}


# Lists show what is in use; the rest is asked for.
sub in_use {
    my ($list, $actor, $id, $what) = @_;

    my %seen;
    for my $active ('', 'true', 'false') {
        my $reply = $voice->call($list, as => $actor, query => {
            page_size => 100, $active ? (is_active => $active) : () });
        $seen{$active} = grep { $_->{id} eq $id } @{$reply->{json}{data}};
    }

    is("$seen{''}$seen{true}$seen{false}", '001',
       "$what is listed when asked for only");
}


sub api_keys {
    my $made = $voice->call('create_api_key', as => $owner, body => {
        name => 'ci', role => 'api_client' })->{json}{data};
    my $key = { api_key => $made->{secret} };

    like($made->{secret}, qr/^vgk_/, 'a key is shown once, when it is made');
    is($voice->call('list_test_suites', as => $key)->{status}, 200,
       'a key opens what its role may');
    is($voice->call('create_test_suite', as => $key,
        body => { name => 'x' })->{status}, 403, 'and nothing else');
    is($voice->call('list_test_suites', as => { api_key =>
        substr($made->{secret}, 0, -1) . '_' })->{status}, 401,
       'a wrong key is refused');
    my $shown = $voice->call('get_api_key', as => $owner,
                             path => { id => $made->{id} });
    unlike($shown->{content}, qr/\Q$made->{secret}\E/, 'the key is kept hashed');
    ok(scalar @{$voice->call('list_api_keys', as => $owner)->{json}{data}},
       'keys are listed');
    is($voice->call('update_api_key', as => $owner,
        path => { id => $made->{id} }, body => {
            scopes => ['test-runs:read'] })->{status}, 200,
       'scopes can be narrowed');
    ok($voice->wait_for(sub {
        $voice->call('list_test_suites', as => $key)->{status} == 403;
    }, 5), 'and are kept to as soon as the edge has heard of it');
    is($voice->call('delete_api_key', as => $owner,
        path => { id => $made->{id} })->{status}, 204, 'a key is revoked');
    ok($voice->wait_for(sub {
        $voice->call('list_test_suites', as => $key)->{status} == 401;
    }, 5), 'and is dead');
    in_use('list_api_keys', $owner, $made->{id}, 'a revoked key');
}


sub tenants {
    my $root = $voice->person('platform', 'platform_admin');
    my $made = $voice->call('create_tenant', as => $root, body => {
        business_name => 'Fresh', owner_email => 'owner@fresh.example',
        owner_password => 'Correct-Horse-9' });

    is($made->{status}, 201, 'a platform admin makes a tenant');
    my $id = $made->{json}{data}{id};
    my $fresh = $voice->login('owner@fresh.example', 'Correct-Horse-9');
    is($fresh->{tenant_id}, $id, 'whose owner logs in');
    ok(scalar @{$voice->call('list_tenants', as => $root)->{json}{data}},
       'tenants are listed to platform admins');
    is($voice->call('list_tenants', as => $owner)->{status}, 403,
       'and to nobody else');
    is($voice->call('get_tenant', as => $fresh, path => { id => $id })
             ->{json}{data}{business_name}, 'Fresh', 'an owner sees his own');
    is($voice->call('get_tenant', as => $owner, path => { id => $id })
             ->{status}, 404, 'and no other');
    is($voice->call('update_tenant', as => $root, path => { id => $id },
        body => { status => 'suspended' })->{status}, 200,
       'a tenant is suspended');
    my $refused = $voice->call('me', as => $fresh);
    is($refused->{status}, 403, 'its people are refused');
    is($refused->{json}{error}{code}, 'TENANT_SUSPENDED', 'by its own code');
    is($voice->call('delete_tenant', as => $root, path => { id => $id })
             ->{status}, 204, 'a tenant is deleted');
}
