#!/usr/bin/perl

# Redis with Sentinels below a stack that works: the master hangs and is
# replaced, comes back, dies; then there is none for a while.  What was
# acknowledged is done, live streams resume.
#
# VOICE_TEST_LONG=1: none for a minute.

use strict;
use warnings;

use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use Voice;
use Voice::Demo;
use Voice::Packets;
use Voice::Servers;

my $away = $ENV{VOICE_TEST_LONG} ? 60 : 4;

my $voice = Voice->start(processes => 2, workers => 0);
my $servers = Voice::Servers->new($voice);
my $etc = "$voice->{stack}{data}/etc";
my $owner = $voice->tenant('acme');
my $suite = Voice::Demo::suite($voice, $owner, 1);
my $packets = Voice::Packets->new($voice,
    Voice::Packets::key($voice, $owner, 'calls:ingest'));

my $first = $servers->redis;
my $second = $servers->redis(of => $first);
my @sentinels = $servers->sentinels('voice', $first);
my $addresses = join ',', map { "127.0.0.1:$_->{port}" } @sentinels;

use_sentinels();

my $stream = listen_to();
my $load = $packets->start_load('flow', 2);
my @runs = map { start_run() } 1 .. 3;

resumes('first');

hangs();
dies();
is_away();

my ($told) = Voice::Packets::end_load($load);
cmp_ok($told, '>', 20, 'packets came all the time');
is($packets->lost($load), 0, 'and are stored, all that were acknowledged');

is(scalar(grep { $voice->wait_run($owner, $_)->{status}
                 !~ /^(?:completed|failed)$/ } @runs), 0,
   'every run that was acknowledged ends');
is($voice->sql("select count(*) from core.job where state = 'dead'"), 0,
   'no job is dead');
is($voice->sql('select count(*) from (select execution_id from'
               . ' core.validation_result group by execution_id'
               . ' having count(*) > 1) twice'), 0, 'none was done twice');
ok($voice->wait_for(sub {
    $voice->sql('select count(*) from core.event where published_at is null')
        eq '0' }), 'every event was published');

