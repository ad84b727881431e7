#!/usr/bin/perl

# The operator's work: people by voicegate-admin, logs rotated while the
# stack works, a backup of it, and its restoration into another stack.

use strict;
use warnings;

use POSIX ();
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Demo;

# What changes by itself and is worth nothing in a backup.
my @volatile = qw(worker counter job_tally job_figure job_done queue
    queue_scale system_schedule);

my $voice = Voice->start;
my $owner = people();
my $suite = Voice::Demo::suite($voice, $owner, 2, 0);
my $file = "$voice->{dir}/backup.tar";
my @executions;

rotated_logs();
backup();
restore();

$voice->finish;


sub people {
    my @who = ('--email', 'Ann@acme.example', '--tenant', 'Acme "O\'Hara"');
    my ($output, $status) = admin($voice, 'create', @who);
    my ($password) = $output =~ /^password: (\S+)$/m;

    is($status, 0, 'voicegate-admin makes a person and a tenant');
    my $ann = $voice->login('ann@acme.example', $password);
    is($ann->{status}, 200, 'who logs in with the printed password');
    is($voice->call('me', as => $ann)->{json}{data}{tenant}{business_name},
       'Acme "O\'Hara"', 'into the tenant of that name');

    ($output, $status) = admin($voice, 'create', @who);
    like($output, qr/exists already; the password is kept/,
         'a person who exists keeps the password');
    unlike($output, qr/^password:/m, 'and no other is printed');
    is($voice->login('ann@acme.example', $password)->{status}, 200,
       'which still logs in');

    ($output, $status) = admin($voice, 'create', @who, '--reset');
    my ($new) = $output =~ /^password: (\S+)$/m;
    is($voice->login('ann@acme.example', $password)->{status}, 401,
       '--reset ends the old password');
    $voice->forgive;
    is($voice->call('me', as => $ann)->{status}, 401, 'and the sessions');
    my $again = $voice->login('ann@acme.example', $new);
    is($again->{status}, 200, 'the new one logs in');

    refused_people(@who);

    return $again;
}


sub refused_people {
    my (@who) = @_;

    my $secret = "$voice->{dir}/password";
    my %bad = (
        'that is too short'    => 'Short-1',
        'of two classes'       => 'onlylowerandupperNOTMORE',
        'that is too long'     => 'Aa1-' . 'x' x 69,
    );

    for my $what (sort keys %bad) {
        Voice::spew($secret, "$bad{$what}\n");
        my ($output, $status) = admin($voice, 'create', @who, '--reset',
                                      '--password-file', $secret);
        isnt($status, 0, "a password $what is refused");
        unlike($output, qr/\Q$bad{$what}\E/, 'and not shown');
    }

    is((admin($voice, 'create', @who, '--role', 'king'))[1] ? 1 : 0, 1,
       'a role that there is not is refused');
    is((admin($voice, 'create', '--email', "a\@b.example\n\\q", '--tenant',
              'x'))[1] ? 1 : 0, 1, 'a value with control characters, too');

    Voice::spew($secret, "Correct-Horse-9\n");
    my ($output, $status) = admin($voice, 'create', '--tenant', 'Acme',
        '--email', 'bob@acme.example', '--role', 'viewer',
        '--password-file', $secret);
    is($status, 0, 'a password may come from a file');
    unlike($output, qr/Horse/, 'and is not printed then');
    is($voice->login('bob@acme.example', 'Correct-Horse-9')->{status}, 200,
       'it logs in');
}


# Moved away and signalled: what comes next lands in new files.
sub rotated_logs {
    my $log = $voice->{stack}{log};
    my @names = qw(access.log error.log nginx.log workers.log);

    $voice->call('me', as => $owner);
    rename "$log/$_", "$log/$_.1" or die "$_: $!" for @names;
    kill 'USR1', $voice->pid($_) for qw(nginx workers);

    ok($voice->wait_for(sub { !grep { !-e "$log/$_" } @names }, 20),
       'USR1 makes nginx and the pool open their logs again');

    my %size = map { $_ => -s "$log/$_.1" } @names;
    my $run = backed_up_run();

    # The last child's line may be on its way.
    ok($voice->wait_for(sub {
        return Voice::slurp("$log/workers.log") =~ /"child": ?"validation/
            && Voice::slurp("$log/workers.log")
                =~ /"child": ?"test_execution/;
    }, 20), 'the lines of all of the pool\'s children land in the new one');
    like(Voice::slurp("$log/access.log"), qr{test-runs}, 'those of requests');
    is(join(' ', grep { -s "$log/$_.1" != $size{$_} } @names), '',
       'and none in the old ones');
    is($run->{status}, 'completed', 'the run under way saw nothing of it');
}


