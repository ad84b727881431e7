#!/usr/bin/perl

# Suites, cases with languages and versions, expected outcomes, over HTTP.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');
my $stranger = $voice->tenant('other');
my $viewer = $voice->person('acme', 'viewer');
my $lead = $voice->person('acme', 'qa_lead');
my $null = '00000000-0000-7000-8000-000000000000';
my ($suite, $case, $outcome);

suites();
outcomes();
cases();
languages();
links();
versions();
others();
ends();

$voice->finish;


sub suites {
    my $made = $voice->call('create_test_suite', as => $lead, body => {
        name => 'Navigation', category => 'smoke', agent => 'staging',
        language_config => { mode => 'all', languages => ['en_us'] } });
    is($made->{status}, 201, 'a lead makes a suite');
    $suite = $made->{json}{data};
    is($made->{headers}{location}, "/api/v1/test-suites/$suite->{id}",
       'its place is told');
    is($made->{headers}{etag}, '"1"', 'so is its version');
    is($suite->{language_config}{languages}[0], 'en-US',
       'a language is canonical');

    is($voice->call('create_test_suite', as => $viewer,
                    body => { name => 'x' })->{status}, 403,
       'a viewer makes none');

    my %wrong = (
        'an empty name'      => { name => '' },
        'a member too many'  => { name => 'x', id => $null },
        'a wrong mode'       => { name => 'x',
                                  language_config => { mode => 'odd' } },
        'no language'        => { name => 'x', language_config => {
                                      mode => 'specific' } },
        'a bad language'     => { name => 'x', language_config => {
                                      languages => ['no tag'] } },
        'a bad agent'        => { name => 'x', agent => 'A b' },
    );
    is($voice->call('create_test_suite', as => $lead,
                    body => $wrong{$_})->{status}, 422, "$_ is refused")
        for sort keys %wrong;

    my $list = $voice->call('list_test_suites', as => $viewer,
        query => { search => 'NAVI', sort => '-name', page_size => 1 });
    is($list->{json}{pagination}{total_items}, 1, 'a viewer finds it');
    is($voice->call('list_test_suites', as => $viewer,
                    query => { sort => 'odd' })->{status}, 422,
       'an unknown order is refused');
    is($voice->call('list_test_suites', as => $viewer,
                    query => { page => 0 })->{status}, 422,
       'page 0 is refused');

    my $changed = $voice->call('update_test_suite', as => $lead,
        path => { id => $suite->{id} }, headers => { 'If-Match' => '"1"' },
        body => { description => 'Ways home' });
    is($changed->{status}, 200, 'a lead changes it');
    is($changed->{headers}{etag}, '"2"', 'it has the next version');
    is($voice->call('update_test_suite', as => $lead,
        path => { id => $suite->{id} }, headers => { 'If-Match' => '"1"' },
        body => { name => 'Late' })->{status}, 412,
       'a stale version is refused');
    is($voice->call('get_test_suite', as => $viewer,
                    path => { id => $suite->{id} })->{json}{data}{description},
       'Ways home', 'a viewer reads it');
}


sub outcomes {
    my $made = $voice->call('create_expected_outcome', as => $lead, body => {
        outcome_code => 'HOME', name => 'Going home',
        expected_intent => 'navigate', expected_response => 'Going home.',
        entities => { destination => 'home' },
        expected_response_content => { contains => ['home'] },
        language_variations => { 'de_de' => {
            expected_response => 'Nach Hause.' } },
        max_response_time_ms => 3000, expected_asr_confidence_min => 0.5 });
    is($made->{status}, 201, 'an outcome is made');
    $outcome = $made->{json}{data};

    is($voice->call('create_expected_outcome', as => $lead, body => {
        outcome_code => 'HOME', name => 'Again' })->{status}, 409,
       'its code is taken');
    is($voice->call('create_expected_outcome', as => $lead, body => {
        outcome_code => 'X', name => 'x',
        expected_response_content => { odd => [] } })->{status}, 422,
       'an unknown kind of pattern is refused');

    is($voice->call('update_expected_outcome', as => $lead,
        path => { id => $outcome->{id} },
        body => { max_response_time_ms => undef }
        )->{json}{data}{max_response_time_ms}, undef, 'null empties');
    is($voice->call('list_expected_outcomes', as => $viewer,
        query => { search => 'home', domain => 'navigation',
                   sort => 'outcome_code' })->{json}{pagination}{total_items},
       1, 'it is found');
    is($voice->call('get_expected_outcome', as => $viewer,
        path => { id => $outcome->{id} })->{json}{data}{version}, 2,
       'it has a version');
}


