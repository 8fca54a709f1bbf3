"""
The log line with the versions of the codecs: security advisories name the affected versions.

A process of its own writes it, a moment after `imgcdn serve` has started. The HTTP workers load no codec, and their
start does not wait for the line.
"""

import logging
import subprocess
import sys
from pathlib import Path

from imgcdn.core.setting import word_of
from imgcdn.web.logs import configure
from imgcdn.web.settings import LogFormat

#: The package may run from a checkout. It is not found through the current folder, which may have untrusted files.
_COMMAND = "import sys; sys.path.append(sys.argv[1]); from imgcdn.web.codecs import log_versions; log_versions()"


def log_versions_soon(log_format: LogFormat) -> None:
    """Begin to log the versions, without waiting. gunicorn's master reads the exit status of the process."""
    root = str(Path(__file__).parents[2])
    subprocess.Popen(
        [sys.executable, "-P", "-c", _COMMAND, root, word_of(log_format)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not for this process, which would show a traceback
    )


def log_versions() -> None:
    """Log the versions, in the process that `log_versions_soon` has started."""
    from imgcdn.engine.versions import codec_versions  # noqa: PLC0415  # it loads the codecs

    configure(next(each for each in LogFormat if word_of(each) == sys.argv[2]))
    logging.getLogger(__name__).info("codecs: %s", codec_versions())
