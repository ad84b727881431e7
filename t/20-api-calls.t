#!/usr/bin/perl

# Calls over HTTP: completion, lists, what a processed call has, erasure, the
# rights that all this takes, and what the keeper does with calls.

use strict;
use warnings;

use File::Path qw(make_path);
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;

# covers: get_call get_call_recording get_call_transcript list_call_events
# covers: list_call_packets

use constant WAV => "RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0"
    . "\0\x7d\0\0\2\0\x10\0data\0\0\0\0";

my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $stranger = $voice->tenant('other');
my $viewer = $voice->person('acme', 'viewer');
my $operator = $voice->person('acme', 'operator');
my $supervisor = $voice->person('acme', 'supervisor');
my $null = '00000000-0000-7000-8000-000000000000';
my %id;

settings();
completion();
rights();
reading();
packets();
processed();
redrive();
erasure();
keeper();

$voice->finish;


sub settings {
    my $put = sub { $voice->call('update_tenant', as => $owner,
        path => { id => $owner->{tenant_id} },
        body => { settings => { calls => $_[0] } }) };

    is($put->({ grace_seconds => 60.5, abandon_seconds => 120,
                redrive_seconds => 1, media => 'pcm/16000',
                analysis => 'fast', language => 'de-DE' })->{status}, 200,
       'a tenant has settings for its calls');
    my %wrong = (grace_seconds => -1, abandon_seconds => 0,
                 redrive_seconds => 100_000, media => 'pcm/1',
                 language => 'no language', else => 1);
    is($put->({ $_ => $wrong{$_} })->{status}, 422, "$_ is checked")
        for sort keys %wrong;
    is($put->({ grace_seconds => 600 })->{status}, 200,
       'they are replaced whole');
}


