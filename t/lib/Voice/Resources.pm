package Voice::Resources;

# One of everything that a tenant can have, for tests that go through all
# operations.  The jobs of its run are done here by their SQL calls.

use strict;
use warnings;

use JSON::PP;

use constant WAV => "RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0"
    . "\0\x7d\0\0\2\0\x10\0data\0\0\0\0";


# Ids by the path's collection ("test-suites" => id ...).
sub make {
    my ($voice, $owner, $name) = @_;

    my %id = (tenants => $owner->{tenant_id}, plans => 'standard');

    people($voice, $owner, $name, \%id);
    catalogue($voice, $owner, $name, \%id);
    run($voice, $owner, \%id);
    call($voice, $owner, $name, \%id);
    dead($voice, $owner, \%id);

    return \%id;
}


# A path of the contract with the captures filled in.
sub path {
    my ($template, $id) = @_;

    my ($collection) = $template =~ m{^/(?:api/v1|ws|events)/([^/]+)};
    my %capture = (
        id         => $id->{$collection // ''},
        tenant_id  => $id->{tenants},
        outcome_id => $id->{'expected-outcomes'},
        code       => 'en-US',
        number     => 1,
        other      => 1,
        kind       => $template =~ /job-/ ? 'probe' : 'input',
        name       => 'probe',
        call_id    => $id->{call},
    );

    $template =~ s/\{(\w+)\}/$capture{$1} \/\/ die "no $1 for $template"/ge;

    return $template;
}


# Bodies of the operations that change one thing, right in every way; the
# ids in them are of that tenant.
sub bodies {
    my ($id) = @_;

    return {
        update_api_key           => { name => 'x' },
        rotate_api_key           => { overlap_seconds => 60 },
        update_membership        => { role => 'viewer' },
        update_tenant            => { business_name => 'x' },
        update_plan              => { name => 'x' },
        update_user              => { display_name => 'x' },
        update_test_suite        => { name => 'x' },
        update_test_case         => { name => 'x' },
        update_schedule          => { name => 'x' },
        update_expected_outcome  => { name => 'x' },
        put_test_case_language   => { input_text => 'x' },
        link_test_case_outcome   => { expected_outcome_id =>
                                          $id->{'expected-outcomes'} },
        review_validation_result => { decision => 'fail' },
        duplicate_test_case      => { name => 'x' },
        set_job_share_of_tenant  => { weight => 2 },
        update_job_kind          => { rate_burst => 1 },
        complete_call            => { total_packets => 2 },
        ingest_packet            => { sequence => 0, data => 'x',
                                      timestamp => 1 },
    };
}


sub people {
    my ($voice, $owner, $name, $id) = @_;

    my $body = sub { $_[0]{json}{data} or die $_[0]{content} };

    $id->{users} = $body->($voice->call('create_user', as => $owner,
        body => { email => "pat\@$name.example", role => 'operator',
                  password => 'Correct-Horse-9' }))->{id};
    $id->{'api-keys'} = $body->($voice->call('create_api_key', as => $owner,
        body => { name => 'ci', role => 'api_client' }))->{id};

    $voice->sql('insert into core.tenant_host (tenant_id, host)'
                . " values ('$owner->{tenant_id}', '$name.example')");

    $id->{memberships} = $body->($voice->call('list_memberships',
        as => $owner))->[0]{id};
    $id->{sessions} = $body->($voice->call('list_sessions',
        as => $owner))->[0]{id};
}


sub catalogue {
    my ($voice, $owner, $name, $id) = @_;

    my $make = sub {
        my ($operation, %body) = @_;
        my $reply = $voice->call($operation, as => $owner, body => \%body);
        return $reply->{json}{data}{id} // die $reply->{content};
    };

    $id->{'test-suites'} = $make->('create_test_suite', name => $name);
    $id->{'expected-outcomes'} = $make->('create_expected_outcome',
        outcome_code => 'home', name => $name);
    $id->{'test-cases'} = $make->('create_test_case', name => $name,
        suite_id => $id->{'test-suites'}, languages => [
            { language_code => 'en-US', input_text => 'take me home' }]);
    $voice->call('link_test_case_outcome', as => $owner,
        path => { id => $id->{'test-cases'} },
        body => { expected_outcome_id => $id->{'expected-outcomes'} });
    # due next in another year
    $id->{schedules} = $make->('create_schedule', name => $name,
        expression => '0 0 1 1 *', starts_at => '2090-01-01T00:00:00Z',
        action => { type => 'run_suite',
                    suite_id => $id->{'test-suites'} });
}


# A call of sound that was processed; id "call" is its caller's.
sub call {
    my ($voice, $owner, $name, $id) = @_;

    my $tenant = $owner->{tenant_id};

    $id->{call} = "call-of-$name";
    $voice->sql("select status from api.ingest_packet(api.enter('$tenant',
        null, 'dropin', 'service', null, 'test', null),
        array['$id->{call}'], array[0]::bigint[], array[1]::float8[],
        array['pcmu'], array['//8='], 100)");
    $id->{calls} = $voice->sql("select id from core.call
        where tenant_id = '$tenant' and external_id = '$id->{call}'");
    $voice->sql("insert into core.call_try (tenant_id, call_id, drive, try)
        values ('$tenant', '$id->{calls}', 1, 1);
        update core.call set recording_key = 'ab/' || repeat('ab', 32)
            || '.wav', transcription = 'take me home'
        where id = '$id->{calls}'");
    $voice->sql("select core.call_move('$id->{calls}', '$_')
        from core.use_tenant('$tenant', null, 'system', null, '')")
        for qw(COMPLETED PROCESSING_AI ARCHIVED);
}


# A job that was given up in its first attempt, and one of all that jobs leave
# behind: nothing waits.
sub dead {
    my ($voice, $owner, $id) = @_;

    my $tenant = $owner->{tenant_id};
    my $under = "core.use_tenant('$tenant', null, 'system', null, '')";

    $voice->sql("select core.close_group(core.open_group('probe')),
                        core.add_unique_job('probe', 'key') from $under;
        update core.job set state = 'cancelled', ended_at = now()
         where tenant_id = '$tenant' and state = 'queued';
        insert into core.job_share (tenant_id, kind, weight)
        values ('$tenant', 'validation', 2)");

    $id->{jobs} = $voice->sql("select core.add_job('probe', '{}')
                                 from $under");
    $voice->sql("update core.job set state = 'running', attempt = 1,
            token = 1, worker = 'test', claimed_at = now(),
            lease_until = now() where id = '$id->{jobs}';
        update core.job set state = 'dead', ended_at = now(),
            lease_until = null where id = '$id->{jobs}'");
}


sub run {
    my ($voice, $owner, $id) = @_;

    $id->{'test-runs'} = $voice->call('create_test_run', as => $owner,
        body => { suite_id => $id->{'test-suites'} })->{json}{data}{id};
    work($voice);
    $voice->sql('select count(*) from work.relay_take(1000)');

    my $execution = $voice->call('list_test_run_executions', as => $owner,
        path => { id => $id->{'test-runs'} })->{json}{data}[0];
    $id->{executions} = $execution->{id};
    $id->{'validation-results'} = $execution->{validation_result_id};
}


# Does what waits: one call, then its validation, which a human must judge.
sub work {
    my ($voice) = @_;

    my $objects = $voice->{stack}{objects};
    my $key = 'ab/' . 'ab' x 32 . '.wav';

    mkdir "$objects/ab";
    chmod 0755, "$objects/ab";
    Voice::spew("$objects/$key", WAV);

    job($voice, 'test_execution', {
        skipped => undef, response_text => 'going home',
        transcript => 'take me home', intent => 'navigate',
        entities => {}, asr_confidence => 0.9,
        input_audio => { object => $key, bytes => 44, duration_ms => 0 },
        response_audio => undef, rtf => 0.2,
        timings => { first_byte_ms => 20, final_result_ms => 300,
                     network_ms => 1 },
        agent => { provider => 'houndify', profile => 'builtin' } });
    job($voice, 'validation', {
        decision => 'manual_review', confidence_score => 0.5,
        heard_text => 'going home', wer_score => 0.5, wer_raw => 1.5,
        alignment => { substitutions => 1 }, gates => [],
        response_patterns => { passed => JSON::PP::true, errors => [] } });
}


# Claims, starts and finishes the next job of a kind.
sub job {
    my ($voice, $kind, $result) = @_;

    my ($job, $token) = split /\|/, $voice->sql(
        "select job_id, token from work.claim('test', '$kind', 1)");
    $voice->sql("select work.start_$kind('$job', $token)");
    my $accepted = $voice->sql("select accepted from work.finish_$kind("
        . "'$job', $token, :'result')", result => encode_json($result));

    $accepted eq 't' or die "$kind was not accepted\n";
}


1;
