package Voice::Sql;

# Runs a pgTAP script on a private PostgreSQL: a cluster of its own, brought
# to the newest schema by sql/migrate.  Where there is a build, the first one
# keeps its cluster there for the others to copy.
#
#   use Voice::Sql;
#   Voice::Sql::run('t/sql/job.sql');       # relays its TAP
#
# VOICE_PG_BIN names the directory of initdb and pg_ctl.

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA;
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');

my $owner = $$;
my $cluster;


# Starts the cluster and leaves PG* in the environment.
sub start {
    my $bin = bin() or return skip('PostgreSQL is not installed');

    # /tmp keeps the socket's path short
    my $dir = tempdir('voice-sql-XXXXXXXX', DIR => '/tmp', CLEANUP => 1);
    $cluster = { bin => $bin, dir => $dir };

    if ($> == 0) {
        my ($uid, $gid) = (getpwnam 'postgres')[2, 3];
        chown $uid, $gid, $dir;
    }

    delete @ENV{qw(PGPASSWORD PGSERVICE PGSSLMODE PGPORT)};
    @ENV{qw(PGHOST PGUSER PGDATABASE)} = ($dir, 'postgres', 'postgres');

    make() if !copy_template();
    pg_ctl('start', '-l', "$dir/log", '-o',
           "-k $dir -c listen_addresses= -c fsync=off"
           . ' -c max_connections=50');

    return 1;
}


# Of a cluster that was made from the files as they are now.
sub copy_template {
    my $build = $ENV{VOICE_BUILD} || "$ROOT/build";
    -d $build or return 0;

    # the day, since partitions are made for the days to come
    my $digest = Digest::SHA->new(256);
    $digest->add(int(time / 86_400), $cluster->{bin});
    for my $file (sort glob "$ROOT/sql/* $ROOT/sql/*/*"
                            . " $ROOT/conf/openapi/errors.json "
                            . __FILE__)
    {
        $digest->add($file)->addfile($file) if -f $file;
    }
    my $template = abs_path($build) . '/sql-template-'
        . substr $digest->hexdigest, 0, 16;
    my $data = "$cluster->{dir}/data";

    open my $lock, '>', "$build/sql-template.lock" or die "$build: $!";
    flock $lock, LOCK_EX;

    if (-d $template) {
        command('cp', '-a', '--reflink=auto', $template, $data);
        return 1;
    }

    make();
    remove_tree(glob "$build/sql-template-*");
    command('cp', '-a', $data, "$template.new");
    rename "$template.new", $template or die "$template: $!";

    return 1;
}


# A cluster that does not run.
sub make {
    my $dir = $cluster->{dir};

    server('initdb', '-D', "$dir/data", '-U', 'postgres', '-A', 'trust',
           '-E', 'UTF8', '--locale=C', '--no-sync');
    pg_ctl('start', '-l', "$dir/log", '-o',
           "-k $dir -c listen_addresses= -c fsync=off");
    command('sh', "$ROOT/sql/migrate");
    command('psql', '-qXc', 'create extension pgtap');
    pg_ctl('stop');
}


sub pg_ctl {
    my ($action, @more) = @_;

    server('pg_ctl', '-D', "$cluster->{dir}/data", '-w', @more, $action);
    $cluster->{started} = $action eq 'start';
}


# Runs a script; its output is the TAP of the test.
sub run {
    my ($script) = @_;

    start() or return;

    open my $out, '-|', 'psql', '-qXAt', '-v', 'ON_ERROR_STOP=1', '-f',
        "$ROOT/$script" or die "psql: $!";
    while (my $line = <$out>) {
        print $line if $line =~ /^(?:(?:not )?ok\b|#|\d+\.\.\d+|Bail out!)/;
    }

    if (!close $out) {
        print "Bail out! $script ended early\n";
        exit 1;
    }
}


sub bin {
    my ($bin) = grep { defined && -x "$_/initdb" }
        $ENV{VOICE_PG_BIN}, reverse sort glob '/usr/lib/postgresql/*/bin';

    return $bin;
}


sub skip {
    my ($why) = @_;

    print "1..0 # SKIP $why\n";

    return 0;
}


# A command of the server, never as root.
sub server {
    my ($name, @arguments) = @_;

    my @as = $> == 0
        ? ('setpriv', '--reuid=postgres', '--regid='
           . (getpwnam 'postgres')[3], '--clear-groups')
        : ();

    command(@as, 'env', "HOME=$cluster->{dir}", "$cluster->{bin}/$name",
            @arguments);
}


# Runs quietly; what it said is shown when it fails.
sub command {
    my (@words) = @_;

    my $log = "$cluster->{dir}/command.log";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        chdir '/';
        open STDIN, '<', '/dev/null' or die $!;
        open STDOUT, '>', $log or die $!;
        open STDERR, '>&', \*STDOUT or die $!;
        exec @words or exit 127;
    }

    waitpid $pid, 0;
    return if $? == 0;

    my $said = '';
    if (open my $in, '<', $log) { local $/; $said = <$in> }
    print "Bail out! @words: $said\n";
    exit 1;
}


END {
    if ($cluster && $cluster->{started} && $$ == $owner) {
        local $?;
        pg_ctl('stop', '-m', 'immediate');
    }
}

1;
