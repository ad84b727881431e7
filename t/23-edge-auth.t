#!/usr/bin/perl

# voice_auth in front of another server: who comes through, what that server
# learns of him, and how the others are refused.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Node;
use Voice::Raw;
use Voice::Stream;
use Voice::Upstream;

my $voice = Voice->start(workers => 0, nodes => 3);
my $upstream = Voice::Upstream->start('crm');
my $http2 = Port::free();
my $node = Voice::Node->start($voice, 'gate', edit => \&configure);
my %as = map { $_ => $voice->person('acme', $_) }
    qw(owner admin supervisor viewer qa_lead);

credentials();
roles();
scopes();
optional();
upstream_learns();
bodies();
streams();
files();
satisfy();
redirects();
error_pages();
unusual();
hidden();
http2();
refused_directives();
more_than_fit();
failures();

$node->stop;
$voice->finish(alerts => qr{\[emerg\].*gate\.conf});


sub configure {
    my ($etc) = @_;

    my $port = $upstream->port;
    mkdir "$etc/files";
    Voice::spew("$etc/files/index.html", 'index');
    Voice::spew("$etc/files/page.html", 'page');

    Voice::spew("$etc/edge.conf", Voice::slurp("$etc/edge.conf") . <<"END");
log_format whole '\$request|\$request_uri|\$args';
access_log $etc/whole.log whole;
END

    Voice::spew("$etc/gate.conf", <<"END");
    proxy_set_header X-Tenant \$voice_tenant;
    proxy_set_header X-Actor \$voice_actor;
    proxy_set_header X-Role \$voice_role;
    proxy_set_header X-Plan \$voice_plan;
    proxy_set_header X-Request-Id \$voice_request_id;
    proxy_set_header Authorization "";
    proxy_set_header X-API-Key "";
    proxy_http_version 1.1;

    location /any/ {
        voice_auth on;
        proxy_pass http://127.0.0.1:$port/;
    }
    location /any/open/ {
        voice_auth off;
        proxy_pass http://127.0.0.1:$port/;
    }
    location /nest/ {
        voice_auth on;
        location /nest/api/ {
            voice_api on;
            location /nest/api/inside/ {
                proxy_pass http://127.0.0.1:$port/;
            }
        }
    }
    location /any/inherits/ {
        proxy_pass http://127.0.0.1:$port/;
    }
    location /supervisors/ {
        voice_auth on role=supervisor;
        proxy_pass http://127.0.0.1:$port/;
    }
    location /reviewers/ {
        voice_auth on role=qa_lead,admin;
        proxy_pass http://127.0.0.1:$port/;
    }
    location /scoped/ {
        voice_auth on scope=test-suites:read;
        proxy_pass http://127.0.0.1:$port/;
    }
    location /optional/ {
        voice_auth optional role=supervisor;
        proxy_pass http://127.0.0.1:$port/;
    }
    location /as-it-comes/ {
        voice_auth on;
        proxy_set_header Host \$host;
        proxy_pass http://127.0.0.1:$port/;
    }
    location /live/ {
        voice_auth on;
        proxy_buffering off;
        proxy_pass http://127.0.0.1:$port/stream/;
    }
    location /files/ {
        voice_auth on role=supervisor;
        error_page 404 /files/page.html;
        root $etc;
        index index.html;
    }
    location /satisfy/ {
        satisfy any;
        voice_auth on;
        deny all;
        proxy_pass http://127.0.0.1:$port/;
    }
    location /satisfy-address/ {
        satisfy any;
        voice_auth on;
        allow 127.0.0.0/8;
        deny all;
        proxy_pass http://127.0.0.1:$port/;
    }
    location /from/ {
        voice_auth on;
        try_files /none \@to;
    }
    location \@to {
        voice_auth on role=supervisor;
        proxy_pass http://127.0.0.1:$port;
    }
    location /paged/ {
        voice_auth on role=supervisor;
        error_page 401 /login.html;
        error_page 403 /voice-error;
        proxy_pass http://127.0.0.1:$port/;
    }
    location = /login.html {
        voice_auth off;
        return 200 "log in";
    }
    location = /who {
        voice_auth on;
        try_files /none \@who;
    }
    location \@who {
        return 200 "\$voice_actor";
    }
    location /return/ {
        voice_auth on;
        error_page 418 = \@echo;
        return 418;
    }
    location \@echo {
        proxy_pass http://127.0.0.1:$port;
    }
    include $etc/locations.conf;
END

    my $text = Voice::slurp("$etc/nginx.conf");
    $text =~ s{include \Q$etc\E/locations.conf;}{include $etc/gate.conf;}
        or die 'no locations';
    $text =~ s{(listen [^;]*;)}{$1 listen 127.0.0.1:$http2 http2;}
        or die 'no listen';
    Voice::spew("$etc/nginx.conf", $text);
}


