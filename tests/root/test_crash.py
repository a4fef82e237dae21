# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/table, safety 28 to 30: SIGKILL and SIGTERM at every system call of an operation, and a second SIGKILL in its rerun.
tests/crash/sweep does it without gaps."""

import sp
from sp_crash import is_asked_for
from sp_crash_host import delta
from sp_crash_operations import each, first, issue, loosened, methods, OPERATIONS, user_add, world  # noqa: F401


@sp.covers("safety 28", "safety 29", "safety 30")
@each
def test_killed_anywhere_it_is_the_old_or_the_new_state_and_one_rerun_converges(world, operation):  # noqa: F811
    operation.prepare(world)
    for way in (operation.sweep_kills, operation.sweep_terms, operation.sweep_twice):
        if is_asked_for(way):
            way()


def test_every_method_that_changes_something_is_among_them():
    assert {one.method for one in OPERATIONS} == {name for name, changes in methods().items() if changes}


def test_what_is_said_to_read_alone_leaves_the_host_as_it_is(world):  # noqa: F811
    """So nothing that changes anything is missing among them."""
    world.reset()
    for method, params in (("certificate.ca.create", {}), first(), issue, user_add()):
        sp.rpc(method, params(world) if callable(params) else params).ok()
    loosened(world)
    domain = {"domain": world.user.domain}
    params = {"domain.get": domain, "keys.list": domain, "login.explain": domain, "user.list": domain,
              "key.inspect": {"key": sp.keypair("new").public}}
    before = world.host.look(True)
    for name in (name for name, changes in methods().items() if not changes):
        sp.rpc(name, params.get(name, {})).ok()
        assert delta(before, world.host.look(True)) == {}, name
