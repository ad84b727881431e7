-- Validation results: lists, review, isolation.

begin;
\ir setup/tenants.sql
select no_plan();

select pg_temp.suite(3);
select is((pg_temp.run('run')).status, 201, 'a run is made');
select is(pg_temp.speak() ->> 'accepted', 'true', 'case ' || i || ' speaks')
  from generate_series(1, 3) i;
select is(pg_temp.judge(j.decision, j.confidence) ->> 'accepted', 'true',
          j.decision || ' is stored')
  from (values ('auto_pass', 0.9), ('manual_review', 0.5),
               ('auto_fail', 0.1)) j (decision, confidence);

select is((api.list_validation_results(pg_temp.a(), f.filter)
    ).pagination ->> 'total_items', f.found, 'filter ' || f.filter::text)
  from (values ('{}'::jsonb, '3'), ('{"review_status": "auto_fail"}', '1'),
               ('{"awaiting_review": true}', '1'),
               ('{"awaiting_review": false}', '2'),
               ('{"min_confidence": 0.5}', '2'),
               ('{"max_confidence": 0.5, "min_confidence": 0.5}', '1'),
               ('{"language_code": "EN-us"}', '3'),
               ('{"language_code": "de"}', '0'),
               ('{"start_date": "2999-01-01T00:00:00Z"}', '0'))
       f (filter, found);
select is((api.list_validation_results(pg_temp.a(), jsonb_build_object(
        'test_run_id', pg_temp.id('run')))).pagination ->> 'total_items',
    '3', 'the results of a run are listed');
select is((api.list_validation_results(pg_temp.a(), jsonb_build_object(
        'test_case_id', pg_temp.id('case2')))).pagination ->> 'total_items',
    '1', 'and those of a case');
select is((select string_agg(v ->> 'confidence_score', ',')
             from json_array_elements((api.list_validation_results(
                 pg_temp.a(), '{"sort": "-confidence_score"}')).data) v),
    '0.9,0.5,0.1', 'a list is sorted');

insert into note (name, id)
select v.review_status, v.id from core.validation_result v;

select is((api.get_validation_result(pg_temp.a(),
        pg_temp.by_id('manual_review'))).data ->> m.name, m.value,
    'a result shows its ' || m.name)
  from (values ('status', 'pending'), ('review_status', 'manual_review'),
               ('wer_score', '0.25'), ('wer_raw', '1.5'),
               ('cer_score', null), ('heard_text', 'going home'),
               ('response_text', 'going home'), ('review_decision', null))
       m (name, value);

select is((api.review_validation_result(pg_temp.a(),
        pg_temp.by_id('manual_review', '{"decision": "pass",
            "feedback": "sounds right"}'))).data ->> 'review_decision',
    'pass', 'a human decides');
select is((api.list_validation_results(pg_temp.a(),
        '{"awaiting_review": true}')).pagination ->> 'total_items', '0',
    'it waits no longer');
select is((api.review_validation_result(pg_temp.a(),
        pg_temp.by_id('auto_fail', '{"decision": "pass"}'))
    ).data ->> 'status', 'passed', 'a human overrules the machine');
select is((api.review_validation_result(pg_temp.a(),
        pg_temp.by_id('auto_pass', '{"decision": "pass"}'))
    ).data ->> 'status', 'passed', 'or agrees with it');
select is(pg_temp.shows('run', 'passed_tests'), '3',
    'the run counts the verdicts');
select is(pg_temp.shows('run', 'status'), 'completed',
    'and its state follows');
select is(pg_temp.events('run', 'test_run.failed')
          + pg_temp.events('run', 'test_run.completed'), 1::bigint,
    'its end stays one event');

select throws_ok(format('select api.%I(pg_temp.b(), pg_temp.by_id(%L,
        %L))', f.name, 'auto_pass', '{"decision": "fail"}'), 'V1404',
    'RESOURCE_NOT_FOUND',
    f.name || ' does not know another tenant''s result')
  from (values ('get_validation_result'), ('review_validation_result'))
       f (name);
select is((api.list_validation_results(pg_temp.b(), '{}')
    ).pagination ->> 'total_items', '0', 'another tenant lists nothing');

select core.use_tenant('00000000-0000-7000-8000-00000000000b');
set local role voice_owner;
select is((select count(*)::int from core.validation_result), 0,
    'RLS hides another tenant''s results');
reset role;

select * from finish();
rollback;
