"""
Everything that can go wrong, split by whose fault it is.

```
ImgcdnError
|- RequestError             the request is at fault
|   |- BadRequest               400  bad-request
|   |- InvalidParam             400  invalid-param
|   |- Unauthorized             401  unauthorized
|   |- Forbidden                403  forbidden
|   |- SourceNotFound           404  source-not-found
|   |   `- SourceWithheld
|   |- MethodNotAllowed         405  method-not-allowed
|   |- ContentTooLarge          413  content-too-large
|   |- TargetTooLong            414  url-too-long
|   |- RangeNotSatisfiable      416  range-not-satisfiable
|   |- ExpectationFailed        417  expectation-failed
|   |- OverBudget               429  over-budget
|   |- HeadersTooLarge          431  headers-too-large
|   `- UnknownVersion           505  unknown-version
|- ImageError               the original is at fault
|   |- ImageTooLarge            413  image-too-large
|   |- UnsupportedImage         415  unsupported-image
|   |- CorruptImage             422  corrupt-image
|   |- RenderFailed             422  render-failed
|   `- TooCostly                422  too-costly
|- OriginError              502  origin-error        the origin is at fault
|   |- OriginBusy               503  origin-busy
|   `- OriginTimeout            504  origin-timeout
|- Overloaded               503  overloaded          we are at fault
|- RenderTimeout            504  render-timeout
|- InternalError            500  internal-error
|- ConfigError              start-up only: the settings
`- ListenError              start-up only: the address
```

`detail` is for the client: it says what to do next and names no path or address. `log` is for the
operator. Each argument of an error's `__init__` has a type and is an attribute of the same name, since render children
send errors to their parent (`renderers/shapes.py`).
"""

import re
from collections.abc import Collection
from typing import ClassVar

#: The text for the log may contain URLs of clients and origins. It also goes into negative entries.
MAX_LOG_LENGTH = 1_000

#: Seconds after which an origin that failed is asked again, if it does not say when.
ORIGIN_PAUSE_S = 2


#: Where a word or a parameter begins, and a URL that was cut before its host ended, in any encoding.
_WHOLE_WORD = re.compile(r"[\s&]")
_CUT_AUTHORITY = re.compile(r"(?:/|%(?:25)*2f){2}(?:(?!/|%(?:25)*2f)\S)*+\Z", re.IGNORECASE)


class ImgcdnError(Exception):
    """Base of every error this package raises on purpose."""

    status: ClassVar[int]
    slug: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, *, log: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.log = _without_middle(log)
        #: The status that the URL's dialect gives; None if the error did not come from a dialect.
        self.dialect_status: int | None = None

    @property
    def http_status(self) -> int:
        """The status of the response."""
        return self.dialect_status or self.status

    @property
    def members(self) -> dict[str, str | float]:
        """Extra members of the problem document (RFC 9457, section 3.2)."""
        return {}

    @property
    def retry_after_s(self) -> int | None:
        """Seconds after which the client may try again; None if a retry cannot help."""
        return None


class RequestError(ImgcdnError):
    """The request is at fault: the same request will fail again."""


class BadRequest(RequestError):
    """The request breaks a rule of HTTP/1.1 (RFC 9112)."""

    status = 400
    slug = "bad-request"
    title = "The request is malformed"


class InvalidParam(RequestError):
    """
    A query parameter is unknown, repeated, empty or out of range.

    Args:
        detail: What the parameter accepts.
        param: The name as the client wrote it if the name itself is wrong; otherwise the name that the dialect lists.
        nearest: The closest name or value that would be accepted.
    """

    status = 400
    slug = "invalid-param"
    title = "A parameter is not valid"

    def __init__(self, detail: str, *, param: str = "", nearest: str = "") -> None:
        super().__init__(detail)
        self.param = param
        self.nearest = nearest

    @property
    def members(self) -> dict[str, str | float]:
        named = {"param": self.param, "nearest": self.nearest}
        return {name: value for name, value in named.items() if value}


class Unauthorized(RequestError):
    """The request needs the operator's token, and has none or a wrong one (RFC 9110, section 15.5.2)."""

    status = 401
    slug = "unauthorized"
    title = "This request needs a token"


class Forbidden(RequestError):
    """
    This URL is not allowed. Every cause has the same public text, so that the text reveals nothing of the network: the
    source is not allowed, a signature is missing, wrong or expired, or the service asked itself.

    Args:
        log: The reason, for the log alone.
    """

    status = 403
    slug = "forbidden"
    title = "This URL is not allowed"

    def __init__(self, log: str = "") -> None:
        detail = "The service does not serve this URL. Its operator finds the reason in the log, under the request id."
        super().__init__(detail, log=log)


class SourceNotFound(RequestError):
    """There is no such original."""

    status = 404
    slug = "source-not-found"
    title = "There is no such image"


