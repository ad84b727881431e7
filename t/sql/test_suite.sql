-- Test suites: rules, lists, versions, isolation.

begin;
\ir setup/tenants.sql
select no_plan();

select is((pg_temp.note('nav', api.create_test_suite(pg_temp.a(),
    '{"name": "Navigation", "category": "smoke"}'))).status,
    201, 'a suite is made');
select is((select n.reply -> 'language_config' from note n
            where n.name = 'nav')::jsonb,
    '{"mode": "primary", "languages": [], "fallback_behavior": "skip"}',
    'it has the default languages');

select is((pg_temp.note('book', api.create_test_suite(pg_temp.a(),
    '{"name": "Booking 100%", "agent": "staging",
      "language_config": {"mode": "specific",
                          "languages": ["EN_us", "en-US", "de"]}}'))
    ).data #> '{language_config,languages}' ->> 1,
    'de', 'languages become canonical and stand once');

select throws_ok($$ select api.create_test_suite(pg_temp.a(),
    '{"name": "x", "language_config": {"mode": "specific"}}') $$,
    'V1422', 'VALIDATION_ERROR', 'mode "specific" without one is refused');
select throws_ok($$ select api.create_test_suite(pg_temp.a(),
    '{"name": "x", "language_config": {"mode": "specific",
                                       "languages": ["english!"]}}') $$,
    'V1422', 'VALIDATION_ERROR', 'what is no language tag is refused');
select throws_ok($$ select api.create_test_suite(pg_temp.a(),
    '{"name": "x", "agent": "Bad Name"}') $$,
    '23514', null, 'an agent with a bad name is refused');

-- lists

select is((select string_agg(s ->> 'name', ',')
             from json_array_elements((api.list_test_suites(pg_temp.a(),
                      '{"sort": "name"}')).data) s),
    'Booking 100%,Navigation', 'a list is sorted by name');
select is((select string_agg(s ->> 'name', ',')
             from json_array_elements((api.list_test_suites(pg_temp.a(),
                      '{"sort": "-name"}')).data) s),
    'Navigation,Booking 100%', 'and the other way round');
select is((api.list_test_suites(pg_temp.a(), '{"search": "100%"}')
    ).pagination ->> 'total_items', '1', 'search takes "%" as it is');
select is((api.list_test_suites(pg_temp.a(), '{"search": "_"}')
    ).pagination ->> 'total_items', '0', 'and "_" too');
select is((api.list_test_suites(pg_temp.a(), '{"search": "NAVI"}')
    ).pagination ->> 'total_items', '1', 'search takes any case');
select is((api.list_test_suites(pg_temp.a(), '{"category": "smoke"}')
    ).pagination ->> 'total_items', '1', 'a category is filtered by');
select is((api.list_test_suites(pg_temp.a(),
        '{"page": 2, "page_size": 1, "sort": "name"}')).pagination::jsonb,
    '{"page": 2, "page_size": 1, "total_items": 2, "total_pages": 2}',
    'a list is paged');
select is((api.list_test_suites(pg_temp.a(),
        '{"page": 2, "page_size": 1, "sort": "name"}')).data -> 0 ->> 'name',
    'Navigation', 'the second page follows the first');
select is((api.list_test_suites(pg_temp.a(), '{"page": 9}')).data::text,
    '[]', 'a page behind the end is empty');

-- changes

select is((api.update_test_suite(pg_temp.a(), pg_temp.by_id('nav',
        '{"description": "new", "if_match": "\"1\""}'))).data ->> 'version',
    '2', 'a change bumps the version');
select is((api.get_test_suite(pg_temp.a(), pg_temp.by_id('nav'))
    ).data ->> 'name', 'Navigation', 'what was not sent stays');
select is((api.get_test_suite(pg_temp.a(), pg_temp.by_id('nav'))
    ).headers ->> 'ETag', '"2"', 'the version is the ETag');
select throws_ok($$ select api.update_test_suite(pg_temp.a(),
    pg_temp.by_id('nav', '{"name": "y", "if_match": "\"1\""}')) $$,
    'V1412', 'VERSION_MISMATCH', 'a stale version is refused');
select is((api.update_test_suite(pg_temp.a(), pg_temp.by_id('nav',
        '{"description": null}'))).data ->> 'description',
    null, 'null empties a member');
select is((api.delete_test_suite(pg_temp.a(), pg_temp.by_id('nav'))).status,
    204, 'a suite is deleted');
select is((api.get_test_suite(pg_temp.a(), pg_temp.by_id('nav'))
    ).data ->> 'is_active', 'false', 'it stays readable, inactive');
select is((api.list_test_suites(pg_temp.a(), '{}')
    ).pagination ->> 'total_items', '1', 'the list leaves it out');
select is((api.list_test_suites(pg_temp.a(), '{"is_active": false}')
    ).pagination ->> 'total_items', '1', 'the list of inactive ones has it');

-- counts

select lives_ok($$ select api.create_test_case(pg_temp.a(),
    jsonb_build_object('name', 'c', 'suite_id', pg_temp.id('book'),
                       'is_active', i = 1))
    from generate_series(1, 3) i $$, 'cases are added');
select is((api.get_test_suite(pg_temp.a(), pg_temp.by_id('book'))
    ).data ->> 'test_case_count', '3', 'the suite counts its cases');
select is((api.get_test_suite(pg_temp.a(), pg_temp.by_id('book'))
    ).data ->> 'active_test_case_count', '1', 'and the active ones');

-- isolation

select is((api.list_test_suites(pg_temp.b(), '{}')
    ).pagination ->> 'total_items', '0', 'another tenant lists nothing');
select throws_ok($$ select api.get_test_suite(pg_temp.b(),
    pg_temp.by_id('book')) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'another tenant''s suite does not exist for reading');
select throws_ok($$ select api.update_test_suite(pg_temp.b(),
    pg_temp.by_id('book', '{"name": "mine"}')) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'nor for changing');
select throws_ok($$ select api.delete_test_suite(pg_temp.b(),
    pg_temp.by_id('book')) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'nor for deleting');
select throws_ok($$ select api.create_test_case(pg_temp.b(),
    jsonb_build_object('name', 'c', 'suite_id', pg_temp.id('book'))) $$,
    'V1404', 'RESOURCE_NOT_FOUND', 'nor for new cases');

-- RLS alone: no function of ours between the role and the table
select core.use_tenant('00000000-0000-7000-8000-00000000000b');
set local role voice_owner;
select is((select count(*)::int from core.test_suite), 0,
    'RLS hides another tenant''s suites from the owner of the table');
reset role;

select ok(count(*) = 5, 'each change of a suite is in the audit log')
  from core.audit_log l
 where l.resource_type = 'test_suite'
   and l.tenant_id = '00000000-0000-7000-8000-00000000000a';

select * from finish();
rollback;
