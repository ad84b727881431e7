#!/usr/bin/perl

# Values of jobs, schedules and queues that are right by the contract or
# nearly so: times at the ends of what there is, zones and expressions of all
# sorts, pages far away, payloads that are deep.  None of it is our fault.
# VOICE_SEED repeats a run.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Check;

use constant RANDOM => $ENV{VOICE_TEST_LONG} ? 3000 : 120;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $seed = $ENV{VOICE_SEED} // time ^ $$;
my $voice = Voice->start(workers => 0, processes => 2);
my @people = map { $voice->person("t$_", 'platform_admin') } 1 .. 8;
my @pids = sort $voice->children('nginx');
my $owner = $people[0];
my $turn = 0;
my $asked = 0;

# what is asked here is asked often
$voice->sql("update core.tenant set plan = 'business'");
srand $seed;
note("VOICE_SEED=$seed");

my @times = ('0000-01-01T00:00:00Z', '0001-01-01T00:00:00Z',
    '-0001-01-01T00:00:00Z', '-4713-11-24T00:00:00Z', '1900-01-01T00:00:00Z',
    '1969-12-31T23:59:59.999999Z', '2016-12-31T23:59:60Z',
    '2026-02-29T00:00:00Z', '2026-10-25T00:59:59Z', '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z', '2026-01-01T00:00:00+14:00',
    '2026-01-01T00:00:00-99:99', '2026-01-01T00:00:00.' . '9' x 30 . 'Z',
    '2099-12-31T23:59:59Z', '9999-12-31T23:59:59Z',
    '9999-12-31T23:59:59-12:00', '0001-01-01T00:00:00+14:00',
    '10000-01-01T00:00:00Z', '294277-01-01T00:00:00Z', 'infinity',
    '-infinity', 'now', 'epoch', 'tomorrow', '2026-01-01', '0', '',
    "2026-01-01T00:00:00Z\n", '2026-01-01t00:00:00z', '2026-W01-1T00:00:00Z',
    "\x{662}\x{660}\x{662}\x{666}-01-01T00:00:00Z");
my @zones = ('UTC', 'utc', 'Europe/Berlin', 'europe/berlin', 'EST5EDT',
    'Factory', 'localtime', 'posixrules', 'posix/Europe/Berlin',
    'right/Europe/Berlin', 'Etc/GMT-14', 'Etc/GMT+12', '+25:00', '-00:00',
    '<+99>-99', 'UTC+167:59:59', 'EST5EDT,M3.2.0,M11.1.0',
    '../../etc/passwd', 'Europe/..', ' ', 'UTC ', 'a' x 64, 'a' x 65, '$1',
    "'; drop table core.job; --", "\x{1f600}", "UTC\0", "UTC\n",
    'Antarctica/Troll', 'Africa/Casablanca', 'Pacific/Apia',
    'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Chatham',
    'Africa/Monrovia', 'Europe/Dublin', 'Australia/Lord_Howe');
my @expressions = ('* * * * * *', '59 59 23 31 12 *', '0 0 30 2 *',
    '0 0 31 2,4,6,9,11 *', '0 0 29 2 1#5', '0 0 29 2 SUN', '0 0 L * *',
    '0 0 L-30 * *', '0 0 * * 5L', '0 0 * * 1#6', '0 0 * * 1#0', '@daily',
    '@reboot', '@never', '@', '@@daily', '', ' ', '*', '* * * *',
    '* * * * * * *', '*/0 * * * *', '*/60 * * * *', '0/70 * * * *',
    '5-1 * * * *', '60 * * * *', '-1 * * * *', '1-2-3 * * * *', '1,,2 * * * *',
    ',1 * * * *', '1, * * * *', '*/99999999999999999999 * * * *',
    '99999999999999999999 * * * *', '0x10 * * * *', '1e1 * * * *',
    '+1 * * * *', '1.5 * * * *', '* * ? * ?', '? ? ? ? ?', '* * * FOO *',
    '* * * JAN-DEC MON-SUN', '* * * jan,feb Mon', '* * * * 0-7', '* * * * 7-0',
    '* * * * 8', '* * W * *', '* * 15W * *', '* * LW * *', "* *\t* *\n*",
    "* * * * *\0", "\x{a0}* * * * *", "\x{661} * * * *", '* * * * *; drop',
    join(',', 0 .. 59) . ' * * * *', join(',', (0) x 99) . ' * * * *',
    '*' x 200, '*/1' x 66, '* * 1-31 * MON#1-MON#5', '* * L,L-1 * *',
    '0 0 1 1 * 2026', '1-59/58 * * * *', 'H H * * *', '* * * * MON/2');

