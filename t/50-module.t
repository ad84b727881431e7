#!/usr/bin/perl

# The module as nginx loads it: what it shows, which configurations it
# refuses and where it says the fault is, and what never stands in a log.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Path qw(remove_tree);
use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Raw;
use Voice::Resources;

my $json = JSON::PP->new->utf8->canonical->pretty;
my $voice = Voice->start(workers => 0);
my $data = $voice->{stack}{data};
my $broken = "$voice->{dir}/openapi";

symbols();
accepted();
refused_contracts();
refused_directives();
logs_keep_secrets();

$voice->finish;


# hiredis and our library stay inside: nchan shows another hiredis.
sub symbols {
    my @shown = sort map { (split)[-1] }
        grep { / [A-TV-Z] / }
        `nm -D --defined-only $voice->{build}/ngx_voice_module.so`;
    chomp @shown;

    is("@shown", 'ngx_module_names ngx_module_order ngx_modules',
       'the module shows what nginx needs and nothing else');
}


# --- configurations -------------------------------------------------------

sub accepted {
    my ($code, $text) = test_configuration(sub { });

    is($code, 0, 'the configuration as it is passes') or diag($text);
}


# A fault in the contract is found by nginx -t, with the file and the place.
sub refused_contracts {
    my $suites = '/api/v1/test-suites';
    my %fault = (
        'an unknown function' => [sub {
            $_[0]{paths}{$suites}{get}{operationId} = 'no_such_function';
        }, qr/unknown function "api\.no_such_function".*\Q$suites\E/],
        'an operation without roles' => [sub {
            delete $_[0]{paths}{$suites}{get}{'x-role'};
        }, qr/x-role/],
        'an unknown role' => [sub {
            $_[0]{paths}{$suites}{get}{'x-role'} = 'emperor';
        }, qr/emperor|x-role/],
        'an operation without a limit' => [sub {
            delete $_[0]{paths}{$suites}{get}{'x-limit'};
        }, qr/x-limit/],
        'an unknown limit' => [sub {
            $_[0]{paths}{$suites}{get}{'x-limit'} = 'sometimes';
        }, qr/sometimes|x-limit/],
        'an operation without a name' => [sub {
            delete $_[0]{paths}{$suites}{get}{operationId};
        }, qr/operationId/],
        'a reference to nothing' => [sub {
            $_[0]{paths}{$suites}{post}{requestBody}{content}
                {'application/json'}{schema}
                = { '$ref' => '#/components/schemas/NoSuchThing' };
        }, qr/NoSuchThing|\$ref/],
        'a parameter that refers to nothing' => [sub {
            push @{$_[0]{paths}{$suites}{get}{parameters}},
                { '$ref' => '#/components/parameters/NoSuchOne' };
        }, qr/NoSuchOne|\$ref/],
        'a capture without a parameter' => [sub {
            $_[0]{paths}{"$suites/{other}"}{get}
                = delete $_[0]{paths}{"$suites/{id}"}{get};
            $_[0]{paths}{"$suites/{other}"}{parameters} = [];
        }, qr/other|id/],
        'a path twice' => [sub {
            $_[0]{paths}{'/api/v1/auth/me'} = $_[0]{paths}{$suites};
        }, qr/auth~1me.*again/],
        'a name twice' => [sub {
            $_[0]{paths}{$suites}{get}{operationId} = 'list_users';
        }, qr/list_users/],
        'a component twice' => [sub {
            $_[0]{components}{schemas}{User} = { type => 'string' };
        }, qr/User/],
        'a schema that is none' => [sub {
            $_[0]{paths}{$suites}{get}{parameters}
                = [{ name => 'x', in => 'query',
                     schema => { type => 'text' } }];
        }, qr/type/],
        'a pattern that is none' => [sub {
            $_[0]{components}{schemas}{TestSuiteCreate}{properties}{name}
                {pattern} = '(unclosed';
        }, qr/pattern/],
    );

    for my $what (sort keys %fault) {
        my ($break, $place) = @{$fault{$what}};
        my ($code, $text) = test_configuration(sub {
            my $file = "$broken/test_suites.json";
            my $document = $json->decode(Voice::slurp($file));
            $break->($document);
            Voice::spew($file, $json->encode($document));
        });

        isnt($code, 0, "$what is refused");
        like($text, $place, "and named");
        like($text, qr/test_suites\.json|\Q$suites\E/,
             "with its place");
    }

    my %text = (
        'a file of broken JSON' => '{"paths": {',
        'an empty file'         => '',
        'a file of a list'      => '[]',
        'a member twice'        => '{"paths": {}, "paths": {}}',
        'bytes that are no UTF-8' => "{\"paths\": {\"\xff\": {}}}",
    );
    for my $what (sort keys %text) {
        my ($code, $out) = test_configuration(sub {
            Voice::spew("$broken/extra.json", $text{$what});
        });
        isnt($code, 0, "$what is refused");
        like($out, qr/extra\.json/, 'by its name');
    }

    my ($code, $out) = test_configuration(sub {
        remove_tree($broken);
        mkdir $broken;
    });
    isnt($code, 0, 'a contract without a file is refused');
}


