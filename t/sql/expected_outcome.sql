-- Expected outcomes: members, links, what an execution takes of them.

begin;
\ir setup/tenants.sql
select no_plan();

select is((pg_temp.note('home', api.create_expected_outcome(pg_temp.a(), '{
    "outcome_code": "HOME", "name": "Home", "expected_intent": "navigate",
    "expected_response": "going home", "entities": {"to": "home"},
    "forbidden_phrases": ["sorry"], "max_response_time_ms": 3000,
    "expected_response_content": {"contains": ["home"]},
    "expected_asr_confidence_min": 0.5, "tolerance_settings": {"n": 0.1},
    "language_variations": {"de_de": {"expected_response": "nach hause",
        "expected_response_patterns": {"contains": ["hause"]}},
        "fr": {"expected_response": "chez vous"}}}'))).status,
    201, 'an outcome is made');
select is((select n.reply ->> 'domain' from note n where n.name = 'home'),
    'navigation', 'its domain is the default one');
select is((select n.reply #>> '{language_variations,de-DE,expected_response}'
             from note n where n.name = 'home'),
    'nach hause', 'languages become canonical');
select throws_ok($$ select api.create_expected_outcome(pg_temp.a(),
    '{"outcome_code": "HOME", "name": "Again"}') $$, 'V1409', 'DUPLICATE',
    'a code that stands already is refused');
select is((api.create_expected_outcome(pg_temp.b(),
        '{"outcome_code": "HOME", "name": "Theirs"}')).status,
    201, 'another tenant may use it');
select throws_ok($$ select api.create_expected_outcome(pg_temp.a(),
    '{"outcome_code": "x y", "name": "n"}') $$, '23514', null,
    'a malformed code is refused');
select throws_ok($$ select api.create_expected_outcome(pg_temp.a(),
    '{"outcome_code": "X", "name": "n",
      "language_variations": {"??": {}}}') $$, 'V1422', 'VALIDATION_ERROR',
    'a malformed language is refused');
select is((pg_temp.note('cafe', api.create_expected_outcome(pg_temp.a(),
    format('{"outcome_code": "CAFE", "name": "Cafe", "id": "%s",
             "version": 9}', pg_temp.id('home'))::jsonb))
    ).data ->> 'version', '1', 'id and version cannot be chosen');
select isnt(pg_temp.id('cafe'), pg_temp.id('home'), 'nor taken over');

-- changes and lists

select is((api.update_expected_outcome(pg_temp.a(), pg_temp.by_id('cafe',
        '{"domain": "booking", "max_response_time_ms": 100}'))
    ).data ->> 'version', '2', 'a change bumps the version');
select is((api.update_expected_outcome(pg_temp.a(), pg_temp.by_id('cafe',
        '{"max_response_time_ms": null}'))).data ->> 'max_response_time_ms',
    null, 'null empties a member');
select is((api.get_expected_outcome(pg_temp.a(), pg_temp.by_id('cafe'))
    ).data ->> 'domain', 'booking', 'what was not sent stays');
select throws_ok($$ select api.update_expected_outcome(pg_temp.a(),
    pg_temp.by_id('cafe', '{"outcome_code": "HOME"}')) $$, 'V1409',
    'DUPLICATE', 'a code cannot be taken over');
select throws_ok($$ select api.update_expected_outcome(pg_temp.a(),
    pg_temp.by_id('cafe', '{"name": "x", "if_match": "1"}')) $$, 'V1412',
    'VERSION_MISMATCH', 'a stale version is refused');
select is((api.list_expected_outcomes(pg_temp.a(), f.filter)
    ).pagination ->> 'total_items', f.found,
    'filter ' || f.filter::text)
  from (values ('{}'::jsonb, '2'), ('{"domain": "booking"}', '1'),
               ('{"expected_intent": "navigate"}', '1'),
               ('{"search": "caf"}', '1'), ('{"is_active": false}', '0')
       ) f (filter, found);
select is((select string_agg(o ->> 'outcome_code', ',')
             from json_array_elements((api.list_expected_outcomes(
                 pg_temp.a(), '{"sort": "outcome_code"}')).data) o),
    'CAFE,HOME', 'a list is sorted');

-- links

select lives_ok($$ select pg_temp.note('case', api.create_test_case(
    pg_temp.a(), '{"name": "Case"}')) $$, 'a case is made');
select is((api.link_test_case_outcome(pg_temp.a(), pg_temp.by_id('case',
        jsonb_build_object('expected_outcome_id', pg_temp.id('home'),
                           'priority', 5)))).status,
    201, 'an outcome is linked');
select is(json_array_length((api.link_test_case_outcome(pg_temp.a(),
        pg_temp.by_id('case', jsonb_build_object('expected_outcome_id',
            pg_temp.id('cafe'), 'language_code', 'DE')))).data),
    2, 'and another one for a language');
select is(json_array_length((api.link_test_case_outcome(pg_temp.a(),
        pg_temp.by_id('case', jsonb_build_object('expected_outcome_id',
            pg_temp.id('home'), 'priority', 7)))).data),
    2, 'linking again changes the priority');
select core.use_tenant('00000000-0000-7000-8000-00000000000a');
select is((core.test_case_expects(pg_temp.id('case'), t.tag)).outcome_code,
          t.code, 'outcome expected in ' || t.tag)
  from (values ('en-US', 'HOME'), ('de-DE', 'CAFE'), ('de', 'CAFE'))
       t (tag, code);
select is(core.expected_outcome_merged(o, t.tag) ->> 'expected_response',
          t.said, 'response expected in ' || t.tag)
  from core.expected_outcome o,
       (values ('en-US', 'going home'), ('de-DE', 'nach hause'),
               ('de-AT', 'going home'), ('fr-CA', 'chez vous'))
       t (tag, said)
 where o.id = pg_temp.id('home');
select is(core.expected_outcome_merged(o, t.tag)
              #>> '{patterns,contains,0}', t.said,
          'patterns expected in ' || t.tag)
  from core.expected_outcome o,
       (values ('de-DE', 'hause'), ('fr', 'home')) t (tag, said)
 where o.id = pg_temp.id('home');
select is((api.get_test_case(pg_temp.a(), pg_temp.by_id('case'))
    ).data ->> 'version', '4', 'each link is a version of the case');
select throws_ok($$ select api.unlink_test_case_outcome(pg_temp.a(),
    pg_temp.by_id('case', jsonb_build_object('outcome_id',
        pg_temp.id('cafe'), 'language_code', 'fr'))) $$, 'V1404',
    'RESOURCE_NOT_FOUND', 'a link that is not there cannot be removed');
select is((api.unlink_test_case_outcome(pg_temp.a(), pg_temp.by_id('case',
        jsonb_build_object('outcome_id', pg_temp.id('cafe'))))).status,
    204, 'a link is removed');
select is(json_array_length((api.list_test_case_outcomes(pg_temp.a(),
        pg_temp.by_id('case'))).data), 1, 'the other one stays');
select is((api.rollback_test_case(pg_temp.a(), pg_temp.by_id('case',
        '{"number": 4}'))).status, 200, 'the case is rolled back');
select is(json_array_length((api.list_test_case_outcomes(pg_temp.a(),
        pg_temp.by_id('case'))).data), 2, 'a rollback links again');

-- the end of an outcome

select is((api.delete_expected_outcome(pg_temp.a(), pg_temp.by_id('cafe'))
    ).status, 204, 'an outcome is deleted');
select core.use_tenant('00000000-0000-7000-8000-00000000000a');
select is((core.test_case_expects(pg_temp.id('case'), 'de')).outcome_code,
    'HOME', 'it is expected no longer');
select throws_ok($$ select api.link_test_case_outcome(pg_temp.a(),
    pg_temp.by_id('case', jsonb_build_object('expected_outcome_id',
        pg_temp.id('cafe')))) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'it cannot be linked');
select is((api.create_expected_outcome(pg_temp.a(),
        '{"outcome_code": "CAFE", "name": "New cafe"}')).status,
    201, 'its code is free again');
select throws_ok($$ select api.update_expected_outcome(pg_temp.a(),
    pg_temp.by_id('cafe', '{"is_active": true}')) $$, 'V1409', 'DUPLICATE',
    'it cannot come back with a code that was taken since');

-- isolation

select throws_ok(format('select api.%I(pg_temp.b(), pg_temp.by_id(%L))',
        f.name, 'home'), 'V1404', 'RESOURCE_NOT_FOUND',
    f.name || ' does not know another tenant''s outcome')
  from (values ('get_expected_outcome'), ('update_expected_outcome'),
               ('delete_expected_outcome')) f (name);
select lives_ok($$ select pg_temp.note('theirs', api.create_test_case(
    pg_temp.b(), '{"name": "Case"}')) $$, 'another tenant has a case');
select throws_ok($$ select api.link_test_case_outcome(pg_temp.b(),
    pg_temp.by_id('theirs', jsonb_build_object('expected_outcome_id',
        pg_temp.id('home')))) $$, 'V1404', 'RESOURCE_NOT_FOUND',
    'it cannot link our outcome');

select core.use_tenant('00000000-0000-7000-8000-00000000000b');
set local role voice_owner;
select is((select count(*)::int from core.test_case_outcome), 0,
    'RLS hides another tenant''s links');
select is((select count(*)::int from core.expected_outcome), 1,
    'RLS hides another tenant''s outcomes');
reset role;

select * from finish();
rollback;