previews();
random_previews();
schedules();
lists();
selections();
payloads();
shares();
kinds();

cmp_ok($asked, '>', 500, 'some hundred requests were made');
is(join(' ', sort $voice->children('nginx')), "@pids",
   'no process of nginx has died');
errors_logged();
$voice->finish;


# --- times ----------------------------------------------------------------

sub previews {
    my @bad;

    for my $expression (@expressions) {
        push @bad, preview({ expression => $expression, count => 100 });
    }
    for my $zone (@zones) {
        push @bad, preview({ expression => '30 2 * * *', count => 3,
                             timezone => $zone });
    }
    for my $time (@times) {
        push @bad, preview({ expression => $_, count => 3, after => $time,
                             timezone => 'Europe/Berlin' })
            for '0 0 29 2 *', '* * * * * *';
    }
    for my $count (qw(0 -1 101 1e2 1.5 2147483648 9223372036854775808 -0
                      1e400 1e-400 "1" true null [1]), '9' x 4000)
    {
        push @bad, bad('POST', '/api/v1/schedules/preview',
            qq({"expression":"\@daily","count":$count}), 200, 400, 422);
    }
    is(join("\n", @bad), '', 'times to come of whatever is asked');
}


sub random_previews {
    my @bad;

    for (1 .. RANDOM) {
        push @bad, preview({ expression => random_expression(), count => 5,
            timezone => $zones[rand @zones], after => $times[rand @times] });
    }
    is(join("\n", @bad), '', "and of what chance makes (VOICE_SEED=$seed)");
}


sub random_expression {
    my @names = qw(JAN dec MON sun L ? * * * * 0 7 23 31 59 60 99);

    return join ' ', map {
        join ',', map {
            my $part = $names[rand @names];
            $part .= '-' . $names[rand @names] if rand() < 0.2;
            $part .= '/' . int rand 70 if rand() < 0.2;
            $part .= '#' . int rand 7 if rand() < 0.1;
            $part .= 'L' if rand() < 0.05;
            $part;
        } 1 .. 1 + int rand 3;
    } 1 .. 5 + (rand() < 0.4);
}


# () or what is wrong; times that are told are after what was asked for.
sub preview {
    my ($body) = @_;

    my $reply;
    my @bad = bad('POST', '/api/v1/schedules/preview', $json->encode($body),
                  200, 422, \$reply);
    return @bad if @bad || $reply->{status} != 200;

    my @at = map { $_->{at} } @{$json->decode($reply->{content})
                                ->{data}{times}};
    my @wrong = grep { $at[$_] le $at[$_ - 1] } 1 .. $#at;

    return @wrong ? $json->encode($body) . ": @at" : ();
}


# --- schedules ------------------------------------------------------------

sub schedules {
    my %usual = (name => 'x', expression => '@daily',
                 action => { type => 'run_regression_suite' });
    my @bad;
    my $try = sub {
        my (%more) = @_;
        my $reply;
        push @bad, bad('POST', '/api/v1/schedules',
            $json->encode({ %usual, %more }), 201, 422, \$reply);
        return if !$reply || $reply->{status} != 201;
        my $made = $json->decode($reply->{content})->{data};
        push @bad, bad($_->[0], "/api/v1/schedules/$made->{id}$_->[1]",
                       $_->[2], 200, 202, 204)
            for ['GET', ''], ['PUT', '', '{"enabled":false}'],
                ['PUT', '', '{"enabled":true}'], ['DELETE', ''];
    };

    for my $time (@times) {
        $try->(starts_at => $time);
        $try->(ends_at => $time);
    }
    $try->(starts_at => $times[0], ends_at => '9999-12-31T23:59:59Z');
    $try->(timezone => $_) for @zones;
    $try->(expression => $_) for @expressions;
    $try->(name => $_, description => $_)
        for "a\0b", "\x{1f600}" x 255, "\x{1f600}" x 256, "\x{202e}", ' ';
    $try->(action => { type => 'run_suite', suite_id => $_ })
        for '', 'x', '00000000-0000-0000-0000-000000000000',
            'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF';
    $try->(action => { %{$usual{action}}, languages => $_ })
        for [], ['xx-' . 'y' x 40], ["en\0"], ['en'] x 1, [('en') x 51],
            ['i-klingon'], ['de-1901-1901'], ["\x{1f600}\x{1f600}"];
    is(join("\n", @bad), '', 'schedules of whatever is sent');
}


# --- lists and selections -------------------------------------------------

