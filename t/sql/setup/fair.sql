-- Sessions that add, take, finish, fail and lose jobs at random, and what
-- they must find: t/94-jobs-fair.t.

create schema fair;

-- Each change of a job, in the order of claims.  began is before, at is after
-- the moment at which it was decided.
create table fair.log (
    seq        bigserial primary key,
    xid        xid8 not null default pg_current_xact_id(),
    began      timestamptz not null default now(),
    at         timestamptz not null default clock_timestamp(),
    phase      text not null,
    op         text not null,
    job_id     uuid not null,
    kind       text not null,
    tenant_id  uuid not null,
    provider   text not null,
    token      bigint not null
);

create index on fair.log (job_id);

create table fair.fault (what text not null, detail text not null);
create table fair.phase (name text not null);
create table fair.ended (at timestamptz default now());
create table fair.pause (kind text, queue text, since timestamptz,
                         until timestamptz);

-- What an update of a job means.
create function fair.op(o core.job, n core.job) returns text
language sql immutable
as $$
    select case
        when o.state = 'queued' and n.state = 'running' then 'claim'
        when o.state = 'running' and n.state <> 'running'
             and n.state <> 'queued' then n.state
        when o.state = 'queued' and n.state = 'cancelled' then 'cancelled'
        when o.state = 'running' and n.state = 'queued' then case
            when n.lost > o.lost then 'lost'
            when n.deferred > o.deferred then 'deferred'
            when n.attempt < o.attempt then 'back'
            when n.waited > o.waited then 'retried' end
        end
$$;

create function fair.note() returns trigger
language plpgsql security definer
as $$
declare
    v_op  text := fair.op(old, new);
begin
    if v_op is null then
        insert into fair.fault values ('a move that none should make',
            format('%s: %s to %s', old.id, old.state, new.state));
        return null;
    end if;

    if v_op = 'claim' and new.token <> old.token + 1 then
        insert into fair.fault values ('a token that is not the next',
                                       new.id::text);
    end if;

    insert into fair.log (phase, op, job_id, kind, tenant_id, provider, token)
    select p.name, v_op, new.id, new.kind, new.tenant_id, new.provider,
           new.token
      from fair.phase p;
    return null;
end $$;

create trigger fair after update of state, token on core.job
    for each row
    when (old.state is distinct from new.state or old.token <> new.token)
    execute function fair.note();

create function fair.tenant(p_n int) returns uuid
language sql immutable
as $$
    select ('00000000-0000-7000-8000-' || lpad(p_n::text, 12, '0'))::uuid
$$;

create function fair.pick(p_n int) returns int
language sql volatile
as $$ select 1 + floor(random() * p_n)::int $$;

-- Adds n jobs of a tenant.
create function fair.add(p_kind text, p_tenant uuid, p_n int,
    p_priority int default 5, p_at timestamptz default now(),
    p_provider text default '')
returns void
language plpgsql
as $$
declare
    v_ids  uuid[];
begin
    perform core.use_tenant(p_tenant, null, 'system', null, 'fair');
    v_ids := core.add_jobs(p_kind, array_fill('{}'::jsonb, array[p_n]), null,
                           p_priority, p_at);

    if p_provider <> '' then
        update core.job set provider = p_provider where id = any (v_ids);
    end if;
end $$;

-- --- one session that serves ----------------------------------------------

-- Takes and finishes, p_max at once, until somebody says stop.
create procedure fair.serve(p_session int, p_queue text, p_max int)
language plpgsql
as $$
declare
    v_jobs    uuid[];
    v_tokens  bigint[];
begin
    perform work.heartbeat('fair' || p_session, array[p_queue], '{1}', '{}',
                           '{}');
    commit;

    loop
        select array_agg(t.job_id), array_agg(t.token)
          into v_jobs, v_tokens
          from work.take('fair' || p_session, p_queue, p_max) t;
        commit;

        if v_jobs is not null then
            perform work.finish(v_jobs, v_tokens,
                array_fill('{}'::jsonb, array[cardinality(v_jobs)]));
            commit;
        end if;

        exit when exists (select from fair.ended);
    end loop;
end $$;

-- The same in claims of random sizes, until so many jobs were claimed.
create procedure fair.turn(p_session int, p_seed float8, p_goal int)
language plpgsql
as $$
declare
    v_jobs    uuid[];
    v_tokens  bigint[];
begin
    perform setseed(p_seed);

    loop
        select array_agg(t.job_id), array_agg(t.token)
          into v_jobs, v_tokens
          from work.take('fair' || p_session, 'fair1', fair.pick(20)) t;
        commit;

        if v_jobs is not null and fair.pick(2) = 1 then
            perform work.finish(v_jobs, v_tokens,
                array_fill('{}'::jsonb, array[cardinality(v_jobs)]));
            commit;
        end if;

        exit when (select count(*) from fair.log where op = 'claim') >= p_goal;
    end loop;
end $$;

