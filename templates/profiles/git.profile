# sallyport jail profile, see sallyport-profile(5).
describe Git with its own tools, hooks in sh and perl, and fetch and push over ssh and https.
install git
requires base

program git
program? git-lfs
program? git-receive-pack
program? git-upload-pack
program? git-upload-archive
program? scalar
program? perl
program? ssh
program? gpg
program? gpgv
program? less

# The real programs; what is not needed on the host is not here either.
tree? /usr/lib/git-core
tree? /usr/libexec/git-core
tree? /usr/share/git-core
tree? /etc/gitconfig
tree? /usr/share/bash-completion/completions/git

# perl: its core modules, and the few of git's own
tree? /usr/lib/x86_64-linux-gnu/perl
tree? /usr/lib/x86_64-linux-gnu/perl-base
tree? /usr/lib/aarch64-linux-gnu/perl
tree? /usr/lib/aarch64-linux-gnu/perl-base
tree? /usr/share/perl
tree? /usr/share/perl5/Git
tree? /usr/share/perl5/Git.pm
tree? /usr/share/perl5/Error
tree? /usr/share/perl5/Error.pm
tree? /usr/lib64/perl5
tree? /etc/perl

promise repositories, and hooks that run when something arrives
prove git --version
prove-sh git init -q --bare /tmp/r && printf '#!/bin/sh\ntouch /tmp/hooked\n' >/tmp/r/hooks/post-receive && chmod +x /tmp/r/hooks/post-receive && git init -q /tmp/w && cd /tmp/w && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git push -q /tmp/r HEAD:main && test -e /tmp/hooked
