import re
from copy import copy

import pytest

from imgcdn import errors
from imgcdn.core.redaction import redact
from imgcdn.errors import (
    MAX_LOG_LENGTH,
    ORIGIN_PAUSE_S,
    BadRequest,
    ConfigError,
    ContentTooLarge,
    CorruptImage,
    ExpectationFailed,
    Forbidden,
    HeadersTooLarge,
    ImageTooLarge,
    ImgcdnError,
    InternalError,
    InvalidParam,
    ListenError,
    MethodNotAllowed,
    OriginBusy,
    OriginError,
    OriginTimeout,
    OverBudget,
    Overloaded,
    RangeNotSatisfiable,
    RenderFailed,
    RenderTimeout,
    SourceNotFound,
    TargetTooLong,
    TooCostly,
    Unauthorized,
    UnknownVersion,
    UnsupportedImage,
    public_errors,
)

EXAMPLES = [
    BadRequest("send one Host header", log="Invalid header token"),
    ContentTooLarge("at most 64 KB"),
    ExpectationFailed("send no Expect"),
    RangeNotSatisfiable("it has 5 bytes", length=5),
    HeadersTooLarge("at most 32 KB"),
    UnknownVersion("use HTTP/1.1"),
    ListenError("the port is taken"),
    InvalidParam("w must be an integer", param="w", nearest="1"),
    Unauthorized("send the token", log="no token was sent"),
    Forbidden("the allowlist has no such host"),
    SourceNotFound("there is no such image", log="/srv/photos/a.jpg"),
    MethodNotAllowed("use GET"),
    TargetTooLong("at most 8,000 bytes"),
    ImageTooLarge("at most 64 megapixels", limit=64_000_000, unit="pixels"),
    UnsupportedImage("this is a PDF", log="%PDF-1.7"),
    CorruptImage("it ends early", log="broken data stream"),
    RenderFailed("the encoder crashed"),
    OriginError("it failed", log="192.0.2.7 answered 500", origin_status=500),
    OriginTimeout("it is slow", log="192.0.2.7 said nothing"),
    OriginBusy("it is busy", log="192.0.2.7 answered 429", origin_status=429, origin_retry_after_s=9),
    Overloaded("try again", after_s=7),
    OverBudget("too many new images", after_s=9),
    TooCostly("it would take more than 10 s", limit=10.0),
    RenderTimeout("it took more than 10 s"),
    InternalError("we broke", log="a bug"),
    ConfigError(("one mistake", "another")),
]

by_class = pytest.mark.parametrize("error", [pytest.param(error, id=type(error).__name__) for error in EXAMPLES])
public = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.slug) for kind in public_errors()])


def our_errors() -> dict[str, type[ImgcdnError]]:
    found = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    return {name: kind for name, kind in found.items() if issubclass(kind, ImgcdnError)}


def drawn_tree() -> dict[str, tuple[str, list[str]]]:
    """Read the tree in the docstring of the module: class -> (its base class, its status and slug)."""
    tree: dict[str, tuple[str, list[str]]] = {}
    above: list[str] = []
    for line in str(errors.__doc__).split("```")[1].strip().splitlines():
        drawn = re.fullmatch(r"([|` ]*-? ?)(\w+) *(?:(\d{3}) +([\w-]+))?.*", line)
        assert drawn is not None, line
        depth = len(drawn[1]) // 3 if "-" in drawn[1] else 0
        del above[depth:]
        tree[drawn[2]] = (above[-1] if above else "Exception", [part for part in drawn.group(3, 4) if part])
        above.append(drawn[2])
    return tree


def test_the_tree_in_the_docstring_matches_the_classes() -> None:
    published = public_errors()
    actual = {
        name: (kind.__bases__[0].__name__, [str(kind.status), kind.slug] if kind in published else [])
        for name, kind in our_errors().items()
    }

    assert drawn_tree() == actual


def test_a_slug_and_a_title_belong_to_one_error() -> None:
    kinds = [kind for kind in public_errors() if kind.__module__ == errors.__name__]

    assert len({kind.slug for kind in kinds}) == len(kinds)
    assert len({kind.title for kind in kinds}) == len(kinds)


