# sallyport jail profile, see sallyport-profile(5).
describe What the remote server of Visual Studio Code, and of editors like it, asks of a host. It brings its own node.
install curl or wget, tar, procps, util-linux and libstdc++6
requires base

# It wants TCP forwarding, too: "forwarding" local, which is the default (sallyport-request(5)).
program tar
program gzip
program ps
program flock
program ldd
program getconf
program uname
program? /usr/bin/curl
program? /usr/bin/wget
program? /usr/sbin/ldconfig
program? git
library libstdc++.so.6
library libgcc_s.so.1
library? libatomic.so.1

promise its check of the C libraries is answered
prove-sh ldd --version | head -n 1 | grep -Eq '[0-9]+\.[0-9]+$'
prove-sh ldd /bin/sh | grep -q libc.so
promise it can be fetched
prove-sh command -v curl || command -v wget
promise processes are seen, and locks are taken
prove-sh ps -eo pid,ppid,args | grep -q ps && flock /tmp/lock true && test -r /proc/self/stat -a -r /proc/meminfo -a -r /proc/cpuinfo
promise archives come through a pipe
prove-sh mkdir /tmp/a /tmp/b && echo x >/tmp/a/f && tar -C /tmp/a -czf - . | tar -C /tmp/b -xzf - && test -s /tmp/b/f
