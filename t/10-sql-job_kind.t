use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Voice::Sql;

Voice::Sql::run('t/sql/job_kind.sql');
