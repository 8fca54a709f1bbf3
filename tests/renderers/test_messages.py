"""What is built from a message, also if a render child that was taken over sent it."""

import asyncio
import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.choice import FormatChoice
from imgcdn.core.output.geometry import Crop, Fit, Framing, Smart
from imgcdn.core.output.plan import Limits, Plan, Trim
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, Facts, FileStamp, PathBeneath
from imgcdn.errors import Forbidden, ImageTooLarge, Overloaded
from imgcdn.renderers.jobs import (
    Changed,
    Claim,
    Failed,
    FirstRender,
    GaveWay,
    Killed,
    Probed,
    ProbeJob,
    Rendered,
    RenderJob,
)
from imgcdn.renderers.messages import GarbledOutcome, pack, read_message, read_outcome, receive_message


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


def read_of_worker(data: bytes) -> object:
    async def scenario() -> object:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_message(reader)

    return asyncio.run(scenario())


def received_by_child(data: bytes) -> object:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(data)
        return receive_message(theirs)


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big") + data


@pytest.mark.parametrize("wrap", [lambda trap: trap, Rendered, Failed])
def test_a_child_cannot_run_code_in_the_broker(tmp_path: Path, wrap: Callable[[object], object]) -> None:
    trap = tmp_path / "made by the broker"
    with pytest.raises(GarbledOutcome, match="mkdir"):
        read(pack(wrap(Trap(trap))))
    assert not trap.exists()


@pytest.mark.parametrize("read_as", [read_of_worker, received_by_child])
def test_no_message_runs_code(tmp_path: Path, read_as: Callable[[bytes], object]) -> None:
    trap = tmp_path / "made by the reader"
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        read_as(pack((0, (Trap(trap), Claim()))))
    assert not trap.exists()


_FILE = PathBeneath("/pictures", "a.png"), FileStamp(1, 2, 3, 4)
_BUDGET = Budget(Effort.THOROUGH, s_per_megapixel=1.0, total_s=2.0, avif_max_pixels=3)
_FIRST = FirstRender(
    Params(position=Smart.SUBJECT, crop=Crop(1, 2, 3, 4, relative=True), background=(1, 2, 3)),
    ("avif", "webp"),
    Limits(1, 2, 3, keep_profile=False, animation_formats=("webp",)),
    _BUDGET,
    "/tmp/temp",  # noqa: S108  # no file is opened
    1_700_000_000,
)
_PLAN = Plan(
    size=(3, 2),
    format="png",
    trim=Trim(1, Framing(fit=Fit.COVER), 2, FormatChoice(("avif",), "png", "jpeg", 1, 2)),
    original=Facts("jpeg", (3, 2), 1, alpha=False),
)


@pytest.mark.parametrize("read_as", [read_of_worker, received_by_child])
@pytest.mark.parametrize(
    "message",
    [
        pytest.param((1, (ProbeJob(*_FILE, None, 9, 1.0, _FIRST, ("avif",)), Claim(client="::1"))), id="a probe"),
        pytest.param((2, (RenderJob(*_FILE, _PLAN, "key", None, 7, _BUDGET, 1.0), Claim())), id="a render"),
        pytest.param((3, None), id="the end of a job"),
        pytest.param((4, GaveWay()), id="a job that gave way"),
        pytest.param((5, Killed()), id="a job whose child was killed"),
    ],
)
def test_messages_arrive_as_they_were(message: object, read_as: Callable[[bytes], object]) -> None:
    assert read_as(pack(message)) == message


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


@pytest.mark.parametrize("data", [b"garbage", b"", b"\x80\x05cbuiltins\neval\n.", b"\x80\x05K\x01K\x02R."])
def test_garbage_is_no_message(data: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        read_of_worker(framed(data))


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
