package Voice;

# The harness: a stack of its own for a test file, calls by operationId, and
# the checks that every file ends with.
#
#   my $voice = Voice->start;
#   my $owner = $voice->tenant('acme');
#   my $reply = $voice->call('create_test_suite', as => $owner,
#                            body => { name => 'Booking' });
#   is($reply->{status}, 201, 'a suite is made');
#   $voice->finish;
#
# VOICE_BUILD names the build (default build), VOICE_SANITIZE=1 says that it
# has ASan and UBSan.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use lib abs_path(dirname(__FILE__) . '/../../bin/lib');
use Port;
use Voice::Stream;

our $ROOT = abs_path(dirname(__FILE__) . '/../..');

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my %started;    # stacks that are not finished, by directory


# --- the stack ------------------------------------------------------------

# Options: root and build (of another checkout), processes (nginx), nodes (that will share its limits), workers
# (children of each queue; 0: no pool), settings and profiles (of the pool,
# see configure_workers), durable (PostgreSQL waits for the disk).
sub start {
    my ($class, %opt) = @_;

    my $build = $opt{build} || $ENV{VOICE_BUILD} || "$ROOT/build";
    my $self = bless {
        root    => $opt{root} // $ROOT,
        dir     => tempdir('voice-test-XXXXXXXX', TMPDIR => 1, CLEANUP => 1),
        pid     => $$,
        build   => abs_path($build),
        options => ['--test', '--build', $build,
                    '--processes', $opt{processes} // 1,
                    $opt{nodes} ? ('--nodes', $opt{nodes}) : (),
                    '--workers', $opt{workers} || 1,
                    $opt{durable} ? '--durable' : (),
                    $ENV{VOICE_SANITIZE} ? '--sanitize' : ()],
        exchanges => [],
    }, $class;

    $self->hang_up;
    $started{$self->{dir}} = $self;

    my $pool = !defined $opt{workers} || $opt{workers} > 0;
    my $configured = $opt{settings} || $opt{profiles};
    $self->start_services($pool && !$configured
                          ? '' : qw(postgres redis nginx));

    $self->{stack} = $json->decode(slurp("$self->{dir}/stack.json"));
    if ($pool && $configured) {
        $self->configure_workers($opt{settings}, $opt{profiles});
        $self->start_services('workers');
    }

    $self->{base_url} = $self->{stack}{base_url};
    $self->{contract} = $json->decode(
        $self->{http}->get("$self->{base_url}/openapi.json")->{content});
    $self->{operations} = operations($self->{contract});

    return $self;
}


sub start_services {
    my ($self, @services) = @_;

    for my $service (@services) {
        my $output = $self->stack('start', $service || ());
        next if $? == 0;
        # A bail-out shows one line only.
        BAIL_OUT('the stack does not start: ' . $output =~ s/\n+/ | /gr);
    }
}


# Adds settings, {default_asr => 'fake'}, and profiles, {'agent fake' =>
# {provider => 'http', api_key => $secret}}, to what bin/stack has written;
# client_key and api_key go to files.  The pool must be started afterwards.
sub configure_workers {
    my ($self, $settings, $profiles) = @_;

    my $etc = "$self->{stack}{data}/etc";
    my $text = $self->{workers_conf} //= slurp("$etc/workers.conf");

    for my $key (sort keys %{$settings || {}}) {
        $text =~ s/^\Q$key\E = .*\n//m;
        $text = "$key = $settings->{$key}\n$text";
    }

    for my $name (sort keys %{$profiles || {}}) {
        my %value = %{$profiles->{$name}};
        for my $secret (grep { defined $value{$_} } qw(client_key api_key)) {
            my $file = "$etc/$name.$secret" =~ s/ /./gr;
            spew($file, delete $value{$secret});
            $value{"${secret}_file"} = $file;
        }
        $text .= "\n[$name]\n"
            . join '', map { "$_ = $value{$_}\n" } sort keys %value;
    }

    spew("$etc/workers.conf", $text);
}


