#!/usr/bin/perl

# Recognition is honest: what is heard is what the sound says, whatever the
# agent's text claims and the case expects.

use strict;
use warnings;

use File::Find qw(find);
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Agent::Houndify;
use Voice::Cases;
use Voice::Speech;

use constant {
    AIRPORT  => 'Navigating to the airport.',
    HOSPITAL => 'Navigating to the hospital.',
    TAXI     => 'Your taxi is on the way.',
    TABLE    => 'I booked a table for two tonight at seven.',
    OUTSIDE  => 'Purple elephants are dancing on frozen lakes.',
};

my @long = map { "Navigating to $_. The drive takes thirty minutes." }
    'the airport', 'the hospital';

# What the agent's text claims, what its sound says, what the case expects;
# then the verdict, what must be heard, and the gate that must have failed.
my @cases = (
    ['the identical audio', AIRPORT, spoken(AIRPORT), AIRPORT,
     'passed', AIRPORT],
    ['the identical audio in another voice', AIRPORT,
     spoken(AIRPORT, 'rms'), AIRPORT, 'passed', AIRPORT],
    ['the first of two with swapped audio', AIRPORT, spoken(TAXI), AIRPORT,
     'failed', TAXI, 'spoken'],
    ['the second of two with swapped audio', TAXI, spoken(AIRPORT), TAXI,
     'failed', AIRPORT, 'spoken'],
    ['a wrong answer', TABLE, spoken(TABLE), AIRPORT,
     'failed', TABLE, 'hearing'],
    ['the right text with the sound of a wrong answer', AIRPORT,
     spoken(TABLE), AIRPORT, 'failed', TABLE, 'spoken'],
    ['the right sound with a wrong text', TABLE, spoken(AIRPORT), AIRPORT,
     'failed', AIRPORT, 'spoken'],
    ['the right text with a sound that differs in one word', AIRPORT,
     spoken(HOSPITAL), AIRPORT, 'pending', HOSPITAL],
    ['a long answer that differs in the one word that matters', $long[0],
     spoken($long[1]), $long[0], 'pending', $long[1]],
    ['a silent answer', AIRPORT, Voice::Speech::silence(2), AIRPORT,
     'failed', '', 'audio'],
    ['white noise', AIRPORT, Voice::Speech::noise(2, 12000), AIRPORT,
     'failed', '', 'audio'],
    ['an answer that noise drowns', AIRPORT,
     Voice::Speech::under_noise(spoken(AIRPORT), 20000), AIRPORT,
     'failed', '', 'audio'],
    ['a sound that is no WAV file', AIRPORT, 'RIFF, but no more', AIRPORT,
     'failed', '', 'audio'],
    ['what the domain does not know, though the case expects it', OUTSIDE,
     spoken(OUTSIDE), OUTSIDE, 'failed', '', 'audio'],
);

my $key = 'aG9uZXN0eS10ZXN0LWtleS13aXRoLTMyLWJ5dGVzISE=';
my %answer = map { $_->[0] => {
    spoken => $_->[1], wav => $_->[2],
    intent => 'answer', entities => { destination => 'the airport' } } }
    @cases;
my $agent = Voice::Agent::Houndify->start(
    client_id => 'honest', client_key => $key,
    answer => sub { $answer{$_[0]{state}{Case}} });

my $voice = Voice->start(workers => 2, profiles => { 'agent fake' => {
    base_url => $agent->url, client_id => 'honest', client_key => $key,
    allow_private => 'yes' } });
my $owner = $voice->tenant('acme');
my $cases = Voice::Cases->new($voice, $owner, 'fake');

$cases->add(name => $_->[0], expected_response => $_->[3],
            expected_intent => 'answer',
            entities => { $_->[0] =~ /^a long/
                          ? (destination => 'the airport') : () }) for @cases;
$cases->add(name => 'German', language => 'de-DE',
            input => 'Wie komme ich zum Flughafen?',
            expected_response => 'Zum Flughafen.');
$cases->add(name => 'Banking', domain => 'banking',
            input => 'what is my balance',
            expected_response => 'You are rich.');

my $loaded = files("$voice->{stack}{data}/app/speech");
my ($run, %got) = $cases->run;

check_case($_) for @cases;
check_unheard();
check_grammars();

$voice->finish;


sub spoken { return Voice::Speech::speak(@_) }


sub check_case {
    my ($case) = @_;

    my ($name, undef, undef, undef, $status, $heard, $gate) = @$case;
    my $execution = $got{$name};
    my $result = $cases->result($execution);

    is($execution->{status}, $status, "$name is $status")
        or diag($execution->{error_message} // '', ' ',
                $result->{heard_text} // '');
    is($result->{heard_text}, plain($heard), "of $name is heard: "
       . ($heard || 'nothing'));
    is($result->{recogniser},
       $name =~ /no WAV/ ? 'none' : 'pocketsphinx-grammar',
       'and it is told who listened');

    like($result->{detail}{doubt}, qr/heard/, 'with the reason of the doubt')
        if $status eq 'pending';
    return if !$gate;
    my ($failed) = grep { $_->{name} eq $gate } @{$result->{gates}};
    ok($failed && !$failed->{passed}, "the gate $gate has failed it");
    like($failed->{reason}, qr/\w/, 'with a reason');
}


# As texts are compared.
sub plain {
    my ($text) = @_;

    $text = lc $text;
    $text =~ s/[.,]//g;

    return $text;
}


sub check_unheard {
    is($got{German}{status}, 'skipped',
       'a language without a recogniser is skipped');
    like($got{German}{reason}, qr/no recogniser for language de-DE/,
         'with the reason');
    is($got{Banking}{status}, 'skipped', 'so is an unknown domain');
    like($got{Banking}{reason}, qr/domain "banking"/, 'with the reason');
    is($run->{skipped_tests}, 2, 'they are counted as that');
    is(scalar @{$agent->calls}, scalar @cases,
       'the agent is not called for them');
}


# The recogniser's files are the project's own, before and after.
sub check_grammars {
    my $ours = files("$Voice::ROOT/conf/speech");
    my $now = files("$voice->{stack}{data}/app/speech");

    is_deeply($loaded, $ours, 'grammars are fixed files of the project');
    is_deeply($now, $ours, 'no run has changed them');

    my $all = join "\n", values %$now;
    my @found = grep { index(plain($all), plain($_)) >= 0 }
        map { @$_[1, 3] } @cases;
    is("@found", '', 'no text of a case stands in them');

    my @open;
    for my $pid ($voice->children('workers')) {
        push @open, grep { /gram|jsgf|\.lm|\.dict?$/ }
            map { readlink($_) // () } glob "/proc/$pid/fd/*";
    }
    is("@open", '', 'and no grammar is open beside them');
}


sub files {
    my ($dir) = @_;

    my %content;
    find({ no_chdir => 1, wanted => sub {
        return unless -f;
        $content{substr $_, length $dir} = Voice::slurp($_);
    } }, $dir);

    return \%content;
}
