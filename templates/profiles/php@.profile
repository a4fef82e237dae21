# sallyport jail profile, see sallyport-profile(5). Asked for with the version: php@8.2.
describe PHP %i as the jail's php, whatever the host's default is.
install php%i-cli
requires php

program php%i
program? /usr/bin/phar%i
tree? /etc/php/%i/cli
tree? /etc/php/%i/mods-available

# What begins with #!/usr/bin/php or #!/usr/bin/env php, as composer does, is run by it too.
link /usr/bin/php php%i

promise php is PHP %i
prove-sh test "$(php -r 'echo PHP_MAJOR_VERSION . "." . PHP_MINOR_VERSION;')" = %i
