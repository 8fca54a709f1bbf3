"""
Removes secrets from texts for the log: the userinfo of URLs, and the values of parameters that grant access.

A log is read by more people than may fetch an original. A target of this service contains the URL of its source, once
or several times percent-encoded, so delimiters count in every encoding. All patterns are linear in the text.
"""

import re
from functools import partial
from urllib.parse import unquote

REDACTED = "***"

#: Parameters that grant access: ours (`s`), and short names that would be a part of innocent ones.
_SECRET = frozenset(["s", "sas", "code", "otp", "pin", "hash", "md5", "policy"])

#: Parameters whose name contains one of these grant access: those of object stores, CDNs and common applications. A few
#: innocent ones, such as `author`, are replaced, too. A list of whole names always lacks some.
_SECRET_PART = re.compile(
    "token|secret|sig|key|pass|pwd|auth|session|cred|bearer|jwt|hmac|ticket|sessid|accessid|hdnea|hdnts|hdntl"
)
_SECRET_PREFIXES = ("x-amz-", "x-goog-", "x-oss-", "x-cos-", "x-obs-")

#: Most times that a URL within a URL within a URL is percent-encoded.
_DEEPEST = 3

_QUOTES = r"\"'<>"
# Only white space surely ends a URL in a sentence. Quotes may be a part of a userinfo or of a value; one at the end of
# a word is left, because it closes a quotation.
_QUIT = rf"\s|[{_QUOTES}](?=\s|$)"
# Everything but a delimiter, plain or encoded: `a[token]`, `+token` and `token%20` are names that servers read.
_NAME = rf"(?:[^\s{_QUOTES}?&;#=/\\%]|%(?!(?:25)*(?:3[bdf]|2[36f]|5c)))++"
_BEFORE_A_NAME = rf"^|[?&;#/\\\s{_QUOTES}]|%(?:25)*(?:3f|26|3b|23|2f|5c)"


def _encoded(code: str, deepest: int) -> str:
    """Return a pattern for a delimiter that is percent-encoded 1 to `deepest` times."""
    return rf"%(?:25){{0,{deepest - 1}}}{code}"


def _at_depth(depth: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """
    Return the patterns of `name=` and of the end of its value, in a URL that is percent-encoded `depth` times.

    A value ends at a delimiter of its own depth or of one that encloses it. One that is encoded once more belongs to
    the value.
    """
    equals, end = "=", rf"[&#]|{_QUIT}|$"
    if depth:
        equals = f"%{'25' * (depth - 1)}3d"
        end = rf"[?&#]|{_QUIT}|{_encoded('(?:26|23)', depth)}|$"
    return re.compile(rf"(?:{_BEFORE_A_NAME})({_NAME}){equals}", re.IGNORECASE), re.compile(end, re.IGNORECASE)


_BY_DEPTH = tuple(_at_depth(depth) for depth in range(_DEEPEST + 1))
_SLASH, _BACKSLASH = r"(?:/|%(?:25)*2f)", r"(?:\\|%(?:25)*5c)"
_ANY_SLASH = rf"(?:{_SLASH}|{_BACKSLASH})"
_SCHEME = r"https?(?::|%(?:25)*3a)"
# What ends an authority: a delimiter, or the beginning of the next URL. Browsers read a backslash as a slash, other
# programs as a character of the userinfo.
_END = rf"{_SLASH}|%(?:25)*(?:3f|23)|{_SCHEME}{_BACKSLASH}*{_SLASH}|{_BACKSLASH}{_SLASH}"
# An authority is matched whether it has a userinfo or not, so it is read once. A pattern that requires the @ searches
# for it again from each later slash: 32 KB of backslashes took 20 s.
_AUTHORITY = re.compile(rf"({_SCHEME}{_ANY_SLASH}*|{_ANY_SLASH}{{2}})((?:(?!{_END})[^?#\s])++)", re.IGNORECASE)
# After plain slashes, an encoded delimiter may belong to the userinfo.
_PLAIN_AUTHORITY = re.compile(r"(//)([^/?#\s]++)")
_USERINFO = re.compile(r"\A.+(@|%(?:25)*40)", re.DOTALL)
_PLAIN_USERINFO = re.compile(r"\A.+(@)", re.DOTALL)
_PARTS_OF_A_NAME = re.compile(r"[\[\]+\s]+")


def redact(text: str) -> str:
    """
    Return a text without the secrets in its URLs.

    >>> redact("/img?url=https%3A%2F%2Fme%3Apw%40a.example%2Fb.jpg%3Ftoken%3D1%26w%3D2&w=9&s=AbC")
    '/img?url=https%3A%2F%2F***%40a.example%2Fb.jpg%3Ftoken%3D***%26w%3D2&w=9&s=***'
    >>> redact("https://me:pw@a.example/b.jpg?X-Amz-Signature=0f answered 403")
    'https://***@a.example/b.jpg?X-Amz-Signature=*** answered 403'
    """
    for names, ends in _BY_DEPTH if "%" in text else _BY_DEPTH[:1]:
        text = _without_values(text, names, ends)
    for authorities, userinfo in ((_PLAIN_AUTHORITY, _PLAIN_USERINFO), (_AUTHORITY, _USERINFO)):
        text = authorities.sub(partial(_without_userinfo, userinfo), text)
    return text


def redact_host(host: str) -> str:
    """
    Return a Host header without its userinfo, which it must not have.

    >>> redact_host("me:pw@a.example:80")
    '***@a.example:80'
    """
    _, at, rest = host.rpartition("@")
    return f"{REDACTED}@{rest}" if at else host


def _without_userinfo(userinfo: re.Pattern[str], found: re.Match[str]) -> str:
    return found[1] + userinfo.sub(rf"{REDACTED}\1", found[2])


def _without_values(text: str, names: re.Pattern[str], ends: re.Pattern[str]) -> str:
    kept: list[str] = []
    begin = at = 0
    while (found := names.search(text, at)) is not None:
        at = found.end()
        if _is_secret(found[1]):
            end = ends.search(text, at)
            assert end is not None  # `$`
            kept += [text[begin:at], REDACTED if end.start() > at else ""]
            begin = at = end.start()
    return "".join([*kept, text[begin:]])


def _is_secret(name: str) -> bool:
    for _ in range(_DEEPEST if "%" in name else 0):
        name = unquote(name)
    name = name.lower()
    if name in _SECRET or _SECRET_PART.search(name) is not None:
        return True
    return any(part in _SECRET or part.startswith(_SECRET_PREFIXES) for part in _PARTS_OF_A_NAME.split(name))
