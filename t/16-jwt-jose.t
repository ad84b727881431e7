#!/usr/bin/perl

# Tokens between npm's jose and ours, each way, in every algorithm; where
# there is no npm, or it fetches nothing, nothing is compared.

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP;
use Test::More;

my $build = abs_path($ENV{VOICE_BUILD} || 'build');
my $tool = "$build/tools/jwt";
my $npm = "$build/npm-jose";
my $json = JSON::PP->new->canonical->utf8;

my @rules = (issuer => 'https://issuer.example/', audience => 'api');

die "no $tool: make unit\n" if !-x $tool;

fetch_jose();

my $cases = $json->decode(run('node', "$npm/tokens.mjs", 'make'));

jose_to_ours();
jose_refused();
ours_to_jose();

done_testing();


sub fetch_jose {
    plan skip_all => 'npm is missing'
        if system('command -v npm node >/dev/null') != 0;

    make_path($npm);
    copy("t/npm/jose/$_", "$npm/$_") or die "$npm/$_: $!\n"
        for qw(package.json package-lock.json tokens.mjs);

    return if -d "$npm/node_modules/jose";

    plan skip_all => "npm fetches no jose, see $npm/npm.log"
        if system("cd '$npm' && npm ci --ignore-scripts --no-audit"
                  . ' --no-fund >npm.log 2>&1') != 0;
}


# Key and token as they come, the key without what may be left out, as PEM.
sub jose_to_ours {
    my (@lines, @names, @cases);

    for my $case (@$cases) {
        my $name = name($case);

        for my $kind (qw(named nameless)) {
            push @lines, { keys_of($case), token => $case->{$kind}, @rules };
            push @names, "$name: a token that is $kind holds";
            push @cases, $case;
            next if $case->{secret};

            push @lines, { pem => $case->{pem}, kid => $case->{kid},
                           default_alg => $case->{alg}, @rules,
                           token => $case->{$kind} };
            push @names, "$name: one that is $kind, by PEM";
            push @cases, $case;
        }

        next if $case->{secret};
        push @lines, { jwks => { keys => [ $case->{bare} ] }, @rules,
                       default_alg => $case->{alg},
                       token => $case->{nameless} };
        push @names, "$name: by a key without name and algorithm";
        push @cases, $case;
    }

    my @answers = run_tool(@lines);

    for my $i (0 .. $#lines) {
        my $answer = $answers[$i];
        my $thumbprint = $cases[$i]{thumbprint} // '';
        my $eddsa = $cases[$i]{alg} eq 'Ed25519'
            && !$lines[$i]{jwks}{keys}[0]{alg};

        # without its "alg" the key is one of EdDSA: the token's does not count
        if ($eddsa) {
            is($answer->{result}, "the token's algorithm is not the key's",
               "$names[$i], not by another name of the algorithm");
        } else {
            is($answer->{result}, 'the token is valid', $names[$i]);
            is_deeply($answer->{claims}, $cases[$i]{claims},
                      "$names[$i]: the claims are those that were signed");
        }
        is($answer->{keys}[0]{thumbprint}, $thumbprint,
           "$names[$i]: the thumbprint is jose's");
    }
}


# All keys in one set: each token by its kid alone.
sub jose_refused {
    my @public = grep { !$_->{secret} } @$cases;
    my $set = { keys => [ map { $_->{jwk} } @public ] };
    my @lines;

    for my $case (@public) {
        push @lines, { jwks => $set, token => $case->{named}, @rules };
        push @lines, { jwks => $set, token => $case->{named}, @rules,
                       issuer => 'https://other.example/' };
        push @lines, { jwks => $set, token => $case->{named}, @rules,
                       audience => 'ap' };
        push @lines, { jwks => $set, token => $case->{named}, @rules,
                       now => 4102444800 };
        push @lines, { jwks => { keys => [ grep { $_->{kid} ne $case->{kid} }
                                           @{ $set->{keys} } ] },
                       token => $case->{named}, @rules };
    }

    my @answers = map { $_->{result} } run_tool(@lines);

    for my $case (@public) {
        my $name = name($case);

        is(shift @answers, 'the token is valid',
           "$name: a token finds its key among all");
        is(shift @answers, 'the token is from another issuer',
           "$name: not of another issuer");
        is(shift @answers, 'the token is for another audience',
           "$name: not for another audience");
        is(shift @answers, 'the token has expired', "$name: not expired");
        is(shift @answers, 'the token was signed by an unknown key',
           "$name: nor without its key");
    }
}


sub ours_to_jose {
    my $claims = { iss => 'voicegate', exp => 4102444800, sub => 'ünï' };
    my @secret = grep { $_->{secret} } @$cases;
    my @tokens = map { $_->{token} } run_tool(
        map { { keys_of($_), kid => $_->{kid}, claims => $claims } } @secret);

    my @lines = map { { alg => $secret[$_]{alg}, token => $tokens[$_],
                        secret => $secret[$_]{secret} } } 0 .. $#secret;
    push @lines, map { { %$_, secret => 'AQ' x 60 } } @lines;

    my $file = "$npm/ours.json";
    open my $out, '>', $file or die "$file: $!\n";
    print $out $json->encode(\@lines);
    close $out or die "$file: $!\n";

    my $answers = $json->decode(
        run('sh', '-c', "node '$npm/tokens.mjs' check <'$file'"));

    for my $i (0 .. $#secret) {
        my $alg = $secret[$i]{alg};

        is_deeply($answers->[$i]{payload}, $claims,
                  "$alg: jose takes a token of ours");
        is_deeply($answers->[$i]{header},
                  { alg => $alg, typ => 'JWT', kid => $secret[$i]{kid} },
                  "$alg: with its header");
        is($answers->[$i + @secret]{error},
           'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
           "$alg: and refuses it by another secret");
    }
}


sub keys_of {
    my ($case) = @_;

    return $case->{secret}
        ? (map { $_ => $case->{$_} } qw(secret alg kid))
        : (jwks => { keys => [ $case->{jwk} ] });
}


sub name {
    my ($case) = @_;

    my $jwk = $case->{jwk} // return $case->{alg};

    return join ' ', $case->{alg}, $jwk->{crv} // (),
        $jwk->{n} ? int(length($jwk->{n}) * 6 / 8) * 8 : ();
}


sub run_tool {
    my @lines = @_;

    my $file = "$npm/lines.json";
    open my $out, '>', $file or die "$file: $!\n";
    print $out $json->encode($_), "\n" for @lines;
    close $out or die "$file: $!\n";

    return map { $json->decode($_) }
        split /\n/, run('sh', '-c', "'$tool' <'$file'");
}


sub run {
    my @command = @_;

    open my $in, '-|', @command or die "$command[0]: $!\n";
    local $/ = undef;
    my $output = <$in>;
    close $in or die "@command: failed\n";

    return $output;
}
