"""What an independent linter of HTTP, httplint, says about a response of a running service."""

import time
from dataclasses import dataclass

from httplint import HttpRequestLinter, HttpResponseLinter, levels

from tests.support.serving import Service

_NO_CONTENT = (204, 304)


@dataclass(frozen=True, slots=True)
class Linted:
    """
    A response, and what the linter found in it.

    Args:
        headers: By their names in lower case.
        findings: The names of its notes that are warnings or errors.
    """

    status: int
    headers: dict[str, str]
    findings: frozenset[str]


def lint(service: Service, target: str, *, method: str = "GET", **headers: str) -> Linted:
    """Send a request and have its response judged; `if_none_match="..."` sets the header If-None-Match."""
    host = f"{service.host}:{service.port}"
    sent = {"Host": host, **{name.replace("_", "-").title(): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**sent, "Connection": "close"}.items())
    received = service.raw(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode())
    head_bytes, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head_bytes.split(b"\r\n")
    fields = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    status = int(first.split(b" ")[1])

    request = HttpRequestLinter(start_time=time.time())
    request.process_request_topline(method.encode(), f"http://{host}{target}".encode(), b"1.1")
    request.process_headers([(name.encode(), value.encode()) for name, value in sent.items()])
    request.finish_content(True)
    response = HttpResponseLinter(
        start_time=time.time(), _related=request, no_content=method == "HEAD" or status in _NO_CONTENT
    )
    response.process_response_topline(b"1.1", str(status).encode(), first.split(b" ", 2)[2])
    response.process_headers(fields)
    response.feed_content(body)
    response.finish_content(True)
    named = {name.decode().lower(): value.decode() for name, value in fields}
    bad = (levels.WARN, levels.BAD)
    return Linted(status, named, frozenset(type(note).__name__ for note in response.notes if note.level in bad))
