#!/usr/bin/perl

# Sessions that work on the same call at the same time: it begins once, ends
# once, is erased whole, and what was taken is there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Voice::Sessions;
use Voice::Sql;

use constant SENDERS => 4;
use constant PACKETS => 400;

my $tenant = '00000000-0000-7000-8000-00000000000a';
my $enter = "api.enter('$tenant', '00000000-0000-7000-8000-0000000000aa',
    'api_key', 'admin', null, 'race', null)";

Voice::Sql::start() or exit 0;
query("\\i $Voice::Sql::ROOT/t/sql/setup/tenants.sql
    create table sent (taken bigint);
    create function public.outcome(p_sql text) returns text
    language plpgsql as \$\$
    begin
        execute p_sql;
        return '00000';
    exception when others then
        return sqlstate;
    end
    \$\$");

first_packets();
completions();
completion_and_packet();
silence_and_packet();
erasure_and_packet();
many_senders();

done_testing();


# Two sessions send the first packets of a call that there is none of.
sub first_packets {
    my ($first, $second) = beside(packet('new', 0), packet('new', 1));

    like($first, qr/^accepted\|1$/m, 'the first one begins the call');
    like($second, qr/^accepted\|2$/m, 'the second one is taken, too');
    is(query("select count(*) from core.call"), 1, 'it is one call');
    is(stored('new'), '0,1', 'with both packets');

    ($first, $second) = beside(packet('twice', 0), packet('twice', 0));
    like($first, qr/^accepted\|1$/m, 'of the same packet one is accepted');
    like($second, qr/^duplicate\|1$/m, 'the other a duplicate');
}


sub completions {
    my ($first, $second) = beside(complete('new', 2), complete('new', 2));

    like($first, qr/^202\|\|$/m, 'a completion is the first');
    like($second, qr/^202\|COMPLETED\|$/m, 'the other finds it completed');
    is(jobs('new'), 1, 'one job is made');

    query(packet('other', 0));
    ($first, $second) = beside(complete('other', 2),
        outcome(complete('other', 3)));
    like($first, qr/^202/m, 'of two totals the first one counts');
    like($second, qr/^V1409$/m, 'the other is refused');
    is(query("select expected from core.call_stream
               where external_id = 'other'"), 2, 'and not kept');
}


sub completion_and_packet {
    query(packet('end', 0));
    my ($first, $second) = beside(complete('end', 2), packet('end', 5));
    like($second, qr/^rejected\|1$/m,
         'a packet that waits for a completion is judged by it');

    query(packet('before', 0));
    ($first, $second) = beside(packet('before', 5), complete('before', 2));
    like($first, qr/^accepted\|2$/m, 'one before it counts');
    like($second, qr/^202/m, 'and the call is completed');
}


sub silence_and_packet {
    query(packet('still', 0));
    query("update core.call_stream set idle_at = now(),
               last_at = now() - interval '1 hour'
            where external_id = 'still'");

    my $one = session();
    say_to($one, 'begin;', packet('still', 1), '\echo done');
    hear($one);
    is(query('select work.abandon_calls(10)'), 0,
       'a call that is being written to is passed over');
    say_to($one, 'commit;');
    hear_end($one);
    is(query('select work.abandon_calls(10)'), 0, 'and has been heard of');

    query("update core.call_stream set idle_at = now(),
               last_at = now() - interval '1 hour'
            where external_id = 'still'");
    my ($first, $second) = beside('select work.abandon_calls(10);',
                                  packet('still', 9));
    like($first, qr/^1$/m, 'a silent one is ended');
    like($second, qr/^accepted\|3$/m,
         'a packet that waits for that is within the grace period');
    is(jobs('still'), 1, 'one job is made');
}


sub erasure_and_packet {
    query(packet('gone', 0));
    my $erase = "select status from api.delete_named_call($enter,
                     '{\"call_id\": \"gone\"}');";
    my ($first, $second) = beside($erase, outcome(packet('gone', 1)));
    like($first, qr/^204$/m, 'a call is erased');
    like($second, qr/^40001$/m, 'a packet that waits for that comes again');
    like(query(packet('gone', 1)), qr/^accepted\|1$/m,
         'to begin another call');

    ($first, $second) = beside(packet('gone', 0), $erase);
    like($second, qr/^204$/m, 'an erasure waits for a packet');
    is(query("select count(*) from core.packet p
               where not exists (select from core.call c
                                  where c.id = p.call_id)"), 0,
       'and leaves none');
}


# All send the same packets of two calls, each in an order of its own, some
# twice.
sub many_senders {
    my @senders = map { session() } 1 .. SENDERS;

    say_to($_, sender_loop(), '\echo done') for @senders;
    for my $sender (@senders) {
        like(hear($sender), qr/^done/m, 'a sender meets no error');
        hear_end($sender);
    }

    my $last = PACKETS - 1;
    for my $call ('left', 'right') {
        is(query("select count(*), min(sequence), max(sequence)
                    from core.packet p
                    join core.call_stream s on s.call_id = p.call_id
                   where s.external_id = '$call'"),
           PACKETS . "|0|$last", 'each packet is there once');
        is(query("select received, next_sequence, missing
                    from core.call_stream where external_id = '$call'"),
           PACKETS . '|' . PACKETS . '|{}', 'and counted once');
    }
    is(query("select sum(taken) from sent"), 2 * PACKETS,
       'each was accepted once');
}


# Sends batches until all packets were sent.
sub sender_loop {
    my $count = PACKETS;

    return <<"SQL";
do \$\$
declare
    v_taken  bigint := 0;
    b        record;
begin
    for b in select array_agg(p.call order by p.call, p.turn) as calls,
                    array_agg(p.n order by p.call, p.turn) as sequences,
                    array_agg(1.5::float8) as sent,
                    array_agg(null::text) as media,
                    array_agg('x'::text) as data
               from (select c.call, g.n::bigint, random() as turn,
                            ntile(20) over (order by random()) as batch
                       from generate_series(0, $count - 1) g (n),
                            unnest(array['left', 'right']) c (call),
                            generate_series(1, 2)) p
              group by p.batch
    loop
        v_taken := v_taken + (
            select count(*) filter (where r.status = 'accepted')
              from api.ingest_packet($enter, b.calls, b.sequences, b.sent,
                                     b.media, b.data, 100000) r);
        commit;
    end loop;
    insert into sent values (v_taken);
end
\$\$;
SQL
}


# --- two sessions ---------------------------------------------------------

# What two pieces of SQL say of which the second one has to wait until the
# first one's transaction ends.
sub beside {
    my ($before, $after) = @_;

    my ($first, $second) = (session(), session());

    say_to($first, 'begin;', $before, '\echo done');
    my $said = hear($first);
    say_to($second, $after, '\echo done');
    ok(wait_for("select 1 from pg_stat_activity
                  where wait_event_type = 'Lock'"), 'the second one waits');
    say_to($first, 'commit;');
    hear_end($first);
    my $then = hear($second);
    hear_end($second);

    return ($said, $then);
}


# SQL that says how a statement ends: 00000, or its SQLSTATE.
sub outcome {
    my ($sql) = @_;

    return "select public.outcome(\$sql\$$sql\$sql\$);";
}


sub packet {
    my ($call, $sequence) = @_;

    return "select status, total from api.ingest_packet($enter,
        array['$call'], array[$sequence]::bigint[], array[1.5]::float8[],
        array[null]::text[], array['x'], 100);";
}


sub complete {
    my ($call, $total) = @_;

    return "select status, data ->> 'processing_state', message
              from api.complete_call($enter, '{\"call_id\": \"$call\",
                  \"total_packets\": $total}');";
}


sub stored {
    my ($call) = @_;

    return query("select string_agg(p.sequence::text, ',' order by sequence)
                    from core.packet p
                    join core.call_stream s on s.call_id = p.call_id
                   where s.external_id = '$call'");
}


sub jobs {
    my ($call) = @_;

    return query("select count(*) from core.job j
                    join core.call_stream s on s.call_id = j.subject_id
                   where s.external_id = '$call'");
}
