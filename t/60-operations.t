#!/usr/bin/perl

# What is installed is whole and can be configured; units, containers and
# the programs' own help agree with it.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Test::More;

use lib 't/lib';
use Voice;

my $root = $Voice::ROOT;
my $build = $ENV{VOICE_BUILD} || "$root/build";
our $dest = tempdir('voice-install-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $etc = "$dest/etc/voicegate";
my $user = $> == 0 ? 'postgres' : '';

# Whoever runs us by make has told it things that are not for this one.
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES)};

install();
other_prefix();
configuration();
units();
logrotate();
containers();
helps();

done_testing();


sub install {
    my ($output, $status) = make_install();
    is($status, 0, 'make install puts everything under DESTDIR')
        or diag($output);

    my ($names) = files();
    Voice::spew("$dest/usr/share/voicegate/sql/functions/gone.sql", 'old');
    (undef, $status) = make_install();
    is($status, 0, 'it may be repeated');
    my ($again, $leaking) = files();
    is("@$again", "@$names", 'and leaves nothing of a former version');
    # The sanitizers' reports name the source of every variable.
    is(join(' ', map { (stat "$dest/usr/$_")[2] & 0777 }
            'bin/voicectl', 'share/man/man1/voicectl.1'),
       join(' ', 0755, 0644), 'voicectl and its manual page are there');
    is("@$leaking", '', 'no installed file names the checkout')
        if !$ENV{VOICE_SANITIZE};
}


# What `make test` has built is what is installed.
sub make_install {
    return output('make', '-s', '-C', $root, '-o', 'all', 'install',
                  "BUILD=$build", "DESTDIR=$dest", @_);
}


# /opt/voice in the place of /usr, also within the files.
sub other_prefix {
    local $dest = tempdir(CLEANUP => 1);
    my $prefix = "$dest/opt/voice";

    make_install('PREFIX=/opt/voice');
    ok(!-e "$dest/usr" && -x "$prefix/sbin/voicegate-worker",
       'PREFIX moves what is installed');
    my $text = join '', map { Voice::slurp($_) }
        "$prefix/sbin/voicegate-configure",
        glob "$prefix/lib/systemd/system/*";
    unlike($text, qr{/usr/\w+/voicegate}, 'and what its files name');
    like($text, qr{^ExecStart=/opt/voice/sbin/voicegate-worker}m,
         'as the unit of the pool does');
}


# All installed files, and those that hold the path of the checkout.
sub files {
    open my $list, '-|', 'find', $dest, '-type', 'f' or die "find: $!";
    my @files = sort map { chomp; $_ } <$list>;
    close $list;

    return \@files, [grep { index(Voice::slurp($_), "$root/") >= 0 } @files];
}


sub configuration {
    my $admin = "$dest/usr/sbin/voicegate-configure";
    my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
    my @names = map { "$_->[0]=$dest$_->[1]" } (
        [APP => '/usr/lib/voicegate'], [ETC => '/etc/voicegate'],
        [DATA => '/var/lib/voicegate'], [CACHE => '/var/cache/voicegate'],
        [OBJECTS => '/var/lib/voicegate/objects'], [RUN => '/run/voicegate'],
        [TMP => '/var/lib/voicegate/tmp'], [LOG => '/var/log/voicegate'],
        [SOCKETS => '/run/voicegate']);
    my @command = ($admin, '--templates', "$dest/usr/share/voicegate/conf",
        '--out', $etc, '--secrets', "$etc/secrets", @names,
        'LISTEN=127.0.0.1:' . $probe->sockport);
    close $probe;

    my ($output, $status) = output(@command);
    is($status, 0, 'voicegate-configure renders the templates')
        or diag($output);
    my $secret = Voice::slurp("$etc/secrets/jwt");
    like($secret, qr/^[0-9a-f]{64}$/, 'it makes the secrets');
    is((stat "$etc/secrets/jwt")[2] & 0777, 0600, 'for their owner only');
    output(@command);
    is(Voice::slurp("$etc/secrets/jwt"), $secret, 'and keeps them');

    ($output, $status) = output($admin, 'NONSENSE=1');
    isnt($status, 0, 'a name that it does not know is refused');
    ($output, $status) = output($admin, 'LISTEN=80; root /;');
    isnt($status, 0, 'a value that would end the directive, too');

    accepted(@command);
}


# The programs take what was rendered, run as who runs them.
sub accepted {
    my $sql = join '', map { Voice::slurp($_) }
        glob "$dest/usr/share/voicegate/sql/functions/*.sql";
    my @functions = $sql =~ /^create or replace function api\.(\w+)/mg;
    Voice::spew("$etc/functions.txt", join '', map { "$_\n" } @functions);

    # What the units' RuntimeDirectory and so on make.
    output('mkdir', '-p', map { "$dest/$_" } 'run/voicegate',
           'var/log/voicegate', 'var/cache/voicegate',
           'var/lib/voicegate/objects', 'var/lib/voicegate/tmp');
    output('chmod', '755', $dest);
    output('chown', '-R', "$user:", $etc, "$dest/run", "$dest/var")
        if $user;

  SKIP: {
        skip('a build with sanitizers is not what is installed', 3)
            if $ENV{VOICE_SANITIZE};

        my @nginx = ('/usr/sbin/nginx', '-t', '-q', '-e',
                     "$dest/var/log/voicegate/nginx.log", '-c',
                     "$etc/nginx.conf");
        my ($output, $status) = output(as_user(), @nginx);
        is($status, 0, 'nginx -t takes the configuration') or diag($output);

        ($output, $status) = output(as_user(),
            "$dest/usr/sbin/voicegate-worker", '--config',
            "$etc/workers.conf", '--test');
        is($status, 0, 'voicegate-worker --test, too') or diag($output);

        Voice::spew("$etc/functions.txt", "login\n");
        (undef, $status) = output(as_user(), @nginx);
        isnt($status, 0, 'a contract beyond the SQL functions is refused');
    }
}


