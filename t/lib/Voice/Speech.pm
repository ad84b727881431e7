package Voice::Speech;

# Sounds for fake voice agents: sentences in the pool's own voices, noise,
# silence; WAV files, 16 kHz, 16 bits, mono.

use strict;
use warnings;

use File::Temp qw(tempdir);

use constant RATE => 16000;

my $dir;
my $count = 0;


# A sentence, to the byte as the pool speaks it.
sub speak {
    my ($text, $voice) = @_;

    $dir //= tempdir('voice-speech-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $build = $ENV{VOICE_BUILD} || "$Voice::ROOT/build";
    my $file = "$dir/" . $count++ . '.wav';

    system("$build/pool-speak", $dir, $voice // 'slt', $text, $file) == 0
        or die "\"$text\" could not be spoken\n";

    return Voice::slurp($file);
}


sub silence {
    my ($seconds) = @_;

    return wave("\0\0" x ($seconds * RATE));
}


# White noise; the same each time.
sub noise {
    my ($seconds, $peak) = @_;

    my $x = 1;
    my @samples = map {
        $x = ($x * 1103515245 + 12345) & 0x7fffffff;
        int(($x / 0x7fffffff * 2 - 1) * $peak);
    } 1 .. $seconds * RATE;

    return wave(pack 's<*', @samples);
}


# A sentence under white noise of a peak.
sub under_noise {
    my ($wav, $peak) = @_;

    my @speech = unpack 's<*', substr $wav, 44;
    my @noise = unpack 's<*', substr noise(@speech / RATE + 1, $peak), 44;

    return wave(pack 's<*', map {
        my $sum = $speech[$_] + $noise[$_];
        $sum > 32767 ? 32767 : $sum < -32768 ? -32768 : $sum;
    } 0 .. $#speech);
}


sub wave {
    my ($samples) = @_;

    return pack('a4 V a4 a4 V v v V V v v a4 V', 'RIFF',
                36 + length $samples, 'WAVE', 'fmt ', 16, 1, 1, RATE,
                2 * RATE, 2, 16, 'data', length $samples) . $samples;
}


1;
