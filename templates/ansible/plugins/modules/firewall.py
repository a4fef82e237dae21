# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: firewall
short_description: Who reaches the SSH port
version_added: "0.1.0"
author: sallyport developers (!UNKNOWN)
description:
  - Opens the SSH port to everybody or to selected sources, by nftables.
  - Sends C(firewall.set) to sallyport-helper on the managed host. What is left out is left alone.
  - Sessions that run are never cut, Ansible's own neither.
requirements: [sallyport on the managed host]
notes:
  - Wants to be root on the managed host; use C(become).
  - Refused with C(lockout) where somebody who is connected, Ansible included, would not come in again.
options:
  mode:
    description:
      - C(open) to everybody, C(restricted) to the sources, C(closed), or C(unmanaged) which is none of sallyport's.
    type: str
    choices: [unmanaged, open, restricted, closed]
  sources:
    description: The whole list of sources that were given this way.
    type: list
    elements: dict
    suboptions: &source
      source:
        description: An address or a block without host bits.
        type: str
        required: true
      comment:
        description: Whose it is.
        type: str
      expires_at:
        description: Until when it is let in, RFC 3339.
        type: str
  add:
    description: Sources to add to the list.
    type: list
    elements: dict
    suboptions: *source
  remove:
    description: Sources to take off the list.
    type: list
    elements: str
  force:
    description: Though somebody who is connected is shut out.
    type: bool
  acknowledge_closed:
    description: Wanted for the mode C(closed).
    type: bool
  keep_opened:
    description: With the mode C(unmanaged), what was opened in the firewalls of others stays open.
    type: bool
  confirm_within:
    description:
      - Put the policy on trial for this many seconds. The kernel forgets it then, whatever has become of the connection.
      - C(pending) of the answer has the token for I(confirm).
    type: int
  confirm:
    description:
      - Make the policy on trial the stored one, by its token. Nothing else may be said beside it.
      - Wants a new connection since the trial began, which C(meta: reset_connection) makes; refused with C(lockout) before.
    type: str
attributes:
  check_mode:
    description: The helper's dry run; nothing is changed.
    support: full
  diff_mode:
    description: What goes and what comes, a line for each.
    support: full
"""

EXAMPLES = r"""
- name: The office, the controllers, and a contractor until March
  sallyport.sallyport.firewall:
    mode: restricted
    sources:
      - source: 192.0.2.0/24
        comment: controllers
      - source: 203.0.113.0/24
        comment: office
      - source: 198.51.100.7
        comment: contractor
        expires_at: "2037-03-08T00:00:00Z"
  become: true

- name: One more, one less
  sallyport.sallyport.firewall:
    add:
      - source: 2001:db8::/64
    remove: [198.51.100.7]
  become: true

- name: Only the office, on trial for two minutes
  sallyport.sallyport.firewall:
    mode: restricted
    sources:
      - source: 192.0.2.0/24
      - source: 203.0.113.0/24
    confirm_within: 120
  become: true
  register: trial

- name: Does anybody still come in?
  ansible.builtin.meta: reset_connection

- name: Then it may stay
  sallyport.sallyport.firewall:
    confirm: "{{ trial.pending.token }}"
  become: true
  when: trial.pending is defined

- name: Everybody
  sallyport.sallyport.firewall:
    mode: open
  become: true
"""

RETURN = r"""
mode:
  description: What is wanted now.
  returned: success
  type: str
  sample: restricted
ports:
  description: The ports of sshd.
  returned: success
  type: list
  elements: int
  sample: [22]
sources:
  description: Who is let in, those whom domains brought too.
  returned: success
  type: list
  elements: dict
in_force:
  description: Whether the kernel has it so.
  returned: success
  type: bool
pending:
  description: What is on trial, with its C(token), its end in C(expires_at) and the number of new C(connections).
  returned: while a policy is on trial
  type: dict
blocked_by:
  description: Firewalls of others that shut the port all the same, each with C(by), C(where), C(port) and C(mend).
  returned: when a mode was named
  type: list
  elements: dict
changes:
  description: What was changed, or would be in check mode; as for M(sallyport.sallyport.domain).
  returned: success
  type: list
  elements: dict
code:
  description: The number of the error; with it come C(reason), C(field) and C(hint).
  returned: failure
  type: int
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible_collections.sallyport.sallyport.plugins.module_utils.helper import call, finish, run, wanted  # noqa: E402

SOURCES = {"type": "list", "elements": "dict",
           "options": {"source": {"type": "str", "required": True}, "comment": {"type": "str"}, "expires_at": {"type": "str"}}}

PARAMETERS = {
    "mode": {"type": "str", "choices": ["unmanaged", "open", "restricted", "closed"]},
    "sources": SOURCES,
    "add": SOURCES,
    "remove": {"type": "list", "elements": "str"},
    "force": {"type": "bool"},
    "acknowledge_closed": {"type": "bool"},
    "keep_opened": {"type": "bool"},
    "confirm_within": {"type": "int"},
}


def main():
    module = AnsibleModule(argument_spec=dict(PARAMETERS, confirm={"type": "str"}), supports_check_mode=True,
                           mutually_exclusive=[("confirm", name) for name in PARAMETERS])
    params = wanted(module.params)
    if "confirm" not in params:
        run(module, "firewall.set", params, "firewall")
    # Whether it would be confirmed, nobody can say before a new connection is there.
    if module.check_mode:
        module.exit_json(changed=True, changes=[])
    finish(module, call(module, "firewall.confirm", {"token": params["confirm"]}), "firewall")


if __name__ == "__main__":
    main()
