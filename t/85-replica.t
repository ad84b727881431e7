#!/usr/bin/perl

# Slow reads on a read replica: a real standby that follows by streaming.

use strict;
use warnings;

use File::Path qw(make_path);
use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start(workers => 0);
my $stack = $voice->{stack};
my $standby = "$stack->{data}/standby";
my ($bin) = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] }
    glob '/usr/lib/postgresql/*/bin';

my $owner = $voice->tenant('acme');
my $suite = $voice->call('create_test_suite', as => $owner,
    body => { name => 'Booking' })->{json}{data};
my $case = $voice->call('create_test_case', as => $owner, body => {
    suite_id => $suite->{id}, name => 'V1',
    languages => [{ language_code => 'en-US', input_text => 'book a table' }],
})->{json}{data};
my $pid = start_standby();

use_replica();
rename_case('V2');
caught_up();

is(compare(1, 2)->{status}, 200, 'versions are compared');
is(standby_calls(), 1, 'by the replica');

$voice->call('get_test_case', as => $owner, path => { id => $case->{id} });
is(on_standby("select count(*) from pg_stat_user_functions
               where funcname = 'get_test_case'"), 0,
   'what is not slow is read where it is written');

on_standby('select pg_wal_replay_pause()');
rename_case('V3');
is(compare(1, 3)->{status}, 200,
   'what the replica does not know yet is asked of the primary');
is(compare(1, 9)->{status}, 404, 'what neither knows is not found');

stop_standby();
is(compare(1, 3)->{status}, 200, 'without a replica the primary answers');

$voice->finish;

END { stop_standby() }


sub rename_case {
    my ($name) = @_;

    my $reply = $voice->call('update_test_case', as => $owner,
        path => { id => $case->{id} }, body => { name => $name });
    is($reply->{status}, 200, "there is a version $name");
}


sub compare {
    my ($number, $other) = @_;

    return $voice->call('compare_test_case_versions', as => $owner,
        path => { id => $case->{id}, number => $number, other => $other });
}


sub start_standby {
    local $ENV{PGPASSWORD} = Voice::slurp("$stack->{secrets}/postgres");

    make_path("$stack->{data}/t");
    as_user('chmod', '0700', "$stack->{data}/t") if own("$stack->{data}/t");
    system(user_command("$bin/pg_basebackup", '-h', $stack->{sockets}, '-U',
                        'postgres', '-D', $standby, '-R', '-X', 'stream',
                        '-c', 'fast', '--no-sync')) == 0
        or BAIL_OUT('no base backup');

    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$voice->{dir}/standby.log";
        open STDERR, '>&', \*STDOUT;
        my @command = user_command("$bin/postgres", '-D', $standby,
            '-F', '-c', "unix_socket_directories=$stack->{data}/t",
            '-c', 'track_functions=all', '-c', 'stats_fetch_consistency=none');
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    ok($voice->wait_for(sub {
        (on_standby('select pg_is_in_recovery()') // '') eq 't' }, 30),
       'a standby follows') or diag(Voice::slurp("$voice->{dir}/standby.log"));

    return $pid;
}


sub stop_standby {
    return unless $pid;

    kill 'INT', $pid;
    waitpid $pid, 0;
    undef $pid;
}


sub own {
    my ($path) = @_;

    my ($uid, $gid) = (stat $stack->{data})[4, 5];

    return chown $uid, $gid, $path;
}


sub as_user { system(user_command(@_)) == 0 or die "@_: $?" }


# As the owner of the cluster: postgres refuses root.
sub user_command {
    my $uid = (stat $stack->{data})[4];

    return @_ if $uid == $>;

    my $gid = (stat $stack->{data})[5];

    return ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups', @_);
}


sub use_replica {
    my $file = "$stack->{data}/etc/edge.conf";
    my $text = Voice::slurp($file);

    $text =~ s/(voice_postgres )/$1replica_host=$stack->{data}\/t /
        or die 'no voice_postgres';
    Voice::spew($file, $text);
    own($file);

    my %preload = %{$stack->{preload}};
    local @ENV{keys %preload} = values %preload;
    is(system("$Voice::ROOT/bin/voicegate-reload", '--pid-file',
              "$stack->{data}/run/nginx.pid"), 0, 'the replica is taken');

    ok($voice->wait_for(sub {
        (on_standby("select count(*) from pg_stat_activity
                     where usename = 'voice_edge'") // 0) > 0 }, 20),
       'the edge is connected to it');
}


sub caught_up {
    my $lsn = $voice->sql('select pg_current_wal_lsn()');

    ok($voice->wait_for(sub {
        on_standby("select pg_last_wal_replay_lsn() >= '$lsn'") eq 't' }, 20),
       'the replica has caught up');
}


sub standby_calls {
    my $calls;

    # a session tells what it counted when it is idle for a while
    $voice->wait_for(sub {
        $calls = on_standby("select calls from pg_stat_user_functions
            where funcname = 'compare_test_case_versions'");
        return $calls;
    }, 30);

    return $calls;
}


sub on_standby {
    my ($query) = @_;

    local $ENV{PGPASSWORD} = Voice::slurp("$stack->{secrets}/postgres");
    delete local $ENV{LD_PRELOAD};      # of a sanitizer, for an edge
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>>"$0"',
        "$voice->{dir}/psql.log", 'psql', '-XAtq', '-h', "$stack->{data}/t",
        '-U', 'postgres', '-d', $stack->{database}, '-c', $query
        or die "psql: $!";
    my $rows = join '', <$out>;
    close $out;
    chomp $rows;

    return $? == 0 ? $rows : undef;
}
