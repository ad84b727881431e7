#!/usr/bin/perl

# The catalogue: expected outcomes, their links to cases, and who may write.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;

my $nobody = '00000000-0000-7000-8000-000000000000';
my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');

outcomes();
outcome_refusals();
outcome_lists();
links();
roles();

$voice->finish;


# --- outcomes -------------------------------------------------------------

sub outcomes {
    my %all = (
        outcome_code => 'BOOK_1', name => 'Booked', domain => 'booking',
        description => 'd', expected_intent => 'book',
        expected_command_kind => 'BookCommand', expected_response => 'done',
        entities => { people => 2 }, required_entities => ['people'],
        validation_rules => { a => [1] },
        language_variations => { de_de => { expected_response => 'fertig' } },
        expected_response_content => { contains => ['done'] },
        forbidden_phrases => ['sorry'], acceptable_alternates => ['ok'],
        expected_asr_confidence_min => 0.5, max_response_time_ms => 2000,
        max_response_length => 100, tolerance_settings => { wer => 0.2 },
        tone_requirement => 'polite', confirmation_required => \1,
        confirmation_prompt => 'sure?', allow_partial_success => \1,
        next_step_on_success => 'a', next_step_on_failure => 'b');
    my $made = $voice->call('create_expected_outcome', as => $owner,
                            body => \%all);
    my $outcome = $made->{json}{data};
    my %path = (path => { id => $outcome->{id} }, as => $owner);

    is($made->{status}, 201, 'an outcome is made');
    is(join(' ', keys %{$outcome->{language_variations}}), 'de-DE',
       'its variations get usual tags');
    for my $name (grep { !/^(?:language_variations|\w+_required
                               |allow_partial_success)$/x } sort keys %all)
    {
        is_deeply($outcome->{$name}, $all{$name}, "its $name is kept");
    }
    is_deeply($voice->call('get_expected_outcome', %path)->{json}{data},
              $outcome, 'reading it gives the same');

    my $again = $voice->call('create_expected_outcome', as => $owner,
        body => { outcome_code => 'BOOK_1', name => 'x' });
    is($again->{status}, 409, 'a code is taken once');
    is($again->{json}{error}{code}, 'DUPLICATE', 'and is refused by name');

    my $changed = $voice->call('update_expected_outcome', %path, body => {
        expected_intent => undef, entities => {} });
    is($changed->{json}{data}{expected_intent}, undef, 'it can be emptied');
    is_deeply($changed->{json}{data}{required_entities}, ['people'],
              'what is not sent stays');
    is($changed->{headers}{etag}, '"2"', 'a change makes a version');
    is($voice->call('update_expected_outcome', %path, body => { name => 'x' },
        headers => { 'If-Match' => '1' })->{status}, 412,
       'a change meant for an old version is refused');
    is($voice->call('delete_expected_outcome', %path)->{status}, 204,
       'an outcome is deleted');

    my $second = outcome('BOOK_1');
    ok($second, 'then its code is free');
    is($voice->call('update_expected_outcome', %path,
        body => { is_active => \1 })->{status}, 409,
       'and the old one cannot come back beside the new');

    for my $name (qw(get_expected_outcome delete_expected_outcome)) {
        is($voice->call($name, as => $owner, path => { id => $nobody })
                 ->{status}, 404, "$name of none is 404");
    }
    is($voice->call('update_expected_outcome', as => $owner,
        path => { id => $nobody }, body => { name => 'x' })->{status}, 404,
       'update_expected_outcome of none is 404');

}


sub outcome_refusals {
    my @refused = (
        ['without a code', { name => 'x' }, '/body/outcome_code'],
        ['with a code of spaces', { outcome_code => 'a b', name => 'x' },
         '/body/outcome_code'],
        ['with a domain of capitals', { outcome_code => 'a', name => 'x',
            domain => 'ABC' }, '/body/domain'],
        ['with a confidence above one', { outcome_code => 'a', name => 'x',
            expected_asr_confidence_min => 1.5 },
         '/body/expected_asr_confidence_min'],
        ['with a fraction of a millisecond', { outcome_code => 'a',
            name => 'x', max_response_time_ms => 1.5 },
         '/body/max_response_time_ms'],
        ['with a tolerance of text', { outcome_code => 'a', name => 'x',
            tolerance_settings => { wer => 'low' } },
         '/body/tolerance_settings/wer'],
        ['with a variation in no language', { outcome_code => 'a',
            name => 'x', language_variations => { 'e!' => {} } },
         '/body/language_variations/e!'],
        ['with an unknown pattern', { outcome_code => 'a', name => 'x',
            expected_response_content => { glob => ['*'] } },
         '/body/expected_response_content/glob'],
    );

    for my $case (@refused) {
        my ($what, $body, $path) = @$case;
        refused($voice->call('create_expected_outcome', as => $owner,
                             body => $body), $path, "an outcome $what");
    }
}


