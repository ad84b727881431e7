#!/usr/bin/perl

# What the edge obeys of a tenant: status, plan, where its requests go, its
# hosts, and the addresses that it takes requests from.  Nothing is reloaded.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Node;
use Voice::Raw;
use Voice::Upstream;

my $voice = Voice->start(workers => 0, nodes => 2);
my $root = $voice->person('platform', 'platform_admin');
my $acme = $voice->tenant('acme');
my $beta = $voice->tenant('beta');
my %upstream = map { $_ => Voice::Upstream->start($_) } qw(one two);
my $node = Voice::Node->start($voice, 'gate', edit => \&configure);
my %bearer = map { $_->[0] => "Bearer $_->[1]{token}" }
    (['acme', $acme], ['beta', $beta]);

routing();
suspension();
unknown_tenant();
hosts();
hostile_hosts();
addresses();
address_of_operations();
one_question();
metrics();

$node->stop;
$voice->finish;


sub configure {
    my ($etc) = @_;

    my ($one, $two) = map { $upstream{$_}->port } qw(one two);
    my $text = Voice::slurp("$etc/edge.conf");
    Voice::spew("$etc/edge.conf", $text . <<"END");
upstream crm_one { server 127.0.0.1:$one; }
upstream crm_two { server 127.0.0.1:$two; }
map \$voice_upstream \$crm {
    default crm_one;
    two     crm_two;
}
END

    $text = Voice::slurp("$etc/locations.conf");
    Voice::spew("$etc/locations.conf", <<'END' . $text);
set_real_ip_from 127.0.0.1;
real_ip_header X-Forwarded-For;
real_ip_recursive on;
proxy_http_version 1.1;
proxy_set_header X-Tenant $voice_tenant;
proxy_set_header X-Plan $voice_plan;
proxy_set_header X-Shard $voice_shard;
proxy_set_header X-Upstream $voice_upstream;

location = /ping {
    return 204;
}
location /mapped/ {
    voice_auth on;
    proxy_pass http://$crm;
}
location /named/ {
    voice_auth on;
    proxy_pass http://crm_$voice_upstream;
}
location /hosts/ {
    voice_hosts on;
    voice_auth on;
    proxy_pass http://crm_one;
}
location /open/ {
    voice_hosts on;
    voice_auth optional;
    proxy_pass http://crm_one;
}
location /hosts-api/ {
    voice_hosts on;
    voice_api on;
}
location /api/v1/test-suites {
    voice_hosts on;
    voice_api on;
}
END
}


sub get {
    my ($path, %headers) = @_;

    return $node->request('GET', $path, headers => \%headers);
}


# Any Host header, also those that no library would send.
sub by_host {
    my ($path, $host, @more) = @_;

    my $raw = Voice::Raw->new($node);
    $raw->put("GET $path HTTP/1.1\r\nHost: $host\r\n"
              . join('', map { "$_\r\n" } @more) . "\r\n");

    return $raw->reply;
}


sub set_tenant {
    my ($tenant, $what) = @_;

    $voice->sql("update core.tenant set $what"
                . " where id = '$tenant->{tenant_id}'");
}


# Seconds until a condition holds, or undef.
sub seconds_until {
    my ($condition) = @_;

    my $began = time;

    return $voice->wait_for($condition, 10) ? time - $began : undef;
}


