"""Keep the list of files in ARCHITECTURE.md: one line each, the first line of its own docstring.

python scripts/architecture.py            rewrite the list
python scripts/architecture.py --check    fail if the list is not what the files say
"""

import argparse
import ast
import json
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "ARCHITECTURE.md"
BEGIN = "<!-- files: written by scripts/architecture.py from each file's first line -->\n"
END = "<!-- end of files -->\n"
FOLDERS = ("portia_nb", "labextension", "scripts", "notebooks", "benchmarks", "docs", "tests")
SUFFIXES = (".py", ".js", ".css", ".ts", ".ipynb", ".md")


class UndescribedError(Exception):
    """A file's own first line doesn't say what it is."""


def first_line(text: str | None) -> str:
    """Return the first line that holds something, without the marks of a heading."""
    lines = [line.strip() for line in (text or "").splitlines()]
    return next((line.lstrip("# ") for line in lines if line), "")


def description(path: Path) -> str:
    """Return what a file says of itself in its first line.

    Raises:
        UndescribedError: it says nothing.
    """
    text = path.read_text("utf-8")
    match path.suffix:
        case ".py":
            said = first_line(ast.get_docstring(ast.parse(text)))
        case ".ipynb":
            said = first_line("".join(json.loads(text)["cells"][0]["source"]))
        case ".md":
            said = first_line(text)
        case _:
            marks = (line.strip().lstrip("/*").removesuffix("*/") for line in text.splitlines())
            # "@ts-check" and its like speak to tools.
            said = first_line("\n".join(m for m in marks if not m.strip().startswith("@")))
    if not said:
        raise UndescribedError(f"{path.relative_to(ROOT)}: its first line doesn't say what it is")
    return said


def listed_files() -> list[PurePosixPath]:
    """Return the files that get a line: all of the project's except the tests themselves."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *FOLDERS]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = {PurePosixPath(line) for line in told.stdout.splitlines()}
    return sorted(
        path
        for path in paths
        if path.suffix in SUFFIXES
        and not path.name.startswith("test_")
        and not (path.parts[0] == "tests" and path.name == "__init__.py")
        and (ROOT / path).is_file()
    )


def file_list() -> str:
    """Return the list as Markdown, a heading for each folder."""
    folders: dict[PurePosixPath, list[PurePosixPath]] = {}
    for path in listed_files():
        folders.setdefault(path.parent, []).append(path)
    parts: list[str] = []
    for folder, paths in sorted(folders.items()):
        parts.append(f"### `{folder}/`")
        init = folder / "__init__.py"
        if init in paths:
            paths.remove(init)
            parts.append(description(ROOT / init))
        if paths:
            parts.append("\n".join(f"- `{p.name}`: {description(ROOT / p)}" for p in paths))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write or check the list; return the exit code."""
    parser = argparse.ArgumentParser(description="Keep the list of files in ARCHITECTURE.md.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    is_check = parser.parse_args().check
    old = DOCUMENT.read_text("utf-8")
    head, _, rest = old.partition(BEGIN)
    _, _, foot = rest.partition(END)
    try:
        new = f"{head}{BEGIN}\n{file_list()}\n{END}{foot}"
    except UndescribedError as error:
        print(f"architecture: {error}", file=sys.stderr)
        return 1
    if new == old:
        return 0
    if is_check:
        changed = sorted(set(new.splitlines()) ^ set(old.splitlines()))
        print("architecture: ARCHITECTURE.md differs from the files in:", *changed, sep="\n")
        print("run `python scripts/architecture.py`")
        return 1
    DOCUMENT.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
