#!/usr/bin/perl

# Calls that the pool analyses itself, over HTTP: texts in languages that it
# knows and does not know, sound with what may be wrong with it.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Speech;

my $voice = Voice->start(workers => 2,
                         settings => { call_hear_seconds => 30 });
my $owner = $voice->tenant('acme');
my $reply = $voice->call('update_tenant', as => $owner,
    path => { id => $owner->{tenant_id} },
    body => { settings => { calls => { grace_seconds => 0 } } });
is($reply->{status}, 200, 'the tenant has its settings');

texts();
sound();
telephony();
noise();

$voice->finish;


# --- calls ----------------------------------------------------------------

# A call of these packets, complete; a packet undef is missing.
sub processed {
    my ($call, $media, @packets) = @_;

    for my $sequence (grep { defined $packets[$_] } 0 .. $#packets) {
        $voice->call('ingest_packet', as => $owner,
            path => { call_id => $call },
            body => { sequence => $sequence, data => $packets[$sequence],
                      timestamp => 1000 + $sequence,
                      $media ? (media => $media) : () });
    }

    $voice->call('complete_call', as => $owner, path => { call_id => $call },
                 body => { total_packets => scalar @packets });
    ok($voice->wait_for(sub {
           shown($call)->{state} eq 'ARCHIVED' }, 120),
       "call $call is processed");

    return shown($call);
}


sub shown {
    my ($call) = @_;

    return $voice->call('get_named_call', as => $owner,
                        path => { call_id => $call })->{json};
}


sub recording {
    my ($call) = @_;

    my $file = $voice->request('GET', $call->{recording_url},
        headers => { Authorization => "Bearer $owner->{token}" });
    is($file->{status}, 200, 'its recording can be had');

    return $file->{content};
}


sub notes {
    my ($call) = @_;

    return { map { $_->{note} => $_ } @{$call->{recording_notes} || []} };
}


# --- tests ----------------------------------------------------------------

sub texts {
    my $call = processed('en', undef, 'Hello, my internet is',
        'not working again and I am really disappointed.', undef,
        'Nobody called me back.');
    is($call->{transcription}, 'Hello, my internet is not working again and'
       . ' I am really disappointed. Nobody called me back.',
       'a text is passed through');
    is($call->{sentiment}, 'negative', 'what it feels is found');
    is($call->{sentiment_detail}{method}, 'lexicon-en', 'by its method');
    cmp_ok($call->{sentiment_detail}{score}, '<', -0.5, 'strongly');
    is($call->{language}, 'en', 'its language, too');
    like($call->{summary}, qr/\S/, 'and a summary');

    $call = processed('de', undef, 'Vielen Dank,',
                      'Sie haben mir sehr geholfen!');
    is("$call->{sentiment} $call->{language}", 'positive de',
       'German is understood');

    $call = processed('fi', undef, 'nettini ei toimi lainkaan');
    is($call->{sentiment_detail}{method}, 'none',
       'a language that nobody knows is felt by no method');
    is($call->{sentiment}, 'neutral', 'and neutral');
    is($call->{language}, undef, 'nor is it told');
}


# Packets of a tenth of a second: speech, a second of silence, a missing one,
# a broken one and silence.
sub sound {
    my $samples = substr Voice::Speech::speak(
        'It was expensive but worth every penny.'), 44;
    $samples .= "\0" x (32_000 + 3200 - length($samples) % 3200);
    my @packets = map { encode_base64($_, '') } unpack '(a3200)*', $samples;

    my $call = processed('speech', 'pcm/16000', @packets, undef, 'no base64!',
                         $packets[-1]);
    is($call->{transcription}, 'it was expensive but worth every penny',
       'what was said is heard');
    is($call->{sentiment}, 'positive', 'and felt');
    is($call->{sentiment_detail}{method}, 'pocketsphinx+lexicon-en',
       'by its method');
    is(notes($call)->{broken}{first}, $#packets + 2,
       'a broken packet is noted');

    my $wav = recording($call);
    is(unpack('V', substr $wav, 24, 4), 16_000, 'of the rate that was sent');
    ok(substr($wav, 102) eq $samples . "\0" x 9600,
       'all sound is in its place');
    is($call->{duration_ms}, length($samples) / 32 + 300, 'it took as long');
    cmp_ok($call->{talk_ms}, '>', 1000, 'much of it was talk');
    is($call->{talk_ms} + $call->{silence_ms}, $call->{duration_ms},
       'and the rest silence');

    my $other = processed('speech-2', 'pcm/16000', @packets, undef,
                          'no base64!', $packets[-1]);
    isnt($other->{recording_url}, $call->{recording_url},
         'the same sound in another call');
    my $same = recording($other);
    ok(substr($same, 102) eq substr($wav, 102), 'is the same')
        and isnt($same, $wav, 'but never the same object');
}


# Both laws, at 8 kHz: a code is a sample.
sub telephony {
    my %law = (pcmu => [0x80 => 32124, 0x00 => -32124, 0xff => 0],
               pcma => [0xaa => 32256, 0x2a => -32256, 0xd5 => 8]);

    for my $media (sort keys %law) {
        my @codes = @{$law{$media}};
        my $packet = join '', map { chr($_) x 160 } @codes[0, 2, 4];
        my $call = processed($media, $media, encode_base64($packet, ''));

        my $wav = recording($call);
        is(unpack('V', substr $wav, 24, 4), 8000, "$media is of 8 kHz");
        ok(substr($wav, 102) eq join('', map { pack('s<', $_) x 160 }
                                     @codes[1, 3, 5]),
           'and decoded');
        is($call->{duration_ms}, 60, 'a sample a code');
    }
}


sub noise {
    my $call = processed('broken', 'pcm/8000', 'hello', 'there', undef);

    is($call->{recording_url}, undef, 'without sound there is no recording');
    is($call->{transcription}, '', 'nothing was said');
    is(notes($call)->{broken}{packets}, 2, 'why is noted');
    is($call->{sentiment}, 'neutral', 'nothing is felt');
}
