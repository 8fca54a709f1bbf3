"""
The format of log lines, as text or JSON, and the id of the running request. Lines of libraries get the same format.

Secrets in URLs are removed from every line (`core.redaction`), whoever wrote it.
"""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from imgcdn.core.redaction import redact
from imgcdn.web.settings import LogFormat

#: The id of the request that the running task or thread works for; empty outside of requests.
request_id: ContextVar[str] = ContextVar("request_id", default="")

#: Fields of the access log that the message of a line already has, and the others in their order.
_IN_MESSAGE = ("method", "target")
_FIELDS = (
    "status",
    "cache",
    "format",
    "source_host",
    "bytes",
    "total_ms",
    "client",
    "host",
    "user_agent",
    "request_id",
    "note",
)


class TextFormatter(logging.Formatter):
    """Writes lines for people: the message, then `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {record.name}: {redact(super().format(record))}"
        extras = {name: value for name, value in _extras(record).items() if value != ""}
        return " ".join([line, *(f"{name}={_quoted(value)}" for name, value in extras.items())])


class JsonFormatter(logging.Formatter):
    """Writes lines for machines: a JSON object each."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        fields |= {name: getattr(record, name) for name in _IN_MESSAGE if hasattr(record, name)}
        fields |= _extras(record)
        if record.exc_info:
            fields["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(fields)


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    found = {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
    if not found.get("request_id") and request_id.get():
        found["request_id"] = request_id.get()
    return found


def _quoted(value: object) -> str:
    """Return a value as one word; one with a space or a quote is written as in JSON."""
    text = str(value)
    return text if text.isprintable() and not set(text) & set(' "=') else json.dumps(text)


def _time(record: logging.LogRecord) -> str:
    """Return the local time with milliseconds and its offset (RFC 3339)."""
    return datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds")


def formatter(log_format: LogFormat) -> logging.Formatter:
    """Return the formatter of a format."""
    return JsonFormatter() if log_format is LogFormat.JSON else TextFormatter()


def configure(log_format: LogFormat) -> None:
    """Write the package's log lines, and the warnings of libraries, to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(log_format))
    # Without a handler of the root logger, Python would write the warnings of urllib3 with the URLs in them.
    for name, level in (("imgcdn", logging.INFO), ("gunicorn.error", logging.WARNING), ("", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
