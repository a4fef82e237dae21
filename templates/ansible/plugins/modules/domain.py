# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: domain
short_description: SSH access of a hosting domain
version_added: "0.1.0"
author: sallyport developers (!UNKNOWN)
description:
  - Gives a domain's system user a login shell, bash or bash in a jail, and its public keys.
  - Sends C(domain.apply) or C(domain.remove) to sallyport-helper on the managed host. What is left out is left alone.
  - sallyport-request(5) tells more about each parameter.
requirements: [sallyport on the managed host]
notes:
  - Wants to be root on the managed host; use C(become).
  - The user and the document root must be there already, in check mode too. The module makes neither.
  - Leave I(shell) out where M(ansible.builtin.user) makes the user, or each run changes it to and fro.
options:
  state:
    description:
      - C(present) makes what is named so.
      - C(absent) takes the domain's access away. The shell that stood before comes back; user, home and content stay.
        All parameters but I(domain) and I(if_generation) are then ignored.
    type: str
    choices: [present, absent]
    default: present
  domain:
    description: A host name in lower case with at least two labels; others as punycode.
    type: str
    required: true
  user:
    description: The system user. Wanted when the domain is new; later it may only say the same.
    type: str
  document_root:
    description:
      - The domain's directory, an absolute path without links, of which the first one of the user is C(/) in his jail.
      - Wanted when the domain is new; later it may only say the same.
    type: path
  shell:
    description:
      - C(bash), C(chroot) for bash in a jail, or C(none) for no SSH at all.
    type: str
    choices: [none, bash, chroot]
  account_wide:
    description: Change the shell though another domain of the same user asked for a different one.
    type: bool
  forwarding:
    description: TCP forwarding, of all keys.
    type: str
    choices: [none, local, all]
  jail:
    description: What is in the jail.
    type: dict
    suboptions:
      profiles:
        description: Names of profiles, such as C(git) or C(php@8.2).
        type: list
        elements: str
      tmp_mib:
        description: The size of the jail's C(/tmp) in MiB.
        type: int
      agent:
        description: Whether a forwarded agent is reached from inside.
        type: bool
  limits:
    description: What all SSH sessions of the user may take together; 0 leaves it to sallyport.conf(5).
    type: dict
    suboptions:
      processes:
        description: How many processes and threads.
        type: int
      memory_mib:
        description: How much memory, in MiB.
        type: int
  authorized_keys:
    description: The domain's keys, all of them. An empty list takes them all away.
    type: list
    elements: dict
    suboptions:
      key:
        description: A public key as it was pasted.
        type: str
        required: true
      label:
        description: A name for it; the key's comment when left out.
        type: str
      from:
        description: Addresses and blocks that it is good from.
        type: list
        elements: str
      expires_at:
        description: The end of its life, RFC 3339.
        type: str
      command:
        description: What the login shell runs whatever the client asks for.
        type: str
      forwarding:
        description: TCP forwarding, of this key.
        type: str
        choices: [none, local, all]
      pty:
        description: Whether it may have a terminal.
        type: bool
  sources:
    description: Addresses and blocks that all keys of the domain are good from. An empty list means anywhere.
    type: list
    elements: str
  sudo:
    description: Names of templates of C(/etc/sallyport/sudo.d), all of them.
    type: list
    elements: str
  authentication:
    description: How the user proves himself.
    type: str
    choices: [key, password_or_key, key_and_password]
  valid_from:
    description: From when on the user has access, RFC 3339. An empty string takes the limit away.
    type: str
  valid_until:
    description: Until when the user has access, RFC 3339. An empty string takes the limit away.
    type: str
  keep_sessions:
    description: Let logins go on that were opened by keys which the list leaves out.
    type: bool
  force:
    description: Take sources away though somebody is connected from there.
    type: bool
  if_generation:
    description: Refuse with C(conflict) unless nobody has changed the account since it had this generation.
    type: int
attributes:
  check_mode:
    description: The helper's dry run; nothing is changed.
    support: full
  diff_mode:
    description: What goes and what comes, a line for each.
    support: full
"""

EXAMPLES = r"""
- name: Bash in a jail with git, for one key
  sallyport.sallyport.domain:
    domain: example.com
    user: example
    document_root: /var/www/vhosts/example.com
    shell: chroot
    jail:
      profiles: [git]
    authorized_keys:
      - key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJYT+ssYYmKoEv/ksDA4uupkwk2oBc70MuLLsXo1iZB anna@laptop
        from: [203.0.113.0/24]
  become: true

