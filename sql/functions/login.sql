-- Wrong passwords: counted for the account and for the address, whether the
-- account exists or not.  An attempt is taken before the password is
-- compared and given back with the outcome, so that attempts at the same
-- time are no more than those one after another.

-- The figures.  A database may have its own: alter database ... set
-- voice.login_address_failures = 20.  in_flight: comparisons at once of what
-- has no failure; of what has some, no more than are left to the lock.
create or replace function core.login_rule(p_scope text)
returns core.login_rule
language plpgsql stable set search_path = core, pg_temp
as $$
declare
    v_own   text := nullif(current_setting(
                        'voice.login_' || p_scope || '_failures', true), '');
    v_most  int := greatest(coalesce(v_own::int, 5), 1);
begin
    return (v_most, interval '15 minutes',
            case p_scope when 'address' then greatest(v_most, 20)
                         else v_most end)::core.login_rule;
end
$$;

-- How long to wait after the nth failure: 1, 2, 4, 8 seconds, then the lock.
create or replace function core.login_delay(
    p_rule core.login_rule, p_failed int)
returns interval
language sql immutable
as $$
    select case when p_failed >= (p_rule).failures then (p_rule).lock
                else make_interval(secs =>
                         2 ^ least(greatest(p_failed - 1, 0), 3)) end
$$;

create or replace function core.login_account(p_email text) returns text
language sql immutable
as $$ select core.sha256_hex(lower(p_email)) $$;

-- IPv6: who has one address has its /64.  A mapped IPv4 address is the IPv4
-- address.
create or replace function core.login_network(p_address inet) returns text
language sql immutable
as $$
    select case family(core.plain_address(p_address))
        when 6 then network(set_masklen(p_address, 64))::text
        else host(core.plain_address(p_address)) end
$$;

-- Seconds until an attempt, 0: now.  Reads only, so a flood of what is
-- refused anyway writes nothing.
create or replace function core.login_wait(p_scope text, p_key text)
returns int
language plpgsql stable set search_path = core, pg_temp
as $$
begin
    return coalesce((
        select ceil(extract(epoch from a.wait_until - clock_timestamp()))
          from core.login_attempt a
         where a.scope = p_scope and a.key = p_key
           and a.wait_until > clock_timestamp()), 0);
end
$$;

-- The row, locked; what is over is forgotten: a lock that has ended, failures
-- after as long without another, comparisons whose outcome nobody told
-- within 30 seconds (the edge ends them after 10).
create or replace function core.login_row(
    p_scope text, p_key text, p_rule core.login_rule)
returns core.login_attempt
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_now  timestamptz;
    a      core.login_attempt;
begin
    -- again, where another has removed it between the two
    loop
        insert into core.login_attempt (scope, key) values (p_scope, p_key)
        on conflict (scope, key) do nothing;

        select * into a from core.login_attempt l
         where l.scope = p_scope and l.key = p_key for update;

        exit when found;
    end loop;

    v_now := clock_timestamp();
    a.pending := array(select p from unnest(a.pending) p
                        where p > v_now - interval '30 seconds' order by p);

    if (a.failed >= p_rule.failures and coalesce(a.wait_until <= v_now, true))
       or a.updated_at <= v_now - p_rule.lock
    then
        a.failed := 0;
        a.networks := '{}';
        a.wait_until := null;
    end if;

    return a;
end
$$;

create or replace function core.login_save(a core.login_attempt)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.login_attempt l
       set failed = a.failed, pending = a.pending, networks = a.networks,
           wait_until = a.wait_until, user_id = a.user_id,
           locked_at = a.locked_at, updated_at = a.updated_at
     where l.scope = a.scope and l.key = a.key;
end
$$;

-- Takes an attempt: 0, or the seconds to wait.
create or replace function core.login_take(p_scope text, p_key text)
returns int
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_rule  core.login_rule := core.login_rule(p_scope);
    v_wait  int;
    v_room  int;
    a       core.login_attempt;
begin
    a := core.login_row(p_scope, p_key, v_rule);
    v_wait := ceil(extract(epoch from a.wait_until - clock_timestamp()));

    if v_wait > 0 then
        return v_wait;
    end if;

    v_room := case when a.failed = 0 then v_rule.in_flight
                   else v_rule.failures - a.failed end;

    if cardinality(a.pending) >= v_room then
        return 1;
    end if;

    a.pending := a.pending || clock_timestamp();
    a.updated_at := clock_timestamp();
    perform core.login_save(a);

    return 0;
end
$$;

-- Before a password is compared: null, or the refusal.  The address comes
-- first: while it waits, it makes no rows of accounts.
create or replace function core.login_begin(p_email text, p_address inet)
returns api.reply
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_account  text := core.login_account(p_email);
    v_network  text := core.login_network(p_address);
    v_wait     int;
begin
    v_wait := greatest(core.login_wait('address', v_network),
                       core.login_wait('account', v_account));

    if v_wait = 0 and v_network is not null then
        v_wait := core.login_take('address', v_network);
    end if;

    if v_wait = 0 then
        v_wait := core.login_take('account', v_account);

        if v_wait > 0 then
            perform core.login_drop('address', v_network);
        end if;
    end if;

    if v_wait = 0 then
        return null;
    end if;

    return core.reply_error('AUTH_TOO_MANY_ATTEMPTS', p_wait => v_wait);