class SourceWithheld(SourceNotFound):
    """
    The origin does not give the original to us: it said 401, 403 or 451.

    For the client it is not there, and its response tells no more. What is stored of it stays, because the refusal may
    end: a credential has expired, or a rule of the origin is wrong.
    """


class MethodNotAllowed(RequestError):
    """
    The path does not support this method.

    Args:
        detail: Which method to use.
        allowed: The methods that the path supports.
    """

    status = 405
    slug = "method-not-allowed"
    title = "This method is not supported"

    def __init__(self, detail: str, *, allowed: tuple[str, ...] = ("GET", "HEAD", "OPTIONS")) -> None:
        super().__init__(detail)
        self.allowed = allowed


class ContentTooLarge(RequestError):
    """The request has a body that is longer than the service reads, or whose length is not known beforehand."""

    status = 413
    slug = "content-too-large"
    title = "The request's body is too large"


class TargetTooLong(RequestError):
    """The request target is longer than the service reads."""

    status = 414
    slug = "url-too-long"
    title = "The URL is too long"


class RangeNotSatisfiable(RequestError):
    """
    The request asks for bytes that the image does not have (RFC 9110, section 15.5.17).

    Args:
        detail: The public text.
        length: How many bytes the image has.
    """

    status = 416
    slug = "range-not-satisfiable"
    title = "The image has no such bytes"

    def __init__(self, detail: str, *, length: int = 0) -> None:
        super().__init__(detail)
        self.length = length


class ExpectationFailed(RequestError):
    """The request has an `Expect` other than `100-continue` (RFC 9110, section 10.1.1)."""

    status = 417
    slug = "expectation-failed"
    title = "The expectation cannot be met"


class HeadersTooLarge(RequestError):
    """The request's headers are too long or too many (RFC 6585, section 5)."""

    status = 431
    slug = "headers-too-large"
    title = "The request's headers are too large"


class UnknownVersion(RequestError):
    """The request is in a version of HTTP that the service does not speak."""

    status = 505
    slug = "unknown-version"
    title = "This version of HTTP is not supported"


class OverBudget(RequestError):
    """
    The client, or the source, has had as many new variants rendered as the settings allow for a while.

    Args:
        detail: The public text.
        log: Which budget is used up.
        after_s: Seconds after which the client may try again.
    """

    status = 429
    slug = "over-budget"
    title = "Too many new images"

    def __init__(self, detail: str, *, log: str = "", after_s: int = 60) -> None:
        super().__init__(detail, log=log)
        self.after_s = after_s

    @property
    def retry_after_s(self) -> int | None:
        return self.after_s


class ImageError(ImgcdnError):
    """The original is at fault: another URL for it will not help."""


class ImageTooLarge(ImageError):
    """
    The original has more bytes or pixels than a limit allows. This is checked before anything is decoded.

    Args:
        detail: The public text.
        limit: The configured limit.
        unit: What is counted: "bytes" or "pixels".
    """

    status = 413
    slug = "image-too-large"
    title = "The original is too large"

    def __init__(self, detail: str, *, limit: int = 0, unit: str = "") -> None:
        super().__init__(detail)
        self.limit = limit
        self.unit = unit

    @classmethod
    def for_pixels(cls, limit: int) -> "ImageTooLarge":
        """Return the error for an original with more pixels than `max_pixels`."""
        detail = f"The original has more than {limit:,} pixels; make it smaller before it is served."
        return cls(detail, limit=limit, unit="pixels")

    @property
    def members(self) -> dict[str, str | float]:
        return {"limit": self.limit, "unit": self.unit}


class UnsupportedImage(ImageError):
    """The original is not an image, or has a format that is not supported."""

    status = 415
    slug = "unsupported-image"
    title = "The original is not a supported image"

    @classmethod
    def for_kind(cls, kind: str | None, refused: Collection[str] = ()) -> "UnsupportedImage":
        """
        Return the error for an original.

        Args:
            kind: What its first bytes are; None if they are not known.
            refused: Supported formats that the settings refuse.
        """
        found = f"The original is {kind}" if kind else "The original is not an image of a known format"
        offered = [name for name in ("JPEG", "PNG", "GIF", "WebP", "AVIF") if name.lower() not in refused]
        return cls(f"{found}; {', '.join(offered[:-1])} and {offered[-1]} are supported.")


class CorruptImage(ImageError):
    """The original has a supported format but cannot be decoded."""

    status = 422
    slug = "corrupt-image"
    title = "The original does not decode"

    @classmethod
    def for_partial(cls) -> "CorruptImage":
        """Return the error for an original that ends early, where the settings refuse such originals."""
        return cls("The original ends early, so a part of the picture is missing; export or upload it again.")


