# What only several sessions at once can show: a job is claimed once, a
# refresh token is good once, an audit chain does not fork, an owner is left,
# and the relay leaves no hole.

use strict;
use warnings;

use FindBin;
use IO::Handle;
use Test::More;

use lib "$FindBin::Bin/lib";

use Voice::Sql;

use constant SESSIONS => 6;

my $setup = <<'END';
insert into core.queue values ('trial');
insert into core.job_kind (kind, queue, soft_seconds, hard_seconds,
                           max_attempts, backoff_seconds, backoff_max)
values ('trial', 'trial', 60, 90, 3, 2, 60);
insert into core.tenant (id, business_name)
select ('00000000-0000-7000-8000-00000000000' || n)::uuid, 'T' || n
  from generate_series(1, 3) n;
insert into core.job (tenant_id, kind, queue)
select ('00000000-0000-7000-8000-00000000000' || 1 + n % 3)::uuid, 'trial',
       'trial'
  from generate_series(1, 300) n;
create table claimed (job_id uuid, token bigint);
grant all on claimed to public;
select work.bootstrap(n || '@x.example', repeat('h', 60), 'Acme')
  from generate_series(1, 6) n;
END


sub sql {
    my ($query) = @_;

    open my $out, '-|', 'psql', '-qXAt', '-v', 'ON_ERROR_STOP=1', '-c',
        $query or die "psql: $!";
    my $rows = join '', <$out>;
    close $out;
    chomp $rows;

    return $rows;
}


# Runs one script in many sessions at once: what each printed.
sub together {
    my ($script) = @_;

    my @out;
    for my $n (1 .. SESSIONS) {
        my $pid = open(my $out, '-|') // die "fork: $!";
        if ($pid == 0) {
            # refusals are expected; the assertions look at what is left
            open STDERR, '>', '/dev/null' or die $!;
            open my $in, '|-', 'psql', '-qXAt', '-v', "n=$n" or die $!;
            print $in $script;
            close $in;
            exit 0;
        }
        push @out, $out;
    }

    return map { my $out = $_; join '', <$out> } @out;
}


Voice::Sql::start() or exit 0;
sql($setup);

# --- claims ---------------------------------------------------------------

# more rounds than each one's share: the last ones find nothing
together("set role voice_worker;\n" . <<'END' x 80);
insert into claimed select job_id, token
  from work.claim('w' || :n, 'trial', 1);
END
is(sql('select count(*), count(distinct job_id), max(token) from claimed'),
   '300|300|1', 'six workers claim 300 jobs, each of them once');
is(sql('select count(*) from core.job where kind = \'trial\''
       . ' and state = \'running\' and attempt = 1'), 300,
   'and the rows say so');

# --- one job held by two --------------------------------------------------

my @held = together(<<'END');
begin;
select 'held' from core.hold_job((select min(job_id::text)::uuid
    from claimed), 1) j where j.id is not null;
select core.end_job((select min(job_id::text)::uuid from claimed));
commit;
END
is(scalar(grep { /held/ } @held), 1, 'a job ends once');

# --- rescue and claim at once ---------------------------------------------

sql('update core.job set lease_until = now() - interval \'1 microsecond\''
    . ' where state = \'running\'');
my @rescued = together(<<'END' x 3);
select cardinality(work.rescue());
END
my $sum = 0;
$sum += $_ for map { split } @rescued;
is($sum, 299, 'a lost job is taken back once');

# --- attempts at one account ----------------------------------------------

my $attempt = <<'END';
select 'compared' from api.login_lookup(api.enter(null, null, 'anonymous',
    null, null, 'r', ('10.0.0.' || :n)::inet), '{"email": "2@x.example"}') l
 where l.status = 200;
END
my $compared = () = join('', together("set role voice_edge;\n"
                                      . $attempt x 20)) =~ /compared/g;
is($compared, 5, 'of 120 attempts at once five are compared');

# successes remove the row that others wait for
sql('delete from core.login_attempt');
my $round = $attempt . <<'END';
select 'in' from api.login(api.enter(null, null, 'anonymous', null, null, 'r',
    ('10.0.0.' || :n)::inet), jsonb_build_object('email', '2@x.example',
    'password_ok', true, 'user_id', :'user')) l where l.status = 200;
END
my $user = sql('select id from core.app_user where email = \'2@x.example\'');
together("\\set user $user\n" . $round x 20);
is(sql('select count(*) from core.login_attempt where failed > 0'
       . ' or cardinality(pending) > 0'), 0,
   'after as many successes nothing stays taken');

# --- refresh --------------------------------------------------------------

