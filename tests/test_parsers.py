"""
No parser takes long over a text that somebody else chose: all run on the event loop, where every hit waits for them.

The times of texts of a quarter, half and all of a parser's greatest length are compared as ratios, because machines
differ: from half to all, a linear parser takes 2 times as long, a quadratic one 4 times.
"""

import ast
from pathlib import Path

import pytest

from tests.support.parsers import PARSERS, Parser, seconds
from tests.support.paths import PACKAGE

#: Above the 2 of a linear parser and below the 4 of a quadratic one.
_MOST_GROWTH = 3.2

#: Shorter times are noise, and harmless.
_FLOOR_S = 0.000_5

#: No parse may take longer, on a machine that is several times as slow as a laptop.
_MOST_S = 0.02

_RUNS = 5

#: A text is too slow only if it is so each time. A machine that does other work may be slow once.
_ATTEMPTS = 3

_by_name = pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)


def _is_slower(parser: Parser, text: str, *, than: str, times: float) -> bool:
    """Tell whether a text takes more than so many times as long as another."""
    if seconds(parser, text, runs=1) < _FLOOR_S:
        return False
    for _ in range(_ATTEMPTS):
        taken = seconds(parser, text, runs=_RUNS)
        if taken < _FLOOR_S or taken < times * seconds(parser, than, runs=_RUNS):
            return False
    return True


def _is_slow(parser: Parser, text: str) -> bool:
    return all(seconds(parser, text, runs=1) > _MOST_S for _ in range(_RUNS))


@_by_name
def test_the_time_of_a_parse_is_linear_and_short(parser: Parser) -> None:
    quadratic, slow = [], []
    for label, text in parser.texts():
        quarter, half, whole = (text(parser.length // part) for part in (4, 2, 1))
        if any(_is_slower(parser, b, than=a, times=_MOST_GROWTH) for a, b in ((half, whole), (quarter, half))):
            quadratic.append(label)
        if _is_slow(parser, whole):
            slow.append(label)

    assert (quadratic, slow) == ([], [])


@pytest.mark.parametrize("parser", [each for each in PARSERS if each.beyond], ids=lambda parser: parser.name)
def test_a_text_above_the_greatest_length_costs_no_more(parser: Parser) -> None:
    slow = [
        label
        for label, text in parser.texts()
        if _is_slower(parser, text(parser.beyond), than=text(parser.length), times=_MOST_GROWTH)
    ]

    assert slow == []


#: Modules that take texts apart and are not in the table -> why they need not be.
NOT_LISTED = {
    "config": "settings, read at the start",
    "origins/entries": "settings, read at the start",
    "origins/http": "validators that an origin sent, of at most 1,000 characters, in the thread of a fetch",
    "origins/responses": "a head of at most 64 KB, and chunks with a limit of their own, in the thread of a fetch",
    "store/layout": "names of our own files",
    "web/listening": "settings, read at the start",
    "origins/fetching": "a path of our own",
    "service/key_locks": "bytes of the kernel",
    "store/opening": "the path of a file, in a thread; a name of more than 4,096 bytes is an error of the kernel",
    "store/survey": "names of our own files, in a thread",
    "web/endpoints/static": "names of our own files",
    "web/pages/__init__": "a target, in a thread of the pages",
    "web/pages/welcome": "names of the operator's files, in a thread of the pages",
    "web/wsgi": "a number of at most nine digits, in a thread of the server",
}

#: What takes texts apart: modules, methods and functions.
_MODULES = {"re", "difflib"}
_METHODS = {"split", "rsplit", "partition", "rpartition", "splitlines", "loads", "unpack", "unpack_from"}
_FUNCTIONS = {"unquote", "unquote_to_bytes", "urljoin", "urlsplit", "parse_qsl", "ip_address", "ip_network"}

#: Rooms that no text of a client or an origin reaches on the event loop.
_ELSEWHERE = {
    "cli": "the command line",
    "engine": "render children, which may be killed",
    "markup": "the helper, which runs in the application that calls it",
    "renderers": "jobs and results between our own processes",
}


def _takes_texts_apart(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import) and any(alias.name in _MODULES for alias in node.names):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            return True
    return False


def test_every_module_that_takes_texts_apart_is_in_the_table() -> None:
    modules = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PACKAGE.rglob("*.py")}
    parsing = {name for name, path in modules.items() if _takes_texts_apart(path)}
    here = {name for name in parsing if name.partition("/")[0] not in _ELSEWHERE}
    listed = {parser.module for parser in PARSERS}

    assert here - listed == set(NOT_LISTED)
    assert not listed & set(NOT_LISTED)
