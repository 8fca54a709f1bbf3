"""
Removes secrets from texts for the log: the userinfo of URLs, and the values of parameters that grant access.

A log is read by more people than may fetch an original. A target of this service contains the URL of its source, once
or several times percent-encoded, so delimiters count in every encoding. All patterns are linear in the text.
"""

import re
from urllib.parse import unquote

REDACTED = "***"

#: Parameters that grant access: ours (`s`), and those of object stores, CDNs and common applications.
_SECRET = frozenset(
    [
        "s",
        "sig",
        "sign",
        "signature",
        "hmac",
        "hash",
        "key",
        "apikey",
        "api_key",
        "api-key",
        "token",
        "access_token",
        "auth_token",
        "id_token",
        "jwt",
        "auth",
        "authorization",
        "password",
        "passwd",
        "pwd",
        "secret",
        "client_secret",
        "credential",
        "policy",
        "key-pair-id",
        "awsaccesskeyid",
        "googleaccessid",
        "security-token",
        "hdnea",
        "hdnts",
        "hdntl",
        "__token__",
        "session",
        "sessionid",
    ]
)
_SECRET_PREFIXES = ("x-amz-", "x-goog-", "x-oss-", "x-cos-", "x-obs-")

#: Most times that a URL within a URL within a URL is percent-encoded.
_DEEPEST = 3

_QUIT = r"\s\"'<>"  # ends a URL in a sentence
_NAME = r"(?:[\w.~-]|%(?:25)*(?:[4-7][0-9a-f]|2d)){1,80}"
_BEFORE_A_NAME = rf"^|[?&;#{_QUIT}]|%(?:25)*(?:3f|26|3b|23)"


def _encoded(code: str, deepest: int) -> str:
    """Return a pattern for a delimiter that is percent-encoded 1 to `deepest` times."""
    return rf"%(?:25){{0,{deepest - 1}}}{code}"


def _at_depth(depth: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """
    Return the patterns of `name=` and of the end of its value, in a URL that is percent-encoded `depth` times.

    A value ends at a delimiter of its own depth or of one that encloses it. One that is encoded once more belongs to
    the value.
    """
    equals, end = "=", rf"[&#{_QUIT}]|$"
    if depth:
        equals = f"%{'25' * (depth - 1)}3d"
        end = rf"[?&#{_QUIT}]|{_encoded('(?:26|23)', depth)}|$"
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
_AUTHORITY = re.compile(rf"({_SCHEME}{_ANY_SLASH}*|{_ANY_SLASH}{{2}})((?:(?!{_END})[^?#{_QUIT}])++)", re.IGNORECASE)
_USERINFO = re.compile(r"\A.+(@|%(?:25)*40)", re.DOTALL)


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
    return _AUTHORITY.sub(lambda found: found[1] + _USERINFO.sub(rf"{REDACTED}\1", found[2]), text)


def redact_host(host: str) -> str:
    """
    Return a Host header without its userinfo, which it must not have.

    >>> redact_host("me:pw@a.example:80")
    '***@a.example:80'
    """
    _, at, rest = host.rpartition("@")
    return f"{REDACTED}@{rest}" if at else host


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
    return name.lower() in _SECRET or name.lower().startswith(_SECRET_PREFIXES)
