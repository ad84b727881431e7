#!/usr/bin/perl

# Packets of calls over HTTP: what each is told, who may send, how they are
# gathered, how much is held.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use lib 't/lib';
use Voice;
use Voice::Node;
use Voice::Packets;
use Voice::Raw;

my $json = JSON::PP->new->utf8->canonical;
my $voice = Voice->start(workers => 0, processes => 1, nodes => 2);
Voice::Packets::patient($voice);
my $acme = $voice->tenant('acme');
my $other = $voice->tenant('other');
my $key = Voice::Packets::key($voice, $acme, 'calls:ingest');
my $packets = Voice::Packets->new($voice, $key);

statuses();
rejected();
validation();
rights();
differing();
order_of_a_connection();
batches();
fairness();
client_gone();
bounds();
limits();

$voice->finish;



# --- what a packet is told ------------------------------------------------

sub statuses {
    told($packets->packet('one', 0), 'the first packet of a call is accepted',
         status => 'accepted', message => 'Packet received successfully',
         call_id => 'one', sequence => 0, total_received => 1,
         missing_sequences => [], missing_count => 0, duplicate => 0);
    told($packets->packet('one', 4), 'one ahead is accepted, what lacks is told',
         status => 'accepted', total_received => 2,
         missing_sequences => [1, 2, 3], missing_count => 3);
    told($packets->packet('one', 2), 'a late one is accepted and lacks no more',
         status => 'accepted', sequence => 2, total_received => 3,
         missing_sequences => [1, 3], missing_count => 2);
    told($packets->packet('one', 4), 'the same again is a duplicate',
         status => 'duplicate', message => 'Packet already received',
         total_received => 3, missing_count => 2, duplicate => 1);
    told($packets->packet('two', 1000), 'the first hundred that lack are listed',
         missing_sequences => [0 .. 99], missing_count => 1000);
    told($packets->packet('one', 5, body => '{"sequence":5.0,"data":"x",'
         . '"timestamp":1e9,"more":[1]}'), 'a number is what it is, members'
         . ' that nobody knows are ignored', sequence => 5);
    told($packets->packet("a \"b\\ \x{20ac}", 0), 'an id may be any text',
         call_id => "a \"b\\ \x{20ac}", total_received => 1);

    my $long = 'A' x 40000;
    told($packets->packet('one', 6, data => "$long\"\\\n\x{20ac}"),
         'data may be long and any text', status => 'accepted');
    is($voice->sql("select data = repeat('A', 40000) || E'\"\\\\\\n\\u20ac'"
           . ' from core.packet where sequence = 6'), 't',
       'and are stored as they were sent');
    is($voice->sql("select string_agg(p.sequence || ' ' || p.sent_at, ','"
           . ' order by p.sequence) from core.packet p join core.call c'
           . " on c.id = p.call_id where c.external_id = 'one'"),
       '0 1732600000.25,2 1732600000.25,4 1732600000.25,5 1000000000,'
       . '6 1732600000.25', 'each once, with its time');
}


sub rejected {
    $packets->packet('over', $_) for 0, 1;
    $voice->call('complete_call', as => $key, path => { call_id => 'over' },
                 body => { total_packets => 3 });

    told($packets->packet('over', 3), 'past the total a packet is rejected',
         status => 'rejected', sequence => 3, total_received => 2,
         message => 'Call already completed, no longer accepting packets',
         duplicate => 0);
    told($packets->packet('over', 2), 'within the grace period a late one is accepted',
         status => 'accepted', total_received => 3, missing_count => 0);

    $voice->sql('update core.call_stream set closes_at = now()'
                . " where external_id = 'over'");
    told($packets->packet('over', $_), 'after it every packet is rejected',
         status => 'rejected') for 0, 7;
}


