package Bench::Keys;

# Tokens by the thousand: of our own key, and of two foreign issuers with an
# RSA and an EC key.

use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP;
use MIME::Base64 qw(decode_base64url);

use Bench::Server;

my %kind = (rs256 => 'RSA -pkeyopt rsa_keygen_bits:2048',
            es256 => 'EC -pkeyopt ec_paramgen_curve:P-256');


# Keys for the claims of a gate's owner.
sub new {
    my ($class, $gate) = @_;

    my $self = bless {
        dir => tempdir('voice-bench-XXXXXXXX', TMPDIR => 1, CLEANUP => 1),
        claims => decode_json(decode_base64url(
            (split /\./, $gate->{owner}{token})[1])),
    }, $class;

    # nginx's master reads them as another user
    chmod 0755, $self->{dir};
    $self->{claims}{exp} = time + 86400;
    Bench::Server::spew("$self->{dir}/hs256.key", $gate->secret('jwt'));

    for my $alg (sort keys %kind) {
        my $key = "$self->{dir}/$alg.key";
        system("openssl genpkey -algorithm $kind{$alg} -out $key"
               . " 2>/dev/null && openssl pkey -in $key -pubout -out"
               . " $self->{dir}/$alg.pub") == 0 or die "bench: no key\n";
        chmod 0644, "$self->{dir}/$alg.pub";
    }

    return $self;
}


# Directives that make the edge take the foreign ones.
sub issuers {
    my ($self) = @_;

    return join '', map { <<"END" } sort keys %kind;
    voice_jwt_issuer name=https://$_.example audience=voicegate alg=\U$_\E
                     key_file=$self->{dir}/$_.pub kid=$_
                     tenant_claim=/tenant_id role_claim=/role role=owner:owner;
END
}


# A file with so many different tokens, one a line.
sub file {
    my ($self, $alg, $count) = @_;

    my $file = "$self->{dir}/$alg.$count";
    my %claims = (%{$self->{claims}},
                  $kind{$alg} ? (iss => "https://$alg.example",
                                 aud => 'voicegate') : ());
    my $kid = $kind{$alg} ? $alg : 'main';
    my $json = encode_json(\%claims);

    system("$Bench::Server::ROOT/build/tools/tokens \U$alg\E"
           . " $self->{dir}/$alg.key $kid $count '$json' >$file") == 0
        or die "bench: no tokens\n";

    return $file;
}


sub tokens {
    my ($self, $alg, $count) = @_;

    return split /\n/, Bench::Server::slurp($self->file($alg, $count));
}


1;
