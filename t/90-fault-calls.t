#!/usr/bin/perl

# kill -9 of nginx's processes, of PostgreSQL and of workers while packets
# come in, of calls that end, that nobody ends, and whose AI service fails:
# what was acknowledged is stored once, every call is processed in the end,
# and a supervisor who resumes hears of every state.
#
# VOICE_TEST_LONG=1 kills 24 times; VOICE_TEST_KILLS says how often.

# covers: stream_supervisor

use strict;
use warnings;

use JSON::PP;
use List::Util qw(shuffle);
use POSIX ();
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Ai;
use Voice::Kill;
use Voice::Pbx;
use Voice::WebSocket;

use constant { CONNECTIONS => 16, CALLS => 4, PROGRESS => 150 };

my $test = $$;
my $json = JSON::PP->new->utf8->canonical;
my $kills = $ENV{VOICE_TEST_KILLS} || ($ENV{VOICE_TEST_LONG} ? 24 : 6);
my $ai = Voice::Ai->start(api_key => 'sk-ai-77aa', path => '/analyse');
my $voice = Voice->start(processes => 2, workers => 2,
    settings => { keeper_ms => 500 }, profiles => { 'analysis service' => {
        base_url => $ai->url, path => '/analyse', api_key => 'sk-ai-77aa',
        allow_private => 'yes', open_ms => 500 } });
my $owner = settle('acme', grace_seconds => 1, abandon_seconds => 4);
my $other = settle('other', grace_seconds => 0, redrive_seconds => 1,
                   analysis => 'service');
my %file = map { $_ => "$voice->{dir}/$_" } qw(heard acknowledged stop);

my $supervisor = run_apart(\&supervise);
ok($voice->wait_for(sub { lines('heard') }, 60), 'a supervisor listens');
ok(warm(), 'and hears of a first call');
fail_calls();
my $pbx = run_apart(\&send_calls);

is(kill_often(), $kills, "$kills processes were killed");

Voice::spew($file{stop}, '');
waitpid $pbx, 0;
is($?, 0, 'all that was sent was acknowledged');

is(unended(), '', 'every call ends') or diag(unfinished());
all_is_stored();
all_is_processed();
all_is_heard();
kill 'TERM', $supervisor;
waitpid $supervisor, 0;

$voice->finish(alerts => qr/exited on signal 9/);


# --- the load -------------------------------------------------------------

sub settle {
    my ($name, %settings) = @_;

    my $owner = $voice->tenant($name);
    $voice->call('update_tenant', as => $owner,
        path => { id => $owner->{tenant_id} },
        body => { settings => { calls => \%settings } });

    return $owner;
}


# A process of its own; without what ends the test.
sub run_apart {
    my ($work) = @_;

    my $pid = fork() // die "fork: $!";
    return $pid if $pid;

    $SIG{TERM} = 'DEFAULT';
    my $done = eval { $work->(); 1 };
    print STDERR "# $@" unless $done;
    POSIX::_exit($done ? 0 : 1);
}


sub client {
    my ($who, $connections, $log) = @_;

    return Voice::Pbx->new(ports => [$voice->{stack}{port}],
        connections => $connections, repeat => 1,
        header => "Authorization: Bearer $who->{token}",
        answered => $log);
}


# The first call: after it there is an id to resume from.
sub warm {
    my $pbx = client($owner, 1);

    $pbx->packet(0, 'warm', 0, 'w0');
    $pbx->complete(0, 'warm', 1);
    $pbx->run;

    return $voice->wait_for(sub { heard_of('warm') }, 30);
}


# Calls whose service fails five times and then once more has its chance.
sub fail_calls {
    my $pbx = client($other, 1);

    for my $call (map { "fail$_" } 1 .. 3) {
        $ai->script_of($call, ('503') x 5, 'ok');
        $pbx->packet(0, $call, 0, 'w0');
        $pbx->complete(0, $call, 1);
    }
    $pbx->run;
}