# nginx.conf of a directory as one text, what it includes from there in place.
sub nginx_conf {
    my ($etc) = @_;

    my $text = slurp("$etc/nginx.conf");
    1 while $text =~ s{^ *include \Q$etc\E/(\w+\.conf);\n}
                      {slurp("$etc/$1")}gme;

    return $text;
}


# Ends the connection that calls are made on.  A process of nginx that exits
# gives one that is idle two seconds more.
sub hang_up {
    my ($self) = @_;

    $self->{http} = HTTP::Tiny->new(timeout => 60, keep_alive => 1);
}


# Runs bin/stack; its output, with $? set.
sub stack {
    my ($self, @words) = @_;

    $self->hang_up;
    my @command = ("$self->{root}/bin/stack", '--dir', "$self->{dir}",
                   @{$self->{options}}, @words);
    my $pid = open(my $out, '-|') // die "fork: $!";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec @command or die "$command[0]: $!";
    }

    my $text = join '', <$out>;
    close $out;

    return $text;
}


# Pid of a service (postgres, redis, nginx, workers), 0 if there is none.
sub pid {
    my ($self, $service) = @_;

    my %file = (postgres => 'pg/postmaster.pid', redis => 'run/redis.pid',
                nginx => 'run/nginx.pid', workers => 'run/workers.pid');
    my $path = "$self->{stack}{data}/$file{$service}";

    return 0 unless -s $path;
    my ($pid) = slurp($path) =~ /^(\d+)/;

    return alive($pid) ? $pid : 0;
}


# A process that has ended and that nobody has reaped yet is gone: daemons may
# be reaped late.
sub alive {
    my ($pid) = @_;

    my $stat = eval { slurp("/proc/$pid/stat") } // return 0;

    return $stat !~ /\) Z /;
}


sub children {
    my ($self, $service) = @_;

    my $pid = $self->pid($service) or return;
    my $list = eval { slurp("/proc/$pid/task/$pid/children") } // '';

    return grep { /\d/ } split ' ', $list;
}


# Runs SQL as the superuser; the rows, columns split by "|".
sub sql {
    my ($self, $query, %variable) = @_;

    local $ENV{PGPASSWORD} = slurp("$self->{stack}{secrets}/postgres");
    my @set = map { ('-v', "$_=$variable{$_}") } sort keys %variable;

    my $in = "$self->{dir}/query.sql";
    spew($in, "$query\n");
    open my $out, '-|', 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h',
        $self->{stack}{sockets}, '-U', 'postgres', '-d',
        $self->{stack}{database}, @set, '-f', $in or die "psql: $!";
    my $rows = join '', <$out>;
    close $out;
    chomp $rows;

    return $rows;
}


# One Redis command; the reply: a scalar, a list reference or undef.
sub redis {
    my ($self, @words) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{stack}{redis_port}, Timeout => 5)
        or return undef;

    for my $command (['AUTH', slurp("$self->{stack}{secrets}/redis")],
                     [@words])
    {
        print $socket '*' . @$command . "\r\n",
            map { '$' . length($_) . "\r\n$_\r\n" } @$command;
        my $reply = redis_reply($socket);
        return $reply if $command->[0] ne 'AUTH' || !defined $reply;
    }

    return undef;
}


sub redis_reply {
    my ($socket) = @_;

    my $line = <$socket> // return undef;
    $line =~ s/\r\n\z//;
    my ($type, $rest) = (substr($line, 0, 1), substr($line, 1));

    return $rest if $type =~ /[+:]/;
    die "redis: $rest\n" if $type eq '-';
    return undef if $rest < 0;
    return [map { redis_reply($socket) } 1 .. $rest] if $type eq '*';

    read $socket, my $bytes, $rest + 2;

    return substr($bytes, 0, $rest);
}


# --- people ---------------------------------------------------------------

# A tenant with an owner who is logged in: {token, email, password,
# tenant_id, user_id}.
sub tenant {
    my ($self, $name) = @_;

    return $self->person($name, 'owner', "owner\@$name.example");
}


