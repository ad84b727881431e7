#!/usr/bin/perl

# The files of a speech domain fit together: what the built-in agent says can
# be heard, what users are supposed to say is understood.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use IPC::Open2;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Voice::Grammar;

my $root = abs_path(dirname(__FILE__) . '/..');
my $talk = ($ENV{VOICE_BUILD} || "$root/build") . '/pool-talk';
my $domain = "$root/conf/speech/navigation/en";
my $dictionary = '/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict';

die "$talk is not built" . "\n" unless -x $talk;

my $questions = Voice::Grammar->read("$domain/questions.gram");
my $answers = Voice::Grammar->read("$domain/answers.gram");
my $suite = JSON::PP->new->decode(slurp("$root/conf/demo/suite.json"));

srand 20;

words($questions, 'questions');
words($answers, 'answers');
cmp_ok $questions->count, '>', 10_000, 'there are many questions';
cmp_ok $answers->count, '>', 10_000, 'there are many answers';

my @asked = map { $questions->sentence(0.4) } 1 .. 3000;
my @got = talk(map { "\n$_\n" } @asked);
is scalar @got, scalar @asked, 'each question gets an answer';

my @unheard = grep { !$answers->accepts(plain((split /\|/, $_)[2])) } @got;
is_deeply \@unheard, [], 'each answer is one of the answers\' grammar';

my @lost = map { $asked[$_] } grep { $got[$_] =~ /^unknown/ } 0 .. $#got;
my @requests = grep { !$questions->accepts($_, 'reply') } @lost;
is_deeply \@requests, [], 'each request is understood';

for my $case (@{$suite->{cases}}) {
    for my $language (@{$case->{languages}}) {
        ok $questions->accepts(plain($language->{input_text})),
            "the demo's \"$case->{name}\" can be heard";
    }
}

done_testing;


sub words {
    my ($grammar, $name) = @_;

    my %known;

    open my $in, '<', $dictionary or die "$dictionary: $!";
    while (<$in>) {
        $known{$1} = 1 if /^([^\s(]+)/;
    }

    my @unknown = grep { !$known{$_} } $grammar->words;
    is_deeply \@unknown, [], "the recogniser knows all words of the $name";
}


sub talk {
    my (@lines) = @_;

    my $pid = open2(my $out, my $in, $talk, "$domain/dialogue.json");

    if (fork() == 0) {
        print $in @lines;
        close $in;
        require POSIX;
        POSIX::_exit(0);
    }

    close $in;
    chomp(my @got = <$out>);
    waitpid $pid, 0;

    return @got;
}


sub plain {
    my ($text) = @_;

    $text = lc $text;
    $text =~ s/[^a-z' ]/ /g;
    $text =~ s/\s+/ /g;
    $text =~ s/^ | $//g;

    return $text;
}


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!";
    local $/;

    return scalar <$in>;
}
