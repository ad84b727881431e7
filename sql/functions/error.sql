-- Errors of the API.  The list of codes is conf/openapi/errors.json; migrate
-- loads it into core.error.

-- Replaces the codes by those of the file's "x-errors".
create or replace function core.load_errors(p_file jsonb) returns void
language plpgsql set search_path = core, pg_temp
as $$
begin
    delete from core.error
     where not (p_file -> 'x-errors') ? code;

    insert into core.error (code, status, sqlstate, message)
    select e.key, (e.value ->> 'status')::int, e.value ->> 'sqlstate',
           e.value ->> 'message'
      from jsonb_each(p_file -> 'x-errors') e
    on conflict (code) do update set
        status = excluded.status,
        sqlstate = excluded.sqlstate,
        message = excluded.message;
end
$$;

-- Ends the request with an error.  detail is a sentence for the client (null:
-- the code's own); problems an array of {path, reason} for a 422.
create or replace function core.fail(
    p_code text, p_detail text default null, p_problems jsonb default null)
returns void
language plpgsql stable security definer set search_path = core, pg_temp
as $$
declare
    v_error  core.error;
begin
    select * into v_error from core.error e where e.code = p_code;

    if not found then
        raise exception 'unknown error code "%"', p_code;
    end if;

    raise exception using
        errcode = v_error.sqlstate,
        message = v_error.code,
        detail = coalesce(p_detail, v_error.message),
        hint = coalesce(p_problems::text, '');
end
$$;

-- A 422 with one problem.  The path is a JSON Pointer such as "/body/email".
create or replace function core.refuse(p_path text, p_reason text)
returns void
language sql stable set search_path = core, pg_temp
as $$
    select core.fail('VALIDATION_ERROR', null, jsonb_build_array(
        jsonb_build_object('path', p_path, 'reason', p_reason)))
$$;

-- The reply that is an error and yet commits: for refusals that must leave a
-- trace (a counted failure, a revoked family).  p_wait: seconds for
-- Retry-After.
create or replace function core.reply_error(
    p_code text, p_detail text default null, p_wait int default null)
returns api.reply
language sql stable security definer set search_path = core, pg_temp
as $$
    select e.status, json_strip_nulls(json_build_object('code', e.code,
               'message', coalesce(p_detail, e.message),
               'retry_after', p_wait)),
           null::text, null::json, null::json, null::text[], null::json
      from core.error e where e.code = p_code
$$;
