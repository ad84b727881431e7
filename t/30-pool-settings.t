#!/usr/bin/perl

# The pool's settings: what is refused, with the place, and the reference.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $program = ($ENV{VOICE_BUILD} || "$root/build") . '/voicegate-worker';
my $dir = tempdir(CLEANUP => 1);

die "$program is not built" . "\n" unless -x $program;

spew("$dir/secret", "sesame\n");
spew("$dir/empty", "\n");

my $good = "queue a = 1\n";

accepted('the least', $good);
accepted('comments, blank lines and spaces',
         "# comment\n\n  queue   a =  1  \n\tlog_level = warn\n");
accepted('a section', "$good\[agent one]\nbase_url = https://a.example\n");
accepted('the same name for two kinds of sections',
         "$good\[agent one]\n[asr one]\n");
accepted('a secret in a file beside', "${good}redis_password_file = secret\n");
accepted('a primary and its standbys',
         "${good}postgres_host = 10.0.0.1, 10.0.0.2:5433, [::1]:5434\n");
accepted('a master and its replicas',
         "${good}redis_host = 10.0.0.1:6379, 10.0.0.2\n");
accepted('Sentinels', "${good}redis_sentinel = 10.0.0.1, 10.0.0.2:5000\n"
         . "redis_master = voice\nredis_sentinel_password_file = secret\n");
accepted('an agent that listens', "${good}agent_listen = 127.0.0.1:8000\n");
accepted('an agent on IPv6', "${good}agent_listen = ::1:8000\n");
accepted('a default that has a section',
         "${good}default_asr = one\n[asr one]\n");

refused('no queue', '', qr/1 to \d+ children/);
refused('an unknown key', "${good}nonsense = 1\n",
        qr/:2: unknown setting "nonsense"/);
refused('a key twice', "${good}log_level = info\nlog_level = info\n",
        qr/:3: "log_level" stands twice/);
refused('a queue twice', "${good}queue a = 2\n",
        qr/:2: queue "a" stands twice/);
refused('a queue without children', "queue a = 0\n",
        qr/:1: "queue" must be a number from 1 to 64/);
refused('too many children', join('', map { "queue q$_ = 64\n" } 1 .. 4),
        qr/1 to \d+ children/);
refused('a queue with a strange name', "queue a;b = 1\n",
        qr/:1: "a;b" is no name/);
refused('a line that is no setting', "${good}hello\n",
        qr/:2: not "key = value"/);
refused('a number with a tail', "${good}beat_ms = 300x\n",
        qr/:2: "beat_ms" must be a number from 100 to 10000/);
refused('a number out of range', "${good}beat_ms = 99\n", qr/:2: "beat_ms"/);
refused('a number of another world', "${good}beat_ms = 1e3\n",
        qr/:2: "beat_ms"/);
refused('a lease that is over before its beat',
        "${good}beat_ms = 3000\nlease_ms = 5999\n",
        qr/"lease_ms" must be twice "beat_ms" at least/);
refused('a host name for PostgreSQL', "${good}postgres_host = localhost\n",
        qr/:2: "postgres_host" must be an IP address or an absolute path/);
refused('a host name for Redis', "${good}redis_host = redis\n",
        qr/:2: "redis_host"/);
refused('a host name in a list', "${good}redis_host = ::1, redis\n",
        qr/:2: "redis_host" must be an IP address or an absolute path, or up/);
refused('a list that goes on', "${good}postgres_host = 10.0.0.1,\n",
        qr/:2: "postgres_host"/);
refused('Sentinels without a name of the master',
        "${good}redis_sentinel = 10.0.0.1\n", qr/need each other/);
refused('a name of the master without Sentinels',
        "${good}redis_master = voice\n", qr/need each other/);
refused('a level that is none', "${good}log_level = loud\n",
        qr/:2: "log_level"/);
refused('a listening host name', "${good}agent_listen = localhost:1\n",
        qr/:2: "agent_listen" must be IP:PORT/);
refused('a listening port out of range', "${good}agent_listen = ::1:65536\n",
        qr/:2: "agent_listen"/);