sub get {
    my ($path, $as, %headers) = @_;

    $headers{Authorization} = "Bearer $as->{token}" if $as && $as->{token};
    $headers{'X-API-Key'} = $as->{api_key} if $as && $as->{api_key};

    return $node->request('GET', $path, headers => \%headers);
}


sub key {
    my (%body) = @_;

    my $made = $voice->call('create_api_key', as => $as{owner},
                            body => \%body)->{json}{data};

    return { api_key => $made->{secret}, id => $made->{id} };
}


sub credentials {
    my $none = get('/any/x');
    is($none->{status}, 401, 'nobody comes in without credentials');
    is($none->{json}{error}{code}, 'AUTH_INVALID_TOKEN',
       'and is told so as by the API');
    ok($none->{headers}{'x-request-id'}, 'with the id of the request');

    my $in = get('/any/x?a=b', $as{owner});
    is($in->{status}, 200, 'a token opens the location');
    is($in->{json}{target}, '/x?a=b', 'the server behind it is reached');
    is(get('/any/x', $as{owner})->{status}, 200, 'again from memory');

    my $key = key(name => 'any', role => 'api_client');
    is(get('/any/x', $key)->{status}, 200, 'so does an API key');

    my %bad = (
        'a token with another signature' => { Authorization => 'Bearer '
            . $as{owner}{token} =~ s/.{8}\z/AAAAAAAA/r },
        'a token that is none'  => { Authorization => 'Bearer x' },
        'a scheme of others'    => { Authorization => 'Basic YTpi' },
        'nothing after Bearer'  => { Authorization => 'Bearer ' },
        'a key that is none'    => { 'X-API-Key' => "$key->{api_key}x" },
        'a key of a kilobyte'   => { 'X-API-Key' => 'k' x 1024 },
        'a known key as a token' => { Authorization => 'Bearer '
            . $key->{api_key} },
        'a known token as a key' => { 'X-API-Key' => $as{owner}{token} },
    );
    for my $what (sort keys %bad) {
        is(get('/any/x', undef, %{$bad{$what}})->{status}, 401,
           "$what is refused");
    }

    is(get('/any/open/x')->{status}, 200,
       'a location inside opens itself again');
    is(get('/any/inherits/x')->{status}, 200,
       'one that says nothing beside it is open');
    is(get('/nest/api/inside/x')->{status}, 401,
       'one inside the API\'s inherits what is around that');
    is($node->request('HEAD', '/any/x')->{status}, 401,
       'HEAD is refused alike');
    is($node->request('OPTIONS', '/any/x')->{status}, 401, 'so is OPTIONS');
}


sub roles {
    my %expected = (
        '/supervisors/' => { owner => 200, admin => 200, supervisor => 200,
                             viewer => 403, qa_lead => 403 },
        '/reviewers/'   => { owner => 200, admin => 200, supervisor => 403,
                             viewer => 403, qa_lead => 200 },
    );

    for my $path (sort keys %expected) {
        for my $role (sort keys %{$expected{$path}}) {
            is(get($path, $as{$role})->{status}, $expected{$path}{$role},
               "$path answers $expected{$path}{$role} to $role");
        }
    }

    is(get('/supervisors/', $as{viewer})->{json}{error}{code},
       'AUTH_INSUFFICIENT_PERMISSIONS', 'with the code of the API');
}


