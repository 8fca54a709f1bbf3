"""The mixed traffic of a soak: what its clients ask, and what they make of the answers."""

import asyncio
import os
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.load.asking import Broken, Client, Reply
from bench.load.soaking.origin import FAILURES, MAX_AGE_S, Origin
from bench.load.soaking.pictures import SIZE, Shown, paint, read
from bench.load.soaking.truth import Truth

#: So few sources, versions, sizes and formats that 2,000 renders make most of the variants there are. Memos are full
#: then, and what grows afterwards is a leak. The store keeps a third of them, so the others are rendered again.
_SOURCES = 6
_WIDTHS = (60, 150, 240, 360, 600)
_FORMATS = ("fm=jpg", "fm=webp&q=50", "fm=png&grayscale=1", "")
_FAILING_URLS = 10

_ACCEPTS = ("image/avif,image/webp,*/*", "image/webp,*/*", "*/*")

#: A request that joins one that began before a change gets what that one found.
_SLACK_S = 2.0

#: Seconds for which the service remembers that an origin failed, and a little more.
_AFTER_A_FAILURE_S = 4.0

_REMEMBERED = 300

#: Of a variant.
_TYPICAL_BYTES = 6_000

#: Target -> the status that it must get.
_PLAIN = {
    "/-/healthz": 200,
    "/-/readyz": 200,
    "/": 200,
    "/img/0.jpg?w=0": 400,
    "/img/nothing.jpg?w=60": 404,
    "/img/..%2Fcache%2Fx.jpg": 404,
    "/img?url=https://elsewhere.example/a.jpg": 403,
    "/.netlify/images?url=/0.jpg&w=wide": 404,
}


@dataclass(slots=True)
class Tally:
    """
    What the clients have seen.

    Args:
        wrong: Answers that were wrong, and why.
        failed: Targets whose render failed.
        lost: Requests without a response.
        stored: When a variant was stored, and its bytes.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    renders: int = 0
    wrong: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    lost: int = 0
    stored: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=20_000))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a picture: its target, the size that its answer must have, and whose picture that must be."""

    target: str
    size: tuple[int, int]
    truth: Truth
    is_remote: bool


