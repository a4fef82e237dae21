# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do with PHP over ssh, done in a jail: composer, a console like artisan, phars like wp-cli, a chosen version."""

import json
import pathlib
import re
import shlex
import zipfile

import pytest

import sp
import sp_site

ALTERNATIVE = pathlib.Path("/etc/alternatives/php")


def php_version():
    """The host's own PHP, "8.2"."""
    return sp.run(["php", "-r", 'echo PHP_MAJOR_VERSION . "." . PHP_MINOR_VERSION;'], check=True).stdout


@pytest.fixture(scope="module")
def site(host):
    # What must not come along: the pool of a neighbour.
    pool = pathlib.Path("/etc/php", php_version(), "fpm/pool.d/neighbour.example.conf")
    pool.parent.mkdir(parents=True, exist_ok=True)
    pool.write_text("[neighbour.example]\nuser = neighbour\n")
    return sp_site.account(params={"jail": {"profiles": ["php"]}})


def put(user, files, mode=0o644):
    """Files of the account, as an upload leaves them."""
    for name, content in files.items():
        path = pathlib.Path(user.docroot, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
    sp.run(["chown", "-R", f"{user.uid}:{user.gid}", *{f"{user.docroot}/{name.split('/')[0]}" for name in files}], check=True)


def said(user, command, **more):
    done = sp.ssh(user, command, timeout=60, **more)
    assert done.rc == 0, done.stdout + done.stderr
    return done.stdout


def php(user, code, program="php"):
    return said(user, f"{program} -r {shlex.quote(code)}")


def test_php_has_the_extensions_and_settings_of_the_host(site):
    assert said(site, "php -m") == sp.run(["php", "-m"], check=True).stdout
    ini = ('foreach (["memory_limit", "date.timezone", "error_reporting", "openssl.cafile"] as $x) echo "$x=", ini_get($x), "\n";'
           'echo php_ini_loaded_file(), php_ini_scanned_files();')
    assert php(site, ini) == sp.run(["php", "-r", ini], check=True).stdout
    assert php(site, "readfile('/etc/passwd');").count("\n") <= 4


def test_the_pools_of_other_customers_are_not_in_it(site):
    assert said(site, f"ls /etc/php/{php_version()}") == "cli\nmods-available\n"
    assert said(site, "grep -rl neighbour /etc/php /usr/lib/php /usr/share/php; true") == ""


@pytest.fixture(scope="module")
def project(site):
    """A project with a console, whose packages come from an archive and from a directory."""
    library = site.docroot + "/packages/library"
    put(site, {
        "packages/library/composer.json": json.dumps({
            "name": "acme/library", "version": "2.1.0", "autoload": {"psr-4": {"Acme\\": "src/"}}}),
        "packages/library/src/Clock.php": '<?php namespace Acme; class Clock { static function in($zone) {'
            ' return (new \\DateTimeImmutable("2024-07-01 12:00 UTC"))->setTimezone(new \\DateTimeZone($zone))->format("H:i T"); } }',
        "project/composer.json": json.dumps({
            "name": "acme/site", "require": {"acme/library": "2.1.0", "acme/tool": "^1.0"},
            "repositories": [{"type": "artifact", "url": "../artifacts"}, {"type": "path", "url": library},
                             {"packagist.org": False}],
            "scripts": {"post-autoload-dump": "@php console config:cache"}, "config": {"cache-dir": "/tmp/composer"}}),
        "project/console": """#!/usr/bin/env php
<?php
require __DIR__ . '/vendor/autoload.php';
[$me, $verb] = $argv + [1 => 'list'];
if ($verb == 'config:cache') {
    @mkdir(__DIR__ . '/cache');
    file_put_contents(__DIR__ . '/cache/config.php', '<?php return ' . var_export(['base' => __DIR__], true) . ';');
} elseif ($verb == 'migrate') {
    $db = new PDO('sqlite:' . __DIR__ . '/database.sqlite');
    $db->exec('create table if not exists posts (title text, at text)');
    $db->prepare('insert into posts values (?, ?)')->execute(['Grüße', Acme\\Clock::in('Europe/Berlin')]);
    echo json_encode($db->query('select * from posts')->fetchAll(PDO::FETCH_ASSOC), JSON_UNESCAPED_UNICODE), "\\n";
} else
    echo mb_strtoupper('befehle für '), get_current_user(), ': ', Acme\\Tool::VERSION, "\\n";
""",
    })
    pathlib.Path(site.docroot, "project/console").chmod(0o755)
    archives = pathlib.Path(site.docroot, "artifacts")
    archives.mkdir()
    with zipfile.ZipFile(archives / "acme-tool-1.2.3.zip", "w") as archive:
        archive.writestr("composer.json", json.dumps({
            "name": "acme/tool", "version": "1.2.3", "bin": ["bin/tool"], "autoload": {"classmap": ["Tool.php"]}}))
        archive.writestr("Tool.php", "<?php namespace Acme; class Tool { const VERSION = 'tool 1.2.3'; }")
        archive.writestr("bin/tool", "#!/usr/bin/env php\n<?php require $_composer_autoload_path; echo Acme\\Tool::VERSION, PHP_EOL;")
    sp.run(["chown", "-R", f"{site.uid}:{site.gid}", archives], check=True)
    done = sp.ssh(site, "cd project && composer install --no-interaction --no-ansi", timeout=120)
    assert done.rc == 0, done.stdout + done.stderr
    return done


def test_composer_installs_from_an_archive_and_from_a_directory(site, project):
    log = project.stdout + project.stderr
    assert re.search(r"Installing acme/tool \(1\.2\.3\)", log) and "acme/library (2.1.0)" in log, log
    assert "Package operations: 2 installs" in log and "Generating autoload files" in log
    assert said(site, "cd project && composer show --no-ansi 2>/dev/null").split()[:2] == ["acme/library", "2.1.0"]
    assert said(site, "project/vendor/bin/tool") == "tool 1.2.3\n"


# Debian's composer with all that it needs, packed as getcomposer.org packs its own, which cannot be fetched here.
PACK = """$p = new Phar('%s'); $p->startBuffering(); $php = '/usr/share/php';
foreach (['Composer', 'Symfony', 'Psr', 'JsonSchema', 'Seld', 'React', 'data'] as $top)
    foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator("$php/$top", FilesystemIterator::SKIP_DOTS)) as $file)
        if ($file->isFile()) $p['share/php/' . substr($file, strlen($php) + 1)] = file_get_contents($file);
$p['bin/composer'] = preg_replace('/^#!.*\\n/', '', file_get_contents('/usr/bin/composer'));
$p->setStub("#!/usr/bin/env php\\n<?php Phar::mapPhar('composer.phar'); require 'phar://composer.phar/bin/composer'; __HALT_COMPILER();");
$p->stopBuffering();"""


def test_a_composer_phar_of_the_users_own_installs(site, project, tmp_path):
    phar = tmp_path / "composer.phar"
    sp.run(["php", "-d", "phar.readonly=0", "-r", PACK % phar], check=True, timeout=60)
    phar.chmod(0o755)
    assert sp.scp(site, phar, "composer.phar").rc == 0
    # Held to what is the user's own, so that nothing of the host's composer can stand in for it.
    mine = f"php -d open_basedir={site.docroot}:/tmp {site.docroot}/composer.phar --no-ansi"
    assert said(site, f"{mine} --version 2>/dev/null").startswith("Composer")
    done = sp.ssh(site, f"cp -r project second && cd second && rm -rf vendor composer.lock && ../composer.phar install --no-interaction --no-ansi && "
                        f"vendor/bin/tool && {mine} --no-plugins validate --no-check-publish 2>&1", timeout=120)
    assert done.rc == 0 and "Package operations: 2 installs" in done.stdout + done.stderr and "tool 1.2.3\n" in done.stdout, done


def test_what_it_records_is_right_for_the_web_server_too(site, project):
    # The account's own process outside, as FPM runs it, reads the cache that was written inside.
    assert f"'base' => '{site.docroot}/project'" in pathlib.Path(site.docroot, "project/cache/config.php").read_text()
    outside = sp.as_user(site, ["php", f"{site.docroot}/project/console"])
    assert outside.rc == 0 and "tool 1.2.3" in outside.stdout, outside


def test_a_console_like_artisan_runs(site, project):
    assert said(site, "project/console") == f"BEFEHLE FÜR {site.name}: tool 1.2.3\n"
    assert said(site, "cd project && php console migrate") == '[{"title":"Grüße","at":"14:00 CEST"}]\n'


@pytest.mark.parametrize("compress", ["", "$p->compressFiles(Phar::GZ);"])
def test_a_phar_like_wp_cli_is_put_and_run(site, tmp_path, compress):
    phar = tmp_path / "wp-cli.phar"
    code = f"""$p = new Phar('{phar}'); $p['php/boot.php'] = '<?php
        foreach (["curl_init", "openssl_open", "mb_substr", "json_encode", "gzdeflate", "simplexml_load_string"] as $f)
            function_exists($f) or exit("no $f");
        echo "WP-CLI in ", getcwd(), " as ", posix_getpwuid(posix_getuid())["name"], " ", implode(" ", array_slice($argv, 1)), "\\n";';
        $p->setStub("#!/usr/bin/env php\\n<?php Phar::mapPhar(); include 'phar://' . __FILE__ . '/php/boot.php'; __HALT_COMPILER();");
        {compress}"""
    sp.run(["php", "-d", "phar.readonly=0", "-r", code], check=True)
    phar.chmod(0o755)
    assert said(site, "mkdir -p .local/bin") == ""
    assert sp.scp(site, phar, ".local/bin/wp").rc == 0
    assert said(site, "~/.local/bin/wp core version") == f"WP-CLI in {site.home} as {site.name} core version\n"
    assert said(site, "php .local/bin/wp --info").endswith("--info\n")


def test_php_knows_the_zones_and_calendars_of_the_world(site):
    assert int(php(site, "echo count(DateTimeZone::listIdentifiers());")) > 400
    assert php(site, "date_default_timezone_set('America/New_York'); echo date('T', 1704067200);") == "EST"


def test_php_serves_with_its_own_web_server_in_the_jail(site):
    put(site, {"web/index.php": "<?php echo 'served as ', get_current_user();"})
    command = ("php -q -S 127.0.0.1:8123 -t web >/tmp/log 2>&1 & for i in $(seq 100); do curl -s http://127.0.0.1:8123/ && break;"
               " sleep 0.1; done; kill %1")
    assert said(site, command) == f"served as {site.name}"


@pytest.fixture
def another_default(host):
    """The host's `php` is one that does nothing of what is promised."""
    old = pathlib.Path("/usr/bin/php4.2")
    old.write_text("#!/bin/sh\necho PHP 4.2\n")
    old.chmod(0o755)
    before = ALTERNATIVE.readlink()
    ALTERNATIVE.unlink()
    ALTERNATIVE.symlink_to(old)
    yield old
    ALTERNATIVE.unlink()
    ALTERNATIVE.symlink_to(before)
    old.unlink()


def test_a_domain_chooses_its_version(host, another_default, tmp_path):
    version = next(path.name[3:] for path in sorted(pathlib.Path("/usr/bin").glob("php?.?")) if path != another_default)
    user = sp_site.account(params={"jail": {"profiles": [f"php@{version}"]}})
    assert sp.run(["php"]).stdout == "PHP 4.2\n"
    assert php(user, 'echo PHP_MAJOR_VERSION . "." . PHP_MINOR_VERSION;') == version
    put(user, {"env": "#!/usr/bin/env php\n<?php echo PHP_VERSION;", "path": "#!/usr/bin/php\n<?php echo PHP_VERSION;"}, 0o755)
    for program in ("./env", "./path"):
        assert said(user, program).startswith(version + ".")
    assert said(user, "composer --no-ansi --version").startswith("Composer")
    assert sp.rpc("domain.get", {"domain": user.domain}).ok()["jail"]["profiles"] == ["base", "php", f"php@{version}"]
    # The default is proved like everything else, where a set is made anew.
    other = sp.make_user()
    answer = sp_site.apply(other, shell="chroot", jail={"profiles": ["php", "svn"]})
    assert answer.reason == "not_in_force" and 'the profile php, which promises "' in answer.error["message"], answer.body


def test_a_version_that_is_not_there_or_not_what_it_says_is_refused(site):
    def ask(*profiles, **params):
        return sp_site.apply(site, shell="chroot", jail={"profiles": list(profiles)}, **params)

    answer = ask("php@9.9")
    assert answer.reason == "not_found" and "php9.9" in answer.error["message"], answer.body
    assert answer.error["data"]["hint"].startswith("install php9.9-cli")
    answer = ask("php@8.1", f"php@{php_version()}")
    assert answer.reason == "invalid" and "what /usr/bin/php is" in answer.error["message"], answer.body
    liar = pathlib.Path("/usr/bin/php9.8")
    liar.write_text(f'#!/bin/sh\nexec /usr/bin/php{php_version()} "$@"\n')
    liar.chmod(0o755)
    answer = ask("php@9.8")
    assert answer.reason == "not_in_force" and 'promises "php is PHP 9.8"' in answer.error["message"], answer.body
    assert php(site, "echo 6 * 7;") == "42"


def test_a_domain_chooses_a_version_below_opt(host):
    version = php_version()
    plesk = pathlib.Path("/opt/plesk/php", version)
    (plesk / "bin").mkdir(parents=True)
    sp.run(["cp", f"/usr/bin/php{version}", plesk / "bin/php"], check=True)
    for part, file in (("etc/php.d", "10-own.ini"), ("etc/php-fpm.d", "neighbour.example.conf")):
        (plesk / part).mkdir(parents=True)
        (plesk / part / file).write_text("")
    listed = [one["name"] for one in sp.rpc("jail.profiles").ok()["profiles"] if one["available"]]
    assert f"plesk-php@{version}" in listed
    user = sp_site.account(params={"jail": {"profiles": [f"plesk-php@{version}"]}})
    assert php(user, "echo PHP_BINARY, PHP_MINOR_VERSION;") == f"{plesk}/bin/php{version.split('.')[1]}"
    put(user, {"env": "#!/usr/bin/env php\n<?php echo 6 * 7;"}, 0o755)
    assert said(user, "./env") == "42"
    assert said(user, f"ls {plesk}/etc/php.d; find /opt | grep -c 'neighbour\\|fpm'; true") == "10-own.ini\n0\n"
    answer = sp_site.apply(user, shell="chroot", jail={"profiles": ["plesk-php@4.2"]})
    assert answer.reason == "not_in_force" and 'promises "php is PHP 4.2"' in answer.error["message"], answer.body
    assert "wants PHP 4.2 with Plesk's installer" in answer.error["data"]["hint"], answer.body
