# sallyport jail profile, see sallyport-profile(5).
describe The command line clients of MariaDB, MySQL, PostgreSQL, Redis and SQLite, and their servers' sockets.
install mariadb-client, postgresql-client, redis-tools and sqlite3, or those of them that the sites use
requires base

# MariaDB and MySQL: either has both names on many hosts.
program? mysql
program? mysqldump
program? /usr/bin/mysqladmin
program? /usr/bin/mysqlcheck
program? /usr/bin/mysqlimport
program? /usr/bin/mysqlshow
program? /usr/bin/mariadb
program? /usr/bin/mariadb-dump
program? /usr/bin/mariadb-admin
program? /usr/bin/mariadb-check
program? /usr/bin/mariadb-import
program? /usr/bin/mariadb-show
tree? /etc/my.cnf
tree? /etc/my.cnf.d
tree? /etc/mysql
tree? /usr/share/mysql/charsets
tree? /usr/share/mariadb/charsets
tree? /usr/lib/x86_64-linux-gnu/libmariadb3/plugin
tree? /usr/lib/aarch64-linux-gnu/libmariadb3/plugin
tree? /usr/lib64/mariadb/plugin
tree? /usr/lib/mysql/plugin/dialog.so
socket? /run/mysqld/mysqld.sock
socket? /run/mariadb/mariadb.sock
socket? /var/lib/mysql/mysql.sock

# PostgreSQL: on Debian and Ubuntu a script in perl that starts the program of the right release.
program? psql
program? pg_dump
program? /usr/bin/pg_dumpall
program? /usr/bin/pg_restore
program? /usr/lib/postgresql/12/bin/psql
program? /usr/lib/postgresql/12/bin/pg_dump
program? /usr/lib/postgresql/12/bin/pg_dumpall
program? /usr/lib/postgresql/12/bin/pg_restore
program? /usr/lib/postgresql/13/bin/psql
program? /usr/lib/postgresql/13/bin/pg_dump
program? /usr/lib/postgresql/13/bin/pg_dumpall
program? /usr/lib/postgresql/13/bin/pg_restore
program? /usr/lib/postgresql/14/bin/psql
program? /usr/lib/postgresql/14/bin/pg_dump
program? /usr/lib/postgresql/14/bin/pg_dumpall
program? /usr/lib/postgresql/14/bin/pg_restore
program? /usr/lib/postgresql/15/bin/psql
program? /usr/lib/postgresql/15/bin/pg_dump
program? /usr/lib/postgresql/15/bin/pg_dumpall
program? /usr/lib/postgresql/15/bin/pg_restore
program? /usr/lib/postgresql/16/bin/psql
program? /usr/lib/postgresql/16/bin/pg_dump
program? /usr/lib/postgresql/16/bin/pg_dumpall
program? /usr/lib/postgresql/16/bin/pg_restore
program? /usr/lib/postgresql/17/bin/psql
program? /usr/lib/postgresql/17/bin/pg_dump
program? /usr/lib/postgresql/17/bin/pg_dumpall
program? /usr/lib/postgresql/17/bin/pg_restore
program? /usr/lib/postgresql/18/bin/psql
program? /usr/lib/postgresql/18/bin/pg_dump
program? /usr/lib/postgresql/18/bin/pg_dumpall
program? /usr/lib/postgresql/18/bin/pg_restore
tree? /usr/share/postgresql-common
tree? /etc/postgresql-common
tree? /usr/share/perl5/PgCommon.pm
tree? /usr/lib/x86_64-linux-gnu/perl-base
tree? /usr/lib/aarch64-linux-gnu/perl-base
tree? /usr/lib/x86_64-linux-gnu/perl
tree? /usr/lib/aarch64-linux-gnu/perl
tree? /usr/share/perl
socket? /run/postgresql/.s.PGSQL.5432

program? redis-cli
program? /usr/bin/valkey-cli
socket? /run/redis/redis-server.sock
socket? /run/redis/redis.sock
socket? /run/valkey/valkey.sock

program? sqlite3

promise the clients that the host has start
prove? mysql --version
prove? mysqldump --version
prove? psql --version
prove? pg_dump --version
prove? redis-cli --version
promise sqlite3 keeps what it is given
prove-sh? sqlite3 /tmp/proof.db "create table t(x); insert into t values('ä'); select x from t" | grep -qx ä