end
$$;

-- Gives an attempt back that was not made.
create or replace function core.login_drop(p_scope text, p_key text)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
begin
    update core.login_attempt a set pending = a.pending[2:]
     where a.scope = p_scope and a.key = p_key;
end
$$;

-- A wrong password, of a user or of nobody (null).
create or replace function core.login_failed(
    p_email text, p_address inet, p_user uuid)
returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_network  text := core.login_network(p_address);
begin
    if v_network is not null then
        perform core.login_count('address', v_network, null, null);
    end if;

    perform core.login_count('account', core.login_account(p_email),
                             v_network, p_user);
    perform core.count('logins', 'failed');
end
$$;

create or replace function core.login_count(
    p_scope text, p_key text, p_network text, p_user uuid)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_rule  core.login_rule := core.login_rule(p_scope);
    v_now   timestamptz;
    a       core.login_attempt;
begin
    a := core.login_row(p_scope, p_key, v_rule);
    v_now := clock_timestamp();

    a.failed := a.failed + 1;
    a.pending := a.pending[2:];
    a.networks := array_remove(a.networks || p_network, null);
    a.user_id := p_user;
    a.updated_at := v_now;
    a.wait_until := greatest(a.wait_until,
                             v_now + core.login_delay(v_rule, a.failed));
    a.locked_at := case when a.failed >= v_rule.failures and
                             p_scope = 'account' then v_now
                        else a.locked_at end;
    perform core.login_save(a);
end
$$;

-- The right password: the account's failures are forgiven, and of an
-- address's failures those that were this account's.  So people behind one
-- address make up for their own mistakes, while one who guesses at many
-- accounts cannot by logging into his own.
create or replace function core.login_passed(p_email text, p_address inet)
returns void
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_account  text := core.login_account(p_email);
    v_network  text := core.login_network(p_address);
    a          core.login_attempt;
begin
    perform from core.login_attempt l
      where l.scope = 'address' and l.key = v_network for update;

    a := core.login_row('account', v_account, core.login_rule('account'));

    perform core.login_forgive(v_network,
        cardinality(array_positions(a.networks, v_network)));
    perform core.login_drop('address', v_network);

    a.failed := 0;
    a.networks := '{}';
    a.wait_until := null;
    a.pending := a.pending[2:];

    -- like an account that nobody has, which has no row either
    if cardinality(a.pending) = 0 and a.locked_at is null then
        delete from core.login_attempt l
         where l.scope = a.scope and l.key = a.key;
    else
        perform core.login_save(a);
    end if;
end
$$;

create or replace function core.login_forgive(p_network text, p_some int)
returns void
language plpgsql volatile set search_path = core, pg_temp
as $$
declare
    v_rule  core.login_rule := core.login_rule('address');
begin
    update core.login_attempt a
       set failed = greatest(a.failed - p_some, 0),
           wait_until = case when a.failed <= p_some then null
               else least(a.wait_until, a.updated_at
                          + core.login_delay(v_rule, a.failed - p_some)) end
     where a.scope = 'address' and a.key = p_network and p_some > 0;
end
$$;

-- What an administrator does for somebody who is locked out: the account is
-- as after a success, and so are the addresses that its failures came from.
-- True if it had to wait.
create or replace function core.login_unlock(p_email text) returns boolean
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    v_account   text := core.login_account(p_email);
    v_waited    boolean;
    v_networks  text[];
    n           record;
begin
    select a.wait_until > clock_timestamp(), a.networks
      into v_waited, v_networks
      from core.login_attempt a
     where a.scope = 'account' and a.key = v_account;

    -- in order, addresses before accounts, as everywhere
    for n in select u.network, count(*)::int as some
               from unnest(v_networks) u (network)
              group by u.network order by u.network
    loop
        perform core.login_forgive(n.network, n.some);
    end loop;

    update core.login_attempt a
       set failed = 0, networks = '{}', wait_until = null, locked_at = null
     where a.scope = 'account' and a.key = v_account;

    return coalesce(v_waited, false);
end
$$;

-- Writes locks into the audit logs of the users' tenants.  Not the login
-- that locks: it would take longer for an account that exists.
create or replace function core.login_report(p_max int) returns int
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
declare
    a         record;
    v_tenant  uuid;
    v_n       int := 0;
begin
    for a in select l.key, l.user_id, l.locked_at, l.networks
               from core.login_attempt l
              where l.locked_at is not null
              order by l.locked_at limit p_max
                for update skip locked
    loop
        update core.login_attempt l set locked_at = null
         where l.scope = 'account' and l.key = a.key;

        v_tenant := core.login_tenant(a.user_id, null);
        continue when v_tenant is null;

        perform core.use_tenant(v_tenant, null, 'system', null, 'login');
        perform core.audit('user.locked', 'user', a.user_id,
            jsonb_build_object('locked_at', core.iso(a.locked_at),
                               'networks', a.networks));
        v_n := v_n + 1;
    end loop;

    return v_n;
end
$$;

set local role voice_work;

-- Called by the keeper with each turn.
create or replace function work.report_locks() returns int
language plpgsql volatile security definer set search_path = core, pg_temp
as $$
begin
    return core.login_report(100);
end
$$;

set local role voice_owner;
