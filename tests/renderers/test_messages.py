"""What a render child that was taken over may send to the broker."""

import asyncio
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcdn.core.values import Facts
from imgcdn.errors import Forbidden, ImageTooLarge, Overloaded
from imgcdn.renderers.jobs import Changed, Failed, GaveWay, Probed, Rendered
from imgcdn.renderers.messages import GarbledOutcome, pack, read_outcome


class Trap:
    """Creates a folder where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


def read(data: bytes) -> object:
    async def scenario() -> object:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_outcome(reader)

    return asyncio.run(scenario())


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big") + data


@pytest.mark.parametrize("wrap", [lambda trap: trap, Rendered, Failed])
def test_a_child_cannot_run_code_in_the_broker(tmp_path: Path, wrap: Callable[[object], object]) -> None:
    trap = tmp_path / "made by the broker"
    with pytest.raises(GarbledOutcome, match="mkdir"):
        read(pack(wrap(Trap(trap))))
    assert not trap.exists()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"garbage", id="no pickle"),
        pytest.param(b"", id="nothing"),
        pytest.param(pickle.dumps(7), id="another value"),
        pytest.param(pickle.dumps(GaveWay()), id="an outcome that the broker alone gives"),
        pytest.param(b"\x80\x05cno.such\nthing\n.", id="an unknown name"),
        pytest.param(b"\x80\x05cimgcdn.errors\nClassVar\n.", id="a name in the module of errors"),
        pytest.param(b"\x80\x05cbuiltins\neval\n.", id="eval"),
    ],
)
def test_garbage_is_no_outcome(data: bytes) -> None:
    with pytest.raises(GarbledOutcome):
        read(framed(data))


def test_a_length_above_the_limit_is_no_outcome() -> None:
    with pytest.raises(GarbledOutcome, match="bytes"):
        read(b"\x7f" + bytes(7))


@pytest.mark.parametrize(
    "outcome",
    [
        Rendered(b"bytes", errno=28, file_bytes=5),
        Probed("0" * 64, Facts("jpeg", (3, 2), 1, alpha=False), None, Rendered(None)),
        Changed(),
    ],
)
def test_outcomes_arrive_as_they_were(outcome: object) -> None:
    assert read(pack(outcome)) == outcome


@pytest.mark.parametrize(
    "error", [ImageTooLarge("x", limit=9, unit="bytes"), Forbidden("y"), Overloaded("z", after_s=7)]
)
def test_errors_arrive_with_what_they_carry(error: Exception) -> None:
    arrived = read(pack(Failed(error)))  # type: ignore[arg-type]  # each is one of ours
    assert isinstance(arrived, Failed)
    assert (type(arrived.error), vars(arrived.error)) == (type(error), vars(error))
