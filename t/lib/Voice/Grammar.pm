package Voice::Grammar;

# Reads a JSGF grammar as the speech domains have it, makes random sentences
# of it, tells whether a sentence is one of its.

use strict;
use warnings;


sub read {
    my ($class, $file) = @_;

    open my $in, '<', $file or die "$file: $!";
    my $text = do { local $/; <$in> };
    my $self = bless { rules => {}, file => $file }, $class;

    $text =~ s{/\*.*?\*/}{}gs;

    while ($text =~ /(public\s+)?<(\w+)>\s*=\s*(.*?);/gs) {
        $self->{rules}{$2} = _parse($3);
        $self->{public} = $2 if $1;
    }

    return $self;
}


# A random sentence; $likely is how often an optional part is spoken.

sub sentence {
    my ($self, $likely) = @_;

    my $text = $self->_say($self->{rules}{$self->{public}}, $likely // 0.4);
    $text =~ s/\s+/ /g;
    $text =~ s/^ | $//g;

    return $text;
}


# Is this a sentence of the rule, or of the grammar's public one?

sub accepts {
    my ($self, $sentence, $rule) = @_;

    my $pattern = $self->_pattern({ kind => 'rule',
                                    name => $rule // $self->{public} });

    return " $sentence" =~ /\A$pattern\z/;
}


# All words of all rules.

sub words {
    my ($self) = @_;

    my (%word, @todo);
    @todo = values %{$self->{rules}};

    while (my $node = shift @todo) {
        $word{$node->{word}} = 1 if defined $node->{word};
        push @todo, @{$node->{parts} || []};
    }

    return sort keys %word;
}


# How many sentences there are, the same one said in two ways counted twice.

sub count {
    my ($self, $node) = @_;

    $node //= $self->{rules}{$self->{public}};
    return 1 if $node->{kind} eq 'word';
    return $self->count($self->{rules}{$node->{name}})
        if $node->{kind} eq 'rule';

    my @counts = map { $self->count($_) } @{$node->{parts}};
    my $all = $node->{kind} eq 'any' ? 0 : 1;

    for my $count (@counts) {
        $all = $node->{kind} eq 'any' ? $all + $count : $all * $count;
    }

    return $node->{kind} eq 'maybe' ? $all + 1 : $all;
}


sub _parse {
    my ($text) = @_;

    my @tokens = $text =~ /[()\[\]|]|<\w+>|[^\s()\[\]<>|]+/g;
    my $node = _any(\@tokens);
    die "unexpected \"@tokens\"" if @tokens;

    return $node;
}


sub _any {
    my ($tokens) = @_;

    my @parts = (_all($tokens));

    while (@$tokens && $tokens->[0] eq '|') {
        shift @$tokens;
        push @parts, _all($tokens);
    }

    return @parts == 1 ? $parts[0] : { kind => 'any', parts => \@parts };
}


sub _all {
    my ($tokens) = @_;

    my @parts;

    while (@$tokens && $tokens->[0] !~ /^[|)\]]$/) {
        my $token = shift @$tokens;

        if ($token eq '(' || $token eq '[') {
            my $node = _any($tokens);
            shift @$tokens;
            push @parts, $token eq '(' ? $node
                                       : { kind => 'maybe',
                                           parts => [$node] };
        } elsif ($token =~ /^<(\w+)>$/) {
            push @parts, { kind => 'rule', name => $1 };
        } else {
            push @parts, { kind => 'word', word => $token };
        }
    }

    return { kind => 'all', parts => \@parts };
}


sub _say {
    my ($self, $node, $likely) = @_;

    my $kind = $node->{kind};
    my $parts = $node->{parts};

    return " $node->{word}" if $kind eq 'word';
    return $self->_say($self->{rules}{$node->{name}}, $likely)
        if $kind eq 'rule';
    return $self->_say($parts->[rand @$parts], $likely) if $kind eq 'any';
    return '' if $kind eq 'maybe' && rand() >= $likely;

    return join '', map { $self->_say($_, $likely) } @$parts;
}


sub _pattern {
    my ($self, $node) = @_;

    my $kind = $node->{kind};

    return ' ' . quotemeta $node->{word} if $kind eq 'word';
    return $self->{patterns}{$node->{name}}
        //= $self->_pattern($self->{rules}{$node->{name}})
        if $kind eq 'rule';

    my @parts = map { $self->_pattern($_) } @{$node->{parts}};

    return '(?:' . join('|', @parts) . ')' if $kind eq 'any';
    return '(?:' . join('', @parts) . ')?' if $kind eq 'maybe';

    return join '', @parts;
}


1;
