import hmac
import random
from base64 import urlsafe_b64encode
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imgcdn.core.request.signing import Signatures, SigningKey, parse_signing_key, sign
from imgcdn.errors import Forbidden

SECRET = "00112233445566778899aabbccddeeff"
KEY = parse_signing_key(f"2026:{SECRET}")
OLD = parse_signing_key(f"2025:{SECRET[::-1]}")
RULE = Signatures((KEY, OLD), required=True)
LENIENT = Signatures((KEY, OLD), required=False)


def expiry(target: str, rule: Signatures = RULE) -> int | None:
    path, _, query = target.partition("?")
    return rule.check(path, query)


def cause(target: str, rule: Signatures = RULE) -> str:
    with pytest.raises(Forbidden) as caught:
        expiry(target, rule)
    return caught.value.log


def test_a_signature_is_the_documented_one() -> None:
    # The example of docs/signing.md. Another value breaks every URL that is signed already.
    assert sign("/img/cat%20photo.jpg?w=640&fm=webp", KEY, exp=1_900_000_000) == (
        "/img/cat%20photo.jpg?w=640&fm=webp&exp=1900000000&kid=2026&s=7zq1iBt1Pet6ZQA-uTPMu2r0QUsbn6ng"
    )


@pytest.mark.parametrize(
    ("target", "exp", "expected"),
    [
        pytest.param("/img/a.jpg", None, None, id="no query"),
        pytest.param("/img/a.jpg?", None, None, id="an empty query"),
        pytest.param("/img/a.jpg?w=9", 77, 77, id="an expiry"),
        pytest.param("/img/a.jpg?exp=77&w=9", None, 77, id="an expiry in the target"),
        pytest.param("/img?url=https%3A%2F%2Fa.test%2Fb%3Fc%3Dd%26e&w=9", None, None, id="a source in the query"),
        pytest.param("/.netlify/images?url=/a.jpg&x=y", None, None, id="an unknown parameter"),
        pytest.param("/img/a.jpg?w", None, None, id="a parameter without a value"),
    ],
)
def test_what_is_signed_is_accepted(target: str, exp: int | None, expected: int | None) -> None:
    for key in (KEY, OLD):
        assert expiry(sign(target, key, exp=exp)) == expected


SIGNED = sign("/img/a%20b/c.jpg?w=640&bg=fff&dl=a+b&exp=1900000000", KEY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("w=640&bg=fff", "bg=fff&w=640", id="another order"),
        pytest.param("a%20b", "%61%20%62", id="letters of the path, encoded"),
        pytest.param("b/c", "b%2fc", id="a slash of the path, encoded"),
        pytest.param("a+b", "a%20b", id="a space in the query, encoded"),
        pytest.param("w=640", "%77=%3640", id="a name and a value, encoded"),
        pytest.param("&s=", "&%73=", id="the name of the signature, encoded"),
    ],
)
def test_a_signature_survives_another_order_and_another_encoding(old: str, new: str) -> None:
    assert old in SIGNED
    assert expiry(SIGNED.replace(old, new)) == 1_900_000_000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("w=640", "w=641", id="a value"),
        pytest.param("w=640", "h=640", id="a name"),
        pytest.param("w=640", "width=640", id="an alias"),
        pytest.param("w=640", "W=640", id="the case of a name"),
        pytest.param("bg=fff", "bg=FFF", id="the case of a value"),
        pytest.param("&bg=fff", "", id="a parameter less"),
        pytest.param("bg=fff", "bg=fff&h=9", id="a parameter more"),
        pytest.param("bg=fff", "bg=fff&", id="an empty parameter"),
        pytest.param("w=640&bg=fff", "w=640%26bg=fff", id="two parameters made one"),
        pytest.param("/img/", "/img//", id="a slash more"),
        pytest.param("/img/", "/./img/", id="a dot segment"),
        pytest.param("/img/", "/IMG/", id="the case of the path"),
        pytest.param("/img/", "/x/img/", id="a path before it"),
        pytest.param("c.jpg", "C.jpg", id="the case of the source"),
        pytest.param("c.jpg", "d.jpg", id="the source"),
        pytest.param("c.jpg?", "c.jpg%3F", id="the question mark, encoded"),
        pytest.param("%20b", "%2520b", id="encoded twice"),
        pytest.param("a%20b", "a+b", id="a plus in the path, which is no space there"),
        pytest.param("exp=1900000000", "exp=1900000001", id="a later expiry"),
        pytest.param("&exp=1900000000", "", id="no expiry"),
        pytest.param("kid=2026", "kid=2025", id="another key"),
    ],
)
def test_any_other_change_breaks_a_signature(old: str, new: str) -> None:
    assert SIGNED.count(old) == 1
    # As an encoded question mark takes the query away, the signature may be missing.
    assert "the signature is wrong" in cause(SIGNED.replace(old, new)) or "%3F" in new


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/img/a.jpg?w=9", "the URL is not signed, and require_signature is on", id="no signature"),
        pytest.param("/img/a.jpg?w=9&kid=2026&exp=9", "the URL is not signed", id="expiry and key alone"),
        pytest.param("/img/a.jpg?S=abc", "the URL is not signed", id="an upper-case s"),
        pytest.param("/img/a.jpg?s=abc", "names no key (kid)", id="no key"),
        pytest.param("/img/a.jpg?kid=2024&s=abc", "signed with the key '2024', which is not in", id="unknown key"),
        pytest.param("/img/a.jpg?kid=2026&s=", "the signature is wrong", id="an empty signature"),
        pytest.param("/img/a.jpg?kid=2026&s=%00%ff", "the signature is wrong", id="a signature of other bytes"),
        pytest.param("/img/a.jpg?kid=2026&s=a&s=b", "has 's' twice", id="two signatures"),
        pytest.param("/img/a.jpg?kid=2026&s=a&w=1&%77=2", "has 'w' twice", id="a parameter twice"),
    ],
)
def test_an_unsigned_or_badly_signed_url_is_refused(target: str, expected: str) -> None:
    assert expected in cause(target)


