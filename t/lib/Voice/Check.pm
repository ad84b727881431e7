package Voice::Check;

# Checks of lists and of refusals that files of resources share.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;
use Test::More;

our @EXPORT = qw(lists_by refuses_queries refused improper);


# What a list shows, in order, by one member of its rows.  Rows: [query,
# values split by blanks, test name].
sub lists_by {
    my ($voice, $actor, $operation, $member, @rows) = @_;

    for my $row (@rows) {
        my ($query, $names, $what) = @$row;
        my $list = $voice->call($operation, as => $actor, query => $query);
        is(join(' ', map { $_->{$member} } @{$list->{json}{data}}), $names,
           $what);
    }
}


# Queries of one parameter that a list refuses at the path.
sub refuses_queries {
    my ($voice, $actor, $operation, $path, @queries) = @_;

    for my $query (@queries) {
        refused($voice->call($operation, as => $actor, query => $query),
                $path, "$operation with " . join('=', %$query));
    }
}


# 422; where a path is given it stands among the problems.
sub refused {
    my ($reply, $path, $what) = @_;

    is($reply->{status}, 422, "$what is refused");
    return unless defined $path;

    my @paths = map { $_->{path} } @{$reply->{json}{error}{details}{errors}};
    ok(scalar(grep { $_ eq $path } @paths), "at $path")
        or diag("at: @paths");
}


# What is wrong with a reply to bad input: '' if it has one of the statuses
# and, being an error, is one that the contract knows, dressed as all are.
sub improper {
    my ($voice, $reply, @statuses) = @_;

    return 'no reply' unless defined $reply;

    my $status = $reply->{status};
    return "status $status" unless grep { $_ == $status } @statuses;
    return '' if $status < 400;

    my $body = eval { JSON::PP->new->utf8->decode($reply->{content}) };
    return "$status without JSON" unless ref $body eq 'HASH';

    my $error = $body->{error};
    my $known = $voice->{contract}{'x-errors'};
    my $id = $reply->{headers}{'x-request-id'} // '';

    return "$status without an error" unless ref $error eq 'HASH';
    return "$status with code " . ($error->{code} // 'none')
        unless $known->{$error->{code} // ''};
    return "$status with $error->{code}"
        unless $known->{$error->{code}}{status} == $status
            || grep { $_ == $status } 408, 411, 414;
    return "$status without success false, and not flat"
        unless exists $body->{success}
            ? ref $body->{success} eq 'JSON::PP::Boolean' && !$body->{success}
            : flat_detail($body->{detail}, $status);
    return "$status with request ids that differ"
        unless $id ne '' && $id eq ($body->{request_id} // '')
            && $id eq ($error->{request_id} // '');
    return "$status at no time" unless ($error->{timestamp} // '')
        =~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;
    return "$status without details" unless ref $error->{details} eq 'HASH';
    return "$status without a reason" unless length $error->{message};

    return '';
}


# Of x-errors "flat": a sentence, with 422 a list of {type, loc, msg}, where
# there is a place.
sub flat_detail {
    my ($detail, $status) = @_;

    return length($detail // '') if !ref $detail;

    return $status == 422 && @$detail > 0
        && !grep { !length $_->{type} || !length $_->{msg}
                   || ref $_->{loc} ne 'ARRAY' } @$detail;
}


1;
