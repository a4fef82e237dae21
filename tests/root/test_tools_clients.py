# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that people have: Ansible, sshfs, lftp, PuTTY's, paramiko, libssh. Each logs in for real, and works in the jail."""

import os
import pathlib
import stat
import subprocess
import textwrap

import pytest

import sp
import sp_site

TEXT = "Grüße – naïve 漢字 €\n"


@pytest.fixture(scope="module")
def site(host):
    user = sp.make_user()
    answer = sp_site.apply(user, shell="chroot", keys=[sp.keypair()], jail={"profiles": ["python"]}).ok()
    assert answer["warnings"] == [], answer
    return user


@pytest.fixture(scope="module")
def blob():
    return os.urandom(3 << 20)


def at(user, name):
    return pathlib.Path(user.home, name)


def options():
    """What OpenSSH's client is told, for programs that start it."""
    return " ".join(sp.client("ssh")[1:])


# Ansible

PLAYBOOK = """
- hosts: all
  gather_facts: true
  tasks:
    - ansible.builtin.ping:
    - ansible.builtin.assert:
        that: ["ansible_user_id == ansible_user", "ansible_distribution != ''", "ansible_env.HOME == home"]
    - ansible.builtin.file: {path: "{{ home }}/ansible", state: directory, mode: "0750"}
    - ansible.builtin.copy: {src: "{{ source }}/blob", dest: "{{ home }}/ansible/blob", mode: "0640"}
    - ansible.builtin.template: {src: "{{ source }}/page.j2", dest: "{{ home }}/ansible/page"}
    - ansible.builtin.lineinfile: {path: "{{ home }}/ansible/page", line: "last"}
    - ansible.builtin.command: id -un
      register: who
      changed_when: false
    - ansible.builtin.shell: "cat {{ home }}/ansible/page | head -n 1; test -e /boot && echo OUT; true"
      register: page
      changed_when: false
    - ansible.builtin.fetch: {src: "{{ home }}/ansible/blob", dest: "{{ source }}/back", flat: true}
    - ansible.builtin.assert:
        that: ["who.stdout == ansible_user", "page.stdout == 'Grüße von ' + ansible_user"]
"""


def ansible(user, program, *words, **variables):
    values = {"ansible_user": user.name, "ansible_ssh_common_args": options(), "ansible_ssh_private_key_file": sp.keypair().path,
              "home": user.home, **variables}
    extra = [text for name, value in values.items() for text in ("-e", f"{name}={subprocess.list2cmdline([value])}")]
    env = {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8", "ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_NOCOLOR": "1",
           "ANSIBLE_LOCALHOST_WARNING": "False", "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=20"}
    return sp.run([program, "-i", "127.0.0.1,", *extra, *words], env=env, timeout=120)


def test_ansibles_modules_work_and_the_second_run_changes_nothing(site, blob, tmp_path):
    (tmp_path / "blob").write_bytes(blob)
    (tmp_path / "page.j2").write_text("Grüße von {{ ansible_user }}\n")
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    done = ansible(site, "ansible-playbook", tmp_path / "play.yml", source=str(tmp_path))
    assert done.rc == 0 and "failed=0" in done.stdout and "unreachable=0" in done.stdout, done
    assert at(site, "ansible/blob").read_bytes() == blob == (tmp_path / "back").read_bytes()
    assert stat.S_IMODE(at(site, "ansible/blob").stat().st_mode) == 0o640
    assert at(site, "ansible/page").read_text() == f"Grüße von {site.name}\nlast\n"
    again = ansible(site, "ansible", "all", "-m", "copy", "-a", f"src={tmp_path}/blob dest={site.home}/ansible/blob mode=0640")
    assert again.rc == 0 and '"changed": false' in again.stdout, again


def test_ansibles_raw_module_needs_no_python_in_the_jail(host):
    user = sp_site.account(params={"jail": {"profiles": ["base"]}})
    done = ansible(user, "ansible", "all", "-m", "raw", "-a", "id -un; command -v python3 || echo none")
    assert done.rc == 0 and f"{user.name}\r\nnone" in done.stdout or f"{user.name}\nnone" in done.stdout, done


# lftp and sshfs: OpenSSH's client with another program in front