sub as_user {
    return () if $user eq '';

    return ('setpriv', "--reuid=$user", '--regid=' . (getpwnam $user)[3],
            '--clear-groups');
}


sub units {
    my @units = glob "$dest/usr/lib/systemd/system/*.service";
    my $text = join '', map { Voice::slurp($_) } @units;
    my %path = map { $_ => 1 }
        $text =~ m{(/(?:usr/sbin|etc)/voicegate[\w./-]+)}g;

    is(scalar @units, 2, 'there is a unit for the edge and one for the pool');
    is(join(' ', grep { !-e "$dest$_" } sort keys %path), '',
       'every file that the units name is there');

  SKIP: {
        skip('there is no systemd-analyze', 1)
            unless grep { -x "$_/systemd-analyze" } split /:/, $ENV{PATH};

        # The programs are looked for where the unit says.
        my $copies = tempdir(CLEANUP => 1);
        for my $unit (@units) {
            my ($name) = $unit =~ m{([^/]+)$};
            my $lines = Voice::slurp($unit);
            $lines =~ s{(/usr/sbin/voicegate)}{$dest$1}g;
            Voice::spew("$copies/$name", $lines);
        }
        my ($output, $status) = output('systemd-analyze', 'verify',
                                       '--man=no', glob "$copies/*");
        is("$status$output", '0', 'systemd finds nothing wrong with them');
    }
}


# The pid files that logrotate signals are those that are written.
sub logrotate {
    my $text = Voice::slurp("$dest/etc/logrotate.d/voicegate");
    my ($nginx) = Voice::nginx_conf($etc)
        =~ /^pid (\S+);/m;
    my ($pool) = Voice::slurp("$etc/workers.conf")
        =~ /^pid_file = (\S+)/m;
    my ($logs) = $text =~ m{^(/\S+)/\*\.log };

    is($dest . $_, $_ eq '/run/voicegate/nginx.pid' ? $nginx : $pool,
       "logrotate signals $_")
        for sort keys %{{ map { $_ => 1 } $text =~ /cat (\S+\.pid)/g }};
    like(Voice::slurp("$etc/workers.conf"), qr/^log_file = \Q$dest$logs\E/m,
         'and rotates the logs that are written');
}


sub containers {
    my $file = Voice::slurp("$root/conf/docker/Dockerfile");
    my @sources;

    for my $line ($file =~ /^COPY (.*)$/mg) {
        next if $line =~ /--from=/;
        my @words = grep { !/^--/ } split ' ', $line;
        push @sources, @words[0 .. $#words - 1];
    }

    cmp_ok(scalar @sources, '>', 1, 'images copy from the checkout');
    is(join(' ', grep { !-e "$root/$_" } @sources), '',
       'what is there');

    my $compose = Voice::slurp("$root/docker-compose.yml");
    my @targets = $compose =~ /^ +target: (\w+)$/mg;
    is(join(' ', grep { $file !~ /^FROM \S+ AS $_$/m } @targets), '',
       'every target of docker-compose.yml is in the Dockerfile');

  SKIP: {
        skip('there is no docker-compose', 1)
            unless grep { -x "$_/docker-compose" } split /:/, $ENV{PATH};
        my ($output, $status) = output('docker-compose', '--file',
            "$root/docker-compose.yml", 'config', '-q');
        is($status, 0, 'docker-compose takes docker-compose.yml')
            or diag($output);
    }
}


sub helps {
    for my $program ((grep { -f } glob "$root/bin/*"), "$root/bench/run",
                     "$root/sql/migrate")
    {
        my ($name) = $program =~ m{([^/]+/[^/]+)$};
        help($name, $program, options($program));
    }

    my $self = Voice::slurp("$root/ctl/ctl_commands_self.c");
    my ($global) = $self =~ /ctl_global_options\[\] = \{(.*?)^\};/ms;
    help('voicectl', "$build/voicectl", $global =~ /\.name = "([a-z-]+)"/g);

    my $main = Voice::slurp("$root/workers/worker_main.c");
    help('voicegate-worker', "$build/voicegate-worker",
         $main =~ /\{ "([a-z-]+)", \w+_argument/g) if !$ENV{VOICE_SANITIZE};
}


sub help {
    my ($name, $program, @options) = @_;

    my ($output, $status) = output($program, '--help');
    my @unnamed = grep { $output !~ /--$_\b/ } @options;

    is("$status @unnamed", '0 ', "$name --help names all of its options")
        or diag($output);
}


# Words of GetOptions in Perl, labels of a case in shell.
sub options {
    my ($program) = @_;

    my $text = Voice::slurp($program);
    my ($list) = $text =~ /^GetOptions\((.*?)\)\s*or die/ms;

    return $list =~ /'([a-z-]+)(?:=\w)?'/g if defined $list;

    return $text =~ /^\s*--([a-z-]+)\)/mg;
}


# Output (both streams) and exit code.
sub output {
    my (@command) = @_;

    my $pid = open(my $out, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec @command or print "$command[0]: $!\n";
        POSIX::_exit(127);
    }
    my $text = join '', <$out>;
    close $out;

    return $text, $? >> 8;
}
