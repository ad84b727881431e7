-- An execution's scenario stands in the version of its case: no copy of what
-- may be large.

alter table core.voice_test_execution
    drop column context,
    add foreign key (tenant_id, test_case_id, test_case_version)
        references core.test_case_version;
