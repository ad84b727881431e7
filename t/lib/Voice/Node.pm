package Voice::Node;

# One more edge on the PostgreSQL and Redis of a stack: another node, or
# another configuration.
#
#   my $node = Voice::Node->start($voice, 'second',
#       sample => 'tls', set => { CERTIFICATE => $file }, edit => sub {...});
#   $node->call('list_test_suites', as => $owner);
#   $node->stop;
#
# A node is a Voice: it calls and streams as one, and shares its people.
# edit gets the directory of the configuration before nginx starts.  Logs are
# checked with the stack's own.

use strict;
use warnings;

use File::Path qw(make_path);
use IO::Socket::INET;
use POSIX ();

use Voice;

our @ISA = ('Voice');


sub start {
    my ($class, $voice, $name, %opt) = @_;

    my $self = $class->prepare($voice, $name, %opt);
    $self->start_nginx;

    return $self;
}


# Its configuration alone.
sub prepare {
    my ($class, $voice, $name, %opt) = @_;

    my $stack = $voice->{stack};
    my $data = "$stack->{data}/$name";
    my $port = Port::free();

    make_path(map { "$data/$_" } qw(etc run tmp s));
    my $self = bless {
        %$voice, data => $data, port => $port, nginx => $stack->{nginx},
        base_url => "http://127.0.0.1:$port",
        stack => { %$stack, port => $port },
        log => "$stack->{log}/$name.log",
    }, $class;

    $self->hang_up;
    $self->configure($opt{sample}, %{$opt{set} || {}});
    $opt{edit}->("$data/etc") if $opt{edit};
    $self->own;

    return $self;
}


# nginx -t: its status and output.
sub test {
    my ($self) = @_;

    my %preload = %{$self->{stack}{preload}};
    local @ENV{keys %preload} = values %preload;
    my $pid = open(my $out, '-|') // die "node: fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        my @command = $self->as_owner($self->nginx_command('-t'));
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    my $text = join '', <$out>;
    close $out;

    return ($? >> 8, $text);
}


sub configure {
    my ($self, $sample, %set) = @_;

    my ($stack, $data) = ($self->{stack}, $self->{data});
    my %value = (
        APP => "$stack->{data}/app", ETC => "$data/etc", DATA => $data,
        OBJECTS => $stack->{objects}, TMP => "$data/tmp",
        LOG => $stack->{log}, RUN => "$data/run", SOCKETS => "$data/s",
        LISTEN => "127.0.0.1:$self->{port}", PROCESSES => 1,
        NODES => $stack->{nodes} > 1 ? $stack->{nodes} : 3,
        POSTGRES_HOST => $stack->{sockets}, DATABASE => $stack->{database},
        REDIS_PORT => $stack->{redis_port}, %set,
    );

    system("$Voice::ROOT/bin/voicegate-configure", '--templates',
           "$Voice::ROOT/conf", '--out', "$data/etc", '--secrets',
           $stack->{secrets}, $sample ? ('--sample', $sample) : (),
           map { "$_=$value{$_}" } sort keys %value) == 0
        or die "node: it cannot be configured\n";
    system('cp', '-p', "$stack->{data}/etc/functions.txt",
           "$data/etc/") == 0 or die "node: cp: $?\n";
}


# To the owner of the stack's data, as whom nginx runs.
sub own {
    my ($self) = @_;

    my ($uid, $gid) = (stat $self->{stack}{data})[4, 5];
    return if $uid == $>;

    system('chown', '-R', "$uid:$gid", $self->{data},
           $self->{stack}{secrets}) == 0 or die "node: chown: $?\n";
}


sub start_nginx {
    my ($self) = @_;

    my $pid = fork() // die "node: fork: $!\n";

    if ($pid == 0) {
        my %preload = %{$self->{stack}{preload}};
        @ENV{keys %preload} = values %preload;
        open STDOUT, '>>', "$self->{dir}/node.log";
        open STDERR, '>&', \*STDOUT;
        my @command = $self->as_owner($self->nginx_command);
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    die 'node: ' . Voice::slurp("$self->{dir}/node.log") if $? != 0;

    $self->wait_for(sub { $self->pid('nginx') && $self->answers }, 60)
        or die "node: nginx does not come up\n";
}


sub nginx_command {
    my ($self, @more) = @_;

    return ($self->{nginx} // '/usr/sbin/nginx', '-p', $self->{data}, '-e',
            $self->{log}, '-c', "$self->{data}/etc/nginx.conf", @more);
}


sub as_owner {
    my ($self, @command) = @_;

    my ($uid, $gid) = (stat $self->{data})[4, 5];
    return @command if $uid == $>;

    return ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups',
            @command);
}


sub answers {
    my ($self) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => $self->{port}, Timeout => 5);
}


# voicegate-reload: its status and output.
sub reload {
    my ($self) = @_;

    $self->own;
    $self->hang_up;
    my %preload = %{$self->{stack}{preload}};
    local @ENV{keys %preload} = values %preload;
    my $output = `$Voice::ROOT/bin/voicegate-reload --pid-file \\
        $self->{data}/run/nginx.pid 2>&1`;

    return ($? >> 8, $output);
}


# Pid of its nginx; other services are the stack's.
sub pid {
    my ($self, $service) = @_;

    return $self->SUPER::pid($service) if $service ne 'nginx';

    my ($pid) = (eval { Voice::slurp("$self->{data}/run/nginx.pid") } // '')
        =~ /^(\d+)/;

    return $pid && Voice::alive($pid) ? $pid : 0;
}


sub stop {
    my ($self) = @_;

    my $pid = $self->pid('nginx') or return;
    $self->hang_up;
    kill 'QUIT', $pid;
    $self->wait_for(sub { !Voice::alive($pid) }, 60);
}


# A test that dies leaves nothing behind.
sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    my $pid = $$ == $self->{pid} && $self->pid('nginx');
    kill 'QUIT', $pid if $pid;
}


1;