# A person with a role in a tenant (made if it does not exist), logged in.
sub person {
    my ($self, $tenant, $role, $email) = @_;

    $email //= "$role\@$tenant.example";
    my $password = 'Correct-Horse-9';
    # Cost 4 keeps the tests quick; the edge takes any cost it finds.
    my $hash = crypt($password, '$2b$04$abcdefghijklmnopqrstuv');

    $self->sql('select work.bootstrap(:\'email\', :\'hash\', :\'tenant\','
               . ' :\'role\')', email => $email, hash => $hash,
               tenant => $tenant, role => $role);
    $self->forgive;

    return $self->login($email, $password);
}


# Wrong passwords of the past count no more, for nobody.
sub forgive {
    my ($self) = @_;

    # the first release did not count them
    $self->sql('delete from core.login_attempt') if $self->{root} eq $ROOT;
}


sub login {
    my ($self, $email, $password) = @_;

    my $reply = $self->call('login', body => { email => $email,
                                               password => $password });
    my $data = $reply->{json}{data};

    return { token => $data->{tokens}{access_token},
             refresh_token => $data->{tokens}{refresh_token},
             email => $email, password => $password,
             tenant_id => $data->{tenant}{id}, user_id => $data->{user}{id},
             status => $reply->{status} };
}


# --- calls ----------------------------------------------------------------

