#!/usr/bin/perl

# What is another tenant's does not exist: on every route, and for the
# database alone when the edge's check is off.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Resources;

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(workers => 0);
my $ours = $voice->tenant('acme');
my $theirs = $voice->tenant('rival');
my $id = Voice::Resources::make($voice, $ours, 'acme');

# The rival has one of each as well, so that lists are not empty by nature.
my $rival = Voice::Resources::make($voice, $theirs, 'rival');

# Bodies that are right in every other way.
my $body = Voice::Resources::bodies($rival);

my @operations = sort { $a->{operationId} cmp $b->{operationId} }
    values %{$voice->{operations}};
# Plans, queues and shares are the platform's, no tenant's; a packet begins
# the call that it does not find.
my @addressed = grep { $_->{path} =~ /\{/
                       && $_->{path} !~ m{/(?:plans/|queues/|job-)}
                       && ($_->{'x-shape'} // '') ne 'packet' }
    @operations;
my @lists = grep { $_->{operationId} =~ /^list_/ && $_->{path} !~ /\{/
                   && $_->{operationId}
                      !~ /^list_(?:tenants|plans|queues|workers)$/ }
    @operations;

my $before = picture();

own_are_there();
routes();
references();
lists();
streams();
functions();
tables();
is(picture(), $before, 'nothing of the tenant has changed by all this');

$voice->finish;


# --- over HTTP ------------------------------------------------------------

# The control: with these ids, their owner finds everything.
sub own_are_there {
    my @missing;

    for my $operation (grep { $_->{method} eq 'GET' && !$_->{'x-stream'} }
                       @addressed)
    {
        my $reply = send_to($operation, $ours);
        push @missing, "$operation->{operationId} $reply->{status}"
            if $reply->{status} != 200;
    }

    is("@missing", '', 'the owner finds everything by these ids');
}


# Every role below and above; a platform admin belongs to his tenant, too,
# but for the tenants themselves.
sub routes {
    my %actor = (owner => $theirs,
                 platform_admin => $voice->person('rival',
                                                  'platform_admin'));

    for my $role (sort keys %actor) {
        my @found;
        for my $operation (@addressed) {
            my $name = $operation->{operationId};
            next if $role eq 'platform_admin' && $name =~ /_tenant$/;

            my $reply = send_to($operation, $actor{$role});
            next if $reply->{status} == 404 && $reply->{json}{error}{code}
                eq 'RESOURCE_NOT_FOUND';
            next if $name eq 'delete_tenant' && $reply->{status} == 403;
            push @found, "$name $reply->{status}";
        }
        is("@found", '', "another tenant's $role gets 404 on every route");
    }

    my $key = { api_key => $voice->call('create_api_key', as => $theirs,
        body => { name => 'k', role => 'service' })->{json}{data}{secret} };
    my @found;
    for my $operation (@addressed) {
        next unless $operation->{method} eq 'GET'
            && ref $operation->{'x-role'}
            && grep { $_ eq 'service' } @{$operation->{'x-role'}};
        my $reply = send_to($operation, $key);
        push @found, "$operation->{operationId} $reply->{status}"
            if $reply->{status} != 404;
    }
    is("@found", '', "another tenant's API key does, too");
}


# Ids in bodies are no way in either.
sub references {
    my %try = (
        'a case in their suite' => ['create_test_case', {},
            { name => 'x', suite_id => $id->{'test-suites'} }],
        'a case moved to their suite' => ['update_test_case',
            { id => $rival->{'test-cases'} },
            { suite_id => $id->{'test-suites'} }],
        'a run of their suite' => ['create_test_run', {},
            { suite_id => $id->{'test-suites'} }],
        'a run of their case' => ['create_test_run', {},
            { test_case_ids => [$rival->{'test-cases'},
                                $id->{'test-cases'}] }],
        'a link to their outcome' => ['link_test_case_outcome',
            { id => $rival->{'test-cases'} },
            { expected_outcome_id => $id->{'expected-outcomes'} }],
    );

    for my $what (sort keys %try) {
        my ($name, $path, $body) = @{$try{$what}};
        is($voice->call($name, as => $theirs, path => $path, body => $body)
                 ->{status}, 404, "$what is 404");
    }

    is($voice->call('unlink_test_case_outcome', as => $theirs, path => {
        id => $rival->{'test-cases'},
        outcome_id => $id->{'expected-outcomes'} })->{status}, 404,
       'a link of theirs cannot be undone');
    is($voice->request('POST', '/api/v1/auth/login',
        headers => { 'Content-Type' => 'application/json' },
        content => $json->encode({ email => $theirs->{email},
            password => $theirs->{password},
            tenant_id => $ours->{tenant_id} }))->{status}, 401,
       'nobody logs into a tenant that he does not belong to');
    $voice->forgive;
}


sub lists {
    my $known = join '|', map { quotemeta } values %$id, $ours->{user_id};
    my @seen;

    for my $operation (@lists) {
        my ($size) = grep { ($_->{name} // '') eq 'page_size'
                            || ($_->{'$ref'} // '') =~ /PageSize$/ }
            @{$operation->{parameters} || []};
        my $name = $operation->{operationId};
        my $list = $voice->call($name, as => $theirs,
            $size ? (query => { page_size => 100 }) : ());

        is($list->{status}, 200, "$name answers the rival");
        push @seen, $name if $list->{content} =~ /$known/;
        push @seen, "$name (empty)" unless @{$list->{json}{data}};
    }
    is("@seen", '', "no row of a tenant is in another's lists");

    my %filter = (
        list_test_cases         => { suite_id => $id->{'test-suites'} },
        list_test_runs          => { suite_id => $id->{'test-suites'} },
        list_validation_results => { test_run_id => $id->{'test-runs'} },
        list_sessions           => { user_id => $ours->{user_id} },
    );
    for my $name (sort keys %filter) {
        my $list = $voice->call($name, as => $theirs,
                                query => $filter{$name})->{json}{data};
        is(scalar @{$list || []}, 0, "$name filtered by their ids is empty");
    }
}


# Streams are refused before they open, by whatever way the token comes.
sub streams {
    for my $path ("/events/stream/$ours->{tenant_id}",
                  "/ws/test-runs/$id->{'test-runs'}",
                  "/events/stream/" . uc $ours->{tenant_id})
    {
        my $reply = $voice->request('GET', "$path?access_token="
            . "$theirs->{token}", headers => { websocket_headers($path) });
        is($reply->{status}, 404, "a stream with a token in its query: $path")
            or diag($reply->{content});
        unlike($reply->{content}, qr/\Q$theirs->{token}\E/,
               'and its token does not come back');
    }
}


sub websocket_headers {
    my ($path) = @_;

    return (Accept => 'text/event-stream') if $path !~ m{^/ws/};

    return (Connection => 'Upgrade', Upgrade => 'websocket',
            'Sec-WebSocket-Version' => 13,
            'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');
}


sub send_to {
    my ($operation, $actor) = @_;

    my $name = $operation->{operationId};
    my $path = Voice::Resources::path($operation->{path}, $id);
    my %headers = $actor->{api_key}
        ? ('X-API-Key' => $actor->{api_key})
        : (Authorization => "Bearer $actor->{token}");
    my $content;

    if ($operation->{requestBody}) {
        $headers{'Content-Type'} = 'application/json';
        $content = $json->encode($body->{$name}
                                 // die "no body for $name");
    }
    %headers = (%headers, websocket_headers($path))
        if $operation->{'x-stream'};

    return $voice->request($operation->{method}, $path,
                           headers => \%headers, content => $content);
}


# --- in the database ------------------------------------------------------

# The edge's check switched off: the functions themselves, called with a
# context of the rival and ids of ours.
sub functions {
    my $calls = '';

    for my $operation (@addressed) {
        my $name = $operation->{operationId};
        next if $name =~ /_tenant$/;

        my %args = (%{$body->{$name} || {}}, captures($operation));
        $calls .= "select '$name', pg_temp.try('$name', "
            . literal($json->encode(\%args)) . ");\n";
    }

    my %state = pairs($voice->sql(<<"END"));
create or replace function pg_temp.try(name text, args jsonb)
returns text language plpgsql as \$try\$
declare
    c  api.ctx;
begin
    c := api.enter('$theirs->{tenant_id}', '$theirs->{user_id}', 'user',
                   'owner', '$rival->{sessions}', 'test', '127.0.0.1');
    execute format('select api.%I(\$1, \$2)', name) using c, args;
    return 'none';
exception when others then
    return sqlstate;
end
\$try\$;
set role voice_edge;
$calls
END

    cmp_ok(scalar keys %state, '>', 25, 'functions take ids');
    is(join(' ', map { "$_:$state{$_}" } grep { $state{$_} ne 'V1404' }
            sort keys %state), '',
       'every function raises "not found" by itself');
}


sub captures {
    my ($operation) = @_;

    my $path = Voice::Resources::path($operation->{path}, $id);
    my @names = $operation->{path} =~ /\{(\w+)\}/g;
    my $pattern = $operation->{path};
    $pattern =~ s/\{\w+\}/([^\/]+)/g;
    my @values = $path =~ /^$pattern$/;
    my %captures;
    @captures{@names} = @values;

    return %captures;
}


# Row security alone: the owning role, which the functions run as, sees no
# row of ours in any table that has tenants.
sub tables {
    my @tables = split /\n/, $voice->sql(<<'END');
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
 where c.relnamespace = 'core'::regnamespace and c.relkind in ('r', 'p')
   and a.attname = 'tenant_id' and not a.attisdropped order by 1
END
    cmp_ok(scalar @tables, '>', 10, 'there are tables with tenants');

    my $where = "where tenant_id = '$ours->{tenant_id}'";
    my %have = pairs($voice->sql(join "\n", map {
        "select '$_', count(*) from core.$_ $where;" } @tables));
    diag("$_ has no row to hide")
        for grep { !$have{$_} && !/^packet_\d/ } sort keys %have;

    is(hits(map { "select '$_', count(*) from core.$_ $where "
                  . 'or tenant_id <> core.tenant();' } @tables), '',
       'row security hides every row of another tenant');

    like(hits(map { "select '$_', count(*) from core.$_ "
                    . 'where tenant_id = core.tenant();' } @tables),
         qr/\btest_case\b.*\bvoice_test_execution\b/,
         'and shows those of its own');

    # the audit log refuses both to everybody
    my @changing = grep { $_ ne 'audit_log' } @tables;
    is(hits(map { "with d as (delete from core.$_ $where returning 1) "
                  . "select '$_', count(*) from d;" } @changing), '',
       'none can be deleted');
    is(hits(map { "with u as (update core.$_ set tenant_id = tenant_id "
                  . "$where returning 1) select '$_', count(*) from u;" }
            @changing), '', 'none can be changed');

    my $open = $voice->sql(<<'END');
select string_agg(c.relname, ' ') from pg_class c
  join pg_attribute a on a.attrelid = c.oid
 where c.relnamespace = 'core'::regnamespace and c.relkind in ('r', 'p')
   and a.attname = 'tenant_id' and not a.attisdropped
   and not (c.relrowsecurity and c.relforcerowsecurity)
END
    is($open, '', 'row security is forced on each of them');
}


# The tables of which the owning role, under the rival's tenant, has got rows.
# Everything is rolled back.
sub hits {
    my (@queries) = @_;

    my %count = pairs($voice->sql("begin; set local role voice_owner; "
        . "select set_config('voice.tenant', '$theirs->{tenant_id}', true), "
        . "set_config('voice.role', 'owner', true), "
        . "set_config('voice.actor', '$theirs->{user_id}', true);\n"
        . join("\n", @queries) . "\nrollback;"));

    return join ' ', grep { /^[a-z_]+$/ && $count{$_} } sort keys %count;
}


sub pairs {
    my ($rows) = @_;

    return map { (split /\|/)[0, 1] } split /\n/, $rows;
}


sub literal {
    my ($text) = @_;

    $text =~ s/'/''/g;

    return "'$text'";
}


# All that we have, as the database holds it, but for when we were seen.
sub picture {
    my @tables = qw(api_key call call_move call_stream call_try
        expected_outcome membership packet test_case
        test_case_language test_case_outcome test_case_version test_run
        test_suite tenant validation_result voice_test_execution);

    return join "\n", map {
        my $key = $_ eq 'tenant' ? 'id' : 'tenant_id';
        $_ . ' ' . $voice->sql("select md5(string_agg(t::text, '' "
            . "order by t::text)) from core.$_ t "
            . "where $key = '$ours->{tenant_id}'");
    } @tables;
}
