"""Make the project's virtual environment fit for use: packages, labextension, browser.

    python3 scripts/set_up.py lab     all that `make lab` needs
    python3 scripts/set_up.py test    that, and all that `make test` needs

Runs on the machine's own Python with nothing installed. What is in place already is left alone,
so that the second time is quick. Asks nothing and never reads its standard input.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - this file runs on whatever Python there is
    sys.exit(
        "set-up: Python 3.11 or newer is needed, this is "
        + platform.python_version()
        + ": name another one, for example `make test PYTHON=python3.12`"
    )

import chromium
import labextension

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
EXTRAS = {"lab": "lab,tutorials,build", "test": "dev"}


class SetUpError(Exception):
    """The set-up can't go on; the message says what to do."""


def say(text: str) -> None:
    """Print a line at once, also where the output is a file."""
    print(f"set-up: {text}", flush=True)


def run(command: list[str], remedy: str, **variables: str) -> None:
    """Run `command`, with `variables` added to its environment and its output passed on.

    Raises:
        SetUpError: it failed; the message ends with `remedy`.
    """
    environment = os.environ | variables
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise SetUpError(f"`{' '.join(command)}` ended with exit code {done.returncode}: {remedy}")


def make_environment() -> None:
    """Create `.venv`, unless there is one whose Python starts."""
    if PYTHON.exists():
        alive = subprocess.run([str(PYTHON), "-c", ""], check=False, stdin=subprocess.DEVNULL)
        if alive.returncode == 0:
            return
    say(f"creating {VENV.name} with Python {platform.python_version()}")
    run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        "on Debian, run `sudo apt-get install python3-venv`",
    )


def install_packages(goal: str) -> None:
    """Install the project and its packages, unless that was done for this pyproject.toml."""
    # Where there is a good Node.js already, 60 MB need not be fetched.
    node = [] if labextension.node_on_path() else [labextension.NODE_PACKAGE]
    wanted = hashlib.sha256(
        (ROOT / "pyproject.toml").read_bytes() + repr(node).encode()
    ).hexdigest()
    stamps = {name: VENV / f".set-up-{name}" for name in EXTRAS}
    if labextension.is_stamped(stamps[goal], wanted):
        return
    say(f"installing packages for `make {goal}`")
    requirements = ["--editable", f".[{EXTRAS[goal]}]", *node]
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    uv = [str(PYTHON), "-m", "uv", "--quiet", "pip", "install", "--python", str(PYTHON)]
    # uv is several times faster, but doesn't read pip's settings: where it can't, pip does it.
    for attempt in ([*pip, "install", "uv"], [*uv, *requirements]):
        if subprocess.run(attempt, cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode:
            say("uv can't install here; going on with pip")
            run([*pip, "install", *requirements], "see the lines above for what is missing")
            break
    # What the tests need includes what the lab needs.
    for name in EXTRAS if goal == "test" else [goal]:
        stamps[name].write_text(wanted, "utf-8")


def build_labextension() -> None:
    """Build the labextension and link it into `.venv`, with that environment's tools."""
    run(
        [str(PYTHON), str(ROOT / "scripts" / "labextension.py")],
        "see the lines above; `make clean` starts afresh",
    )


def make_other_kernels() -> None:
    """Make the environments of the other kernels that the browser tests ask questions on."""
    run(
        [str(PYTHON), str(ROOT / "scripts" / "compat.py"), "prepare"],
        "see the lines above; `make clean` starts afresh",
    )


def ensure_chromium() -> None:
    """See that there is a browser for the tests; install Debian's where root runs this.

    Raises:
        SetUpError: there is none, and this user can't install one.
    """
    if chromium.find_chromium() is not None:
        return
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    apt = shutil.which("apt-get")
    if "CHROMIUM" in os.environ or not is_root or apt is None:
        raise SetUpError(f"no Chromium for the browser tests: {chromium.REMEDY}")
    say("installing Chromium for the browser tests")
    # A machine without any font draws no text.
    install_from_debian(apt, chromium.REMEDY, "fonts-dejavu-core", "chromium")
    if chromium.find_chromium() is None:
        raise SetUpError(f"Chromium was installed but isn't on PATH: {chromium.REMEDY}")


def ensure_graphviz() -> None:
    """See that the tests of Graphviz's layout can run, where root runs this.

    The product works without it, so whoever can't install it only hears that those tests are
    skipped.
    """
    if shutil.which("dot") is not None:
        return
    remedy = "run `sudo apt-get install graphviz`"
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    apt = shutil.which("apt-get")
    if not is_root or apt is None:
        say(f"no Graphviz, so the tests of its layout will be skipped: {remedy}")
        return
    say("installing Graphviz for the tests of its layout")
    install_from_debian(apt, remedy, "graphviz")


def install_from_debian(apt: str, remedy: str, *packages: str) -> None:
    """Install Debian's `packages`, as root.

    Raises:
        SetUpError: it can't be installed; the message says what to run instead.
    """
    run([apt, "update", "--quiet"], remedy)
    run([apt, "install", "--quiet", "--yes", "--no-install-recommends", *packages], remedy)


def main() -> int:
    """Set up what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(description="Set up the project's virtual environment.")
    parser.add_argument("goal", choices=sorted(EXTRAS))
    goal = parser.parse_args().goal
    started = time.monotonic()
    try:
        make_environment()
        install_packages(goal)
        build_labextension()
        if goal == "test":
            ensure_chromium()
            ensure_graphviz()
            make_other_kernels()
    except SetUpError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    say(f"ready for `make {goal}` ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