# Rounds of calls until it is enough: packets shuffled and some of them
# twice, then the ends of most.  Each reply that is no refusal is written down.
sub send_calls {
    open my $log, '>>', $file{acknowledged} or die "log: $!";
    $log->autoflush(1);
    my $pbx = client($owner, CONNECTIONS, sub {
        my ($exchange) = @_;
        print $log $json->encode({ map { $_ => $exchange->{$_} }
            qw(kind call sequence data status) , }) =~ s/\}$/,/r
            . '"is":' . $json->encode($exchange->{json}{status}) . "}\n";
    });

    for (my $round = 1; !-e $file{stop} && getppid() == $test; $round++) {
        my @calls = map { "call$round-$_" } 1 .. CALLS;
        my %count = map { $_ => 5 + int rand 30 } @calls;

        $pbx->spread(shuffle map { my $call = $_; map {
            ['packet', $call, $_, "w$_"] } 0 .. $count{$call} - 1,
            int rand $count{$call} } @calls);
        $pbx->run;
        $pbx->spread(map { ['complete', $_, $count{$_}] }
                     grep { !/-1$/ } @calls);
        $pbx->run;
        # a PBX has pauses, too
        select undef, undef, undef, 0.5;
    }
}


# --- the supervisor -------------------------------------------------------