def test_a_parameter_that_is_given_twice_has_no_signature() -> None:
    # Some dialects take the first one, and a signature does not tell which it is.
    with pytest.raises(ValueError, match="has 'url' twice"):
        sign("/.netlify/images?url=/a.jpg&url=/b.jpg", KEY)


def test_an_unsigned_url_passes_unless_a_signature_is_required() -> None:
    assert expiry("/img/a.jpg?w=9", LENIENT) is None
    assert "the signature is wrong" in cause("/img/a.jpg?w=9&kid=2026&s=abc", LENIENT)
    assert "signing_keys is empty" in cause(sign("/img/a.jpg", KEY), Signatures((), required=False))


@given(query=st.text(alphabet="s%73=&+aS", max_size=12))
def test_a_signature_is_found_under_every_spelling_of_its_name(query: str) -> None:
    names = [unquote_to_bytes(pair.partition("=")[0]) for pair in query.split("&")]

    if b"s" in names:
        assert cause(f"/img/a.jpg?{query}", LENIENT)
    else:
        assert expiry(f"/img/a.jpg?{query}", LENIENT) is None


def test_a_key_that_was_removed_signs_nothing_any_more() -> None:
    signed = sign("/img/a.jpg", OLD)

    assert expiry(signed) is None
    assert "'2025', which is not in signing_keys" in cause(signed, Signatures((KEY,), required=True))


def test_the_same_key_id_with_another_secret_is_refused() -> None:
    assert "the signature is wrong" in cause(sign("/img/a.jpg", SigningKey("2026", OLD.secret)))


def test_an_expiry_that_is_no_time_is_refused() -> None:
    message = b"10:/img/a.jpg3:exp4:soon3:kid4:2026"
    signature = urlsafe_b64encode(hmac.digest(KEY.secret, message, "sha256"))[:32].decode()

    assert "exp must be a unix time" in cause(f"/img/a.jpg?exp=soon&kid=2026&s={signature}")


@pytest.mark.parametrize(
    ("target", "exp"),
    [
        pytest.param("/img/a.jpg?exp=soon", None, id="no number"),
        pytest.param("/img/a.jpg?exp=", None, id="empty"),
        pytest.param("/img/a.jpg?%65xp=-1", None, id="negative, and its name encoded"),
        pytest.param("/img/a.jpg", 10**12, id="too many digits"),
        pytest.param("/img/a.jpg", -1, id="a negative argument"),
    ],
)
def test_a_url_whose_exp_no_service_reads_is_not_signed(target: str, exp: int | None) -> None:
    with pytest.raises(ValueError, match="has an exp that is not a unix time in seconds, of at most 12 digits"):
        sign(target, KEY, exp=exp)


