package Voice::Pool;

# One more worker pool on the stores of a stack, with a name of its own.
#
#   my $pool = Voice::Pool->start($voice, 'second', set => { grace_seconds
#                                 => 1, 'queue probe' => 4 });
#   $pool->kill('KILL');            # its supervisor
#   $pool->kill_child('KILL');
#   $pool->start;                   # anew, after it died
#   is($pool->stop, 0, 'ends in good order');
#
# The log is the stack's; settings are the stack's with what set says (undef:
# not that line).

use strict;
use warnings;

use POSIX ();

use Voice;
use Voice::Node;


sub new {
    my ($class, $voice, $name, %opt) = @_;

    my $data = $voice->{stack}{data};
    my $self = bless { voice => $voice, name => $name, owner => $$,
                       file => "$data/etc/$name.conf",
                       program => "$data/app/voicegate-worker" }, $class;

    $self->configure(%{$opt{set} || {}});

    return $self;
}


sub start {
    my ($class, @arguments) = @_;

    my $self = ref $class ? $class : $class->new(@arguments);
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        my @command = ($self->{program}, '--config', $self->{file});
        my ($uid, $gid) = (stat $self->{voice}{stack}{data})[4, 5];
        unshift @command, 'setpriv', "--reuid=$uid", "--regid=$gid",
            '--clear-groups' if $uid != $>;

        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{voice}{dir}/$self->{name}.out";
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    $self->{pid} = $pid;

    return $self;
}


# The agent of the stack's own pool is of no use once that is gone.
sub configure {
    my ($self, %set) = @_;

    my $text = Voice::slurp("$self->{voice}{stack}{data}/etc/workers.conf");
    my ($listen) = $text =~ /^agent_listen = (\S+)/m;
    my $own = '127.0.0.1:' . Port::free();

    $text =~ s/\Q$listen\E/$own/g;
    $text =~ s/^pid_file = .*/pid_file =/m;
    $text =~ s/^worker_name = .*\n//m;
    for my $key (sort keys %set) {
        $text =~ s/^\Q$key\E = .*\n//m;
        $text = "$key = $set{$key}\n$text" if defined $set{$key};
    }

    Voice::spew($self->{file}, "worker_name = $self->{name}\n$text");
    my ($uid, $gid) = (stat $self->{voice}{stack}{data})[4, 5];
    chown $uid, $gid, $self->{file};
}


sub children {
    my ($self) = @_;

    my $pid = $self->{pid} or return;
    my $list = eval { Voice::slurp("/proc/$pid/task/$pid/children") } // '';

    return split ' ', $list;
}


# Has it ended by itself?
sub gone {
    my ($self) = @_;

    return 1 if !$self->{pid};
    return 0 if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;

    $self->{pid} = 0;

    return 1;
}


# Its supervisor, waited for if that ends it.
sub kill {
    my ($self, $signal) = @_;

    return 0 if $self->gone || !CORE::kill($signal, $self->{pid});

    if ($signal eq 'KILL') {
        waitpid $self->{pid}, 0;
        $self->{pid} = 0;
    }

    return 1;
}


sub kill_child {
    my ($self, $signal) = @_;

    my @children = $self->children or return 0;

    return CORE::kill($signal, $children[rand @children]);
}


# In good order; its exit status.
sub stop {
    my ($self, $seconds) = @_;

    my $pid = $self->{pid} or return 0;
    my $status;

    CORE::kill('TERM', $pid);
    $self->{voice}->wait_for(sub {
        $status = $? if waitpid($pid, POSIX::WNOHANG()) == $pid;
        return defined $status;
    }, $seconds // 60);
    $self->kill('KILL') if !defined $status;
    $self->{pid} = 0;

    return $status // -1;
}


# A test that dies leaves nothing behind.
sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    $self->kill('KILL') if $$ == $self->{owner};
}


1;
