"""Fuzz target: signed URLs. A URL that was changed passes only if it still asks for the same."""

from urllib.parse import unquote_to_bytes

from hypothesis import strategies as st

from imgcdn.core.request.signing import Signatures, parse_signing_key, sign
from imgcdn.errors import Forbidden
from tests.fuzz.target import Target, ready, spliced

_KEYS = tuple(parse_signing_key(f"{kid}:{byte * 32}") for kid, byte in (("old", "0f"), ("new", "a5")))
_SIGNATURES = Signatures(_KEYS, required=True)

_TARGETS = ["/img/a.jpg?w=40", "/img?url=/a%20b.jpg&w=40&fit=cover", "/.netlify/images?url=/a.jpg", "/img/a.jpg"]
_PIECES = st.one_of(
    st.sampled_from(
        ["&", "=", "%", "%3D", "%26", "+", "w=40", "&w=9", "s=", "&kid=old", "&exp=0", "exp", "%00", ";", "\xff", "?"]
    ),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=3),
)
_URLS = st.sampled_from([
    sign(target, key, exp=exp) for target in _TARGETS for key in _KEYS for exp in (None, 4_000_000_000)
])  # fmt: skip
_CHANGED = _URLS.flatmap(lambda url: st.tuples(st.just(url), spliced(st.just(url), _PIECES, most=2)))


def _asks(url: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return what a URL asks for, in any order and any percent-encoding, without its signature."""
    path, _, query = url.partition("?")
    pairs = [tuple(map(_decoded, pair.partition("=")[::2])) for pair in query.replace("+", " ").split("&")]
    return _decoded(path), sorted(pair for pair in pairs if pair[0] != b"s")  # type: ignore[misc]  # each has two parts


def _decoded(text: str) -> bytes:
    return unquote_to_bytes(text.encode("latin-1"))


def _check(urls: tuple[str, str]) -> None:
    signed, _ = urls
    for url in urls:
        path, _, query = url.partition("?")
        try:
            _SIGNATURES.check(path, query)
        except Forbidden as error:
            assert url != signed, error.log
        else:
            assert _asks(url) == _asks(signed), "a changed URL passed"


SIGNATURES = Target("signatures", _CHANGED, ready(_check))
