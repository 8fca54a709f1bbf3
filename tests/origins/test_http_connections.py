import ast
import threading
from collections.abc import Iterator

import pytest

from imgcdn.errors import OriginError, OriginTimeout
from tests.support import origin as at
from tests.support.fetching import BODY, DEADLINE_S, HEAD_OF_TEN, Make, fetch_error, get
from tests.support.origin import running
from tests.support.paths import PACKAGE


def test_a_request_on_a_connection_that_was_just_closed_is_sent_again_once(make: Make) -> None:
    with running({"/a.jpg": at.respond(BODY), "/b.jpg": at.in_turn(at.dropped, at.respond(BODY))}) as origin:
        fetcher = make()
        get(fetcher, origin.url("/a.jpg"))
        assert get(fetcher, origin.url("/b.jpg"))[1] == BODY
        assert (origin.connections, origin.count("/b.jpg")) == (2, 2)


def test_the_second_try_uses_a_new_connection_even_if_others_are_kept_alive(make: Make) -> None:
    both = threading.Barrier(2)

    def together(exchange: at.Exchange) -> None:
        both.wait(timeout=10)
        exchange.respond(BODY)

    def dropped_on_old(exchange: at.Exchange) -> None:
        (at.dropped if exchange.request.connection <= 2 else at.respond(BODY))(exchange)

    with running({"/a.jpg": together, "/b.jpg": dropped_on_old}) as origin:
        fetcher = make()
        threads = [threading.Thread(target=get, args=(fetcher, origin.url("/a.jpg"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert get(fetcher, origin.url("/b.jpg"))[1] == BODY
        assert [request.connection for request in origin.requests[2:]][-1] == 3


@pytest.mark.parametrize("kept_alive", [False, True])
def test_there_is_no_other_retry(make: Make, kept_alive: bool) -> None:
    with running({"/a.jpg": at.respond(BODY), "/b.jpg": at.dropped}) as origin:
        fetcher = make()
        if kept_alive:
            get(fetcher, origin.url("/a.jpg"))
        fetch_error(fetcher, origin.url("/b.jpg"), OriginError)
        assert origin.count("/b.jpg") == (2 if kept_alive else 1)


@pytest.mark.parametrize("script", [at.respond(status=500), at.half(BODY), at.respond(BODY, content_encoding="gzip")])
def test_a_request_that_got_a_response_is_not_sent_again(make: Make, script: at.Script) -> None:
    with running({"/a.jpg": at.respond(BODY), "/b.jpg": script}) as origin:
        fetcher = make()
        get(fetcher, origin.url("/a.jpg"))
        fetch_error(fetcher, origin.url("/b.jpg"), OriginError)
        assert origin.count("/b.jpg") == 1


@pytest.mark.parametrize("kept_alive", [False, True])
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(at.silent, id="no response"),
        pytest.param(at.raw(HEAD_OF_TEN + b"01234", pause_s=60), id="half a body"),
    ],
)
def test_after_a_silence_the_request_is_not_sent_again(make: Make, script: at.Script, kept_alive: bool) -> None:
    with running({"/a.jpg": at.respond(BODY), "/b.jpg": script}) as origin:
        fetcher = make(read_timeout_s=DEADLINE_S)
        if kept_alive:
            get(fetcher, origin.url("/a.jpg"))
        fetch_error(fetcher, origin.url("/b.jpg"), OriginTimeout)
        assert origin.count("/b.jpg") == 1


#: The three modules that fetch.
FETCHING = {"origins/http.py", "origins/connections.py", "origins/responses.py"}
#: The module that looks up the address to listen on.
LISTENING = {"web/listening.py"}
#: The command that asks a service which the operator names. The service itself never runs it.
COMMANDS = {"cli/purge.py"}
#: Modules that send requests, and the functions and classes that resolve names or connect.
CLIENTS = {"requests", "urllib3", "urllib.request", "http.client", "httpx", "aiohttp", "ftplib"}
DIALS = {"create_connection", "getaddrinfo", "gethostbyname", "urlopen", "urlretrieve", "HTTPConnection"}


def _names_used(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_no_other_module_of_the_package_sends_requests() -> None:
    modules = {str(path.relative_to(PACKAGE)): path for path in PACKAGE.rglob("*.py")}
    assert modules.keys() >= FETCHING
    for name in modules.keys() - FETCHING - LISTENING - COMMANDS:
        used = set(_names_used(ast.parse(modules[name].read_text("utf-8"))))
        assert not used & (CLIENTS | DIALS), name
