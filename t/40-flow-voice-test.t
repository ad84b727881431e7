#!/usr/bin/perl

# The whole road: log in, make a suite of two spoken cases, run it, follow it
# live, read the results, download the audio.
# covers: stream_events stream_test_run

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Demo;

my $voice = Voice->start;
my $owner = $voice->tenant('acme');

is($owner->{status}, 200, 'the owner logs in');

my $suite = Voice::Demo::suite($voice, $owner, 1, 1);
my $stream = $voice->stream("/events/stream/$owner->{tenant_id}",
                            Authorization => "Bearer $owner->{token}");

is($stream->{status}, 200, 'the stream of events opens');

my $reply = $voice->call('create_test_run', as => $owner,
                         body => { suite_id => $suite });
is($reply->{status}, 201, 'a run is accepted');
my $id = $reply->{json}{data}{id};

my @events = follow($id);
my $run = $voice->wait_run($owner, $id);

is($run->{status}, 'failed', 'a run with a failed case has failed');
is($run->{total_tests}, 2, 'it has an execution for each case');
is($run->{passed_tests}, 1, 'the right answer passes');
is($run->{failed_tests}, 1, 'the wrong answer fails');
is($run->{progress_percentage}, 100, 'its progress is complete');

my %count;
$count{$_->{event}}++ for @events;
is($count{'test_execution.completed'}, 2, 'each execution was told live');
is($count{'test_run.failed'}, 1, 'the end was told once');
ok(!grep({ $events[$_]{json}{id} <= $events[$_ - 1]{json}{id} } 1 .. $#events),
   'ids of events ascend');

check_executions($id);
check_replay($events[0]);

$voice->finish;


sub follow {
    my ($id) = @_;

    my @events;
    while (my $event = $stream->next(90)) {
        push @events, $event;
        last if $event->{event} =~ /^test_run\.(?:completed|failed)$/;
    }

    return @events;
}


sub check_executions {
    my ($id) = @_;

    my $list = $voice->call('list_test_run_executions', as => $owner,
                            path => { id => $id })->{json}{data};

    for my $execution (@$list) {
        for my $kind (qw(input response)) {
            my $audio = $voice->call('get_execution_audio', as => $owner,
                path => { id => $execution->{id}, kind => $kind });
            is($audio->{status}, 200,
               "$kind audio of \"$execution->{test_case_name}\" is there");
            ok(is_speech($audio->{content}), "its $kind audio is no silence");
        }
        my $result = $voice->call('get_validation_result', as => $owner,
            path => { id => $execution->{validation_result_id} });
        like($result->{json}{data}{heard_text} // '', qr/\w/,
             'the answer was heard');
    }
}


# RIFF, 16-bit PCM, with samples well above noise.
sub is_speech {
    my ($wav) = @_;

    return 0 unless substr($wav, 0, 4) eq 'RIFF'
        && substr($wav, 8, 4) eq 'WAVE';
    my @samples = unpack 's<*', substr $wav, 44;
    my $loud = grep { abs > 1000 } @samples;

    return @samples > 8000 && $loud > @samples / 50;
}


# What a stream can no longer replay is listed.
sub check_replay {
    my ($first) = @_;

    my $list = $voice->call('list_events', as => $owner,
        query => { after => $first->{json}{id} })->{json}{data};

    is($list->[0]{id}, $first->{json}{id} + 1,
       'the list of events goes on after an id');
}