sub validation {
    my %good = (sequence => 0, data => 'x', timestamp => 1);
    my %bad = (
        'no sequence'         => [{ %good, sequence => undef }, 'sequence'],
        'a negative sequence' => [{ %good, sequence => -1 }, 'sequence'],
        'a huge sequence'     => [{ %good, sequence => 2 ** 31 },
                                  'sequence'],
        'a sequence of 1e300' => ['{"sequence":1e300,"data":"x",'
                                  . '"timestamp":1}', 'sequence'],
        'a broken sequence'   => [{ %good, sequence => 1.5 }, 'sequence'],
        'a sequence as text'  => [{ %good, sequence => '1' }, 'sequence'],
        'no data'             => [{ %good, data => undef }, 'data'],
        'empty data'          => [{ %good, data => '' }, 'data'],
        'data of a number'    => [{ %good, data => 1 }, 'data'],
        'no timestamp'        => [{ %good, timestamp => undef },
                                  'timestamp'],
        'a timestamp of 0'    => [{ %good, timestamp => 0 }, 'timestamp'],
        'an unknown medium'   => [{ %good, media => 'mp3' }, 'media'],
        'a list'              => ['[1]', undef],
    );

    for my $what (sort keys %bad) {
        my ($body, $member) = @{$bad{$what}};
        if (ref $body) {
            delete $body->{$_} for grep { !defined $body->{$_} } keys %$body;
            $body = $json->encode($body);
        }
        my $reply = $packets->packet('bad', 0, body => $body);
        is($reply->{status}, 422, "$what is refused");
        is($reply->{json}{detail}[0]{loc}[-1], $member, 'and named')
            if defined $member;
    }

    is($packets->packet('bad', 0, body => '{"sequence":0,"data":"a\u0000b",'
              . '"timestamp":1}')->{status}, 422, 'NUL in data is refused');
    is($packets->packet('bad', 0, body => $_)->{status}, 400, 'so is what is no JSON')
        for '', '{', '{"sequence":0,"data":"x","timestamp":1}}',
            "{\"sequence\":0,\"data\":\"\xff\",\"timestamp\":1}";
    is($packets->packet('x' x 129, 0)->{status}, 422, 'and an id that is too long');
    is($packets->packet('bad', 0, data => 'x' x 60000)->{status}, 422,
       'and data that are');
    is($packets->packet('bad', 0, data => 'x' x 200000)->{status}, 413,
       'far too long ones by their size');
    is($voice->request('GET', Voice::Packets::PATH . '/bad', headers => {
        'X-API-Key' => $key->{api_key} })->{status}, 405,
       'packets are posted');
    is($voice->sql("select count(*) from core.call"
                   . " where external_id = 'bad'"), 0, 'nothing is stored');
}


sub rights {
    is($packets->packet('two', 0, as => Voice::Packets::key($voice, $acme, 'calls:read'))->{status}, 403,
       'a key needs the scope of ingestion');
    is($packets->packet('two', 0, as => { api_key => 'vgk_no_no' })->{status}, 401,
       'and must be one');
    is($packets->packet('two', 0, as => $voice->person('acme', 'viewer'))->{status},
       403, 'viewers send no packets');
    told($packets->packet('two', 5, as => $voice->person('acme', 'operator')),
         'operators may', status => 'accepted');
    told($packets->packet('two', 5, as => Voice::Packets::key($voice, $other, 'calls:ingest')),
         'a call of the same name is another one in another tenant',
         total_received => 1);

    my $short = Voice::Packets::key($voice, $acme, 'calls:ingest');
    told($packets->packet('three', 0, as => $short), 'a key sends',
         status => 'accepted');
    $voice->sql('update core.api_key set revoked_at = now()'
                . " where id = '$short->{id}'");
    is($packets->packet('three', 1, as => $short)->{status}, 401,
       'until it is revoked, whatever the edge still knows');
    told($packets->packet('three', 1), 'which touches no other',
         status => 'accepted', total_received => 2);
}


