#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/sanitizers and tests/valgrind have in common: watched.py sanitizers|valgrind FILE... (names without test_ and .py).

A build of its own, the unit tests, then the end-to-end files, two at a time, each in a host of its own in which a planted
overflow has to be reported first. Any report fails; so does a test that tests/lib/watched.txt does not leave out with its reason.
SALLYPORT_TEST_TIMEOUT: seconds a file may take.
"""
import concurrent.futures
import fnmatch
import os
import pathlib
import shutil
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
INSIDE = SOURCE / "tests" / "lib" / "watched-inside.py"
LIMIT = os.environ.get("SALLYPORT_TEST_TIMEOUT", "2400")
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
WRAPS = "-Wl,--wrap=sp_bpf_install,--wrap=sp_sealed_enter,--wrap=syscall"
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
             f"-Dc_link_args={WRAPS} {made} -Wl,--no-as-needed -lcrypt"], stdout=subprocess.DEVNULL)
    run(["ninja", "-C", folder, "--quiet"], stdout=subprocess.DEVNULL)
    run(["gcc", "-g", "-O1", *extra, "-o", folder / "planted", SOURCE / "tests/lib/planted.c", made, "-Wl,--wrap=syscall"])


def unit(tool, folder, skip):
    """True where all is well."""
    names = sorted(file.stem.removeprefix("test-") for file in (SOURCE / "tests/unit").glob("test-*.c"))
    names = [name for name in names if f"unit-{name}" not in skip]
    wrapper = ["--wrapper", MEMCHECK] if tool == "valgrind" else []
    options = {"ASAN_OPTIONS": "detect_leaks=1"} if tool == "sanitizers" else {}
    return subprocess.run(["meson", "test", "-C", folder, "--no-rebuild", "--num-processes", "2", "--timeout-multiplier", "20", *wrapper,
                           "--print-errorlogs", *names], check=False, cwd=SOURCE, env={**os.environ, **options}).returncode == 0


def end_to_end(tool, folder, name, skip):
    """True where all is well. The whole of what was said is kept in the build directory."""
    out, start = [], time.monotonic()
    for one in skip:
        if one.startswith(name + "::"):
            out += ["--deselect", "tests/root/" + one.replace("::", ".py::", 1)]
    with open(folder / f"{name}.log", "wb") as log, open(folder / f"{name}.reports", "wb") as reports:
        status = subprocess.run(
            ["timeout", "-k", "10", LIMIT, "tests/host", "/usr/bin/python3", INSIDE, tool, folder / "planted", f"tests/root/{name}.py", *out],
            check=False, cwd=SOURCE, stdin=subprocess.DEVNULL, stdout=reports, stderr=log,
            env={**os.environ, "SALLYPORT_BUILD": str(folder), "SALLYPORT_NO_BUILD": "1"}).returncode
    said = (folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
    print(f"{WORDS.get(status, f'EXIT {status}'):8} {name:28} {time.monotonic() - start:5.0f} s  {said[-1] if said else ''}", flush=True)
    if status:
        for line in said:
            if line.startswith(("FAILED", "ERROR")):
                print(f"         {line}")
        print((folder / f"{name}.reports").read_text(errors="replace"), end="", flush=True)
    return status == 0


def main(tool, *names):
    if os.getuid() != 0:
        sys.exit(f"tests/{tool}: run me as root: only root can make a private copy of this machine")
    folder, skip = SOURCE / f"build-{tool}", left_out(tool)
    run(["tests/setup", "--tests"], stdout=sys.stderr)
    build(tool, folder)
    good = unit(tool, folder, skip)
    files = sorted(file.stem for file in (SOURCE / "tests/root").glob("test_*.py") if any(fnmatch.fnmatch(file.stem, one) for one in names))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda name: end_to_end(tool, folder, name, skip), [name for name in files if name not in skip]))
    print("\nleft out:")
    for name, why in skip.items():
        print(f"         {name}: {why}")
    print(f"\nunit tests {'well' if good else 'FAILED'}; end-to-end files: {sum(done)} well, {len(done) - sum(done)} not", flush=True)
    return 0 if good and all(done) else 1


sys.exit(main(*sys.argv[1:]))
