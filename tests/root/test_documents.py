# SPDX-License-Identifier: GPL-3.0-or-later
"""What README.md and the manual pages show is what happens: their commands are run, and what README.md shows is compared."""

import datetime
import json
import os
import pathlib
import re
import shlex
import shutil

import pytest

import sp

HERE = pathlib.Path(__file__).resolve().parents[2]
README = (HERE / "README.md").read_text()
YEAR = datetime.date.today().year + 1
ANNA = re.search(r"ssh-ed25519 AAAA\S+ anna@laptop", README).group()


def shown():
    """(command, what README.md shows after it), in order: indented blocks with a prompt."""
    steps = []
    for line in README.splitlines():
        text = line.removeprefix("    ")
        if line.startswith("    ") and text[:2] in ("$ ", "# "):
            steps.append([text[2:], []])
        elif line.startswith("    ") and steps and steps[-1][1] is not None:
            steps[-1][1].append(text)
        elif line.strip() and steps and steps[-1][1] is not None:
            steps.append(["", None])  # prose ends the output
    return [(command, "\n".join(output)) for command, output in steps if output is not None]


def plain(text, mine):
    """Without what is different on every host: the generation's name, and the fingerprint of a key that only README.md has."""
    text = re.sub(r'"read_back":"[0-9a-f]{64}"', '"read_back":"HASH"', text.rstrip("\n"))
    return re.sub(r"SHA256:(?!MckT4f)[A-Za-z0-9+/]{43}", mine, text)


@pytest.fixture(scope="module")
def desk(host, tmp_path_factory):
    """The user and the files that the documents speak of."""
    place = tmp_path_factory.mktemp("desk")
    home = "/var/www/vhosts/example.com"
    os.makedirs(os.path.dirname(home), exist_ok=True)
    # Further logins want idmapped mounts, which the overlay that this host lies on has not.
    for folder in (os.path.dirname(home), "/srv"):
        sp.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
    sp.run(["useradd", "-u", "1001", "-U", "-m", "-d", home, "-s", "/bin/false", "example"], check=True)
    for name, comment in (("bob", "bob@office"), ("support", "support@desk"), ("tech", "tech@hoster")):
        sp.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", place / name], check=True)
    (place / "anna.pub").write_text(ANNA + "\n")
    (place / "from-anna.txt").write_text(ANNA.replace(" ", "\n ") + "\n")
    (place / "requests").mkdir()
    (place / "requests/example.com.json").write_text(json.dumps({"domain": "example.com", "shell": "chroot"}))
    pathlib.Path("/etc/sallyport/sallyport.conf.d/log.conf").write_text(f"auth_log = {sp.SYSLOG}\n")
    (place / "secret").write_text("correct-Horse 7 battery staple\n")
    return place


@pytest.fixture
def no_lfs():
    """README.md's host has no git-lfs. Whether this one has is no matter."""
    hidden = {}
    while found := shutil.which("git-lfs", path="/usr/local/bin:/usr/bin:/bin"):
        os.rename(found, f"{found}.hidden")
        hidden[f"{found}.hidden"] = found
    yield
    for old, new in hidden.items():
        os.replace(old, new)


def test_the_readme_shows_what_happens(desk, no_lfs):
    steps = shown()
    assert len(steps) >= 8 and any("reconcile" in command for command, _ in steps), steps
    mine = sp.run(["ssh-keygen", "-lf", desk / "bob.pub"], check=True).stdout.split()[1]
    for command, output in steps:
        if command == "cat request.json":
            json.loads(output)
            (desk / "request.json").write_text(output + "\n")
            continue
        if command == "sallyport reconcile":  # "after a hasty ..."
            hasty = re.search(r"after a hasty\s+`([^`]+)`", README).group(1)
            sp.run(shlex.split(hasty), check=True)
        done = sp.run(["bash", "-c", command], cwd=desk)
        assert done.stderr == "" and plain(done.stdout, mine) == plain(output, mine), command
        if "<request.json" in command:  # "The same request again answers ..."
            assert '"changed":false' in sp.run(["bash", "-c", command], cwd=desk).stdout


def test_where_git_lfs_is_installed_the_readmes_request_has_no_warning(desk, no_lfs):
    """Comes after the README's own steps: request.json is there. Told when the generation is made."""
    try:
        for there in (False, True):
            if there:
                shutil.copy("/bin/true", "/usr/bin/git-lfs")
            sp.rpc("domain.remove", {"domain": "example.com"}).ok()
            os.unlink("/var/lib/sallyport/sets/base+git")
            done = sp.run(["bash", "-c", f"{sp.HELPER} <request.json"], cwd=desk, timeout=60)
            assert '"built and proved"' in done.stdout and ('"warnings":[]' in done.stdout) == there, done
    finally:
        pathlib.Path("/usr/bin/git-lfs").unlink(missing_ok=True)


def manual(page):
    return (HERE / "man" / page).read_text()


def unroff(text):
    return text.replace("\\(aq", "'").replace("\\-", "-").replace("\\&", "").replace("\\e", "\\")


