#!/usr/bin/perl

# People of foreign issuers: which tenant, which role, which actor a token of
# theirs makes, in operations and behind voice_auth.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Jwks;
use Voice::Node;

use constant AUDIENCE => 'https://api.example';
use constant FIXED => 'https://one.example';
use constant STRICT => 'https://strict.example';
use constant MANY => 'https://many.example/';

my $voice = Voice->start(workers => 0, nodes => 2);
my $owner = $voice->tenant('acme');
my $other = $voice->tenant('other');
my $key = Voice::Jwks::key('ec', 'k1');
my $server = Voice::Jwks->start;
$server->serve(keys => [$key]);
$voice->sql("update core.tenant set external_id = 'org/7'"
            . " where id = '$other->{tenant_id}'");

my $node = Voice::Node->start($voice, 'gate', edit => \&configure);

fixed_tenant();
claimed_tenant();
roles();
actors();
operations();
refusals();
moved();
fractions();
suspended();

$node->stop;
$voice->finish;


sub configure {
    my ($etc) = @_;

    my $url = $server->url;
    my $text = Voice::slurp("$etc/edge.conf");
    Voice::spew("$etc/edge.conf", $text . <<"END");
voice_jwt_issuer name=@{[FIXED]} audience=@{[AUDIENCE]} jwks=$url
                 tenant=@{[uc $owner->{tenant_id}]}
                 role_claim=/realm/roles role=boss:admin role=staff:operator
                 min_interval=1s;
voice_jwt_issuer name=@{[MANY]} audience=@{[AUDIENCE]} jwks=$url
                 tenant_claim=/org/id role_claim=/role role=root:admin
                 role=*:viewer min_interval=1s;
voice_jwt_issuer name=@{[STRICT]} audience=@{[AUDIENCE]} jwks=$url
                 tenant=$owner->{tenant_id} role=*:viewer leeway=0s
                 min_interval=1s;
END

    $text = Voice::slurp("$etc/locations.conf");
    Voice::spew("$etc/locations.conf", <<'END' . $text);
location = /who {
    voice_auth on;
    default_type text/plain;
    try_files /none @who;
}
location @who {
    return 200 "$voice_tenant $voice_role $voice_actor";
}
END
}


sub token {
    my ($issuer, %claims) = @_;

    return { token => $key->token({ iss => $issuer, aud => AUDIENCE,
        sub => 'jo', exp => time + 600, %claims }) };
}


sub who {
    my ($as) = @_;

    my $reply = $node->request('GET', '/who', headers => {
        Authorization => "Bearer $as->{token}" });

    return $reply->{status} == 200
        ? $reply->{content} =~ s/ [-0-9a-f]{36}\z//r
        : "$reply->{status} $reply->{json}{error}{message}";
}


sub actor {
    my ($as) = @_;

    return ((split ' ', $node->request('GET', '/who', headers => {
        Authorization => "Bearer $as->{token}" })->{content})[2]);
}


sub fixed_tenant {
    is(who(token(FIXED, realm => { roles => ['boss'] })),
       "$owner->{tenant_id} admin", 'the tenant may stand in the directive');
    is(who(token(FIXED, realm => { roles => ['boss'] },
                 tenant_id => $other->{tenant_id})),
       "$owner->{tenant_id} admin", 'then no claim changes it');
}


sub claimed_tenant {
    is(who(token(MANY, org => { id => uc $other->{tenant_id} })),
       "$other->{tenant_id} viewer", 'a claim may be the tenant\'s id');
    is(who(token(MANY, org => { id => 'org/7' })),
       "$other->{tenant_id} viewer", 'or the name that the issuer has');

    my %bad = (
        'an unknown name'  => { id => 'org/8' },
        'an unknown id'    => { id => '00000000-0000-7000-8000-00000000dead' },
        'no name'          => {},
        'an empty name'    => { id => '' },
        'a number'         => { id => 7 },
        'a long name'      => { id => 'x' x 201 },
    );
    for my $what (sort keys %bad) {
        like(who(token(MANY, org => $bad{$what})), qr/^401 .*tenant/,
             "$what is no tenant");
    }
}


sub roles {
    is(who(token(FIXED, realm => { roles => ['staff', 'boss'] })),
       "$owner->{tenant_id} admin", 'of several roles the first row decides');
    is(who(token(FIXED, realm => { roles => 'staff' })),
       "$owner->{tenant_id} operator", 'one may be a string');
    is(who(token(MANY, org => { id => 'org/7' }, role => 'root')),
       "$other->{tenant_id} admin", 'a row of its own wins over "*"');

    for my $roles ([], ['admin'], 'platform_admin', { boss => 1 },
                   [['boss'], 1, undef], undef)
    {
        like(who(token(FIXED, realm => { roles => $roles })), qr/^403 .*role/,
             encode_json([$roles]) . ' gives no role');
    }
}


