package Voice::Servers;

# Servers beside those of a stack: masters, replicas and Sentinels of Redis, a
# standby of its PostgreSQL.
#
#   my $servers = Voice::Servers->new($voice);
#   my $master = $servers->redis;
#   my $replica = $servers->redis(of => $master);
#   my @sentinels = $servers->sentinels('voice', $master);
#   $servers->kill($master);
#
# A server is {name, port, pid, dir, command}.  Passwords are the stack's.

use strict;
use warnings;

use File::Path qw(make_path);
use IO::Socket::INET;
use POSIX ();

use Voice;
use Voice::Node;


sub new {
    my ($class, $voice) = @_;

    return bless { voice => $voice, pid => $$, all => [], n => 0 }, $class;
}


# --- Redis ------------------------------------------------------------------

# Options: of (its master), password (the stack's; '': none), settings (lines
# of its configuration).
sub redis {
    my ($self, %opt) = @_;

    my $password = $opt{password} // $self->password;
    my $server = $self->place('redis');
    my @lines = ("port $server->{port}", 'bind 127.0.0.1',
                 "dir $server->{dir}", 'save ""', 'appendonly no',
                 'repl-diskless-sync-delay 0', @{$opt{settings} || []});

    push @lines, "requirepass $password", "masterauth $password"
        if $password ne '';
    push @lines, "replicaof 127.0.0.1 $opt{of}{port}" if $opt{of};

    $server->{password} = $password;
    $self->start_redis($server, \@lines);

    $self->{voice}->wait_for(sub {
        ($self->field($server, 'master_link_status') // '') eq 'up' }, 30)
        or die "servers: $server->{name} follows nobody\n" if $opt{of};

    return $server;
}


# Three of them, who know each other, the master and its replicas.
sub sentinels {
    my ($self, $name, $master) = @_;

    my @sentinels = map {
        my $server = $self->place('sentinel');
        $server->{password} = '';
        $self->start_redis($server, [
            "port $server->{port}", 'bind 127.0.0.1', "dir $server->{dir}",
            "sentinel monitor $name 127.0.0.1 $master->{port} 2",
            "sentinel auth-pass $name $master->{password}",
            "sentinel down-after-milliseconds $name 2000",
            "sentinel failover-timeout $name 6000",
        ], '--sentinel');
        $server;
    } 1 .. 3;

    for my $sentinel (@sentinels) {
        $self->{voice}->wait_for(sub {
            my $said = eval { $self->ask($sentinel, 'SENTINEL', 'master',
                                         $name) } or return 0;
            my %is = @$said;
            return $is{'num-other-sentinels'} == 2 && $is{'num-slaves'} >= 1;
        }, 60) or die "servers: $sentinel->{name} knows not enough\n";
    }

    return @sentinels;
}


# The port of the master that a Sentinel names.
sub master {
    my ($self, $sentinel, $name) = @_;

    my $said = eval { $self->ask($sentinel, 'SENTINEL',
                                 'get-master-addr-by-name', $name) };

    return $said ? $said->[1] : 0;
}


# One command; the reply as Voice::redis gives it, an error dies.
sub ask {
    my ($self, $server, @words) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $server->{port}, Timeout => 5) or return undef;

    my $reply;
    for my $command ($server->{password} eq '' ? ()
                     : ['AUTH', $server->{password}], [@words])
    {
        print $socket '*' . @$command . "\r\n",
            map { '$' . length($_) . "\r\n$_\r\n" } @$command;
        $reply = Voice::redis_reply($socket);
    }

    return $reply;
}


# A field of INFO.
sub field {
    my ($self, $server, $name) = @_;

    my ($value) = ($self->ask($server, 'INFO') // '')
        =~ /^\Q$name\E:(.*?)\r?$/m;

    return $value;
}


sub start_redis {
    my ($self, $server, $lines, @more) = @_;

    my $file = "$server->{dir}/redis.conf";
    Voice::spew($file, join '', map { "$_\n" } @$lines);
    $server->{command} = ['/usr/bin/redis-server', $file, @more];
    $self->start($server);
}


# --- PostgreSQL -------------------------------------------------------------

# A standby that follows the stack's primary by streaming; its socket is in
# the directory {sockets}.
sub standby {
    my ($self) = @_;

    my $stack = $self->{voice}{stack};
    my ($bin) = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] }
        glob '/usr/lib/postgresql/*/bin';
    my $server = $self->place('standby');
    my $data = "$stack->{data}/$server->{name}";

    $server->{sockets} = "$stack->{data}/t";
    make_path($server->{sockets});
    $self->own($server->{sockets});
    chmod 0700, $server->{sockets};

    local $ENV{PGPASSWORD} = Voice::slurp("$stack->{secrets}/postgres");
    system($self->as_owner("$bin/pg_basebackup", '-h', $stack->{sockets},
                           '-U', 'postgres', '-D', $data, '-R', '-X', 'stream',
                           '-c', 'fast', '--no-sync')) == 0
        or die "servers: no base backup\n";

    $server->{command} = [$self->as_owner("$bin/postgres", '-D', $data, '-F',
        '-c', "unix_socket_directories=$server->{sockets}")];
    $self->start($server, sub {
        ($self->on_standby($server, 'select pg_is_in_recovery()') // '')
            eq 't' });

    return $server;
}


# Rows of a query there, as the superuser; undef: it does not answer.
sub on_standby {
    my ($self, $server, $query) = @_;

    my $voice = $self->{voice};

    local $ENV{PGPASSWORD} = Voice::slurp("$voice->{stack}{secrets}/postgres");
    delete local $ENV{LD_PRELOAD};      # of a sanitizer, for an edge
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>>"$0"',
        "$voice->{dir}/psql.log", 'psql', '-XAtq', '-h', $server->{sockets},
        '-U', 'postgres', '-d', $voice->{stack}{database}, '-c', $query
        or die "psql: $!";
    my $rows = join '', <$out>;
    close $out;
    chomp $rows;

    return $? == 0 ? $rows : undef;
}


# --- all --------------------------------------------------------------------

sub password {
    my ($self) = @_;

    return Voice::slurp("$self->{voice}{stack}{secrets}/redis");
}


sub place {
    my ($self, $kind) = @_;

    my $name = $kind . ++$self->{n};
    my $dir = "$self->{voice}{dir}/$name";
    make_path($dir);

    return { name => $name, dir => $dir, port => Port::free() };
}


# Starts one, also one that was killed; until is its sign.
sub start {
    my ($self, $server, $until) = @_;

    my $pid = fork() // die "servers: fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>>', "$server->{dir}/log";
        open STDERR, '>&', \*STDOUT;
        exec { $server->{command}[0] } @{$server->{command}}
            or POSIX::_exit(127);
    }

    $server->{pid} = $pid;
    push @{$self->{all}}, $server
        unless grep { $_ == $server } @{$self->{all}};

    $until //= sub { (eval { $self->ask($server, 'PING') } // '') eq 'PONG' };
    $self->{voice}->wait_for($until, 30)
        or die "servers: $server->{name}: "
            . Voice::slurp("$server->{dir}/log") . "\n";
}


sub kill {
    my ($self, $server, $signal) = @_;

    my $pid = delete $server->{pid} or return;

    CORE::kill($signal // 'KILL', $pid);
    waitpid $pid, 0;
}


# Stopped as by SIGSTOP: it is there, and does not answer.
sub freeze { CORE::kill('STOP', $_[1]{pid}) }

sub thaw { CORE::kill('CONT', $_[1]{pid}) }


sub own {
    my ($self, $path) = @_;

    my ($uid, $gid) = (stat $self->{voice}{stack}{data})[4, 5];

    return chown $uid, $gid, $path;
}


# As the owner of the cluster: postgres refuses root.
sub as_owner {
    my ($self, @command) = @_;

    my ($uid, $gid) = (stat $self->{voice}{stack}{data})[4, 5];
    return @command if $uid == $>;

    return ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups',
            @command);
}


sub stop {
    my ($self) = @_;

    for my $server (reverse @{$self->{all}}) {
        my $pid = $server->{pid} or next;
        CORE::kill('CONT', $pid);
        $self->kill($server, $server->{sockets} ? 'INT' : 'KILL');
    }
}


# A test that dies leaves nothing behind.
sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    $self->stop if $$ == $self->{pid};
}


1;
