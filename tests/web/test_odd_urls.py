"""Sources with spaces, question marks and percent signs in their names, as pages and proxies write them."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from imgcdn import ImageCDN
from tests.support import origin as at
from tests.support import pictures, serving
from tests.support.origin import NAME, Origin
from tests.support.serving import Service
from tests.web.conftest import Start

PHOTO = pictures.jpeg(pictures.photograph((300, 200)))

#: Name in a URL -> how a browser requests it.
NAMES = {
    "Screenshot 9.41.00\u202fAM.png": "Screenshot%209.41.00%E2%80%AFAM.png",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467.jpg": "%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7.jpg",
    "\u0645\u06cc\u200c\u0631\u0648\u062f.jpg": "%D9%85%DB%8C%E2%80%8C%D8%B1%D9%88%D8%AF.jpg",
    "東京\u3000駅.jpg": "%E6%9D%B1%E4%BA%AC%E3%80%80%E9%A7%85.jpg",
    "no\xa0break.jpg": "no%C2%A0break.jpg",
    "".join(chr(0x2000 + step) for step in range(12)) + "\u1680\u180e\u205f\ufeff.jpg": "".join(
        f"%E2%80%{0x80 + step:X}" for step in range(12)
    )
    + "%E1%9A%80%E1%A0%8E%E2%81%9F%EF%BB%BF.jpg",
    "caf\u00e9 \U00010348.jpg": "caf%C3%A9%20%F0%90%8D%88.jpg",
    "50%off.jpg": "50%off.jpg",
    "100% new.jpg": "100%%20new.jpg",
}

#: Those that curl sends without percent-encoding them, apart from spaces.
RAW = [name for name in NAMES if not name.isascii()]


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with at.running({f"/{sent}": at.respond(PHOTO, cache_control="max-age=600") for sent in NAMES.values()}) as running:
        running.scripts["/a.jpg"] = running.scripts["/a.jpg?x=1"] = at.respond(PHOTO, cache_control="max-age=600")
        yield running


@pytest.fixture(scope="module", params=["edge", "wsgi"])
def service(
    request: pytest.FixtureRequest, origin: Origin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("odd")
    for name in ("who is it?.jpg", "?.jpg", "it?w=9", "it", "Screenshot 9.41.00\u202fAM.png"):
        (root / name).write_bytes(pictures.jpeg(pictures.photograph((60 if name == "it" else 300, 200))))
    start: Start = getattr(serving, request.param)
    settings = {
        "allow": f"http://{NAME}:{origin.port}/**",
        "allow_addresses": "127.0.0.0/8",
        "resolve": f"{NAME}:{origin.port}:127.0.0.1",
        "mounts": f"/cms=http://127.0.0.1:{origin.port}",
    }
    with start(root, tmp_path_factory.mktemp("run"), **settings) as running:
        yield running


@pytest.mark.parametrize("name", NAMES, ids=[f"{name!a}" for name in NAMES])
def test_a_remote_name_is_requested_as_a_browser_requests_it(service: Service, origin: Origin, name: str) -> None:
    url = origin.url(f"/{name}")
    spellings = [f"/img?url={quote(url, safe='')}&w=50", f"/img/{quote(url, safe='')}?w=50"]
    spellings += [f"/.netlify/images?url={quote(url, safe='')}&w=50", ImageCDN().url(url, width=50)]
    spellings += [f"/img/http:/{NAME}:{origin.port}/{quote(name)}?w=50"]  # as a proxy that merges slashes sends it
    before = origin.count(f"/{NAMES[name]}")

    responses = [service.get(target) for target in spellings]

    assert [response.status for response in responses] == [200] * len(spellings)
    assert len({response.headers["etag"] for response in responses}) == 1
    assert origin.count(f"/{NAMES[name]}") - before <= 1, "all are spellings of one source"


@pytest.mark.parametrize("service", ["edge"], indirect=True)  # gunicorn's own parser refuses such a target
@pytest.mark.parametrize("form", ["/img/{}?w=50", "/img?url={}&w=50", "/.netlify/images?url={}&w=50"])
@pytest.mark.parametrize("name", RAW, ids=[f"{name!a}" for name in RAW])
def test_a_name_may_be_sent_as_it_is(service: Service, origin: Origin, form: str, name: str) -> None:
    target = form.format(origin.url(f"/{name.replace(' ', '%20')}")).encode()
    answer = service.raw(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("form", ["/img/http:/{}?w=40", "/img/http%3A/{}?w=40", "/img?url=http:/{}&w=40"])
@pytest.mark.parametrize("path", ["/a.jpg", "/a.jpg%3Fx=1"])
def test_one_slash_after_the_scheme_is_enough(service: Service, origin: Origin, form: str, path: str) -> None:
    assert service.get(form.format(f"{NAME}:{origin.port}{path}")).status == 200
    assert service.get(form.format(f"elsewhere.example{path}")).status == 403
    assert service.get(form.format(f"user@{NAME}:{origin.port}{path}")).status == 403
    assert service.get(form.format(f"{NAME}:{origin.port}/%252e%252e{path}")).status == 403


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/img/who%20is%20it%3F.jpg?w=50", 200, id="in the path"),
        pytest.param(ImageCDN("").url("/who is it?.jpg", width=50), 200, id="as the helper writes it"),
        pytest.param("/.netlify/images?url=/who%2520is%2520it%253F.jpg&w=50", 200, id="in Netlify's URLs"),
        pytest.param("/_image?href=/who%2520is%2520it%253F.jpg&w=50", 200, id="in Astro's URLs"),
        pytest.param("/img/%3F.jpg?w=50", 200, id="at the beginning"),
        pytest.param("/img/Screenshot%209.41.00%E2%80%AFAM.png%3Fv=2", 404, id="no query of a file in the path"),
        pytest.param("/img?url=/Screenshot%209.41.00%E2%80%AFAM.png%3Fv=2&w=50", 200, id="a query of a file in url"),
        pytest.param("/img?url=/who%20is%20it%3F.jpg", 404, id="a query in url, of a file that is not there"),
        pytest.param("/.netlify/images?url=/it%3Fw=9&w=50", 200, id="a query in Netlify's URLs"),
        pytest.param("/img?url=/cms/a.jpg%3Fx=1&w=50", 200, id="a query of a mount"),
        pytest.param("/img/cms/a.jpg%3Fx=1?w=50", 404, id="a name beneath a mount"),
    ],
)
def test_a_question_mark_in_the_path_belongs_to_the_name(service: Service, target: str, status: int) -> None:
    assert service.get(target).status == status


def test_a_name_with_a_question_mark_and_one_without_are_two_files(service: Service) -> None:
    widths = [service.get(target).headers["etag"] for target in ("/img/it%3Fw=9?w=50", "/img/it?w=50")]

    assert widths[0] != widths[1]
    assert service.get("/img?url=/it%3Fw=9&w=50").headers["etag"] == widths[1], "here it is a query, which files ignore"