def test_the_cause_repeats_no_signature() -> None:
    signature = SIGNED.partition("&s=")[2]

    assert signature not in cause(SIGNED.replace("640", "641"))


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        pytest.param("/img/ü.jpg", "must be percent-encoded", id="not ASCII"),
        pytest.param("/img/a.jpg?s=x", "has s already", id="signed already"),
        pytest.param("/img/a.jpg?%6Bid=x", "has kid already", id="with a key"),
        pytest.param("/img/a.jpg?exp=1", "has 'exp' twice", id="with an expiry"),
    ],
)
def test_a_target_that_cannot_be_signed_is_refused(target: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sign(target, KEY, exp=9)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "has no colon", id="nothing"),
        pytest.param(SECRET, "has no colon", id="no id"),
        pytest.param(f":{SECRET}", "has an id that is not up to 64 letters", id="an empty id"),
        pytest.param(f"a b:{SECRET}", "has an id that is not", id="a space in the id"),
        pytest.param(f"{'a' * 65}:{SECRET}", "has an id that is not", id="a long id"),
        pytest.param(f"a:{SECRET[:-1]}", "not an even number of hexadecimal digits", id="half a byte"),
        pytest.param(f"a: {SECRET}", "hexadecimal digits", id="a space"),
        pytest.param(f"a:{SECRET}\n", "hexadecimal digits", id="a line end"),
        pytest.param("a:" + "g" * 32, "hexadecimal digits", id="other letters"),
        pytest.param(f"a:{SECRET[2:]}", "has a key of 120 bits; at least 128 are needed", id="120 bits"),
    ],
)
def test_an_invalid_key_is_refused_without_being_shown(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        parse_signing_key(text)

    assert SECRET[2:-1] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_does_not_show_its_secret() -> None:
    assert repr(KEY) == str(KEY) == "SigningKey(kid='2026')"


# Texts beside bytes: most changes that matter are near delimiters.
_PIECES = st.one_of(st.binary(max_size=5), st.text(alphabet="/&=?+% .as", max_size=6).map(str.encode))
_NAMES = _PIECES.filter(lambda name: name not in (b"kid", b"s", b"exp"))


def spelled(path: bytes, pairs: list[tuple[bytes, bytes]], chance: random.Random) -> str:
    """Write a URL in one of its spellings: the parameters in any order, any character percent-encoded."""
    query = "&".join(
        f"{_encoded(name, chance, '', plus=True)}={_encoded(value, chance, '=', plus=True)}"
        for name, value in chance.sample(pairs, len(pairs))
    )
    return f"{_encoded(path, chance, '/&=+')}?{query}"


def _encoded(piece: bytes, chance: random.Random, bare: str, *, plus: bool = False) -> str:
    def one(byte: int) -> str:
        if plus and byte == 0x20 and chance.random() < 0.5:
            return "+"
        needed = quote_from_bytes(bytes([byte]), safe=bare)
        if len(needed) == 1 and chance.random() < 0.7:
            return needed
        return chance.choice([f"%{byte:02x}", f"%{byte:02X}"])

    return "".join(map(one, piece))


def meaning(target: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the decoded path, and the decoded parameters in a fixed order. An empty pair counts."""
    path, _, query = target.partition("?")
    pairs = [pair.replace("+", " ").partition("=") for pair in query.split("&")]
    return unquote_to_bytes(path), sorted((unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs)


@given(
    path=_PIECES,
    pairs=st.lists(st.tuples(_NAMES, _PIECES), max_size=4, unique_by=lambda pair: pair[0]),
    seed=st.randoms(),
)
def test_every_spelling_of_a_url_keeps_its_signature(
    path: bytes, pairs: list[tuple[bytes, bytes]], seed: random.Random
) -> None:
    signed = sign(spelled(b"/img/" + path, pairs, seed), KEY)
    signature = signed.rpartition("&s=")[2]

    again = spelled(b"/img/" + path, [*pairs, (b"kid", b"2026"), (b"s", signature.encode())], seed)
    # Without parameters, the query of the first was empty.
    assert expiry(again) is None


@given(
    path=_PIECES,
    pairs=st.lists(st.tuples(_NAMES, _PIECES), min_size=1, max_size=4, unique_by=lambda pair: pair[0]),
    at=st.integers(min_value=0),
    change=st.sampled_from(["insert", "replace", "remove"]),
    letter=st.sampled_from("/&=?+%.asAS0w2ñ"),
    seed=st.randoms(),
)
def test_a_change_of_one_character_keeps_a_signature_only_if_it_means_the_same(  # drawn by hypothesis
    path: bytes, pairs: list[tuple[bytes, bytes]], at: int, change: str, letter: str, seed: random.Random
) -> None:
    signed = sign(spelled(b"/img/" + path, pairs, seed), KEY, exp=1_900_000_000)
    at %= len(signed)
    kept = {"insert": signed[at:], "replace": signed[at + 1 :], "remove": signed[at + 1 :]}[change]
    changed = signed[:at] + ("" if change == "remove" else letter) + kept
    assume(changed != signed)

    if meaning(changed) == meaning(signed):
        assert expiry(changed) == 1_900_000_000
    else:
        assert cause(changed)
