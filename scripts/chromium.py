"""Find the Chromium that the browser tests drive."""

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = (
    "run `sudo apt-get install chromium`, or `.venv/bin/playwright install --with-deps chromium`, "
    "or name one in the environment variable CHROMIUM"
)


def find_chromium() -> Path | None:
    """Return the program: the one that CHROMIUM names, one on PATH, or Playwright's own.

    Returns None if there is none, or if CHROMIUM names a file that isn't there.
    """
    named = os.environ.get("CHROMIUM")
    if named:
        return Path(named) if Path(named).is_file() else None
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    downloads = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "~/.cache/ms-playwright"))
    own = sorted(downloads.expanduser().glob("chromium-*/chrome-linux*/chrome"))
    return own[-1] if own else None
