#!/usr/bin/perl

# Packets and completions of a call in any order, doubled, over many
# connections and two edges: for every run there is an order that agrees with
# all replies (Voice::CallModel) and with what is stored.
#
# VOICE_TEST_LONG=1 makes 600 runs; VOICE_TEST_RUNS says how many,
# VOICE_TEST_SEED which is the first.

use strict;
use warnings;

use JSON::PP;
use List::Util qw(max min shuffle);
use Test::More;

use lib 't/lib';
use Voice;
use Voice::CallModel;
use Voice::Node;
use Voice::Pbx;

use constant {
    TOGETHER    => 6,                  # runs at the same time
    CONNECTIONS => 12,
    TRIES       => 4,                  # of a part of a run that fails
};

my $json = JSON::PP->new->utf8;
my $runs = $ENV{VOICE_TEST_RUNS} || ($ENV{VOICE_TEST_LONG} ? 600 : 60);
my $first = $ENV{VOICE_TEST_SEED} || 1 + int rand 1_000_000_000;

the_model_sees_faults();

my $voice = Voice->start(workers => 0);
my $node = Voice::Node->start($voice, 'second');
my %tenant = map { $_ => tenant($_) } qw(none some long);
my ($calls, $bad, %seen) = (0, 0);

for (my $seed = $first; $seed < $first + $runs; $seed += TOGETHER) {
    my @together = map { make($_) }
        $seed .. min($seed + TOGETHER, $first + $runs) - 1;

    for my $run (execute(@together)) {
        next unless @{$run->{faults}};
        report($run) if $bad++ < 3;
    }
}

diag("$runs runs from seed $first: "
     . join ', ', map { "$seen{$_} $_" } sort keys %seen);
