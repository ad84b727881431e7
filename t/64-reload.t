#!/usr/bin/perl

# bin/voicegate-reload: what it refuses, what it says, what it waits for.

use strict;
use warnings;

use HTTP::Tiny;
use IO::Socket::INET;
use POSIX ();
use Test::More;

use lib 't/lib';
use Voice;

my $voice = Voice->start(workers => 0, processes => 2);
my $data = $voice->{stack}{data};
my $conf = "$data/etc/nginx.conf";
my $pid_file = "$data/run/nginx.pid";
my $text = Voice::nginx_conf("$data/etc");
my $master = Voice::slurp($pid_file) + 0;
my %preload = %{$voice->{stack}{preload}};

good_reload();
broken_configuration();
unreadable_file();
taken_port();
lame_upgrade();
other_process();
wrong_process();

$voice->finish(alerts => qr/unknown\ directive\ "nonsense"|Permission\ denied
    |bind\(\)\ to|still\ could\ not\ bind|cannot\ be\ respawned|chdir/x);


sub good_reload {
    my @before = children();

    write_conf($text =~ s/server_tokens off;/server_tokens build;/r);
    my ($status, $output) = reload();

    is($status, 0, 'a sound configuration is taken');
    like($output, qr/^nginx: 2 new processes serve/m, 'and told');

    my %now = map { $_ => 1 } children();
    ok(!grep({ $now{$_} } @before), 'it returns when new processes serve');

    my $server = HTTP::Tiny->new->get("$voice->{base_url}/health")
        ->{headers}{server};
    like($server, qr{^nginx/}, 'what it changes is seen at once');

    write_conf($text);
    is((reload('--test'))[0], 0, 'a test alone says yes');
    $server = HTTP::Tiny->new->get("$voice->{base_url}/health")
        ->{headers}{server};
    like($server, qr{^nginx/}, 'and changes nothing');
    is((reload())[0], 0, 'the old text is taken again');
}


sub broken_configuration {
    my @before;
    ok($voice->wait_for(sub { @before = children(); @before == 2 }),
       'the processes before have left');

    write_conf("$text\nnonsense;\n");
    my ($status, $output) = reload();
    is($status, 1, 'a broken configuration is refused');
    like($output, qr/unknown directive "nonsense".*nothing changed/s,
        'with the reason');
    is_deeply([children()], \@before, 'the old processes serve');
    write_conf($text);
}


sub unreadable_file {
    SKIP: {
        skip('nginx runs as us', 2)
            if (stat "/proc/$master")[4] == $>;

        my $secret = "$voice->{dir}/secret.conf";
        Voice::spew($secret, "# nobody else reads this\n");
        chmod 0600, $secret;
        write_conf($text =~ s/^http \{/http {\n    include $secret;/mr);

        my ($status, $output) = reload();
        is($status, 1, 'what only root can read is refused: nginx could not');
        like($output, qr/Permission denied/, 'and the reason told');
        write_conf($text);
    }
}


# nginx -t overlooks a port that somebody else holds.
sub taken_port {
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
    my $port = $taken->sockport;

    write_conf($text
        =~ s/^(    server \{\n)/$1        listen 127.0.0.1:$port;\n/mr);

    my ($status, $output) = reload('--wait', 4);
    is($status, 1, 'a configuration that does not come up is an error');
    like($output, qr/the old one goes on/, 'and told as such');
    is(HTTP::Tiny->new->get("$voice->{base_url}/health")->{status}, 200,
        'the old configuration serves');

    write_conf($text);
}


# A new program whose processes cannot begin leaves nothing behind.
sub lame_upgrade {
    # it has the environment that the old one's configuration names
    my $env = join '', map { "env $_;\n" } sort keys %preload;

    write_conf("$env$text");
    is((reload('--wait', 60))[0], 0,
       'a configuration that names the environment');
    write_conf("${env}working_directory $voice->{dir}/nowhere;\n$text");

    my ($status, $output) = reload('--upgrade', '--wait', 2);
    is($status, 1, 'a new program that does not serve is an error');
    like($output, qr/the old one goes on/, 'and told as such');
    is(HTTP::Tiny->new->get("$voice->{base_url}/health")->{status}, 200,
        'the old program serves');
    ok($voice->wait_for(sub {
        return !-e "$pid_file.oldbin" && slurped($pid_file) == $master;
    }, 20), 'the new one is gone, and the pid file is the old one\'s');

    write_conf($text);
    is((reload('--wait', 60))[0], 0,
       'the next reload is as if nothing had been');
}


sub slurped { return (eval { Voice::slurp($_[0]) } || 0) + 0 }


# What was nginx when it was looked at is something else when it is told.
sub other_process {
    my $program = "$voice->{dir}/program";
    my $file = "$voice->{dir}/program.pid";

    Voice::spew($program, <<"END");
#!/usr/bin/perl
use strict;
open my \$in, '<', '$file';
my \$pid = <\$in> + 0;
kill 'USR1', \$pid;
for (1 .. 1200) {
    open my \$title, '<', "/proc/\$pid/cmdline";
    exit 0 if <\$title> !~ /^nginx/;
    select undef, undef, undef, 0.05;
}
END
    chmod 0755, $program;
    my $pipe = "$voice->{dir}/pipe";
    POSIX::mkfifo($pipe, 0600) or die "mkfifo: $!";
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) {
        $SIG{USR1} = sub { exec 'cat', $pipe };
        $0 = "nginx: master process $program";
        select undef, undef, undef, 0.05 while 1;
    }
    Voice::spew($file, "$pid\n");
    $voice->wait_for(sub {
        Voice::slurp("/proc/$pid/cmdline") =~ /^nginx/ }, 20);

    my ($status, $output) = run('--pid-file', $file);
    is($status, 2, 'a process that is not what it was is not told');
    like($output, qr/is not what it was/, 'as the message says');
    is(waitpid($pid, POSIX::WNOHANG), 0, 'it goes on');
    kill 'KILL', $pid;
    waitpid $pid, 0;
}


sub wrong_process {
    my $file = "$voice->{dir}/other.pid";

    Voice::spew($file, "$$\n");
    my ($status, $output) = run('--pid-file', $file);
    is($status, 2, 'what is not nginx is left alone');
    like($output, qr/process $$ is no nginx/, 'and told');

    is((run('--pid-file', "$file.none"))[0], 2, 'as is a missing pid file');
    is((run('--nonsense'))[0], 2, 'wrong usage is told');
    ($status, $output) = run('--help');
    like($output, qr/^usage: voicegate-reload.*Exit status/s, 'help teaches');
}


sub write_conf {
    my ($new) = @_;

    my ($uid, $gid) = (stat $conf)[4, 5];
    Voice::spew($conf, $new);
    chown $uid, $gid, $conf;
}


# Those that take connections; one that has ended has no title.
sub children {
    return sort grep {
        (eval { Voice::slurp("/proc/$_/cmdline") } // '')
            =~ /^nginx: worker process(?! is shutting)/;
    } split ' ', Voice::slurp("/proc/$master/task/$master/children");
}


sub reload { return run('--pid-file', $pid_file, @_) }


sub run {
    my @command = ("$Voice::ROOT/bin/voicegate-reload", @_);

    local @ENV{keys %preload} = values %preload;
    open my $out, '-|', 'sh', '-c', '"$@" 2>&1', 'sh', @command
        or die "reload: $!";
    my $output = do { local $/; <$out> } // '';
    close $out;

    return ($? >> 8, $output);
}