@public
def test_a_public_error_has_a_status_a_slug_and_a_title(kind: type[ImgcdnError]) -> None:
    assert 400 <= kind.status < 600
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug)
    assert kind.title[0].isupper()
    assert not kind.title.endswith(".")


def test_public_errors_are_sorted_by_status() -> None:
    statuses = [kind.status for kind in public_errors()]

    assert statuses == sorted(statuses)


def test_there_is_an_example_of_every_error_that_is_raised() -> None:
    assert {type(error) for error in EXAMPLES} == {*public_errors(), ConfigError, ListenError}


@by_class
def test_an_error_survives_a_copy_with_its_attributes(error: ImgcdnError) -> None:
    copied = copy(error)

    assert type(copied) is type(error)
    assert (str(copied), vars(copied)) == (str(error), vars(error))
    assert (copied.members, copied.retry_after_s) == (error.members, error.retry_after_s)


@by_class
def test_the_detail_does_not_contain_the_text_for_the_log(error: ImgcdnError) -> None:
    assert not error.log or error.log not in error.detail


def test_all_forbidden_errors_have_the_same_public_text() -> None:
    assert vars(Forbidden("address")) | {"log": ""} == vars(Forbidden("expired")) | {"log": ""}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(InvalidParam("x", param="w", nearest="1"), {"param": "w", "nearest": "1"}, id="parameter"),
        pytest.param(InvalidParam("x", param="w"), {"param": "w"}, id="no nearest value"),
        pytest.param(InvalidParam("x"), {}, id="no parameter"),
        pytest.param(ImageTooLarge("x", limit=9, unit="bytes"), {"limit": 9, "unit": "bytes"}, id="limit"),
        pytest.param(TooCostly("x", limit=10.0), {"limit": 10, "unit": "seconds"}, id="whole seconds"),
        pytest.param(TooCostly("x", limit=0.5), {"limit": 0.5, "unit": "seconds"}, id="half a second"),
        pytest.param(SourceNotFound("x"), {}, id="no members"),
    ],
)
def test_a_problem_document_has_the_members_of_its_error(error: ImgcdnError, expected: dict[str, str | float]) -> None:
    assert error.members == expected


def test_overload_and_an_origins_retry_after_have_a_time_to_retry() -> None:
    found = {error.slug for error in EXAMPLES if error.retry_after_s is not None}
    assert found == {"over-budget", "overloaded", "origin-busy"}
    assert OriginBusy("x").retry_after_s == ORIGIN_PAUSE_S
    assert OriginError("x").retry_after_s is None
    assert OriginError("x", origin_retry_after_s=7).retry_after_s == 7


def test_a_long_text_for_the_log_keeps_its_ends() -> None:
    error = SourceNotFound("x", log="https://a.example/" + "x" * 8_000 + " answered 404")

    assert MAX_LOG_LENGTH // 2 < len(error.log) <= MAX_LOG_LENGTH
    assert error.log.startswith("https://a.example/x")
    assert error.log.endswith(" answered 404")
    assert Forbidden("x" * MAX_LOG_LENGTH).log == "x" * MAX_LOG_LENGTH


@pytest.mark.parametrize("problems", [("one",), "one"])
def test_a_single_mistake_may_be_given_as_text(problems: tuple[str, ...] | str) -> None:
    assert ConfigError(problems).problems == ("one",)


def test_each_mistake_is_on_its_own_line() -> None:
    assert str(ConfigError(("one", "two"))) == "one\ntwo"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"https://a.test/x?X-Amz-Security-Token={'S' * 2_000} answered 403", id="a value"),
        pytest.param(f"https://a.test/x?w=1&sig={'S' * 2_000}&h=1 answered 403", id="a value among others"),
        pytest.param(f"https://a.test/x?token={'S' * 2_000}", id="a value at the end"),
        pytest.param(f"https://me:{'S' * 2_000}@a.test/x answered 403", id="a userinfo"),
        pytest.param(f"/img/https%3A%2F%2Fme%3A{'S' * 2_000}%40a.test%2Fx answered 403", id="an encoded userinfo"),
    ],
)
def test_a_text_that_is_cut_keeps_no_part_of_a_secret(text: str) -> None:
    shown = redact(OriginError("it failed", log=text).log)

    assert "SS" not in shown
    assert len(shown) <= MAX_LOG_LENGTH
