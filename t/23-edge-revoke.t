#!/usr/bin/perl

# What is revoked at one node is refused by every process of every node, soon
# after; and how long the edge goes on without its database.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Node;
use Voice::Raw;

use constant PROCESSES => 2;

my $voice = Voice->start(workers => 0, nodes => 3);
my $owner = $voice->tenant('acme');
my @nodes = map {
    Voice::Node->start($voice, $_, set => { PROCESSES => PROCESSES },
                       edit => \&configure)
} qw(first second);

revocations();
late_commit();
many_changes();
killed_processes();
reload();
without_database();

$_->stop for @nodes;
$voice->finish(alerts => qr/exited on signal 9/);


sub configure {
    my ($etc) = @_;

    my $text = Voice::slurp("$etc/edge.conf");
    Voice::spew("$etc/edge.conf", "$text\nvoice_stale 4s;\n");

    $text = Voice::slurp("$etc/locations.conf");
    Voice::spew("$etc/locations.conf", <<'END' . $text);
location /gate {
    voice_auth on scope=test-suites:read;
    add_header X-Process $pid;
    try_files /none @in;
}
location @in {
    voice_auth on role=operator;
    add_header X-Process $pid always;
    return 200 "$voice_role";
}
END
    $text = Voice::slurp("$etc/locations.conf");
    $text =~ s/(voice_error on;)/$1 add_header X-Process \$pid always;/
        or die 'no error page';
    Voice::spew("$etc/locations.conf", $text);
}