sub refused_directives {
    my %fault = (
        'no secret of tokens' => [qr/^\s*voice_jwt_key.*\n/m, '',
            qr/voice_jwt_key/],
        'a secret that is not there' => [qr/(voice_jwt_key [^;]*file=)[^;]*/,
            '$1/no/such/file', qr{/no/such/file}],
        'no database' => [qr/voice_postgres[^;]*;/, '', qr/voice_postgres/],
        'no Redis' => [qr/voice_redis[^;]*;/, '', qr/voice_redis/],
        'no list of functions' => [qr/voice_functions[^;]*;/, '',
            qr/voice_functions/],
        'a name of a host' => [qr/(voice_redis host=)\S+/, '$1localhost',
            qr/localhost|host/],
        'an unknown setting' => [qr/(voice_redis )/, '$1colour=red ',
            qr/colour/],
        'a contract twice' => [qr/(voice_contract [^;]*;)/, '$1 $1',
            qr/voice_contract.*duplicate/],
        'a cost below 4' => [qr/voice_password_cost \d+/,
            'voice_password_cost 3', qr/between 4 and 16.*nginx\.conf:\d/],
        'a zone too small' => [qr/voice_zone \w+/, 'voice_zone 1k',
            qr/voice_zone/],
    );

    for my $what (sort keys %fault) {
        my ($pattern, $with, $place) = @{$fault{$what}};
        my ($code, $text) = test_configuration(sub { }, sub {
            my ($configuration) = @_;
            $configuration =~ s{$pattern}{
                my $one = $1 // '';
                (my $new = $with) =~ s/\$1/$one/g;
                $new;
            }e or die "$what: nothing to change\n";
            return $configuration;
        });

        isnt($code, 0, "$what is refused");
        like($text, $place, 'by its name');
        like($text, qr/emerg/, 'loudly');
    }
}


# Runs nginx -t over copies of contract and configuration that were changed;
# its code and output.
sub test_configuration {
    my ($change_contract, $change_configuration) = @_;

    remove_tree($broken);
    system('cp', '-r', "$Voice::ROOT/conf/openapi", $broken) == 0 or die;
    $change_contract->();

    my $text = Voice::nginx_conf("$data/etc");
    $text =~ s/(voice_contract )[^;]*/$1$broken/ or die 'no contract';
    $text =~ s/^pid .*$/pid $voice->{dir}\/test.pid;/m;
    $text = $change_configuration->($text) if $change_configuration;
    Voice::spew("$voice->{dir}/nginx.conf", $text);

    # A sanitized module needs its runtime first.
    my %preload = %{$voice->{stack}{preload}};
    local @ENV{keys %preload} = values %preload;

    my $out = `/usr/sbin/nginx -p $data -e /dev/stderr -t -q \\
        -c $voice->{dir}/nginx.conf 2>&1`;

    return ($?, $out);
}


# --- logs -----------------------------------------------------------------

# Whatever is sent, and wherever it is sent to, comes into no log.
sub logs_keep_secrets {
    my $owner = $voice->tenant('acme');
    my $key = $voice->call('create_api_key', as => $owner, body => {
        name => 'robot', role => 'service' })->{json}{data}{secret};
    my $words = 'quite-unheard-of words to a robot';
    my $password = 'Never-Written-Down-7';
    my $wrong = 'Wrong-Password-Of-Mine-8';
    my $fake = 'eyJhbGciOiJIUzI1NiJ9.ZmFrZQ.c2lnbmF0dXJlLXRoYXQtaXMtZmFrZQ';

    my $id = Voice::Resources::make($voice, $owner, 'acme');
    $voice->call('update_test_case', as => $owner,
        path => { id => $id->{'test-cases'} }, body => { languages => [
            { language_code => 'en-US', input_text => $words }] });
    $voice->call('list_test_suites', as => { api_key => $key });
    $voice->call('login', body => { email => $owner->{email},
                                    password => $wrong });
    $voice->call('refresh', body => { refresh_token =>
                                          $owner->{refresh_token} });
    $voice->call('create_user', as => $owner, body => {
        email => 'new@acme.example', password => $password,
        role => 'viewer' });
    $voice->call('change_password', as => $owner, body => {
        current_password => $wrong, new_password => $password });
    $voice->request('GET', '/api/v1/auth/me', headers => {
        Authorization => "Bearer $fake" });
    $voice->request('POST', '/auth/login', headers => {
        'Content-Type' => 'application/json' },
        content => "{\"password\": \"$wrong\"");

    # In queries and paths, of operations, streams and nothing at all, and
    # in requests that nginx itself refuses.
    for my $token ($owner->{token}, $fake, $key) {
        for my $path ("/events/stream/$owner->{tenant_id}",
                      "/ws/test-runs/$id->{'test-runs'}",
                      '/api/v1/test-suites', '/health', '/nowhere',
                      '/api/v1/test-suites/x', '/%zz',
                      '/events/stream/..', '/..')
        {
            my $raw = Voice::Raw->new($voice);
            $raw->put("GET $path?access_token=$token&x=$token HTTP/1.1\r\n"
                      . "Host: x\r\nReferer: http://x/?t=$token\r\n"
                      . "X-Request-Id: a b $token\r\n"
                      . "Connection: close\r\n\r\n");
            $raw->reply;
            $raw->abort;
        }
    }
    kill 'HUP', $voice->pid('nginx');
    $voice->wait_for(sub {
        $voice->request('GET', '/health')->{status} == 200;
    }, 10);

    my %secret = (
        'an access token' => $owner->{token},
        'the signature of one' => (split /\./, $owner->{token})[2],
        'a refresh token' => $owner->{refresh_token},
        'a token that is false' => $fake,
        'an API key' => $key,
        'a password' => $owner->{password},
        'a new password' => $password,
        'a wrong password' => $wrong,
        'what was said' => $words,
        'a hash of a password' => '$2b$',
        map { ("the secret \"$_\"" =>
               Voice::slurp("$voice->{stack}{secrets}/$_")) }
            qw(postgres edge worker redis jwt agent),
    );

    my @files = glob "$voice->{stack}{log}/*";
    cmp_ok(scalar @files, '>=', 4, 'there are logs');
    for my $what (sort keys %secret) {
        my @found = grep { index(Voice::slurp($_), $secret{$what}) >= 0 }
            @files;
        is("@found", '', "$what stands in no log");
    }
}
