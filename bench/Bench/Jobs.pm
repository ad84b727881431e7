package Bench::Jobs;

# Our own jobs under a benchmark: a stack whose PostgreSQL waits for the disk,
# a pool with two children of the queue `probe`, two tenants, and the client
# t/tools/jobs.c.  Answers what Bench::Queues does.

use strict;
use warnings;

use Bench::Client;
use Bench::Gate;
use Bench::Memory;
use Bench::Queues;
use Bench::Server;

use constant {
    CHILDREN => 2,
    PAUSE    => "update core.queue set paused_at = WHEN where name = 'probe'",
};

# What adds jobs does so with a tenant's rights, in his transaction.
use constant SQL => <<'END';
    set client_min_messages = warning;
    drop schema if exists bench cascade;
    create schema bench;
    grant usage, create on schema bench to voice_owner;
    grant usage on schema bench to bench;
    set role voice_owner;

    create function bench.enqueue(p_tenant uuid, p_first int, p_count int,
        out last uuid, out wakes int)
    language plpgsql volatile security definer
    set search_path = core, pg_temp
    as $$
    declare
        v_ids  uuid[];
    begin
        perform core.use_tenant(p_tenant, null, 'system', null, 'bench');
        v_ids := core.add_jobs('probe', array(
            select jsonb_build_object('seq', s)
              from generate_series(p_first, p_first + p_count - 1) s));
        last := v_ids[p_count];
        wakes := cardinality(core.wake('probe', p_count));
    end
    $$;

    grant execute on all functions in schema bench to bench;
    reset role;
    grant usage on schema core to bench;
    grant select on core.job to bench;
    create policy bench on core.job for select to bench using (true);

    create function bench.jobs_left() returns boolean
    language sql stable
    set enable_seqscan = off set enable_bitmapscan = off
    as $$
        select exists (select from core.job
                        where kind = 'probe' and state = 'queued')
            or exists (select from core.job
                        where kind = 'probe' and state = 'running')
    $$;

    create function bench.begun(p_since bigint)
    returns table (seq int, begun bigint)
    language sql stable
    as $$
        select (j.args ->> 'seq')::int, (j.result ->> 'started_us')::bigint
          from core.job j
         where j.kind = 'probe' and j.state = 'done'
           and j.created_at >= to_timestamp(p_since / 1e6)
    $$;
END


sub start {
    my ($class) = @_;

    my $gate = Bench::Gate->start(workers => 0, durable => 1);
    my $voice = $gate->{voice};
    my $self = bless { gate => $gate, voice => $voice }, $class;

    for my $name (qw(fsync synchronous_commit full_page_writes)) {
        die "bench: $name is off\n" if $voice->sql("show $name") ne 'on';
    }

    $voice->configure_workers({ 'queue probe' => CHILDREN, child_jobs => 1e8,
                                log_level => 'warn' });
    $voice->sql("create role bench login password 'bench'");
    $voice->sql(SQL);
    my $other = $voice->tenant('other');

    $self->{client} = Bench::Client->start(
        env => { PGHOST => $voice->{stack}{sockets}, PGUSER => 'bench',
                 PGPASSWORD => 'bench',
                 PGDATABASE => $voice->{stack}{database},
                 REDISCLI_AUTH => $gate->secret('redis') },
        command => ["$Bench::Server::ROOT/build/tools/jobs",
                    $voice->{stack}{redis_port},
                    $gate->{owner}{tenant_id}, $other->{tenant_id}]);

    return $self;
}


# The pool begins, or ends when its jobs have.
sub work { $_[0]->pool('start') if !$_[0]{voice}->pid('workers') }

sub rest { $_[0]->pool('stop') if $_[0]{voice}->pid('workers') }


# Its processes are there and take nothing; and go on.
sub hold { $_[0]{voice}->sql(PAUSE =~ s/WHEN/now()/r) }

sub go { $_[0]{voice}->sql(PAUSE =~ s/WHEN/null/r) }


sub pool {
    my ($self, $what) = @_;

    my $output = $self->{voice}->stack($what, 'workers');
    die "bench: $output" if $?;
}


sub ask { my ($self, @command) = @_; return $self->{client}->ask(@command) }


# What is queued is forgotten, and what was.
sub drop {
    my ($self) = @_;

    $self->{voice}->sql('set client_min_messages = warning;'
        . ' truncate core.job cascade; vacuum analyze core.job; checkpoint');
}


# Microseconds of CPU of PostgreSQL, Redis and the pool.
sub cpu {
    my ($self) = @_;

    my $voice = $self->{voice};
    my $pool = $voice->pid('workers');

    return Bench::Server::cpu_of_family($voice->pid('postgres'))
        + Bench::Server::cpu($voice->pid('redis'),
                             $pool ? Bench::Queues::family($pool) : ());
}


# Bytes of the pool's processes, of Redis and of the table of jobs.
sub memory {
    my ($self) = @_;

    my $voice = $self->{voice};
    my $pool = $voice->pid('workers');

    return {
        workers => $pool ? 1024 * Bench::Memory::together(
            Bench::Queues::family($pool)) : 0,
        broker => $voice->redis('INFO', 'memory')
            =~ /^used_memory:(\d+)/m ? $1 : 0,
        disk => $voice->sql("select pg_total_relation_size('core.job')"),
    };
}


# Every job ended as done, none is left, none ran twice.
sub prove {
    my ($self) = @_;

    my ($all, $done, $once) = split /\|/, $self->{voice}->sql(<<'END');
        select count(*), count(*) filter (where state = 'done'),
               count(*) filter (where attempt = 1 and lost = 0)
          from core.job where kind = 'probe'
END
    die "bench: of $all jobs $done are done, $once at once\n"
        if $all != $done || $all != $once;

    return $all;
}


sub stop {
    my ($self) = @_;

    $self->{client}->stop;
    $self->{gate}->stop;
}


1;