sub cases {
    my $made = $voice->call('create_test_case', as => $lead, body => {
        suite_id => $suite->{id}, name => 'Take me home',
        tags => ['B', ' a'], languages => [
            { language_code => 'en-us', input_text => 'take me home',
              voice => 'slt' },
            { language_code => 'de', input_text => 'bring mich heim' }] });
    is($made->{status}, 201, 'a case is made');
    $case = $made->{json}{data};
    is_deeply($case->{tags}, ['a', 'b'], 'its tags are tidy');

    is($voice->call('create_test_case', as => $lead, body => {
        name => 'x', suite_id => $null })->{status}, 404,
       'an unknown suite is not found');
    is($voice->call('create_test_case', as => $lead, body => {
        name => 'x', languages => [{ language_code => 'en-US',
            input_text => 'x', voice => 'odd' }] })->{status}, 422,
       'an unknown voice is refused');
    is($voice->call('create_test_case', as => $lead, body => {
        name => 'x', languages => [{ language_code => 'en-US',
            input_text => '  ' }] })->{status}, 422,
       'a blank input is refused');

    is($voice->call('list_test_cases', as => $viewer, query => {
        suite_id => $suite->{id}, tags => 'a,b', language_code => 'EN-us',
        test_type => 'voice_command', sort => 'name',
        search => 'home' })->{json}{pagination}{total_items}, 1,
       'it is found');

    my $changed = $voice->call('update_test_case', as => $lead,
        path => { id => $case->{id} },
        body => { name => 'Home', change_summary => 'shorter' });
    is($changed->{json}{data}{version}, 2, 'a change is a version');

    my $copy = $voice->call('duplicate_test_case', as => $lead,
        path => { id => $case->{id} }, body => { name => 'Twin' });
    is($copy->{status}, 201, 'it is copied');
    is(scalar @{$copy->{json}{data}{languages}}, 2, 'with its languages');
}


sub languages {
    my %path = (path => { id => $case->{id}, code => 'FR-fr' });

    is($voice->call('put_test_case_language', as => $lead, %path,
        body => { input_text => 'chez moi' })->{status}, 201,
       'a language is added');
    is($voice->call('put_test_case_language', as => $lead, %path,
        body => { input_text => 'à la maison' })->{status}, 200,
       'it is changed');
    is($voice->call('list_test_case_languages', as => $viewer,
        path => { id => $case->{id} })->{json}{data}[2]{input_text},
       'à la maison', 'it is listed');
    is($voice->call('delete_test_case_language', as => $lead, %path
        )->{status}, 204, 'it is removed');
    is($voice->call('delete_test_case_language', as => $lead, %path
        )->{status}, 404, 'once');
    is($voice->call('put_test_case_language', as => $lead,
        path => { id => $case->{id}, code => '99' },
        body => { input_text => 'x' })->{status}, 422,
       'what is no language is refused');
}


