package Voice::Browser;

# A headless Chromium, driven over its DevTools pipe.
#
#   my $why = Voice::Browser::absent();         # undef: there is one
#   my $browser = Voice::Browser->start(width => 1440, height => 900);
#   $browser->open("$base_url/console/");
#   $browser->wait_js('document.title !== ""', 20) or die;
#   $browser->fill('#email', 'a@b.example');
#   $browser->click('button[type=submit]');
#   is($browser->js('document.title'), 'Calls');
#   is_deeply([$browser->complaints], []);      # of page, network and policy
#   $browser->quit;

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Select;
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(time);

use constant SECONDS => 60;     # for one command

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


sub program {
    my @names = $ENV{VOICE_CHROMIUM} // qw(chromium chromium-headless-shell
                                           chromium-browser google-chrome);

    for my $name (@names) {
        for my $path ($name =~ m{/} ? $name
                      : map { "$_/$name" } split /:/, $ENV{PATH})
        {
            return $path if -x $path;
        }
    }

    return undef;
}


# Why there is no browser; undef where there is one.
sub absent {
    return defined program() ? undef
        : 'there is no Chromium (bin/deps test installs one)';
}


# Options: width, height, dark, script (runs before each page's own).
sub start {
    my ($class, %opt) = @_;

    my $home = tempdir('voice-browser-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    pipe my $their_in, my $out or die "pipe: $!\n";
    pipe my $in, my $their_out or die "pipe: $!\n";

    my $pid = fork() // die "fork: $!\n";
    if ($pid == 0) {
        run($home, $their_in, $their_out,
            $opt{width} // 1440, $opt{height} // 900);
    }
    close $their_in;
    close $their_out;
    binmode $_ for $in, $out;
    $out->autoflush(1);

    my $self = bless { pid => $pid, owner => $$, home => $home, in => $in,
                       out => $out, raw => '', id => 0, complaints => [],
                       requests => [] }, $class;
    $self->attach(\%opt);

    return $self;
}


# Chromium reads commands from descriptor 3 and answers on 4.
sub run {
    my ($home, $in, $out, $width, $height) = @_;

    setpgrp 0, 0;
    # Neither may be where the other one goes.
    my $read = POSIX::dup2(fileno $in, 20);
    my $write = POSIX::dup2(fileno $out, 21);
    POSIX::dup2($read, 3);
    POSIX::dup2($write, 4);
    POSIX::close($_) for 5 .. 255;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', "$home/chromium.log";
    open STDERR, '>&', \*STDOUT;
    $ENV{HOME} = $home;

    exec program(), '--headless=new', '--remote-debugging-pipe',
        ($> == 0 ? '--no-sandbox' : ()), "--user-data-dir=$home/profile",
        "--window-size=$width,$height", '--no-first-run', '--disable-gpu',
        '--disable-dev-shm-usage', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--no-proxy-server',
        '--disable-extensions', '--mute-audio',
        '--autoplay-policy=no-user-gesture-required', 'about:blank'
        or POSIX::_exit(127);
}


sub attach {
    my ($self, $opt) = @_;

    my ($target) = grep { $_->{type} eq 'page' }
        @{$self->send('Target.getTargets')->{targetInfos}};
    my $id = $target ? $target->{targetId}
        : $self->send('Target.createTarget', { url => 'about:blank' })
               ->{targetId};
    $self->{session} = $self->send('Target.attachToTarget',
        { targetId => $id, flatten => \1 })->{sessionId};

    $self->send("$_.enable") for qw(Page Runtime Log Network);
    $self->send('Page.addScriptToEvaluateOnNewDocument',
                { source => $opt->{script} }) if $opt->{script};
    $self->look(%$opt);
}


# Another size or scheme: width, height, dark, mobile.
sub look {
    my ($self, %opt) = @_;

    $self->send('Emulation.setDeviceMetricsOverride', {
        width => $opt{width} // 1440, height => $opt{height} // 900,
        deviceScaleFactor => $opt{scale} // 1,
        mobile => $opt{mobile} ? \1 : \0 });
    $self->send('Emulation.setEmulatedMedia', { features => [
        { name => 'prefers-color-scheme',
          value => $opt{dark} ? 'dark' : 'light' },
        { name => 'prefers-reduced-motion', value => 'reduce' } ] });
}


# --- commands -------------------------------------------------------------

sub open {
    my ($self, $url) = @_;

    $self->{loaded} = 0;
    $self->send('Page.navigate', { url => $url });
    my $deadline = time + SECONDS;
    $self->read_one($deadline) until $self->{loaded} || time > $deadline;

    return $self->{loaded};
}


# The value of an expression, promises awaited; dies of what it throws.
sub js {
    my ($self, $expression) = @_;

    my $reply = $self->send('Runtime.evaluate', {
        expression => $expression, awaitPromise => \1, returnByValue => \1,
        userGesture => \1 });

    if (my $thrown = $reply->{exceptionDetails}) {
        die "browser: $expression: "
            . ($thrown->{exception}{description} // $thrown->{text}) . "\n";
    }

    return $reply->{result}{value};
}


# Polls an expression until it gives something true; that, or undef.
sub wait_js {
    my ($self, $expression, $seconds) = @_;

    my $deadline = time + ($seconds // 30);

    while (1) {
        my $value = $self->js($expression);
        return $value if $value;
        return undef if time > $deadline;
        $self->read_one(time + 0.05);
    }
}


# Clicks with the mouse on the middle of what the selector finds first.
sub click {
    my ($self, $selector) = @_;

    my $quoted = $json->encode($selector);
    my $at = $self->js("(() => {
        const node = document.querySelector($quoted);
        if (node === null) { return null; }
        node.scrollIntoView({ block: 'nearest' });
        const box = node.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
    })()") or die "browser: nothing is $selector\n";

    for my $type (qw(mousePressed mouseReleased)) {
        $self->send('Input.dispatchMouseEvent', { type => $type,
            x => $at->[0], y => $at->[1], button => 'left',
            clickCount => 1 });
    }
}


# Text into a field, as if it was typed over what is there.
sub fill {
    my ($self, $selector, $text) = @_;

    my $quoted = $json->encode($selector);
    $self->js("document.querySelector($quoted).focus();
               document.querySelector($quoted).select();");
    if ($text eq '') {
        $self->key('Backspace', 8);
    } else {
        $self->send('Input.insertText', { text => $text });
    }
}


# A key by its name and its Windows code, to what has the focus.
sub key {
    my ($self, $name, $code, $text) = @_;

    for my $type (qw(keyDown keyUp)) {
        $self->send('Input.dispatchKeyEvent', { type => $type,
            key => $name, code => $name, windowsVirtualKeyCode => $code,
            $type eq 'keyDown' && defined $text ? (text => $text) : () });
    }
}


sub screenshot {
    my ($self, $file) = @_;

    my $data = $self->send('Page.captureScreenshot',
                           { format => 'png' })->{data};
    CORE::open my $out, '>:raw', $file or die "$file: $!\n";
    print $out decode_base64($data);
    close $out or die "$file: $!\n";
}


# What the page, the network or a policy complained of since the last time.
sub complaints {
    my ($self) = @_;

    $self->js('0');     # what has been said is on its way before the reply

    return splice @{$self->{complaints}};
}


# URLs that were asked for, in order.
sub requests { return @{$_[0]{requests}} }


sub quit {
    my ($self) = @_;

    return if !$self->{pid} || $self->{owner} != $$;

    my $pid = delete $self->{pid};
    local $SIG{PIPE} = 'IGNORE';
    print {$self->{out}} $json->encode({ id => 0,
        method => 'Browser.close' }), "\0";
    close $self->{out};

    # Its children are of its group; a wrapper may not pass signals on.
    my $deadline = time + 10;
    while (waitpid($pid, POSIX::WNOHANG()) == 0) {
        kill 'KILL', -$pid if time > $deadline;
        select undef, undef, undef, 0.02;
    }
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    $self->quit;
}


# --- the pipe -------------------------------------------------------------

# A command; its result.
sub send {
    my ($self, $method, $parameters) = @_;

    my $id = ++$self->{id};
    local $SIG{PIPE} = 'IGNORE';
    print {$self->{out}} $json->encode({ id => $id, method => $method,
        params => $parameters // {},
        $self->{session} ? (sessionId => $self->{session}) : () }), "\0";

    my $deadline = time + SECONDS;
    while (!exists $self->{replies}{$id}) {
        $self->read_one($deadline);
        die "browser: no answer to $method\n" if time > $deadline;
    }

    my $reply = delete $self->{replies}{$id};
    die "browser: $method: $reply->{error}{message}\n" if $reply->{error};

    return $reply->{result};
}


# Takes one message, if one comes in time.
sub read_one {
    my ($self, $deadline) = @_;

    my $end;
    while (($end = index $self->{raw}, "\0") < 0) {
        my $left = $deadline - time;
        return if $left <= 0;
        next unless IO::Select->new($self->{in})->can_read($left);
        sysread($self->{in}, $self->{raw}, 65536, length $self->{raw})
            or die 'browser: Chromium has ended: ', $self->log, "\n";
    }

    my $text = substr $self->{raw}, 0, $end;
    substr $self->{raw}, 0, $end + 1, '';

    # Of a stream there may be thousands a second; nobody asks for them.
    return if $text =~ /^\{"method":"Network\.(?!requestWillBeSent")/;

    my $message = $json->decode($text);
    if (defined $message->{id}) {
        $self->{replies}{$message->{id}} = $message;
    } else {
        $self->event($message->{method}, $message->{params});
    }
}


sub event {
    my ($self, $method, $p) = @_;

    if ($method eq 'Page.loadEventFired') {
        $self->{loaded} = 1;
    } elsif ($method eq 'Network.requestWillBeSent') {
        push @{$self->{requests}}, $p->{request}{url};
    } elsif ($method eq 'Runtime.exceptionThrown') {
        my $e = $p->{exceptionDetails};
        $self->complain('exception',
                        $e->{exception}{description} // $e->{text});
    } elsif ($method eq 'Runtime.consoleAPICalled') {
        $self->complain($p->{type}, map { $_->{value} // $_->{description} }
            @{$p->{args}}) if $p->{type} =~ /^(?:error|warning|assert)$/;
    } elsif ($method eq 'Log.entryAdded') {
        my $e = $p->{entry};
        $self->complain("$e->{source} $e->{level}", $e->{text},
            $e->{url} // ()) if $e->{level} =~ /^(?:error|warning)$/;
    }
}


sub complain {
    my ($self, @words) = @_;

    push @{$self->{complaints}}, join ': ', map { $_ // '' } @words;
}


sub log {
    my ($self) = @_;

    CORE::open my $in, '<', "$self->{home}/chromium.log" or return '';
    my @lines = <$in>;

    return join '', @lines > 5 ? @lines[-5 .. -1] : @lines;
}


1;