class RenderFailed(ImageError):
    """The render crashed or exceeded a limit. Other variants of the original may succeed."""

    status = 422
    slug = "render-failed"
    title = "This variant cannot be rendered"


class TooCostly(ImageError):
    """
    The variant would take far longer than its deadline. This is estimated before anything is decoded.

    Args:
        detail: The public text.
        limit: Seconds that an estimate may have.
    """

    status = 422
    slug = "too-costly"
    title = "This variant would take too long"

    def __init__(self, detail: str, *, limit: float = 0.0) -> None:
        super().__init__(detail)
        self.limit = limit

    @property
    def members(self) -> dict[str, str | float]:
        return {"limit": int(self.limit) if self.limit.is_integer() else self.limit, "unit": "seconds"}


class OriginError(ImgcdnError):
    """
    The origin did not give the original: it refused, failed, or sent what cannot be used.

    Args:
        detail: The public text; it quotes nothing from the origin.
        origin_status: Status of the origin's response; None if there was none.
        origin_retry_after_s: Seconds to wait, from the origin's Retry-After; None if it sent none.
    """

    status = 502
    slug = "origin-error"
    title = "The origin did not deliver the image"

    def __init__(
        self,
        detail: str,
        *,
        log: str = "",
        origin_status: int | None = None,
        origin_retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail, log=log)
        self.origin_status = origin_status
        self.origin_retry_after_s = origin_retry_after_s

    @classmethod
    def for_folder(cls, log: str) -> "OriginError":
        """Return the error for a file that may be there but cannot be read, because of its disk or permissions."""
        return cls("The folder of the originals cannot be read.", log=log)

    @property
    def retry_after_s(self) -> int | None:
        return self.origin_retry_after_s


class OriginBusy(OriginError):
    """The origin has had too many requests for a while: it said 429."""

    status = 503
    slug = "origin-busy"
    title = "The origin is busy"

    @property
    def retry_after_s(self) -> int | None:
        return self.origin_retry_after_s or ORIGIN_PAUSE_S


class OriginTimeout(OriginError):
    """The origin took longer than its deadline."""

    status = 504
    slug = "origin-timeout"
    title = "The origin took too long"


class Overloaded(ImgcdnError):
    """
    The service cannot do this in time, or it is shutting down.

    Args:
        detail: The public text.
        after_s: Seconds after which the client may try again.
    """

    status = 503
    slug = "overloaded"
    title = "The service is busy"

    def __init__(self, detail: str, *, after_s: int = 1) -> None:
        super().__init__(detail)
        self.after_s = after_s

    @classmethod
    def at_shutdown(cls) -> "Overloaded":
        """Return the error for work that ends with the process."""
        return cls("The service is shutting down. Try again in a second.")

    @property
    def retry_after_s(self) -> int | None:
        return self.after_s


class RenderTimeout(ImgcdnError):
    """The picture was not ready before a deadline: that of the render, which is then killed, or that of the request."""

    status = 504
    slug = "render-timeout"
    title = "Rendering took too long"


class InternalError(ImgcdnError):
    """We broke. The log has the traceback."""

    status = 500
    slug = "internal-error"
    title = "The service made a mistake"


class ConfigError(ImgcdnError):
    """
    The settings cannot work. Raised before anything listens.

    Args:
        problems: Every mistake found, one sentence each.
    """

    def __init__(self, problems: tuple[str, ...] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else problems
        super().__init__("\n".join(self.problems))


class ListenError(ImgcdnError):
    """The service cannot listen on its address."""


def _without_middle(text: str) -> str:
    """
    Shorten a text for the log. Both ends stay, because a URL is often followed by what happened to it.

    Secrets are removed later, by the name before them and by what encloses them. So the end begins with a whole word or
    parameter, and the beginning does not end within the authority of a URL.

    >>> _without_middle("https://a.test/?token=" + 1_000 * "x" + " answered 403")[-20:]
    ' [...]  answered 403'
    """
    if len(text) <= MAX_LOG_LENGTH:
        return text
    end = MAX_LOG_LENGTH // 4
    gap = " [...] "
    begin = _CUT_AUTHORITY.sub("", text[: MAX_LOG_LENGTH - end - len(gap)])
    whole = _WHOLE_WORD.search(text, len(text) - end)
    return begin + gap + (text[whole.start() :] if whole else "")


def public_errors() -> list[type[ImgcdnError]]:
    """Return every error that a client can be sent, that is every one with a slug of its own, ordered by status."""

    def below(kind: type[ImgcdnError]) -> list[type[ImgcdnError]]:
        return [found for child in kind.__subclasses__() for found in (child, *below(child))]

    return sorted((e for e in below(ImgcdnError) if "slug" in vars(e)), key=lambda e: (e.status, e.slug))
