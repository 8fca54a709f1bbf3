"""What is built from a message, also if a render child that was taken over sent it."""

import asyncio
import json
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.choice import FormatChoice
from imgcdn.core.output.geometry import Crop, Fit, Framing, Smart
from imgcdn.core.output.plan import Limits, Plan, Trim
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, Facts, FileStamp, PathBeneath
from imgcdn.errors import (
    CorruptImage,
    ImgcdnError,
    OriginError,
    Overloaded,
    public_errors,
)
from imgcdn.renderers.jobs import (
    Changed,
    Claim,
    Failed,
    FirstRender,
    GaveWay,
    Job,
    Killed,
    Probed,
    ProbeJob,
    Rendered,
    RenderJob,
)
from imgcdn.renderers.messages import GarbledOutcome, pack, read_outcome, read_reply, read_request, receive_message
from imgcdn.renderers.shapes import WrongShape
from tests.support.paths import ROOT
from tests.test_errors import EXAMPLES

_FILE = PathBeneath("/pictures", "a.png"), FileStamp(1, 2, 3, 2**64 - 1)
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
PROBE = ProbeJob(*_FILE, None, 9, 1.0)
PROBE_AND_RENDER = ProbeJob(*_FILE, None, 9, 1.0, _FIRST, ("avif",))
RENDER = RenderJob(*_FILE, _PLAN, "key", None, 7, _BUDGET, 1.0)
RENDER_TO_A_FILE = replace(RENDER, temp="/tmp/temp")  # noqa: S108

VERSION = "0" * 64
FACTS = Facts("jpeg", (3, 2), 1, alpha=False)


