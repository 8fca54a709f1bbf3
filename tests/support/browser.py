"""A real browser for tests: headless Chromium, started once for each page."""

import shutil
import subprocess
from pathlib import Path

# These flags stop the browser's own network traffic, its updates and its questions to the user.
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=10000",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def dom(url: str, folder: Path, *, width: int = 1280, height: int = 2000) -> str:
    """Return a page's HTML after its scripts have run."""
    return _run(url, folder, [f"--window-size={width},{height}", "--dump-dom"])


def screenshot(url: str, folder: Path, *, width: int = 1280, height: int = 2000) -> Path:
    """Take a screenshot of a page and return the path of the PNG."""
    path = folder / "screenshot.png"
    _run(url, folder, [f"--window-size={width},{height}", f"--screenshot={path}"])
    return path


def command(folder: Path, flags: list[str]) -> list[str]:
    """Return a command that keeps the browser running and does not use virtual time."""
    browser = next(path for name in _NAMES if (path := shutil.which(name)))
    ours = [flag for flag in _FLAGS if not flag.startswith("--virtual-time")]
    return [browser, *ours, f"--user-data-dir={folder / 'profile'}", *flags]


def _run(url: str, folder: Path, flags: list[str]) -> str:
    browser = next(path for name in _NAMES if (path := shutil.which(name)))
    command = [browser, *_FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
