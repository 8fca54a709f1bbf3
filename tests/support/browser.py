"""A real browser for tests: headless Chromium, one run a page."""

import shutil
import subprocess
from pathlib import Path

# What it may not do: reach for the network on its own, keep anything, ask anybody.
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
    """Return a page's document as it is once its scripts have run."""
    return _run(url, folder, [f"--window-size={width},{height}", "--dump-dom"])


def screenshot(url: str, folder: Path, *, width: int = 1280, height: int = 2000) -> Path:
    """Return the path of a PNG of a page."""
    path = folder / "screenshot.png"
    _run(url, folder, [f"--window-size={width},{height}", f"--screenshot={path}"])
    return path


def command(folder: Path, flags: list[str]) -> list[str]:
    """Return a command that keeps the browser running, on real time."""
    browser = next(found for name in _NAMES if (found := shutil.which(name)))
    ours = [flag for flag in _FLAGS if not flag.startswith("--virtual-time")]
    return [browser, *ours, f"--user-data-dir={folder / 'profile'}", *flags]


def _run(url: str, folder: Path, flags: list[str]) -> str:
    browser = next(found for name in _NAMES if (found := shutil.which(name)))
    command = [browser, *_FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
