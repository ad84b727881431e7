package Voice::Values;

# Values from the contract's schemas: such as they take, such as they refuse.
# All functions read the contract that use_contract() was given.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;

our @EXPORT = qw(use_contract resolve body_schema parameters kind types wrong
                 wrong_texts valid);

my $contract;


sub use_contract { ($contract) = @_ }


sub resolve {
    my ($node) = @_;

    while (my $ref = $node->{'$ref'}) {
        my @names = split m{/}, $ref;
        $node = $contract;
        $node = $node->{$_} for @names[1 .. $#names];
    }

    return $node;
}


sub body_schema {
    my ($operation) = @_;

    return resolve($operation->{requestBody}{content}{'application/json'}
                   {schema});
}


# Parameters of a kind: {name, schema}.
sub parameters {
    my ($operation, $in) = @_;

    my $item = $contract->{paths}{$operation->{path}};

    return map { { %$_, schema => resolve($_->{schema}) } }
        grep { $_->{in} eq $in } map { resolve($_) }
        @{$item->{parameters} || []}, @{$operation->{parameters} || []};
}


sub kind {
    my ($value) = @_;

    return !defined $value ? 'null'
        : ref $value eq 'ARRAY' ? 'array'
        : ref $value eq 'HASH' ? 'object'
        : ref $value ? 'boolean'
        : $value =~ /^-?\d+$/ ? 'integer' : 'string';
}


# The JSON types that a schema takes.
sub types {
    my ($schema) = @_;

    $schema = resolve($schema);
    return map { types($_) } @{$schema->{oneOf}} if $schema->{oneOf};

    my $type = $schema->{type} // return qw(object array string integer
                                            number boolean null);
    my @types = ref $type ? @$type : $type;
    push @types, 'integer' if grep { $_ eq 'number' } @types;

    return @types;
}


# Values that a schema does not take.
sub wrong {
    my ($schema) = @_;

    $schema = resolve($schema);
    my @types = types($schema);
    my %takes = map { $_ => 1 } @types;
    my @values = grep { !$takes{kind($_)} }
        (undef, \1, 7, 'text', [], {});

    return @values if $schema->{oneOf};

    push @values, 1.5 if $takes{integer} && !$takes{number};
    push @values, map { "$_" } wrong_strings($schema) if $takes{string};
    push @values, $schema->{minimum} - 1 if defined $schema->{minimum};
    push @values, $schema->{maximum} + 1 if defined $schema->{maximum};
    push @values, [(valid($schema->{items}, 'x')) x ($schema->{maxItems} + 1)]
        if $schema->{maxItems};
    push @values, [] if $schema->{minItems};
    push @values, { map { ("k$_" => 1) } 0 .. $schema->{maxProperties} }
        if $schema->{maxProperties};
    push @values, { no_such_member => 1 }
        if ref $schema->{additionalProperties} eq 'JSON::PP::Boolean';
    push @values, map { [$_] } wrong($schema->{items})
        if ref $schema->{items} && %{$schema->{items}};

    return @values;
}


sub wrong_strings {
    my ($schema) = @_;

    my @values;
    push @values, 'no such value' if $schema->{enum};
    push @values, 'no such form' if $schema->{format};
    push @values, '' if $schema->{minLength};
    push @values, 'x' x ($schema->{maxLength} + 1) if $schema->{maxLength};
    push @values, grep { !/$schema->{pattern}/ } ' ', "\x{1f600}"
        if $schema->{pattern};

    return @values;
}


# Texts of a query or a capture that a schema does not take.
sub wrong_texts {
    my ($schema) = @_;

    my %takes = map { $_ => 1 } types($schema);
    my @texts;

    if ($takes{integer}) {
        push @texts, '', 'x', '1e3', '0x10', '1 2', '1,2', "\x{ff11}", '-',
            '9' x 30, '9223372036854775808', '- 1', 'NaN';
        push @texts, '1.5' unless $takes{number};
        push @texts, $schema->{minimum} - 1 if defined $schema->{minimum};
        push @texts, $schema->{maximum} + 1 if defined $schema->{maximum};
    }
    push @texts, '', 'yes', '1', 'TRUE', 'truefalse' if $takes{boolean};
    push @texts, wrong_strings($schema) if $takes{string};

    # 1e3 is a number, if no integer
    return $takes{number} ? grep { $_ ne '1e3' } @texts : @texts;
}


# A value that a schema takes, texts being the given one where they can;
# undef where none is known.
sub valid {
    my ($schema, $text) = @_;

    $schema = resolve($schema);
    my ($type) = types($schema);

    return $schema->{enum}[0] if $schema->{enum};
    return undef if $schema->{format} || $schema->{oneOf};
    return $schema->{minimum} // 1 if $type =~ /^(?:integer|number)$/;
    return \1 if $type eq 'boolean';
    if ($type eq 'array') {
        my $item = valid($schema->{items} || {}, $text);
        return defined $item ? [$item] : [];
    }
    if ($type eq 'object') {
        my %object;
        for my $name (keys %{$schema->{properties} || {}}) {
            my $value = valid($schema->{properties}{$name}, $text);
            $object{$name} = $value if defined $value;
        }
        return \%object if $schema->{properties}
            || ref $schema->{additionalProperties};
        return { $text => $text };
    }
    return 'Abcdefghij-1' if ($schema->{'writeOnly'});
    return 'abc' if $schema->{pattern} && 'abc' =~ /$schema->{pattern}/;
    return undef if $schema->{pattern};
    $text = substr $text, 0, $schema->{maxLength} if $schema->{maxLength};

    return $text;
}


1;
