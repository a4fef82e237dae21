# sallyport jail profile, see sallyport-profile(5). Asked for with the version: plesk-php@8.3.
describe PHP %i of Plesk as the jail's php.
install PHP %i with Plesk's installer
requires base

program? unzip
link /usr/bin/php /opt/plesk/php/%i/bin/php

# Not all of it: etc/php-fpm.d names other customers.
tree /opt/plesk/php/%i/bin
tree? /opt/plesk/php/%i/lib
tree? /opt/plesk/php/%i/lib64
tree? /opt/plesk/php/%i/share
tree? /opt/plesk/php/%i/etc/php.ini
tree? /opt/plesk/php/%i/etc/php.d

promise php is PHP %i
prove-sh test "$(php -r 'echo PHP_MAJOR_VERSION . "." . PHP_MINOR_VERSION;')" = %i
