# sallyport jail profile, see sallyport-profile(5).
describe PHP on the command line, in every version the host has; composer, wp-cli and drush where it has them.
install php-cli
requires base

# `php` is the host's default; php@8.2 makes another one that.
program php
program? /usr/bin/php5.6
program? /usr/bin/php7.0
program? /usr/bin/php7.1
program? /usr/bin/php7.2
program? /usr/bin/php7.3
program? /usr/bin/php7.4
program? /usr/bin/php8.0
program? /usr/bin/php8.1
program? /usr/bin/php8.2
program? /usr/bin/php8.3
program? /usr/bin/php8.4
program? /usr/bin/php8.5
program? /usr/bin/phar

# Tools that the host has for everybody; as phars of one's own they need no more than php.
program? composer
program? /usr/local/bin/wp
program? /usr/bin/wp
program? /usr/local/bin/drush
program? /usr/bin/drush
program? unzip

# Extensions and their configuration. Not all of /etc/php: the pools of FPM name other customers.
tree? /usr/lib/php
tree? /usr/lib64/php
tree? /usr/share/php
tree? /usr/share/pear
tree? /etc/php.ini
tree? /etc/php.d
tree? /etc/php/5.6/cli
tree? /etc/php/5.6/mods-available
tree? /etc/php/7.0/cli
tree? /etc/php/7.0/mods-available
tree? /etc/php/7.1/cli
tree? /etc/php/7.1/mods-available
tree? /etc/php/7.2/cli
tree? /etc/php/7.2/mods-available
tree? /etc/php/7.3/cli
tree? /etc/php/7.3/mods-available
tree? /etc/php/7.4/cli
tree? /etc/php/7.4/mods-available
tree? /etc/php/8.0/cli
tree? /etc/php/8.0/mods-available
tree? /etc/php/8.1/cli
tree? /etc/php/8.1/mods-available
tree? /etc/php/8.2/cli
tree? /etc/php/8.2/mods-available
tree? /etc/php/8.3/cli
tree? /etc/php/8.3/mods-available
tree? /etc/php/8.4/cli
tree? /etc/php/8.4/mods-available
tree? /etc/php/8.5/cli
tree? /etc/php/8.5/mods-available

promise php runs scripts
prove php -v
promise PHP knows the world's time zones
prove-sh php -r 'exit((new DateTime("2024-07-01", new DateTimeZone("Europe/Berlin")))->format("T") == "CEST" ? 0 : 1);'
promise phars run, as which composer, wp-cli and drush come
prove-sh php -d phar.readonly=0 -r '$p = new Phar("/tmp/p.phar"); $p["index.php"] = "<?php echo 6 * 7;";' && test "$(php /tmp/p.phar)" = 42
promise composer starts, where the host has it
prove? composer --no-interaction --no-plugins --version