sub lists {
    my @bad;
    my @numbers = (0, -1, 1, 100, 101, 1000000, 1000001, 2147483648,
        '9223372036854775808', '9' x 400, '1.0', '1e2', '+1', '0x1', ' 1',
        "\x{663}", 'NaN');

    for my $path (qw(jobs jobs/dead schedules)) {
        for my $n (@numbers) {
            push @bad, bad('GET', query($path, page => $n), undef, 200, 422);
            push @bad, bad('GET', query($path, page => 1000000,
                                        page_size => $n), undef, 200, 422);
        }
    }
    for my $time (@times) {
        push @bad, bad('GET', query('jobs', $_ => $time), undef, 200, 422)
            for qw(created_from created_to);
    }
    push @bad, bad('GET', query('jobs', created_from =>
        '9999-12-31T23:59:59Z', created_to => '0001-01-01T00:00:00Z'),
        undef, 200, 422);
    push @bad, bad('GET', query('jobs/dead', older_than_seconds => $_),
                   undef, 200, 422) for @numbers, 315360000, 315360001;
    push @bad, bad('GET', query('jobs', $_->[0] => $_->[1]), undef, 200, 404,
                   422)
        for map { my $name = $_; map { [$name, $_] } 'x', '',
                  '00000000-0000-0000-0000-000000000000', 'a' x 65,
                  "'; --", '%', "\x{1f600}", '00-' . 'f' x 32 }
            qw(trace_id kind queue subject_id group_id tenant sort state);
    is(join("\n", @bad), '', 'lists of whatever is asked');
}


sub selections {
    my @bad;
    my $uuid = '00000000-0000-7000-8000-000000000000';

    for my $body ('{}', '{"limit":0}', '{"limit":10000}', '{"limit":10001}',
        '{"limit":-1}', '{"limit":1e4}', '{"limit":1.5}', '{"ids":[]}',
        qq({"ids":["$uuid","$uuid"]}), qq({"ids":["\U$uuid\E"]}),
        '{"ids":["x"]}', '{"ids":[null]}', '{"ids":["\u0000"]}',
        '{"ids":[' . join(',', ("\"$uuid\"") x 1000) . ']}',
        '{"ids":[' . join(',', ("\"$uuid\"") x 1001) . ']}',
        '{"older_than_seconds":315360000}', '{"older_than_seconds":315360001}',
        '{"older_than_seconds":-0.0}', '{"kind":"probe\u0000"}',
        '{"kind":"probe\n"}', '{"kind":""}', '{"limit":99999999999999999999}')
    {
        push @bad, bad('POST', "/api/v1/jobs/dead/$_", $body, 200, 400, 422)
            for qw(requeue purge);
    }
    for my $body ('{"work_ms":-1}', '{"work_ms":10001}', '{"work_ms":1e3}',
        '{"delay_seconds":86401}', '{"delay_seconds":86400,"priority":1}',
        '{"priority":0}', '{"priority":11}', '{"priority":1e400}',
        '{"fail":"RETRY"}', '{"fail":"\u0000"}')
    {
        push @bad, bad('POST', '/api/v1/jobs/probe', $body, 201, 202, 400,
                       422);
    }
    for my $id ($uuid, "\U$uuid", 'probe', 'dead', '..', '%00', '%ff', '%20',
                'a' x 3000)
    {
        push @bad, bad('POST', "/api/v1/jobs/$id/$_", undef, 400, 404, 405,
                       422) for qw(retry cancel);
    }
    is(join("\n", @bad), '', 'selections of whatever is sent');
}


# --- payloads -------------------------------------------------------------

sub payloads {
    my @bad;
    my $metadata = sub { qq({"trigger":"ci","metadata":$_[0]}) };
    my @values = ('{}', '[]', 'null', '{"":1}', '{"a\u0000":1}',
        '{"a":"\u0000"}', '{"a":1e308}', '{"a":1e309}', '{"a":-0.0}',
        '{"a":123456789012345678901234567890}', '{"a":9223372036854775807}',
        '{"a":-9223372036854775809}', '{"a":"\ud800"}', '{"a":"\ufffe"}',
        '{"regression_suite_ids":[]}', '{"regression_suite_ids":["x"]}',
        '{"suite_id":null}', '{"regression_suite_id":""}',
        '{' . join(',', map { qq("k$_":$_) } 1 .. 100) . '}',
        '{' . join(',', map { qq("k$_":$_) } 1 .. 101) . '}',
        '{"' . 'k' x 5000 . '":1}', '{"a":"' . 'x' x 60000 . '"}',
        map { '{"a":' . '[' x $_ . ']' x $_ . '}' } 10, 59, 60, 61, 62, 63,
            64, 5000);

    push @bad, bad('POST', '/api/v1/regressions/run', $metadata->($_), 202,
                   400, 413, 422) for @values;
    push @bad, bad('POST', '/api/v1/regressions/run',
                   $json->encode($_), 202, 422)
        for { trigger => 'a' x 50 }, { trigger => 'a' x 51 },
            { trigger => "ci\n" }, { languages => ['EN-us', 'en_US', 'en'] },
            { name => "a\0" }, { priority => 11 };
    is(join("\n", @bad), '', 'regression runs with whatever is sent');
}


