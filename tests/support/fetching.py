"""Helpers for fetchers that fetch from real origins on loopback, through a resolver that the test controls."""

import io
from collections.abc import Callable, Mapping, Sequence

import pytest

from imgcdn.core.request.routes import Hop
from imgcdn.core.request.url import RemoteUrl
from imgcdn.core.values import Source
from imgcdn.errors import ImgcdnError
from imgcdn.origins.base import Answer, Stop, Validators
from imgcdn.origins.http import HttpFetcher
from imgcdn.origins.settings import OriginSettings
from tests.support.origin import NAME, OTHER_NAME

BODY = bytes(range(256)) * 40
#: The head of a response with ten bytes of body.
HEAD_OF_TEN = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

LOOPBACK = "127.0.0.1"
FORBIDDEN_ADDRESS = "127.0.0.2"

#: A limit that a test waits for is longer than the slowest step takes on a busy machine. If the deadline did not hold,
#: a fetch from `silent` or from a dripping script would take up to a minute.
DEADLINE_S = 0.5
SLACK_S = 2.0

#: Deadlines that no test waits for: what ends a fetch must be something else.
PATIENT = {"connect_timeout_s": 30.0, "read_timeout_s": 30.0, "fetch_timeout_s": 30.0}


class Names:
    """A resolver with prepared answers: a name gets its answers in turn, and then always the last one."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {name: list(given) for name, given in answers.items()}
        self.looked_up: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        given = self._answers.get(host)
        if given is None:
            raise OSError(f"no such name: {host}")
        return given.pop(0) if len(given) > 1 else given[0]


AT_HOME = {NAME: [[LOOPBACK]], OTHER_NAME: [[LOOPBACK]]}
#: The settings of a test's fetchers: origins may be on this machine, and no deadline is near.
ORIGIN = OriginSettings(
    allow_addresses=("127.0.0.1/32", "::1/128"), connect_timeout_s=5.0, read_timeout_s=5.0, fetch_timeout_s=10.0
)


def admit_everything(source: Source, url: RemoteUrl) -> Hop:
    return Hop()


LOOP_ID = "imgcdn-0123"
#: The prefix of a test's mount.
MOUNT = "cms"

Make = Callable[..., HttpFetcher]


def get(
    fetcher: HttpFetcher, url: str, *, validators: Validators | None = None, mounted: bool = False
) -> tuple[Answer, bytes]:
    """Fetch a URL, as an ordinary remote source or as one beneath a mount."""
    into = io.BytesIO()
    source = Source("mounted", url, mount=MOUNT) if mounted else Source("remote", url)
    answer = fetcher.fetch(source, validators, into=into, stop=Stop())
    return answer, into.getvalue()


def validators_of(answer: Answer) -> Validators | None:
    """Return the validators of a response; None for a file."""
    return Validators.of(answer.way[-1].url, answer.headers) if answer.way else None


def fetch_error(
    fetcher: HttpFetcher,
    url: str,
    error: type[ImgcdnError],
    *,
    validators: Validators | None = None,
    mounted: bool = False,
) -> ImgcdnError:
    """Fetch a URL that must fail with exactly this error, whose detail must not reveal the origin."""
    with pytest.raises(ImgcdnError) as caught:
        get(fetcher, url, validators=validators, mounted=mounted)
    assert type(caught.value) is error, caught.value.log or caught.value
    for secret in (NAME, OTHER_NAME, "127.0.0", "secret"):
        assert secret not in caught.value.detail
    return caught.value
