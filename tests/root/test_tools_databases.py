# SPDX-License-Identifier: GPL-3.0-or-later
"""Real database servers, reached from a jail by their sockets: large imports, dumps, a restart in the middle of a session."""

import os
import pathlib
import shutil
import subprocess

import pytest

import sp
import sp_site

PG = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]
ROWS = 320_000 # with 80 bytes of text each: a dump of more than 25 MB


class Server:
    """A server of this host, in the foreground, as its own user and on its own socket."""

    def __init__(self, user, argv, ready, log):
        self.user, self.argv, self.ready, self.log = user, argv, ready, pathlib.Path(log)
        self.start()

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", "--", *map(str, self.argv)],
                                            cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        sp.wait_for(self._is_ready, 60, f"the start of {self.argv[0]}")

    def _is_ready(self):
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        return sp.run(self.ready).rc == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def folder(path, owner):
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    shutil.chown(path, owner, owner)
    return path


@pytest.fixture(scope="module")
def mariadb(host):
    data = folder("/srv/mariadb", "mysql")
    folder("/run/mysqld", "mysql")
    sp.run(["mariadb-install-db", "--user=mysql", f"--datadir={data}", "--skip-test-db", "--auth-root-authentication-method=socket",
            "--skip-name-resolve"], timeout=120, check=True)
    server = Server("mysql", ["mariadbd", f"--datadir={data}", "--socket=/run/mysqld/mysqld.sock", "--skip-networking",
                              "--pid-file=/run/mysqld/mysqld.pid", "--innodb-buffer-pool-size=64M"],
                    ["mariadb-admin", "ping"], "/run/mariadb.log")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def postgresql(host):
    data = folder("/srv/postgresql", "postgres")
    folder("/run/postgresql", "postgres")
    sp.run(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", PG / "initdb", "-D", data, "-A", "peer", "-E", "UTF8",
            "--locale=C.UTF-8", "-N"], timeout=120, check=True, cwd="/")
    server = Server("postgres", [PG / "postgres", "-D", data, "-k", "/run/postgresql", "-c", "listen_addresses="],
                    ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", PG / "pg_isready", "-h", "/run/postgresql"],
                    "/run/postgresql.log")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def redis(host):
    folder("/run/redis", "redis")
    server = Server("redis", ["redis-server", "--port", "0", "--unixsocket", "/run/redis/redis-server.sock", "--unixsocketperm", "777",
                              "--save", "", "--dir", "/tmp"], ["redis-cli", "-s", "/run/redis/redis-server.sock", "ping"], "/run/redis.log")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(mariadb, postgresql, redis):
    """A domain with a database on each server, as a panel makes them: MariaDB by password and by who connects, PostgreSQL by peer."""
    user = sp.make_user(name="dbsite")
    answer = sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["databases"]}).ok()
    assert answer["warnings"] == [], answer
    sp.run(["mariadb"], input="CREATE DATABASE site CHARACTER SET utf8mb4; CREATE USER dbsite@localhost IDENTIFIED VIA unix_socket;"
           "GRANT ALL ON site.* TO dbsite@localhost; CREATE USER web@localhost IDENTIFIED BY 'secret word';"
           "GRANT ALL ON site.* TO web@localhost;", check=True)
    psql = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", PG / "psql", "-h", "/run/postgresql"]
    sp.run([*psql, "-c", "CREATE ROLE dbsite LOGIN", "-c", "CREATE DATABASE site OWNER dbsite"], check=True, cwd="/")
    return user


def inside(user, command, **more):
    done = sp.ssh(user, command, timeout=120, **more)
    assert (done.rc, done.stderr) == (0, ""), done._replace(raw=b"", stdout=done.stdout[-500:])
    return done.stdout.rstrip("\n")


def row(number):
    return f"Zeile {number} – äöü € 漢字 🙂 {number * 2654435761 % 2**32:08x}".ljust(60, "x")


@pytest.fixture(scope="module")
def dumps(site):
    """What people upload: one .sql for each server, 25 MB and more, put where sftp puts it."""
    mysql, pg = pathlib.Path(site.home, "mysql.sql"), pathlib.Path(site.home, "pg.sql")
    with mysql.open("w") as out:
        out.write("SET NAMES utf8mb4;\nCREATE TABLE posts (id INT PRIMARY KEY, body TEXT NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n")
        for start in range(0, ROWS, 1000):
            out.write("INSERT INTO posts VALUES " + ",".join(f"({n},'{row(n)}')" for n in range(start, start + 1000)) + ";\n")
    with pg.open("w") as out:
        out.write("SET client_encoding = 'UTF8';\nCREATE TABLE posts (id integer PRIMARY KEY, body text NOT NULL);\nCOPY posts (id, body) FROM stdin;\n")
        out.writelines(f"{n}\t{row(n)}\n" for n in range(ROWS))
        out.write("\\.\n")
    for path in (mysql, pg):
        os.chown(path, site.uid, site.gid)
        assert path.stat().st_size > 25e6
    return mysql, pg


