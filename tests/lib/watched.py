#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/sanitizers and tests/valgrind have in common: watched.py sanitizers|valgrind [--rest] FILE... (patterns of names).

A build of its own, the unit tests, then the end-to-end files, two at a time, each in a host of its own in which a planted
overflow has to be reported first. Any report fails; so does a test that tests/lib/watched.txt does not leave out with its reason -
but under valgrind, which is too slow for many a deadline and lacks system calls, such a test is named and no more, as long as
more tests pass than do not: silence of programs that came to nothing says nothing.
--rest passes over the files that were well before, where neither they nor the programs have changed since.
SALLYPORT_TEST_TIMEOUT: seconds a file may take. SALLYPORT_TEST_HOSTS: how many at a time, if not two.
"""
import concurrent.futures
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
INSIDE = SOURCE / "tests" / "lib" / "watched-inside.py"
LIMIT = os.environ.get("SALLYPORT_TEST_TIMEOUT", "2400")
HOSTS = int(os.environ.get("SALLYPORT_TEST_HOSTS", "2"))
PROGRAMS = ("cmd/sallyport", "cmd/sallyport-helper", "shells/chroot-bash")
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# valgrind writes programs and runs them, which our filters end; the sanitizers are no more than a library. Neither is sealed.
WRAPS = {"sanitizers": "-Wl,--wrap=sp_sealed_enter,--wrap=syscall",
         "valgrind": "-Wl,--wrap=sp_sealed_enter,--wrap=syscall,--wrap=sp_bpf_install"}
MEMCHECK = ("valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite "
            f"--suppressions={SOURCE}/tests/lib/valgrind.supp")
WORDS = {0: "ok", 1: "REPORTS", 2: "FAILS", 3: "BLIND"}


def left_out(tool):
    """{file or file::test: why}"""
    lines = (SOURCE / "tests/lib/watched.txt").read_text().splitlines()
    rows = [line.split(None, 2) for line in lines if line and line[0] != "#"]
    return {name: why for one, name, why in rows if one == tool}


def run(argv, **more):
    return subprocess.run([str(word) for word in argv], check=True, cwd=SOURCE, stdin=subprocess.DEVNULL, **more)


def build(tool, folder):
    """-lcrypt: the sanitizer's crypt(3) calls a null pointer where only a PAM module brings the library."""
    extra = SANITIZE if tool == "sanitizers" else []
    made = folder / "unfenced.o"
    source = SOURCE / "tests/lib/unfenced.c"
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        shutil.rmtree(folder, ignore_errors=True) # ninja does not know that the programs hang on it
        folder.mkdir()
        run(["gcc", "-O1", "-c", "-o", made, source])
    if not (folder / "build.ninja").exists():
        options = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dc_args=-fno-sanitize-recover=all"] if extra else []
        run(["meson", "setup", folder, SOURCE, "-Dwerror=false", "--buildtype", "debugoptimized", *options,
             f"-Dc_link_args={WRAPS[tool]} {made} -Wl,--no-as-needed -lcrypt"], stdout=subprocess.DEVNULL)
    run(["ninja", "-C", folder, "--quiet"], stdout=subprocess.DEVNULL)
    run(["gcc", "-g", "-O1", *extra, "-o", folder / "planted", SOURCE / "tests/lib/planted.c", made, "-Wl,--wrap=syscall"])


def unit(tool, folder, skip):
    """True where all is well."""
    names = sorted(file.stem.removeprefix("test-") for file in (SOURCE / "tests/unit").glob("test-*.c"))
    names = [name for name in names if f"unit-{name}" not in skip]
    wrapper = ["--wrapper", MEMCHECK] if tool == "valgrind" else []
    options = {"ASAN_OPTIONS": "detect_leaks=1"} if tool == "sanitizers" else {}
    options["SALLYPORT_UNIT_TEST"] = "1" # some are about a kernel that lacks a call: tests/lib/unfenced.c has no replacement then
    return subprocess.run(["meson", "test", "-C", folder, "--no-rebuild", "--num-processes", "2", "--timeout-multiplier", "20", *wrapper,
                           "--print-errorlogs", *names], check=False, cwd=SOURCE, env={**os.environ, **options}).returncode == 0


