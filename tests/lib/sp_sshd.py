# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own sshd_config, edited for a while."""

import contextlib
import pathlib
import re

import sp
import sp_site

CONFIG = pathlib.Path("/etc/ssh/sshd_config")
DROPINS = pathlib.Path("/etc/ssh/sshd_config.d")
OURS = DROPINS / "10-sallyport.conf"
SUBSYSTEM = r"^Subsystem\s+sftp\s.*$"
INTERNAL = "Subsystem sftp internal-sftp"


@contextlib.contextmanager
def configured(host, edits=(), end="", dropins=()):
    """sshd_config with lines replaced (pattern, text) and text added; files put beside ours; sshd reloaded."""
    before = CONFIG.read_text()
    text = before
    for pattern, line in edits:
        text, n = re.subn(pattern, line, text, flags=re.M)
        assert n == 1, pattern
    CONFIG.write_text(text + end)
    for name, content in dict(dropins).items():
        (DROPINS / name).write_text(content)
    host.reload()
    try:
        yield
    finally:
        CONFIG.write_text(before)
        for name in dict(dropins):
            (DROPINS / name).unlink()
        host.reload()


def refused(user, *words, **params):
    """domain.apply is answered with not_in_force; its text and hint hold the words."""
    answer = sp_site.apply(user, **{"shell": "chroot", "jail": sp_site.JAIL, "keys": [sp.keypair()], **params})
    assert answer.reason == "not_in_force", answer.body
    told = answer.error["message"] + "\n" + answer.error["data"]["hint"]
    for word in words:
        assert word in told, (word, told)
    assert sp.ssh(user, "echo in").rc != 0, "it says no, and lets in"
    return told


def works(user, **params):
    """A request for the jail goes through, and so does a login."""
    result = sp_site.apply(user, shell="chroot", jail=sp_site.JAIL, keys=[sp.keypair()], **params).ok()
    assert sp.ssh(user, "test ! -e /boot && id -un").stdout == user.name + "\n"
    return result