sub shares {
    my @bad;

    for my $kind ('probe', 'no_such', 'x' x 41, 'Probe', '%00', '..', '%2e')
    {
        push @bad, bad('PUT', "/api/v1/tenants/$owner->{tenant_id}/job-shares/"
                       . $kind, $_, 200, 400, 404, 405, 422)
            for '{}', '{"weight":100,"running_max":100000}',
                '{"weight":101}', '{"running_max":null}',
                '{"running_max":0}', '{"running_max":2147483648}';
        push @bad, bad('POST', "/api/v1/job-kinds/$kind/$_", undef, 200, 400,
                       404, 405, 422) for qw(pause resume);
        push @bad, bad('POST', "/api/v1/queues/$kind/$_", undef, 200, 400,
                       404, 405, 422) for qw(pause resume);
    }
    is(join("\n", @bad), '', 'shares and pauses of whatever is named');
}


# All that there are of a kind, with numbers at their ends and beyond.
sub kinds {
    my @bad;
    my $schema = $voice->{contract}{components}{schemas}{JobKindUpdate};
    my @numbers = ('null', 'true', '"1"', '-1', '0', '1', '1.5', '-0.0',
        '1e3', '1e-320', '1e308', '1e309', '2147483647', '2147483648',
        '9223372036854775808', '9' x 400);

    for my $name (sort keys %{$schema->{properties}}) {
        my $ends = $schema->{properties}{$name};
        for my $value (@numbers, map { $_ - 1, $_, $_ + 1 }
                       grep { defined } @$ends{qw(minimum maximum)})
        {
            push @bad, bad('PUT', '/api/v1/job-kinds/probe',
                           qq({"$name":$value}), 200, 400, 422);
        }
    }
    push @bad, bad('PUT', "/api/v1/job-kinds/$_", '{"jitter":true}', 200, 400,
                   404, 405, 422)
        for 'no_such', 'x' x 41, '%00', '..', 'Probe', '%2e';
    push @bad, bad('PUT', '/api/v1/job-kinds/probe', $_, 200, 400, 422)
        for '{}', '[]', 'null', '{"no_such":1}', '{"soft_seconds":9,'
            . '"hard_seconds":1}', '{"backoff_seconds":9,"backoff_max":1}';
    is(join("\n", @bad), '', 'settings of kinds of whatever is sent');
}


# --- small things ---------------------------------------------------------

# () or what is wrong; the last argument may be a place for the reply.
sub bad {
    my ($method, $path, $body, @statuses) = @_;

    my $place = ref $statuses[-1] ? pop @statuses : \my $none;
    my %headers = ('Content-Type' => 'application/json');

    # what is over a limit goes to the next tenant
    $voice->wait_for(sub {
        my $who = $path =~ m{^/api/v1/schedules/[0-9a-f]} ? $owner
            : $path eq '/api/v1/schedules' ? $owner
            : $people[$turn++ % @people];
        $$place = $voice->request($method, $path,
            headers => { Authorization => "Bearer $who->{token}",
                         defined $body ? %headers : () },
            defined $body ? (content => $body) : ());
        return $$place->{status} != 429;
    }, 60);
    $asked++;

    my $why = improper($voice, $$place, @statuses);
    return () if $why eq '';

    $body = substr($body // '', 0, 200);

    return "$method " . substr($path, 0, 200) . " $body: $why";
}


sub query {
    my ($path, @pairs) = @_;

    my @parts;
    while (my ($name, $value) = splice @pairs, 0, 2) {
        push @parts, "$name=" . Voice::escape($value);
    }

    return "/api/v1/$path?" . join '&', @parts;
}


# What the database was not asked as it should be.
sub errors_logged {
    my @lines = grep { /"status":\s*"?5\d\d/ }
        split /\n/, Voice::slurp("$voice->{stack}{log}/access.log");

    is(join("\n", @lines), '', 'nothing of this was our fault');
}