def test_lftp_mirrors_both_ways_by_sftp(site, blob, tmp_path):
    source = tmp_path / "source"
    (source / "unter ordner").mkdir(parents=True)
    (source / "blob").write_bytes(blob)
    (source / "unter ordner" / "ä.txt").write_text(TEXT)
    script = textwrap.dedent(f"""
        set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 10
        set sftp:connect-program "ssh -a -x {options()}"
        open sftp://{site.name}:@127.0.0.1
        mirror -R {source} lftp
        chmod 600 lftp/blob
        mirror lftp {tmp_path}/back
        rm -r "lftp/unter ordner"
        cls -1 lftp
        """)
    done = sp.run(["lftp", "-f", "/dev/stdin"], input=script, env={**os.environ, "LANG": "C.UTF-8", "HOME": str(tmp_path)})
    assert done.rc == 0 and done.stdout.endswith("lftp/blob\n"), done
    assert (tmp_path / "back" / "blob").read_bytes() == blob and (tmp_path / "back" / "unter ordner" / "ä.txt").read_text() == TEXT
    assert stat.S_IMODE(at(site, "lftp/blob").stat().st_mode) == 0o600


def test_sshfs_mounts_the_document_root(site, blob, tmp_path):
    if not os.path.exists("/dev/fuse"):
        os.mknod("/dev/fuse", 0o20666, os.makedev(10, 229))
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        pytest.skip(f"this kernel has no FUSE: {error}")
    # Of ssh_command, sshfs takes a comma for the end.
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec ssh {options()} "$@"\n')
    ssh.chmod(0o755)
    where = tmp_path / "mounted"
    where.mkdir()
    done = sp.run(["sshfs", f"{site.name}@127.0.0.1:", where, "-o", f"ssh_command={ssh}"])
    assert done.rc == 0, done
    try:
        (where / "ordner").mkdir()
        (where / "ordner" / "blob").write_bytes(blob)
        (where / "ordner" / "ä.txt").write_text(TEXT)
        (where / "ordner" / "blob").rename(where / "ordner" / "other")
        (where / "ordner" / "link").symlink_to("other")
        assert (where / "ordner" / "link").read_bytes() == blob == at(site, "ordner/other").read_bytes()
        assert sorted(os.listdir(where / "ordner")) == ["link", "other", "ä.txt"] and at(site, "ordner/ä.txt").owner() == site.name
        assert os.statvfs(where).f_blocks > 0
        (where / "ordner" / "other").unlink()
    finally:
        sp.run(["fusermount3", "-u", where], check=True)
    # The whole jail, and no more than that.
    done = sp.run(["sshfs", f"{site.name}@127.0.0.1:/", where, "-o", f"ssh_command={ssh}"])
    assert done.rc == 0, done
    try:
        assert "usr" in os.listdir(where) and not (where / "boot").exists() and not (where / "etc" / "shadow").exists()
    finally:
        sp.run(["fusermount3", "-u", where], check=True)


# PuTTY

@pytest.fixture(scope="module")
def putty(site):
    key = sp.WORK / "putty.ppk"
    sp.run(["puttygen", sp.keypair().path, "-O", "private", "-o", key], check=True)
    host_key = sp.run(["ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub"], check=True).stdout.split()[1]

    def call(program, *words, **more):
        argv = [program, "-batch", "-i", key, "-hostkey", host_key, *words]
        return sp.run(argv, env={**os.environ, "HOME": str(sp.WORK), "LANG": "C.UTF-8"}, **more)

    return call


def test_plink_runs_commands_and_passes_streams_and_the_exit_status(site, putty, blob):
    who = f"{site.name}@127.0.0.1"
    assert putty("plink", who, "id -un; echo err >&2; exit 7")[:3] == (7, site.name + "\n", "err\n")
    assert putty("plink", who, "cat", input=blob).raw == blob
    done = putty("plink", "-t", who, "tty; stty size; test -e /boot || echo inside")
    assert done.rc == 0 and done.stdout.startswith("/dev/pts/") and "inside" in done.stdout, done
    assert putty("plink", "-nc", "127.0.0.1:22", who, input="").stdout.startswith("SSH-2.0-")


def test_psftp_and_pscp_copy_both_ways(site, putty, blob, tmp_path):
    who = f"{site.name}@127.0.0.1"
    (tmp_path / "blob").write_bytes(blob)
    (tmp_path / "batch").write_text(f"mkdir putty\ncd putty\nlcd {tmp_path}\nput blob\nchmod 640 blob\nmv blob other\nls\nget other back\n")
    done = putty("psftp", "-b", tmp_path / "batch", who)
    assert done.rc == 0 and "-rw-r-----" in done.stdout and (tmp_path / "back").read_bytes() == blob, done
    for flag in ("-sftp", "-scp"):
        assert putty("pscp", "-q", flag, tmp_path / "blob", f"{who}:putty/copy{flag}").rc == 0
        assert putty("pscp", "-q", flag, f"{who}:putty/copy{flag}", tmp_path / flag).rc == 0
        assert (tmp_path / flag).read_bytes() == blob
    done = putty("pscp", "-sftp", "-ls", f"{who}:putty")
    assert done.rc == 0 and "copy-scp" in done.stdout and "copy-sftp" in done.stdout, done