class Traffic:
    """
    Clients, and the sources that they ask for.

    Args:
        port: Of the service.
        root: Its folder of originals.
        origin: Its other originals.
        dice: Draws everything.
    """

    def __init__(self, port: int, root: Path, origin: Origin, dice: random.Random) -> None:
        self.tally = Tally()
        self._port = port
        self._root = root
        self._origin = origin
        self._dice = dice
        self._local = [Truth(number, _SLACK_S) for number in range(_SOURCES)]
        self._remote = [Truth(100 + number, _SLACK_S + MAX_AGE_S) for number in range(_SOURCES)]
        self._broken_until = 0.0
        self._seen: dict[str, tuple[str, Shown]] = {}
        self._going = asyncio.Event()
        self._active = 0
        self._asks: list[tuple[int, Callable[[Client], Awaitable[None]]]] = [
            (55, self._picture),
            (12, self._revalidation),
            (8, self._head),
            (6, self._abandoned),
            (12, self._failing),
            (7, self._other),
        ]
        for truth in (*self._local, *self._remote):
            self._change(truth)

    async def client(self) -> None:
        """Ask one thing after another, except at rest points, until this is cancelled."""
        connection = Client(self._port)
        weights, asks = zip(*self._asks, strict=True)
        try:
            while True:
                await self._going.wait()
                self._active += 1
                try:
                    [ask] = self._dice.choices(asks, weights)
                    await ask(connection)
                finally:
                    self._active -= 1
                if not self._going.is_set():
                    await connection.leave()
        finally:
            await connection.leave()

    def go(self) -> None:
        """End a rest."""
        self._going.set()

    async def rest(self) -> None:
        """Begin a rest: return when no request is under way."""
        self._going.clear()
        while self._active:
            await asyncio.sleep(0.05)

    def change_one(self) -> None:
        """Replace one original by its next version."""
        self._change(self._dice.choice([*self._local, *self._remote]))

    def break_origin(self, *, broken: bool) -> None:
        """Have every request to the origin fail, or end that."""
        self._origin.broken = broken
        self._broken_until = float("inf") if broken else time.monotonic() + _AFTER_A_FAILURE_S

    def _change(self, truth: Truth) -> None:
        code = truth.next_code
        body = paint(code)
        begins = time.monotonic()
        if truth in self._local:
            unfinished = self._root / ".unfinished"
            unfinished.write_bytes(body)
            os.replace(unfinished, self._root / f"{code.source}.jpg")
        else:
            self._origin.pictures[f"/{code.source}.jpg"] = body, f"{code.version}-{begins}"
        truth.change(code.version, begins=begins, ended=time.monotonic())

    def _draw(self) -> Asked:
        is_remote = self._dice.random() < 0.4
        truth = self._dice.choice(self._remote if is_remote else self._local)
        width = self._dice.choice(_WIDTHS)
        size, box = self._dice.choice(
            [
                ((width, width * 2 // 3), f"w={width}"),
                ((width, 90), f"w={width}&h=90&fit=fill"),
            ]
        )
        path = f"?url={self._origin.url(f'/{truth.source}.jpg')}&" if is_remote else f"/{truth.source}.jpg?"
        target = f"/img{path}{box}&{self._dice.choice(_FORMATS)}".rstrip("&")
        assert size <= SIZE
        return Asked(target, size, truth, is_remote)

    async def _picture(self, connection: Client) -> None:
        asked = self._draw()
        began = time.monotonic()
        reply = await self._send(connection, asked.target)
        if reply is not None:
            self._judge(asked, reply, began)

    async def _revalidation(self, connection: Client) -> None:
        """Ask for a picture again that was seen before; a 304 must mean that it is the same one."""
        asked = self._draw()
        tag, seen = self._seen.get(asked.target, ("", None))
        began = time.monotonic()
        reply = await self._send(connection, asked.target, {"If-None-Match": tag} if tag else {})
        if reply is not None and reply.status == 304 and seen is not None:
            self._object(asked, seen, began)
        elif reply is not None:
            self._judge(asked, reply, began)

    async def _head(self, connection: Client) -> None:
        asked, began = self._draw(), time.monotonic()
        reply = await self._send(connection, asked.target, method="HEAD")
        if reply is not None and reply.status != 200:
            self._refused(asked, reply, began)

    async def _abandoned(self, connection: Client) -> None:
        asking = asyncio.create_task(self._picture(connection))
        await asyncio.wait([asking], timeout=self._dice.uniform(0.001, 0.05))
        asking.cancel()
        await asyncio.wait([asking])
        self.tally.statuses["abandoned"] += asking.cancelled()

    async def _failing(self, connection: Client) -> None:
        kind = self._dice.choice(list(FAILURES))
        reply = await self._send(
            connection, f"/img?url={self._origin.url(f'/fail/{kind}')}?{self._dice.randrange(200)}"
        )
        if reply is not None and reply.status not in (413, 415, 422, 502, 503, 504):
            self.tally.wrong.append(f"an origin that is {kind} got {reply.status}")

    async def _other(self, connection: Client) -> None:
        target = self._dice.choice(list(_PLAIN))
        reply = await self._send(connection, target)
        if reply is not None and reply.status not in (_PLAIN[target], 503):
            self.tally.wrong.append(f"{target} got {reply.status}, not {_PLAIN[target]}")

    async def _send(
        self, connection: Client, target: str, headers: dict[str, str] | None = None, *, method: str = "GET"
    ) -> Reply | None:
        accept = self._dice.choice(_ACCEPTS)
        try:
            reply = await connection.ask(target, {"Accept": accept, **(headers or {})}, method=method)
        except Broken:
            self.tally.lost += 1
            return None
        except TimeoutError:
            self.tally.wrong.append(f"{target} got no response")
            return None
        self.tally.statuses[str(reply.status)] += 1
        if "fwd=miss" in reply.headers.get("cache-status", "") and reply.headers["cache-status"].endswith("stored"):
            self.tally.renders += 1
            length = int(reply.headers.get("content-length", _TYPICAL_BYTES))  # a 304 has none
            self.tally.stored.append((time.monotonic(), length + 128))
        return reply

    def _judge(self, asked: Asked, reply: Reply, began: float) -> None:
        if reply.status != 200:
            self._refused(asked, reply, began)
            return
        answered = time.monotonic()
        try:
            shown = read(reply.body)
        except OSError as error:
            self.tally.wrong.append(f"{asked.target} does not decode: {error}")
            return
        self._object(asked, shown, began, answered)
        if len(self._seen) > _REMEMBERED:
            self._seen.pop(next(iter(self._seen)))
        self._seen[asked.target] = reply.headers["etag"], shown

    def _object(self, asked: Asked, shown: Shown, began: float, answered: float | None = None) -> None:
        end = time.monotonic() if answered is None else answered
        objection = asked.truth.objection(shown, asked.size, asked=began, answered=end)
        if objection:
            self.tally.wrong.append(f"{asked.target} {objection}")

    def _refused(self, asked: Asked, reply: Reply, began: float) -> None:
        if reply.status == 422:
            self.tally.failed.add(asked.target)
        elif reply.status in (502, 504) and asked.is_remote and began <= self._broken_until:
            pass
        elif reply.status != 503:
            self.tally.wrong.append(f"{asked.target} got {reply.status}: {reply.body.decode(errors='replace')}")
