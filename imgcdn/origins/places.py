"""
The places for fetches: how many fetches run at the same time, in all and from one host.

A host may take another place only while more places are free than it holds. Each host that hangs therefore takes a
smaller share than the one before it, and a host without a place nearly always finds one free. Hosts that wait get
places in turn, and the fetches of one host in the order in which they came.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from imgcdn.core.interest import ALWAYS, Interest, Withdrawn
from imgcdn.errors import ImgcdnError
from imgcdn.origins.base import Stop


@dataclass(slots=True, eq=False)
class _Place:
    """A fetch that has a place or waits for one, and how it is stopped."""

    host: str
    stop: Stop
    granted: "asyncio.Future[None]"
    is_recalled: bool = False


class Places:
    """
    The places of one process. They belong to one event loop.

    A fetch that nobody waits for any more is abandoned. It keeps its place until another fetch needs it; then the one
    that was abandoned first is stopped. If somebody waits for it again before that, it is an ordinary fetch again.

    Args:
        total: Fetches that run at the same time.
        per_host: Fetches from one host that run at the same time.
    """

    def __init__(self, total: int, *, per_host: int) -> None:
        self._total = total
        self._per_host = per_host
        self._taken = self._ledger(())
        self._running: dict[_Place, None] = {}
        #: Host -> its waiting fetches. The hosts are in the order of their turns.
        self._waiting: dict[str, deque[_Place]] = {}
        #: Running fetches that nobody waits for, in the order in which they were abandoned.
        self._abandoned: dict[_Place, None] = {}

    @asynccontextmanager
    async def take(self, host: str, stop: Stop, interest: Interest = ALWAYS) -> AsyncIterator[None]:
        """
        Wait for a place of a host, and hold it for the length of the context.

        Args:
            stop: Ends the fetch early.
            interest: Whether anybody waits for the fetch.

        Raises:
            Withdrawn: Nobody waits for the fetch, and it has no place yet; or it was stopped for another one. Any
                error that ends a stopped fetch is replaced, because its origin is not at fault.
        """
        place = _Place(host, stop, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(host, deque()).append(place)
        try:
            with interest.watched_by(partial(self._note_interest, place)):
                self._assign()
                await place.granted
                yield
        except ImgcdnError as error:
            if place.is_recalled:
                raise Withdrawn from error
            raise
        finally:
            self._leave(place)
            self._assign()
            del place  # `granted` may hold the error raised here, which refers to this frame: a cycle

    def _note_interest(self, place: _Place, is_wanted: bool) -> None:
        if place in self._running:
            if is_wanted:
                self._abandoned.pop(place, None)
            elif not place.is_recalled:
                self._abandoned[place] = None
                self._assign()
        elif not is_wanted and not place.granted.done():
            self._leave(place)
            place.granted.set_exception(Withdrawn())

    def _leave(self, place: _Place) -> None:
        """Give a place back, or stop waiting for one."""
        self._abandoned.pop(place, None)
        if place in self._running:
            del self._running[place]
            self._taken.give_back(place.host)
        elif place in (line := self._waiting.get(place.host, deque())):
            line.remove(place)
            if not line:
                del self._waiting[place.host]

    def _assign(self) -> None:
        """Give every free place to a fetch that may take it, and stop abandoned fetches for those that still wait."""
        admissible = [host for host in self._waiting if self._taken.may_take(host)]
        while admissible:
            for host in admissible:
                if self._taken.may_take(host):  # those before it may have taken the last place
                    self._start_first(host)
            admissible = [host for host in self._waiting if self._taken.may_take(host)]
        if self._waiting and self._abandoned:
            self._recall()

    def _start_first(self, host: str) -> None:
        line = self._waiting.pop(host)
        place = line.popleft()
        if line:
            self._waiting[host] = line  # at the end: its next turn comes after those of the other hosts
        self._taken.take(host)
        self._running[place] = None
        if not place.granted.done():  # a request that was cancelled just now gives the place back at once
            place.granted.set_result(None)

    def _recall(self) -> None:
        """Stop abandoned fetches, as many as the waiting ones need. Their places come free when they have ended."""
        still_running = [place for place in self._running if not place.is_recalled]
        soon = self._ledger(place.host for place in still_running)
        at_most = self._ledger(place.host for place in still_running if place not in self._abandoned)
        for host, line in self._waiting.items():
            for _ in line:
                if not at_most.may_take(host):
                    break
                at_most.take(host)
                while not soon.may_take(host):
                    only_its_own = soon.held[host] >= self._per_host
                    place = next(each for each in self._abandoned if each.host == host or not only_its_own)
                    self._stop(place)
                    soon.give_back(place.host)
                soon.take(host)

    def _stop(self, place: _Place) -> None:
        del self._abandoned[place]
        place.is_recalled = True
        place.stop.request()

    def _ledger(self, hosts: Iterable[str]) -> "_Ledger":
        return _Ledger(self._total, self._per_host, hosts)


class _Ledger:
    """How many places each host holds, and the rule by which it may take another one."""

    def __init__(self, total: int, per_host: int, hosts: Iterable[str]) -> None:
        self.held = Counter(hosts)
        self._free = total - self.held.total()
        self._per_host = per_host

    def may_take(self, host: str) -> bool:
        return self.held[host] < min(self._per_host, self._free)

    def take(self, host: str) -> None:
        self.held[host] += 1
        self._free -= 1

    def give_back(self, host: str) -> None:
        self.held[host] -= 1
        self._free += 1
        if not self.held[host]:
            del self.held[host]
