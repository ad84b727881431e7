package Voice::Check;

# Checks of lists and of refusals that files of resources share.

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

our @EXPORT = qw(lists_by refuses_queries refused);


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


1;
