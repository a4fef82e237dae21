# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do with Node.js and Python over ssh, done in a jail, from packages at hand and without a network."""

import base64
import hashlib
import io
import json
import pathlib
import tarfile
import zipfile

import pytest

import sp
import sp_site


@pytest.fixture(scope="module")
def site(host):
    return sp_site.account(params={"jail": {"profiles": ["node", "python"]}})


def put(user, name, content, mode=0o644):
    """A file of the account, as an upload leaves it."""
    path = pathlib.Path(user.docroot, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    sp.run(["chown", "-R", f"{user.uid}:{user.gid}", f"{user.docroot}/{name.split('/')[0]}"], check=True)


def said(user, command, **more):
    done = sp.ssh(user, command, timeout=90, **more)
    assert done.rc == 0, done.stdout + done.stderr
    return done.stdout


def tarball(files):
    """What `npm pack` makes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size, info.mode = len(text.encode()), 0o755
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@pytest.fixture(scope="module")
def installed(site):
    put(site, "app/greeter-1.0.0.tgz", tarball({
        "package.json": json.dumps({"name": "greeter", "version": "1.0.0", "main": "lib/index.js", "bin": {"greet": "cli.js"},
                                    "scripts": {"postinstall": "node -e \"fs.writeFileSync('where', os.userInfo().username)\""}}),
        "lib/index.js": "exports.greet = name => `Grüße, ${name}`;",
        "cli.js": "#!/usr/bin/env node\nconsole.log(require('./lib').greet(process.argv[2]));"}))
    put(site, "app/index.js", "const {greet} = require('greeter'); console.log(greet(require('os').userInfo().username));")
    put(site, "app/package.json", json.dumps({
        "name": "app", "version": "1.0.0", "private": True,
        "scripts": {"build": "greet builder > out.txt", "start": "node index.js"}}))
    return said(site, "cd app && npm install --offline --no-audit --no-fund ./greeter-1.0.0.tgz")


def test_npm_installs_a_package_from_a_tarball(site, installed):
    assert "added 1 package" in installed
    assert json.loads(said(site, "cat app/package-lock.json"))["packages"]["node_modules/greeter"]["version"] == "1.0.0"
    # Its script ran inside, as the account.
    assert said(site, "cat app/node_modules/greeter/where") == site.name


def test_node_runs_a_script_with_the_modules_beside_it(site, installed):
    assert said(site, "node app/index.js") == f"Grüße, {site.name}\n"
    assert said(site, "cd app && npx --offline greet npx") == "Grüße, npx\n"


def test_npm_runs_the_scripts_of_a_project(site, installed):
    assert f"Grüße, {site.name}" in said(site, "cd app && npm start")
    assert said(site, "cd app && npm run build >/dev/null && cat out.txt") == "Grüße, builder\n"
    assert said(site, "cd app && rm -r node_modules && npm ci --offline --no-audit --no-fund >/dev/null && node index.js") == \
        f"Grüße, {site.name}\n"


def test_node_knows_the_host_names_zones_and_cpus(site):
    code = "console.log(new Intl.DateTimeFormat('de', {timeZone: 'Europe/Berlin', timeStyle: 'short'}).format(new Date(0)), os.cpus().length > 0)"
    assert said(site, f'node -e "{code}"') == "01:00 true\n"


def wheel(name, code):
    """A wheel: a zip archive with a list of what is in it (PEP 427)."""
    meta = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": code, f"{meta}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{meta}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{meta}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n"}
    record = ""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            record += f"{path},sha256={digest},{len(text.encode())}\n"
        archive.writestr(f"{meta}/RECORD", record + f"{meta}/RECORD,,\n")
    return out.getvalue()


@pytest.fixture(scope="module")
def environment(site):
    put(site, "wheels/greeting-1.0-py3-none-any.whl", wheel(
        "greeting", "import os, pwd, sys\ndef main():\n    print('Grüße', pwd.getpwuid(os.getuid()).pw_name, sys.prefix)\n"))
    return said(site, "python3 -m venv env && env/bin/pip install --no-index --find-links wheels greeting")


def test_a_virtual_environment_gets_a_package_from_a_wheel(site, environment):
    assert "Successfully installed greeting-1.0" in environment
    assert said(site, "env/bin/greeting") == f"Grüße {site.name} {site.home}/env\n"
    assert said(site, ". env/bin/activate && python -c 'import greeting; greeting.main()'").endswith("/env\n")
    assert "greeting" in said(site, "env/bin/pip list --disable-pip-version-check")


def test_a_virtual_environment_works_outside_as_well(site, environment):
    done = sp.as_user(site, [f"{site.home}/env/bin/greeting"])
    assert done.stdout == f"Grüße {site.name} {site.home}/env\n", done


def test_python_has_its_standard_library_and_not_the_hosts_own(site):
    code = "import ssl, sqlite3, zoneinfo, lzma, ctypes, asyncio, curses, readline, email, unittest; print(zoneinfo.ZoneInfo('Asia/Tokyo'))"
    assert said(site, f'python3 -c "{code}"') == "Asia/Tokyo\n"
    assert sp.ssh(site, "python3 -c 'import jsonschema'").rc == 1


def test_a_python_process_outlives_its_login_and_answers(site):
    assert said(site, "nohup python3 -m http.server --bind 127.0.0.1 8124 >/dev/null 2>&1 </dev/null & echo up") == "up\n"
    said(site, "for i in $(seq 100); do curl -sf http://127.0.0.1:8124/wheels/ | grep greeting && break; sleep 0.1; done; pkill -f http.server")


def test_a_domain_chooses_a_node_below_opt(host):
    version = sp.run(["node", "-p", "process.versions.node.split('.')[0]"], check=True).stdout.strip()
    programs = pathlib.Path("/opt/plesk/node", version, "bin")
    programs.mkdir(parents=True)
    sp.run(["cp", "/usr/bin/node", programs / "node"], check=True)
    for name in ("npm", "npx"):
        (programs / name).write_text(f"#!/usr/bin/env node\nconsole.log('{name} by', process.execPath);\n")
        (programs / name).chmod(0o755)
    user = sp_site.account(params={"jail": {"profiles": [f"plesk-node@{version}"]}})
    assert said(user, "node -p process.execPath; npm; npx") == f"{programs}/node\nnpm by {programs}/node\nnpx by {programs}/node\n"
