# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways around the root side that were found by reading it: each test failed before its mend."""

import pathlib

import pytest

import sp
from sp_safety import apply, in_force


# What a user writes comes back in the answer

@pytest.mark.parametrize("written", [
    b'command="' + b"x" * 331 + b" " * 5000 + b'" ', b'command="' + b"x " * 600 + b'" ',
    b'command="' + b" " * 20000 + b'" ', b'environment="A=\xff\xfe" ', b'environment="A=' + b"\xc3\xa9" * 300 + b'" ',
    b'environment="A=\x1b[2J\x7f" '], ids=["padded", "long", "blank", "no-utf8", "cut", "control"])
def test_a_line_of_the_users_own_neither_breaks_the_answer_nor_the_helper(host, written):
    user, key = sp.make_user(), sp.keypair()
    folder = pathlib.Path(user.home, ".ssh")
    folder.mkdir(mode=0o700)
    (folder / "authorized_keys").write_bytes(written + key.public.encode() + b"\n")
    sp.run(["chown", "-R", f"{user.uid}:{user.gid}", folder], check=True)
    result = apply(user, shell="bash", authorized_keys=[{"key": key.public}]).ok()
    for change in result["changes"]:
        for text in change.values():
            assert text is None or text.isprintable(), change
    assert (folder / "authorized_keys").read_text() == key.public + "\n"
    in_force(user)
