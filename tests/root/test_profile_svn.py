# SPDX-License-Identifier: GPL-3.0-or-later
"""Subversion and git over ssh: repositories in a jail, working copies at both ends, hooks that run inside."""

import os
import pathlib

import pytest

import sp
import sp_site

NAME = "Bücher & Straße €.txt"


@pytest.fixture(scope="module")
def site(host):
    return sp_site.account(params={"jail": {"profiles": ["git", "svn"]}})


def said(user, command, **more):
    done = sp.ssh(user, command, timeout=60, **more)
    assert done.rc == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def repository(site):
    """The address of a repository with a hook, which svn runs without any environment."""
    hook = '#!/bin/sh\n{ echo "r$2 by $(/usr/bin/svnlook author -r "$2" "$1")"; test -e /boot && echo OUT; } >>"$1/../committed"\n'
    said(site, "svnadmin create repo && cat >repo/hooks/post-commit && chmod +x repo/hooks/post-commit", input=hook)
    return f"svn+ssh://{site.name}@127.0.0.1{site.home}/repo"


def svn(tmp_path, *words):
    env = {**os.environ, "SVN_SSH": sp.rsh(), "LANG": "C.UTF-8", "HOME": str(tmp_path)}
    done = sp.run(["svn", "--non-interactive", *words], env=env, cwd=tmp_path)
    assert done.rc == 0, done
    return done.stdout


def test_svn_works_over_ssh_and_its_hook_runs_inside(site, repository, tmp_path):
    svn(tmp_path, "checkout", "-q", repository, "work")
    (tmp_path / "work" / NAME).write_text("eins\n")
    svn(tmp_path, "add", "-q", f"work/{NAME}")
    assert "Committed revision 1" in svn(tmp_path, "commit", "-m", "erste Änderung", "work")
    assert "erste Änderung" in svn(tmp_path, "log", repository)
    assert said(site, "cat committed") == f"r1 by {site.name}\n"
    # And from inside, by the file system.
    assert said(site, f"export LANG=C.UTF-8; svn checkout -q file://$HOME/repo inside && cat 'inside/{NAME}' && cd inside"
                      f" && echo zwei >>'{NAME}' && svn commit -q -m two && svn update -q && svnversion") == "eins\n2\n"
    svn(tmp_path, "update", "-q", "work")
    assert (tmp_path / "work" / NAME).read_text() == "eins\nzwei\n"
    assert said(site, "cat committed").splitlines()[1:] == [f"r2 by {site.name}"]


def test_svn_serves_in_the_jail(site, repository):
    assert said(site, "svnserve -d --foreground --listen-host 127.0.0.1 --listen-port 3691 -r ~ >/dev/null 2>&1 & for i in $(seq 100); do"
                      " svn info --show-item kind svn://127.0.0.1:3691/repo 2>/dev/null && break; sleep 0.1; done; kill %1").strip() == "dir"


def test_a_dump_is_taken_and_loaded(site, repository):
    assert said(site, "svnadmin dump -q repo | gzip >repo.gz && svnadmin create copy && zcat repo.gz | svnadmin load -q copy &&"
                      " test $(svnlook youngest copy) = $(svnlook youngest repo) && echo same") == "same\n"


@sp.covers("jail 40")
def test_git_push_deploys_by_a_hook_and_is_refused_by_another(site, tmp_path):
    deploy = "#!/bin/sh\nmkdir -p ~/httpdocs && git --work-tree=$HOME/httpdocs checkout -qf main && echo deployed as $(id -un)\n"
    refuse = ("#!/usr/bin/perl -w\nuse strict;\nwhile (<STDIN>) { my ($old, $new, $ref) = split;\n"
              "  if (`git ls-tree -r --name-only $new` =~ /secret/) { print 'no secrets here: ', -e '/boot' ? 'OUT' : 'in', qq(\\n); exit 1 } }\n")
    said(site, "git init -q -b main --bare site.git && cat >site.git/hooks/post-receive && chmod +x site.git/hooks/post-receive", input=deploy)
    said(site, "cat >site.git/hooks/pre-receive && chmod +x site.git/hooks/pre-receive", input=refuse)
    env = {**os.environ, "GIT_SSH_COMMAND": sp.rsh(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}

    def git(*words):
        return sp.run(["git", *words], cwd=tmp_path, env=env)

    assert git("init", "-q", "-b", "main").rc == 0
    (tmp_path / NAME).write_text("content")
    assert git("add", "-A").rc == git("commit", "-q", "-m", "Überschrift").rc == 0
    pushed = git("push", f"{site.name}@127.0.0.1:site.git", "main")
    assert pushed.rc == 0 and f"remote: deployed as {site.name}" in pushed.stderr, pushed
    assert pathlib.Path(site.docroot, "httpdocs", NAME).read_text() == "content"
    assert said(site, "git -C site.git log --format=%s") == "Überschrift\n"
    (tmp_path / "secret").write_text("x")
    assert git("add", "-A").rc == git("commit", "-q", "-m", "two").rc == 0
    refused = git("push", f"ssh://{site.name}@127.0.0.1{site.home}/site.git", "main")
    assert refused.rc == 1 and "remote: no secrets here: in" in refused.stderr and "pre-receive hook declined" in refused.stderr, refused
    assert said(site, "git -C site.git rev-list --count main") == "1\n"


def test_git_worktrees_and_stashes_work_inside(site):
    done = said(site, "git config --global user.email a@b && git config --global user.name a && git init -q -b main tree && cd tree && echo 1 >x"
                      " && git add x && git commit -qm one && git worktree add -q ../second && echo 2 >x && git stash -q && git stash pop -q"
                      " && git worktree list && git diff --stat | tail -1")
    assert f"{site.home}/second" in done and "1 file changed" in done
    # The path that was recorded is the real one: it is good outside, too.
    assert sp.as_user(site, ["git", "-C", f"{site.home}/second", "log", "--format=%s"], env={**os.environ, "HOME": site.home}).stdout == "one\n"
