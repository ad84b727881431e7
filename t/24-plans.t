#!/usr/bin/perl

# Plans, and what the edge obeys of a tenant: who may change which of it, what
# is refused, and that every change is told to the edges.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Resources;

my $voice = Voice->start(workers => 0);
my $root = $voice->person('platform', 'platform_admin');
my $owner = $voice->tenant('acme');
my $acme = $owner->{tenant_id};

plans();
plan_refusals();
platform_members();
# More is asked from here on than the standard plan lets through.
$voice->sql("update core.tenant set plan = 'business'");
hosts();
addresses();
shut_out();
origins();
created();
suspended();
sessions();

$voice->finish;


# Rows that the edges were told since the last call, without their order.
my $told;
sub told {
    my $since = $told // 0;
    my $rows = $voice->sql('select max(position) from core.edge_change');
    $told = $rows || 0;

    return $voice->sql("select string_agg(distinct kind || ' ' || id, ', '"
        . " order by kind || ' ' || id) from core.edge_change"
        . " where position > $since");
}


sub change {
    my ($who, %body) = @_;

    return $voice->call('update_tenant', as => $who, path => { id => $acme },
                        body => \%body);
}


sub plans {
    my %body = (id => 'team', name => 'Team',
                limits => { read => { rate => 20, burst => 40 } });
    my $made = $voice->call('create_plan', as => $root, body => \%body);

    is($made->{status}, 201, 'a platform admin makes a plan');
    is($made->{headers}{location}, '/api/v1/plans/team', 'at its id');
    is_deeply($made->{json}{data}{limits}, $body{limits}, 'with its limits');
    is_deeply($made->{json}{data}{user_limits}, {}, 'and none of users');
    is($voice->call('create_plan', as => $root, body => \%body)->{status},
       409, 'an id is taken once');
    is(join(' ', map { $_->{id} } @{$voice->call('list_plans',
        as => $root)->{json}{data}}), 'business standard starter team',
       'plans are listed by id');
    is($voice->call('list_plans', as => $root, query => { search => 'ea' })
             ->{json}{pagination}{total_items}, 1, 'and found');

    told();
    my %at = (as => $root, path => { id => 'team' });
    my $changed = $voice->call('update_plan', %at, body => {
        limits => { write => { rate => 1, burst => 2 } },
        user_limits => { read => { rate => 3, burst => 4 } } });
    is_deeply([@{$changed->{json}{data}}{qw(name limits user_limits)}],
        ['Team', { write => { rate => 1, burst => 2 } },
         { read => { rate => 3, burst => 4 } }],
        'limits are replaced whole, the rest stays');
    is(told(), 'tenants ', 'the edges are told');
    $voice->call('update_plan', %at, body => { name => 'Crew' });
    is(told(), '', 'but not of a name');
    is($voice->call('update_plan', %at, headers => { 'If-Match' => '"1"' },
        body => { name => 'x' })->{status}, 412, 'a stale version is refused');
    is($voice->call('get_plan', %at)->{headers}{etag}, '"3"',
       'the present one is shown');
    is($voice->call('get_plan', as => $root, path => { id => 'none' })
             ->{status}, 404, 'an unknown plan is 404');
    is($voice->call('update_plan', as => $root, path => { id => 'none' },
        body => { name => 'x' })->{status}, 404, 'to change, too');
    is($voice->sql('select string_agg(action, \' \' order by seq)'
        . " from core.audit_log where resource_type = 'plan'"),
       'plan.created plan.updated plan.updated', 'changes are audited');
}