sub links {
    my %path = (path => { id => $case->{id} });

    is($voice->call('link_test_case_outcome', as => $lead, %path,
        body => { expected_outcome_id => $outcome->{id}, priority => 2 }
        )->{status}, 201, 'an outcome is linked');
    is($voice->call('list_test_case_outcomes', as => $viewer, %path
        )->{json}{data}[0]{outcome_code}, 'HOME', 'the link is listed');
    is($voice->call('link_test_case_outcome', as => $lead, %path,
        body => { expected_outcome_id => $null })->{status}, 404,
       'an unknown outcome is not found');
    is($voice->call('unlink_test_case_outcome', as => $lead,
        path => { id => $case->{id}, outcome_id => $outcome->{id} }
        )->{status}, 204, 'an outcome is unlinked');
    is($voice->call('unlink_test_case_outcome', as => $lead,
        path => { id => $case->{id}, outcome_id => $outcome->{id} }
        )->{status}, 404, 'once');
}


sub versions {
    my %path = (path => { id => $case->{id} });
    my $list = $voice->call('list_test_case_versions', as => $viewer, %path,
        query => { page_size => 100 })->{json};

    is($list->{pagination}{total_items}, 7, 'every change is in the history');
    is($voice->call('get_test_case_version', as => $viewer,
        path => { id => $case->{id}, number => 2 }
        )->{json}{data}{change_summary}, 'shorter', 'with its summary');
    is_deeply($voice->call('compare_test_case_versions', as => $viewer,
        path => { id => $case->{id}, number => 1, other => 2 }
        )->{json}{data}{differences},
        { name => { from => 'Take me home', to => 'Home' } },
        'versions are compared');
    is($voice->call('rollback_test_case', as => $lead,
        path => { id => $case->{id}, number => 1 })->{json}{data}{name},
       'Take me home', 'an old version comes back');
    is($voice->call('get_test_case', as => $viewer, %path
        )->{json}{data}{version}, 8, 'as a new one');
    is($voice->call('rollback_test_case', as => $lead,
        path => { id => $case->{id}, number => 99 })->{status}, 404,
       'an unknown one is not found');
}


# Whatever is ours does not exist for another tenant.
sub others {
    my %path = (id => $case->{id}, code => 'en-US', number => 1, other => 1,
                outcome_id => $outcome->{id});
    my %body = (
        update_test_case        => {}, duplicate_test_case => {},
        put_test_case_language  => { input_text => 'x' },
        link_test_case_outcome  => { expected_outcome_id => $outcome->{id} },
        update_test_suite       => {}, update_expected_outcome => {},
    );
    my %id = (test_suite => $suite->{id},
              expected_outcome => $outcome->{id});

    for my $name (qw(get_test_case update_test_case delete_test_case
        duplicate_test_case list_test_case_languages put_test_case_language
        delete_test_case_language list_test_case_versions
        get_test_case_version compare_test_case_versions rollback_test_case
        list_test_case_outcomes link_test_case_outcome
        unlink_test_case_outcome get_test_suite update_test_suite
        delete_test_suite get_expected_outcome update_expected_outcome
        delete_expected_outcome))
    {
        my ($kind) = $name =~ /_(test_suite|expected_outcome)$/;
        my $reply = $voice->call($name, as => $stranger,
            path => { %path, id => $kind ? $id{$kind} : $case->{id} },
            $body{$name} ? (body => $body{$name}) : ());
        is($reply->{status}, 404, "$name: another tenant's does not exist");
    }
}


sub ends {
    is($voice->call('delete_test_case', as => $lead,
        path => { id => $case->{id} })->{status}, 204, 'a case is deleted');
    is($voice->call('delete_expected_outcome', as => $lead,
        path => { id => $outcome->{id} })->{status}, 204,
       'an outcome is deleted');
    is($voice->call('delete_test_suite', as => $lead,
        path => { id => $suite->{id} })->{status}, 204,
       'a suite is deleted');
    is($voice->call('get_test_suite', as => $viewer,
        path => { id => $suite->{id} })->{json}{data}{is_active},
       JSON::PP::false, 'it stays readable, inactive');
    is($voice->call('list_test_suites', as => $viewer
        )->{json}{pagination}{total_items}, 0, 'lists leave it out');
}
