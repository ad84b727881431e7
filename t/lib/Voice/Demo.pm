package Voice::Demo;

# The demo's cases (conf/demo/suite.json), put into a stack by the API.

use strict;
use warnings;

use JSON::PP;


sub cases {
    my $text = Voice::slurp("$Voice::ROOT/conf/demo/suite.json");

    return JSON::PP->new->utf8->decode($text);
}


# A suite of the first so many cases that pass (all with undef), and of the
# first so many that rightly fail; its id.
sub suite {
    my ($voice, $actor, $passing, $failing) = @_;

    my $demo = cases();
    my $suite = $voice->call('create_test_suite', as => $actor,
        body => $demo->{suite})->{json}{data};
    my @pass = grep { !$_->{expected_to_fail} } @{$demo->{cases}};
    my @fail = grep { $_->{expected_to_fail} } @{$demo->{cases}};
    my %outcome;

    $#pass = $passing - 1 if defined $passing;
    $#fail = ($failing // 0) - 1 if defined $passing;

    for my $case (@pass, @fail) {
        my %body = (%$case, suite_id => $suite->{id});
        my $code = delete $body{outcome};
        delete $body{expected_to_fail};
        $outcome{$code} //= outcome($voice, $actor, $demo, $code);

        my $made = $voice->call('create_test_case', as => $actor,
            body => \%body)->{json}{data};
        $voice->call('link_test_case_outcome', as => $actor,
            path => { id => $made->{id} },
            body => { expected_outcome_id => $outcome{$code} });
    }

    return $suite->{id};
}


sub outcome {
    my ($voice, $actor, $demo, $code) = @_;

    my ($body) = grep { $_->{outcome_code} eq $code } @{$demo->{outcomes}};

    return $voice->call('create_expected_outcome', as => $actor,
        body => $body)->{json}{data}{id};
}


1;