-- The number of the newest claim that others can see by now.
create function fair.mark() returns bigint
language sql volatile
as $$ select coalesce(max(seq), 0) from fair.log $$;

-- --- one session at random ------------------------------------------------

-- What must hold whenever anybody looks.
create function fair.look() returns void
language sql volatile
as $$
    insert into fair.fault
    select 'more of a kind than its cap', format('%s: %s of %s', k.kind,
               count(*), k.running_max)
      from core.job j join core.job_kind k using (kind)
     where j.state = 'running'
     group by k.kind having count(*) > k.running_max
    union all
    select 'more of a tenant than its cap', format('%s: %s of %s', k.kind,
               count(*), coalesce(s.running_max, k.tenant_running_max))
      from core.job j join core.job_kind k using (kind)
      left join core.job_share s
        on s.tenant_id = j.tenant_id and s.kind = j.kind
     where j.state = 'running'
     group by k.kind, j.tenant_id, s.running_max
    having count(*) > coalesce(s.running_max, k.tenant_running_max)
$$;

create procedure fair.step_add()
language plpgsql
as $$
declare
    v_kind  text := 'fair' || fair.pick(5);
begin
    perform fair.add(v_kind, fair.tenant(fair.pick(5)), fair.pick(40),
        fair.pick(3), now() + (array['0', '0', '0', '50 ms'])[fair.pick(4)]
                               ::interval,
        (array['', '', '', 'p1'])[fair.pick(4)]);
end $$;

create procedure fair.step_take(p_session int)
language plpgsql
as $$
declare
    v_queue  text := 'fair' || fair.pick(2);
    v_max    int := fair.pick(20);
    v_count  int;
begin
    create temp table took on commit drop as
    select t.job_id, t.token, t.kind
      from work.take('fair' || p_session, v_queue, v_max) t;
    insert into held select k.job_id, k.token from took k;
    get diagnostics v_count = row_count;

    if v_count > v_max then
        insert into fair.fault values ('more than was asked for',
                                       v_count || ' of ' || v_max);
    end if;

    insert into fair.fault
    select 'more of a kind than its prefetch', k.kind || ' ' || count(*)
      from took t join core.job_kind k using (kind)
     group by k.kind having count(*) > k.prefetch;
end $$;

-- Ends one of the jobs that the session holds, in one way or other.
create procedure fair.step_end()
language plpgsql
as $$
declare
    h      record;
    v_how  int := fair.pick(10);
    v_was  boolean;
begin
    delete from held
     where job_id = (select l.job_id from held l order by random() limit 1)
    returning * into h;

    if h is null then
        return;
    end if;

    if v_how <= 6 then
        select f.accepted into v_was
          from work.finish(array[h.job_id], array[h.token],
                           array['{}'::jsonb]) f;
    elsif v_how = 7 then
        select f.accepted into v_was
          from work.fail(h.job_id, h.token, 'It failed.', true, 0) f;
    elsif v_how = 8 then
        select f.accepted into v_was
          from work.defer(h.job_id, h.token, 'It is busy.', 1) f;
    elsif v_how = 9 then
        v_was := work.give_back(array[h.job_id], array[h.token]) = 1;
    else
        -- its worker is gone; what it still says comes too late
        update core.job set lease_until = now() - interval '1 us'
         where id = h.job_id and token = h.token and state = 'running';
        perform work.rescue();
        select not f.accepted into v_was
          from work.finish(array[h.job_id], array[h.token],
                           array['{}'::jsonb]) f;
    end if;

    if v_was is distinct from true then
        insert into fair.fault values ('an end that was not accepted',
                                       format('%s %s', h.job_id, v_how));
    end if;
end $$;

-- What waits for its time comes at once, so that the walk sees it.
create procedure fair.step_hasten()
language plpgsql
as $$
begin
    update core.job set run_at = now()
     where id in (select j.id from core.job j
                   where j.state = 'queued' and j.run_at > now()
                   limit 20 for update skip locked);
end $$;

create procedure fair.step_pause(p_session int)
language plpgsql
as $$
declare
    v_which  int := fair.pick(7);
    v_kind   text;
    v_queue  text;
begin
    if v_which <= 5 then
        update core.job_kind set paused_at = now()
         where kind = 'fair' || v_which and paused_at is null
        returning kind into v_kind;
    else
        update core.queue set paused_at = now()
         where name = 'fair' || v_which - 5 and paused_at is null
        returning name into v_queue;
    end if;

    if v_kind is not null or v_queue is not null then
        commit;
        insert into fair.pause values (v_kind, v_queue, clock_timestamp(),
                                       null);
        insert into paused values (v_kind, v_queue);
    end if;
end $$;

create procedure fair.step_resume()
language plpgsql
as $$
begin
    update fair.pause u set until = clock_timestamp()
      from paused p
     where u.until is null and (u.kind = p.kind or u.queue = p.queue);
    update core.job_kind set paused_at = null
     where kind in (select p.kind from paused p);
    update core.queue set paused_at = null
     where name in (select p.queue from paused p);
    delete from paused;