sub actors {
    my $one = token(FIXED, realm => { roles => 'boss' });
    my $again = token(FIXED, realm => { roles => 'staff' });

    like(actor($one), qr/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab]/,
         'an actor has a UUID of version 8');
    is(actor($one), actor($again), 'the same in each token of his');
    isnt(actor($one), actor(token(MANY, org => { id => 'org/7' })),
         'another one at another issuer');
    isnt(actor($one), actor(token(FIXED, sub => 'al',
                                  realm => { roles => 'boss' })),
         'and another person has another one');
}


sub operations {
    my $boss = token(FIXED, realm => { roles => 'boss' });
    my $staff = token(FIXED, realm => { roles => 'staff' });

    my $made = $node->call('create_test_suite', as => $boss,
                           body => { name => 'Federated' });
    is($made->{status}, 201, 'a foreign person makes things');
    is($made->{json}{data}{created_by}, actor($boss), 'in his own name');
    is($node->call('list_users', as => $boss)->{status}, 200,
       'and sees what his role sees');
    is($node->call('list_users', as => $staff)->{status}, 403,
       'and nothing else');
    is($node->call('create_api_key', as => $boss, body => {
        name => 'of-boss', role => 'viewer' })->{json}{data}{created_by},
       undef, 'a key that he makes names no user of ours');
    my $me = $node->call('me', as => $boss)->{json}{data};
    is("$me->{actor_kind} $me->{role} $me->{tenant}{id}",
       "federated admin $owner->{tenant_id}", 'he is told who he is');
    is($node->call('logout', as => $boss)->{status}, 409,
       'a session of ours he has none');
    is($node->call('get_user', as => $boss,
                   path => { id => $other->{user_id} })->{status}, 404,
       'other tenants are not there for him');
}


sub refusals {
    my %roles = (realm => { roles => 'boss' });
    my %bad = (
        'an unknown issuer'      => token('https://evil.example', %roles),
        'another audience'       => token(FIXED, %roles, aud => 'x'),
        'no subject'             => token(FIXED, %roles, sub => undef),
        'an empty subject'       => token(FIXED, %roles, sub => ''),
        'a subject of 256 bytes' => token(FIXED, %roles, sub => 's' x 256),
        'a time that is over'    => token(FIXED, %roles, exp => time - 60),
        'our own name'           => token('voicegate', %roles),
    );

    for my $what (sort keys %bad) {
        like(who($bad{$what}), qr/^401 /, "$what is refused");
    }

    my $stranger = Voice::Jwks::key('ec', 'k1');
    like(who({ token => $stranger->token({ iss => FIXED, aud => AUDIENCE,
        sub => 'jo', exp => time + 600, %roles }) }), qr/^401 /,
        'so is the key of somebody else');
    my $unknown = Voice::Jwks::key('ec', 'k2');
    like(who({ token => $unknown->token({ iss => FIXED, aud => AUDIENCE,
        sub => 'jo', exp => time + 600, %roles }) }), qr/^401 /,
        'and one that nobody knows');

    $server->serve(keys => [$key, $unknown]);
    ok($voice->wait_for(sub {
        who({ token => $unknown->token({ iss => FIXED, aud => AUDIENCE,
            sub => 'jo', exp => time + 600, %roles }) })
            eq "$owner->{tenant_id} admin";
    }, 20), 'which is taken once its issuer shows it');
}


sub moved {
    my $token = token(MANY, org => { id => 'org/7' });

    is(who($token), "$other->{tenant_id} viewer",
       'a name leads to its tenant');
    $voice->sql("update core.tenant set external_id = null"
                . " where id = '$other->{tenant_id}'");
    $voice->sql("update core.tenant set external_id = 'org/7'"
                . " where id = '$owner->{tenant_id}'");
    ok($voice->wait_for(sub {
        who($token) eq "$owner->{tenant_id} viewer";
    }, 5), 'and to another one, for the same token, when it has moved there');
}


sub fractions {
    my $token = token(STRICT, exp => time + 3.5);

    is(who($token), "$owner->{tenant_id} viewer",
       'the end of a token may have a fraction');
    is(who($token), "$owner->{tenant_id} viewer",
       'and the token is known afterwards');
    ok($voice->wait_for(sub { who($token) =~ /^401 / }, 20),
       'until it is over, where no leeway is given as well');
}


sub suspended {
    my $boss = token(FIXED, realm => { roles => 'boss' });

    is(who($boss), "$owner->{tenant_id} admin", 'who is in');
    $voice->sql("update core.tenant set status = 'suspended'"
                . " where id = '$owner->{tenant_id}'");
    ok($voice->wait_for(sub { who($boss) =~ /^403 .*suspended/ }, 5),
       'is out when his tenant is suspended');
    $voice->sql("update core.tenant set status = 'active'"
                . " where id = '$owner->{tenant_id}'");
    ok($voice->wait_for(sub { who($boss) =~ /admin$/ }, 5), 'and in again');
}