sub plan_refusals {
    my %wrong = (
        '/body/limits/reed' => { limits => { reed =>
            { rate => 1, burst => 1 } } },
        '/body/limits/read/rate' => { limits => { read =>
            { rate => 0, burst => 1 } } },
        '/body/user_limits/write/burst' => { user_limits => { write =>
            { rate => 1 } } },
        '/body/limits/stream/burst' => { limits => { stream =>
            { rate => 1, burst => 100001 } } },
        '/body/name' => { name => '' },
    );

    for my $path (sort keys %wrong) {
        my $reply = $voice->call('update_plan', as => $root,
            path => { id => 'team' }, body => $wrong{$path});
        is(join(' ', $reply->{status}, map { $_->{path} }
                @{$reply->{json}{error}{details}{errors}}), "422 $path",
           "a wrong $path is refused by its name");
    }

    is($voice->call('create_plan', as => $root,
        body => { id => 'Team 2', name => 'x' })->{status}, 422,
       'an id is a name for machines');
    is_deeply([sort keys %{$voice->{contract}{components}{schemas}{PlanLimits}
                                           {properties}}],
              [sort grep { $_ ne 'failure' }
               keys %{$voice->{contract}{'x-limits'}}],
              'a plan has figures for each class of a tenant\'s limits');
    is($voice->call('create_plan', as => $owner,
        body => { id => 'mine', name => 'x' })->{status}, 403,
       'an owner makes no plan');
    is($voice->call('get_plan', as => $owner, path => { id => 'team' })
             ->{status}, 403, 'nor sees one');
}


# What is the platform's is not the owner's.
sub platform_members {
    my %value = (plan => 'team', upstream => 'blue', shard => 's2',
                 external_id => 'org-17', hosts => ['acme.test']);

    told();
    for my $member (sort keys %value) {
        is(change($owner, $member => $value{$member})->{status}, 403,
           "an owner does not change $member");
    }
    is(told(), '', 'and nothing has');

    for my $member (sort keys %value) {
        my $reply = change($root, $member => $value{$member});
        is_deeply($reply->{json}{data}{$member}, $value{$member},
                  "a platform admin changes $member");
        is(told(), $member eq 'hosts' ? 'host acme.test' : "tenant $acme",
           'and the edges are told');
    }

    # this stack has one database, which has no name
    my $reset = change($root, shard => undef, upstream => undef)->{json}{data};
    is_deeply([@$reset{qw(upstream shard)}], [undef, undef],
              'null takes upstream and shard away');
    delete @value{qw(shard upstream)};
    told();
    is(change($owner, %value, trade_type => 'plumbing')->{status}, 200,
       'an owner may send them back as they are');
    is(told(), '', 'which is no change to the edges');
    is(decode_json($voice->sql("select api.edge_tenant('$acme')"))->{plan},
       'team', 'the edge is told the plan');

    my $none = change($root, plan => 'none');
    is("$none->{status} $none->{json}{error}{details}{errors}[0]{path}",
       '422 /body/plan', 'an unknown plan is refused by its name');
    my $other = $voice->tenant('other');
    is($voice->call('update_tenant', as => $root,
        path => { id => $other->{tenant_id} },
        body => { external_id => 'org-17' })->{status}, 409,
       'a name at a foreign issuer is one tenant\'s');
}


sub hosts {
    my $other = $voice->tenant('other');
    my $hosts = sub {
        return change($root, hosts => [@_]);
    };

    told();
    is_deeply($hosts->('API.Acme.test', '*.acme.test')->{json}{data}{hosts},
              ['*.acme.test', 'api.acme.test'],
              'hosts are kept in lower case, as a whole');
    is(told(), 'host acme.test, host api.acme.test, hosts ',
       'edges are told of what came and what went');
    is($voice->sql("select api.edge_host('www.acme.test')"), $acme,
       'a pattern stands for the names below');

    my $taken = $voice->call('update_tenant', as => $root,
        path => { id => $other->{tenant_id} },
        body => { hosts => ['new.test', 'api.acme.test'] });
    is($taken->{status}, 409, 'a host is one tenant\'s');
    like($taken->{json}{error}{message}, qr/"api\.acme\.test"/, 'and named');
    is_deeply($voice->call('get_tenant', as => $root,
        path => { id => $other->{tenant_id} })->{json}{data}{hosts}, [],
        'none of the others is taken then');

    for my $bad ('a b', 'x..y', '-x.test', '*', '*.*.test', 'http://x') {
        is($hosts->($bad)->{status}, 422, "\"$bad\" is no host");
    }
    is_deeply($hosts->()->{json}{data}{hosts}, [], 'an empty list takes all');
    is($voice->call('get_tenant', as => $owner, path => { id => $acme })
             ->{status}, 200, 'an owner reads them');
}