# Libraries

PARAMIKO = """
import hashlib, io, socket, sys, time
import paramiko
user, path, blob = sys.argv[1], sys.argv[2], sys.stdin.buffer.read()
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", username=user, pkey=paramiko.Ed25519Key.from_private_key_file(path), allow_agent=False, look_for_keys=False, timeout=10)
stdin, stdout, stderr = client.exec_command("cat; echo err >&2; exit 9")
stdin.channel.sendall("Grüße\\n".encode()); stdin.channel.shutdown_write()
print(stdout.read().decode().strip(), stderr.read().decode().strip(), stdout.channel.recv_exit_status())
sftp = client.open_sftp()
sftp.mkdir("paramiko"); sftp.putfo(io.BytesIO(blob), "paramiko/ä")
back = io.BytesIO(); sftp.getfo("paramiko/ä", back)
print(back.getvalue() == blob, sftp.listdir("paramiko"), sftp.stat("paramiko/ä").st_size, sftp.normalize("."))
try:
    sftp.open("/boot/x")
except FileNotFoundError:
    print("no boot")
shell = client.invoke_shell(term="xterm", width=90, height=30)
shell.settimeout(10)
shell.send("stty size; echo end-$((40+2))\\n")
seen = ""
while "end-42" not in seen:
    seen += shell.recv(4096).decode()
print("30 90" in seen)
shell.resize_pty(100, 40); shell.send("stty size; echo end-$((40+3))\\n")
while "end-43" not in seen:
    seen += shell.recv(4096).decode()
print("40 100" in seen)
tunnel = client.get_transport().open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1))
print(tunnel.recv(8).decode())
client.close()
"""


def test_paramiko_commands_sftp_terminals_and_tunnels(site, blob):
    done = sp.run(["/usr/bin/python3", "-W", "ignore", "-c", PARAMIKO, site.name, sp.keypair().path], input=blob, env={**os.environ, "LANG": "C.UTF-8"})
    assert done.rc == 0, done
    assert done.stdout.splitlines() == ["Grüße err 9", f"True ['ä'] {len(blob)} {site.home}", "no boot", "True", "True", "SSH-2.0-"]


LIBSSH = r"""
#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#define MUST(x) do { if (!(x)) { fprintf(stderr, "%s: %s\n", #x, ssh_get_error(s)); return 1; } } while (0)
int main(int argc, char **argv)
{
    ssh_session s = ssh_new();
    ssh_key key;
    char text[256] = "";
    int n, no = 0;
    ssh_options_set(s, SSH_OPTIONS_HOST, "127.0.0.1");
    ssh_options_set(s, SSH_OPTIONS_USER, argv[1]);
    ssh_options_set(s, SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
    ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &no);
    MUST(argc == 3 && ssh_connect(s) == SSH_OK);
    MUST(ssh_pki_import_privkey_file(argv[2], NULL, NULL, NULL, &key) == SSH_OK);
    MUST(ssh_userauth_publickey(s, NULL, key) == SSH_AUTH_SUCCESS);
    ssh_channel c = ssh_channel_new(s);
    MUST(ssh_channel_open_session(c) == SSH_OK && ssh_channel_request_exec(c, "pwd; exit 5") == SSH_OK);
    MUST((n = ssh_channel_read(c, text, sizeof(text) - 1, 0)) > 0);
    while (ssh_channel_read(c, text + n, 1, 0) > 0)
        ;
    printf("%s%d\n", text, ssh_channel_get_exit_status(c));
    sftp_session f = sftp_new(s);
    MUST(f && sftp_init(f) == SSH_OK && sftp_mkdir(f, "libssh", 0755) == SSH_OK);
    sftp_file file = sftp_open(f, "libssh/x", O_WRONLY | O_CREAT, 0640);
    MUST(file && sftp_write(file, "content", 7) == 7 && sftp_close(file) == SSH_OK);
    sftp_attributes a = sftp_stat(f, "libssh/x");
    MUST(a);
    printf("%d %o\n", (int)a->size, a->permissions & 0777);
    printf("%s\n", sftp_stat(f, "/boot") ? "OUT" : "inside");
    ssh_disconnect(s);
    return 0;
}
"""


def test_a_libssh_program_commands_and_sftp(site):
    program = sp.WORK / "libssh-client"
    sp.run(["gcc", "-x", "c", "-o", program, "-", "-lssh"], input=LIBSSH, check=True)
    done = sp.run([program, site.name, sp.keypair().path])
    assert (done.rc, done.stdout) == (0, f"{site.home}\n5\n7 640\ninside\n"), done
    assert at(site, "libssh/x").read_text() == "content"