end $$;

create procedure fair.walk(p_session int, p_seed float8, p_steps int)
language plpgsql
as $$
declare
    v_what  int;
begin
    create temp table held (job_id uuid, token bigint);
    create temp table paused (kind text, queue text);
    perform setseed(p_seed);
    commit;

    for n in 1 .. p_steps loop
        v_what := fair.pick(100);

        if v_what <= 7 then
            call fair.step_add();
        elsif v_what <= 45 then
            call fair.step_take(p_session);
        elsif v_what <= 92 then
            call fair.step_end();
        elsif v_what <= 94 then
            call fair.step_hasten();
        elsif v_what <= 96 then
            call fair.step_pause(p_session);
        else
            call fair.step_resume();
        end if;
        commit;

        perform fair.look();
        commit;
    end loop;

    call fair.step_resume();
    -- what is held still is lost with the session
    update core.job j set lease_until = now() - interval '1 us'
      from held h
     where j.id = h.job_id and j.token = h.token and j.state = 'running';
end $$;

-- Looks on until somebody says stop.
create procedure fair.observe()
language plpgsql
as $$
begin
    loop
        perform fair.look();
        commit;
        exit when exists (select from fair.ended);
    end loop;
end $$;

-- Takes and finishes all that is left.
create procedure fair.drain(p_session int)
language plpgsql
as $$
declare
    v_until  timestamptz := clock_timestamp() + interval '2 minutes';
begin
    loop
        perform work.rescue();
        commit;
        call fair.step_hasten();
        commit;

        for q in 1 .. 2 loop
            create temp table mine on commit drop as
            select t.job_id, t.token
              from work.take('fair' || p_session, 'fair' || q, 100) t;
            perform fair.look();
            perform work.finish(array_agg(m.job_id), array_agg(m.token),
                                array_agg('{}'::jsonb))
               from mine m;
            commit;
        end loop;

        exit when not exists (select from core.job
                               where state in ('queued', 'running'));

        if clock_timestamp() > v_until then
            insert into fair.fault
            select 'a job that does not end', format('%s %s', kind, state)
              from core.job where state in ('queued', 'running');
            exit;
        end if;
    end loop;
end $$;

-- --- afterwards -----------------------------------------------------------

-- Starts that are more than their rate allows, over any window.
create view fair.too_fast as
with started as (
    select l.kind, l.tenant_id, l.provider, l.began, l.at,
           row_number() over (partition by l.kind, l.tenant_id, l.provider
                              order by l.seq) as n
      from fair.log l
     where l.op = 'claim' and l.phase = 'walk'
)
select a.kind, a.tenant_id, a.provider, b.n - a.n + 1 as starts,
       b.at - a.began as within
  from started a
  join started b using (kind, tenant_id, provider)
  join core.job_kind k using (kind)
 where b.n >= a.n
   and b.n - a.n + 1 > k.rate_burst
                       + k.rate * extract(epoch from b.at - a.began);

-- Claims of what was paused before they began and until they were over.
create view fair.not_paused as
select l.job_id, l.kind
  from fair.log l
  join core.job_kind k using (kind)
  join fair.pause p on p.kind = l.kind or p.queue = k.queue
 where l.op = 'claim' and l.began > p.since
   and l.at < coalesce(p.until, 'infinity');

-- The history of a job and its row must tell the same.
create view fair.miscounted as
select j.id, j.attempt, j.token, j.lost, j.deferred, h.*
  from core.job j
 cross join lateral (
    select count(*) filter (where l.op = 'claim') as claims,
           count(distinct l.token) filter (where l.op = 'claim') as tokens,
           count(*) filter (where l.op = 'back') as backs,
           count(*) filter (where l.op = 'lost') as losses,
           count(*) filter (where l.op = 'deferred') as defers,
           count(*) filter (where l.op in ('done', 'dead', 'cancelled'))
               as ends
      from fair.log l where l.job_id = j.id) h
 where h.ends <> 1 or h.claims <> h.tokens or j.token <> h.claims
    or j.attempt <> h.claims - h.backs
    or (j.state = 'done' and (j.lost <> h.losses or j.deferred <> h.defers));

-- After each claim, the shares of two tenants that both had enough to do: by
-- how many turns they differ.  Nobody is ahead of another by more than one.
create view fair.apart as
with claim as (
    select l.seq, l.xid, l.tenant_id, coalesce(s.weight, 1) as weight
      from fair.log l
      left join core.job_share s
        on s.tenant_id = l.tenant_id and s.kind = l.kind
     where l.op = 'claim' and l.phase = 'turns'
), step as (
    select xid, max(seq) as seq from claim group by xid
), share as (
    select t.seq, n.tenant_id, n.weight,
           (select count(*) from claim c
             where c.tenant_id = n.tenant_id and c.seq <= t.seq)::numeric
           / n.weight as turns
      from step t
     cross join (select distinct tenant_id, weight from claim) n
)
select seq, max(turns) - min(turns) as turns from share group by seq;
