# SPDX-License-Identifier: GPL-3.0-or-later
"""Two accounts that are given the same domain at the same moment: one gets it, the other is told."""

import concurrent.futures
import fcntl
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lib"))
import sp  # noqa: E402


def attach(user, domain):
    return sp.rpc("domain.apply", {"domain": domain, "user": user.name, "document_root": user.docroot, "shell": "bash"})


def test_one_domain_for_two_users_at_once_goes_to_one_of_them():
    a, b = sp.make_user(), sp.make_user()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for n in range(25):
            domain = f"race{n}.example"
            answers = list(pool.map(lambda u: attach(u, domain), (a, b)))
            won = [x for x in answers if x.exit == 0]
            lost = [x for x in answers if x.exit != 0]
            assert len(won) == 1 and len(lost) == 1, answers
            assert lost[0].error["data"]["reason"] == "conflict", lost[0].error
            owners = [d["user"] for d in sp.rpc("domain.list", {}).result["domains"] if d["domain"] == domain]
            assert len(owners) == 1


def test_one_directory_of_roots_for_two_users_at_once_goes_to_one_of_them():
    """Nothing tells whose it is but who was given it first, and neither is written down when the other is judged."""
    a, b = sp.make_user(), sp.make_user()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for n in range(25):
            root = pathlib.Path(f"/var/www/vhosts/race{n}")
            (root / "inside").mkdir(parents=True)
            ask = lambda user, path: sp.rpc("domain.apply", {"domain": f"{user.name}-{n}.example", "user": user.name, "document_root": str(path), "shell": "bash"})
            answers = list(pool.map(ask, (a, b), (root, root / "inside" if n % 2 else root)))
            assert sorted(answer.reason if answer.error else "" for answer in answers) == ["", "conflict"], answers
            told = [one["user"] for one in sp.rpc("domain.list", {}).result["domains"] if one["document_root"].startswith(str(root))]
            assert len(told) == 1, told


def test_a_name_that_another_user_was_given_meanwhile_is_not_taken_away_with_the_old_ones():
    """Without its name in the index, his domain could neither be shown nor removed: it would have no access, by the answers."""
    a, b = sp.make_user(), sp.make_user()
    attach(a, "stays.example").ok()
    attach(a, "moves.example").ok()
    store = pathlib.Path("/var/lib/sallyport")
    name = store / "domains/moves.example"
    with open(store / "domains.lock", "r+", encoding="ascii") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)  # b's request, between the index and his state
        with subprocess.Popen([sp.HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as removal:
            removal.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "domain.remove", "params": {"domain": "moves.example"}}).encode())
            removal.stdin.close()
            gone = lambda: "moves.example" not in (store / f"state/{a.name}.json").read_text()
            sp.wait_for(lambda: gone() or removal.poll() is not None, what="a state without the domain")
            sp.wait_for(lambda: removal.poll() is not None or str(store / "domains.lock") in sp.opened(removal.pid), what="an end, or a wait")
            assert removal.poll() is None and name.is_symlink(), "it waits for nobody"
            os.symlink(b.name, store / "domains/.b")
            os.rename(store / "domains/.b", name)
            fcntl.lockf(lock, fcntl.LOCK_UN)
            assert "result" in json.loads(removal.stdout.read())
    assert os.readlink(name) == b.name
    name.unlink()
