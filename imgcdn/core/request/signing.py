"""
Signed URLs: what a signature covers, how it is made, and how it is checked. The service, the helper and `imgcdn sign`
all use this module.

A signature is an HMAC-SHA256 over the path and all query parameters but `s`. They are percent-decoded once, and the
parameters are sorted, so a signature survives another order and another percent-encoding, and nothing else. Dialects
read a path and a parameter from the same decoded bytes, so URLs that share a signature ask for the same picture.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from imgcdn.core.request.parameters import EXPIRY, KEY_ID
from imgcdn.errors import Forbidden, InvalidParam

Pairs = Sequence[tuple[bytes, bytes]]

#: A signature has 192 bits of the HMAC. They need 32 characters in base64, without padding.
_TAG_BYTES = 24

_LEAST_KEY_BYTES = 16
# Finds a parameter whose decoded name is `s`. It saves decoding the query of every unsigned URL.
_SIGNED = re.compile(r"(?:\A|&)(?:s|%73)(?:[=&]|\Z)")
_HEX = re.compile(r"([0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """
    One key of the setting `signing_keys`.

    Args:
        kid: Its id, which `kid` in a URL names.
        secret: The bytes of the key. They appear in no text about this object.
    """

    kid: str
    secret: bytes = field(repr=False)


def parse_signing_key(text: str) -> SigningKey:
    """
    Read a key as the settings and the helper give it: KID:HEX.

    Raises:
        ValueError: It has another form, or fewer than 128 bits. The message never shows the text.

    >>> parse_signing_key("2026:000102030405060708090a0b0c0d0e0f")
    SigningKey(kid='2026')
    """
    kid, colon, digits = text.partition(":")
    hint = "; write KID:HEX, with a key from `openssl rand -hex 32`"
    if not colon:
        raise ValueError(f"has no colon between the key's id and the key{hint}")
    try:
        KEY_ID.parse(kid, "the id")
    except InvalidParam:
        raise ValueError(f"has an id that is not {KEY_ID.summary}{hint}") from None
    if not _HEX.fullmatch(digits):
        raise ValueError(f"has a key that is not an even number of hexadecimal digits{hint}")
    if len(digits) < 2 * _LEAST_KEY_BYTES:
        raise ValueError(f"has a key of {4 * len(digits)} bits; at least {8 * _LEAST_KEY_BYTES} are needed{hint}")
    return SigningKey(kid, bytes.fromhex(digits))


def sign(target: str, key: SigningKey, *, exp: int | None = None) -> str:
    """
    Return a target with `kid` and `s`, and with `exp` if it is given.

    Args:
        target: Path and query as the service routes them (without the path prefix), percent-encoded.
        exp: Unix time at which the URL expires; None for a URL that does not, or that has an `exp` already.

    Raises:
        ValueError: The target is not percent-encoded, has a parameter twice, is signed already, or has an `exp` that no
            service reads.

    >>> sign("/img/cat.jpg?w=640", parse_signing_key("k1:" + "0f" * 32))
    '/img/cat.jpg?w=640&kid=k1&s=3xIfS-hwwHQUpmuVmqrz5lbRGoqMGIXs'
    """
    path, _, query = target.partition("?")
    if not target.isascii():
        raise ValueError("has characters that must be percent-encoded")
    for name in ("kid", "s"):
        if name.encode() in dict(_pairs(query)):
            raise ValueError(f"has {name} already; sign the URL without it")
    added = [f"exp={exp}"] if exp is not None else []
    query = "&".join([*filter(None, [query]), *added, f"kid={key.kid}"])
    pairs = _pairs(query)
    if repeated := _repeated(pairs):
        raise ValueError(f"has {repeated} twice; give it once")
    _check_expiry(dict(pairs).get(b"exp"))
    return f"{path}?{query}&s={_signature(key, path, pairs).decode()}"


@dataclass(frozen=True, slots=True)
class Signatures:
    """
    The rule of one service for signatures.

    Args:
        keys: The keys whose signatures count.
        required: Whether a URL must be signed.
    """

    keys: tuple[SigningKey, ...]
    required: bool

    def check(self, path: str, query: str) -> int | None:
        """
        Check the signature of a URL. One that is given is checked even if none is required.

        Args:
            path, query: The raw path and query, one character for each byte (latin-1).

        Returns:
            The unix time at which the URL expires; None if it does not. The caller compares it with the clock at each
            request, because the result of this check may be kept.

        Raises:
            Forbidden: A signature is required and missing, or it is wrong. The cause contains no signature.
        """
        if not _SIGNED.search(query):
            if self.required:
                raise Forbidden("the URL is not signed, and require_signature is on; `imgcdn sign URL` signs it")
            return None
        pairs = _pairs(query)
        given = dict(pairs)
        if repeated := _repeated(pairs):
            raise Forbidden(f"the URL is signed and has {repeated} twice")
        expected = _signature(self._key(given.get(b"kid")), path, pairs)
        if not hmac.compare_digest(expected, given[b"s"]):
            raise Forbidden("the signature is wrong: the URL was changed after it was signed, or another key signed it")
        return _expiry(given.get(b"exp"))

    def _key(self, kid: bytes | None) -> SigningKey:
        if not self.keys:
            raise Forbidden("the URL is signed, but signing_keys is empty")
        if kid is None:
            raise Forbidden("the URL is signed, but names no key (kid)")
        for key in self.keys:
            if key.kid.encode() == kid:
                return key
        raise Forbidden(f"the URL is signed with the key {_shown(kid)}, which is not in signing_keys")


def _pairs(query: str) -> list[tuple[bytes, bytes]]:
    """Split and decode a query as the dialects do. An empty pair counts, so adding one breaks the signature."""
    written = [pair.replace("+", " ").partition("=") for pair in query.split("&")] if query else []
    return [(_decoded(name), _decoded(value)) for name, _, value in written]


def _decoded(raw: str) -> bytes:
    return unquote_to_bytes(raw.encode("latin-1"))


def _repeated(pairs: Pairs) -> str:
    """
    Return the name of a parameter that is given twice; empty if there is none.

    Some dialects take the first of two. A signature does not cover the order, so swapping two values of one name would
    not break it.
    """
    seen: set[bytes] = set()
    for name, _ in pairs:
        if name in seen:
            return _shown(name)
        seen.add(name)
    return ""


def _signature(key: SigningKey, path: str, pairs: Pairs) -> bytes:
    signed = sorted(pair for pair in pairs if pair[0] != b"s")
    parts = [_decoded(path), *(part for pair in signed for part in pair)]
    # Each part has its length in front, so different lists of parts give different messages.
    message = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return urlsafe_b64encode(hmac.digest(key.secret, message, "sha256")[:_TAG_BYTES])


def _check_expiry(exp: bytes | None) -> None:
    try:
        _expiry(exp)
    except Forbidden as error:
        raise ValueError(f"has an exp that is not {EXPIRY.summary}, of at most 12 digits; correct it") from error


def _expiry(exp: bytes | None) -> int | None:
    if exp is None:
        return None
    try:
        return EXPIRY.parse(exp.decode("latin-1"), "exp")
    except InvalidParam as error:
        raise Forbidden(f"the URL is signed, but {error.detail}") from error


def _shown(name: bytes) -> str:
    """Return a name for a log line or a message, cut."""
    return repr(name[:64].decode("latin-1"))