def literals(page):
    """The literal blocks below EXAMPLES."""
    examples = manual(page).split(".Sh EXAMPLES")[1].split(".Sh ")[0]
    return [unroff(block) for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", examples, re.S | re.M)]


def test_the_requests_of_the_manual_are_carried_out(desk):
    blocks = literals("sallyport-request.5")
    assert len(blocks) >= 3
    for block in blocks:
        request = json.loads(block.replace("ssh-ed25519 AAAA... anna@laptop", ANNA).replace("2027-", f"{YEAR}-"))  # a date to come
        answer = sp.rpc_raw(json.dumps(request))
        assert answer.ok(), block
    sp.rpc("firewall.set", {"mode": "unmanaged"}).ok()
    assert sp.run(["bash", "-c", literals("sallyport-helper.8")[0].removeprefix("$ ")]).stdout.startswith('{"jsonrpc"')


PAGES = sorted(path.name for path in (HERE / "man").glob("sallyport*.8") if path.name != "sallyport-helper.8")
MCKT = "SHA256:MckT4f/QrcBfdNUG6cnZ0AykuhPxbKVO2BTItYuBgpE"


def commands(page):
    """What stands behind a prompt of root's in the examples (of sallyport.8 wherever it stands)."""
    text = manual(page) if page == "sallyport.8" else manual(page).split(".Sh EXAMPLES")[1].split("\n.Sh ")[0]
    return [unroff(line) for line in re.findall(r"^\.Dl # (.*)$", text, re.M)]


def stands(root="/var/www/vhosts/example.com", **more):
    """The domain is there, jailed, with Anna's key."""
    sp.rpc("domain.apply", {"domain": "example.com", "user": "example", "document_root": root, "shell": "chroot",
                            "authentication": "password_or_key", "valid_until": None, "authorized_keys": [{"key": ANNA}], **more}, timeout=60).ok()


def as_the_page_has_it(command, serial):
    line = re.sub(r"SHA256:(7eRMz4s\S*|MckT4f/Qrc\.\.\.)", MCKT, command)
    return re.sub(r"\b20[0-9][0-9]-", f"{YEAR}-", line).replace("revoke 12", f"revoke {serial}")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_each_page_work_as_they_stand(desk, page):
    """In their order, from a domain that is there: what it asks about somebody else's key is asked about Anna's."""
    found = commands(page)
    assert found and all(one.startswith(("sallyport ", "mv ", "usermod ")) for one in found), found
    if page in ("sallyport.8", "sallyport-enable.8"):
        sp.rpc("domain.remove", {"domain": "example.com"})
    else:
        stands()
    serial = "0"
    for command in found:
        line = as_the_page_has_it(command, serial)
        done = sp.run(["bash", "-c", line], cwd=desk, input=(desk / "bob.pub").read_text(), timeout=90)
        assert done.rc == 0, (line, done)
        if "certificates issue" in line:
            serial = re.search(r"serial\D*([0-9]+)", done.stdout).group(1)
    if page == "sallyport-rebind.8":
        stands("/srv/example.com")
        sp.run(["mv", "/srv/example.com", "/var/www/vhosts/example.com"], check=True)
        sp.run(["usermod", "-d", "/var/www/vhosts/example.com", "example"], check=True)
        sp.run(["sallyport", "rebind", "example.com", "--document-root", "/var/www/vhosts/example.com"], check=True)
    if page == "sallyport-suspend.8":
        sp.rpc("account.resume", {"domain": "example.com"}).ok()
    if page == "sallyport-remove.8":
        assert sp.rpc("domain.get", {"domain": "example.com"}).reason == "not_found"
    if page == "sallyport-firewall.8":
        sp.rpc("firewall.set", {"mode": "unmanaged"}).ok()


def test_the_profiles_and_the_configuration_of_the_manual_are_read(desk):
    for block in literals("sallyport-profile.5"):
        path = pathlib.Path(re.match(r"# (/etc/sallyport/profiles\.d/\S+\.profile)\n", block).group(1))
        path.parent.mkdir(exist_ok=True)
        path.write_text(block)
    listed = sp.run(["sallyport", "jail", "profiles"])
    assert (listed.rc, listed.stderr) == (0, "") and "\nmariadb (this host's own)\n" in listed.stdout, listed
    for absent in ("lua@9.9", "remi-php@9"):
        refused = sp.run(["sallyport", "jail", "build", absent])
        assert refused.rc != 0 and f"the profile {absent}" in refused.stderr, refused
    built = sp.run(["sallyport", "jail", "build", "mariadb"], timeout=90)
    assert built.rc == 0, built
    for block in literals("sallyport.conf.5"):
        path = pathlib.Path(re.match(r"# (/etc/sallyport/\S+\.conf)\n", block).group(1))
        path.parent.mkdir(exist_ok=True)
        path.write_text(block)
        try:
            assert sp.rpc("system.info").ok()
            refused = sp.rpc("domain.apply", {"domain": "example.com", "user": "example", "document_root": "/var/www/vhosts/example.com", "shell": "chroot"})
            assert refused.reason == "forbidden", refused  # he is not in psacln
        finally:
            path.unlink()


def test_root_sees_what_an_account_sees(desk):
    """chroot-bash(8)."""
    sp.rpc("domain.apply", {"domain": "example.com", "user": "example", "document_root": "/var/www/vhosts/example.com", "shell": "chroot"}, timeout=60).ok()
    command = re.search(r"^\.Dl # (su .*)$", manual("chroot-bash.8"), re.M).group(1)
    done = sp.run(["bash", "-c", unroff(command)])
    assert done.rc == 0 and "uid=1001(example)" in done.stdout and "\nexample:x:1001:" in done.stdout and "/boot" not in done.stdout, done


def test_each_command_of_the_tests_says_what_it_takes_and_starts_nothing():
    names = re.findall(r"^\| `(tests/[a-z/]+)", README, re.M)
    assert len(names) >= 14, names
    for name in names:
        done = sp.run([HERE / name, "--help"], timeout=30)
        assert done.rc in (0, 2) and name in done.stdout + done.stderr and "Installing" not in done.stdout, (name, done)