sub addresses {
    told();
    my $reply = change($owner, allow_addresses => ['127.0.0.0/8', '::1',
            '2001:DB8::/32'], deny_addresses => ['127.9.9.9',
            '::ffff:10.0.0.0/104']);
    is_deeply([@{$reply->{json}{data}}{qw(allow_addresses deny_addresses)}],
        [['127.0.0.0/8', '::1/128', '2001:db8::/32'],
         ['127.9.9.9/32', '10.0.0.0/8']],
        'an owner says who may come from where');
    is(told(), "tenant $acme", 'and the edges are told');

    for my $bad ('127.0.0.256', '10.0.0.0/33', 'localhost', '::1::',
                 '1.2.3.4/8/8')
    {
        my $wrong = change($owner, deny_addresses => ['192.0.2.1', $bad]);
        my $problem = $wrong->{json}{error}{details}{errors}[0];
        is("$wrong->{status} $problem->{path}", '422 /body/deny_addresses/1',
           "\"$bad\" is refused by its place");
    }
    is(change($owner, deny_addresses => [map { "192.0.2.$_" } 1 .. 30])
           ->{status}, 422, 'more than 32 ranges together are refused');
    is_deeply(change($owner, allow_addresses => [], deny_addresses => [])
                  ->{json}{data}{allow_addresses}, [], 'empty lists take all');
}


sub shut_out {
    for my $list ({ allow_addresses => ['192.0.2.0/24'] },
                  { deny_addresses => ['127.0.0.0/8'] },
                  { deny_addresses => ['::/0'] },
                  { allow_addresses => ['127.0.0.1'],
                    deny_addresses => ['127.0.0.1'] })
    {
        my $reply = change($owner, %$list);
        is($reply->{status}, 409, 'an owner does not shut himself out');
        like($reply->{json}{error}{message}, qr/127\.0\.0\.1/,
             'and is told his address');
    }
    is(change($owner, allow_addresses => ['::ffff:127.0.0.1'])->{status}, 200,
       'a list that has him is taken');
    is(change($root, allow_addresses => ['192.0.2.0/24'])->{status}, 200,
       'who is in another tenant may');
    change($root, allow_addresses => []);
    is(change($owner, force => JSON::PP::true,
              allow_addresses => ['192.0.2.0/24'])->{status}, 200,
       'and the owner, if he insists');
    is(change($root, allow_addresses => [])->{status}, 200,
       'the platform lets him in again');
}


sub origins {
    my $reply = change($owner, cors_origins => ['https://App.acme.test',
        'https://b.test:443', 'http://localhost:3000', 'http://[::1]:8080']);
    is_deeply($reply->{json}{data}{cors_origins},
        ['http://[::1]:8080', 'http://localhost:3000',
         'https://app.acme.test', 'https://b.test'],
        'origins are kept as browsers send them');

    for my $bad ('*', 'null', 'https://x.test/', 'https://x.test/a',
                 'ftp://x.test', 'https://u@x.test', 'https://*.x.test',
                 'https://x.test:port', "https://x.test\n")
    {
        is(change($owner, cors_origins => [$bad])->{status}, 422,
           JSON::PP->new->allow_nonref->encode($bad) . ' is no origin');
    }
    is(change($owner, cors_origins => [map { "https://$_.test" } 1 .. 9])
           ->{status}, 422, 'more than eight are refused');
}


