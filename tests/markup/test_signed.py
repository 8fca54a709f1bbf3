"""URLs that the helper signs."""

import re
from dataclasses import replace

import pytest

from imgcdn import ImageCDN
from imgcdn.core.request.params import Params
from imgcdn.core.request.signing import Signatures, parse_signing_key
from tests.support.markup_reading import candidates, img, read_url, tags

SECRET = "00112233445566778899aabbccddeeff"
KEY = f"2026:{SECRET}"
RULE = Signatures((parse_signing_key(KEY),), required=True)
CDN = ImageCDN(signing_key=KEY)


def expiry(url: str) -> int | None:
    path, _, query = url.partition("?")
    return RULE.check(path, query)


def test_a_url_is_signed_and_reads_as_before() -> None:
    url = CDN.url("a b/ü.jpg", width=9, position="top left", preset="card", download="a b.jpg", v="7")

    assert "&v=7&kid=2026&s=" in url
    assert expiry(url) is None
    assert read_url(CDN.url("a b/ü.jpg", width=9)) == ("a b/ü.jpg", Params(width=9), None)


@pytest.mark.parametrize("src", ["a.jpg", "/a&b=c+d.jpg", "100%.jpg", "https://e.com/a%20b?x=1&y=2"])
@pytest.mark.parametrize("params", [{}, {"position": "top left"}], ids=["no parameters", "a space"])
def test_every_source_can_be_signed(src: str, params: dict[str, str]) -> None:
    assert expiry(CDN.url(src, **params)) is None  # type: ignore[arg-type]  # a mapping has no literal types


def test_every_url_of_a_picture_is_signed() -> None:
    markup = CDN.picture("a.jpg", alt="", width=400, height=300, source_size=(2000, 1500), expires=1_900_000_000)
    urls = [
        url for tag in tags(markup) if "srcset" in tag.attributes for _, url in candidates(tag.attributes["srcset"])
    ]
    urls += [tag.attributes["src"] for tag in tags(markup) if tag.name == "img"]

    assert len(urls) > 12
    assert {expiry(url) for url in urls} == {1_900_000_000}
    assert len({url.rpartition("&s=")[2] for url in urls}) == len(set(urls))
    assert expiry(candidates(CDN.srcset("a.jpg", widths=(320, 640)))[1][1]) is None
    assert expiry(img(CDN.img("a.jpg", alt="", layout="none"))["src"]) is None


def test_the_path_of_the_base_url_is_not_signed() -> None:
    url = ImageCDN("https://example.com/pictures", signing_key=KEY).url("a.jpg", width=9)

    assert url == f"https://example.com/pictures{CDN.url('a.jpg', width=9)}"


@pytest.mark.parametrize(
    ("now", "exp"),
    [(0.0, 7_200), (3_599.9, 7_200), (3_600.0, 10_800)],
    ids=["at the start of a period", "at its end", "in the next period"],
)
def test_urls_of_one_period_are_equal_and_last_for_at_least_one_more(now: float, exp: int) -> None:
    cdn = ImageCDN(signing_key=KEY, expires_in_s=3_600, clock=lambda: now)

    assert expiry(cdn.url("a.jpg")) == exp
    assert expiry(img(cdn.img("a.jpg", alt="", width=9))["src"]) == exp
    assert expiry(cdn.url("a.jpg", expires=77)) == 77


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        pytest.param({"signing_key": SECRET}, "signing_key has no colon", id="no id"),
        pytest.param({"signing_key": f"a:{SECRET[2:]}"}, "signing_key has a key of 120 bits", id="a short key"),
        pytest.param({"expires_in_s": 60}, "expires_in_s needs signing_key", id="an expiry without a key"),
        pytest.param({"signing_key": KEY, "expires_in_s": 0}, "expires_in_s must be a whole number", id="no time"),
        pytest.param(
            {"signing_key": KEY, "expires_in_s": 1.5}, "expires_in_s must be a whole number", id="half a second"
        ),
    ],
)
def test_invalid_settings_are_refused_without_showing_the_key(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        ImageCDN(**settings)  # type: ignore[arg-type]  # wrong on purpose

    assert SECRET[2:] not in str(caught.value)


@pytest.mark.parametrize(
    ("cdn", "expires", "reason"),
    [
        pytest.param(ImageCDN(), 1_900_000_000, "expires needs signing_key", id="no key"),
        pytest.param(CDN, -1, "expires must be a unix time", id="before 1970"),
        pytest.param(CDN, True, "expires must be a whole number", id="true"),
        pytest.param(CDN, 1_900_000_000_000, "expires must be a unix time", id="milliseconds"),
    ],
)
def test_an_invalid_expiry_is_refused(cdn: ImageCDN, expires: int, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        cdn.url("a.jpg", expires=expires)
    with pytest.raises(ValueError, match=re.escape(reason)):
        cdn.img("a.jpg", alt="", layout="none", expires=expires)


def test_a_helper_does_not_show_its_key_and_compares_it() -> None:
    assert SECRET not in repr(CDN)
    assert ImageCDN(signing_key=KEY) == CDN
    assert ImageCDN() != CDN
    assert replace(CDN, base_url="/x").url("a.jpg") == f"/x{CDN.url('a.jpg')}"