# What each process of a node answers: {pid => [statuses]}.
sub ask {
    my ($node, $as) = @_;

    my $header = $as->{api_key} ? "X-API-Key: $as->{api_key}"
                                : "Authorization: Bearer $as->{token}";
    my %answer;
    my @raw = map { Voice::Raw->new($node) } 1 .. 8;
    $_->put("GET /gate HTTP/1.1\r\nHost: x\r\n$header\r\n\r\n") for @raw;
    for my $reply (map { $_->reply } @raw) {
        push @{$answer{$reply->{headers}{'x-process'} // 0}},
            $reply->{status};
    }

    return \%answer;
}


# Do all processes of all nodes answer with this status?
sub everywhere {
    my ($as, $status) = @_;

    for my $node (@nodes) {
        my %seen;
        for (1 .. 20) {
            my $answer = ask($node, $as);
            return 0 if grep { $_ != $status } map { @$_ } values %$answer;
            $seen{$_} = 1 for keys %$answer;
            last if keys %seen >= PROCESSES;
        }
        return 0 if keys %seen < PROCESSES;
    }

    return 1;
}


sub eventually {
    my ($as, $status, $what) = @_;

    my $began = time;
    my $held = $voice->wait_for(sub { everywhere($as, $status) }, 20);
    ok($held, "$what: $status everywhere");

    return time - $began;
}


sub revocations {
    my $n = 0;
    my $person = sub {
        $voice->person('acme', 'operator', 'p' . ++$n . '@acme.example');
    };
    my $membership = sub {
        my ($as) = @_;
        return $voice->sql('select id from core.membership'
                           . " where user_id = '$as->{user_id}'");
    };
    my $key = sub {
        my $made = $voice->call('create_api_key', as => $owner, body => {
            name => 'k' . ++$n, role => 'operator' })->{json}{data};
        return { api_key => $made->{secret}, id => $made->{id} };
    };
    my @cases = (
        ['a logout', $person, 401, sub {
            $voice->call('logout', as => $_[0]);
        }],
        ['the end of a session', $person, 401, sub {
            my $id = $voice->sql('select id from core.session'
                                 . " where user_id = '$_[0]{user_id}'");
            $voice->call('delete_session', as => $owner,
                         path => { id => $id });
        }],
        ['another role', $person, 401, sub {
            $voice->call('update_membership', as => $owner,
                path => { id => $membership->($_[0]) },
                body => { role => 'viewer' });
        }],
        ['a membership without effect', $person, 401, sub {
            $voice->call('update_membership', as => $owner,
                path => { id => $membership->($_[0]) },
                body => { is_active => JSON::PP::false });
        }],
        ['a user who is deleted', $person, 401, sub {
            $voice->call('delete_user', as => $owner,
                         path => { id => $_[0]{user_id} });
        }],
        ['a password that was changed elsewhere', $person, 401, sub {
            my $other = $voice->login($_[0]{email}, $_[0]{password});
            $voice->call('change_password', as => $other, body => {
                current_password => $_[0]{password},
                new_password => 'Another-Horse-10' });
        }],
        ['a key that is revoked', $key, 401, sub {
            $voice->call('delete_api_key', as => $owner,
                         path => { id => $_[0]{id} });
        }],
        ['a key of fewer scopes', $key, 403, sub {
            $voice->call('update_api_key', as => $owner,
                path => { id => $_[0]{id} },
                body => { scopes => ['test-runs:read'] });
        }],
        ['a key that ends at once', $key, 401, sub {
            $voice->sql('update core.api_key set expires_at = now()'
                        . " where id = '$_[0]{id}'");
        }],
    );

    my @took;

    for my $case (@cases) {
        my ($what, $make, $status, $revoke) = @$case;
        my $as = $make->();

        eventually($as, 200, "before $what");
        $revoke->($as);
        push @took, eventually($as, $status, "after $what");
    }

    my ($longest) = sort { $b <=> $a } @took;
    diag(sprintf '%d revocations, the longest was seen by all after %.2f s',
         scalar @took, $longest);
}


# What began first and commits last is not behind what was seen already.
sub late_commit {
    my ($first, $second) = map {
        $voice->person('acme', 'operator', "$_\@acme.example")
    } qw(first second);

    eventually($_, 200, 'before a long transaction') for $first, $second;

    local $ENV{PGPASSWORD} = Voice::slurp("$voice->{stack}{secrets}/postgres");
    open my $psql, '|-', 'psql', '-XAtq', '-h', $voice->{stack}{sockets},
        '-U', 'postgres', '-d', $voice->{stack}{database}
        or die "psql: $!";
    $psql->autoflush(1);
    print $psql "begin; update core.session set ended_at = now(),"
        . " end_reason = 'revoked' where user_id = '$first->{user_id}';\n";
    $voice->wait_for(sub {
        $voice->sql("select count(*) from pg_stat_activity"
            . " where state = 'idle in transaction'"
            . " and query like '%$first->{user_id}%'");
    }, 10) or die 'no transaction';

    $voice->call('logout', as => $second);
    eventually($second, 401, 'who is revoked meanwhile');
    ok(everywhere($first, 200), 'what is not committed has no effect');

    print $psql "commit;\n";
    close $psql;
    eventually($first, 401, 'after the late commit');
}


# More changes at once than the edge wants to hear one by one.
sub many_changes {
    my $as = $voice->person('acme', 'operator', 'many@acme.example');

    eventually($as, 200, 'before many changes');
    $voice->sql("select core.edge_changed('session', n::text)"
                . ' from generate_series(1, 1000) n');
    $voice->call('logout', as => $as);
    eventually($as, 401, 'after many changes');
}


# Whoever watched for the others is gone.
sub killed_processes {
    my $as = $voice->person('acme', 'operator', 'killed@acme.example');

    eventually($as, 200, 'before processes are killed');
    for my $round (1 .. 3) {
        kill 'KILL', children($_->pid('nginx')) for @nodes;
    }
    eventually($as, 200, 'afterwards');
    $voice->call('logout', as => $as);
    eventually($as, 401, 'and after a logout');
}


sub children {
    my ($pid) = @_;

    return split ' ', Voice::slurp("/proc/$pid/task/$pid/children");
}


# What is known outlives a reload, and so does its end.
sub reload {
    my $as = $voice->person('acme', 'operator', 'reload@acme.example');

    eventually($as, 200, 'before a reload');
    my ($code) = $nodes[0]->reload;
    is($code, 0, 'a node is reloaded');
    eventually($as, 200, 'afterwards');
    $voice->call('logout', as => $as);
    eventually($as, 401, 'and after a logout');
}


# Copies are good for voice_stale, then the edge says that it does not know.
sub without_database {
    my $known = $voice->person('acme', 'operator', 'known@acme.example');
    my $unknown = $voice->person('acme', 'operator', 'late@acme.example');

    eventually($known, 200, 'before the database stops');
    $voice->stack('stop', 'postgres');

    ok(everywhere($known, 200), 'who is known comes in without a database');
    ok(everywhere($unknown, 503), 'who is not has to wait');

    my $reply;
    ok($voice->wait_for(sub {
        $reply = $nodes[0]->request('GET', '/gate', headers => {
            Authorization => "Bearer $known->{token}" });
        return $reply->{status} == 503;
    }, 30), 'after some time nobody comes in');
    is($reply->{json}{error}{code}, 'SERVICE_UNAVAILABLE', 'as unavailable');
    ok($reply->{headers}{'retry-after'}, 'with a time to come again');
    is($nodes[0]->call('list_test_suites', as => $known)->{status}, 503,
       'operations say the same');

    $voice->stack('start', 'postgres');
    eventually($known, 200, 'with the database back');
    my $text = $nodes[0]->request('GET', '/metrics')->{content};
    like($text, qr/^voice_stale_uses_total [1-9]/m, 'stale uses were counted');

    $voice->call('logout', as => $known);
    eventually($known, 401, 'and after a logout');
}
