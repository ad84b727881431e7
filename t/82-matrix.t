#!/usr/bin/perl

# Who may call what: each credential on each operation of the contract, with
# ids of one's own tenant and of another's, over HTTP, SSE and WebSocket.
# What is expected is computed from x-role, x-scope and security as served.

# covers: stream_events stream_test_run

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use JSON::PP;
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Raw;
use Voice::Resources;

use constant RANKED => qw(viewer operator supervisor admin owner
                          platform_admin);

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(workers => 0);
plenty();

my %rank = map { (RANKED)[$_] => $_ } 0 .. (RANKED) - 1;
my $ours = $voice->tenant('acme');
my $theirs = $voice->tenant('rival');
my %id = (own   => Voice::Resources::make($voice, $ours, 'acme'),
          other => Voice::Resources::make($voice, $theirs, 'rival'));
my $body = Voice::Resources::bodies($id{own});
my @operations = map { ($_, map { { %{$_->[0]}, path => $_->[1] } }
                            aliases($_)) }
    sort { $a->{operationId} cmp $b->{operationId} }
    values %{$voice->{operations}};
my ($address, $keys, %kept, %count, @wrong) = (0);

my @credentials = (people(), keys_of_roles(), keys_of_scopes(), strangers());
my $before = picture();
my @cells = map { my $who = $_; map { cells($who, $_) } @operations }
    @credentials;

# What is over a limit is no answer: once more, later.
$voice->wait_for(sub {
    @cells = grep { !judge($_, ask($_)) } @cells;
    return !@cells;
}, 300);

is(scalar @cells, 0, 'every cell of the matrix is answered');
is(join("\n", @wrong > 40 ? @wrong[0 .. 39] : @wrong), '',
   'and as declared');
is(picture(), $before, 'none has changed anything');
cmp_ok($count{cells}, '>', 3000, 'the matrix is whole');
diag("$count{cells} cells: " . join(', ', map { "$_ $count{$_}" }
     grep { $_ ne 'cells' } sort keys %count));

$voice->finish;


# --- credentials ----------------------------------------------------------

# {name, role, header, scopes}; role undef: nobody, 401 is due.
sub people {
    return map {
        my $person = $voice->person('acme', $_);
        { name => "token of $_", role => $_, token => $person->{token} }
    } RANKED, qw(qa_lead validator billing);
}


sub keys_of_roles {
    return map {
        { name => "key of $_", role => $_, key => make_key($_) }
    } qw(owner admin supervisor operator viewer qa_lead validator api_client
         service);
}


# One scope, of a role that may much.
sub keys_of_scopes {
    return map {
        { name => "key for $_", role => 'owner', scope => $_,
          key => make_key('owner', scopes => [$_]) }
    } qw(test-suites:read test-suites:write test-cases:read users:write
         events:read sessions:read);
}


sub strangers {
    my $gone = $voice->person('acme', 'viewer', 'gone@acme.example');
    my $out = $voice->person('acme', 'viewer', 'out@acme.example');
    my $still = $voice->person('asleep', 'viewer');
    my $revoked = $voice->call('create_api_key', as => $ours,
        body => { name => 'r', role => 'owner' })->{json}{data};
    my $late = make_key('owner', expires_at => '2099-01-01T00:00:00Z');
    my ($head, $claims, $signature) = split /\./, $ours->{token};

    $voice->call('logout', as => $gone);
    $voice->call('delete_api_key', as => $ours,
                 path => { id => $revoked->{id} });
    $voice->sql("update core.api_key set expires_at = now() - interval '1 s'"
                . " where expires_at > '2090-01-01'");
    $voice->sql("update core.tenant set status = 'suspended' where id = "
                . "'$still->{tenant_id}'");
    $voice->sql("update core.membership m set is_active = false from"
                . " core.app_user u where u.id = m.user_id"
                . " and u.email = 'out\@acme.example'");

    return (
        { name => 'nobody' },
        { name => 'an expired token', token => later($ours->{token}, -7200) },
        { name => 'a token that is nearly expired', role => 'owner',
          token => later($ours->{token}, -900) },
        { name => 'a token of a session that ended',
          token => $gone->{token}, proved => 'viewer' },
        { name => 'a token of one who is no member', token => $out->{token},
          proved => 'viewer' },
        { name => 'a token of a suspended tenant', token => $still->{token},
          proved => 'viewer', status => 403 },
        { name => 'a token with a false signature',
          token => "$head.$claims." . reverse $signature },
        { name => 'a token without a signature',
          token => encode_base64url('{"alg":"none"}') . ".$claims." },
        { name => 'a revoked key', key => $revoked->{secret} },
        { name => 'an expired key', key => $late },
        { name => 'an unknown key', key => $late =~ s/.{6}\z/AAAAAA/r },
        { name => 'a key as a token', token => $revoked->{secret} },
    );
}