is($bad, 0, "$runs runs have an order that agrees with all replies");
cmp_ok($seen{$_} // 0, '>', 0, "$_ is among them")
    for qw(accepted duplicate rejected 202 404 409);

$node->stop;
$voice->finish;


# --- runs -----------------------------------------------------------------

# A tenant's calls are open as long after their end as its name says.
sub tenant {
    my ($grace) = @_;

    my %seconds = (none => 0, some => 0.03, long => 600);
    my $owner = $voice->tenant($grace);

    $voice->sql("update core.tenant set settings = jsonb_build_object("
        . "'calls', jsonb_build_object('grace_seconds', $seconds{$grace}))"
        . " where id = '$owner->{tenant_id}'");
    my $key = $voice->call('create_api_key', as => $owner,
        body => { name => 'pbx', role => 'api_client',
                  scopes => ['calls:ingest'] })->{json}{data}{secret};

    return { id => $owner->{tenant_id}, header => "X-API-Key: $key" };
}


# A run by its seed: what is sent, and over which connection.
sub make {
    my ($seed) = @_;

    srand $seed;

    my $count = 1 + int rand(rand() < 0.2 ? 40 : 12);
    my @sequences = 0 .. $count - 1;
    $_ += int rand 300 for rand() < 0.2 ? @sequences : ();
    my %unique = map { $_ => 1 } @sequences;
    @sequences = sort { $a <=> $b } keys %unique;

    my $order = int rand 4;
    @sequences = shuffle @sequences if $order == 0;
    @sequences = reverse @sequences if $order == 1;
    @sequences = map { $_->[1] } sort { $a->[0] <=> $b->[0] }
        map { [$_ + rand 6, $_] } @sequences if $order == 2;

    my @sent = map { ['packet', $_, "d$_"] } @sequences;
    insert(\@sent, $sequences[rand @sequences]) for 1 .. int rand $count;
    complete(\@sent, 1 + max(@sequences), $count)
        if rand() < 0.7;

    my $connections = 1 + int rand CONNECTIONS;
    my @ways = map { int rand CONNECTIONS } 1 .. $connections;

    return { seed => $seed, grace => (qw(none some long))[rand 3],
             sent => [map { [$ways[rand @ways], @$_] } @sent] };
}


# Once more, perhaps with something else in it, anywhere.
sub insert {
    my ($sent, $sequence) = @_;

    my $data = rand() < 0.5 ? "d$sequence" : 'other' . int rand 100;

    splice @$sent, rand(@$sent + 1), 0, ['packet', $sequence, $data];
}


sub complete {
    my ($sent, $right, $count) = @_;

    my $total = rand() < 0.7 ? $right : 1 + int rand $right + 2;

    for (0 .. int rand 4) {
        my $place = rand() < 0.5 ? @$sent - int rand(1 + @$sent / 4)
                                 : rand(@$sent + 1);
        splice @$sent, $place, 0,
            ['complete', rand() < 0.7 ? $total : 1 + int rand $right + 3];
    }
}


# Runs at the same time, each on a call of its own; with their faults.
sub execute {
    my (@together) = @_;

    my $pbx = Voice::Pbx->new(ports => [map { $_->{stack}{port} } $voice,
                                        $node], connections => CONNECTIONS);
    my %run;

    for my $run (@together) {
        $run->{call} = 'run' . ++$calls;
        $run{$run->{call}} = $run;
        $run->{exchanges} = [];
    }

    for my $run (map { ($_) x @{$_->{sent}} } @together) {
        $run->{left} //= [@{$run->{sent}}];
    }
    while (my @left = grep { @{$_->{left}} } @together) {
        my $run = $left[rand @left];
        my ($way, $kind, @what) = @{shift @{$run->{left}}};
        $pbx->$kind($way, $run->{call}, @what,
                    header => $tenant{$run->{grace}}{header});
    }
    delete $_->{left} for @together;

    push @{$run{$_->{call}}{exchanges}}, $_ for $pbx->run;

    my $stored = stored(map { $_->{call} } @together);
    for my $run (@together) {
        $run->{faults} = [judge($run, $stored->{$run->{call}})];
        count($run);
    }

    return @together;
}


sub judge {
    my ($run, $stored) = @_;

    return 'replies are missing'
        if @{$run->{exchanges}} != @{$run->{sent}};

    # Nobody but completions asked.
    return grep { $_->{status} != 404 } @{$run->{exchanges}}
        ? 'nothing is stored' : () unless $stored;

    return Voice::CallModel::check($run->{exchanges}, $stored,
                                   grace => $run->{grace});
}


sub count {
    my ($run) = @_;

    $seen{$_->{kind} eq 'packet' ? $_->{json}{status} // "packet $_->{status}"
                                 : $_->{status}}++ for @{$run->{exchanges}};
}


# What the database has of the calls, by their names.
sub stored {
    my $names = join ',', map { "'$_'" } @_;
    my %stored;

    my $streams = $json->decode($voice->sql("select coalesce(json_agg("
        . "json_build_object('call', s.external_id, 'received', s.received,"
        . " 'next', s.next_sequence, 'expected', s.expected, 'missing',"
        . " (select string_agg(m::text, ',' order by m) from"
        . " unnest(s.missing) r, generate_series(lower(r), upper(r) - 1) m),"
        . " 'rows', (select json_object_agg(p.sequence, p.data) from"
        . " core.packet p where p.tenant_id = s.tenant_id and"
        . " p.call_id = s.call_id and p.day = s.day))), '[]')"
        . " from core.call_stream s where s.external_id in ($names)"));

    for my $stream (@$streams) {
        $stream->{$_} //= '' for qw(expected missing);
        $stored{delete $stream->{call}} = $stream;
    }

    return \%stored;
}


# --- failures -------------------------------------------------------------

# The least of the run that still fails, as far as chance shows it.
sub report {
    my ($run) = @_;

    my @sent = @{$run->{sent}};
    my $worst = $run;

    for (my $size = int @sent / 2; $size >= 1; $size = int $size / 2) {
        for (my $at = 0; $at + $size <= @sent && @sent > $size; ) {
            my @less = @sent;
            splice @less, $at, $size;
            my $failed = fails($run, @less);
            if ($failed) { @sent = @less; $worst = $failed; }
            else { $at += $size; }
        }
    }

    diag("seed $run->{seed}, grace $run->{grace}: "
         . scalar(@{$run->{sent}}) . ' requests, shrunk to '
         . scalar(@sent) . ':');
    diag("    @$_") for @sent;
    diag("  replies: " . Voice::CallModel::show($_))
        for sort { $a->{begun} <=> $b->{begun} } @{$worst->{exchanges}};
    diag("  $_") for @{$worst->{faults}};
}


sub fails {
    my ($run, @sent) = @_;

    for (1 .. TRIES) {
        my ($again) = execute({ seed => $run->{seed}, sent => \@sent,
                                grace => $run->{grace} });
        return $again if @{$again->{faults}};
    }

    return undef;
}


# --- the model itself -----------------------------------------------------

# Of a right history nothing is found, of each wrong one something.
sub the_model_sees_faults {
    is_deeply([faults(sub { })], [], 'the model finds no fault in a good one');

    my %wrong = (
        'a sequence that is accepted twice' => sub {
            $_[0][2]{json}{status} = 'accepted';
            $_[0][2]{json}{duplicate} = JSON::PP::false;
            $_[0][2]{json}{message} = 'Packet received successfully';
        },
        'a total that stands still' => sub {
            $_[0][3]{json}{total_received} = 1;
        },
        'a list that lacks a gap' => sub {
            $_[0][1]{json}{missing_sequences} = [];
        },
        'a number that is too small' => sub {
            $_[0][1]{json}{missing_count} = 0;
        },
        'a duplicate of what came later' => sub {
            $_[0][2]{json}{total_received} = 1;
            $_[0][2]{json}{missing_sequences} = [];
            $_[0][2]{json}{missing_count} = 0;
        },
        'a packet that is lost' => sub { delete $_[1]{rows}{2} },
        'a packet that is overwritten' => sub { $_[1]{rows}{2} = 'other' },
        'a packet that nobody sent' => sub { $_[1]{rows}{7} = 'd7' },
        'a gap that is forgotten' => sub { $_[1]{missing} = '1' },
        'a counter that is forgotten' => sub { $_[1]{received} = 2 },
        'another total in the end' => sub { $_[1]{expected} = 9 },
        'a second total' => sub {
            $_[0][5]{status} = 202;
            $_[0][5]{json} = { expected_total_packets => 9,
                total_received => 3, missing_count => 6 };
        },
        'the right total refused' => sub { $_[0][5]{total} = 3 },
        'acceptance past the end' => sub { $_[0][6]{sequence} = 2 },
        'an order that was another' => sub {
            @{$_[0][3]}{qw(begun ended)} = (1, 2);
        },
        'the order of a connection' => sub {
            $_[0][$_]{connection} = 1 for 1, 3;
            @{$_[0][3]}{qw(begun ended)} = (2, 40);
            @{$_[0][1]}{qw(begun ended)} = (3, 41);
        },
        'a refusal before the completion' => sub {
            @{$_[0][6]}{qw(begun ended)} = (1, 2);
            @{$_[0][6]{json}}{qw(total_received missing_count)} = (1, 0);
        },
        'a completion of nothing later on' => sub { $_[0][5]{status} = 404 },
        'a reply to another packet' => sub { $_[0][0]{json}{sequence} = 1 },
        'a reply that is none' => sub { $_[0][0]{json} = undef },
    );

    cmp_ok(scalar(faults($wrong{$_})), '>', 0, "the model finds $_")
        for sort keys %wrong;
}


# Packets 0, 2, 2 again, 1, the end, another end, one packet too many.
sub faults {
    my ($change) = @_;

    my $moment = 0;
    my @history = map {
        my ($kind, $what, $status, $is, $total, @missing) = @$_;
        my %text = (accepted => 'Packet received successfully',
            duplicate => 'Packet already received',
            rejected => 'Call already completed, no longer accepting packets');
        my $packet = { connection => $moment, begun => ++$moment * 10,
            ended => $moment * 10 + 5, kind => $kind, call => 'c',
            status => $status };
        if ($kind eq 'packet') {
            @$packet{qw(sequence data)} = ($what, "d$what");
            $packet->{json} = { status => $is, message => $text{$is},
                call_id => 'c', sequence => $what, total_received => $total,
                missing_sequences => [@missing],
                missing_count => scalar @missing,
                duplicate => $is eq 'duplicate' ? JSON::PP::true
                                                : JSON::PP::false };
        } else {
            $packet->{total} = $what;
            $packet->{json} = { expected_total_packets => $what };
        }
        $packet;
    } (['packet', 0, 202, 'accepted', 1], ['packet', 2, 202, 'accepted', 2, 1],
       ['packet', 2, 202, 'duplicate', 2, 1],
       ['packet', 1, 202, 'accepted', 3], ['complete', 3, 202],
       ['complete', 9, 409], ['packet', 3, 202, 'rejected', 3]);
    my $stored = { received => 3, next => 3, missing => '', expected => 3,
                   rows => { 0 => 'd0', 1 => 'd1', 2 => 'd2' } };

    $change->(\@history, $stored);

    return Voice::CallModel::check(\@history, $stored, grace => 'long');
}
