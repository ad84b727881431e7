package Voice::Packets;

# Packets of calls: single ones, floods of them, calls whose row is locked.
#
#   my $packets = Voice::Packets->new($voice, $key);
#   my $reply = $packets->packet('one', 0, data => 'text');
#
# What holds for all requests: as (a person or a key), to (a node).

use strict;
use warnings;

use IO::Handle;
use IPC::Open2;
use JSON::PP;
use POSIX ();

use Voice;
use Voice::Raw;

use constant PATH => '/v1/call/stream';

my $json = JSON::PP->new->utf8->canonical;
my $keys = 0;


sub new {
    my ($class, $voice, $key) = @_;

    return bless { voice => $voice, key => $key, metrics => {} }, $class;
}


# A key of a tenant's owner with these scopes.
sub key {
    my ($voice, $who, @scopes) = @_;

    my $reply = $voice->call('create_api_key', as => $who, body => {
        name => 'key ' . ++$keys, role => 'api_client',
        scopes => \@scopes });

    return { api_key => $reply->{json}{data}{secret},
             id => $reply->{json}{data}{id} };
}


# Queries of the stack's edge get a minute, so that a slow machine fails no
# test that holds a lock.
sub patient {
    my ($voice) = @_;

    my $file = "$voice->{stack}{data}/etc/edge.conf";
    my $text = Voice::slurp($file);
    my %old = map { $_ => 1 } $voice->children('nginx');

    $text =~ s/ timeout=5s/ timeout=60s/ or die 'no timeout';
    Voice::spew($file, $text);
    kill 'HUP', $voice->pid('nginx');
    $voice->wait_for(sub {
        my @now = $voice->children('nginx');
        return @now && !grep { $old{$_} } @now;
    }) or die 'nginx takes no configuration';
}


# Sends one packet: data, body (bytes), raw (the id stands as it is).
sub packet {
    my ($self, $call, $sequence, %opt) = @_;

    my $to = $opt{to} // $self->{voice};
    my $as = $opt{as} // $self->{key};
    my $id = $opt{raw} ? $call : Voice::escape($call);
    my %header = ('Content-Type' => 'application/json', $as->{token}
        ? (Authorization => "Bearer $as->{token}")
        : ('X-API-Key' => $as->{api_key}));

    return $to->request('POST', PATH . "/$id", headers => \%header,
        content => $opt{body} // body($sequence, $opt{data}));
}


sub body {
    my ($sequence, $data) = @_;

    return $json->encode({ sequence => $sequence + 0,
        data => $data // "data $sequence", timestamp => 1732600000.25 });
}


# Its bytes on a connection.
sub message {
    my ($self, $call, $sequence) = @_;

    my $body = body($sequence);

    return 'POST ' . PATH . "/$call HTTP/1.1\r\nHost: x\r\n"
        . "X-API-Key: $self->{key}{api_key}\r\n"
        . "Content-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}


# On a connection of its own, which is returned.
sub send_one {
    my ($self, $call, $sequence, %opt) = @_;

    my $raw = Voice::Raw->new($opt{to} // $self->{voice});
    $raw->put($self->message($call, $sequence));

    return $raw;
}


# Waits until so many packets are held; how many are.
sub waits {
    my ($self, $n, $node) = @_;

    $self->{voice}->wait_for(sub {
        return $self->scrape($node)->{voice_ingest_held} == $n;
    }, 20);

    return $self->{metrics}{voice_ingest_held};
}


sub scrape {
    my ($self, $node) = @_;

    my $text = ($node // $self->{voice})->request('GET', '/metrics')
        ->{content};

    return $self->{metrics} = { map { /^([^# ]\S*) (\d+)$/ ? ($1 => $2) : () }
                                    split /\n/, $text };
}


# By how much a figure has grown since the last scrape.
sub grown {
    my ($self, $name) = @_;

    my $before = $self->{metrics}{$name};

    return $self->scrape->{$name} - $before;
}


# Holds a call's row until unlock().
sub lock_call {
    my ($self, $call) = @_;

    my $stack = $self->{voice}{stack};
    local $ENV{PGPASSWORD} = Voice::slurp("$stack->{secrets}/postgres");
    my $pid = open2(my $out, my $in, 'psql', '-XAtq', '-h',
        $stack->{sockets}, '-U', 'postgres', '-d', $stack->{database});
    $in->autoflush;
    print $in "begin;\nselect 'locked' from core.call_stream"
        . " where external_id = '$call' for update;\n";
    readline $out;

    return { pid => $pid, in => $in, out => $out };
}


sub unlock {
    my ($lock) = @_;

    print {$lock->{in}} "commit;\n\\q\n";
    waitpid $lock->{pid}, 0;
}


# Packets of the calls whose id begins so; 0 if PostgreSQL does not answer.
sub stored {
    my ($self, $call) = @_;

    return eval { $self->{voice}->sql('select count(*) from core.packet p'
        . ' join core.call c on c.id = p.call_id where c.external_id'
        . " like '$call%'") } || 0;
}


# A child for each of n calls sends packets until it is told to end; one that
# was not answered 202 is sent again.
sub start_load {
    my ($self, $name, $n) = @_;

    my @children;
    for my $i (1 .. $n) {
        my $pid = open(my $out, '-|') // die "fork: $!";
        if ($pid == 0) {
            $self->load("$name-$i");
            POSIX::_exit(0);
        }
        push @children, { pid => $pid, out => $out };
    }

    return { children => \@children, name => $name };
}


sub load {
    my ($self, $call) = @_;

    my ($end, $sequence, %status, $raw) = (0, 0);
    local $SIG{TERM} = sub { $end = 1 };

    until ($end) {
        $raw //= eval { Voice::Raw->new($self->{voice}) };
        my $reply = $raw && $raw->put($self->message($call, $sequence))
            ? $raw->reply : undef;
        undef $raw if !$reply
            || ($reply->{headers}{connection} // '') eq 'close';
        $status{$reply->{status}}++ if $reply;
        if ($reply && $reply->{status} == 202) { $sequence++ }
        else { select undef, undef, undef, 0.02 }
    }

    print $json->encode({ call => $call, sequence => $sequence,
                          status => \%status });
    close STDOUT;
}


# How many packets were told to be stored, and all statuses.
sub end_load {
    my ($load) = @_;

    kill 'TERM', map { $_->{pid} } @{$load->{children}};
    my ($told, %status) = (0);

    for my $child (@{$load->{children}}) {
        my $text = join '', readline $child->{out};
        close $child->{out};
        my $result = $json->decode($text);
        $told += $result->{sequence};
        $load->{told}{$result->{call}} = $result->{sequence};
        $status{$_} += $result->{status}{$_} for keys %{$result->{status}};
    }

    return ($told, \%status);
}


# Packets that were told to be stored and are not.
sub lost {
    my ($self, $load) = @_;

    my $lost = 0;
    for my $call (sort keys %{$load->{told}}) {
        my $told = $load->{told}{$call};
        $lost += $told - $self->{voice}->sql('select count(*) from'
            . ' core.packet p join core.call c on c.id = p.call_id where'
            . " c.external_id = '$call' and p.sequence < $told");
    }

    return $lost;
}


1;
