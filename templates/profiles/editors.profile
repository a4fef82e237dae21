# sallyport jail profile, see sallyport-profile(5).
describe Editors for a terminal: nano and vim with their syntax files, and less.
install nano and vim
requires base

program? nano
program? /usr/bin/rnano
program? vim
program? /usr/bin/vi
program? /usr/bin/view
program? /usr/bin/vimdiff
program? /usr/bin/rview
program? /usr/bin/rvim
program? /usr/bin/ex
program? /usr/bin/editor
program? less

# vim's runtime, for every release; nano's syntax
tree? /usr/share/vim
tree? /etc/vim
tree? /etc/vimrc
tree? /etc/virc
tree? /usr/share/nano
tree? /etc/nanorc

promise nano starts
prove? nano --version
promise vim edits and saves a file
prove? vim -es -u NONE -i NONE -n +put=42 +w!/tmp/saved +q!
promise vim finds its runtime
prove-sh? vim -es -u NONE -i NONE +'redir! >/tmp/where' +'echo globpath($VIMRUNTIME, "syntax/php.vim")' +'redir END' +q! && { ! test -e /usr/share/vim || grep -q php.vim /tmp/where || test "$(vim --version | grep -c tiny)" -gt 0; }
