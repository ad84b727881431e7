package Voice::Probes;

# Jobs of the kind probe, and the children that run them, for tests of the
# pool.  The stack has one child for the queue and logs at level debug.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;

use Voice;

our @EXPORT = qw(probes_on add wake running shorten done dead of kind probes
                 reconfigure attempts lines logged);

my $json = JSON::PP->new;
my %settings;
my ($voice, $tenant, $log);


# What the stack runs with; the tenant that has the jobs.
sub probes_on {
    ($voice, $tenant, %settings) = @_;

    $log = "$voice->{stack}{log}/workers.log";

    return $voice->wait_for(sub { probes() == 1 }, 30);
}


# --- jobs -----------------------------------------------------------------

# Makes probes that nobody is woken for; their ids.
sub add {
    my ($count, %arg) = @_;

    my $args = $arg{args} ? "'$arg{args}'"
        : "json_build_object('echo', g::text)";

    return split /\n/, $voice->sql(
        'insert into core.job (tenant_id, kind, queue, priority, args, sent_at)'
        . " select '$tenant', 'probe', 'probe', " . ($arg{priority} // 5)
        . ", $args, now() from generate_series(1, $count) g returning id");
}


sub wake {
    $voice->redis('XADD', 'voice:queue:probe', '*', 'wake', '1');
}


# One that is being run.
sub running {
    my ($args) = @_;

    my ($job) = add(1, args => $args);
    wake();
    $voice->wait_for(sub { of('max(state)', $job) eq 'running' }, 30);

    return $job;
}


# The next attempt takes no time.
sub shorten {
    my ($job) = @_;

    $voice->sql("update core.job set args = '{}' where id = '$job'");
}


sub done {
    my (@jobs) = @_;

    return $voice->wait_for(sub {
        of("count(*) filter (where state <> 'done')", @jobs) == 0 }, 60);
}


sub dead {
    my ($job) = @_;

    return $voice->wait_for(sub { of('max(state)', $job) eq 'dead' }, 30);
}


sub of {
    my ($what, @jobs) = @_;

    return $voice->sql("select $what from core.job where id in ("
                       . join(',', map { "'$_'" } @jobs) . ')');
}


# A column of the kind, which is set if a value is given.
sub kind {
    my ($column, $value) = @_;

    if (defined $value) {
        $voice->sql("update core.job_kind set $column = $value"
                    . " where kind = 'probe'");
    }

    return $voice->sql("select $column from core.job_kind"
                       . " where kind = 'probe'");
}


# --- the pool -------------------------------------------------------------

# Processes of the queue's children.
sub probes {
    return grep {
        my $pid = $_;
        grep { $_->{pid} == $pid && $_->{child} =~ /^probe\./ } started();
    } $voice->children('workers');
}


# What children said when they began.
sub started {
    return grep { $_->{message} eq 'child started' } lines();
}


# Other settings; all children are new ones then.
sub reconfigure {
    my (%changed) = @_;

    %settings = (%settings, %changed);
    my %before = map { $_ => 1 } $voice->children('workers');

    $voice->configure_workers(\%settings);
    kill 'HUP', $voice->pid('workers');

    return $voice->wait_for(sub {
        !grep { $before{$_} } $voice->children('workers')
            and probes() >= 1 }, 60);
}


sub attempts {
    return grep { $_->{outcome} } lines();
}


sub lines {
    return map { $json->decode($_) } grep { /\S/ }
        split /\n/, Voice::slurp($log);
}


sub logged {
    my ($pattern) = @_;

    return grep { $_->{message} =~ $pattern } lines();
}


1;