# Calls an operation by its operationId: path => {id => ...},
# query => {...}, body => any, as => a person or {api_key => ...},
# headers => {...}.  The exchange is checked against the contract when the
# test ends.  Returns {status, headers, content, json}.
sub call {
    my ($self, $name, %arg) = @_;

    my $operation = $self->{operations}{$name}
        or die "no operation '$name' in the contract";
    my $path = $operation->{path};

    $path =~ s/\{(\w+)\}/escape($arg{path}{$1} \/\/ die "$name: no $1")/ge;
    if ($arg{query}) {
        $path .= '?' . join '&', map { "$_=" . escape($arg{query}{$_}) }
            sort keys %{$arg{query}};
    }

    my %headers = %{$arg{headers} || {}};
    if (my $actor = $arg{as}) {
        if ($actor->{api_key}) { $headers{'X-API-Key'} = $actor->{api_key} }
        else { $headers{Authorization} = "Bearer $actor->{token}" }
    }

    my $content;
    if (exists $arg{body}) {
        $headers{'Content-Type'} //= 'application/json';
        $content = $json->encode($arg{body});
    }

    my $reply = $self->request($operation->{method}, $path,
                               headers => \%headers, content => $content);
    # 599: a connection that broke, not an exchange
    push @{$self->{exchanges}}, { method => $operation->{method},
        path => $operation->{path}, operation => $name,
        status => $reply->{status} + 0, content => $reply->{content},
        type => $reply->{headers}{'content-type'} // '' }
        if $reply->{status} != 599;

    return $reply;
}


# Any HTTP request: headers => {}, content => bytes.
sub request {
    my ($self, $method, $path, %arg) = @_;

    my %options = (headers => $arg{headers} || {});
    $options{content} = $arg{content} if defined $arg{content};

    my $reply = $self->{http}->request($method, "$self->{base_url}$path",
                                       \%options);
    if (($reply->{headers}{'content-type'} // '') =~ /json/) {
        $reply->{json} = eval { $json->decode($reply->{content}) };
    }

    return $reply;
}


# An open SSE stream (Voice::Stream): ->next(seconds) gives its events.
sub stream {
    my ($self, $path, %headers) = @_;

    return Voice::Stream->open($self->{stack}{port}, $path, %headers);
}


sub operations {
    my ($contract) = @_;

    my %operations;
    for my $path (keys %{$contract->{paths}}) {
        my $item = $contract->{paths}{$path};
        for my $method (grep { /^(get|post|put|patch|delete)$/ } keys %$item) {
            my $operation = $item->{$method};
            $operations{$operation->{operationId}} = {
                %$operation, path => $path, method => uc $method };
        }
    }

    return \%operations;
}


# --- waiting --------------------------------------------------------------

# Polls until the condition gives something true, and returns it; undef when
# the time is over.  The only place that waits.
sub wait_for {
    my ($self, $condition, $seconds) = @_;

    my $deadline = time + ($seconds // 60);

    while (1) {
        my $value = $condition->();
        return $value if $value;
        return undef if time > $deadline;
        select undef, undef, undef, 0.05;
    }
}


# Follows a test run to its end; its last state.
sub wait_run {
    my ($self, $actor, $id, $seconds) = @_;

    my $run;
    $self->wait_for(sub {
        my $reply = $self->call('get_test_run', as => $actor,
                                path => { id => $id });
        $run = $reply->{json}{data};
        return $run && $run->{status} !~ /^(pending|running)$/;
    }, $seconds // 120);

    return $run;
}


# --- the end --------------------------------------------------------------

# What every test file ends with.  alerts => qr/.../ names alert lines that
# the test provoked on purpose.
sub finish {
    my ($self, %arg) = @_;

    $self->check_exchanges;
    $self->check_idle if $self->pid('nginx') && $self->pid('redis');

    $self->stack('stop');

    $self->check_logs($arg{alerts});
    $self->stack('clean');
    delete $started{$self->{dir}};

    done_testing();
}


# Every exchange by call() is what the contract says.
sub check_exchanges {
    my ($self) = @_;

    my $log = "$self->{dir}/exchanges.jsonl";
    spew($log, join '', map { $json->encode($_) . "\n" }
                            @{$self->{exchanges}});
    my $contract = "$self->{dir}/contract.json";
    spew($contract, $json->encode($self->{contract}));

    my $faults = `$self->{build}/tools/exchange $contract $log 2>&1`;

    ok($? == 0, 'every exchange is as the contract says') or diag($faults);
}


# Nothing is left in flight.
sub check_idle {
    my ($self) = @_;

    my $idle = $self->wait_for(sub {
        for my $queue (qw(test_execution validation call_processing
                             schedule)) {
            my $pending = eval { $self->redis('XPENDING',
                                     "voice:queue:$queue", 'workers') };
            return 0 if ref $pending && $pending->[0];
        }
        my $metrics = $self->request('GET', '/metrics')->{content};
        # The scrape itself is one query.
        return 0 if $metrics =~ /^voice_postgres_in_flight\S* ([2-9]|\d\d)/m;
        return $metrics =~ /^voice_postgres_waiting\S* 0$/m;
    }, 30);

    ok($idle, 'pools are idle and no stream entry is pending');
}


sub check_logs {
    my ($self, $provoked) = @_;

    my @bad;
    for my $file (glob "$self->{stack}{log}/*.log") {
        open my $in, '<', $file or next;
        while (my $line = <$in>) {
            next unless $line =~ /\[(?:alert|emerg|crit)\]
                |AddressSanitizer|LeakSanitizer|runtime\ error:
                |exited\ on\ signal|Assertion/x;
            next if $provoked && $line =~ $provoked;
            push @bad, "$file: $line";
        }
    }

    ok(!@bad, 'no alert and no sanitizer line in the logs')
        or diag(@bad > 20 ? @bad[0 .. 19] : @bad);
}


# A test that dies leaves nothing behind.  Not in DESTROY: the stack's
# directory is gone when objects are.
END {
    local ($?, $@, $!);
    for my $self (grep { $$ == $_->{pid} } values %started) {
        $self->stack($ENV{VOICE_KEEP} ? 'stop' : 'clean');
    }
}


# --- small things ---------------------------------------------------------

sub escape {
    my ($text) = @_;

    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([^A-Za-z0-9._~,-])/sprintf '%%%02X', ord $1/ge;

    return $text;
}


sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or die "$file: $!";
    local $/;

    return <$in> // '';
}


sub spew {
    my ($file, $text) = @_;

    open my $out, '>:raw', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
}


1;
