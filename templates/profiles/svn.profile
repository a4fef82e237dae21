# sallyport jail profile, see sallyport-profile(5).
describe Subversion: working copies, repositories, and svn+ssh.
install subversion
requires base

program svn
program svnadmin
program svnserve
program svnlook
program? svnversion
program? svnsync
program? svndumpfilter
program? svnmucc
program? svnrdump
program? /usr/bin/svnauthz
program? ssh
tree? /etc/subversion
tree? /usr/share/bash-completion/completions/svn

promise repositories are made, checked out and committed to
prove-sh svnadmin create /tmp/r && svn -q checkout file:///tmp/r /tmp/w && cd /tmp/w && echo x >ä && svn -q add ä && svn -q commit -m x && svnlook youngest /tmp/r | grep -qx 1
promise svn+ssh, for which svnserve runs in the jail
prove svnserve --version
