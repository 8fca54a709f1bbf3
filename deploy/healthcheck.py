"""
Exit with 0 where the service of this container answers, 1 where it does not: the image's HEALTHCHECK.

It asks at IMGCDN_BIND. On Linux 0.0.0.0 and [::] are also addresses to connect to: this machine.
"""

import http.client
import os
import socket
import sys

_TIMEOUT_S = 4.0


def status(bind: str) -> int:
    """
    Return the status of `/-/healthz`.

    Raises:
        OSError: The service does not answer.
        http.client.HTTPException: It is no HTTP.
    """
    path = bind.removeprefix("unix:")
    connection = http.client.HTTPConnection("localhost" if path != bind else bind, timeout=_TIMEOUT_S)
    if path != bind:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(_TIMEOUT_S)
        connection.sock.connect(path)
    try:
        connection.request("GET", "/-/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        answered = status(os.environ.get("IMGCDN_BIND", "127.0.0.1:8000"))
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.exit(answered != http.HTTPStatus.OK)
