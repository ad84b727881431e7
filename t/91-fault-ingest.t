#!/usr/bin/perl

# Packets under way while nginx is reloaded and PostgreSQL is killed: what was
# told to be stored is.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Node;
use Voice::Packets;

my $voice = Voice->start(workers => 0, processes => 1, nodes => 2);
my $packets = Voice::Packets->new($voice,
    Voice::Packets::key($voice, $voice->tenant('acme'), 'calls:ingest'));

waiting();
reloads();
killed();

$voice->finish;


# On an edge that is patient, so that a slow machine fails nothing.
sub waiting {
    my $node = Voice::Node->start($voice, 'patient',
        set => { NODES => 2, PROCESSES => 1 }, edit => sub {
            my $file = "$_[0]/edge.conf";
            my $text = Voice::slurp($file);
            $text =~ s/ timeout=5s/ timeout=60s/;
            Voice::spew($file, $text);
        });

    $packets->packet('reload', 0, to => $node);
    my $lock = $packets->lock_call('reload');
    my @old = $node->children('nginx');
    my @raws = map { $packets->send_one('reload', $_, to => $node) } 1 .. 30;
    is($packets->waits(30, $node), 30, 'packets wait');

    my ($failed) = $node->reload;
    is($failed, 0, 'the configuration is taken anew meanwhile');
    Voice::Packets::unlock($lock);

    is(scalar(grep { $_->reply->{status} == 202 } @raws), 30,
       'a process that exits answers what waits in it');
    is($packets->stored('reload'), 31, 'all of it is stored');
    ok($voice->wait_for(sub { !Voice::alive($old[0]) }), 'and then it is gone');
    $node->stop;
}


sub reloads {
    my $load = $packets->start_load('flow', 8);

    for (1 .. 2) {
        my @old = $voice->children('nginx');
        kill 'HUP', $voice->pid('nginx');
        $voice->wait_for(sub { young(@old) });
    }
    my ($told, $status) = Voice::Packets::end_load($load);

    cmp_ok($told, '>', 20, 'packets flow while nginx is reloaded');
    is(join(' ', sort keys %$status), '202', 'each is accepted');
    is($packets->lost($load), 0, 'and stored');
    cmp_ok($packets->stored('flow') - $told, '<=', 8,
           'once, but for what was under way at the end');
}


# No 202 is lost when PostgreSQL dies with batches under way.
sub killed {
    my $load = $packets->start_load('kill', 8);

    my $first = $packets->stored('kill');
    $voice->wait_for(sub { $packets->stored('kill') > $first });
    kill 'KILL', $voice->pid('postgres');
    $voice->wait_for(sub { !$voice->pid('postgres') });
    $voice->wait_for(sub { $voice->stack('start', 'postgres');
                           $? == 0 });

    my $before = $packets->stored('kill');
    ok($voice->wait_for(sub { $packets->stored('kill') > $before }),
       'packets flow again');
    my ($told, $status) = Voice::Packets::end_load($load);

    is(join(' ', sort grep { !/^(?:202|429|503|504)$/ } keys %$status), '',
       'each is told to be stored, or to be sent again');
    is($packets->lost($load), 0, 'whatever was told to be stored is there');
}


# Processes of nginx that are none of these.
sub young {
    my %old = map { $_ => 1 } @_;

    return grep { !$old{$_} } $voice->children('nginx');
}
