# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of both packages need: the sources to build them from, what stands in their way, logins meanwhile."""

import os
import pathlib
import threading

import sp

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DROPIN = pathlib.Path("/etc/ssh/sshd_config.d/10-sallyport.conf")


def sources(tree):
    """A copy of the sources, without what was built, to build a package in."""
    sp.run(["rm", "-rf", tree])
    tree.mkdir(parents=True)
    for name in ("CHANGELOG.md", "LICENSE", "README.md", "cmd", "debian", "lib", "man", "meson.build", "shells", "templates",
                 "tests"):
        sp.run(["cp", "-a", SOURCE / name, tree], check=True)
    return tree


def installed_by_meson():
    """The files that `meson install` brings to a host: what every package has to have, in its own way."""
    tree = "/var/tmp/meson-install"
    sp.run(["meson", "install", "-C", os.environ["SALLYPORT_BUILD"], "--no-rebuild", "--quiet"], check=True,
           env={**os.environ, "DESTDIR": tree})
    return {os.path.join(folder, name)[len(tree):] for folder, _, names in os.walk(tree) for name in names}


def take_away_what_meson_installed():
    """tests/host installed the same files by hand; the package starts from none."""
    for path in ("/usr/bin/sallyport", "/usr/libexec/sallyport", "/usr/share/sallyport", "/etc/sallyport", DROPIN,
                 "/etc/apt/apt.conf.d/80sallyport", "/etc/dpkg/dpkg.cfg.d/sallyport"):
        sp.run(["rm", "-rf", str(path)], check=True)
    for unit in pathlib.Path("/usr/lib/systemd/system").glob("sallyport*"):
        unit.unlink()
    for line in pathlib.Path("/etc/group").read_text().splitlines():
        if line.startswith("sallyport"):
            sp.run(["groupdel", line.partition(":")[0]], check=True)


class Logins:
    """Logs in again and again meanwhile: `with Logins(user) as logins: ...; logins.failed`"""

    def __init__(self, user):
        self.user, self.done, self.failed, self.stop = user, 0, [], threading.Event()

    def _loop(self):
        while not self.stop.is_set():
            answer = sp.ssh(self.user, "true")
            self.done += 1
            if answer.rc != 0:
                self.failed.append(answer)

    def __enter__(self):
        self.threads = [threading.Thread(target=self._loop) for _ in range(2)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