def test_a_large_import_through_mariadbs_socket_and_a_dump_back(site, dumps):
    inside(site, "mariadb site < mysql.sql")
    assert inside(site, "mariadb --default-character-set=utf8mb4 -N site -e 'select count(*), sum(char_length(body)) from posts; select body from posts where id = 4711'") == \
        f"{ROWS}\t{sum(len(row(n)) for n in range(ROWS))}\n{row(4711)}"
    # By password, by the other name of the program, and by the other name of the socket, as scripts have them.
    assert inside(site, "mysql -u web -p'secret word' --socket=/var/run/mysqld/mysqld.sock -N site -e 'select user()'") == "web@localhost"
    assert inside(site, "mysqldump --no-tablespaces site | gzip > dump.sql.gz; zcat dump.sql.gz | grep -c '^INSERT'; zcat dump.sql.gz | grep -o '(4711,[^)]*)'") \
        .split("\n", 1)[1] == f"(4711,'{row(4711)}')"


def test_a_large_import_through_postgresqls_socket_and_a_dump_back(site, dumps):
    assert inside(site, "psql -q -v ON_ERROR_STOP=1 site < pg.sql && psql -At site -c 'select count(*), sum(char_length(body)) from posts'") == \
        f"{ROWS}|{sum(len(row(n)) for n in range(ROWS))}"
    assert inside(site, "psql -At -h /var/run/postgresql site -c 'select current_user'") == "dbsite"
    assert inside(site, "pg_dump site | grep -P '^4711\\t'") == f"4711\t{row(4711)}"
    inside(site, "pg_dump -Fc -f site.dump site && psql -q site -c 'drop table posts' && pg_restore -d site site.dump")
    assert inside(site, "psql -At site -c 'select body from posts where id = 42'") == row(42)


def test_nobody_is_somebody_else_to_a_server(site):
    """Peer credentials are the user's own: root's account and other domains stay shut."""
    for command in ("mariadb -u root -e 'select 1'", "psql -U postgres -c 'select 1' site", "mariadb mysql -e 'select 1'"):
        done = sp.ssh(site, command)
        assert done.rc != 0 and "denied" in done.stderr + done.stdout or "Peer authentication failed" in done.stderr, done


ASK = {"mariadb": "mariadb -N site -e 'select 6*7' 2>&1", "postgresql": "psql -At site -c 'select 6*7' 2>&1"}


@pytest.mark.parametrize("name", ASK)
def test_a_server_that_is_restarted_during_a_session_is_used_again(site, request, name):
    server = request.getfixturevalue(name)
    client = sp_site.background(site, f"echo in; while read go; do {ASK[name]} | head -n 1; done")

    def ask():
        client.stdin.write("go\n")
        client.stdin.flush()
        return client.stdout.readline()

    assert ask() == "42\n"
    server.stop()
    assert "42" not in ask()
    server.start()
    assert ask() == "42\n"
    sp_site.end(client)


def test_redis_answers_and_is_found_again_by_the_next_login(site, redis):
    redis_cli = "redis-cli -s /run/redis/redis-server.sock"
    assert inside(site, f"{redis_cli} set schlüssel wört; {redis_cli} --no-raw get schlüssel; {redis_cli} get schlüssel") .startswith("OK\n")
    client = sp_site.background(site, f"echo in; while read go; do {redis_cli} ping 2>&1; done")
    # As systemd stops it: its directory is gone, too, and made anew.
    redis.stop()
    shutil.rmtree("/run/redis")
    folder("/run/redis", "redis")
    redis.start()
    assert inside(site, f"{redis_cli} ping") == "PONG"
    client.stdin.write("go\n")
    client.stdin.flush()
    assert client.stdout.readline() == "PONG\n"
    sp_site.end(client)


def test_sqlite_works_on_the_sites_own_files(site):
    assert inside(site, "sqlite3 own.db 'create table t(x); insert into t values(\"ünï\"); select x from t; pragma integrity_check'") == "ünï\nok"


def test_of_the_servers_directories_only_the_sockets_are_there_and_nothing_can_be_changed(site):
    seen = inside(site, "cd /run; find . -not -type d | sort").split("\n")
    assert seen == ["./mysqld/mysqld.pid", "./mysqld/mysqld.sock", "./postgresql/.s.PGSQL.5432", "./postgresql/.s.PGSQL.5432.lock",
                    "./redis/redis-server.sock"], seen
    assert sp.ssh(site, "ls /srv/mariadb /srv/postgresql /var/lib/mysql/ibdata1; test -e /etc/mysql/debian.cnf").rc != 0
    assert sp.ssh(site, "rm -f /run/mysqld/mysqld.sock; touch /run/redis/x").rc != 0 and os.path.exists("/run/mysqld/mysqld.sock")
