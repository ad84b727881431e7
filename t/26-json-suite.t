#!/usr/bin/perl

# JSONTestSuite over HTTP: what is no JSON is 400, what is JSON never is;
# what is stored comes back as it was.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;
use Voice::Raw;

my $folder = ($ENV{VOICE_VECTORS} // "$Voice::ROOT/../shared/vectors")
    . '/json/test_parsing';
plan skip_all => "$folder is absent" unless -d $folder;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $voice = Voice->start(workers => 0);
my @owners = map { $voice->tenant("t$_") } 1 .. 8;
my %file = map { m{/([yni]_[^/]+)\.json$} ? ($1 => Voice::slurp($_)) : () }
    glob "$folder/*.json";
my @pids = sort $voice->children('nginx');
my (%connection, %count, $turn);

# JSON that no API can take: a name twice has no one meaning, and PostgreSQL
# has no text with a NUL.
my %odd = map { $_ => 1 } qw(y_object_duplicated_key
    y_object_duplicated_key_and_value y_object_escaped_null_in_key
    y_string_null_escape);

cmp_ok(scalar(keys %file), '>', 300, 'the suite is whole');
bodies('create_test_suite');
bodies('login');
bodies('create_expected_outcome');
members();
is(join(' ', sort $voice->children('nginx')), "@pids",
   'no process of nginx has died');
table();

$voice->finish;


# Each text as the whole body.
sub bodies {
    my ($name) = @_;

    my $operation = $voice->{operations}{$name};
    my (@bad, %status);

    for my $file (sort keys %file) {
        my $kind = substr $file, 0, 1;
        my $reply = ask($operation, $file{$file});
        my $why = improper($voice, $reply, expected($kind, $operation,
                                                      $file{$file}));

        $count{$kind}{$reply->{status} // 'none'}++;
        push @bad, "$file: $why" if $why ne '';
    }

    is(join("\n", @bad), '', "$name: n_ is 400, y_ is not, none is 5xx");
}


# No operation takes an array or a scalar: 422.  Some take no such lengths.
sub expected {
    my ($kind, $operation, $text) = @_;

    my $most = $operation->{'x-max-body'} // 65536;

    return $kind eq 'y' ? 422 : $kind eq 'i' ? (400, 422)
        : length $text > $most - 100 ? 413 : 400;
}


# Each text as a member that may be anything.
sub members {
    my @ids = map { $voice->call('create_expected_outcome', as => $_,
        body => { outcome_code => 'c', name => 'n' })->{json}{data}{id} }
        @owners;
    my $operation = $voice->{operations}{update_expected_outcome};
    my @bad;

    for my $file (sort keys %file) {
        my $reply = ask($operation,
            "{\"validation_rules\":{\"v\":$file{$file}}}", \@ids);
        my $kind = substr $file, 0, 1;
        my @expected = $odd{$file} ? 422 : $kind eq 'y' ? 200
            : $kind eq 'n' ? expected('n', $operation, $file{$file})
            : (200, 400, 422);
        my $why = improper($voice, $reply, @expected);

        $why = 'it does not come back' if $why eq '' && $kind eq 'y'
            && !$odd{$file} && !same($reply, $file{$file});
        push @bad, "$file: $why" if $why ne '';
    }

    is(join("\n", @bad), '', 'as a member y_ comes back as it was');
}


sub same {
    my ($reply, $text) = @_;

    return equal($json->decode($reply->{content})
                 ->{data}{validation_rules}{v}, $json->decode($text));
}


# A number by its value, not by how it was written.
sub equal {
    my ($left, $right) = @_;

    return 0 if ref $left ne ref $right;
    return $json->encode($left) eq $json->encode($right)
        if !defined $left || !defined $right;

    if (ref $left eq 'ARRAY') {
        return @$left == @$right
            && !grep { !equal($left->[$_], $right->[$_]) } 0 .. $#$left;
    }
    if (ref $left eq 'HASH') {
        return join("\0", sort keys %$left) eq join("\0", sort keys %$right)
            && !grep { !equal($left->{$_}, $right->{$_}) } keys %$left;
    }

    my $number = qr/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
    return $left == $right if $left =~ $number && $right =~ $number;

    return $left eq $right;
}


# What is over a limit goes to the next tenant, from the next address.
sub ask {
    my ($operation, $body, $ids) = @_;

    my $reply;
    $voice->wait_for(sub {
        my $n = $turn++ % @owners;
        my $from = '127.0.1.' . (1 + $turn % 200);
        my $path = $operation->{path} =~ s/\{id\}/$ids->[$n]/r;
        my $public = $operation->{'x-role'} eq 'public';
        my $raw = Voice::Raw->new($voice, $from);
        $raw->put("$operation->{method} $path HTTP/1.1\r\nHost: x\r\n"
            . ($public ? ''
                       : "Authorization: Bearer $owners[$n]{token}\r\n")
            . "Content-Type: application/json\r\nConnection: close\r\n"
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body");
        $reply = $raw->reply;
        return !defined $reply || $reply->{status} != 429;
    }, 20);

    return $reply;
}


sub table {
    my @statuses = do {
        my %seen = map { $_ => 1 } map { keys %$_ } values %count;
        sort keys %seen;
    };

    diag(sprintf "%-10s" . '%7s' x @statuses, 'bodies', @statuses);
    for my $kind (qw(y n i)) {
        diag(sprintf "%-10s" . '%7d' x @statuses, "${kind}_",
             map { $count{$kind}{$_} // 0 } @statuses);
    }
}
