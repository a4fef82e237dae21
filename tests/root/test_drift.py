# SPDX-License-Identifier: GPL-3.0-or-later
"""A hundred kinds of drift, planted at once on accounts of one host: each is mended or told of as the table of sp_drift.py says,
and everything else is as it was, to the byte. tests/drift does the same among ten thousand accounts."""

import json
import time

import pytest

import sp
import sp_drift


@pytest.fixture(scope="module")
def sites(host):
    kinds = sp_drift.usable()
    many = sp_drift.numbered(len(kinds) + 10, kinds, 1)
    sp_drift.make_host()
    sp_drift.make(many)
    sp_drift.host_wide(many)
    sp_drift.suspend(many)
    return many


def reconcile(*words):
    done = sp.run(["sallyport", "reconcile", "--json", *words], timeout=300)
    report = json.loads(done.stdout)
    sp.validate_answer({"jsonrpc": "2.0", "id": "1", "result": report})
    return report


def test_a_hundred_kinds_of_drift_are_mended_or_told_of_and_the_rest_is_untouched(sites):
    kinds = sp_drift.usable()
    assert len(kinds) >= 100
    time.sleep(2.5)  # what is younger is not relied upon
    reconcile()
    seen = (sp_drift.STORE / "reconcile.seen").read_text()
    without = [site.name for site in sites if f"#{site.name} " not in seen and not site.name.startswith("sudo")]
    assert without == [], "what nothing is remembered of would be looked at in full: this would show less"
    first = reconcile()
    assert first["details"] == [] and first["accounts"] == len(sites), first
    wrong, report = sp_drift.run(reconcile, sites, sp_drift.choose(sites, kinds, 1))
    assert not wrong, "\n".join(wrong)
    assert report["accounts"] == len(sites)
    # A second run finds nothing more to mend.
    again = reconcile()
    kept, failed = ([{(user, says[which]) for user, says in sp_drift.told(run).items() if says[which]} for run in (report, again)] for which in (1, 2))
    assert again["mended"] == 0 and kept[0] == kept[1] and failed[0] == failed[1], (kept[0] ^ kept[1], failed[0] ^ failed[1])


@pytest.fixture(scope="module")
def settled(sites):
    """As much as the accounts of the test before left."""
    reconcile("--restore-access")
    return sites


def hosts_view():
    view = sp_drift.View(["/etc", sp_drift.STORE])
    for path in list(view.tree):
        if path.startswith(f"{sp_drift.STORE}/ca/revoked"):  # it has its date in it
            del view.tree[path]
    return view


@pytest.mark.parametrize("name", sp_drift.HOST_KINDS)
def test_what_is_the_hosts_alone_is_mended(settled, name):
    before = hosts_view()
    sp_drift.HOST_KINDS[name]()
    assert before.tree != hosts_view().tree or "group" in name or "revoked" in name or "generation" in name, "planted nothing"
    reconcile("--dry-run")
    reconcile()
    after = hosts_view()
    if "generation" in name:
        assert (sp_drift.STORE / "sets/base/usr").is_dir()
        before.tree.pop(f"{sp_drift.STORE}/sets/base"), after.tree.pop(f"{sp_drift.STORE}/sets/base")
    assert before.tree.diff(after.tree) == [] and before.lines == after.lines and before.member == after.member
    revoked = sp.run(["ssh-keygen", "-Q", "-l", "-f", sp_drift.STORE / "ca/revoked"])
    assert revoked.rc == 0 and (sp_drift.STORE / "ca/revoked").stat().st_size > 40, revoked


def test_a_memory_that_is_broken_or_somebodys_is_not_relied_upon(settled):
    memory = sp_drift.STORE / "reconcile.seen"
    site = next(one for one in settled if one.name.startswith("wide"))
    for break_it in (lambda: memory.write_text("nonsense"), lambda: memory.write_bytes(memory.read_bytes()[:-300]), lambda: memory.chmod(0o666),
                     lambda: memory.write_text(memory.read_text().replace(f"#{site.name} ", "#wide ")), memory.unlink):
        time.sleep(2.5)
        reconcile()
        break_it()
        site.keys.chmod(0o644)
        assert [item["user"] for item in reconcile()["details"] if item.get("changes")] == [site.name]
        assert site.keys.stat().st_mode & 0o777 == 0o600
