package Bench::Client;

# A client of a queue of jobs: commands on its stdin, each answered by
# "figures" and numbers; t/tools/jobs.c, bench/peers/jobs_celery_client.py
# and bench/bullmq/client.js say which.

use strict;
use warnings;

use IPC::Open2 qw(open2);


my %alive;      # clients that run, by pid
my $owner = $$;


# start(env => {...}, command => [...])
sub start {
    my ($class, %arg) = @_;

    local @ENV{keys %{$arg{env}}} = values %{$arg{env}};
    my $self = bless { name => $arg{command}[-1] }, $class;
    $self->{pid} = open2($self->{out}, $self->{in}, @{$arg{command}});
    $alive{$self->{pid}} = 1;
    $self->line('ready');

    return $self;
}


# The numbers of a command; warm => sub {} is called when it is warm.
sub ask {
    my ($self, $command, %arg) = @_;

    print {$self->{in}} "$command\n";
    $self->{in}->flush;

    if ($arg{warm}) {
        $self->line('warm');
        $arg{warm}->();
    }

    my @figures = split ' ', $self->line('figures');
    die "bench: $self->{name} fails: $command\n" if !@figures;

    return @figures;
}


sub line {
    my ($self, $word) = @_;

    my $line = readline($self->{out}) // '';
    $line =~ s/^\Q$word\E\b\s*// or die "bench: no $word: $line\n";

    return $line;
}


sub stop {
    my ($self) = @_;

    close $self->{in};
    waitpid $self->{pid}, 0;
    delete $alive{$self->{pid}};
}


# What it waits for may have ended before it.
END {
    local ($?, $@, $!);
    kill 'KILL', keys %alive if $$ == $owner;
}


1;
