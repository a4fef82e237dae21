# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/demo shows. Every command is run as it is printed, and every step is held to what it says."""

import os
import re
import subprocess
import sys
import time

import sp  # goes on only inside tests/host

SITE = "/var/www/vhosts/example.com"
REQUEST = """{"jsonrpc": "2.0", "id": "demo-1", "method": "domain.apply", "params": {
  "domain": "example.com", "user": "example", "document_root": "%s",
  "shell": "chroot", "jail": {"profiles": ["git"]},
  "authorized_keys": [{"key": "%s"}]}}
"""
CONFIG = """Host example.com
    HostName 192.0.2.1
    User example
    StrictHostKeyChecking accept-new
    UpdateHostKeys no
    ConnectTimeout 3
    BatchMode yes
    LogLevel ERROR
"""
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


def chapter(title, text):
    print(f"\n{BOLD}== {title}{PLAIN}\n{text}", flush=True)


def fail(why):
    sys.stdout.flush()
    sys.exit(f"\ntests/demo: this step did not show what it says: {why}")


class Step:
    """One command with its output, and what is asked of it."""

    def __init__(self, prompt, argv, command, note=""):
        print(f"\n{BOLD}{prompt} {command}{PLAIN}{'    # ' + note if note else ''}", flush=True)
        done = subprocess.run(argv + [command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, cwd="/root", check=False)
        self.command, self.status, self.output = command, done.returncode, done.stdout.decode("utf-8", "replace")
        for line in self.output.rstrip("\n").split("\n") if self.output else []:
            print("    " + line)
        if self.status != 0:
            print(f"    [status {self.status}]")
        sys.stdout.flush()

    def ends_with(self, status):
        if self.status != status:
            fail(f"{self.command!r} ended with {self.status}, not {status}")
        return self

    def shows(self, *patterns):
        for pattern in patterns:
            if not re.search(pattern, self.output, re.M):
                fail(f"no {pattern!r} in the output of {self.command!r}")
        return self

    def hides(self, *patterns):
        for pattern in patterns:
            if re.search(pattern, self.output, re.M):
                fail(f"{pattern!r} in the output of {self.command!r}")
        return self


def server(command, note=""):
    """On the server, as root."""
    return Step("root@server#", ["bash", "-c"], command, note).ends_with(0)


LAPTOP = ["ip", "netns", "exec", "outside", "runuser", "-u", "anna", "--", "env", "-C", "/run/laptop", "LANG=C.UTF-8",
          "HOME=/run/laptop", "GIT_CONFIG_NOSYSTEM=1", "bash", "-c"]


def laptop(command, note="", status=0):
    """On the customer's laptop, in the other network."""
    return Step("anna@laptop$", LAPTOP, command, note).ends_with(status)


def prepare():
    """The laptop and the neighbour; a machine may have users of these names, its private copy starts without."""
    for name in ("anna", "example", "neighbour"):
        subprocess.run(["userdel", "-f", name], stderr=subprocess.DEVNULL, check=False)
    sp.run(["rm", "-rf", SITE, "/var/www/vhosts/neighbour.example"], check=True)
    sp.run(["useradd", "-U", "-m", "-K", "MAIL_DIR=/dev/null", "-d", "/run/laptop", "-s", "/bin/bash", "anna"], check=True)
    sp.run(["useradd", "-U", "-m", "-K", "MAIL_DIR=/dev/null", "-d", "/var/www/vhosts/neighbour.example", "-s", "/bin/false",
            "neighbour"], check=True)
    os.chmod("/var/www/vhosts/neighbour.example", 0o755)
    sp.run([*LAPTOP, "umask 077; mkdir .ssh; ssh-keygen -q -t ed25519 -N '' -C anna@laptop -f .ssh/id_ed25519; "
            f"printf '%s' '{CONFIG}' >.ssh/config; git config --global user.name Anna; "
            "git config --global user.email anna@example.com; git config --global init.defaultBranch main"], check=True)


def a_site():
    chapter("A customer's site",
            "This is a private copy of your machine: nothing you see here touches the machine itself.\n"
            "A panel has made a system user and a document root for example.com. He cannot log in.")
    server(f"mkdir -p /var/www/vhosts && useradd --user-group --create-home --home-dir {SITE} --shell /bin/false example")
    server(f"install -d -o example -g example {SITE}/httpdocs && echo '<h1>Hello from example.com</h1>' "
           f">{SITE}/httpdocs/index.html && chown example: {SITE}/httpdocs/index.html")
    server("ls /var/www/vhosts", "he has a neighbour").shows("^example.com$", "^neighbour.example$")
    laptop("ssh example.com id", "Anna has a key, but nobody knows it yet", 255).shows("Permission denied")


def one_request():
    key = open("/run/laptop/.ssh/id_ed25519.pub", encoding="ascii").read().strip()
    with open("/root/request.json", "w", encoding="ascii") as file:
        file.write(REQUEST % (SITE, key))
    chapter("One request", "The panel sends one JSON request: this user, this document root, a jailed shell, this key.")
    server("cat request.json")
    server("sallyport plan request.json", "what would it do?").shows(r"^ *shell example$", r"- /bin/false", r"\+ .*chroot-bash")
    server("/usr/libexec/sallyport/sallyport-helper <request.json >answer.json; echo status $?; "
           "sed 's/{\"resource/\\n &/g' answer.json", "do it").shows("status 0", '"changed":true')
    server("/usr/libexec/sallyport/sallyport-helper <request.json",
           "again: all is as it should be, nothing is touched").shows('"changed":false,"changes":\\[\\]')
    server("sallyport status example.com").shows("chroot", "in force +yes")


def the_jail():
    chapter("In the jail", "Anna logs in with her own OpenSSH client. What she finds as / is her document root.")
    laptop("ssh example.com 'id -un; pwd; ls /'").shows("^example$", f"^{SITE}$", "^httpdocs$")
    laptop("ssh example.com 'cat /httpdocs/index.html'", "her site").shows("Hello from example.com")
    laptop("ssh example.com 'cat /etc/shadow'", "the host's files are not there", 1).shows("No such file")
    laptop("ssh example.com 'ls /home /root /boot /var/log'", status=2).shows("/root.*No such file", "/home.*No such file")
    laptop("ssh example.com 'ls /var/www/vhosts; cat /etc/passwd'", "no neighbours, not even their names") \
        .shows("^example.com$", "^example:").hides("neighbour", "anna", "www-data")
    laptop("ssh example.com 'ps ax'", "her own processes only").shows("ps ax").hides("sshd", "python")
    laptop("ssh example.com 'cat /proc/1/root/etc/shadow; echo >/usr/bin/ls; touch /etc/new'", "and no way round", 1) \
        .shows("shadow: (No such file|Permission denied)", "Read-only file system").hides("root:")


def the_tools():
    chapter("The usual tools", "git, sftp, scp and rsync work in the jail as they do elsewhere.")
    laptop("ssh example.com 'git init -q --bare site.git && cd httpdocs && git init -q && git add . && "
           "git -c user.name=Anna -c user.email=anna@example.com commit -qm \"the site\" && "
           "git push -q ../site.git HEAD:main && git log --oneline'", "git in the jail").shows("the site$")
    laptop("git clone -q example.com:site.git && cd site && echo '<p>News</p>' >>index.html && git commit -qam news && "
           "git push -q origin HEAD:main && git log --oneline origin/main", "git over ssh, both ways").shows("news$")
    laptop("echo one >one.txt; scp one.txt example.com:httpdocs/ && scp -O one.txt example.com:httpdocs/two.txt && "
           "ssh example.com 'ls httpdocs'").shows("^one.txt$", "^two.txt$")
    laptop("printf 'cd httpdocs\\nget index.html copy.html\\nls -1\\n' | sftp -q -b - example.com && cat copy.html") \
        .shows("^one.txt", "Hello from example.com")
    laptop("mkdir -p photos; echo jpeg >photos/a.jpg; rsync -av photos example.com:httpdocs/ && "
           "ssh example.com 'cat httpdocs/photos/a.jpg'").shows("photos/a.jpg", "^jpeg$")


def plain_bash():
    chapter("The same with plain bash", "Some customers may have the whole host's view. That is one word; and one back.")
    server("sallyport shell example.com bash").shows("chroot-bash -> /bin/bash")
    laptop("ssh example.com 'ls -d /boot /home /var/log; wc -l </etc/passwd; ls /var/www/vhosts'", "the host itself") \
        .shows("^/home$", "^neighbour.example$")
    server("sallyport shell example.com chroot").shows("/bin/bash -> .*chroot-bash")
    laptop("ssh example.com 'ls /var/www/vhosts'", "and back in the jail").hides("neighbour")


def the_port():
    chapter("The SSH port for one source only",
            "The laptop has two addresses here: 192.0.2.2, and 192.0.2.3 which plays a stranger.")
    server("sallyport firewall").shows("mode +unmanaged")
    server("sallyport firewall restrict 192.0.2.2 --comment \"Anna's office\"").shows("mode +restricted", "in force +yes")
    laptop("ssh -b 192.0.2.2 example.com 'echo $SSH_CONNECTION'", "allowed").shows("^192.0.2.2 ")
    laptop("ssh -b 192.0.2.3 example.com 'echo $SSH_CONNECTION'", "not allowed: no answer at all", 255).hides("^192.0.2.3")
    server("sallyport firewall open").shows("mode +open")
    laptop("ssh -b 192.0.2.3 example.com 'echo $SSH_CONNECTION'").shows("^192.0.2.3 ")


def visit():
    return laptop("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -N 192.0.2.1 8080 | tail -1")


def withdrawn():
    chapter("Access withdrawn",
            "Anna has a session open, and her site is served by a process of the same user, as PHP-FPM would be.")
    site = subprocess.Popen(["runuser", "-u", "example", "--", "python3", "-m", "http.server", "-d", f"{SITE}/httpdocs", "8080"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
                            start_new_session=True)
    sp.wait_for(lambda: sp.probe(port=8080) == "open", what="the site's process")
    session = subprocess.Popen([*LAPTOP, "ssh -tt example.com 'echo logged in; sleep 600'"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(f"\n{BOLD}anna@laptop$ ssh -t example.com 'echo logged in; sleep 600'{PLAIN}    # goes on in the background")
    print("    " + session.stdout.readline().decode().strip(), flush=True)
    server("ps -o user,pid,args -u example").shows("sleep 600", "http.server")
    server("sallyport shell example.com none").shows("sessions example: .* -> ended", "chroot-bash -> /bin/false")
    print(f"\n{BOLD}anna@laptop$ (the session in the background){PLAIN}")
    try:
        rest = session.communicate(timeout=10)[0].decode().strip()
    except subprocess.TimeoutExpired:
        fail("the running session was not ended")
    print(f"    {rest or 'ended'}\n    [status {session.returncode}]")
    if session.returncode == 0:
        fail("the running session ended by itself")
    laptop("ssh example.com id", "and she cannot come back", 255).shows("Permission denied").hides("uid=")
    server("ps -o user,pid,args -u example", "the site's own process goes on").shows("http.server").hides("sleep 600")
    visit().shows("Hello from example.com|News")
    if site.poll() is not None:
        fail("the site's process ended")
    server("sallyport remove example.com --yes", "give up the domain: keys, groups and mount points go")
    server(f"getent passwd example; id -Gn example; ls {SITE}", "the user and his content stay") \
        .shows("/bin/false$", "^example$", "^httpdocs$").hides("^usr$")
    site.kill()


def main():
    start = time.monotonic()
    prepare()
    host = sp.Host()
    host.start()
    for part in (a_site, one_request, the_jail, the_tools, plain_bash, the_port, withdrawn):
        part()
    host.stop()
    print(f"\n{BOLD}Every step showed what it says{PLAIN} ({time.monotonic() - start:.0f} s). "
          "The private copy of your machine is gone.\nNext: README.md, and `man ./man/sallyport-request.5`.")


if __name__ == "__main__":
    main()
