package Voice::Jwks;

# A server of keys that is told how to misbehave, and counts its requests.
#
#   my $server = Voice::Jwks->start;                # or tls => [cert, key]
#   my $key = Voice::Jwks::key('ec', 'first');      # or rsa
#   $server->serve(keys => [$key]);                 # and mode => 'slow', ...
#   $server->url; $server->requests; $server->down; $server->up;
#   my $token = $key->token({ iss => ..., aud => ..., exp => ... });
#
# Each request is answered by a process of its own, so that a slow one keeps
# no other.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use JSON::PP;
use MIME::Base64 qw(encode_base64url decode_base64);
use POSIX ();
use Time::HiRes ();

my $json = JSON::PP->new->canonical;
my $temp = tempdir('voice-jwks-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $made = 0;


# --- the server -----------------------------------------------------------

# What a reply may be instead of the plain one.  Each gets the socket, the
# body and what serve() was told.
my %modes = (
    plain    => sub { put($_[0], head($_[2], length $_[1]), $_[1]) },
    slow     => sub {
        wait_a_while($_[2]{seconds});
        put($_[0], head($_[2], length $_[1]), $_[1]);
    },
    hang     => sub { IO::Select->new($_[0])->can_read },
    close    => sub { },
    error    => sub { put($_[0], "HTTP/1.1 500 Oops\r\nContent-Length: 0"
                          . "\r\n\r\n") },
    broken   => sub { put($_[0], head($_[2], 9), '{"keys":[') },
    page     => sub {
        put($_[0], head($_[2], 22), '<html>Sign in</html>..');
    },
    cut      => sub { put($_[0], head($_[2], 1 + length $_[1]), $_[1]) },
    redirect => sub {
        put($_[0], "HTTP/1.1 302 Found\r\nLocation: $_[2]{to}\r\n"
            . "Content-Length: 0\r\n\r\n");
    },
    huge     => sub {
        put($_[0], "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
            . '{"keys":[', map { (' ' x 1024) } 1 .. 4096);
    },
    announced => sub { put($_[0], head($_[2], 1 << 30), '{') },
    headers  => sub {
        put($_[0], "HTTP/1.1 200 OK\r\n",
            map { "X-$_: " . 'x' x 1000 . "\r\n" } 1 .. 10000);
    },
    drip     => sub {
        put($_[0], head($_[2], length $_[1]));
        for my $byte (split //, $_[1]) {
            put($_[0], $byte) or last;
            wait_a_while(0.2);
        }
    },
);


sub start {
    my ($class, %opt) = @_;

    my $self = bless { dir => tempdir('XXXXXXXX', DIR => $temp), owner => $$,
                       port => 0, tls => $opt{tls} }, $class;
    spew("$self->{dir}/requests", '');
    $self->serve(keys => []);
    $self->up;

    return $self;
}


sub url {
    my ($self, $host) = @_;

    my $scheme = $self->{tls} ? 'https' : 'http';
    $host //= $self->{tls} ? 'localhost' : '127.0.0.1';

    return "$scheme://$host:$self->{port}/keys";
}


# keys => [...] or body => text; mode, seconds, to (of a redirect), type and
# cache (Content-Type and Cache-Control).
sub serve {
    my ($self, %told) = @_;

    my @keys = map { $_->{jwk} } @{delete $told{keys} // []};
    $told{body} //= $json->encode({ keys => \@keys });
    spew("$self->{dir}/told.new", $json->encode({ mode => 'plain', %told }));
    rename "$self->{dir}/told.new", "$self->{dir}/told" or die "rename: $!";
}


# How many there were since the start.
sub requests { return -s "$_[0]{dir}/requests" }


# Nobody listens; up again on the same port.
sub down {
    my ($self) = @_;

    my $pid = delete $self->{server} or return;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}


sub up {
    my ($self) = @_;

    my $socket;
    for (1 .. 100) {
        # Below the kernel's ephemeral range: it stays ours while we are down.
        my $port = $self->{port} || 10240 + int(rand(22000));
        $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $port, Listen => 1024, ReuseAddr => 1) or next;
        $self->{port} = $port;
        last;
    }
    die "jwks: port $self->{port}: $!\n" unless $socket;

    my $pid = fork() // die "jwks: fork: $!\n";
    return $self->{server} = $pid if $pid;

    eval { $self->listen($socket) };
    POSIX::_exit(0);
}


sub listen {
    my ($self, $socket) = @_;

    $SIG{CHLD} = 'IGNORE';
    $SIG{TERM} = 'DEFAULT';

    # A test that was killed leaves no server behind.
    $socket->timeout(1);

    while (getppid == $self->{owner}) {
        my $client = $socket->accept or next;
        $client->timeout(undef);
        my $pid = fork();
        if (defined $pid && $pid == 0) {
            $SIG{ALRM} = sub { POSIX::_exit(0) };
            $SIG{PIPE} = 'IGNORE';
            alarm 60;
            close $socket;
            eval { $self->answer($client) };
            POSIX::_exit(0);
        }
        close $client;
    }
}


sub answer {
    my ($self, $client) = @_;

    if ($self->{tls}) {
        my ($certificate, $key) = @{$self->{tls}};
        $client = IO::Socket::SSL->start_SSL($client, SSL_server => 1,
            SSL_cert_file => $certificate, SSL_key_file => $key) or return;
    }

    my $head = '';
    until ($head =~ /\r\n\r\n/) {
        sysread($client, $head, 4096, length $head) or return;
    }

    open my $count, '>>', "$self->{dir}/requests" or die $!;
    syswrite $count, '.';
    close $count;

    my $told = $json->decode(slurp("$self->{dir}/told"));
    $modes{$told->{mode}}->($client, $told->{body}, $told);
    close $client;
}


sub head {
    my ($told, $length) = @_;

    my $type = $told->{type} // 'application/json';
    my $cache = defined $told->{cache}
        ? "Cache-Control: $told->{cache}\r\n" : '';

    return "HTTP/1.1 200 OK\r\nContent-Type: $type\r\n${cache}"
        . "Content-Length: $length\r\n\r\n";
}


sub put {
    my ($client, @text) = @_;

    for my $text (@text) {
        print {$client} $text or return 0;
        $client->flush;
    }

    return 1;
}


# The load of a server that misbehaves, not a wait for something.
sub wait_a_while { select undef, undef, undef, $_[0] }


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    $self->down if $$ == $self->{owner};
}