refused('an unknown kind of section', "$good\[robot one]\n",
        qr/:2: a section is/);
refused('a section without a name', "$good\[agent ]\n", qr/:2: a section is/);
refused('a section twice', "$good\[agent one]\n[agent one]\n",
        qr/:3: section \[agent one\] stands twice/);
refused('a queue in a section', "$good\[agent one]\nqueue b = 1\n",
        qr/:3: unknown setting "queue b"/);
refused('a URL of another scheme',
        "$good\[agent one]\nbase_url = ftp://a.example\n", qr/:3: "base_url"/);
refused('credentials in a URL',
        "$good\[agent one]\nbase_url = http://me:sesame\@a.example\n",
        qr/:3: "base_url"/);
refused('a flag that is none', "$good\[agent one]\nallow_private = 1\n",
        qr/:3: "allow_private" must be yes or no/);
refused('a word that is none', "$good\[agent one]\nmode = video\n",
        qr/:3: "mode" has no value "video"/);
refused('a default without a section', "${good}default_agent = one\n",
        qr/"default_agent" names no section \[agent one\]/);
refused('a secret file that is missing',
        "${good}redis_password_file = missing\n",
        qr/:2: "redis_password_file": No such file/);
refused('a secret file that is empty', "${good}redis_password_file = empty\n",
        qr/:2: the file of "redis_password_file" is empty/);
refused('a secret in place of its file',
        "${good}redis_password = sesame\n",
        qr/:2: unknown setting "redis_password"/);
refused('a line without end', $good . 'log_file = ' . 'x' x 2000 . "\n",
        qr/:2: the line is longer/);

my $output = run('--config', "$dir/missing", '--test');
like($output, qr/missing: No such file/, 'a missing file is told');
isnt($? >> 8, 0, 'and refused');

run('--test');
is($? >> 8, 2, 'without a file the usage is told');
like(run('--help'), qr/^usage: voicegate-worker --config FILE/,
     'there is help');
like(run('--version'), qr/^voicegate-worker \d+\.\d+/, 'there is a version');

like(run('--speak', 'hello'), qr/^RIFF.{4}WAVEfmt /s,
     'a text is spoken into a WAV file');
like(run('--speak', 'hello', '--voice', 'nobody'),
     qr/there is no voice "nobody"/, 'an unknown voice is told');

my $reference = run('--settings');
my $page = slurp("$root/docs/workers.md");
ok(index($page, $reference) > 0,
   'docs/workers.md holds the reference that the program prints');

my $sample = slurp("$root/conf/workers.conf");
$sample =~ s/\@SECRETS\@\/\w+/$dir\/secret/g;
$sample =~ s/\@\w+_HOST\@/127.0.0.1/g;
$sample =~ s/\@REDIS_OF_WORKERS\@/redis_host = 127.0.0.1/;
$sample =~ s/\@(?:\w+_PORT|WORKERS|GUARD_\w+)\@/2/g;
$sample =~ s/\@\w+\@/\/tmp/g;
accepted('the template', $sample);

done_testing();


sub accepted {
    my ($name, $text) = @_;

    spew("$dir/conf", $text);
    my $output = run('--config', "$dir/conf", '--test');
    is($?, 0, "$name is accepted") or diag($output);
}


sub refused {
    my ($name, $text, $pattern) = @_;

    spew("$dir/conf", $text);
    my $output = run('--config', "$dir/conf", '--test');
    is($? >> 8, 1, "$name is refused");
    like($output, $pattern, "$name: the message says where and why");
    unlike($output, qr/sesame/, "$name: no secret is told");
}


sub run {
    open my $out, '-|', 'sh', '-c', 'exec "$0" "$@" 2>&1', $program, @_
        or BAIL_OUT("$program: $!");
    local $/;
    my $text = <$out>;
    close $out;

    return $text // '';
}


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or BAIL_OUT("$file: $!");
    local $/;

    return <$in>;
}


sub spew {
    my ($file, $text) = @_;

    open my $out, '>', $file or BAIL_OUT("$file: $!");
    print $out $text;
    close $out;
}
