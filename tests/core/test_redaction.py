"""Secrets in texts for the log."""

import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.redaction import redact, redact_host
from imgcdn.core.request.parameters import BY_NAME


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("/img/a.jpg?w=9&s=AbC&kid=1", "/img/a.jpg?w=9&s=***&kid=1", id="our signature"),
        pytest.param("/img/a.jpg?TOKEN=1&Key=2", "/img/a.jpg?TOKEN=***&Key=***", id="any case"),
        pytest.param("/x?a/token=1", "/x?a/token=***", id="a name behind a slash"),
        pytest.param("/x?a%2Ftoken=1", "/x?a%2Ftoken=***", id="a name behind an encoded slash"),
        pytest.param("/img?%73=1&%2573=2", "/img?%73=***&%2573=***", id="a name that is percent-encoded"),
        pytest.param("/a?X%2DAmz%252dToken=1", "/a?X%2DAmz%252dToken=***", id="a hyphen that is percent-encoded"),
        pytest.param("/img?s=a%26b?c;d&w=1", "/img?s=***&w=1", id="delimiters within a value"),
        pytest.param("/img?s=&w=1", "/img?s=&w=1", id="no value"),
        pytest.param("/img?sw=1&ss=2&codes=3&p=4&v=5", "/img?sw=1&ss=2&codes=3&p=4&v=5", id="other names"),
        pytest.param(
            "https://b.example/a?X-Amz-Credential=1%2F2&X-Amz-Signature=3&x-goog-signature=4",
            "https://b.example/a?X-Amz-Credential=***&X-Amz-Signature=***&x-goog-signature=***",
            id="object stores",
        ),
        pytest.param(
            "/img/https%3A%2F%2Fb.example%2Fa%3Ftoken%3D1%252F2%26w%3D3?w=4",
            "/img/https%3A%2F%2Fb.example%2Fa%3Ftoken%3D***%26w%3D3?w=4",
            id="in an encoded URL",
        ),
        pytest.param(
            "/img?url=https%253A%252F%252Fb.example%252Fa%253Fsig%253D1&w=4",
            "/img?url=https%253A%252F%252Fb.example%252Fa%253Fsig%253D***&w=4",
            id="encoded twice",
        ),
        pytest.param("https://me:pw@b.example/a", "https://***@b.example/a", id="userinfo"),
        pytest.param("https://token@b.example/a", "https://***@b.example/a", id="a user alone"),
        pytest.param("https://me:p@w@b.example/a", "https://***@b.example/a", id="with an at sign"),
        pytest.param(r"https://me:pw\@b.example/a", "https://***@b.example/a", id="with a backslash"),
        pytest.param("url=https:/me:pw@b.example", "url=https:/***@b.example", id="with one slash"),
        pytest.param("to '//me:pw@b.example/'", "to '//***@b.example/'", id="without a scheme"),
        pytest.param("http:a-http:/me:pw@b.example", "http:a-http:/***@b.example", id="after another scheme"),
        pytest.param("%68ttps%3A%2F%2Fme%3Apw%40b", "%68ttps%3A%2F%2F***%40b", id="encoded userinfo"),
        pytest.param("https://o'brien:pw@b.example/a", "https://***@b.example/a", id="an apostrophe in a userinfo"),
        pytest.param('https://o"<b>:pw@b.example/a', "https://***@b.example/a", id="other quotes in a userinfo"),
        pytest.param("https://me:p%2Fw@b.example/a", "https://***@b.example/a", id="a userinfo with an encoded slash"),
        pytest.param("https%3A%2F%2Fo'b%3Apw%40b/", "https%3A%2F%2F***%40b/", id="an apostrophe, encoded URL"),
        pytest.param("/a?token=a'b\"c<d&w=1", "/a?token=***&w=1", id="quotes within a value"),
        pytest.param("https://b.example/photo@2x.jpg", "https://b.example/photo@2x.jpg", id="an at sign in a path"),
        pytest.param(
            "https%3A%2F%2Fb.example%2Fphoto%402x.jpg",
            "https%3A%2F%2Fb.example%2Fphoto%402x.jpg",
            id="the same, encoded",
        ),
        pytest.param("'https://b.example/?sig=1' is late", "'https://b.example/?sig=***' is late", id="in a sentence"),
    ],
)
def test_a_text_without_its_secrets(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected


@pytest.mark.parametrize(
    "name",
    [
        *(
            "refresh_token",
            "x-token",
            "X-API-Key",
            "bearer",
            "sas",
            "code",
            "otp",
            "a[token]",
            "a%5Btoken%5D",
            "a[code]",
        ),
        *("token%20", "%20token", "+token", "+s", "user_password", "sessionToken", "oauth_signature", "x-amz-date"),
        *("jsessionid", "PHPSESSID", "xs" * 60 + "token"),
    ],
)
@pytest.mark.parametrize("before", ["/a?", "/a?w=1&", "/a;"])
def test_a_parameter_that_may_grant_access_is_recognised_by_a_part_of_its_name(name: str, before: str) -> None:
    assert redact(f"{before}{name}=SEKRIT&w=2") == f"{before}{name}=***&w=2"
    encoded = quote(f"{before}{name}=SEKRIT&w=2", safe="")
    assert redact(encoded) == encoded.replace("SEKRIT", "***")


def test_of_our_own_parameters_only_the_signature_is_replaced() -> None:
    names = {*BY_NAME, "url", "href", "exp", "kid", "s"}
    assert [name for name in names if "SEKRIT" not in redact(f"/a?{name}=SEKRIT")] == ["s"]


SECRETS = st.text("ABCDEFGHJ0123456789-_.:!'\"", min_size=8, max_size=20).map(lambda text: f"Q{text}Q")


QUOTES = "'\""  # a raw target may have them


@given(SECRETS, SECRETS, SECRETS, st.integers(0, 3))
def test_no_depth_of_encoding_keeps_a_secret(user: str, signature: str, token: str, depth: int) -> None:
    source = f"https://{quote(user, safe=QUOTES)}@b.example/a.jpg?X-Amz-Signature={quote(signature, safe=QUOTES)}&w=1"
    for _ in range(depth):
        source = quote(source, safe="")
    text = redact(f"/img?url={source}&w=9&s={token}")
    assert not any(secret in text or quote(secret) in text for secret in (user, signature, token))
    assert "b.example" in text


@pytest.mark.parametrize(
    "piece",
    [
        "%25",
        "&a",
        "&a=",
        "https://",
        "a",
        "@",
        "%2F%2F",
        "s=",
        "?s=%26",
        "%40",
        "%2541",
        "://@",
        "=%3D",
        "\\",
        "https:",
        "'",
        "a%",
        "&%25%25a",
    ],
)
def test_the_time_is_linear(piece: str) -> None:
    began = time.perf_counter()
    redact("//" + piece * (32_000 // len(piece)))
    assert time.perf_counter() - began < 2


def test_a_host_without_its_userinfo() -> None:
    assert [redact_host(host) for host in ("a.example:80", "me:pw@a.example", "-")] == [
        "a.example:80",
        "***@a.example",
        "-",
    ]