sub make_key {
    my ($role, %more) = @_;

    my $reply = $voice->call('create_api_key', as => $ours,
        body => { name => 'k' . ++$keys, role => $role, %more });

    return $reply->{json}{data}{secret} // die $reply->{content};
}


# The token some seconds later, signed by the edge's own key.
sub later {
    my ($token, $seconds) = @_;

    my ($head, $body) = split /\./, $token;
    my $claims = $json->decode(decode_base64url($body));
    my $secret = Voice::slurp("$voice->{stack}{secrets}/jwt") =~ s/\n\z//r;

    $claims->{$_} += $seconds for qw(iat exp);
    my $text = "$head." . encode_base64url($json->encode($claims));

    return "$text." . encode_base64url(hmac_sha256($text, $secret));
}


# --- cells ----------------------------------------------------------------

# What is asked of an operation: {whose, status}.  Own things are read; what
# changes them, or is without an id, is asked with a parameter that no
# operation has, which is refused by whoever has let us in.  Another's things
# are asked for in full: they are not there.
sub cells {
    my ($who, $operation) = @_;

    my @cells;
    my $reads = $operation->{method} eq 'GET';
    my $has_id = $operation->{path} =~ /\{/;
    my $odd = !$reads || !$has_id;

    push @cells, { whose => 'own', odd => $odd,
                   status => [$odd ? 422 : own($who, $operation)] };
    push @cells, { whose => 'own', odd => 1, status => [422] }
        if $reads && $has_id;
    # a packet begins the call that it does not find
    if ($has_id && ($operation->{'x-shape'} // '') ne 'packet') {
        my $far = reaches_far($who, $operation);
        push @cells, { whose => 'other', odd => $far && !$reads,
                       status => [$far ? ($reads ? 200 : 422) : 404] };
    }
    $_->{status} = [refused($who, $operation, $_)] for @cells;

    # streams take credentials in the query, too
    push @cells, map { { %$_, in_query => 1 } } @cells
        if $operation->{'x-stream'} && ($who->{token} || $who->{key});

    return map { { %$_, who => $who, operation => $operation } } @cells;
}


# What is due instead, if anything, to who may not come in.  That a session
# has ended the function finds out, so that what is refused before may be.
sub refused {
    my ($who, $operation, $cell) = @_;

    my $refusal = refusal($who, $operation);
    return $refusal || @{$cell->{status}} if !$who->{proved};

    my $before = refusal({ role => $who->{proved} }, $operation);

    return ($refusal, $before || ($cell->{odd} ? 422 : ()));
}


# 401, 403 or 0 by the contract.
sub refusal {
    my ($who, $operation) = @_;

    my $roles = $operation->{'x-role'};
    return 0 if !ref $roles && $roles eq 'public';
    return $who->{status} // 401 if !defined $who->{role};

    return 403 unless grep {
        $_ eq $who->{role}
            || defined $rank{$_} && defined $rank{$who->{role}}
               && $rank{$who->{role}} >= $rank{$_}
    } ref $roles ? @$roles : $roles;

    return 403 if defined $who->{scope} && $who->{scope} ne scope($operation);

    return 0;
}


sub scope {
    my ($operation) = @_;

    return $operation->{'x-scope'} // "$operation->{tags}[0]:"
        . ($operation->{method} eq 'GET' ? 'read' : 'write');
}


# Who is let in finds what is his tenant's, but for the sessions of others.
sub own {
    my ($who, $operation) = @_;

    return $operation->{path} =~ m{^/ws/} ? 101 : 200
        if $operation->{operationId} ne 'get_session';

    return ($who->{role} // '') =~ /^(?:platform_admin|owner|admin)$/
        ? 200 : 404;
}


# A platform admin manages all tenants, the plans, and the queues.
sub reaches_far {
    my ($who, $operation) = @_;

    return ($who->{role} // '') eq 'platform_admin'
        && $operation->{operationId} =~ /_(?:tenant|plan|queue|job_kind)$/;
}


# False for a cell that has met a limit.
sub judge {
    my ($cell, $reply) = @_;

    my ($who, $operation) = @$cell{qw(who operation)};
    my $status = $reply ? $reply->{status} : 'nothing';

    return 0 if $status eq '429';

    my $public = $operation->{'x-role'} eq 'public';
    my @expected = @{$cell->{status}};

    $count{cells}++;
    $count{$status}++;

    # public ones look at no credentials, whatever they answer
    my $good = $public ? $status =~ /^(?:2\d\d|422)$/
        : grep { $_ eq $status } @expected;
    my $code = ref $reply && $reply->{content} =~ /"code":"(\w+)"/ ? $1 : '';
    $good = 0 if $status eq '403' && $code !~ /^AUTH_|^TENANT_/;
    return 1 if $good;

    push @wrong, "$who->{name}: $operation->{method} $operation->{path} of "
        . "$cell->{whose}" . ($cell->{in_query} ? ' by its query' : '')
        . ($cell->{odd} ? ' with an odd parameter' : '')
        . ": $status $code, not @expected";

    return 1;
}


# --- asking ---------------------------------------------------------------

sub ask {
    my ($cell) = @_;

    my ($who, $operation) = @$cell{qw(who operation)};
    my $path = Voice::Resources::path($operation->{path},
                                      $id{$cell->{whose}});
    my $credential = $who->{token} // $who->{key};
    my @query = ($cell->{odd} ? 'no_such_parameter=1' : (),
                 $cell->{in_query} ? "access_token=$credential" : ());
    my @head = ("$operation->{method} " . join('?', $path, join('&', @query)
                || ()) . ' HTTP/1.1', 'Host: x');
    my $content = '';

    if (!$cell->{in_query}) {
        push @head, "Authorization: Bearer $who->{token}" if $who->{token};
        push @head, "X-API-Key: $who->{key}" if $who->{key};
    }
    if ($operation->{'x-stream'}) {
        push @head, $path =~ m{^/ws/}
            ? ('Connection: Upgrade', 'Upgrade: websocket',
               'Sec-WebSocket-Version: 13',
               'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
            : 'Accept: text/event-stream';
    }
    if ($operation->{requestBody}) {
        $content = $json->encode($body->{$operation->{operationId}} // {});
        push @head, 'Content-Type: application/json';
    }
    push @head, 'Content-Length: ' . length $content
        if $operation->{method} =~ /^P/;

    return exchange($cell, join("\r\n", @head, '', $content));
}


# One connection for those who are somebody; an address of his own for each
# stranger, because failures count against the address.
sub exchange {
    my ($cell, $bytes) = @_;

    my $stream = $cell->{operation}{'x-stream'};
    my $lasting = defined $cell->{who}{role} && !$stream;

    for my $try (1, 2) {
        my $raw = $lasting ? $kept{raw} //= connection() : connection();
        my $reply = $raw->put($bytes) ? $raw->reply(head => $stream) : undef;

        $kept{raw} = undef
            if !$reply || ($reply->{headers}{connection} // '') eq 'close';
        if ($stream && $reply) {
            $reply->{content} = $reply->{status} < 300 ? ''
                : $raw->content($reply->{headers}) // '';
            $raw->abort;
        }
        return $reply if $reply || !$lasting;
    }

    return undef;
}


sub connection {
    $address++;

    return Voice::Raw->new($voice, sprintf '127.1.%d.%d', $address / 250,
                           1 + $address % 250);
}


# --- the stack ------------------------------------------------------------

# Nothing here is about limits: each class has plenty.
sub plenty {
    my @classes = sort keys %{$voice->{contract}{'x-limits'}};
    my $figures = $json->encode({ map { $_ => { rate => 100000,
                                                burst => 100000 } }
                                  @classes });

    $voice->sql("update core.plan set limits = :'figures'",
                figures => $figures);
}


sub aliases {
    my ($operation) = @_;

    return map { [$operation, $_] } @{$operation->{'x-aliases'} || []};
}


# What must stay as it is: all but who was here when.
sub picture {
    return join "\n", map {
        "$_ " . $voice->sql("select count(*), md5(string_agg(t::text, ''"
            . " order by t::text)) from core.$_ t")
    } qw(tenant call call_move call_stream packet expected_outcome test_suite
         test_case test_case_language test_case_outcome test_case_version
         test_run validation_result voice_test_execution);
}
