# SPDX-License-Identifier: GPL-3.0-or-later
"""vim and nano in a real terminal, terminals of many kinds, and the steps of VS Code's remote server."""

import pathlib
import socket
import subprocess
import time

import pytest

import sp
import sp_site
from sp_terminal import Terminal

TEXT = "Grüße – naïve 漢字 €"


@pytest.fixture(scope="module")
def site(host):
    user = sp.make_user()
    answer = sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["editors", "vscode"]}).ok()
    assert answer["warnings"] == [], answer
    return user


def inside(user, command, **more):
    done = sp.ssh(user, command, **more)
    assert (done.rc, done.stderr) == (0, ""), done
    return done.stdout.rstrip("\n")


def start(term, command):
    """Types a command at the prompt, in a locale that knows UTF-8 as most clients send it (SendEnv LANG)."""
    term.expect(r"\$ ")
    term.run("export LANG=C.UTF-8")
    term.send(command + "\n")


def test_vim_edits_and_saves_a_file_with_its_syntax(site):
    pathlib.Path(site.home, "page.php").write_text("<?php\necho 'eins';\n")
    sp.run(["chown", f"{site.uid}:{site.gid}", f"{site.home}/page.php"], check=True)
    with Terminal(site, rows=30, cols=100) as term:
        start(term, "vim page.php")
        term.expect("eins")
        term.send(":syntax on\r:set syntax?\r")
        term.expect("syntax=php")
        term.send("Go" + f"// {TEXT}" + "\x1b")
        term.send(":wq\r")
        term.expect("written")
        term.expect(r"\$ ")
        assert TEXT in term.run("cat page.php") and term.run("ls -a | grep -c swp") == "0"
        assert "Error" not in term.screen and "E4" not in term.screen
        term.send("exit\n")
        assert term.wait() == 0
    assert pathlib.Path(site.home, "page.php").read_text() == f"<?php\necho 'eins';\n// {TEXT}\n"


def test_nano_opens_its_terminal_and_saves(site):
    with Terminal(site, rows=30, cols=100) as term:
        start(term, "nano note.txt")
        term.expect("GNU nano")
        term.send(f"{TEXT}\rzwei")
        term.expect("zwei")
        time.sleep(0.2)
        term.send("\x0f") # write out
        term.expect("note.txt")
        term.send("\r")
        term.expect("Wrote 2 lines")
        term.send("\x18")
        term.expect(r"\$ ")
        assert "Error opening terminal" not in term.screen
        assert term.run("cat note.txt") == f"{TEXT}\nzwei"
        term.send("exit\n")
        assert term.wait() == 0


def test_less_pages_forward_and_back(site):
    with Terminal(site, rows=20) as term:
        start(term, f"seq 1 500 | sed 's/$/ {TEXT}/' | less")
        term.expect(f"1 {TEXT}")
        term.send("G")
        term.expect(f"500 {TEXT}")
        term.send("g")
        term.expect(f"[^0-9]1 {TEXT}")
        term.send("q")
        term.expect(r"\$ ")
        term.send("exit\n")
        assert term.wait() == 0


@pytest.mark.parametrize("name", ["xterm-256color", "screen-256color", "tmux-256color", "xterm-kitty", "alacritty", "foot", "linux", "vt100", "rxvt"])
def test_terminals_of_many_kinds_are_known(site, name):
    done = sp.ssh(site, f"export TERM={name}; tput cols; tput clear | wc -c; infocmp >/dev/null && nano --version >/dev/null && echo known")
    assert done.rc == 0 and done.stdout.endswith("known\n") and done.stderr == "", done


# VS Code's remote server, step by step as its install script does it, and the server played by a program of ours.

