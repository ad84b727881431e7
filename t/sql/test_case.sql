-- Test cases: languages, versions, copies, isolation.

begin;
\ir setup/tenants.sql
select no_plan();

-- language tags

select is(core.language(t.tag), t.canonical, 'tag "' || t.tag || '"')
  from (values ('en-us', 'en-US'), ('EN_US', 'en-US'), ('de', 'de'),
               (' fr-FR ', 'fr-FR'), ('zh-hant-tw', 'zh-Hant-TW'),
               ('SR-LATN', 'sr-Latn'), ('es-419', 'es-419'),
               ('sl-rozaj-biske', 'sl-rozaj-biske'),
               ('de-ch-1901', 'de-CH-1901'),
               ('en-a-MYEXT-b-XY', 'en-a-myext-b-xy'),
               ('en-x-ABCD', 'en-x-abcd'), ('e', null), ('', null),
               ('english language', null), ('en--us', null),
               ('en-us-', null), ('12', null), ('en-x', null),
               ('en-abcdefghijklmnopqrstuvwxyz-abcdefgh', null)
       ) t (tag, canonical);

-- cases

select lives_ok($$ select pg_temp.note('suite', api.create_test_suite(
    pg_temp.a(), '{"name": "Suite"}')) $$, 'a suite is made');
