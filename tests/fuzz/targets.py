"""The fuzz targets. A new one is a `Target` in a module of this folder, and a line here."""

from typing import Any

from tests.fuzz.answers import FRESHNESS, RESPONSES
from tests.fuzz.messages import CHILD_MESSAGES, MESSAGES
from tests.fuzz.signatures import SIGNATURES
from tests.fuzz.stored import RECORDS, VARIANTS
from tests.fuzz.target import Target
from tests.fuzz.texts import ACCEPT, DIALECTS, PATTERNS, REMOTE_URLS, REQUEST_TARGETS
from tests.fuzz.wire import BYTES, HEADERS

TARGETS: tuple[Target[Any], ...] = (
    BYTES,
    HEADERS,
    REQUEST_TARGETS,
    ACCEPT,
    REMOTE_URLS,
    PATTERNS,
    SIGNATURES,
    DIALECTS,
    RECORDS,
    VARIANTS,
    MESSAGES,
    CHILD_MESSAGES,
    RESPONSES,
    FRESHNESS,
)