sub scopes {
    my $with = key(name => 'with', role => 'api_client',
                   scopes => ['test-suites:read']);
    my $without = key(name => 'without', role => 'api_client',
                      scopes => ['test-runs:read']);

    is(get('/scoped/x', $with)->{status}, 200, 'a key with the scope is in');
    my $refused = get('/scoped/x', $without);
    is($refused->{status}, 403, 'one without is not');
    is($refused->{json}{error}{message},
       'The API key lacks the scope test-suites:read.', 'and told which');
    is(get('/any/x', $without)->{status}, 200,
       'where no scope is asked for it is');
    is(get('/scoped/x', $as{viewer})->{status}, 200,
       'a person has all scopes of his role');
}


sub optional {
    my $in = get('/optional/x');

    is($in->{status}, 200, 'who sends no credentials comes in as nobody');
    is("$in->{json}{headers}{'x-tenant'}", '', 'of no tenant')
        if exists $in->{json}{headers}{'x-tenant'};
    is(get('/optional/x', $as{owner})->{json}{headers}{'x-role'}, 'owner',
       'who sends some is known');
    is(get('/optional/x', $as{viewer})->{status}, 403,
       'and judged by his role');
    is(get('/optional/x', undef, Authorization => 'Bearer x')->{status}, 401,
       'wrong ones are refused');
}


sub upstream_learns {
    my $headers = get('/any/x', $as{owner}, 'X-Request-Id' => 'abc-1',
        'X-Tenant' => 'forged', 'X-Role' => 'platform_admin',
        'X-Actor' => 'forged')->{json}{headers};

    is($headers->{'x-tenant'}, $as{owner}{tenant_id}, 'the tenant');
    is($headers->{'x-actor'}, $as{owner}{user_id}, 'the user');
    is($headers->{'x-role'}, 'owner', 'the role, not what the client says');
    is($headers->{'x-plan'}, 'standard', 'the plan');
    is($headers->{'x-request-id'}, 'abc-1', 'the id of the request');
    ok(!exists $headers->{authorization}, 'not the token');

    my $key = key(name => 'learns', role => 'api_client');
    $headers = get('/any/x', $key)->{json}{headers};
    is($headers->{'x-actor'}, $key->{id}, 'a key\'s id');
    ok(!exists $headers->{'x-api-key'}, 'not the key');

    ok(exists get('/as-it-comes/x', $as{owner})
        ->{json}{headers}{authorization},
       'the token goes through where the operator lets it');
}


sub bodies {
    my $body = 'x' x 100_000;
    my %header = (Authorization => "Bearer $as{owner}{token}",
                  'Content-Type' => 'text/plain');

    is($node->request('POST', '/any/x', headers => \%header,
                      content => $body)->{json}{body}, $body,
       'a body comes through as it was sent');
    is($node->request('POST', '/any/x', content => $body)->{status}, 401,
       'that of a stranger does not');
    is(get('/any/x', $as{owner})->{status}, 200,
       'and spoils nothing of what follows');
}


