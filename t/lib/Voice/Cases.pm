package Voice::Cases;

# Cases for an agent under test, each with its own outcome, run at once.
#
#   my $cases = Voice::Cases->new($voice, $owner, 'fake');
#   $cases->add(name => 'One', expected_response => 'Hello.');
#   my ($run, %execution_by_name) = $cases->run;
#
# The case's name is sent as Case in the conversation state.

use strict;
use warnings;

my $codes = 0;


sub new {
    my ($class, $voice, $actor, $agent) = @_;

    return bless { voice => $voice, actor => $actor, agent => $agent,
                   suites => {}, cases => [] }, $class;
}


# name, input, language, speaker (voice), agent; outcome => 0: none is
# linked; domain; the rest goes to the outcome.
sub add {
    my ($self, %arg) = @_;

    my ($voice, $actor) = @$self{qw(voice actor)};
    my ($name, $input, $language, $speaker, $agent, $linked)
        = delete @arg{qw(name input language speaker agent outcome)};

    my $case = $voice->call('create_test_case', as => $actor, body => {
        suite_id => $self->suite($agent // $self->{agent}), name => $name,
        scenario_definition => {
            conversation_state => { Case => $name } },
        languages => [{ language_code => $language // 'en-US',
                        input_text => $input // 'take me to the airport',
                        $speaker ? (voice => $speaker) : () }] });
    die "no case: $case->{content}" if $case->{status} != 201;
    my $id = $case->{json}{data}{id};
    push @{$self->{cases}}, $id;

    return $id if defined $linked && !$linked;

    my $outcome = $voice->call('create_expected_outcome', as => $actor,
        body => { outcome_code => 'CODE_' . ++$codes, name => $name, %arg });
    die "no outcome: $outcome->{content}" if $outcome->{status} != 201;
    $voice->call('link_test_case_outcome', as => $actor,
        path => { id => $id },
        body => { expected_outcome_id => $outcome->{json}{data}{id} });

    return $id;
}


sub suite {
    my ($self, $agent) = @_;

    return $self->{suites}{$agent} //= $self->{voice}->call(
        'create_test_suite', as => $self->{actor},
        body => { name => "Agent $agent", agent => $agent })->{json}{data}{id};
}


# Runs what was added since the last run; the run, then executions by name.
sub run {
    my ($self) = @_;

    my ($voice, $actor) = @$self{qw(voice actor)};
    my $made = $voice->call('create_test_run', as => $actor,
        body => { test_case_ids => $self->{cases} });
    die "no run: $made->{content}" if $made->{status} != 201;
    $self->{cases} = [];

    my $run = $voice->wait_run($actor, $made->{json}{data}{id});
    my $list = $voice->call('list_test_run_executions', as => $actor,
        path => { id => $run->{id} },
        query => { page_size => 100 })->{json}{data};

    return ($run, map { $_->{test_case_name} => $_ } @$list);
}


# The validation result of an execution; {} if it has none.
sub result {
    my ($self, $execution) = @_;

    my $id = $execution->{validation_result_id} or return {};

    return $self->{voice}->call('get_validation_result',
        as => $self->{actor}, path => { id => $id })->{json}{data};
}


1;
