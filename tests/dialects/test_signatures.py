"""What signatures rely on: in every dialect, URLs that share a signature ask for the same picture."""

import random
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imgcdn import dialects
from imgcdn.core.request.signing import Signatures, parse_signing_key, sign
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.errors import Forbidden, ImgcdnError
from tests.support.planning import RULES

KEY = parse_signing_key("k:" + "00" * 16)
RULE = Signatures((KEY,), required=True)

_NAMES = ["url", "href", "w", "width", "h", "q", "fm", "f", "fit", "position", "bg", "dl", "v", "x", "é", "a b"]
_VALUES = ["/a.jpg", "a b.jpg", "a+b", "a%20b.jpg", "a&b=c", "https://e.test/a?b=c&d", "9", "", "webp", "cover", "é"]
_PATHS = ["/img", "/img/", "/img/a b.jpg", "/img/a/b+c.jpg", "/img/a%2F.jpg", "/img/é?x", "/.netlify/images", "/_image"]


def read(target: str) -> ImageRequest | None:
    """Return what a dialect reads; None if no dialect knows the target or the dialect refuses it."""
    try:
        return dialects.parse(Target.read(target), RULES) if dialects.find(Target.read(target)) else None
    except ImgcdnError:
        return None


def spelled(path: str, pairs: list[tuple[str, str]], chance: random.Random) -> str:
    def encoded(text: str) -> str:
        bare = chance.choice(["", "/", "/:@,;"])
        return "".join(
            f"%{ord(char):02x}" if char.isascii() and chance.random() < 0.2 else quote(char, safe=bare) for char in text
        )

    # The letters of the prefix stay as they are, because an encoded one leads to no dialect.
    prefix, slash, rest = path.partition("/img/") if path.startswith("/img/") else (path, "", "")
    shuffled = chance.sample(pairs, len(pairs))
    query = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in shuffled)
    return f"{prefix}{slash}{encoded(rest)}?{query}"


@given(
    path=st.sampled_from(_PATHS),
    names=st.lists(st.sampled_from(_NAMES), max_size=5, unique=True),
    values=st.lists(st.sampled_from(_VALUES), min_size=5, max_size=5),
    seed=st.randoms(),
)
def test_urls_that_share_a_signature_ask_for_the_same_picture(
    path: str, names: list[str], values: list[str], seed: random.Random
) -> None:
    pairs = list(zip(names, values, strict=False))
    one, other = (sign(spelled(path, pairs, seed), KEY) for _ in range(2))
    first, second = read(one), read(other)

    assert one.rpartition("&s=")[2] == other.rpartition("&s=")[2]
    assume(first is not None)
    assert first == second


@pytest.mark.parametrize(
    ("target", "changed"),
    [
        pytest.param("/img/a.jpg?w=9", ("w=9", "w=8"), id="native"),
        pytest.param("/img?url=/a.jpg&w=9", ("w=9", "w=8"), id="native, source in the query"),
        pytest.param("/.netlify/images?url=/a.jpg&w=9", ("w=9", "w=8"), id="netlify"),
        pytest.param("/_image?href=/a.jpg&w=9", ("w=9", "w=8"), id="astro"),
    ],
)
def test_every_dialect_reads_a_signed_url(target: str, changed: tuple[str, str]) -> None:
    signed = sign(target, KEY, exp=9)
    path, _, query = signed.partition("?")

    assert read(signed) == read(target) is not None
    assert RULE.check(path, query) == 9
    with pytest.raises(Forbidden):
        RULE.check(path, query.replace(*changed))


def test_every_dialect_has_a_row() -> None:
    rows = {"/img", "/.netlify/images", "/_image"}

    assert {dialect.PREFIX for dialect in dialects.DIALECTS} == rows


@pytest.mark.parametrize("name", ["exp", "kid"])
def test_the_native_grammar_refuses_an_expiry_that_nobody_signed(name: str) -> None:
    with pytest.raises(ImgcdnError, match=f"{name} belongs to a signed URL"):
        dialects.parse(Target.read(f"/img/a.jpg?{name}=9"), RULES)
