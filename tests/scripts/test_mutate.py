import pytest

from scripts.mutate import KINDS, ROOMS, Mutant, accepted, gather, mutants


def changes(source: str, kind: str | None = None) -> list[str]:
    """Return the source after each change."""
    return [each.applied(source) for each in mutants(source, "x.py") if kind in (None, each.kind)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("a < b", ["a <= b"], id="less"),
        pytest.param("a >= b", ["a > b"], id="at least"),
        pytest.param("a == b", ["a != b"], id="equal"),
        pytest.param("a is not None", ["a is None"], id="is not"),
        pytest.param("a not in b", ["a in b"], id="not in"),
        pytest.param("a < b <= c", ["a <= b <= c", "a < b < c"], id="a chain"),
        pytest.param("a + b", ["a - b"], id="sum"),
        pytest.param("(a) // (b)", ["(a) * (b)"], id="quotient, in parentheses"),
        pytest.param("a and b", ["a or b"], id="and"),
        pytest.param("x = 'ü' if a < b else c", ["x = 'ü' if a <= b else c"], id="behind a letter of two bytes"),
    ],
)
def test_an_operator_becomes_its_neighbour(source: str, expected: list[str]) -> None:
    assert changes(source, "operator") == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("if a:\n    b()\n", ["if not (a):\n    b()\n"], id="if"),
        pytest.param("x = a if b or c else d", ["x = a if not (b or c) else d"], id="a conditional expression"),
        pytest.param("while a:\n    b()\n", ["while not (a):\n    b()\n"], id="while"),
    ],
)
def test_a_branch_is_turned_round(source: str, expected: list[str]) -> None:
    assert changes(source, "branch") == expected


def test_a_number_becomes_the_next_one() -> None:
    assert changes("x = [0, 2.5, True, None, '7']", "constant") == [
        "x = [1, 2.5, True, None, '7']",
        "x = [0, 3.5, True, None, '7']",
    ]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def f(a: list[1 + 1]) -> 2 < 3:\n    pass\n", id="annotations"),
        pytest.param("_log.info('%d', 1 + 1)", id="log lines"),
        pytest.param("raise ValueError(1 + 1)", id="texts of errors"),
        pytest.param("assert a < b", id="assertions"),
        pytest.param('"""1 < 2"""', id="docstrings"),
    ],
)
def test_what_changes_no_behaviour_is_left_alone(source: str) -> None:
    assert changes(source) == []


def test_a_survivor_is_named_by_its_line_and_not_by_its_number() -> None:
    [one] = [each for each in mutants("x = 1\n\n    # moved\ny = a < b\n", "x.py") if each.kind == "operator"]
    [other] = [each for each in mutants("y = a < b\n", "x.py") if each.kind == "operator"]

    assert one.line != other.line
    assert one.name == other.name == ("x.py", "y = a < b", "< -> <=")
    assert isinstance(one, Mutant)


def test_every_survivor_in_the_table_is_a_line_of_the_code() -> None:
    found = {each.name for each in gather(list(ROOMS), list(KINDS))}

    assert accepted() - found == set()