sub differing {
    $packets->packet('same', 0, data => 'first');
    $packets->scrape();
    told($packets->packet('same', 0, data => 'secret words'),
         'other data under the same sequence are a duplicate',
         status => 'duplicate', duplicate => 1);
    is($voice->sql('select data from core.packet p join core.call c'
                   . " on c.id = p.call_id where c.external_id = 'same'"),
       'first', 'what was first stays');
    is($packets->grown('packets_total{status="differing"}'), 1, 'it is counted');

    my $log = Voice::slurp("$voice->{stack}{log}/nginx.log");
    like($log, qr/packet 0 of call "same" came again with other data/,
         'the log tells');
    unlike($log, qr/secret words/, 'but not what it was');
    like($log, qr/call "one" lacks the packets 1 to 3/, 'gaps are told, too');
}


# Answers on one connection have the order of its requests.
sub order_of_a_connection {
    my $raw = Voice::Raw->new($voice);

    $raw->put(join '', map { $packets->message('line', $_) } 0 .. 49);
    my @replies = map { $raw->reply } 0 .. 49;

    is(join(' ', map { $json->decode($_->{content})->{sequence} } @replies),
       join(' ', 0 .. 49), 'answers come in the order of requests');
    is(join(' ', map { $json->decode($_->{content})->{total_received} }
                 @replies), join(' ', 1 .. 50),
       'and each has the count of its own packet');
}


# --- gathering ------------------------------------------------------------

# While one batch waits for its call, what comes meanwhile makes the next.
sub batches {
    $packets->packet('held', 0);
    my $lock = $packets->lock_call('held');
    $packets->scrape();

    my @raws = map { $packets->send_one('held', $_) } 1 .. 40;
    is($packets->waits(40), 40, 'packets wait while their call is locked');
    Voice::Packets::unlock($lock);

    my @replies = map { $json->decode($_->reply->{content}) } @raws;
    is(scalar(grep { $_->{status} eq 'accepted' } @replies), 40,
       'then all are taken');
    is(join(' ', sort { $a <=> $b } map { $_->{total_received} } @replies),
       join(' ', 2 .. 41), 'each reply has the count of its own packet');
    cmp_ok($packets->grown('voice_ingest_batches_total'), '<=', 4,
           'in a few transactions');
    is($packets->{metrics}{voice_ingest_held}, 0, 'nothing is held any more');
}


sub fairness {
    my $theirs = Voice::Packets::key($voice, $other, 'calls:ingest');

    $packets->packet('slow', 0);
    $packets->packet('quick', 0, as => $theirs);
    my $lock = $packets->lock_call('slow');
    my @raws = map { $packets->send_one('slow', $_) } 1 .. 20;
    $packets->waits(20);

    told($packets->packet('quick', 1, as => $theirs),
         'a tenant that has to wait keeps no other waiting',
         status => 'accepted', total_received => 2);
    Voice::Packets::unlock($lock);
    is(scalar(grep { $_->reply->{status} == 202 } @raws), 20,
       'and is served in the end');
}


# What has been sent is stored, though nobody waits for the answer.
sub client_gone {
    $packets->packet('gone', 0);
    my $lock = $packets->lock_call('gone');
    my @raws = map { $packets->send_one('gone', $_) } 1 .. 10;
    $packets->waits(10);
    $_->abort for @raws[0 .. 4];
    my $stay = $packets->send_one('gone', 11);
    $packets->waits(11);
    Voice::Packets::unlock($lock);

    is($_->reply->{status}, 202, 'who stays is answered')
        for @raws[5 .. 9], $stay;
    is($packets->stored('gone'), 12, 'packets of clients who went away are stored');
    told($packets->packet('gone', 3), 'as a repetition is told',
         status => 'duplicate');
}


