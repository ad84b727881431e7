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


# {in => text, while => sub} may come first: stdin, and what is done while it
# runs.
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
    $option{while}->() if $option{while};
    waitpid $pid, 0;

    my %result = (code => code($?), map { $_ => Voice::slurp($file{$_}) }
                  qw(out err));
    unlink values %file;
    $result{json} = eval { $json->decode($result{out}) };
    $result{problem} = eval { $json->decode($result{err}) };
    $self->look($result{err});

    return \%result;
}


# On a terminal of so many columns; {on => [[qr/what is seen/, sub], ...]}
# may come first: the subs are called in turn, each once, with the terminal
# and the process.
sub terminal {
    my ($self, $columns, @words) = @_;

    my %option = ref $words[0] ? %{shift @words} : ();
    my @on = @{$option{on} // []};
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
        (shift @on)->[1]->($pty, $pid) if @on && $screen =~ $on[0][0];
    }
    close $pty;
    waitpid $pid, 0;
    $self->look($screen);

    return { code => code($?), screen => $screen };
}


# What a person types, for {on => ...}.
sub types {
    my ($text) = @_;

    return sub { syswrite $_[0], $text };
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
