"""The access log, with one line for each request, and the two forms of log lines."""

import json
import logging
import time

from imgcdn.web.request import Request
from imgcdn.web.responses import Response
from imgcdn.web.settings import AccessLog, LogFormat, WebSettings

_log = logging.getLogger("imgcdn.access")

_FIELDS = ("status", "cache", "format", "bytes", "total_ms", "target", "note")


def access(settings: WebSettings, request: Request, response: Response, began: float, *, note: str = "") -> None:
    """
    Log one response.

    Args:
        began: `time.perf_counter()` when the request arrived.
        note: A text for the operator, which the client does not get.
    """
    if settings.access_log is AccessLog.OFF:
        return
    headers = dict(response.headers)
    _log.info(
        "%s %s",
        request.method,
        request.target[:500],
        extra={
            "status": response.status,
            "cache": headers.get(b"cache-status", b"-").decode().removeprefix("imgcdn; "),
            "format": headers.get(b"content-type", b"-").decode(),
            "bytes": len(response.body),
            "total_ms": round((time.perf_counter() - began) * 1000, 1),
            "note": note,
        },
    )


class TextFormatter(logging.Formatter):
    """Writes lines for people: the message, then `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {super().format(record)}"
        extras = {name: getattr(record, name) for name in _FIELDS if getattr(record, name, "") != ""}
        return " ".join([line, *(f"{name}={value}" for name, value in extras.items())])


class JsonFormatter(logging.Formatter):
    """Writes lines for machines: a JSON object each."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def configure(log_format: LogFormat) -> None:
    """Write the package's log lines to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format is LogFormat.JSON else TextFormatter())
    logger = logging.getLogger("imgcdn")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