sub created {
    my %edge = (plan => 'starter', upstream => 'green', shard => 's1',
                external_id => 'org-99', hosts => ['fresh.test'],
                allow_addresses => ['192.0.2.0/24'],
                deny_addresses => ['192.0.2.1/32'],
                cors_origins => ['https://fresh.test']);
    my $made = $voice->call('create_tenant', as => $root, body => {
        %edge, business_name => 'Fresh', owner_email => 'o@fresh.example',
        owner_password => 'Correct-Horse-9' });
    my $data = $made->{json}{data};

    is_deeply({ map { $_ => $data->{$_} } keys %edge }, \%edge,
              'a tenant is made with all of it');
    is($voice->sql("select api.edge_external('org-99')"), $data->{id},
       'a foreign issuer finds it');
    $voice->call('delete_tenant', as => $root, path => { id => $data->{id} });
    is($voice->sql("select coalesce(api.edge_external('org-99'),"
        . " api.edge_host('fresh.test')) is null"), 't',
       'of a deleted one nothing is found');
    is(change($root, external_id => 'org-99', hosts => ['fresh.test'])
           ->{status}, 200, 'and its names are free');
}


# Jobs of a tenant that may not work now wait until it may.
sub suspended {
    my $other = $voice->tenant('other');
    my $id = {};

    Voice::Resources::catalogue($voice, $owner, 'acme', $id);
    Voice::Resources::catalogue($voice, $other, 'other', my $theirs = {});
    my $run = sub {
        $voice->call('create_test_run', as => $_[0],
                     body => { suite_id => $_[1]{'test-suites'} });
    };
    $run->($owner, $id) for 1 .. 3;
    $run->($other, $theirs);
    $voice->sql('update core.job set sent_at = null');

    change($root, status => 'suspended');
    is($voice->sql("select n from work.due(100)"
           . " where queue is not null"), 1,
       'nobody is woken for a suspended tenant');
    is($voice->sql("select string_agg(tenant_id::text, ' ')"
        . " from work.claim('w', 'test_execution', 10)"),
       $other->{tenant_id}, 'its jobs are not run, those of others are');

    change($root, status => 'active');
    is($voice->sql("select n from work.due(100)"
           . " where queue is not null"), 3,
       'when it may work again, its jobs are due');
    my $claimed = 0;
    $claimed += $voice->sql("select count(*)"
        . " from work.claim('w', 'test_execution', 1)") for 1 .. 4;
    is($claimed, 3, 'and run');
}


sub sessions {
    my $pat = $voice->person('acme', 'viewer', 'pat@acme.example');
    my @more = map { $voice->login($pat->{email}, $pat->{password}) } 1 .. 3;
    my $list = $voice->call('list_sessions', as => $pat)->{json}{data};

    is("@{[map { $_->{address} } @$list]}", '127.0.0.1 ' x 3 . '127.0.0.1',
       'a person sees where his sessions come from');
    like($list->[0]{user_agent}, qr/HTTP-Tiny/, 'by which program');
    ok($list->[0]{last_seen_at}, 'and when they were last seen');
    is(scalar(grep { $_->{is_current} } @$list), 1, 'one is the present one');

    told();
    my $ended = $voice->call('end_other_sessions', as => $pat);
    is($ended->{json}{data}{ended}, 3, 'all others are ended at once');
    is(scalar(split /, /, told()), 3, 'and the edges told');
    is($voice->call('me', as => $pat)->{status}, 200, 'this one lives');
    is(join(' ', map { $voice->call('me', as => $_)->{status} } @more),
       '401 401 401', 'the others do not');

    my $of = sub {
        my ($who, $user) = @_;
        return $voice->call('end_other_sessions', as => $who,
                            query => { user_id => $user->{user_id} });
    };
    is($of->($pat, $owner)->{status}, 404, 'a viewer ends nobody else\'s');
    is($of->($voice->person('acme', 'admin'), $owner)->{status}, 403,
       'an administrator none above him');
    is($of->($owner, $voice->tenant('other'))->{status}, 404,
       'an owner none of another tenant');
    is($of->($owner, $pat)->{json}{data}{ended}, 1,
       'but all of a user of his own');
    is($voice->call('me', as => $pat)->{status}, 401, 'who is out');

    my $key = $voice->call('create_api_key', as => $owner, body => {
        name => 'admin', role => 'admin' })->{json}{data}{secret};
    is($voice->call('end_other_sessions', as => { api_key => $key })
             ->{status}, 409, 'a key has no sessions');
}