# Listens, writes down what it hears, and goes on where it was.
sub supervise {
    open my $log, '>>', $file{heard} or die "log: $!";
    $log->autoflush(1);
    my $path = '/ws/supervisor?event_types=state_changed,ai_completed,'
        . 'ai_failed';
    my ($last, $open);

    while (getppid() == $test) {
        my $socket = Voice::WebSocket->open($voice, $path . (defined $last
            ? '&last_event_id=' . Voice::escape($last) : ''),
            Authorization => "Bearer $owner->{token}");
        if (!$socket || ($socket->{status} // 0) != 101) {
            select undef, undef, undef, 0.1;
            next;
        }
        print $log qq({"event":"open","call_id":""}\n) unless $open++;
        until ($socket->ended || getppid() != $test) {
            my $event = $socket->next(1) or next;
            print $log $json->encode($event->{json}), "\n";
            $last = $socket->last_id // $last;
        }
    }
}


sub heard { return map { $json->decode($_) } lines('heard') }


sub heard_of {
    my ($call) = @_;

    return scalar grep { $_->{call_id} eq $call
                         && $_->{event} eq 'ai_completed' } heard();
}


sub lines {
    my ($name) = @_;

    my $text = -e $file{$name} ? Voice::slurp($file{$name}) : '';

    # the last one may be half there
    my @lines = $text =~ /^(.*)\n/mg;

    return @lines;
}


# --- the kills ------------------------------------------------------------

# The next one when packets are taken again.
sub kill_often {
    my @order = qw(nginx postgres workers nginx workers postgres);
    my $done = 0;

    for my $n (0 .. $kills - 1) {
        my $before = lines('acknowledged');
        $voice->wait_for(sub {
            lines('acknowledged') >= $before + PROGRESS }, 120)
            or diag("no progress before kill $n");
        my $victim = $order[$n % @order];
        $done++ if $victim eq 'postgres' ? kill_service($voice, $victim)
                                         : kill_child($voice, $victim);
    }

    return $done;
}


# --- the end --------------------------------------------------------------

sub calls {
    my ($who) = @_;

    return split /\n/, $voice->sql("select c.id from core.call c where"
        . " c.tenant_id = '$who->{tenant_id}'");
}


# Those that are not archived, when no more will be.
sub unended {
    my $left;

    $voice->wait_for(sub {
        $left = $voice->sql("select string_agg(c.external_id, ' ') from"
            . " core.call c where c.processing_state <> 'ARCHIVED'");
        return $left eq '';
    }, 240);

    return $left;
}


sub unfinished {
    return $voice->sql("select c.external_id, c.processing_state, c.drive,"
        . " c.failure_reason, s.expected, s.closes_at, s.idle_at, j.state,"
        . " j.run_at, j.error from core.call c"
        . " join core.call_stream s on s.call_id = c.id left join core.job j"
        . " on j.subject_id = c.id where c.processing_state <> 'ARCHIVED'");
}


sub all_is_stored {
    my %stored = map { my ($call, $sequence, $data) = split /\|/;
                       ("$call $sequence" => $data) }
        split /\n/, $voice->sql("select c.external_id, p.sequence, p.data"
            . " from core.packet p join core.call c on c.id = p.call_id"
            . " where c.tenant_id = '$owner->{tenant_id}'");
    my @told = map { $json->decode($_) } lines('acknowledged');
    my @packets = grep { $_->{kind} eq 'packet' } @told;
    my @taken = grep { $_->{is} ne 'rejected' } @packets;
    my %sent = (map({ ("$_->{call} $_->{sequence}" => 1) } @packets),
                'warm 0' => 1);

    diag(scalar(@packets) . ' packets acknowledged, '
         . scalar(@packets - @taken) . ' of them rejected, of '
         . scalar(calls($owner)) . ' calls');
    is(scalar(grep { $_->{status} != 202 } @told), 0,
       'nothing but 202 was the answer in the end');
    is(scalar(grep { ($stored{"$_->{call} $_->{sequence}"} // '')
                     ne $_->{data} } @taken), 0,
       'every packet that was acknowledged is stored');
    is(scalar(grep { !$sent{$_} } keys %stored), 0, 'and no other');
    is($voice->sql('select count(*) from core.call_stream s where s.received'
                   . ' <> (select count(*) from core.packet p where'
                   . ' p.tenant_id = s.tenant_id and p.call_id = s.call_id'
                   . ' and p.day = s.day)'), 0, 'once each, as is counted');
}


sub all_is_processed {
    is($voice->sql("select count(*) from core.call c where c.tenant_id ="
        . " '$owner->{tenant_id}' and c.transcription is distinct from"
        . " (select string_agg(p.data, ' ' order by p.sequence) from"
        . " core.packet p where p.tenant_id = c.tenant_id and p.call_id ="
        . " c.id and p.day = c.day)"), 0,
       'what is made of a call is all of its packets in their order');
    is($voice->sql("select count(*) from core.call c where c.tenant_id ="
        . " '$owner->{tenant_id}' and c.drive <> 1"), 0,
       'each was processed once');
    cmp_ok($voice->sql("select count(*) from core.call c where c.disposition"
        . " = 'abandoned'"), '>', 0, 'some were abandoned');
    is($voice->sql("select string_agg(c.drive || ' ' || c.processing_state,"
        . " ',') from core.call c where c.tenant_id ="
        . " '$other->{tenant_id}' and c.drive < 2"), '',
       'those that failed were driven again');
    is($voice->sql("select count(*) from core.job where state in ('queued',"
                   . " 'running')"), 0, 'no job is left');
}


# Each event of the tenant's calls, once or again, in the order of numbers.
sub all_is_heard {
    my %due = map { ($_ => 1) } split /\n/, $voice->sql("select e.seq from"
        . " core.event e where e.tenant_id = '$owner->{tenant_id}' and"
        . " e.type like 'call.%' and e.type <> 'call.recording_stored'");
    my %got;

    $voice->wait_for(sub {
        %got = map { ($_->{id} => 1) } grep { defined $_->{id} } heard();
        return !grep { !$got{$_} } keys %due;
    }, 60);

    diag(scalar(keys %due) . ' events of states');
    my @unheard = sort { $a <=> $b } grep { !$got{$_} } keys %due;
    is(scalar @unheard, 0, 'a supervisor who resumes hears of every state')
        or diag("the first are @unheard[0 .. ($#unheard > 9 ? 9 : $#unheard)]");

    my (%seen, @disorder);
    my $last = 0;
    for my $event (grep { defined $_->{id} } heard()) {
        next if $seen{$event->{id}}++;
        push @disorder, $event->{id} if $event->{id} < $last;
        $last = $event->{id};
    }
    is("@disorder", '', 'in their order');
}