sub completion {
    ingest('one', [0, 'hello'], [2, 'world']);

    my $done = complete('one', 4);
    is($done->{status}, 202, 'a call is completed');
    is_deeply($done->{json}, { status => 'accepted', call_id => 'one',
        message => 'Call completion signal received',
        expected_total_packets => 4 }, 'the reply is the source\'s');

    my $again = complete('one', 4);
    is($again->{status}, 202, 'the same total may come again');
    is($again->{json}{processing_state}, 'COMPLETED', 'the state is told');
    is($again->{json}{missing_count}, 2, 'and what is missing');
    is($voice->sql("select count(*) from core.job
                     where kind = 'call_processing'"), 1, 'one job waits');

    my $other = complete('one', 5);
    is($other->{status}, 409, 'another total is refused');
    is($other->{json}{detail}, 'Call one was completed with 4 packets',
       'with a sentence');
    my $nobody = complete('no/body', 1);
    is($nobody->{status}, 404, 'an unknown call is not found');
    is($nobody->{json}{detail}, 'Call no/body not found', 'and named');

    for my $wrong (undef, 0, -1, 2**31, 1.5, '3', [], JSON::PP::true) {
        my $reply = complete('one', $wrong);
        is($reply->{status}, 422, 'a total of '
            . JSON::PP->new->allow_nonref->encode($wrong) . ' is refused');
        is_deeply($reply->{json}{detail}[0]{loc}, ['body', 'total_packets'],
                  'and placed');
    }
    is(complete('x' x 256, 1)->{status}, 422, 'so is an id too long');
    is(complete("a\tb", 1)->{status}, 422, 'and one with control characters');
    is(complete("\x{c3}\x{a9}" x 255, 1)->{status}, 404,
       'characters are counted, not bytes');
}


sub rights {
    my $key = key('calls:ingest');
    ingest('keyed', [0, 'x']);

    is(complete('keyed', 1, $key)->{status}, 202,
       'a key for ingestion completes');
    is(named('keyed', $key)->{status}, 403, 'and reads nothing');
    is($voice->call('list_calls', as => $key)->{status}, 403, 'nor lists');
    my $reader = key('calls:read');
    is(named('keyed', $reader)->{status}, 200, 'one for reading reads');
    is(complete('keyed', 1, $reader)->{status}, 403, 'and completes nothing');
    is($voice->call('delete_named_call', as => $reader,
                    path => { call_id => 'keyed' })->{status}, 403,
       'nor erases');
    is($voice->call('delete_named_call', as => $operator,
                    path => { call_id => 'keyed' })->{status}, 403,
       'nor does an operator');
    is(complete('keyed', 1, $viewer)->{status}, 403,
       'a viewer completes nothing');
    is(complete('keyed', 1, $stranger)->{status}, 404,
       'another tenant does not see the call');
    is(named('keyed', $stranger)->{status}, 404, 'nor reads it');
}


sub reading {
    my $call = named('one', $viewer);
    is($call->{status}, 200, 'a call is shown by its caller\'s id');
    my $shown = $call->{json};
    $id{one} = $shown->{id};
    is($shown->{state}, 'COMPLETED', 'its state');
    is($shown->{total_received}, 2, 'its packets');
    is_deeply($shown->{missing_ranges}, [[1, 1], [3, 3]],
              'gaps and the tail');
    is_deeply([map { "$_->{from_state} $_->{to_state}" }
                   @{$shown->{history}}], ['IN_PROGRESS COMPLETED'],
              'its history');
    is_deeply(get('get_call', 'one')->{json}{data}, $shown,
              'by our own id the same');

    my $list = $voice->call('list_calls', as => $viewer, query => {
        state => 'COMPLETED', search => 'ON', sort => 'started_at',
        from => '2020-01-01T00:00:00Z', disposition => 'completed' });
    is_deeply([map { $_->{call_id} } @{$list->{json}{data}}], ['one'],
              'a call is found');
    is($voice->call('list_calls', as => $viewer, query => {
        to => '2020-01-01T00:00:00Z' })->{json}{pagination}{total_items}, 0,
       'none of long ago');
    is($voice->call('list_calls', as => $viewer, query => {
        state => 'DONE' })->{status}, 422, 'a state that is none is refused');
    is(scalar @{$voice->call('list_calls', as => $stranger)->{json}{data}},
       0, 'nobody sees another tenant\'s');

    my $events = get('list_call_events', 'one')->{json}{data};
    is($events->[0]{to_state}, 'COMPLETED', 'what happened is listed');
    is($voice->call($_, as => $viewer, path => { id => $null })->{status},
       404, "$_ of an unknown call")
        for qw(get_call list_call_events get_call_transcript
               get_call_recording list_call_packets);
    is($voice->call($_, as => $stranger, path => { id => $id{one} })
           ->{status}, 404, "$_ of another tenant's call")
        for qw(get_call list_call_events get_call_transcript
               get_call_recording list_call_packets process_call
               delete_call);
}


sub packets {
    my $reply = get('list_call_packets', 'one');
    is($reply->{status}, 200, 'packets are given');
    my @lines = map { decode_json($_) } split /\n/, $reply->{content};
    is_deeply([map { $_->{gap} || "$_->{sequence} $_->{data}" } @lines],
              ['0 hello', { from => 1, to => 1 }, '2 world',
               { from => 3, to => 3 }], 'in order, gaps between them');

    ingest('many', map { [$_, "packet $_"] } 0 .. 1700);
    complete('many', 1701);
    $id{many} = named('many', $viewer)->{json}{id};
    my @all = map { decode_json($_)->{sequence} }
        split /\n/, get('list_call_packets', 'many')->{content};
    is_deeply(\@all, [0 .. 1700], 'however many there are');
}


# The AI's moves are made here by their SQL functions.
sub processed {
    my $reply = get('get_call_transcript', 'one');
    is($reply->{status}, 409, 'before it is processed there is no transcript');
    is($reply->{json}{error}{message},
       'The call is COMPLETED; there is no transcript yet.', 'it is said why');
    $reply = get('get_call_recording', 'one');
    is($reply->{status}, 404, 'text has no recording');

    my $key = object(WAV);
    move('one', 'PROCESSING_AI', 'ARCHIVED');
    $voice->sql("update core.call set transcription = 'hello world',
                     sentiment = 'positive', summary = 'A greeting.',
                     sentiment_detail = '{\"score\": 0.5}', media = 'pcm',
                     recording_key = '$key' where external_id = 'one'");

    my $text = get('get_call_transcript', 'one')->{json}{data};
    is($text->{transcription}, 'hello world', 'then it is shown');
    is($text->{sentiment}, 'positive', 'with the sentiment');
    is(named('one', $viewer)->{json}{sentiment_detail}{score}, 0.5,
       'of which the call has the details');
    my $sound = get('get_call_recording', 'one');
    is($sound->{status}, 200, 'its recording is given');
    is($sound->{content}, WAV, 'as it was stored');
    is($voice->call('list_calls', as => $viewer, query => {
        sentiment => 'positive' })->{json}{pagination}{total_items}, 1,
       'it is found by its sentiment');
}


sub redrive {
    is($voice->call('process_call', as => $operator,
                    path => { id => $id{one} })->{status}, 409,
       'an archived call is not processed again');

    $voice->sql("delete from core.job");
    move('many', 'PROCESSING_AI', 'FAILED');
    is($voice->call('process_call', as => $viewer,
                    path => { id => $id{many} })->{status}, 403,
       'a viewer drives no call');
    my $first = $voice->call('process_call', as => $operator,
                             path => { id => $id{many} });
    is($first->{status}, 202, 'an operator drives one that failed');
    is($first->{json}{data}{runs_at},
       named('many', $viewer)->{json}{redrive_at},
       'he is told when it will run');
    is($first->{json}{data}{drive}, 2, 'as which drive');
    is($voice->call('process_call', as => $operator,
                    path => { id => $id{many} })->{status}, 202,
       'asking twice is no fault');
    is($voice->sql("select count(*) from core.job where kind =
                    'call_processing' and state = 'queued'"), 1,
       'and makes one job');
}


sub erasure {
    is($voice->call('delete_call', as => $operator,
                    path => { id => $id{many} })->{status}, 403,
       'an operator erases nothing');
    is($voice->call('delete_call', as => $supervisor,
                    path => { id => $id{many} })->{status}, 204,
       'a supervisor erases a call');
    is(get('get_call', 'many')->{status}, 404, 'it is gone');
    is($voice->sql("select count(*) from core.packet
                     where call_id = '$id{many}'"), 0, 'with its packets');
    is($voice->sql("select count(*) from core.job where state = 'queued'"),
       0, 'and the job that waited');
    is($voice->call('delete_named_call', as => $supervisor,
                    path => { call_id => 'one' })->{status}, 204,
       'another by its caller\'s id');
    my $gone = $voice->call('delete_named_call', as => $supervisor,
                            path => { call_id => 'one' });
    is($gone->{status}, 404, 'once');
    is($gone->{json}{detail}, 'Call one not found', 'in the flat form');

    my $events = $voice->call('list_events', as => $viewer,
        query => { types => 'call.state_changed,call.ai_completed' });
    is($events->{status}, 200, 'events of calls are listed');
}


# Recordings of the erased are deleted, silent calls ended, partitions made.
sub keeper {
    my $key = $voice->sql('select key from core.object_erasure');
    ok(-s "$voice->{stack}{objects}/$key", 'an erased recording waits');
    $voice->sql("update core.call_stream set idle_at = now(),
                     last_at = now() - interval '1 hour'
                  where external_id = 'silent'")
        if ingest('silent', [0, 'x'], [4, 'y']);
    $voice->sql('drop table core.' . $voice->sql(
        "select core.packet_day((now() at time zone 'UTC')::date + 5)"));

    $voice->start_services('workers');

    ok($voice->wait_for(sub { !-e "$voice->{stack}{objects}/$key" }),
       'the keeper deletes it');
    ok($voice->wait_for(sub {
        !$voice->sql('select count(*) from core.object_erasure') }),
       'and forgets it');
    ok($voice->wait_for(sub {
        named('silent', $viewer)->{json}{state} ne 'IN_PROGRESS' }),
       'a silent call is ended');
    my $call = named('silent', $viewer)->{json};
    is($call->{disposition}, 'abandoned', 'as abandoned');
    is($call->{expected_total_packets}, undef, 'with no total');
    is_deeply($call->{missing_ranges}, [[1, 3]], 'its gaps are known');
    like($voice->request('GET', '/metrics')->{content},
         qr/^calls_ended_total\{disposition="abandoned"\} 1$/m,
         'and is counted');
    ok($voice->wait_for(sub { $voice->sql("select core.packets_kept(
           (now() at time zone 'UTC')::date + 5)") eq 't' }),
       'the partition of a day to come is made');
}


# --- what the edge and the workers do otherwise -----------------------------

# A batch of packets of acme: [sequence, data] each.
sub ingest {
    my ($call, @packets) = @_;

    my $list = join ', ', map { "($_->[0], '$_->[1]')" } @packets;

    return $voice->sql("select count(*) from (
            select array_agg('$call'::text) as c,
                   array_agg(s::bigint order by s) as s,
                   array_agg(1.5::float8) as t, array_agg(null::text) as m,
                   array_agg(d order by s) as d
              from (values $list) v (s, d)) b,
        api.ingest_packet(api.enter('$owner->{tenant_id}', null, 'dropin',
            'service', null, 'test', null), b.c, b.s, b.t, b.m, b.d, 100)");
}


sub move {
    my ($call, @states) = @_;

    $voice->sql("select core.use_tenant(tenant_id, null, 'system', null, ''),
                        core.call_move(id, '$_', null)
                   from core.call where external_id = '$call'")
        for @states;
}


sub object {
    my ($bytes) = @_;

    my $digits = 'ab' x 32;
    make_path("$voice->{stack}{objects}/ab");
    Voice::spew("$voice->{stack}{objects}/ab/$digits.wav", $bytes);
    system 'chown', '-R', "$voice->{stack}{user}:",
        "$voice->{stack}{objects}/ab" if $voice->{stack}{user};

    return "ab/$digits.wav";
}


sub complete {
    my ($call, $total, $as) = @_;

    return $voice->call('complete_call', as => $as || $operator,
        path => { call_id => $call }, body => { total_packets => $total });
}


sub named {
    my ($call, $as) = @_;

    return $voice->call('get_named_call', as => $as,
                        path => { call_id => $call });
}


sub get {
    my ($operation, $call) = @_;

    return $voice->call($operation, as => $viewer,
                        path => { id => $id{$call} });
}


sub key {
    my (@scopes) = @_;

    my $made = $voice->call('create_api_key', as => $owner, body => {
        name => "@scopes", role => 'api_client', scopes => \@scopes });

    return { api_key => $made->{json}{data}{secret} };
}
