# SPDX-License-Identifier: GPL-3.0-or-later
# For a host without systemd: to /etc/cron.d/sallyport. Where systemd runs its timers do this, and these lines nothing.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
*/10 * * * * root [ -d /run/systemd/system ] || sallyport reconcile
41 * * * * root [ -d /run/systemd/system ] || sallyport jail refresh --when-quiet
@reboot root [ -d /run/systemd/system ] || sallyport firewall restore