# A run that is backed up while it is under way.
sub backed_up_run {
    my $id = $voice->call('create_test_run', as => $owner,
        body => { suite_id => $suite })->{json}{data}{id};

    # One of two executions has its audio.
    $voice->wait_for(sub {
        return $voice->sql('select count(response_audio_key)'
                           . ' from core.voice_test_execution') > 0;
    }, 60);

    my ($output, $status) = admin($voice, 'backup', "$file.early",
        '--objects', $voice->{stack}{objects});

    is($status, 0, 'a backup while a run is under way succeeds')
        or diag($output);
    my $run = $voice->wait_run($owner, $id);
    @executions = @{$voice->call('list_test_run_executions', as => $owner,
        path => { id => $id })->{json}{data}};

    return $run;
}


sub backup {
    # Events that the relay still numbers would differ.
    $voice->wait_for(sub {
        return $voice->sql('select count(*) from core.event'
                           . ' where published_at is null') eq '0';
    }, 30);

    my ($output, $status) = admin($voice, 'backup', $file, '--objects',
                                  $voice->{stack}{objects});

    is($status, 0, 'a stack that runs is backed up') or diag($output);
    ok(!-e "$file.new", 'nothing unfinished is left');
}


sub restore {
    my $other = Voice->start(workers => 0);
    $other->tenant('elsewhere');
    $other->stack('stop', 'nginx');

    for my $source ("$file.early", $file) {
        my ($output, $status) = admin($other, 'restore', $source,
            '--objects', $other->{stack}{objects});
        is($status, 0, 'a backup is restored into another stack')
            or diag($output);
        my @keys = split /\n/, $other->sql(
            'select unnest(array[input_audio_key, response_audio_key])'
            . ' from core.voice_test_execution'
            . ' where response_audio_key is not null');
        ok(@keys && !grep({ !-s "$other->{stack}{objects}/$_" } @keys),
           'every object that its rows name is there');
    }

    $other->stack('start', 'nginx');
    $other->wait_for(sub { $other->request('GET', '/ready')->{status}
                           == 200 }, 20);

    is_deeply(rows($other), rows($voice), 'every row is the same');
    is(objects($other), objects($voice), 'and every object');
    like(objects($other), qr/\w/, 'of which there are some');

    same_answers($other);

    my ($output, $status) = admin($other, 'restore', "$file.none",
        '--objects', $other->{stack}{objects});
    isnt($status, 0, 'a backup that there is not is told');
    $other->stack('clean');
}


sub same_answers {
    my ($other) = @_;

    my $bob = $other->login('bob@acme.example', 'Correct-Horse-9');
    is($bob->{status}, 200, 'people log in as before');
    is($other->login('owner@elsewhere.example', 'Correct-Horse-9')->{status},
       401, 'those of the replaced database do not');
    $other->forgive;

    # The secrets are apart: a token of the first stack is none here.
    is($other->call('me', as => $owner)->{status}, 401,
       'tokens of the other stack are refused');

    my $new = admin_password($other);
    my $ann = $other->login('ann@acme.example', $new);
    for my $execution (@executions) {
        my %path = (path => { id => $execution->{id}, kind => 'response' });
        my $here = $other->call('get_execution_audio', as => $ann, %path);
        my $there = $voice->call('get_execution_audio', as => $owner, %path);
        is("$here->{status} $there->{status}", '200 200',
           'the audio of an execution is served');
        ok($here->{content} eq $there->{content}, 'and the same');
    }
}


sub admin_password {
    my ($other) = @_;

    my ($output) = admin($other, 'create', '--email', 'ann@acme.example',
                         '--tenant', 'Acme "O\'Hara"', '--reset');

    return ($output =~ /^password: (\S+)$/m)[0];
}


# A digest of each table that matters.
sub rows {
    my ($stack) = @_;

    my %skip = map { $_ => 1 } @volatile;
    my @tables = grep { !$skip{$_} } split /\n/, $stack->sql(
        "select tablename from pg_tables where schemaname = 'core'"
        . ' order by 1');

    return { map { $_ => $stack->sql(
        "select count(*), md5(string_agg(t::text, ',' order by t::text))"
        . " from core.$_ t") } @tables };
}


sub objects {
    my ($stack) = @_;

    return `cd '$stack->{stack}{objects}' &&
            find . -name '*.wav' -exec sha256sum {} + | sort -k 2`;
}


# Output (both streams) and exit code of voicegate-admin.
sub admin {
    my ($stack, @words) = @_;

    local @ENV{qw(PGHOST PGDATABASE PGUSER PGPASSWORD)} = (
        $stack->{stack}{sockets}, $stack->{stack}{database}, 'postgres',
        Voice::slurp("$stack->{stack}{secrets}/postgres"));

    my $pid = open(my $out, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec "$Voice::ROOT/bin/voicegate-admin", @words
            or POSIX::_exit(127);
    }
    my $text = join '', <$out>;
    close $out;

    return $text, $? >> 8;
}