def _reader(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


def outcome_of(job: Job, data: bytes) -> object:
    async def scenario() -> object:
        return await read_outcome(_reader(data), job)

    return asyncio.run(scenario())


def read_by_broker(data: bytes) -> object:
    async def scenario() -> object:
        return await read_request(_reader(data))

    return asyncio.run(scenario())


def read_by_worker(data: bytes) -> object:
    async def scenario() -> object:
        return await read_reply(_reader(data))

    return asyncio.run(scenario())


def received_by_child(data: bytes) -> object:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(data)
        return receive_message(theirs)


def framed(text: bytes | str | object, file: bytes = b"") -> bytes:
    """Return a message with this JSON, or with the JSON of a value."""
    if not isinstance(text, bytes | str):
        text = json.dumps(text)
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(4) + len(file).to_bytes(8) + data + file


@pytest.mark.parametrize(
    "message",
    [
        pytest.param((1, (PROBE_AND_RENDER, Claim(client="::1"))), id="a probe"),
        pytest.param((2, (RENDER, Claim(cost_ms=2))), id="a render"),
        pytest.param((3, None), id="the end of a job"),
        pytest.param((4, True), id="a client waits again"),
        pytest.param((5, (replace(PROBE, path=PathBeneath("/p", "\udcff")), Claim())), id="a name that is not UTF-8"),
    ],
)
def test_requests_arrive_as_they_were(message: object) -> None:
    assert read_by_broker(pack(message)) == message


@pytest.mark.parametrize("job", [PROBE, PROBE_AND_RENDER, RENDER, RENDER_TO_A_FILE])
def test_jobs_arrive_as_they_were(job: Job) -> None:
    assert received_by_child(pack(job)) == job


@pytest.mark.parametrize(
    ("job", "outcome"),
    [
        pytest.param(RENDER, Rendered(b"bytes", errno=28, file_bytes=5), id="a file"),
        pytest.param(RENDER, Rendered(b""), id="an empty file"),
        pytest.param(RENDER_TO_A_FILE, Rendered(None, file_bytes=5), id="a written file"),
        pytest.param(PROBE, Probed(VERSION, FACTS, None), id="a probe"),
        pytest.param(PROBE_AND_RENDER, Probed(VERSION, FACTS, None, Rendered(b"x" * 700_000)), id="a probe and a file"),
        pytest.param(PROBE, Changed(), id="a changed original"),
    ],
)
def test_outcomes_arrive_as_they_were(job: Job, outcome: object) -> None:
    assert outcome_of(job, pack(outcome)) == outcome
    assert read_by_worker(pack((1, outcome))) == (1, outcome)


@pytest.mark.parametrize("message", [(-1, None), (4, GaveWay()), (5, Killed())])
def test_what_the_broker_alone_says_arrives(message: object) -> None:
    assert read_by_worker(pack(message)) == message


@pytest.mark.parametrize(
    "error",
    [
        *(each for each in EXAMPLES if type(each) in public_errors()),
        Overloaded("z", after_s=7),
        OriginError("x", log="y", origin_status=403, origin_retry_after_s=None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_arrive_with_what_they_carry(error: ImgcdnError) -> None:
    arrived = outcome_of(RENDER, pack(Failed(error)))

    assert isinstance(arrived, Failed)
    assert (type(arrived.error), vars(arrived.error)) == (type(error), vars(error))


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        pytest.param("x" * 5_000, "x" * 1_000, id="long"),
        pytest.param("/a/\udcff.png", "/a/\\udcff.png", id="a path that is not UTF-8"),
        pytest.param("\U0001f600" * 1_000, "\U0001f600" * 1_000, id="each character in twelve bytes"),
    ],
)
def test_the_text_of_an_error_is_made_to_fit(text: str, arrives: str) -> None:
    arrived = outcome_of(RENDER, pack(Failed(CorruptImage(text))))

    assert isinstance(arrived, Failed)
    assert arrived.error.detail == arrives


_NESTED = "[" * 30_000 + "]" * 30_000
_HASHED = b"\x80\x04}" + b")" + b"2\x86" * 60 + b"Ns."  # a pickle of a dict, whose key takes 2**60 steps to hash
_MEMO = b"\x80\x04Nr\x00\xc2\xeb\x0b."  # a pickle that takes 3 GB
_FAILED: list[Any] = ["Failed", ["corrupt-image", "detail", "log"]]
_PROBED: list[Any] = ["Probed", VERSION, ["Facts", "jpeg", [3, 2], 1, False, 0], None, None]


def changed(message: list[Any], value: object, *place: int) -> bytes:
    """Return a message with another value at a place."""
    copied = json.loads(json.dumps(message))
    at = copied
    for index in place[:-1]:
        at = at[index]
    at[place[-1]] = value
    return framed(copied)


HOSTILE = [
    pytest.param(framed(b""), id="nothing"),
    pytest.param(framed(b"garbage"), id="no JSON"),
    pytest.param(framed(b"\xff\xfe"), id="bytes that are no ASCII"),
    pytest.param(framed('["Changed"]'.encode("utf-16")), id="JSON in UTF-16"),
    pytest.param(framed(pickle.dumps(7)), id="a pickle"),
    pytest.param(framed(_HASHED), id="a pickle with a key that is not hashed in a lifetime"),
    pytest.param(framed(_MEMO), id="a pickle that takes all memory"),
    pytest.param(framed(_NESTED), id="lists in lists"),
    pytest.param(framed("9" * 60_000), id="a long number"),
    pytest.param(framed("[" + "[]," * 20_000 + "0]"), id="many lists"),
    pytest.param(framed("{" + ",".join(f'"{n}":0' for n in range(7_000)) + "}"), id="many keys"),
    pytest.param(framed(7), id="another value"),
    pytest.param(framed([]), id="an empty list"),
    pytest.param(framed([["Changed"]]), id="a list in the place of a name"),
    pytest.param(framed([{"a": 1}]), id="a value that is not hashed, in the place of a name"),
    pytest.param(framed(["Changed", 1]), id="too many fields"),
    pytest.param(framed(["Rendered", None]), id="too few fields"),
    pytest.param(framed(["GaveWay"]), id="an outcome that the broker alone gives"),
    pytest.param(framed(["Claim", 0, "", "", "", 0, False, False]), id="no outcome, but a class of ours"),
    pytest.param(framed(["eval", "1"]), id="another name"),
    pytest.param(changed(_FAILED, "no-such-error", 1, 0), id="an unknown error"),
    pytest.param(changed(_FAILED, ["corrupt-image"], 1, 0), id="a list in the place of a slug"),
    pytest.param(changed(_FAILED, [[], []], 1, 1), id="a detail that is no text"),
    pytest.param(changed(_FAILED, "x" * 1_001, 1, 1), id="a long detail"),
    pytest.param(changed(_FAILED, "\ud800", 1, 2), id="half a pair"),
    pytest.param(framed(["Failed", ["image-too-large", "x", True, "bytes"]]), id="a limit that is no number"),
    pytest.param(framed('["Failed",["too-costly","x",1e999]]'), id="an infinite limit"),
    pytest.param(framed('["Failed",["too-costly","x",NaN]]'), id="a limit that is NaN"),
    pytest.param(framed(["Failed", ["overloaded", "x", 10**4_000]]), id="a huge integer"),
    pytest.param(framed(["Failed", ["overloaded", "x", "1"]]), id="a text for a number"),
    pytest.param(changed(_PROBED, "../../x", 1), id="a version that is no hash"),
    pytest.param(changed(_PROBED, [[[]]], 1), id="a version that is no text"),
    pytest.param(changed(_PROBED, "exe", 2, 1), id="an unknown format"),
    pytest.param(changed(_PROBED, [3, 0], 2, 2), id="no height"),
    pytest.param(changed(_PROBED, [3, 2, 1], 2, 2), id="three edges"),
    pytest.param(changed(_PROBED, [3, 2.0], 2, 2), id="an edge that is no integer"),
    pytest.param(changed(_PROBED, 1, 2, 4), id="a number for a truth"),
    pytest.param(changed(_PROBED, None, 2), id="neither facts nor an error"),
    pytest.param(changed(_PROBED, _FAILED[1], 3), id="facts and an error"),
    pytest.param(changed(_PROBED, ["Rendered", None, 0, 0], 4), id="a render that was not asked for"),
    pytest.param(changed(_PROBED, ["Changed"], 4), id="an outcome in the place of another"),
    pytest.param(framed(["Rendered", None, 0, 0]), id="a render for a probe"),
]


def _refused(job: Job, data: bytes) -> None:
    with pytest.raises(GarbledOutcome):
        outcome_of(job, data)


@pytest.mark.parametrize("data", HOSTILE)
def test_what_is_no_outcome_is_refused_at_once(data: bytes) -> None:
    began = time.process_time()
    _refused(PROBE, data)

    assert time.process_time() - began < 1
    with pytest.raises((WrongShape, asyncio.IncompleteReadError)):
        read_by_broker(data)


@pytest.mark.parametrize(
    ("job", "data"),
    [
        pytest.param(RENDER, pack(Probed(VERSION, FACTS, None)), id="a probe for a render"),
        pytest.param(RENDER, pack(Rendered(None)), id="a written file, without a path for it"),
        pytest.param(RENDER, pack(Rendered(b"x", errno=10**6)), id="an error that no system has"),
        pytest.param(RENDER, framed(["Rendered", 5, 0, 5], b"four"), id="a file of another length"),
        pytest.param(RENDER, framed(["Rendered", None, 0, 5]) + b"more", id="bytes after a message, and no path"),
        pytest.param(PROBE_AND_RENDER, pack(Probed(VERSION, FACTS, None, Rendered(b"x", -1))), id="a negative error"),
    ],
)
def test_what_is_no_outcome_of_the_job_is_refused(job: Job, data: bytes) -> None:
    _refused(job, data)


@pytest.mark.parametrize(
    ("job", "text_bytes", "file_bytes"),
    [
        pytest.param(PROBE, 64 * 1024 + 1, 0, id="a long text"),
        pytest.param(PROBE, 2**32 - 1, 0, id="the longest text"),
        pytest.param(PROBE, 10, 1, id="a file for a probe"),
        pytest.param(PROBE_AND_RENDER, 10, 17 * 2**20, id="a large file for a small picture"),
        pytest.param(replace(RENDER, plan=Plan(size=(60, 40), format="webp")), 10, 5 * 2**20, id="for a small render"),
        pytest.param(RENDER, 10, 2**64 - 1, id="the largest file"),
    ],
)
def test_a_length_above_the_limit_is_refused_before_it_is_read(job: Job, text_bytes: int, file_bytes: int) -> None:
    with pytest.raises(GarbledOutcome, match="bytes"):
        outcome_of(job, text_bytes.to_bytes(4) + file_bytes.to_bytes(8))


@pytest.mark.parametrize("text_bytes", [256 * 1024 + 1, 2**32 - 1])
def test_a_request_above_the_limit_is_refused_before_it_is_read(text_bytes: int) -> None:
    with pytest.raises(WrongShape, match="bytes"):
        read_by_broker(text_bytes.to_bytes(4) + bytes(8))


def test_a_request_with_a_file_is_refused() -> None:
    with pytest.raises(WrongShape, match="file of 1"):
        read_by_broker(framed([1, None], b"x"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(framed(b"garbage"), id="no JSON"),
        pytest.param(framed([1, ["Changed"]]), id="an outcome in the place of a job"),
        pytest.param(framed(["ProbeJob"]), id="a job without its fields"),
    ],
)
@pytest.mark.parametrize("read_as", [read_by_broker, received_by_child])
def test_garbage_is_no_request(data: bytes, read_as: Callable[[bytes], object]) -> None:
    with pytest.raises(WrongShape):
        read_as(data)


_MEMORY = """
import asyncio, resource, sys
from tests.renderers.test_messages import HOSTILE, PROBE, _refused
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for each in HOSTILE:
    _refused(PROBE, each.values[0])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_what_is_no_outcome_takes_little_memory() -> None:
    printed = subprocess.run([sys.executable, "-c", _MEMORY], capture_output=True, check=True, cwd=ROOT, text=True)

    assert int(printed.stdout) < 64 * 1024  # KB


def test_a_large_file_is_held_once() -> None:
    """A file of 100 MB: its bytes and little more are in memory, not its bytes twice."""
    script = """
import asyncio, resource
from dataclasses import replace
from imgcdn.core.output.plan import Plan
from imgcdn.renderers.messages import read_outcome
from tests.renderers.test_messages import RENDER
size = 100 * 2**20
async def scenario():
    job = replace(RENDER, plan=Plan(size=(8000, 8000), format="png"))
    reader = asyncio.StreamReader()
    text = b'["Rendered",%d,0,0]' % size
    async def feed():
        reader.feed_data(len(text).to_bytes(4) + size.to_bytes(8) + text)
        for _ in range(size // 2**20):
            reader.feed_data(bytes(2**20))
            await asyncio.sleep(0)
        reader.feed_eof()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, outcome = await asyncio.gather(feed(), read_outcome(reader, job))
    assert len(outcome.file) == size
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
asyncio.run(scenario())
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=ROOT, text=True)

    assert int(printed.stdout) < 140 * 1024  # KB
