#!/usr/bin/perl

# Contract, SQL functions, error codes and tests are the same set.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;

# Functions of the edge that are no operations.
my %internal = map { $_ => 1 } qw(enter authenticate_key enter_once keep
                                   replay redeem_ticket);

my $voice = Voice->start;
my $operations = $voice->{operations};

functions_are_operations();
operations_are_tested();
errors_are_one_list();
credentials_are_demanded();
scopes_are_one_list();

$voice->finish;


sub functions_are_operations {
    # those of packets take arrays and give a row for each
    my $packets = join ',', map { "'$_'" }
        grep { ($operations->{$_}{'x-shape'} // '') eq 'packet' }
        sort keys %$operations;
    my %function = map { $_ => 1 } split /\n/, $voice->sql(
        "select proname from pg_proc where pronamespace = 'api'::regnamespace"
        . " and (prorettype = 'api.reply'::regtype"
        . " or proname in ($packets))");
    my %lookup = map { $_->{'x-verify'}{lookup} => 1 }
        grep { $_->{'x-verify'} } values %$operations;

    my @missing = grep { !$function{$_} && !served_by_edge($_) }
        sort keys %$operations;
    my @extra = grep { !$operations->{$_} && !$lookup{$_} && !$internal{$_} }
        sort keys %function;

    is("@missing", '', 'every operation has a SQL function');
    is("@extra", '', 'every SQL function is an operation');
}


# These have no data: the process itself, the contract, its page.
sub served_by_edge {
    my ($name) = @_;

    my $shape = $operations->{$name}{'x-shape'} // '';

    return $shape =~ /^(?:contract|docs|example)$/ || $name eq 'health';
}


sub operations_are_tested {
    my %called;

    for my $file (glob "$Voice::ROOT/t/*.t") {
        next if $file =~ /99-contract/;
        my $text = Voice::slurp($file);
        $called{$1} = 1 while $text =~ /call\(\s*'(\w+)'/g;
        # Streams and pages are no JSON exchanges: named in a comment.
        $called{$_} = 1 for map { split ' ' } $text =~ /^# covers: (.*)$/mg;
    }

    my @untested = grep { !$called{$_} } sort keys %$operations;

    is("@untested", '', 'every operation is called by a test');
}


sub errors_are_one_list {
    my $list = $voice->{contract}{'x-errors'};
    my %used;

    for my $file (glob("$Voice::ROOT/sql/functions/*.sql"),
                  glob("$Voice::ROOT/ngx_voice_module/*.[ch]"))
    {
        my $text = Voice::slurp($file);
        # core.fail(), core.reply_error() in SQL, the table of rows in C.
        $used{$1} = 1
            while $text =~ /(?:fail|reply_error|ROW)\(\s*'?([A-Z_]{4,})'?/g;
    }

    my @unlisted = grep { !$list->{$_} } sort keys %used;
    my @unused = grep { !$used{$_} } sort keys %$list;

    is("@unlisted", '', 'every code in SQL is in the list of errors');
    is("@unused", '', 'every code of the list is used');

    my $rows = $voice->sql(
        'select code, sqlstate, status from core.error order by code');
    my $same = join "\n", map {
        "$_|$list->{$_}{sqlstate}|$list->{$_}{status}" } sort keys %$list;
    is($rows, $same, 'the database has the same list');
}


sub credentials_are_demanded {
    my @open;

    for my $name (sort keys %$operations) {
        my $operation = $operations->{$name};
        my $role = $operation->{'x-role'};
        my $path = $operation->{path};

        next if !ref $role && $role eq 'public';
        $path =~ s/\{\w+\}/00000000-0000-7000-8000-000000000000/g;

        my $reply = $voice->request($operation->{method}, $path);
        push @open, "$name $reply->{status}" if $reply->{status} != 401;
    }

    is("@open", '', 'without credentials every operation answers 401');
}


sub scopes_are_one_list {
    my %needed = ('*' => 1);

    for my $operation (values %$operations) {
        my $role = $operation->{'x-role'};
        next if !ref $role && $role eq 'public';
        my $right = $operation->{method} eq 'GET' ? 'read' : 'write';
        $needed{$operation->{'x-scope'} // "$operation->{tags}[0]:$right"} = 1;
    }

    is_deeply([sort @{$voice->{contract}{components}{schemas}{ApiKeyScope}
                                        {enum}}], [sort keys %needed],
              'a key may have the scopes that operations ask for');
}
