# sallyport jail profile, see sallyport-profile(5). The administrator's own profiles live in
# /etc/sallyport/profiles.d; a file of the same name there takes this one's place.
describe A shell with the usual tools: files, text, archives, transfer, processes.

# Shells, and what their scripts take for granted
program bash
program sh
program? dash
program env
program? ldd
program? getent
program? getconf
program? locale
program? localedef
program? iconv
program which
program? tput
program? tset
program? reset
program? clear
program? infocmp
program? toe
program? tic

# coreutils
program? /usr/bin/[
program? arch
program? b2sum
program? base32
program? base64
program basename
program? basenc
program cat
program? chgrp
program chmod
program? chown
program? cksum
program? comm
program cp
program? csplit
program cut
program date
program? dd
program df
program? dir
program? dircolors
program dirname
program du
program echo
program? expand
program expr
program? factor
program false
program? fmt
program? fold
program? groups
program head
program? hostid
program id
program? install
program? join
program? link
program ln
program? logname
program ls
program? md5sum
program mkdir
program? mkfifo
program? mknod
program mktemp
program mv
program? nice
program? nl
program nohup
program? nproc
program? numfmt
program? od
program? paste
program? pathchk
program? pr
program? printenv
program printf
program? ptx
program pwd
program? readlink
program? realpath
program rm
program rmdir
program? runcon
program? seq
program? sha1sum
program? sha224sum
program? sha256sum
program? sha384sum
program? sha512sum
program? shred
program? shuf
program sleep
program sort
program? split
program? stat
program? stdbuf
tree? /usr/libexec/coreutils
program stty
program? sum
program? sync
program? tac
program tail
program tee
program test
program? timeout
program touch
program tr
program true
program? truncate
program? tsort
program tty
program uname
program? unexpand
program uniq
program? unlink
program? users
program? vdir
program wc
program? who
program whoami
program? yes

# Text
program grep
program? egrep
program? fgrep
program sed
program awk
program? mawk
program? gawk
program? diff
program? diff3
program? cmp
program? sdiff
program? patch
program? less
program? lesspipe
program? lessecho
program? lesskey
program? more
program? file
program? column
program? rev
program? hexdump
program? xxd
program? strings
program? bc

# Files and archives
program find
program xargs
program tar
program gzip
program? gunzip
program? zcat
program? zgrep
program? zless
program? zdiff
program? bzip2
program? bunzip2
program? bzcat
program? xz
program? unxz
program? xzcat
program? lzma
program? zstd
program? unzstd
program? zstdcat
program? zip
program? unzip
program? zipinfo
program? cpio
program? getopt
program? flock

# Processes and the system
program? ps
program? pgrep
program? pkill
program? pidof
program? pwdx
program? kill
program? top
program? free
program? uptime
program? watch
program? w
program? hostname
program? setsid
program? renice
program? taskset
program? ionice
program? lscpu
program? lsblk
program? tmux
program? screen
program? script
program? scriptreplay

# Transfer
program? curl
program? wget
program? ssh
program? ssh-keygen
program? ssh-add
program? ssh-agent
program? ssh-copy-id
program? ssh-keyscan
program? scp
program? sftp
program? rsync
program? openssl
program? dig
program? host
program? nslookup
# sshd starts it through the login shell, at the path its Subsystem line names.
program? /usr/lib/openssh/sftp-server
program? /usr/libexec/openssh/sftp-server
program? /usr/lib/ssh/sftp-server
program? /usr/lib/openssh/ssh-pkcs11-helper

# Opened by name at run time: names, DNS, thread exit, and what editors' servers link with
library? libnss_files.so.2
library? libnss_dns.so.2
library? libnss_compat.so.2
library? libresolv.so.2
library? libgcc_s.so.1
library? libstdc++.so.6
library? libatomic.so.1
library? libm.so.6
library? libdl.so.2
library? libpthread.so.0
library? librt.so.1
library? libutil.so.1

# Locales and character sets
tree? /usr/lib/locale
tree? /usr/lib/x86_64-linux-gnu/gconv
tree? /usr/lib/aarch64-linux-gnu/gconv
tree? /usr/lib64/gconv
tree? /usr/share/i18n/charmaps/UTF-8.gz
tree? /etc/locale.alias
tree? /etc/default/locale
tree? /etc/locale.conf

# Terminals
tree? /usr/lib/terminfo
tree? /usr/share/terminfo
tree? /etc/terminfo
tree? /usr/share/tabset

# Time
tree? /usr/share/zoneinfo
tree? /etc/localtime
tree? /etc/timezone

# What file(1) knows
tree? /usr/lib/file
tree? /usr/share/file
tree? /usr/share/misc/magic
tree? /usr/share/misc/magic.mgc
tree? /etc/magic
tree? /etc/mime.types

# Names and the network
tree? /etc/resolv.conf
tree? /etc/hosts
tree? /etc/host.conf
tree? /etc/networks
tree? /etc/services
tree? /etc/protocols
tree? /etc/rpc
tree? /etc/gai.conf

# TLS
tree? /etc/ssl
tree? /etc/pki/tls
tree? /etc/pki/ca-trust
tree? /etc/crypto-policies
tree? /usr/share/crypto-policies
tree? /etc/ca-certificates
tree? /etc/ca-certificates.conf
tree? /usr/share/ca-certificates
tree? /usr/lib/ssl
tree? /usr/lib/x86_64-linux-gnu/engines-3
tree? /usr/lib/x86_64-linux-gnu/ossl-modules
tree? /usr/lib/aarch64-linux-gnu/ossl-modules
tree? /usr/lib64/ossl-modules

# The shell's own
tree? /etc/profile
tree? /etc/profile.d
tree? /etc/bash.bashrc
tree? /etc/bashrc
tree? /etc/bash_completion
tree? /etc/bash_completion.d
tree? /usr/share/bash-completion
tree? /etc/inputrc
tree? /etc/environment
tree? /etc/os-release
tree? /etc/debian_version
tree? /etc/redhat-release
tree? /etc/shells
tree? /etc/wgetrc
tree? /etc/ssh/ssh_config
tree? /etc/ssh/ssh_config.d
tree? /etc/ld.so.conf
tree? /etc/ld.so.conf.d
tree? /etc/tmux.conf
tree? /etc/screenrc

promise shells
prove bash -c true
prove sh -c true
promise files and text: ls, find, grep, awk, tar
prove ls -l /
prove find /usr/bin/env -maxdepth 0
prove grep -q files /etc/nsswitch.conf
prove awk BEGIN{exit(0)}
prove tar --version
promise users and groups have names
prove id -un