SERVER = r"""
// What its node does: listens on a port of localhost, writes it down, outlives the login.
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    FILE *out = fopen(argv[1], "w");
    if (bind(s, (void *)&at, size) || listen(s, 5) || getsockname(s, (void *)&at, &size) || !out || argc != 2)
        return 1;
    fprintf(out, "%d\n", ntohs(at.sin_port));
    fclose(out);
    for (int c; (c = accept(s, NULL, NULL)) >= 0; close(c)) {
        char line[200];
        ssize_t n = read(c, line, sizeof(line));
        dprintf(c, "server says: %.*s", (int)n, line);
    }
}
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """As it is downloaded: a program of its own, and many small files."""
    folder = tmp_path_factory.mktemp("vscode") / "vscode-server-linux-x64"
    (folder / "bin").mkdir(parents=True)
    sp.run(["gcc", "-x", "c", "-o", folder / "bin" / "code-server", "-"], input=SERVER, check=True)
    (folder / "node_modules").mkdir()
    for number in range(300):
        (folder / "node_modules" / f"module-{number}.js").write_text("x" * 10_000)
    return subprocess.run(["tar", "-C", folder.parent, "-czf", "-", folder.name], check=True, stdout=subprocess.PIPE).stdout


def test_vscode_1_the_questions_of_its_install_script_are_answered(site):
    """From its bootstrap and check-requirements.sh: each line is a question that ends the installation where it is not answered."""
    script = r"""
        set -e
        test "$(uname -s)" = Linux && test "$(uname -m)" = x86_64 -o "$(uname -m)" = aarch64
        test -n "$HOME" && mkdir -p "$HOME/.vscode-server/bin" && test -w "$HOME/.vscode-server"
        command -v bash tar gzip ps flock getconf ldd >/dev/null
        command -v curl >/dev/null || command -v wget >/dev/null
        libc=$(ldd --version | head -n 1 | grep -oE '[0-9]+\.[0-9]+$'); test "$(printf '%s\n2.28\n' "$libc" | sort -V | head -n 1)" = 2.28
        for lib in libstdc++.so.6 libc.so.6; do
            path=$(/sbin/ldconfig -p | grep -F "$lib " | head -n 1 | sed 's/.*=> //'); test -e "$(readlink -f "$path")"
        done
        strings=$(grep -aoE 'GLIBCXX_3\.4\.[0-9]+' "$(/sbin/ldconfig -p | grep -F 'libstdc++.so.6 ' | head -n 1 | sed 's/.*=> //')" | sort -V | tail -n 1)
        test "$(printf '%s\nGLIBCXX_3.4.25\n' "$strings" | sort -V | head -n 1)" = GLIBCXX_3.4.25
        . /etc/os-release && test -n "$ID"
        grep -q MemTotal /proc/meminfo && grep -q processor /proc/cpuinfo && test -r /proc/version && test -e /proc/$$/exe
        test "$(getconf LONG_BIT)" = 64 && df -P "$HOME" >/dev/null && test -w "${TMPDIR:-/tmp}" && id -u >/dev/null
        ldd "$(command -v bash)" | grep -q 'libc.so.6 =>'
        echo ready"""
    assert inside(site, "bash -s", input=script) == "ready"


def test_vscode_2_its_archive_comes_over_stdin_and_is_unpacked_under_a_lock(site, archive):
    command = "cd ~/.vscode-server/bin && flock .lock tar --strip-components=1 -xzf - && ls node_modules | wc -l && test -x bin/code-server && echo unpacked"
    assert inside(site, command, input=archive) == "300\nunpacked"


def port_of(site):
    return int(inside(site, "cat ~/.vscode-server/port"))


def say(port, text):
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(text.encode() + b"\n")
        client.shutdown(socket.SHUT_WR)
        return client.makefile(encoding="utf-8").read()


def test_vscode_3_its_server_outlives_the_login_and_is_reached_by_a_second_connections_port_forwarding(site):
    sp.run(["test", "-e", f"{site.home}/.vscode-server/bin/bin/code-server"], check=True)
    start_it = "cd ~/.vscode-server && (setsid nohup bin/bin/code-server port >log 2>&1 </dev/null &); echo started"
    assert inside(site, start_it) == "started"
    port = pathlib.Path(site.home, ".vscode-server/port")
    sp.wait_for(lambda: port.exists() and port.read_text().endswith("\n"), what="the server's port")
    sp.wait_for(lambda: not sp_site.processes(site, "sshd"), what="the end of the first login")
    # The second login finds it, by ps and by its pid.
    assert inside(site, "ps -eo args | grep '[c]ode-server port'") == "bin/bin/code-server port"
    local = sp.free_port()
    argv = sp.client("ssh", options=("ExitOnForwardFailure=yes",)) + ["-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{port_of(site)}", "-l", site.name, "127.0.0.1"]
    tunnel = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        def answered():
            try:
                return say(local, f"hello {TEXT}")
            except OSError:
                assert tunnel.poll() is None, tunnel.stderr.read()
                return None

        assert sp.wait_for(answered, what="the tunnel") == f"server says: hello {TEXT}\n"
    finally:
        tunnel.terminate()
        tunnel.communicate()
    # "Kill VS Code Server on Host"
    assert inside(site, "pkill -f '[c]ode-server port' && while ps -eo args | grep '[c]ode-server port'; do :; done >/dev/null; echo gone") == "gone"
    sp.wait_for(lambda: not sp_site.processes(site), what="the end of the jail")


def test_vscode_4_without_forwarding_the_tunnel_is_refused_and_the_rest_works(site):
    sp_site.apply(site, forwarding="none").ok()
    argv = sp.client("ssh", options=("ExitOnForwardFailure=yes",)) + ["-W", "127.0.0.1:22", "-l", site.name, "127.0.0.1"]
    done = sp.run(argv, input=b"")
    assert done.rc != 0 and "forwarding failed" in done.stderr, done
    assert inside(site, "echo in") == "in"