- name: An end to it, and a key that does nothing but push to one repository
  sallyport.sallyport.domain:
    domain: example.com
    valid_until: "2037-01-01T00:00:00Z"
    authorized_keys:
      - key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJYT+ssYYmKoEv/ksDA4uupkwk2oBc70MuLLsXo1iZB
        label: deploy
        command: git receive-pack site.git
        pty: false
        forwarding: none
  become: true

- name: No end any more
  sallyport.sallyport.domain:
    domain: example.com
    valid_until: ""
  become: true

- name: No SSH for now; keys and jail stay as they are
  sallyport.sallyport.domain:
    domain: example.com
    shell: none
  become: true

- name: As it was before sallyport came
  sallyport.sallyport.domain:
    domain: example.com
    state: absent
  become: true
"""

RETURN = r"""
generation:
  description: A number that grows with each change of the account.
  returned: success
  type: int
  sample: 3
user:
  description: The system user; none where the domain was not there.
  returned: success
  type: str
  sample: example
changes:
  description: What was changed, or would be in check mode, in that order.
  returned: success
  type: list
  elements: dict
  contains:
    resource: {description: The kind of thing, type: str, sample: shell}
    target: {description: Which one, type: str, sample: example}
    from: {description: What stood there, type: str, sample: /bin/false}
    to: {description: What shall stand there, type: str, sample: /usr/libexec/sallyport/chroot-bash}
    read_back: {description: What the system says since; none in check mode, type: str}
code:
  description: The number of the error.
  returned: failure
  type: int
  sample: -32602
reason:
  description: The name of the error, as in the table of sallyport-helper(8).
  returned: failure
  type: str
  sample: invalid
field:
  description: The parameter that is to blame, or an empty string.
  returned: failure
  type: str
  sample: params.authorized_keys[0].key
hint:
  description: What to do about it, or an empty string.
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible_collections.sallyport.sallyport.plugins.module_utils.helper import run, wanted  # noqa: E402

FORWARDING = {"type": "str", "choices": ["none", "local", "all"]}
STRINGS = {"type": "list", "elements": "str"}

# Public keys are no secrets: Ansible's guess by the word "key" would blot them out of its log.
KEY = {
    "key": {"type": "str", "required": True, "no_log": False},
    "label": {"type": "str"},
    "from": STRINGS,
    "expires_at": {"type": "str"},
    "command": {"type": "str"},
    "forwarding": FORWARDING,
    "pty": {"type": "bool"},
}

PARAMETERS = {
    "domain": {"type": "str", "required": True},
    "user": {"type": "str"},
    "document_root": {"type": "path"},
    "shell": {"type": "str", "choices": ["none", "bash", "chroot"]},
    "account_wide": {"type": "bool"},
    "forwarding": FORWARDING,
    "jail": {"type": "dict", "options": {"profiles": STRINGS, "tmp_mib": {"type": "int"}, "agent": {"type": "bool"}}},
    "limits": {"type": "dict", "options": {"processes": {"type": "int"}, "memory_mib": {"type": "int"}}},
    "authorized_keys": {"type": "list", "elements": "dict", "options": KEY, "no_log": False},
    "sources": STRINGS,
    "sudo": STRINGS,
    "authentication": {"type": "str", "choices": ["key", "password_or_key", "key_and_password"]},
    "valid_from": {"type": "str"},
    "valid_until": {"type": "str"},
    "keep_sessions": {"type": "bool"},
    "force": {"type": "bool"},
    "if_generation": {"type": "int"},
}


def main():
    state = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    module = AnsibleModule(argument_spec=dict(PARAMETERS, state=state), supports_check_mode=True)
    params = wanted(module.params)
    if params.pop("state") == "absent":
        run(module, "domain.remove", {name: params[name] for name in ("domain", "if_generation") if name in params},
            params["domain"])
    # A null of a task is a parameter that was left out; that of the helper is no limit.
    for name in ("valid_from", "valid_until"):
        if params.get(name) == "":
            params[name] = None
    run(module, "domain.apply", params, params["domain"])


if __name__ == "__main__":
    main()