# A node of small bounds and limits.
sub bounds {
    my $node = Voice::Node->start($voice, 'small', set => { NODES => 2 },
                                  edit => sub {
        edit("$_[0]/edge.conf", sub { s/^voice_redis /voice_ingest batch=2
            tenant_packets=6 packets=8 call_id=20 sequence=99 data=100
            gaps=2;\nvoice_redis /m });
    });

    is($packets->packet('x' x 21, 0, to => $node)->{status}, 422,
       'the largest id is a setting');
    is($packets->packet('x', 100, to => $node)->{status}, 422,
       'and the largest sequence');
    is($packets->packet('x', 0, to => $node, data => 'x' x 101)->{status}, 422,
       'and the largest data');

    told($packets->packet('gaps', 0, to => $node), 'a call begins',
         status => 'accepted');
    $packets->packet('gaps', $_, to => $node) for 2, 4;
    my $reply = $packets->packet('gaps', 6, to => $node);
    is($reply->{status}, 422, 'a call has only so many gaps');
    is($reply->{json}{detail}[0]{loc}[-1], 'sequence', 'which is named');
    told($packets->packet('gaps', 1, to => $node), 'what fills one is taken',
         status => 'accepted', missing_sequences => [3]);

    my $lock = $packets->lock_call('gaps');
    my @raws = map { $packets->send_one('gaps', $_, to => $node) } 3, 5 .. 9;
    $packets->waits(6, $node);
    $reply = $packets->packet('gaps', 10, to => $node);
    is($reply->{status}, 503, 'more than may wait of a tenant is refused');
    is($reply->{headers}{'retry-after'}, 1, 'and when to come again');
    is($reply->{json}{error}{code}, 'SERVICE_UNAVAILABLE', 'by its code');

    my $theirs = Voice::Packets::key($voice, $other, 'calls:ingest');
    told($packets->packet('theirs', 0, to => $node, as => $theirs),
         'another tenant has room', status => 'accepted');
    Voice::Packets::unlock($lock);
    is(scalar(grep { $_->reply->{status} == 202 } @raws), 6,
       'what waited is stored');
    like($node->request('GET', '/metrics')->{content},
         qr/^voice_ingest_refused_total 1$/m, 'the refusal is counted');
    $node->stop;
}


sub limits {
    my $node = Voice::Node->start($voice, 'limited', set => { NODES => 2 },
                                  edit => sub {
        my ($etc) = @_;
        system('cp', '-rL', "$voice->{stack}{data}/app/openapi",
               "$etc/openapi") == 0 or die 'cp';
        edit("$etc/openapi/openapi.json", sub {
            my $contract = $json->decode($_);
            $contract->{'x-limits'}{ingest} = { rate => 1, burst => 60,
                each => { by => 'call_id', rate => 1, burst => 8 } };
            $_ = $json->encode($contract);
        });
        edit("$etc/edge.conf", sub {
            s/voice_contract [^;]+;/voice_contract $etc\/openapi;/ });
    });

    my (%status, %policy);
    for my $n (0 .. 11) {
        my $reply = $packets->packet('much', $n, to => $node);
        $status{$reply->{status}}++;
        $policy{$reply->{headers}{'ratelimit-policy'} =~ s/;.*//r}++;
    }

    cmp_ok($status{429} // 0, '>=', 1, 'a call has a limit of its own');
    ok($policy{'"ingest-each"'}, 'which is told by its name');
    is($packets->packet('mu%63h', 20, to => $node, raw => 1)->{status}, 429,
       'however its id is written');
    is($packets->packet('little', 0, to => $node)->{status}, 202,
       'another call is not touched');

    my $reply;
    for my $n (1 .. 80) {
        $reply = $packets->packet("call$n", 0, to => $node);
        last if $reply->{status} == 429;
    }
    is($reply->{status}, 429, 'all calls of a tenant have one, too');
    like($reply->{headers}{'ratelimit-policy'}, qr/^"ingest";/,
         'which is told');
    ok($reply->{headers}{'retry-after'}, 'with when to come again');
    $node->stop;
}


# --- helpers --------------------------------------------------------------

# The reply's members are as told.
sub told {
    my ($reply, $name, %member) = @_;

    $reply->{json}{duplicate} += 0 if exists $reply->{json}{duplicate};
    my %got = map { $_ => $reply->{json}{$_} } keys %member;

    is($reply->{status}, 202, $name) or diag($reply->{content});
    is($json->encode(\%got), $json->encode(\%member), 'its reply is right');
}


sub edit {
    my ($file, $change) = @_;

    local $_ = Voice::slurp($file);
    $change->();
    Voice::spew($file, $_);
}
