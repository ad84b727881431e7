package Voice::CallModel;

# What replies of one call must be, whatever raced: is there an order of the
# exchanges (Voice::Pbx) that agrees with all replies, with what was over
# before something else began, and with what is stored in the end?
#
#   my @faults = Voice::CallModel::check($exchanges, $stored, grace => 'none');
#
# A moment is a number: the accepted packet that made the total n stands at
# 2n, everything that saw this total at 2n + 1.  The first completion stands
# at an odd moment, too, which is looked for.  Stored is {received, next,
# missing, expected, rows => {sequence => data}}.  grace: "none" (a completed
# call takes nothing more), "long" (it does, all the time), "some".

use strict;
use warnings;

use constant LISTED => 100;            # missing sequences in a reply

my %message = (
    accepted  => 'Packet received successfully',
    duplicate => 'Packet already received',
    rejected  => 'Call already completed, no longer accepting packets',
);


sub check {
    my ($exchanges, $stored, %opt) = @_;

    my $run = { exchanges => $exchanges, stored => $stored, faults => [],
                grace => $opt{grace} // 'some' };

    $run->{packets} = [grep { $_->{kind} eq 'packet' } @$exchanges];
    $run->{completions} = [grep { $_->{kind} eq 'complete' } @$exchanges];

    $_->($run) for \&replies, \&totals;
    return @{$run->{faults}} if @{$run->{faults}};

    $_->($run) for \&counts, \&completions, \&order, \&end, \&rows;

    return @{$run->{faults}};
}


sub fault {
    my ($run, $text, @exchanges) = @_;

    push @{$run->{faults}}, join ' | ', $text, map { show($_) } @exchanges;
}


sub show {
    my ($exchange) = @_;

    my $json = $exchange->{json} || {};

    return join ' ', "#$exchange->{connection}",
        "$exchange->{begun}-$exchange->{ended}", $exchange->{kind},
        $exchange->{kind} eq 'packet'
            ? ($exchange->{sequence}, "\"$exchange->{data}\"")
            : $exchange->{total},
        "-> $exchange->{status}", $json->{status} // '',
        'total ' . ($json->{total_received} // '-'),
        'missing ' . ($json->{missing_count} // '-');
}


# Each reply by itself.
sub replies {
    my ($run) = @_;

    for my $packet (@{$run->{packets}}) {
        my $json = $packet->{json} || {};
        my $what = $packet->{status} != 202 ? 'a packet without 202'
            : !$message{$json->{status} // ''} ? 'an unknown status'
            : join(' ', sort keys %$json) ne 'call_id duplicate message'
                . ' missing_count missing_sequences sequence status'
                . ' total_received' ? 'other members'
            : $json->{message} ne $message{$json->{status}}
                ? 'another message'
            : $json->{call_id} ne $packet->{call}
                || $json->{sequence} != $packet->{sequence}
                ? 'the reply to another packet'
            : !!$json->{duplicate} ne ($json->{status} eq 'duplicate')
                ? 'the wrong flag' : undef;
        fault($run, $what, $packet) if $what;
        $packet->{is} = $json->{status} // '';
    }

    for my $completion (@{$run->{completions}}) {
        fault($run, 'a completion with another status', $completion)
            unless $completion->{status} =~ /^(?:202|404|409)$/;
    }
}


# Totals are 1, 2, ... and no sequence is accepted twice: sets the moments.
sub totals {
    my ($run) = @_;

    my @accepted = sort { $a->{json}{total_received}
                          <=> $b->{json}{total_received} }
        grep { $_->{is} eq 'accepted' } @{$run->{packets}};
    my %seen;

    for my $n (1 .. @accepted) {
        my $packet = $accepted[$n - 1];
        fault($run, "the total is not $n", $packet)
            if $packet->{json}{total_received} != $n;
        fault($run, 'accepted again', $seen{$packet->{sequence}}, $packet)
            if $seen{$packet->{sequence}};
        $seen{$packet->{sequence}} = $packet;
        $packet->{at} = 2 * $n;
    }

    $run->{accepted} = \@accepted;

    for my $packet (grep { $_->{is} ne 'accepted' } @{$run->{packets}}) {
        my $total = $packet->{json}{total_received} // -1;
        fault($run, 'a total that never was', $packet)
            if $total < 1 || $total > @accepted;
        $packet->{at} = 2 * $total + 1;
    }
}


# What each packet says of the call at its moment.
sub counts {
    my ($run) = @_;

    my @at;
    push @{$at[$_->{json}{total_received}]}, $_ for @{$run->{packets}};

    my (%have, $lowest);
    my $next = 0;

    for my $n (1 .. @{$run->{accepted}}) {
        my $sequence = $run->{accepted}[$n - 1]{sequence};
        $have{$sequence} = 1;
        $next = $sequence + 1 if $sequence >= $next;
        ($lowest, my @list) = missing(\%have, $lowest // 0, $next);
        my $list = join ',', @list;

        for my $packet (@{$at[$n]}) {
            fault($run, "missing $list", $packet)
                if join(',', @{$packet->{json}{missing_sequences}}) ne $list;
            fault($run, 'the wrong number of missing', $packet)
                if $packet->{json}{missing_count} != $next - $n;
            fault($run, 'a duplicate of nothing', $packet)
                if $packet->{is} eq 'duplicate'
                    && !$have{$packet->{sequence}};
        }
    }

    $run->{next} = $next;
}


# Where to look from the next time, and the first ones from there on.
sub missing {
    my ($have, $from, $next) = @_;

    $from++ while $have->{$from};
    my @list;
    for (my $i = $from; $i < $next && @list < LISTED; $i++) {
        push @list, $i unless $have->{$i};
    }

    return ($from, @list);
}


# One total, told to all; the moment of the first completion lies between
# what must be before it and what must be after.
sub completions {
    my ($run) = @_;

    my @taken = grep { $_->{status} == 202 } @{$run->{completions}};
    my @told = grep { $_->{status} == 409 } @{$run->{completions}};
    my @rejected = grep { $_->{is} eq 'rejected' } @{$run->{packets}};

    $_->{at} = 1 for grep { $_->{status} == 404 } @{$run->{completions}};

    if (!@taken) {
        fault($run, 'refused without a completion', @told, @rejected)
            if @told || @rejected;
        return;
    }

    my $total = $run->{total} = $taken[0]{total};
    for my $completion (@taken) {
        fault($run, 'two totals', $taken[0], $completion)
            if $completion->{total} != $total
                || $completion->{json}{expected_total_packets} != $total;
        known($run, $completion)
            if defined $completion->{json}{total_received};
    }
    fault($run, 'the right total is refused', $_)
        for grep { $_->{total} == $total } @told;

    my @first = grep { !defined $_->{json}{total_received} } @taken;
    if (@first != 1) {
        fault($run, 'not one first completion', @taken);
        return;
    }

    for my $other (@{$run->{completions}}) {
        fault($run, 'told before there was a total', $other, $first[0])
            if $other->{status} != 404 && precedes($other, $first[0]);
        fault($run, 'unknown after it was completed', $first[0], $other)
            if $other->{status} == 404 && precedes($first[0], $other);
    }

    between($run, $first[0]);
}


# A repeated completion says what there is then.
sub known {
    my ($run, $completion) = @_;

    my $n = $completion->{json}{total_received};
    my $total = $completion->{total};
    my $have = grep { $_->{sequence} < $total }
        @{$run->{accepted}}[0 .. ($n > @{$run->{accepted}}
                                  ? $#{$run->{accepted}} : $n - 1)];

    fault($run, 'a total that never was', $completion)
        if $n < 1 || $n > @{$run->{accepted}};
    fault($run, 'the wrong number of missing', $completion)
        if $completion->{json}{missing_count} != $total - $have;
    $completion->{at} = 2 * $n + 1;
}


sub between {
    my ($run, $first) = @_;

    my ($least, $most) = (3, 2 * @{$run->{accepted}} + 1);
    my ($before, $after) = (undef, undef);
    my @over = grep { $_->{status} =~ /^(?:202|409)$/ }
        @{$run->{completions}};

    for my $packet (@{$run->{packets}}) {
        my $open = $packet->{is} ne 'rejected'
            && ($run->{grace} eq 'none'
                || $packet->{sequence} >= $run->{total});
        my $late = $packet->{is} eq 'rejected'
            || grep { precedes($_, $packet) } @over;

        # an accepted packet stands between two places
        ($least, $before) = ($packet->{at} | 1, $packet)
            if ($open || precedes($packet, $first))
                && ($packet->{at} | 1) > $least;
        ($most, $after) = ($packet->{at} - 1 | 1, $packet)
            if $late && ($packet->{at} - 1 | 1) < $most;
    }

    for my $again (grep { defined $_->{at} } @over) {
        ($most, $after) = ($again->{at}, $again) if $again->{at} < $most;
    }

    fault($run, 'no place for the completion', $first,
          grep { defined } $before, $after) if $least > $most;

    closed($run);
}


# What is refused for its time, not for its number: nothing more comes.
sub closed {
    my ($run) = @_;

    my @packets = @{$run->{packets}};

    for my $packet (grep { $_->{is} eq 'rejected'
                           && $_->{sequence} < $run->{total} } @packets)
    {
        fault($run, 'closed while the grace period lasts', $packet)
            if $run->{grace} eq 'long';
        fault($run, 'accepted after the call was closed', $packet)
            if $packet->{at} != 2 * @{$run->{accepted}} + 1;
        my @later = grep { $_->{is} ne 'rejected' && precedes($packet, $_) }
            @packets;
        fault($run, 'open after it was closed', $packet, $later[0])
            if @later;
    }
}


# Was it over before the other began, or sent before it on one connection?
sub precedes {
    my ($one, $other) = @_;

    return 0 if $one == $other;
    return 1 if $one->{ended} < $other->{begun};

    return $one->{connection} == $other->{connection}
        && $one->{begun} < $other->{begun};
}


# Moments follow the order that was seen.
sub order {
    my ($run) = @_;

    my @known = sort { $a->{begun} <=> $b->{begun} }
        grep { defined $_->{at} } @{$run->{exchanges}};
    my @over = sort { $a->{ended} <=> $b->{ended} } @known;
    my ($i, $latest, %last) = (0, undef);

    for my $exchange (@known) {
        while ($over[$i]{ended} < $exchange->{begun}) {
            $latest = $over[$i]
                if !$latest || $over[$i]{at} > $latest->{at};
            $i++;
        }
        my $before = $last{$exchange->{connection}};
        for my $earlier (grep { defined } $latest, $before) {
            fault($run, 'not in the order of time', $earlier, $exchange)
                if $earlier->{at} > $exchange->{at};
        }
        $last{$exchange->{connection}} = $exchange
            if !$before || $exchange->{at} > $before->{at};
    }
}


sub end {
    my ($run) = @_;

    my ($stored, $count) = ($run->{stored}, scalar @{$run->{accepted}});
    my %missing = map { $_ => 1 } 0 .. $run->{next} - 1;

    delete @missing{map { $_->{sequence} } @{$run->{accepted}}};

    my %expected = (received => $count, next => $run->{next},
        missing => join(',', sort { $a <=> $b } keys %missing),
        expected => $run->{total} // '');

    for my $name (sort keys %expected) {
        fault($run, "stored $name is $stored->{$name}, not $expected{$name}")
            if $stored->{$name} ne $expected{$name};
    }
}


# The first one stays, whatever came after it.
sub rows {
    my ($run) = @_;

    my %left = %{$run->{stored}{rows}};

    for my $packet (@{$run->{accepted}}) {
        my $data = delete $left{$packet->{sequence}};
        fault($run, 'accepted and not stored', $packet)
            unless defined $data;
        fault($run, "\"$data\" is stored", $packet)
            if defined $data && $data ne $packet->{data};
    }

    fault($run, 'stored and not accepted: ' . join ',', sort keys %left)
        if %left;
}


1;