# nchan forgets a publisher that gave up while Redis hung
$servers->stop;
$voice->finish(alerts => qr/open socket #\d+ left|aborting/);


# As voicegate-configure writes it.  The Redis of the stack itself is left
# alone from now on.
sub use_sentinels {
    my $text = Voice::slurp("$etc/edge.conf");

    system("$Voice::ROOT/bin/voicegate-configure", '--templates',
           "$Voice::ROOT/conf", '--out', "$voice->{dir}/etc", '--secrets',
           $voice->{stack}{secrets}, "REDIS_SENTINEL=$addresses",
           'REDIS_MASTER=voice', 'REDIS_HOST=' . join ',',
           map { "127.0.0.1:$_->{port}" } $first, $second) == 0
        or BAIL_OUT('no configuration');
    my $written = Voice::slurp("$voice->{dir}/etc/edge.conf");

    for my $part (qr/voice_redis [^;]*;/, qr/upstream voice_live \{.*?\n\}/s) {
        my ($new) = $written =~ /($part)/;
        $new =~ s{password_file=\S+/}{password_file=$voice->{stack}{secrets}/};
        $text =~ s/$part/$new/ or BAIL_OUT("no $part");
    }
    Voice::spew("$etc/edge.conf", $text);
    $servers->own("$etc/edge.conf");

    my %preload = %{$voice->{stack}{preload}};
    local @ENV{keys %preload} = values %preload;
    is(system("$Voice::ROOT/bin/voicegate-reload", '--pid-file',
              "$voice->{stack}{data}/run/nginx.pid"), 0,
       'the edge takes Sentinels');

    $voice->configure_workers({ redis_sentinel => $addresses,
        redis_master => 'voice', redis_timeout_ms => 1000 });
    $voice->start_services('workers');
    ok(served_by($first), 'edge and pool find the master');
}


sub hangs {
    $servers->freeze($first);
    push @runs, start_run();
    ok(named($second), 'the master hangs: Sentinels name its replica');
    push @runs, start_run();
    ok(served_by($second), 'edge and pool go over to it');
    resumes('hung');
    told_by_nchan();

    # as Sentinels do, some seconds later
    $servers->thaw($first);
    $servers->ask($first, 'REPLICAOF', '127.0.0.1', $second->{port});
    ok($voice->wait_for(sub {
        ($servers->field($first, 'role') // '') eq 'slave'
            && $servers->field($first, 'master_link_status') eq 'up' }, 60),
       'the one that hung is a replica when it is back');
    push @runs, start_run();
    ok(served_by($second), 'and is not gone back to');
}


sub dies {
    $servers->kill($second);
    push @runs, start_run();
    ok(named($first), 'the master dies: Sentinels name the other one');
    ok(served_by($first), 'edge and pool go over to it');
    resumes('dead');
    told_by_nchan();
}


sub is_away {
    my $end = time + $away;

    $servers->kill($first);
    while (time < $end) {
        push @runs, start_run();
        $voice->wait_for(sub { time > $end }, 3);
    }
    is($voice->wait_run($owner, $runs[-1])->{status}, 'completed',
       'without any Redis runs go on');

    $servers->start($first);
    ok(served_by($first), 'edge and pool are back as soon as it is');
    resumes('away');
    told_by_nchan();
}


# --- who serves -------------------------------------------------------------

sub named {
    my ($server) = @_;

    return $voice->wait_for(sub {
        $servers->master($sentinels[0], 'voice') == $server->{port} }, 60);
}


# Both read or write there.
sub served_by {
    my ($server) = @_;

    return $voice->wait_for(sub {
        my $clients = eval { $servers->ask($server, 'CLIENT', 'LIST') } // '';
        my $pool = () = $clients =~ /cmd=xreadgroup/g;
        my $edge = () = $clients =~ /cmd=(?:evalsha|eval|ping)/g;
        my $heard = () = $clients =~ /cmd=subscribe/g;

        return $pool >= 3 && $edge && $heard >= 2 && ready();
    }, 90);
}


sub ready {
    my $reply = $voice->request('GET', '/ready');

    return ($reply->{json}{dependencies}{redis} // '') eq 'ok';
}


# --- what goes on -----------------------------------------------------------

sub start_run {
    my $id;

    $voice->wait_for(sub {
        my $reply = $voice->request('POST', '/api/v1/test-runs', headers => {
            Authorization => "Bearer $owner->{token}",
            'Content-Type' => 'application/json' },
            content => qq({"suite_id":"$suite"}));
        $id = $reply->{json}{data}{id} if $reply->{status} == 201;
        return $id;
    }) or BAIL_OUT('no run can be started');

    return $id;
}


# An event that came while Redis was gone, or after, is heard by who listens,
# with the last id if he has to come again.
sub resumes {
    my ($call) = @_;

    $voice->sql("insert into core.event (tenant_id, type, subject_type,"
        . " subject_id, payload, trace_id) values ('$owner->{tenant_id}',"
        . " 'call.ai_failed', 'call', core.uuid_v7(),"
        . " '{\"call_id\": \"$call\"}', '')");

    ok($voice->wait_for(sub {
        my $event = $stream->next(0.2);
        if (!$event && $stream->ended) {
            my $id = $stream->last_id;
            $stream = listen_to(defined $id ? $id : ());
        }
        return $event && ($event->{json}{call_id} // '') eq $call;
    }, 60), "who listens hears of $call");
}


# An event of a run, by nchan, whose connections the edge directs.
sub told_by_nchan {
    my $events = $voice->wait_for(sub {
        my $opened = $voice->stream("/events/stream/$owner->{tenant_id}",
            Authorization => "Bearer $owner->{token}");
        return $opened && ($opened->{status} // 0) == 200 && $opened;
    }, 60);
    push @runs, start_run();
    ok($voice->wait_for(sub {
        my $event = $events->next(0.2);
        return $event && $event->{data} =~ /$runs[-1]/;
    }, 60), 'who listens to runs hears of the next one');
}


sub listen_to {
    my ($id) = @_;

    return $voice->wait_for(sub {
        my $stream = $voice->stream('/api/v1/calls/stream?event_types=ai_failed',
            defined $id ? ('Last-Event-ID' => $id) : (),
            Authorization => "Bearer $owner->{token}");
        return $stream && ($stream->{status} // 0) == 200 && $stream;
    }, 60) || BAIL_OUT('no stream opens');
}
