"""Requests that differ only in spelling share a variant, over HTTP."""

import pytest

from tests.support.serving import CHROME, Service

SAME = [
    pytest.param(
        ["/img/photo.jpg?w=120&h=80", "/img/photo.jpg?h=80&w=120", "/img?url=photo.jpg&w=120&h=80"], id="order"
    ),
    pytest.param(
        ["/img/photo.jpg?w=121", "/img?url=/photo.jpg&w=121", "/img?url=%2Fphoto.jpg&w=121"], id="source spelling"
    ),
    pytest.param(["/img/photo.jpg?w=122", "/img/ph%6Fto.jpg?w=122", "/img/photo.jpg?%77=122"], id="encoding"),
    pytest.param(["/img/photo.jpg?w=123", "/img/photo.jpg?width=123"], id="aliases"),
    pytest.param(["/img/photo.jpg?w=601", "/img/photo.jpg?w=5000", "/img/photo.jpg?h=4000"], id="beyond the source"),
    pytest.param(["/img/photo.jpg?w=124&fm=png", "/img/photo.jpg?w=124&fm=png&q=30"], id="q of a lossless format"),
    pytest.param(["/img/photo.jpg?w=125", "/img/photo.jpg?w=125&v=7", "/img/photo.jpg?w=125&v=8"], id="v"),
    pytest.param(["/img/photo.jpg?w=126", "/img/photo.jpg?w=63&dpr=2"], id="dpr"),
    pytest.param(["/img/photo.jpg?w=127", "/img/photo.jpg?w=127&fit=cover"], id="fit with one edge"),
    pytest.param(["/img/photo.jpg?w=128", "/img/photo.jpg?w=128&bg=f00"], id="bg of an opaque picture"),
    pytest.param(["/img/photo.jpg?w=129", "/img/photo.jpg?w=129&q=75&fit=contain&fm=auto&enlarge=0"], id="defaults"),
    pytest.param(["/img/photo.jpg?w=131", "/img/photo.jpg?w=131&still=1"], id="still of a still"),
    pytest.param(["/img/photo.jpg?w=132&fm=jpg", "/img/photo.jpg?w=132&fm=jpeg"], id="jpg and jpeg"),
]


@pytest.mark.parametrize("targets", SAME)
def test_one_picture_is_one_variant(service: Service, targets: list[str]) -> None:
    before = set(service.variants())
    responses = [service.get(target, CHROME) for target in targets]
    assert {response.status for response in responses} == {200}
    assert len({response.headers["etag"] for response in responses}) == 1
    assert len(set(service.variants()) - before) <= 1  # no miss if an earlier test requested the same
    assert all("hit" in response.headers["cache-status"] for response in responses[1:])


def test_host_and_forwarded_headers_steer_nothing(service: Service) -> None:
    names = ["Host", "X-Original-URL", "Forwarded", *(f"X-Forwarded-{each}" for each in ("For", "Host", "Port"))]
    names += ["X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Real-IP"]
    evil = "".join(f"{name}: evil.example\r\n" for name in names)
    assert service.get("/img/photo.jpg?w=133").status == 200
    for target in ("/img/photo.jpg?w=133", "/", "/img/none.jpg", "/img/photo.jpg?w=0", "//img/photo.jpg", "/-/nothing"):
        for accept in ("text/html", "*/*"):
            request = f"GET {target} HTTP/1.1\r\n{evil}Accept: {accept}\r\nConnection: close\r\n\r\n"
            response = service.raw(request.encode())
            assert response.startswith(b"HTTP/1.1 ")
            assert b"evil" not in response
            assert b"; hit" in response or "w=133" not in target