my ($token) = sql(<<'END') =~ /(vgr_\S{43})/;
with l as (select (api.login_lookup(api.enter(null, null, 'anonymous', null,
           null, 'r', null), '{"email": "1@x.example"}')).data)
select (api.login(api.enter(null, null, 'anonymous', null, null, 'r', null),
        jsonb_build_object('email', '1@x.example', 'password_ok', true,
                           'user_id', l.data ->> 'user_id'))).data
       #>> '{tokens,refresh_token}'
  from l
END
ok($token, 'a user logs in');
my @refreshed = together(<<"END");
select status from api.refresh(api.enter(null, null, 'anonymous', null, null,
    'r', null), jsonb_build_object('refresh_token',
    encode(sha256('$token'), 'hex')));
END
is(scalar(grep { /^200$/ } @refreshed), 1,
   'of six who use a refresh token at once one gets in');
is(sql('select end_reason from core.session where ended_at is not null'),
   'reuse', 'and the family ends');

# --- audit ----------------------------------------------------------------

together(<<'END' x 20);
begin;
select core.use_tenant('00000000-0000-7000-8000-000000000001', null,
                       'system', null, 'r');
select core.audit('a', 'b', 'session ' || :n);
commit;
END
is(sql('select * from work.verify_audit('
       . '\'00000000-0000-7000-8000-000000000001\')'),
   't|' . 20 * SESSIONS . '|', 'an audit chain of six writers is whole');

# --- owners ---------------------------------------------------------------

# each owner deactivates the next one
together(<<'END');
select u.id as next, t.id as tenant
  from core.app_user u, core.tenant t
 where u.email = (:n % 6 + 1) || '@x.example'
   and t.business_name = 'Acme' \gset
select u.id as own from core.app_user u where u.email = :n || '@x.example'
\gset
begin;
select core.use_tenant(:'tenant', :'own', 'user', 'owner', 'r');
set local role voice_owner;
select status from api.update_user(row(:'tenant', :'own', 'user', 'owner',
    null, 'r', null)::api.ctx, jsonb_build_object('id', :'next',
    'is_active', false));
commit;
END
cmp_ok(sql('select count(*) from core.membership where is_active'), '>', 0,
       'owners who remove each other leave one');

# members are locked and audited, while others only audit
together(<<'END' x 30);
select m.user_id as own, m.tenant_id as tenant
  from core.membership m where m.is_active limit 1 \gset
begin;
select core.use_tenant(:'tenant', null, 'system', null, 'r');
select core.lock_members() from (select where :n % 2 = 0) even;
select core.audit('a', 'b', 'session ' || :n);
commit;
END
is(sql('select sum(deadlocks) from pg_stat_database'), 0,
   'nobody who writes the audit log waits for who waits for it');

# --- heartbeat ------------------------------------------------------------

sql('select work.claim(\'beat\', \'trial\', 2)');
my $busy = sql('select min(id::text) from core.job where worker = \'beat\'');
open my $holder, '|-', 'psql', '-qXAt', '-o', '/dev/null' or die "psql: $!";
$holder->autoflush(1);
print $holder "begin; select from core.job where id = '$busy' for update;\n";
until (sql('select count(*) from pg_stat_activity'
           . ' where state = \'idle in transaction\'')) {
}
sql('update core.job set lease_until = now() + interval \'5 seconds\''
    . " where worker = 'beat' and id <> '$busy'");
is(sql(<<'END'), 0, 'a beat does not wait for a job that is locked');
set statement_timeout = '5s';
select count(*)
  from (select array_agg(id) as ids, array_agg(token) as tokens
          from core.job where worker = 'beat') j,
       work.beat('beat', '{trial}', j.ids, j.tokens);
END
is(sql('select count(*) from core.job where worker = \'beat\''
       . ' and lease_until > now() + interval \'20 seconds\''), 2,
   'the leases of the others go on');
close $holder;

# --- events ---------------------------------------------------------------

my @seen = together(<<'END' x 20);
begin;
select core.use_tenant(('00000000-0000-7000-8000-00000000000'
                        || 1 + :n % 3)::uuid, null, 'system', null, 'r');
select core.emit('a.b', 'c', core.tenant(), '{}');
commit;
with t as (select * from work.relay_take(10)),
d as (select work.relay_done(array_agg(tenant_id), array_agg(seq)) from t)
select 1 from d;
END
sql(<<'END') for 1 .. 20;
with t as (select * from work.relay_take(100))
select work.relay_done(array_agg(tenant_id), array_agg(seq)) from t
END
is(sql('select count(*), min(seq), max(seq), count(distinct seq)'
       . ' from core.event where published_at is not null'
       . ' group by tenant_id'),
   join("\n", ('40|1|40|40') x 3), 'numbers have no hole and no double');

done_testing();
