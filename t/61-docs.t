#!/usr/bin/perl

# What the documents say is what there is.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;

my $root = $Voice::ROOT;
my $build = $ENV{VOICE_BUILD} || "$root/build";
my @pages = map { substr $_, length "$root/" }
    "$root/README.md", glob "$root/docs/*.md";
my %text = map { $_ => Voice::slurp("$root/$_") } @pages;

generated();
links();
commands();
places();
names();
versions();

done_testing();


sub generated {
    my $stale = `$root/bin/directives --check 2>&1`;
    is("$?$stale", '0', 'docs/directives.md is what the module says');

    my $settings = `$build/voicegate-worker --settings`;
    like($settings, qr/`postgres_host`/, 'the pool prints its settings');
    ok(index($text{'docs/workers.md'}, $settings) >= 0,
       'docs/workers.md holds them as they are');

    is(Voice::slurp("$root/docs/voicectl.1"), scalar `$build/voicectl manual`,
       'docs/voicectl.1 is what voicectl says of itself');
    is(`mandoc -Tlint -Wstyle $root/docs/voicectl.1 2>&1`, '',
       'and mandoc finds nothing in it');
}


sub links {
    my (@dead, %linked);

    for my $page (@pages) {
        my ($folder) = $page =~ m{^(.*/)?[^/]+$};
        for my $link ($text{$page} =~ /\]\(([^)#\s]+)/g) {
            next if $link =~ /^https?:/;
            my $path = ($folder // '') . $link;
            $linked{$path} = 1;
            push @dead, "$page: $link" if !-e "$root/$path";
        }
    }

    is(join(', ', @dead), '', 'every link leads to a file');
    is(join(' ', grep { !$linked{$_} && $_ ne 'README.md' } @pages), '',
       'every page is linked from another');
}


# make targets and their variables, programs and their options.
sub commands {
    my $make = join '', map { Voice::slurp("$root/$_") } 'Makefile',
        'ngx_voice_module/module.mk', 'workers/workers.mk',
        'ctl/ctl.mk';
    my (%target, @unknown, $made);
    $target{$_} = 1 for map { split ' ' } $make =~ /^([\w -]+):(?!=)/mg;

    for my $page (@pages) {
        for my $command (code($text{$page}) =~ /^make ([^#\n]*)/mg) {
            $made++;
            push @unknown, grep { /=/ ? !known_variable($make, $_)
                                      : !$target{$_} }
                split ' ', $command;
        }
    }

    cmp_ok($made, '>', 15, 'the documents name make commands');
    is("@unknown", '', 'and every one can be made');

    my @files = map { code($_) =~ /^((?:bin|sql|bench)\/[\w-]+)(?![\w\/.])/mg }
        values %text;
    is(join(' ', grep { !-e "$root/$_" } @files), '',
       'every program that they name is there');
    options();
}


# What stands in fences and between backticks, a piece a line.
sub code {
    my ($page) = @_;

    my $blocks = join "\n", $page =~ /^```\n(.*?)^```$/msg;
    $page =~ s/^```\n.*?^```$//msg;

    return join "\n", $blocks, $page =~ /`([^`]+)`/g;
}


sub known_variable {
    my ($make, $word) = @_;

    my ($name) = $word =~ /^([A-Z_]+)=/ or return 0;

    return $make =~ /\$\(or \$\($name\)|^$name \?=/m;
}


sub options {
    my @unknown;

    for my $name (qw(voicegate-admin voicegate-configure)) {
        my $help = `$root/bin/$name --help`;
        my $lines = $text{'docs/operations.md'} =~ s/\\\n//gr;
        for my $line ($lines =~ /\b$name ([^\n`]+)/g) {
            push @unknown, map { "$name $_" }
                grep { $help !~ /$_\b/ } $line =~ /(--[a-z-]+)/g;
        }
        push @unknown, grep { $help !~ /^  $_ /m }
            $lines =~ /\b$name ([A-Z_]+)=/g;
    }

    is("@unknown", '', 'every option of the operator\'s commands exists');
}


# The table of what is where, and the files that the text names.
sub places {
    my @missing;

    for my $page (@pages) {
        for my $path ($text{$page} =~ m{`((?:conf|ngx_voice_module|sql|workers
                                          |ctl|lib|t|bench|docs)/[\w./-]*)`}gx)
        {
            push @missing, "$page: $path" if !-e "$root/$path";
        }
    }

    is(join(', ', @missing), '', 'every place that they name is there');
}


# Metrics, directives and settings in the operator's text.
sub names {
    my $known = join '', map { Voice::slurp($_) }
        glob("$root/ngx_voice_module/*.[ch]"),
        glob("$root/sql/functions/*.sql"), glob("$root/conf/*.conf");
    my @words = $text{'docs/operations.md'}
        =~ /`(voice_\w+|queue_\w+)/g;

    # Metrics stand in the code without "voice_", or as a prefix with "*".
    is(join(' ', grep { my $word = s/^voice_//r; $known !~ /$word/ } @words),
       '', 'every metric and directive that operators are told of exists');
}


# The contract, the module, the pool and the newest entry of CHANGES.
sub versions {
    my ($contract) = Voice::slurp("$root/conf/openapi/openapi.json")
        =~ /"version": "([\d.]+)"/;
    my ($module) = Voice::slurp("$root/ngx_voice_module/ngx_voice.h")
        =~ /NGX_VOICE_VERSION +"([\d.]+)"/;
    my ($pool) = `$build/voicegate-worker --version` =~ /([\d.]+)$/m;
    my ($line) = `$build/voicectl --version` =~ /([\d.]+)$/m;
    my ($changes) = Voice::slurp("$root/CHANGES")
        =~ /\A\nChanges with Voicegate ([\d.]+) /;

    is("$module $pool $line $changes", join(' ', ($contract) x 4),
       'module, pool, voicectl and CHANGES have the version of the'
       . ' contract');
}