sub streams {
    my $stream = Voice::Stream->open($node->{port}, '/live/x',
        Authorization => "Bearer $as{owner}{token}");

    is($stream->{status}, 200, 'a stream of the server behind is opened');
    is_deeply([map { ($stream->next(10) // {})->{json}{n} } 1 .. 3],
              [1, 2, 3], 'and its events come');
    is(Voice::Stream->open($node->{port}, '/live/x')->{status}, 401,
       'to nobody without credentials');
}


sub files {
    is(get('/files/page.html')->{status}, 401, 'files are kept, too');
    is(get('/files/page.html', $as{owner})->{content}, 'page',
       'for those who may');
    is(get('/files/', $as{owner})->{content}, 'index',
       'also through an index');
    is(get('/files/page.html', $as{viewer})->{status}, 403, 'and no others');

    my $missing = get('/files/none', $as{owner});
    is("$missing->{status} $missing->{content}", '404 page',
       'error pages are shown');
}


sub satisfy {
    is(get('/satisfy/x', $as{owner})->{status}, 200,
       'with "satisfy any" a token is enough');
    is(get('/satisfy/x')->{status}, 401, 'nothing is not');
    is(get('/satisfy-address/x')->{status}, 200, 'an address is enough');
    is(get('/satisfy-address/x', undef, 'X-API-Key' => 'x')->{status}, 200,
       'even with a wrong key');
}


sub redirects {
    is(get('/from/x', $as{owner})->{status}, 200,
       'inside nginx the request goes on as who it was');
    is(get('/from/x', $as{owner})->{json}{headers}{'x-role'}, 'owner',
       'with its variables');
    is(get('/from/x', $as{viewer})->{status}, 403,
       'and is judged by the place where it arrives');
    is(get('/return/x', $as{owner})->{json}{headers}{'x-role'} // '', '',
       'a return answers before anybody is asked for');
}


sub error_pages {
    my $page = get('/paged/x');
    is("$page->{status} $page->{content}", '401 log in',
       'an error page of the operator is shown');

    my $ours = get('/paged/x', $as{viewer});
    is($ours->{status}, 403, 'our own one, too');
    is($ours->{json}{error}{message}, 'The role does not allow this.',
       'with what was wrong');
}


# Pipelined, on one connection, as nobody and as somebody.
sub unusual {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $node->{port}, Timeout => 5);
    print $socket "GET /any/1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /any/2 HTTP/1.1\r\nHost: x\r\n",
        "Authorization: bearer $as{owner}{token}\r\n\r\n",
        "GET /any/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    my $all = join '', <$socket>;

    is(join(' ', $all =~ m{HTTP/1\.1 (\d+)}g), '401 200 401',
       'credentials are those of one request');
}


# What an operator's own log format writes of a request.
sub hidden {
    my $path = '/events/stream/00000000-0000-7000-8000-000000000001';
    my $token = $as{owner}{token};
    my $reply = $node->request('GET', "$path?access%5Ftoken=$token");

    like($reply->{status}, qr/^40[34]\z/,
         'the name of a token in the query may be encoded');

    my $line = $voice->wait_for(sub {
        (grep { index($_, $path) >= 0 }
            split /\n/, Voice::slurp("$node->{data}/etc/whole.log"))[0];
    }, 10);
    like($line, qr/access%5Ftoken=x+ HTTP.*\|.*\|.*=x+\z/,
         'and the token is in no log then');
}


sub http2 {
    my $ask = sub {
        open my $in, '-|', 'curl', '-sk', '-o', '/dev/null', '-w',
            '%{http_version} %{http_code}', '--http2-prior-knowledge', @_,
            "http://127.0.0.1:$http2/any/x" or die "curl: $!";
        return join '', <$in>;
    };

    is($ask->(), '2 401', 'over HTTP/2 nobody comes in, either');
    is($ask->('-H', "Authorization: Bearer $as{owner}{token}"), '2 200',
       'but with a token');
    is($ask->('-H', "Authorization: Bearer $as{owner}{token}", '-d', 'x=y'),
       '2 200', 'and with a body');
}


sub refused_directives {
    my %fault = (
        'voice_auth maybe'          => qr/"off", "on" or "optional"/,
        'voice_auth on role=king'   => qr/unknown role "king"/,
        'voice_auth on role='       => qr/unknown role ""/,
        'voice_auth on role=admin,' => qr/unknown role ""/,
        'voice_auth on scope='      => qr/invalid parameter "scope="/,
        'voice_auth on color=red'   => qr/invalid parameter "color=red"/,
        'voice_auth on; voice_auth off' => qr/duplicate/,
        'voice_hosts perhaps'       => qr/"on" or "off"/,
    );

    my $conf = "$node->{data}/etc/gate.conf";
    my $good = Voice::slurp($conf);
    my %preload = %{$node->{stack}{preload}};
    local @ENV{keys %preload} = values %preload;

    for my $line (sort keys %fault) {
        Voice::spew($conf, $good =~ s{(location /any/ \{\s*)voice_auth on;}
                                     {$1$line;}r);
        my $output = join ' ', map { quotemeta }
            $node->as_owner($node->nginx_command('-t'));
        $output = `$output 2>&1`;
        isnt($?, 0, "\"$line\" is refused");
        like($output, $fault{$line}, 'with the reason');
    }

    Voice::spew($conf, $good);
}


# The smallest zone knows some 1,200 credentials at once: what does not fit
# is verified anew, and nobody is taken for another one.
sub more_than_fit {
    my $keys = 2000;
    my $small = Voice::Node->start($voice, 'small', edit => sub {
        my ($etc) = @_;
        configure($etc);
        my $text = Voice::slurp("$etc/edge.conf");
        $text =~ s/voice_zone \w+;/voice_zone 1m;/ or die 'no zone';
        Voice::spew("$etc/edge.conf", $text);
        $text = Voice::slurp("$etc/nginx.conf");
        $text =~ s/listen \S+ http2;//;
        Voice::spew("$etc/nginx.conf", $text);
    });

    $voice->sql("insert into core.api_key (tenant_id, name, prefix, last_four,"
        . " hash, role) select '$as{owner}{tenant_id}', 'fit' || n, 'vgk_',"
        . " 'aaaa', encode(sha256(convert_to('fit' || n, 'UTF8')), 'hex'),"
        . " 'viewer' from generate_series(1, $keys) n");
    my %id = map { split /\|/ } split /\n/, $voice->sql(
        "select name, id from core.api_key where name like 'fit%'");

    for my $round (1, 2) {
        my $wrong = 0;
        for my $n (1 .. $keys) {
            my $reply = $small->request('GET', '/who', headers => {
                'X-API-Key' => "fit$n" });
            $wrong++ if $reply->{content} ne $id{"fit$n"};
        }
        is($wrong, 0, "round $round: $keys keys are who they are");
    }

    my $text = $small->request('GET', '/metrics')->{content};
    my ($misses) = $text =~ /^voice_credential_misses_total (\d+)/m;
    cmp_ok($misses, '>', $keys, 'those that did not fit were verified again');
    is($text =~ /^voice_watch_lag_seconds/m, 1, 'and the edge is well');

    $small->stop;
}


# Who guesses is not even verified any more; others of his address are.
sub failures {
    my $raw = Voice::Raw->new($node, '127.0.0.9');
    my $ask = sub {
        my ($raw, $header) = @_;
        $raw->put("GET /any/x HTTP/1.1\r\nHost: x\r\n$header\r\n\r\n");
        return $raw->reply // die 'no reply';
    };
    my $good = "Authorization: Bearer $as{owner}{token}";

    is($ask->($raw, $good)->{status}, 200, 'who is known');

    my ($refused, $n);
    for ($n = 0; $n < 2000 && !$refused; $n++) {
        my $reply = $ask->($raw, "X-API-Key: guess$n");
        $refused = $reply if $reply->{status} == 429;
    }
    ok($refused, 'somebody who guesses on is refused');
    cmp_ok($n, '>', 100, 'not too soon');
    ok($refused->{headers}{'retry-after'}, 'with a time to come again');

    is($ask->($raw, $good)->{status}, 200,
       'comes in from that address as before');
    my $other = Voice::Raw->new($node, '127.0.0.10');
    is($ask->($other, 'X-API-Key: guess')->{status}, 401,
       'other addresses may still err');
}