sub routing {
    my $reply = get('/mapped/x', Authorization => $bearer{acme});
    is($reply->{json}{name}, 'one', 'a tenant without upstream goes to the default');
    is($reply->{json}{headers}{'x-plan'}, 'standard', 'its plan is known');
    ok(!$reply->{json}{headers}{'x-shard'}, 'a shard it has none');

    set_tenant($acme, "upstream = 'two', shard = 'main', plan = 'business'");
    ok(defined seconds_until(sub {
        (get('/mapped/x', Authorization => $bearer{acme})
         ->{json}{name} // '') eq 'two';
    }), 'another upstream is obeyed without a reload');

    my $headers = get('/mapped/x', Authorization => $bearer{acme})
        ->{json}{headers};
    is("$headers->{'x-plan'} $headers->{'x-shard'} $headers->{'x-upstream'}",
       'business main two', 'plan and shard with it');
    is(get('/named/x', Authorization => $bearer{acme})->{json}{name}, 'two',
       'the variable may name the upstream itself');
    is(get('/mapped/x', Authorization => $bearer{beta})->{json}{name}, 'one',
       'other tenants are where they were');
}


sub suspension {
    my $get = sub { get('/mapped/x', Authorization => $bearer{beta}) };

    is($get->()->{status}, 200, 'a tenant that is active is let in');
    is($voice->call('update_tenant', as => $root,
        path => { id => $beta->{tenant_id} },
        body => { status => 'suspended' })->{status}, 200, 'and suspended');

    my $after = seconds_until(sub { $get->()->{status} == 403 });
    ok(defined $after, 'soon it is out');
    diag(sprintf 'a suspension was obeyed after %.2f s', $after // -1);
    is($get->()->{json}{error}{code}, 'TENANT_SUSPENDED',
       'with a code of its own');
    is($node->call('list_test_suites', as => $beta)->{json}{error}{code},
       'TENANT_SUSPENDED', 'the same for operations');

    $voice->call('update_tenant', as => $root,
        path => { id => $beta->{tenant_id} }, body => { status => 'active' });
    ok(defined seconds_until(sub { $get->()->{status} == 200 }),
       'and comes back');
}


# A token whose tenant was deleted meanwhile.
sub unknown_tenant {
    my $gone = $voice->tenant('gone');
    my $get = sub {
        get('/mapped/x', Authorization => "Bearer $gone->{token}");
    };

    is($get->()->{status}, 200, 'who has a tenant is in');
    $voice->call('delete_tenant', as => $root,
                 path => { id => $gone->{tenant_id} });
    ok(defined seconds_until(sub { $get->()->{status} == 401 }),
       'when the tenant is deleted he is nobody');
}


sub hosts {
    $voice->sql("insert into core.tenant_host (tenant_id, host) values"
        . " ('$acme->{tenant_id}', 'acme.example'),"
        . " ('$acme->{tenant_id}', '*.acme.example'),"
        . " ('$beta->{tenant_id}', 'beta.acme.example')");

    my %tenant = (
        'acme.example'        => $acme->{tenant_id},
        'ACME.example:8080'   => $acme->{tenant_id},
        'acme.example.'       => $acme->{tenant_id},
        'x.acme.example'      => $acme->{tenant_id},
        'x.y.acme.example'    => $acme->{tenant_id},
        'beta.acme.example'   => $beta->{tenant_id},
        'unknown.example'     => '',
        'acme.example.org'    => '',
        '127.0.0.1'           => '',
    );
    for my $host (sort keys %tenant) {
        my $body = $voice->wait_for(sub {
            my $reply = by_host('/open/x', $host);
            $reply->{content} =~ /\{/ && $reply->{content};
        }, 10);
        like($body, $tenant{$host} ? qr/"x-tenant":"$tenant{$host}"/
                                   : qr/^(?!.*x-tenant":"\w)/,
             "$host is " . ($tenant{$host} ? 'its tenant\'s' : 'nobody\'s'));
    }

    is(by_host('/hosts/x', 'acme.example',
        "Authorization: $bearer{acme}")->{status}, 200,
       'credentials of the host\'s tenant are taken');
    my $foreign = by_host('/hosts/x', 'acme.example',
                          "Authorization: $bearer{beta}");
    is($foreign->{status}, 403, 'those of another are not');
    like($foreign->{content}, qr/another tenant than the host/,
         'and it is said why');
    is(by_host('/api/v1/test-suites', 'acme.example',
        "Authorization: $bearer{beta}")->{status}, 403,
       'the same for operations');
    is(by_host('/hosts/x', 'unknown.example',
        "Authorization: $bearer{beta}")->{status}, 200,
       'where a host is nobody\'s the credentials decide');
    is(by_host('/hosts/x', 'acme.example')->{status}, 401,
       'a host is no credential');

    is(by_host('/open/x', 'late.example')->{status}, 200,
       'a host that is unknown');
    $voice->sql("insert into core.tenant_host (tenant_id, host) values"
                . " ('$beta->{tenant_id}', 'late.example')");
    ok(defined seconds_until(sub {
        by_host('/open/x', 'late.example')->{content}
            =~ /"x-tenant":"$beta->{tenant_id}"/;
    }), 'is known once it stands in the map');
    $voice->sql("delete from core.tenant_host where host = 'late.example'");
    ok(defined seconds_until(sub {
        by_host('/open/x', 'late.example')->{content}
            !~ /"x-tenant":"$beta->{tenant_id}"/;
    }), 'and no more when it is taken out');

    $voice->sql("insert into core.tenant_host (tenant_id, host) values"
                . " ('$beta->{tenant_id}', '*.late.example')");
    ok(defined seconds_until(sub {
        by_host('/open/x', 'a.late.example')->{content}
            =~ /"x-tenant":"$beta->{tenant_id}"/;
    }), 'so is a pattern');
}


sub hostile_hosts {
    my %expected = (
        '%.example' => 200, '*.acme.example' => 200, '[::1]' => 200,
        "acme.example'--" => 200, 'a' x 300 . '.example' => 200,
        '..' => 400, 'acme.example/x' => 400, "acme\x01.example" => 400,
    );

    for my $host (sort keys %expected) {
        my $reply = by_host('/open/x', $host);
        my $name = $host =~ s/[^ -~]/?/gr;
        is($reply->{status}, $expected{$host}, substr($name, 0, 20)
           . " answers $expected{$host}");
        unlike($reply->{content}, qr/x-tenant":"\w/, 'and is nobody\'s');
    }
}


sub addresses {
    my $from = sub {
        my ($forwarded) = @_;
        return get('/mapped/x', Authorization => $bearer{beta},
                   $forwarded ? ('X-Forwarded-For' => $forwarded) : ());
    };

    set_tenant($beta, "allow_addresses = '{192.0.2.0/24,2001:db8::/32}',"
                      . " deny_addresses = '{192.0.2.7,2001:db8:1::/48}'");
    ok(defined seconds_until(sub { $from->()->{status} == 403 }),
       'an address that is not allowed is out');
    is($from->()->{json}{error}{code}, 'ADDRESS_NOT_ALLOWED',
       'with a code of its own');

    my %expected = (
        '192.0.2.1'            => 200,
        '::ffff:192.0.2.1'     => 200,
        '192.0.2.7'            => 403,
        '::ffff:192.0.2.7'     => 403,
        '192.0.3.1'            => 403,
        '2001:db8::5'          => 200,
        '2001:db8:1::5'        => 403,
        '2001:db9::5'          => 403,
        '203.0.113.1, 192.0.2.1' => 200,
        '192.0.2.1, 203.0.113.1' => 403,
        '192.0.2.1, 127.0.0.1'   => 200,
        'nonsense'             => 403,
    );
    for my $address (sort keys %expected) {
        is($from->($address)->{status}, $expected{$address},
           "\"$address\" answers $expected{$address}");
    }

    # 127.0.0.9 is no proxy that we trust
    my $raw = Voice::Raw->new($node, '127.0.0.9');
    $raw->put("GET /mapped/x HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: $bearer{beta}\r\nX-Forwarded-For: 192.0.2.1\r\n"
        . "\r\n");
    is($raw->reply->{status}, 403,
       'what somebody says who is no proxy of ours does not count');

    set_tenant($beta, "allow_addresses = '{}',"
                      . " deny_addresses = '{192.0.2.0/24}'");
    ok(defined seconds_until(sub { $from->()->{status} == 200 }),
       'an empty list allows everything');
    is($from->('192.0.2.1')->{status}, 403, 'but what is denied');
}


sub address_of_operations {
    my $list = sub {
        my ($forwarded) = @_;
        return $node->call('list_test_suites', as => $beta, headers => {
            'X-Forwarded-For' => $forwarded });
    };

    is($list->('192.0.2.1')->{json}{error}{code}, 'ADDRESS_NOT_ALLOWED',
       'operations are refused, too');
    is($list->('192.0.3.1')->{status}, 200, 'from there and nowhere else');

    set_tenant($beta, "deny_addresses = '{}'");
    ok(defined seconds_until(sub { $list->('192.0.2.1')->{status} == 200 }),
       'until the list is emptied');
}


# Many requests at once that need the same record, while it cannot be read.
sub one_question {
    my @raw = map { Voice::Raw->new($node) } 1 .. 40;
    my $request = "GET /mapped/x HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: $bearer{beta}\r\n\r\n";
    my $release = hold('lock table core.plan in access exclusive mode');

    set_tenant($beta, "upstream = 'two'");
    my $first = shift @raw;
    ok(defined seconds_until(sub {
        $first->put($request);
        return 1 if asking();
        $first->reply;
        return 0;
    }), 'a record that was dropped is asked for');
    $_->put($request) for @raw;
    # one process: who comes after them is answered after they were read
    is(get('/ping')->{status}, 204, 'others do not wait');
    is(asking(), 1, 'many who need it ask once');

    $release->();
    is(scalar(grep { $_->reply->{status} == 200 } $first, @raw), 40,
       'and all of them get it');
    is(get('/mapped/x', Authorization => $bearer{beta})->{json}{name}, 'two',
       'as it is now');
}


# Questions for tenants that the database works at now.
sub asking {
    return $voice->sql("select count(*) from pg_stat_activity"
        . " where state = 'active' and query like '%api.edge_tenant(\$1)'");
}


# Holds a lock until the sub that is returned is called.
sub hold {
    my ($lock) = @_;

    local $ENV{PGPASSWORD} = Voice::slurp("$voice->{stack}{secrets}/postgres");
    open my $psql, '|-', 'psql', '-XAtq', '-h', $voice->{stack}{sockets},
        '-U', 'postgres', '-d', $voice->{stack}{database}
        or die "psql: $!";
    $psql->autoflush(1);
    print $psql "begin;\n$lock;\n";
    $voice->wait_for(sub {
        $voice->sql("select count(*) from pg_locks"
            . " where mode = 'AccessExclusiveLock' and granted"
            . " and relation = 'core.plan'::regclass") > 0;
    }, 10) or die 'no lock';

    return sub { print $psql "commit;\n"; close $psql };
}


sub metrics {
    my $text = $node->request('GET', '/metrics')->{content};

    for my $name (qw(credential_hits credential_misses tenant_hits
                     tenant_misses host_hits host_misses changes
                     stale_uses))
    {
        like($text, qr/^voice_${name}_total \d+/m, "$name are counted");
    }

    like($text, qr/^voice_credential_hits_total [1-9]/m,
         'most credentials are known');
    like($text, qr/^voice_watch_lag_seconds\{database="main"\} \d+\.\d{3}$/m, 'the watch\'s lag is told');
}