def in_a_host(tool, folder, name, arguments):
    """The exit status of watched-inside.py; the whole of what was said is kept in the build directory."""
    with open(folder / f"{name}.log", "wb") as log, open(folder / f"{name}.reports", "wb") as reports:
        return subprocess.run(
            ["timeout", "-k", "10", LIMIT, "tests/host", "/usr/bin/python3", INSIDE, tool, folder / "planted", *arguments],
            check=False, cwd=SOURCE, stdin=subprocess.DEVNULL, stdout=reports, stderr=log,
            env={**os.environ, "SALLYPORT_BUILD": str(folder), "SALLYPORT_NO_BUILD": "1", "SALLYPORT_TEST_PATIENCE": "6"}).returncode


def was_well(tool, folder, name):
    """What the last run left: no report, and the runner's last line, younger than all that it is about."""
    log, reports = folder / f"{name}.log", folder / f"{name}.reports"
    if not log.exists() or not reports.exists() or reports.stat().st_size:
        return False
    youngest = max(path.stat().st_mtime for path in (SOURCE / f"tests/root/{name}.py", *(folder / one for one in PROGRAMS)))
    last, first = last_line(log), last_line(folder / f"{name}.first")
    ended = re.search(r"\b(passed|failed|skipped|errors?|deselected) in [0-9.]+s", last) is not None
    return ended and log.stat().st_mtime > youngest and enough(tool, first if first and tool == "valgrind" else last)


def last_line(file):
    return file.read_text(errors="replace").strip().rpartition("\n")[2] if file.exists() else ""


def enough(tool, last):
    """The runner's last line says that all tests passed; under valgrind most of them."""
    count = {what.rstrip("s"): int(number) for number, what in re.findall(r"(\d+) (passed|failed|errors?)", last)}
    bad = count.get("failed", 0) + count.get("error", 0)
    return bad == 0 or (tool == "valgrind" and count.get("passed", 0) > bad)


def end_to_end(tool, folder, name, skip):
    """True where all is well. Some tests look at a moment, and the programs are slow: what failed is tried once more by itself."""
    start = time.monotonic()
    first = [f"tests/root/{name}.py"]
    for one in skip:
        if one.startswith(name + "::"):
            first += ["--deselect", one.replace("::", ".py::", 1)] # pytest.ini makes tests/root the root of names
    (folder / f"{name}.first").unlink(missing_ok=True)
    status = in_a_host(tool, folder, name, first)
    said = (folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
    failed = [line.split(" - ")[0].split(None, 1)[1] for line in said if line.startswith(("FAILED ", "ERROR "))]
    note = whole = said[-1] if said else ""
    if status == 2 and failed:
        (folder / f"{name}.log").replace(folder / f"{name}.first")
        status = in_a_host(tool, folder, name, failed)
        note += f"; {len(failed)} once more"
    print(f"{WORDS.get(status, f'EXIT {status}'):8} {name:28} {time.monotonic() - start:5.0f} s  {note}", flush=True)
    if status:
        print("".join(f"         {line}\n" for line in failed), (folder / f"{name}.reports").read_text(errors="replace"), end="", flush=True)
    return status == 0 or (status == 2 and enough(tool, whole))


def main(tool, *names):
    if os.getuid() != 0:
        sys.exit(f"tests/{tool}: run me as root: only root can make a private copy of this machine")
    folder, skip = SOURCE / f"build-{tool}", left_out(tool)
    run(["tests/setup", "--tests"], stdout=sys.stderr)
    build(tool, folder)
    good = unit(tool, folder, skip)
    rest, names = names[:1] == ("--rest",), [name for name in names if name != "--rest"]
    files = sorted(file.stem for file in (SOURCE / "tests/root").glob("test_*.py") if any(fnmatch.fnmatch(file.stem, one) for one in names))
    files = [name for name in files if name not in skip]
    before = [name for name in files if rest and was_well(tool, folder, name)]
    with concurrent.futures.ThreadPoolExecutor(HOSTS) as pool:
        done = list(pool.map(lambda name: end_to_end(tool, folder, name, skip), [name for name in files if name not in before]))
    print("\nleft out:")
    for name, why in skip.items():
        print(f"         {name}: {why}")
    if tool == "valgrind":
        print("         chroot-bash and pam_sallyport, in every file: file capabilities do not come through valgrind, nor does sshd run under it")
    kept = f", {len(before)} well before" if rest else ""
    print(f"\nunit tests {'well' if good else 'FAILED'}; end-to-end files: {sum(done)} well, {len(done) - sum(done)} not{kept}", flush=True)
    return 0 if good and all(done) else 1


sys.exit(main(*sys.argv[1:]))
