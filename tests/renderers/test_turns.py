"""The order of waiting jobs, as a pure function of their claims and of when they came."""

from dataclasses import dataclass

import pytest

from imgcdn.renderers.jobs import Claim
from imgcdn.renderers.turns import Turns


@dataclass(eq=False)
class Item:
    name: str
    claim: Claim
    since_ms: float = 0.0


def item(name: str, cost_ms: float = 100.0, *, client: str = "", host: str = "", since_ms: float = 0.0) -> Item:
    return Item(name, Claim(cost_ms=cost_ms, client=client, host=host), since_ms)


def turns_of(*items: Item) -> Turns[Item]:
    turns: Turns[Item] = Turns()
    for each in items:
        turns.add(each)
    return turns


def order(*items: Item) -> str:
    turns = turns_of(*items)
    return " ".join(turns.next().name for _ in items)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param([item("long", 500), item("short", 60)], "short long", id="the shortest is first"),
        pytest.param([item("a"), item("b"), item("c")], "a b c", id="equal ones go in their order"),
        pytest.param(
            [item("long", 500, since_ms=0), item("short", 60, since_ms=400)],
            "short long",
            id="waiting makes up for cost: not yet",
        ),
        pytest.param(
            [item("long", 500, since_ms=0), item("short", 60, since_ms=450)],
            "long short",
            id="waiting makes up for cost: now",
        ),
        pytest.param(
            [*(item(f"a{number}", client="a") for number in range(3)), item("b", client="b")],
            "a0 b a1 a2",
            id="clients by turns",
        ),
        pytest.param(
            [item("a0", 400, client="a"), item("a1", 400, client="a"), *(item(f"b{n}", client="b") for n in range(5))],
            "a0 b0 b1 b2 b3 a1 b4",
            id="turns are of work and not of jobs",
        ),
        pytest.param(
            [*(item(f"a{number}", client="v", host="a") for number in range(3)), item("b", client="v", host="b")],
            "a0 b a1 a2",
            id="hosts of one client by turns",
        ),
        pytest.param(
            [
                *(item(f"{host}{number}", client="greedy", host=host) for number in range(2) for host in "abcd"),
                item("x", client="modest", host="a"),
            ],
            "a0 x b0 c0 d0 a1 b1 c1 d1",
            id="many hosts give a client no more turns",
        ),
    ],
)
def test_order(items: list[Item], expected: str) -> None:
    assert order(*items) == expected


def test_a_client_that_comes_later_does_not_catch_up() -> None:
    turns = turns_of(*(item(f"a{number}", client="a") for number in range(6)))
    for _ in range(3):
        turns.next()
    for number in range(4):
        turns.add(item(f"b{number}", client="b"))
    assert [turns.next().name for _ in range(6)] == ["b0", "a3", "b1", "a4", "b2", "a5"]


def test_a_removed_item_is_neither_served_nor_counted() -> None:
    kept, gone = item("kept", 100, client="a"), item("gone", 300, client="a")
    turns = turns_of(kept, gone)
    turns.remove(gone)
    turns.remove(gone)
    turns.remove(item("never there", client="b"))
    assert (len(turns), turns.cost_ms) == (1, 100)
    assert turns.next() is kept
    assert (len(turns), turns.cost_ms) == (0, 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("a0", 100, id="the first of a client waits for as much of the other"),
        pytest.param("a2", 200 + 250, id="the last one waits for all of the smaller client"),
        pytest.param("b0", 250, id="the other client takes no more than is its share"),
    ],
)
def test_what_is_ahead_is_what_turns_give(name: str, expected: float) -> None:
    items = [*(item(f"a{number}", client="a") for number in range(3)), item("b0", 250, client="b")]
    turns = turns_of(*items)
    assert turns.ahead_ms(next(each for each in items if each.name == name)) == expected


def test_the_newest_of_the_largest_is_of_the_client_with_the_most_work() -> None:
    turns = turns_of(
        item("many", 100, client="a"),
        item("many too", 90, client="a"),
        item("large", 400, client="b"),
        item("newer", 300, client="b"),
        item("newest", 100, client="c"),
    )
    assert turns.newest_of_largest().name == "newer"


def test_a_client_that_comes_back_does_not_gain_by_it() -> None:
    turns = turns_of(*(item(f"small {number}", 10, client="many") for number in range(100)))
    turns.add(item("large", 1000, client="few"))
    order = []
    for _ in range(60):
        order.append(turns.next().name)
        if order[-1] == "large":  # this client has one job at a time
            turns.add(item("large", 1000, client="few"))
    assert order.count("large") == 1, "sixty small jobs are less work than one large"


def test_past_clients_are_forgotten() -> None:
    turns = turns_of()
    for number in range(5_000):
        turns.add(item("job", 10, client=str(number)))
        turns.next()
    assert len(turns._clients._given_ms) < 2_000


def test_what_a_job_took_beyond_its_claim_is_charged_to_its_client_and_its_host() -> None:
    names = [client + host + number for client in "vw" for host in "ab" for number in "01"]
    turns = turns_of(*(item(name, client=name[0], host=name[1]) for name in names))
    turns.charge(Claim(client="v", host="a"), 1000.0)
    assert [turns.next().name for _ in names] == ["wa0", "wb0", "wa1", "wb1", "vb0", "vb1", "va0", "va1"]


def test_a_client_that_has_no_job_waiting_is_charged_too_in_bounded_memory() -> None:
    turns: Turns[Item] = Turns()
    for number in range(5_000):
        turns.charge(Claim(client=str(number)), 1000.0 + number)
    turns.add(item("charged", client="4999"))
    turns.add(item("other", client="other"))
    assert [turns.next().name for _ in range(2)] == ["other", "charged"]
    assert len(turns._clients._given_ms) < 1_100
