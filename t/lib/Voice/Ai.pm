package Voice::Ai;

# A fake of an AI service in the shape that the provider "http" speaks: it
# checks each request's shape and key, records when it came, and answers as a
# script says, which may be changed at any time.
#
#   my $ai = Voice::Ai->start(api_key => $key);
#   $ai->script('503', '429:2', 'ok');      # of all calls, the last repeats
#   $ai->script_of('call-7', 'hang');       # of one call instead
#   $ai->url; $ai->arrivals('call-7');
#
# Steps: ok, ok:negative (that sentiment), a status ("503"), a status with
# Retry-After in seconds ("429:7"), and
#
#   hang      no answer, ever          slow      0.3 s late
#   drop      closed without a word    cut       half of the answer
#   garbage   no HTTP                  nonsense  no JSON
#   odd       JSON of another form     moody     a sentiment that is none
#   wait      no answer until go()
#
# An arrival: {n, at (epoch), call_id, body, step, problem}; problem says what
# was wrong with the request, which then got a 400 or 401.

use strict;
use warnings;

use parent 'Voice::Agent';

use Fcntl qw(:flock);
use IO::Select;
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use Time::HiRes ();

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

my %odd = (
    nonsense => '{"transcription": ',
    odd      => $json->encode({ text => 'hello', mood => 1 }),
    moody    => $json->encode({ transcription => 'x', confidence => 0.5,
                                sentiment => 'grumpy' }),
);


sub start {
    my ($class, %opt) = @_;

    my $self = $class->SUPER::start(%opt);
    $self->script('ok');

    return $self;
}


sub script { my ($self, @steps) = @_; $self->script_of('*', @steps) }


sub script_of {
    my ($self, $call, @steps) = @_;

    $self->state("script $call", sub { [@steps] });
}


# All requests so far, or those of a call.
sub arrivals {
    my ($self, $call) = @_;

    my @all;
    if (open my $in, '<:raw', "$self->{dir}/arrivals") {
        @all = map { $json->decode($_) } <$in>;
    }

    return grep { !defined $call || ($_->{call_id} // '') eq $call } @all;
}


# Those that wait are answered, and all that come after them.
sub go {
    my ($self) = @_;

    open my $out, '>', "$self->{dir}/go" or die "go: $!";
    close $out;
}


# --- the server -----------------------------------------------------------

sub exchange {
    my ($self, $peer) = @_;

    my $request = Voice::Agent::read_request($peer) or return;
    my $at = Time::HiRes::time();
    my $body = eval { $json->decode($request->{body}) };
    my $call = ref $body eq 'HASH' ? $body->{call_id} : undef;
    my ($status, $problem) = $self->wrong($request, $body);
    my $step = $problem ? $status : $self->step($call);

    $self->record({ at => $at, call_id => $call, body => $body,
                    step => $step, problem => $problem });
    $self->answer($peer, $body, $step);
}


# (status, problem), or nothing.
sub wrong {
    my ($self, $request, $body) = @_;

    my $h = $request->{headers};

    return (401, 'the key') if defined $self->{api_key}
        && ($h->{authorization} // '') ne "Bearer $self->{api_key}";
    return (405, 'the method') if $request->{method} ne 'POST';
    return (404, 'the path') if $request->{path} ne ($self->{path} // '/');
    return (400, 'the media type')
        if ($h->{'content-type'} // '') !~ m{^application/json\b};
    return (400, 'no JSON object') if ref $body ne 'HASH';
    return (400, 'call_id') if ref $body->{call_id}
        || !length($body->{call_id} // '');
    return (400, 'data') if ref $body->{data} || !defined $body->{data};
    return (400, 'media')
        if ($body->{media} // '') !~ m{^(?:text/plain|audio/wav)$};
    return (400, 'no WAV file') if $body->{media} eq 'audio/wav'
        && decode_base64($body->{data}) !~ /^RIFF....WAVE/s;
    return (400, 'numbers')
        if grep { ($body->{$_} // '') !~ /^\d+$/ } qw(packets missing);

    return;
}


# What the script says; each step is taken once, the last one for ever.
sub step {
    my ($self, $call) = @_;

    for my $key ("script $call", 'script *') {
        my $step;
        $self->state($key, sub {
            my @steps = @{$_[0] || []};
            $step = @steps > 1 ? shift @steps : $steps[0];
            return \@steps;
        });
        return $step if defined $step;
    }

    return 'ok';
}


sub record {
    my ($self, $arrival) = @_;

    $arrival->{n} = $self->count;
    open my $out, '>>:raw', "$self->{dir}/arrivals" or die "arrivals: $!";
    flock $out, LOCK_EX;
    print $out $json->encode($arrival), "\n";
    close $out or die "arrivals: $!";
}


sub answer {
    my ($self, $peer, $body, $step) = @_;

    return if $step eq 'drop';
    $self->hold($peer) if $step eq 'wait';

    my ($word, $more) = split /:/, $step, 2;
    my $reply = Voice::Agent::reply(200, 'application/json',
        $odd{$word} // good($body, $word eq 'ok' ? $more : undef));

    if ($word =~ /^\d{3}$/) {
        $reply = Voice::Agent::refusal($word, 'as the test wishes');
        $reply->{headers}{'Retry-After'} = $more if defined $more;
    }

    Voice::Agent::send_reply($peer, $reply, $word);
}


sub good {
    my ($body, $sentiment) = @_;

    return '' if ref $body ne 'HASH';
    my $text = $body->{media} eq 'audio/wav'
        ? length(decode_base64($body->{data})) . ' bytes of sound'
        : "Heard: $body->{data}";

    return $json->encode({ transcription => $text,
        sentiment => $sentiment // 'positive', confidence => 0.9 });
}


# Until the test says go, or the peer has gone.
sub hold {
    my ($self, $peer) = @_;

    my $select = IO::Select->new($peer);
    until (-e "$self->{dir}/go") {
        next if !$select->can_read(0.02);
        sysread($peer, my $ignored, 65536) or last;
    }
}


1;