sub outcome_lists {
    my $actor = $voice->person('outcomelists', 'owner');

    for my $body ({ outcome_code => 'c', name => 'Apple', domain => 'x' },
                  { outcome_code => 'a', name => 'berry',
                    expected_intent => 'go' },
                  { outcome_code => 'b', name => 'Cherry',
                    description => 'an apple' },
                  { outcome_code => 'd', name => 'off', is_active => \0 })
    {
        $voice->call('create_expected_outcome', as => $actor, body => $body);
    }

    lists_by($voice, $actor, 'list_expected_outcomes', 'outcome_code',
        [{}, 'b a c', 'the newest outcomes come first'],
        [{ sort => 'outcome_code' }, 'a b c', 'outcomes sort by code'],
        [{ sort => '-name' }, 'b a c', 'or by name'],
        [{ domain => 'x' }, 'c', 'a domain filters outcomes'],
        [{ expected_intent => 'go' }, 'a', 'and an intent'],
        [{ search => 'apple', sort => 'created_at' }, 'c b',
         'names and descriptions are searched'],
        [{ is_active => 'false' }, 'd', 'outcomes out of use are apart'],
        [{ page_size => 2, page => 2 }, 'c', 'outcomes have pages']);

    refuses_queries($voice, $actor, 'list_expected_outcomes', '/query/sort',
                    { sort => 'updated_at' });
}


sub links {
    my $first = outcome('link-1');
    my $second = outcome('link-2');
    my $id = kase(name => 'Linked', languages => [language('en')]);
    my %path = (path => { id => $id }, as => $owner);
    my $link = sub {
        return $voice->call('link_test_case_outcome', %path,
                            body => { @_ });
    };
    my $all = sub {
        return join ' ', map { "$_->{outcome_code}:"
            . ($_->{language_code} // '*') . ":$_->{priority}" }
            @{$voice->call('list_test_case_outcomes', %path)->{json}{data}};
    };

    is($link->(expected_outcome_id => $first, priority => 5)->{status}, 201,
       'an outcome is linked');
    $link->(expected_outcome_id => $second, language_code => 'de_de');
    $link->(expected_outcome_id => $first, language_code => 'de');
    is($all->(), 'link-2:de-DE:1 link-1:de:1 link-1:*:5',
       'links are listed by priority');
    $link->(expected_outcome_id => $first, priority => 2);
    is($all->(), 'link-2:de-DE:1 link-1:de:1 link-1:*:2',
       'linking again sets the priority');

    is($link->(expected_outcome_id => $nobody)->{status}, 404,
       'an unknown outcome cannot be linked');
    is($link->(expected_outcome_id => $first, priority => 0)->{status}, 422,
       'nor with priority 0');
    is($link->(expected_outcome_id => $first, language_code => 'e!')
             ->{status}, 422, 'nor for what is no language');
    $voice->call('delete_expected_outcome', as => $owner,
                 path => { id => $second });
    is($link->(expected_outcome_id => $second)->{status}, 404,
       'nor one that is out of use');
    is($voice->call('link_test_case_outcome', as => $owner,
        path => { id => $nobody }, body => { expected_outcome_id => $first })
        ->{status}, 404, 'nor to a case that is not there');

    my $unlink = sub {
        my ($outcome, %query) = @_;
        return $voice->call('unlink_test_case_outcome', as => $owner,
            path => { id => $id, outcome_id => $outcome },
            %query ? (query => \%query) : ())->{status};
    };
    is($unlink->($first, language_code => 'fr'), 404,
       'a link that is not there cannot be undone');
    is($unlink->($first, language_code => 'DE'), 204,
       'the link of one language is undone');
    is($all->(), 'link-2:de-DE:1 link-1:*:2', 'and no other');
    is($unlink->($first), 204, 'or all links of an outcome');
    is($unlink->($first), 404, 'once');
}


# --- roles ----------------------------------------------------------------

sub roles {
    my $suite = suite('Roles');

    for my $row (['viewer', 200, 403], ['operator', 200, 403],
                 ['qa_lead', 200, 201], ['admin', 200, 201],
                 ['validator', 200, 403], ['billing', 403, 403])
    {
        my ($role, $read, $write) = @$row;
        my $actor = $voice->person('acme', $role);
        is($voice->call('get_test_suite', as => $actor,
            path => { id => $suite })->{status}, $read,
           "a $role reads suites: $read");
        is($voice->call('create_test_suite', as => $actor,
            body => { name => $role })->{status}, $write,
           "a $role makes suites: $write");
    }
}


# --- small things ---------------------------------------------------------

sub suite {
    my ($name) = @_;

    return $voice->call('create_test_suite', as => $owner,
        body => { name => $name })->{json}{data}{id};
}


sub kase {
    my %body = @_;

    return $voice->call('create_test_case', as => $owner,
        body => \%body)->{json}{data}{id};
}


sub outcome {
    my ($code) = @_;

    return $voice->call('create_expected_outcome', as => $owner,
        body => { outcome_code => $code, name => $code })->{json}{data}{id};
}


sub language {
    my ($code) = @_;

    return { language_code => $code, input_text => 'hello' };
}