select is((pg_temp.note('case', api.create_test_case(pg_temp.a(),
    jsonb_build_object('name', 'Take me home',
        'suite_id', pg_temp.id('suite'), 'tags', '[" B", "a", "b"]'::jsonb,
        'languages', '[
            {"language_code": "en-us", "input_text": "take me home"},
            {"language_code": "EN-US", "input_text": "take me home"},
            {"language_code": "de-de", "input_text": "bring mich heim",
             "voice": "rms"}]'::jsonb)))).status,
    201, 'a case is made');
select is((select n.reply ->> 'tags' from note n where n.name = 'case'),
    '["a","b"]', 'tags are lower case, each once, sorted');
select is((select string_agg(l ->> 'language_code', ',')
             from note n, json_array_elements(n.reply -> 'languages') l
            where n.name = 'case'),
    'en-US,de-DE', 'the same language twice counts once');
select throws_ok($$ select api.create_test_case(pg_temp.a(), '{"name": "x",
    "languages": [{"language_code": "en-US", "input_text": "a"},
                  {"language_code": "en_us", "input_text": "b"}]}') $$,
    'V1422', 'VALIDATION_ERROR', 'with two texts it is refused');
select throws_ok($$ select api.create_test_case(pg_temp.a(), '{"name": "x",
    "languages": [{"language_code": "??", "input_text": "a"}]}') $$,
    'V1422', 'VALIDATION_ERROR', 'a malformed language is refused');
select throws_ok($$ select api.create_test_case(pg_temp.a(),
    '{"name": "x", "test_type": "odd"}') $$,
    '23514', null, 'an unknown type is refused');
select throws_ok($$ select api.create_test_case(pg_temp.a(),
    '{"name": "x", "suite_id": "00000000-0000-7000-8000-0000000000ff"}') $$,
    'V1404', 'RESOURCE_NOT_FOUND', 'an unknown suite is refused');

-- lists

select lives_ok($$ select api.create_test_case(pg_temp.a(),
    '{"name": "Alone", "test_type": "edge_case", "category": "odd"}') $$,
    'a case without a suite is made');
select is((api.list_test_cases(pg_temp.a(), f.filter)
    ).pagination ->> 'total_items', f.found,
    'filter ' || f.filter::text)
  from (values ('{}'::jsonb, '2'), ('{"test_type": "edge_case"}', '1'),
               ('{"category": "odd"}', '1'), ('{"tags": "b"}', '1'),
               ('{"tags": "A, b"}', '1'), ('{"tags": "a,c"}', '0'),
               ('{"language_code": "DE-de"}', '1'),
               ('{"language_code": "de"}', '0'),
               ('{"search": "home"}', '1'), ('{"is_active": false}', '0')
       ) f (filter, found);
select is((api.list_test_cases(pg_temp.a(), jsonb_build_object('suite_id',
    pg_temp.id('suite')))).pagination ->> 'total_items', '1',
    'the cases of a suite are listed');
select throws_ok($$ select api.list_test_cases(pg_temp.a(),
    '{"language_code": "??"}') $$, 'V1422', 'VALIDATION_ERROR',
    'a malformed language in a filter is refused');
select is((select string_agg(c ->> 'name', ',')
             from json_array_elements((api.list_test_cases(pg_temp.a(),
                      '{"sort": "-name"}')).data) c),
    'Take me home,Alone', 'a list is sorted');

-- versions

select is((api.update_test_case(pg_temp.a(), pg_temp.by_id('case',
        '{"name": "Go home", "change_summary": "renamed"}'))
    ).data ->> 'version', '2', 'a change is a new version');
select is((api.put_test_case_language(pg_temp.a(), pg_temp.by_id('case',
        '{"code": "FR-fr", "input_text": "ramène-moi"}'))).status,
    201, 'a language is added');
select is((api.put_test_case_language(pg_temp.a(), pg_temp.by_id('case',
        '{"code": "en-us", "input_text": "drive me home"}'))).status,
    200, 'a language is changed');
select is((api.list_test_case_languages(pg_temp.a(), pg_temp.by_id('case'))
    ).data #>> '{0,input_text}', 'drive me home',
    'the primary language stays the primary one');
select is((api.delete_test_case_language(pg_temp.a(), pg_temp.by_id('case',
        '{"code": "en-US"}'))).status, 204, 'a language is removed');
select is((api.list_test_case_languages(pg_temp.a(), pg_temp.by_id('case'))
    ).data #>> '{0,language_code}', 'de-DE',
    'the next one becomes the primary one');
select is((api.list_test_case_languages(pg_temp.a(), pg_temp.by_id('case'))
    ).data #>> '{0,is_primary}', 'true', 'and says so');
select throws_ok($$ select api.delete_test_case_language(pg_temp.a(),
    pg_temp.by_id('case', '{"code": "en-US"}')) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'a language that is gone cannot be removed');
select is((api.list_test_case_versions(pg_temp.a(), pg_temp.by_id('case'))
    ).pagination ->> 'total_items', '5', 'each change is a version');
select is((api.list_test_case_versions(pg_temp.a(), pg_temp.by_id('case'))
    ).data #>> '{3,change_summary}', 'renamed', 'with its summary');
select is((api.get_test_case_version(pg_temp.a(), pg_temp.by_id('case',
        '{"number": 2}'))).data #>> '{diff,name,from}', 'Take me home',
    'a version says what changed');
select is((api.get_test_case_version(pg_temp.a(), pg_temp.by_id('case',
        '{"number": 1}'))).data #>> '{snapshot,name}', 'Take me home',
    'a version keeps what was');
select throws_ok($$ select api.get_test_case_version(pg_temp.a(),
    pg_temp.by_id('case', '{"number": 99}')) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'an unknown version does not exist');
select is((select string_agg(k, ',' order by k) from json_object_keys(
        (api.compare_test_case_versions(pg_temp.a(), pg_temp.by_id('case',
            '{"number": 1, "other": 5}'))).data -> 'differences') k),
    'languages,name', 'two versions are compared');
select is((api.compare_test_case_versions(pg_temp.a(), pg_temp.by_id('case',
        '{"number": 2, "other": 2}'))).data ->> 'differences', '{}',
    'a version does not differ from itself');
select throws_ok($$ select api.rollback_test_case(pg_temp.a(),
    pg_temp.by_id('case', '{"number": 1, "if_match": "1"}')) $$, 'V1412',
    'VERSION_MISMATCH', 'a rollback minds If-Match');
select is((api.rollback_test_case(pg_temp.a(), pg_temp.by_id('case',
        '{"number": 1}'))).data ->> 'version', '6',
    'a rollback is a version too');
select is((api.compare_test_case_versions(pg_temp.a(), pg_temp.by_id('case',
        '{"number": 1, "other": 6}'))).data ->> 'differences', '{}',
    'with the content of the old one');

-- copies

select is((pg_temp.note('copy', api.duplicate_test_case(pg_temp.a(),
    pg_temp.by_id('case')))).data ->> 'name', 'Take me home (copy)',
    'a case is copied');
select is((select json_array_length(n.reply -> 'languages') from note n
            where n.name = 'copy'), 2, 'with its languages');
select is((select n.reply ->> 'version' from note n where n.name = 'copy'),
    '1', 'as version 1');

-- the end of a case

select is((api.delete_test_case(pg_temp.a(), pg_temp.by_id('case'))).status,
    204, 'a case is deleted');
select is((api.get_test_case(pg_temp.a(), pg_temp.by_id('case'))
    ).data ->> 'is_active', 'false', 'it stays readable, inactive');
select is((api.delete_test_case(pg_temp.a(), pg_temp.by_id('case'))).status,
    204, 'deleting again changes nothing');
select is((api.get_test_case(pg_temp.a(), pg_temp.by_id('case'))
    ).data ->> 'version', '7', 'and makes no version');

-- isolation

select throws_ok(format('select api.%I(pg_temp.b(), pg_temp.by_id(%L, %L))',
        f.name, 'copy', f.args), 'V1404', 'RESOURCE_NOT_FOUND',
    f.name || ' does not know another tenant''s case')
  from (values ('get_test_case', '{}'), ('update_test_case', '{}'),
               ('delete_test_case', '{}'), ('duplicate_test_case', '{}'),
               ('list_test_case_languages', '{}'),
               ('put_test_case_language',
                '{"code": "de", "input_text": "x"}'),
               ('delete_test_case_language', '{"code": "en-US"}'),
               ('list_test_case_versions', '{}'),
               ('get_test_case_version', '{"number": 1}'),
               ('compare_test_case_versions',
                '{"number": 1, "other": 1}'),
               ('rollback_test_case', '{"number": 1}'),
               ('list_test_case_outcomes', '{}'),
               ('link_test_case_outcome', '{}'),
               ('unlink_test_case_outcome', '{}')) f (name, args);
select is((api.list_test_cases(pg_temp.b(), '{}')
    ).pagination ->> 'total_items', '0', 'another tenant lists nothing');

select core.use_tenant('00000000-0000-7000-8000-00000000000b');
set local role voice_owner;
select is((select count(*)::int from core.test_case)
          + (select count(*)::int from core.test_case_language)
          + (select count(*)::int from core.test_case_version), 0,
    'RLS hides another tenant''s cases, languages and versions');
select is_empty($$ update core.test_case_version set change_summary = ''
                   returning version_number $$,
    'a version cannot be changed by the owner of the table');
reset role;

select * from finish();
rollback;
