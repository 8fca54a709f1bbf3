"""No line of a real service's log has a secret of a URL in it."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support import origin as at
from tests.support import serving
from tests.support.origin import NAME
from tests.web.test_remote import settings_for

SECRET = "QxSecretxQ"
SIGNED = f"X-Amz-Credential={SECRET}%2F1&X-Amz-Signature={SECRET}&token={SECRET}"

#: urllib3 warns of a header that it cannot parse, and names the URL.
MALFORMED = at.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nno colon in this line\r\n\r\nabc")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_line_keeps_a_secret(root: Path, tmp_path: Path, log_format: str) -> None:
    scripts = {
        f"/late?{SIGNED}": at.respond(status=503),
        f"/bad?{SIGNED}": MALFORMED,
        f"/moved?{SIGNED}": at.redirect(f"https://{NAME}:99999/?sig={SECRET}"),
    }
    with at.running(scripts) as origin:
        sources = [origin.url(target) for target in scripts]
        sources += [f"https://me:{SECRET}@{NAME}/a.jpg", f"https://other.example/a.jpg?{SIGNED}", f"//me:{SECRET}@h/"]
        sources += [f"https://o'brien:{SECRET}@{NAME}/a.jpg", f"https://other.example/a.jpg?refresh_token=a'{SECRET}"]
        targets = [f"/img/{quote(source, safe='')}?w=9" for source in sources]
        targets += [f"/img/{quote(source, safe='')}?w=9&s={SECRET}" for source in sources]
        targets += [f"/img?url={quote(quote(source, safe=''), safe='')}&key={SECRET}" for source in sources]
        targets += [f"/nothing?signature={SECRET}", f"http://me:{SECRET}@a.example/img/photo.jpg"]
        targets += [f"/img?url=https://o'brien:{SECRET}@{NAME}/a.jpg", f"/img?url=/a.jpg&a[token]=a'{SECRET}"]
        with serving.edge(root, tmp_path, log_format=log_format, access_log="all", **settings_for(origin)) as service:
            for target in targets:
                head = f"Host: me:{SECRET}@a.example\r\n" if target.startswith("/nothing") else "Host: a.example\r\n"
                service.raw(f"GET {target} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
            service.stop()
            log = service.log.read_text()
    assert log.count(" answered 503") == 1
    assert log.count("Failed to parse headers") == 1
    assert log.count("redirects to") >= 1
    assert len(log.splitlines()) > len(targets)
    assert SECRET not in log
