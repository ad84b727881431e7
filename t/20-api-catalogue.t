#!/usr/bin/perl

# The catalogue: suites, and cases with their languages and versions.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;

my $nobody = '00000000-0000-7000-8000-000000000000';
my $voice = Voice->start(workers => 0);
my $owner = $voice->tenant('acme');

suites();
suite_lists();
suite_refusals();
cases();
case_lists();
case_refusals();
languages();
versions();
rollback();
duplicates();

$voice->finish;


# --- suites ---------------------------------------------------------------

sub suites {
    my $made = $voice->call('create_test_suite', as => $owner, body => {
        name => 'Booking', description => 'Tables and rooms',
        category => 'travel', language_config => {
            mode => 'specific', languages => ['en_us', 'de-de', 'EN-US'],
            fallback_behavior => 'smart' } });
    my $suite = $made->{json}{data};
    my %path = (path => { id => $suite->{id} }, as => $owner);

    is($made->{status}, 201, 'a suite is made');
    is($made->{headers}{location}, "/api/v1/test-suites/$suite->{id}",
       'its path is told');
    is($made->{headers}{etag}, '"1"', 'and its version');
    is_deeply($suite->{language_config}, { mode => 'specific',
        languages => ['en-US', 'de-DE'], fallback_behavior => 'smart' },
       'language tags get their usual case and stand once');
    is($suite->{created_by}, $owner->{user_id}, 'its maker is kept');
    is_deeply($voice->call('get_test_suite', %path)->{json}{data}, $suite,
              'reading it gives the same');

    my $changed = $voice->call('update_test_suite', %path,
        body => { description => undef, agent => 'other' });
    is($changed->{json}{data}{description}, undef,
       'a member sent as null is emptied');
    is($changed->{json}{data}{category}, 'travel',
       'a member that is not sent stays');
    is($changed->{headers}{etag}, '"2"', 'a change makes a version');
    is($voice->call('update_test_suite', %path, body => { name => 'x' },
        headers => { 'If-Match' => '"1"' })->{status}, 412,
       'a change meant for an old version is refused');
    is($voice->call('update_test_suite', %path, body => { name => 'Tables' },
        headers => { 'If-Match' => '"2"' })->{json}{data}{name}, 'Tables',
       'one for the present version is taken');

    is($voice->call('delete_test_suite', %path,
        headers => { 'If-Match' => '"2"' })->{status}, 412,
       'so is it with a deletion');
    my $deleted = $voice->call('delete_test_suite', %path);
    is($deleted->{status}, 204, 'a suite is deleted');
    is($deleted->{content} // '', '', 'without a word');
    is($voice->call('get_test_suite', %path)->{json}{data}{is_active} ? 1 : 0,
       0, 'it is out of use but can be read');
    is($voice->call('delete_test_suite', %path)->{status}, 204,
       'deleting twice does no harm');
}


sub suite_lists {
    my $actor = $voice->person('lists', 'owner');
    my @names = ('Alpha', 'beta', 'Gamma 100%', 'delta_x');

    for my $i (0 .. $#names) {
        $voice->call('create_test_suite', as => $actor, body => {
            name => $names[$i], category => $i % 2 ? 'odd' : 'even',
            is_active => $i == 3 ? \0 : \1 });
    }

    lists_by($voice, $actor, 'list_test_suites', 'name',
        [{}, 'Gamma 100% beta Alpha', 'the newest come first'],
        [{ sort => 'created_at' }, 'Alpha beta Gamma 100%',
         'or the oldest'],
        [{ sort => 'name' }, 'Alpha beta Gamma 100%',
         'names sort without regard to case'],
        [{ sort => '-name' }, 'Gamma 100% beta Alpha', 'downwards as well'],
        [{ category => 'odd' }, 'beta', 'a category filters'],
        [{ is_active => 'false' }, 'delta_x', 'what is out of use is apart'],
        [{ search => 'ALPH' }, 'Alpha', 'a search knows no case'],
        [{ search => '%' }, 'Gamma 100%', 'a percent sign finds itself'],
        [{ search => '_' }, '', 'and so does an underscore'],
        [{ search => '\\' }, '', 'and a backslash'],
        [{ search => "'; drop table x --" }, '', 'a quote is only text'],
        [{ page_size => 2, sort => 'name' }, 'Alpha beta',
         'pages have a size'],
        [{ page_size => 2, page => 2, sort => 'name' }, 'Gamma 100%',
         'the second page goes on'],
        [{ page => 1000000, page_size => 100 }, '', 'the last may be empty']);

    is_deeply($voice->call('list_test_suites', as => $actor,
        query => { page => 2, page_size => 2 })->{json}{pagination},
        { page => 2, page_size => 2, total_items => 3, total_pages => 2 },
        'a list says how long it is');

    refuses_queries($voice, $actor, 'list_test_suites', '/query/page',
                    { page => 0 }, { page => 'x' }, { page => -1 },
                    { page => '1.5' }, { page => '99999999999999999999' });
    refuses_queries($voice, $actor, 'list_test_suites', '/query/page_size',
                    { page_size => 0 }, { page_size => 101 });
    refuses_queries($voice, $actor, 'list_test_suites', '/query/sort',
                    { sort => 'id' }, { sort => 'name; drop table x' });
    refuses_queries($voice, $actor, 'list_test_suites', '/query/is_active',
                    { is_active => 'yes' });
    refuses_queries($voice, $actor, 'list_test_suites', '/query/colour',
                    { colour => 'red' });
}


sub suite_refusals {
    my @refused = (
        ['without a name', {}, '/body/name'],
        ['with an empty name', { name => '' }, '/body/name'],
        ['with a long name', { name => 'x' x 256 }, '/body/name'],
        ['with an unknown member', { name => 'x', nmae => 1 }, '/body/nmae'],
        ['with a number as name', { name => 7 }, '/body/name'],
        ['with an unknown mode', { name => 'x',
            language_config => { mode => 'some' } },
         '/body/language_config/mode'],
        ['of specific languages without one', { name => 'x',
            language_config => { mode => 'specific' } },
         '/body/language_config/languages'],
        ['with a wrong language', { name => 'x',
            language_config => { languages => ['en-US', 'english!'] } },
         '/body/language_config/languages/1'],
        ['with a wrong agent', { name => 'x', agent => 'Not an agent' },
         '/body/agent'],
    );

    for my $case (@refused) {
        my ($what, $body, $path) = @$case;
        refused($voice->call('create_test_suite', as => $owner,
                             body => $body), $path, "a suite $what");
    }

    my $long = $voice->call('create_test_suite', as => $owner,
                            body => { name => "\x{1f600}" x 255 });
    is($long->{status}, 201, 'lengths count characters, not bytes');

    for my $name (qw(get_test_suite delete_test_suite)) {
        is($voice->call($name, as => $owner, path => { id => $nobody })
                 ->{status}, 404, "$name of none is 404");
    }
    is($voice->call('update_test_suite', as => $owner,
        path => { id => $nobody }, body => { name => 'x' })->{status}, 404,
       'update_test_suite of none is 404');
}


# --- cases ----------------------------------------------------------------

sub cases {
    my $suite = suite('Cases');
    my $made = $voice->call('create_test_case', as => $owner, body => {
        suite_id => $suite, name => 'Book a table', test_type => 'multi_turn',
        tags => ['Smoke', ' smoke ', 'b'], category => 'booking',
        scenario_definition => { turns => [1, { a => undef }] },
        languages => [
            { language_code => 'en-us', input_text => 'book a table' },
            { language_code => 'de', input_text => 'einen Tisch, bitte',
              input_variations => ['Tisch'], voice => 'slt' } ] });
    my $case = $made->{json}{data};
    my %path = (path => { id => $case->{id} }, as => $owner);

    is($made->{status}, 201, 'a case is made');
    is($made->{headers}{location}, "/api/v1/test-cases/$case->{id}",
       'its path is told');
    is_deeply($case->{tags}, ['b', 'smoke'],
              'tags are trimmed, lower case, each once');
    is(join(' ', map { "$_->{language_code}:"
                       . ($_->{is_primary} ? 1 : 0) } @{$case->{languages}}),
       'en-US:1 de:0', 'the first language is the primary one');
    is_deeply($case->{scenario_definition}, { turns => [1, { a => undef }] },
              'a scenario is kept as it is');
    is_deeply($voice->call('get_test_case', %path)->{json}{data}, $case,
              'reading it gives the same');
    is($voice->call('get_test_suite', as => $owner, path => { id => $suite })
             ->{json}{data}{test_case_count}, 1, 'its suite counts it');

    my $changed = $voice->call('update_test_case', %path, body => {
        name => 'Book', suite_id => undef,
        languages => [{ language_code => 'de', input_text => 'Tisch' }],
        change_summary => 'Shorter' });
    is($changed->{status}, 200, 'a case is changed');
    is($changed->{json}{data}{suite_id}, undef, 'it can leave its suite');
    is(join(' ', map { $_->{language_code} }
            @{$changed->{json}{data}{languages}}), 'de',
       'languages that are sent replace those that were');
    is($changed->{json}{data}{category}, 'booking', 'the rest stays');
    is($voice->call('update_test_case', %path, body => { name => 'x' },
        headers => { 'If-Match' => '"1"' })->{status}, 412,
       'a change meant for an old version is refused');

    is($voice->call('delete_test_case', %path)->{status}, 204,
       'a case is deleted');
    my $gone = $voice->call('get_test_case', %path);
    is($gone->{json}{data}{is_active} ? 1 : 0, 0,
       'it is out of use but can be read');
    is($gone->{headers}{etag}, '"3"', 'its deletion is a version');
    is($voice->call('delete_test_case', %path)->{status}, 204,
       'deleting twice does no harm');
    is($voice->call('get_test_case', %path)->{headers}{etag}, '"3"',
       'and makes no version');
}


sub case_lists {
    my $actor = $voice->person('caselists', 'owner');
    my $suite = $voice->call('create_test_suite', as => $actor,
        body => { name => 'S' })->{json}{data}{id};

    my @case = (
        { name => 'one', tags => ['a', 'b'], suite_id => $suite,
          category => 'x', languages => [language('en-US')] },
        { name => 'Two', tags => ['b'], test_type => 'edge_case',
          languages => [language('de-DE'), language('en-US')] },
        { name => 'three', description => 'about ONE' },
        { name => 'four', is_active => \0 },
    );
    $voice->call('create_test_case', as => $actor, body => $_) for @case;

    lists_by($voice, $actor, 'list_test_cases', 'name',
        [{}, 'three Two one', 'the newest cases come first'],
        [{ sort => 'name' }, 'one three Two', 'cases sort by name'],
        [{ suite_id => $suite }, 'one', 'a suite filters cases'],
        [{ category => 'x' }, 'one', 'so does a category'],
        [{ test_type => 'edge_case' }, 'Two', 'and a type'],
        [{ tags => 'b', sort => 'name' }, 'one Two', 'and a tag'],
        [{ tags => 'B, a' }, 'one', 'and all of several tags'],
        [{ tags => ',' }, 'three Two one', 'no tag asks for none'],
        [{ language_code => 'de-de' }, 'Two', 'and a language'],
        [{ language_code => 'EN_us', tags => 'a' }, 'one',
         'filters go together'],
        [{ search => 'one' }, 'three one', 'descriptions are searched'],
        [{ is_active => 'false' }, 'four', 'cases out of use are apart'],
        [{ suite_id => $nobody }, '', 'an unknown suite has no cases'],
        [{ page_size => 1, page => 3 }, 'one', 'cases have pages']);

    refuses_queries($voice, $actor, 'list_test_cases', '/query/language_code',
                    { language_code => 'x!' }, { language_code => '--' });
    refuses_queries($voice, $actor, 'list_test_cases', '/query/suite_id',
                    { suite_id => 'x' });
    refuses_queries($voice, $actor, 'list_test_cases', '/query/test_type',
                    { test_type => 'x' });
}


sub case_refusals {
    my @refused = (
        ['without a name', {}, '/body/name'],
        ['of an unknown type', { name => 'x', test_type => 'y' },
         '/body/test_type'],
        ['with a list as scenario', { name => 'x',
            scenario_definition => [] }, '/body/scenario_definition'],
        ['with an empty tag', { name => 'x', tags => [''] }, '/body/tags/0'],
        ['with too many tags', { name => 'x',
            tags => [map { "t$_" } 1 .. 51] }, '/body/tags'],
        ['with a language without text', { name => 'x',
            languages => [{ language_code => 'en' }] },
         '/body/languages/0/input_text'],
        ['with a language twice', { name => 'x', languages => [
            language('en'), { language_code => 'EN', input_text => 'y' }] },
         '/body/languages/1/language_code'],
        ['with a wrong language', { name => 'x',
            languages => [language('e!')] }, undef],
        ['with a suite that is no id', { name => 'x', suite_id => 'x' },
         '/body/suite_id'],
    );

    for my $case (@refused) {
        my ($what, $body, $path) = @$case;
        refused($voice->call('create_test_case', as => $owner,
                             body => $body), $path, "a case $what");
    }

    is($voice->call('create_test_case', as => $owner, body => {
        name => 'x', suite_id => $nobody })->{status}, 404,
       'a case of an unknown suite is 404');
    for my $name (qw(get_test_case delete_test_case list_test_case_languages
                     list_test_case_versions list_test_case_outcomes
                     duplicate_test_case))
    {
        is($voice->call($name, as => $owner, path => { id => $nobody })
                 ->{status}, 404, "$name of none is 404");
    }
    is($voice->call('update_test_case', as => $owner,
        path => { id => $nobody }, body => { name => 'x' })->{status}, 404,
       'update_test_case of none is 404');
}


sub languages {
    my $id = kase(name => 'Languages', languages => [language('en-US')]);
    my $put = sub {
        my ($code, $body, %more) = @_;
        return $voice->call('put_test_case_language', as => $owner,
            path => { id => $id, code => $code }, body => $body, %more);
    };
    my $codes = sub {
        return join ' ', map { $_->{language_code} }
            @{$voice->call('list_test_case_languages', as => $owner,
                           path => { id => $id })->{json}{data}};
    };

    my $made = $put->('de_DE', { input_text => 'hallo', voice => 'kal' });
    is($made->{status}, 201, 'a language is added');
    is($made->{json}{data}{language_code}, 'de-DE', 'by its usual tag');
    is($put->('DE-de', { input_text => 'guten Tag' })->{status}, 200,
       'and changed by any spelling of it');
    is($codes->(), 'en-US de-DE', 'a case lists its languages');
    is($put->('fr', {})->{status}, 422, 'a language needs a text');
    is($put->('x', { input_text => 'y' })->{status}, 422,
       'and a tag that is one');
    is($put->('en-US', { input_text => 'y' },
              headers => { 'If-Match' => '"1"' })->{status}, 412,
       'a language meant for an old version of the case is refused');
    is($voice->call('put_test_case_language', as => $owner,
        path => { id => $nobody, code => 'de' },
        body => { input_text => 'x' })->{status}, 404,
       'a language of no case is 404');

    is($voice->call('delete_test_case_language', as => $owner,
        path => { id => $id, code => 'en-us' })->{status}, 204,
       'a language is removed');
    is($codes->(), 'de-DE', 'and is gone');
    ok($voice->call('list_test_case_languages', as => $owner,
        path => { id => $id })->{json}{data}[0]{is_primary},
       'the next one is the primary now');
    is($voice->call('delete_test_case_language', as => $owner,
        path => { id => $id, code => 'en-US' })->{status}, 404,
       'what is gone cannot be removed');
}


# --- versions -------------------------------------------------------------

sub versions {
    my $id = kase(name => 'V1', tags => ['a']);
    my %path = (path => { id => $id }, as => $owner);

    $voice->call('update_test_case', %path, body => {
        name => 'V2', change_summary => 'Renamed' });
    $voice->call('put_test_case_language', as => $owner,
        path => { id => $id, code => 'en' }, body => { input_text => 'hi' });

    my $list = $voice->call('list_test_case_versions', %path)->{json};
    is(join(' ', map { $_->{version_number} } @{$list->{data}}), '3 2 1',
       'every change is a version, the newest first');
    is($list->{pagination}{total_items}, 3, 'and they are counted');
    is($list->{data}[1]{change_summary}, 'Renamed', 'each with its summary');
    is_deeply($list->{data}[1]{diff}, { name => { from => 'V1', to => 'V2' } },
              'and what it changed');
    is($voice->request('GET', "/api/v1/test-cases/$id/history", headers => {
        Authorization => "Bearer $owner->{token}" })->{json}{pagination}
            {total_items}, 3, 'history is another name of the list');

    my $first = $voice->call('get_test_case_version', as => $owner,
        path => { id => $id, number => 1 });
    is($first->{json}{data}{snapshot}{name}, 'V1', 'an old one can be read');

    my $compared = $voice->call('compare_test_case_versions', as => $owner,
        path => { id => $id, number => 1, other => 3 })->{json}{data};
    is(join(' ', sort keys %{$compared->{differences}}), 'languages name',
       'two versions are compared');
    is_deeply($voice->call('compare_test_case_versions', as => $owner,
        path => { id => $id, number => 2, other => 2 })
        ->{json}{data}{differences}, {}, 'a version equals itself');

    for my $number (4, 2147483647) {
        is($voice->call('get_test_case_version', as => $owner,
            path => { id => $id, number => $number })->{status}, 404,
           "version $number is not there");
    }
    for my $number (0, -1, 'x', '2147483648', '9' x 30) {
        is($voice->call('get_test_case_version', as => $owner,
            path => { id => $id, number => $number })->{status}, 422,
           "version $number is no number of one");
    }
    is($voice->call('compare_test_case_versions', as => $owner,
        path => { id => $id, number => 1, other => 9 })->{status}, 404,
       'nothing is compared with a version that is not there');
}


sub rollback {
    my $suite = suite('Rollback');
    my $outcome = outcome('rollback');
    my $id = kase(name => 'First', suite_id => $suite, tags => ['a'],
                  languages => [language('en'), language('de')]);
    my %path = (path => { id => $id }, as => $owner);

    $voice->call('link_test_case_outcome', %path,
                 body => { expected_outcome_id => $outcome });
    $voice->call('update_test_case', %path, body => {
        name => 'Second', suite_id => undef, tags => [],
        languages => [language('fr')] });
    $voice->call('unlink_test_case_outcome', as => $owner,
                 path => { id => $id, outcome_id => $outcome });

    my $back = $voice->call('rollback_test_case', as => $owner,
        path => { id => $id, number => 2 });
    my $case = $back->{json}{data};
    is($back->{status}, 200, 'a case goes back to a version');
    is($back->{headers}{etag}, '"5"', 'by a new version');
    is("$case->{name} $case->{suite_id} @{$case->{tags}}",
       "First $suite a", 'with what it was');
    is(join(' ', map { $_->{language_code} } @{$case->{languages}}),
       'en de', 'and its languages in their order');
    is(scalar @{$voice->call('list_test_case_outcomes', %path)
        ->{json}{data}}, 1, 'and its outcomes');
    is_deeply($voice->call('compare_test_case_versions', as => $owner,
        path => { id => $id, number => 2, other => 5 })
        ->{json}{data}{differences}, {}, 'in nothing else than then');

    is($voice->call('rollback_test_case', as => $owner,
        path => { id => $id, number => 9 })->{status}, 404,
       'there is no way to a version that is not there');
    is($voice->call('rollback_test_case', as => $owner,
        path => { id => $id, number => 1 },
        headers => { 'If-Match' => '"2"' })->{status}, 412,
       'nor by one who knows an old version only');
    is($voice->call('rollback_test_case', as => $owner,
        path => { id => $nobody, number => 1 })->{status}, 404,
       'nor for a case that is not there');
}


sub duplicates {
    my $outcome = outcome('duplicate');
    my $id = kase(name => 'Original', tags => ['t'],
                  languages => [language('en'), language('de')]);

    $voice->call('link_test_case_outcome', as => $owner,
        path => { id => $id },
        body => { expected_outcome_id => $outcome, priority => 3 });
    my $made = $voice->call('duplicate_test_case', as => $owner,
                            path => { id => $id });
    my $copy = $made->{json}{data};

    is($made->{status}, 201, 'a case is copied');
    is($copy->{name}, 'Original (copy)', 'under a name that says so');
    isnt($copy->{id}, $id, 'as another case');
    is($copy->{version}, 1, 'in its first version');
    is(join(' ', map { $_->{language_code} } @{$copy->{languages}}),
       'en de', 'with its languages');
    is($voice->call('list_test_case_outcomes', as => $owner,
        path => { id => $copy->{id} })->{json}{data}[0]{priority}, 3,
       'and its outcomes');
    is($voice->call('duplicate_test_case', as => $owner,
        path => { id => $id }, body => { name => 'Mine' })
        ->{json}{data}{name}, 'Mine', 'the copy can be given a name');
    is($voice->call('duplicate_test_case', as => $owner,
        path => { id => $id }, body => { name => '' })->{status}, 422,
       'but not an empty one');

    my $long = kase(name => "\x{e9}" x 255);
    is($voice->call('duplicate_test_case', as => $owner,
        path => { id => $long })->{status}, 201,
       'the copy of the longest name has room for its own');
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
