package Voice::Ctl;

# voicectl with a home of its own, run on pipes or on a terminal.
#
#   my $ctl = Voice::Ctl->new(VOICEGATE_URL => $voice->{base_url},
#                             VOICEGATE_API_KEY => $key);
#   my $r = $ctl->run('runs', 'list', '--json');    # {code, out, err, json}
#   my $r = $ctl->terminal(60, 'runs', 'list');     # {code, screen}

use strict;
use warnings;

use File::Temp qw(tempdir tempfile);
use IO::Pty;
use IO::Select;
use JSON::PP;
use POSIX ();

use constant SECONDS => 120;       # of a command, at most

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


# The environment of its commands; nothing else of VOICEGATE_ is in it.
sub new {
    my ($class, %env) = @_;

    my $build = $ENV{VOICE_BUILD} || "$Voice::ROOT/build";
    my $home = tempdir('voice-ctl-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    return bless { program => "$build/voicectl", home => $home, env => \%env,
                   faults => [] }, $class;
}


# The same home with more in its environment.
sub with {
    my ($self, %env) = @_;

    return bless { %$self, env => { %{$self->{env}}, %env } }, ref $self;
}


# An option {in => text} may come first.
sub run {
    my ($self, @words) = @_;

    my %option = ref $words[0] ? %{shift @words} : ();
    my %file = map { $_ => (tempfile(DIR => $self->{home}))[1] }
        qw(in out err);
    Voice::spew($file{in}, $option{in} // '');

    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<', $file{in};
        open STDOUT, '>', $file{out};
        open STDERR, '>', $file{err};
        $self->execute(@words);
    }
    waitpid $pid, 0;

    my %result = (code => code($?), map { $_ => Voice::slurp($file{$_}) }
                  qw(out err));
    unlink values %file;
    $result{json} = eval { $json->decode($result{out}) };
    $result{problem} = eval { $json->decode($result{err}) };
    $self->look($result{err});

    return \%result;
}


# On a terminal of so many columns; {type => [[qr/what is seen/, text]],
# resize => [qr/what is seen/, columns], kill => [qr/what is seen/, signal]}
# may come first.
sub terminal {
    my ($self, $columns, @words) = @_;

    my %option = ref $words[0] ? %{shift @words} : ();
    my @type = @{$option{type} // []};
    my $pty = IO::Pty->new or die "no terminal: $!";
    $pty->slave->set_winsize(40, $columns);

    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        $pty->make_slave_controlling_terminal;
        my $slave = $pty->slave;
        close $pty;
        open STDIN, '<&', $slave;
        open STDOUT, '>&', $slave;
        open STDERR, '>&', $slave;
        $self->execute(@words);
    }
    $pty->close_slave;

    my $screen = '';
    my $select = IO::Select->new($pty);
    while ($select->can_read(SECONDS)) {
        sysread($pty, $screen, 65536, length $screen) or last;
        if (@type && $screen =~ $type[0][0]) {
            syswrite $pty, (shift @type)->[1];
        }
        if ($option{resize} && $screen =~ $option{resize}[0]) {
            $pty->set_winsize(40, (delete $option{resize})->[1]);
        }
        if ($option{kill} && $screen =~ $option{kill}[0]) {
            kill +(delete $option{kill})->[1], $pid;
        }
    }
    close $pty;
    waitpid $pid, 0;
    $self->look($screen);

    return { code => code($?), screen => $screen };
}


sub execute {
    my ($self, @words) = @_;

    alarm SECONDS;
    delete @ENV{grep { /^(?:VOICEGATE_|XDG_|NO_COLOR|COLUMNS)/ } keys %ENV};
    %ENV = (%ENV, HOME => $self->{home}, TERM => 'xterm', %{$self->{env}});
    exec $self->{program}, @words or POSIX::_exit(127);
}


# The exit code; of a signal, 1000 and its number, so that no code is it.
sub code {
    my ($status) = @_;

    return $status & 127 ? 1000 + ($status & 127) : $status >> 8;
}


# What sanitizers say is kept.
sub look {
    my ($self, $text) = @_;

    push @{$self->{faults}}, $text
        if $text =~ /Sanitizer|runtime error:/;
}


sub faults { return @{$_[0]{faults}} }


1;