# --- keys and tokens ------------------------------------------------------

# A new key: ec (P-256) or rsa, with the members of its JWK that are given.
sub key {
    my ($type, $kid, %member) = @_;

    my $file = "$temp/key" . ++$made;
    run('openssl', 'genpkey', '-quiet', '-out', $file,
        $type eq 'ec'
        ? ('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256')
        : ('-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'));

    my $der = run('openssl', 'pkey', '-in', $file, '-pubout', '-outform',
                  'DER');
    my %public = $type eq 'ec'
        ? (kty => 'EC', crv => 'P-256',
           x => encode_base64url(substr $der, -64, 32),
           y => encode_base64url(substr $der, -32))
        : (kty => 'RSA', e => 'AQAB', n => encode_base64url(pack 'H*',
              run('openssl', 'rsa', '-in', $file, '-noout', '-modulus')
              =~ s/\AModulus=|\s+\z//gr));

    return bless { type => $type, file => $file, kid => $kid,
        alg => $type eq 'ec' ? 'ES256' : 'RS256',
        jwk => { %public, defined $kid ? (kid => $kid) : (), %member } },
        'Voice::Jwks::Key';
}


# A key that no server has: nobody gets to verify its signatures.
sub unknown {
    my ($kid) = @_;

    return bless { type => 'none', kid => $kid, alg => 'ES256' },
        'Voice::Jwks::Key';
}


# Two CAs, and a certificate for "localhost" of the first, in a directory: the
# files {ca, other_ca, good => [certificate, key]}.
sub certificates {
    my ($directory) = @_;

    my @new = qw(openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256
                 -nodes);
    my %tls = (good => ["$directory/tls.pem", "$directory/tls.key"]);

    for my $name (qw(ca other_ca)) {
        $tls{$name} = "$directory/$name.pem";
        run(@new, '-x509', '-days', 2, '-subj', "/CN=$name",
            '-keyout', "$directory/$name.key", '-out', $tls{$name});
    }

    run(@new, '-subj', '/CN=localhost', '-keyout', $tls{good}[1], '-out',
        "$directory/tls.csr");
    spew("$directory/names", "subjectAltName=DNS:localhost\n");
    run(qw(openssl x509 -req -days 2 -in), "$directory/tls.csr", '-CA',
        $tls{ca}, '-CAkey', "$directory/ca.key", '-extfile',
        "$directory/names", '-out', $tls{good}[0]);

    return %tls;
}


sub run {
    my @command = @_;

    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh', @command
        or die "$command[0]: $!";
    binmode $out;
    local $/;
    my $text = <$out>;
    close $out or die "@command: $?";

    return $text;
}


sub slurp {
    open my $in, '<:raw', $_[0] or die "$_[0]: $!";
    local $/;
    return <$in>;
}


sub spew {
    open my $out, '>:raw', $_[0] or die "$_[0]: $!";
    print $out $_[1];
    close $out or die "$_[0]: $!";
}


package Voice::Jwks::Key;

use MIME::Base64 qw(encode_base64url);


# A token of these claims, header => {...} more or other members of its head.
sub token {
    my ($self, $claims, %opt) = @_;

    my %head = (typ => 'JWT', alg => $self->{alg},
                defined $self->{kid} ? (kid => $self->{kid}) : (),
                %{$opt{header} || {}});
    delete $head{$_} for grep { !defined $head{$_} } keys %head;

    my $message = join '.', map { encode_base64url($json->encode($_)) }
        \%head, $claims;
    return "$message." . encode_base64url("\1" x 64)
        if $self->{type} eq 'none';

    Voice::Jwks::spew("$self->{file}.message", $message);
    my $signature = Voice::Jwks::run('openssl', 'dgst', '-sha256', '-sign',
                                     $self->{file}, "$self->{file}.message");
    $signature = raw($signature) if $self->{type} eq 'ec';

    return "$message." . encode_base64url($signature);
}


# DER's two integers as 32 bytes each (RFC 7515 appendix A.3).
sub raw {
    my ($der) = @_;

    my ($r, $s) = unpack 'x3 C/a x C/a', $der;

    return join '', map { substr "\0" x 32 . $_, -32 } $r, $s;
}


1;
