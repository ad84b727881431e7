# sql/migrate: idempotent, refuses edited migrations, gives the passwords.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";

use Voice::Sql;

my $root = abs_path("$FindBin::Bin/..");
my $copy = tempdir(CLEANUP => 1);


sub sql {
    my ($query) = @_;

    open my $out, '-|', 'psql', '-qXAtc', $query or die "psql: $!";
    my $rows = join '', <$out>;
    close $out;
    chomp $rows;

    return $rows;
}


# Runs the copy's runner; (exit status, output).
sub migrate {
    my (@arguments) = @_;

    my $output = `VOICE_ERRORS='$root/conf/openapi/errors.json' sh '$copy/migrate' @arguments 2>&1`;

    return ($? >> 8, $output);
}


sub spew {
    my ($file, $text, $mode) = @_;

    open my $out, $mode || '>', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
}


Voice::Sql::start() or exit 0;

mkdir "$copy/$_" for qw(migrations functions);
for my $file (glob "$root/sql/{migrate,*.sql,migrations/*,functions/*}") {
    copy($file, $copy . substr $file, length "$root/sql") or die "$file: $!";
}

my $dump = `pg_dump -s | grep -v '^.\\(un\\)\\?restrict'`;
my ($status, $output) = migrate();
is("$status $output", '0 ', 'a second run applies nothing');
is(`pg_dump -s | grep -v '^.\\(un\\)\\?restrict'`, $dump,
   'and leaves the schema as it is');

sql('select core.change_kind(k, \'{"max_attempts": 7, "rate": 3}\')'
    . ' from core.job_kind k where k.kind = \'probe\'');
my $kinds = slurp("$root/sql/kinds.sql");
spew("$copy/kinds.sql", $kinds =~ s/(\('probe', 'probe', 30, 60), 3,/$1, 5,/r
     =~ s/(on conflict \(kind\) do update set)/$1 keep_days = 80,/r);
($status, $output) = migrate();
is("$status $output", '0 ', 'a release with other settings of kinds');
is(sql('select max_attempts, rate, keep_days from core.job_kind'
       . ' where kind = \'probe\''), '7|3|80',
   'leaves what an operator changed');
is(sql('select usual from core.job_kind_change'
       . ' where kind = \'probe\''), '{"rate": null, "max_attempts": 5}',
   'and is the default of it');
sql('select core.change_kind(jsonb_populate_record(k, c.usual), \'{}\')'
    . ' from core.job_kind k join core.job_kind_change c using (kind)'
    . ' where k.kind = \'probe\'');
is(sql('select max_attempts, rate from core.job_kind'
       . ' where kind = \'probe\''), '5|',
   'which is in force when he takes it back');
sql('update core.job_kind set keep_days = 90');
copy("$root/sql/kinds.sql", "$copy/") or die $!;
migrate();

my $functions = "$copy/functions";
spew("$functions/probe.sql", "create or replace function core.probe()"
     . " returns int language sql as \$\$ select core.later() \$\$;\n"
     . "create or replace function core.later() returns int"
     . " language sql as \$\$ select 1 \$\$;\n");
($status, $output) = migrate('--status');
is("$status $output", "0 functions/probe.sql\n", '--status tells what is new');
is(sql('select count(*) from core.applied where name like \'%probe%\''), 0,
   'and changes nothing');
($status, $output) = migrate();
is("$status $output", "0 functions/probe.sql\n",
   'functions may call what stands below them');
is(sql('select rolname from pg_proc p join pg_roles r on r.oid = p.proowner'
       . ' where proname = \'probe\''), 'voice_owner', 'the owner has them');
is(sql('select has_function_privilege(\'voice_edge\', \'core.probe()\','
       . ' \'execute\')'), 'f', 'and the edge has not');

spew("$functions/probe.sql", "create or replace function core.probe()"
     . " returns int language sql as \$\$ select core.nowhere() \$\$;\n");
($status, $output) = migrate();
isnt($status, 0, 'a body that does not compile is refused');
is(sql('select core.probe()'), 1, 'the old one stays');
unlink "$functions/probe.sql";

spew("$copy/migrations/0900_probe.sql",
     "create table core.probe (id int);\nselect 1 / 0;\n");
($status, $output) = migrate();
isnt($status, 0, 'a migration that fails is refused');
is(sql('select to_regclass(\'core.probe\')'), '', 'nothing of it stays');
spew("$copy/migrations/0900_probe.sql", "create table core.probe (id int);\n");
($status, $output) = migrate();
is("$status $output", "0 migrations/0900_probe.sql\n",
   'mended, it is applied');

spew("$copy/migrations/0001_core.sql", "-- edited\n", '>>');
($status, $output) = migrate();
isnt($status, 0, 'a migration that was edited afterwards is refused');
like($output, qr{migrations/0001_core\.sql.*edited}, 'by name');
copy("$root/sql/migrations/0001_core.sql", "$copy/migrations/") or die $!;

unlink "$copy/migrations/0900_probe.sql";
($status, $output) = migrate();
isnt($status, 0, 'an older release leaves a newer database alone');
like($output, qr{newer.*migrations/0900_probe\.sql}, 'and says why');
spew("$copy/migrations/0900_probe.sql", "create table core.probe (id int);\n");

symlink "$copy/nowhere", "$copy/functions/zzz.sql" or die "symlink: $!";
($status, $output) = migrate();
isnt($status, 0, 'a file that cannot be read is an error, not an end');
unlink "$copy/functions/zzz.sql";

unlink "$copy/kinds.sql";
($status, $output) = migrate();
isnt($status, 0, 'a missing file is an error');
copy("$root/sql/kinds.sql", "$copy/") or die $!;

is(sql('select count(*) from pg_authid where rolname in (\'voice_edge\','
       . ' \'voice_worker\') and rolpassword is null'), 2,
   'without passwords in the environment none are set');
{
    local $ENV{VOICE_EDGE_PASSWORD} = "it's \$5 'a' \\ \"b\"";
    local $ENV{VOICE_WORKER_PASSWORD} = 'w';
    ($status, $output) = migrate();
    is("$status $output", '0 ', 'with them they are');
}
like(sql('select string_agg(rolpassword, \' \') from pg_authid'
         . ' where rolname in (\'voice_edge\', \'voice_worker\')'),
     qr/^SCRAM-SHA-256\S+ SCRAM-SHA-256\S+$/, 'as verifiers');

is(sql('select count(*) from core.error'),
   scalar(() = slurp("$root/conf/openapi/errors.json") =~ /"sqlstate"/g),
   'the error codes are those of errors.json');
is(sql('select string_agg(code, \' \') from core.error'
       . ' where sqlstate !~ status::text'), '',
   'each SQLSTATE ends in its status');

sql('create database twice');
my (@child, $failed);
for (1 .. 2) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        $ENV{PGDATABASE} = 'twice';
        exec "sh '$root/sql/migrate' >/dev/null 2>&1" or exit 127;
    }
    push @child, $pid;
}
$failed = 0;
for my $pid (@child) {
    waitpid $pid, 0;
    $failed++ if $?;
}
is($failed, 0, 'two runs at once do no harm');

done_testing();


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!";
    local $/;

    return scalar <$in>;
}
