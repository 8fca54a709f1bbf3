"""
The order in which waiting jobs get a child.

Clients are served by turns, and so are the hosts of one client. The next job is one of the client that has been given
the least work, and of that client's host with the least. A client's hosts start again at zero once it has no waiting
job. So one visitor, or one site with a large gallery, delays the others by one job. The jobs of one host and one client
go the shortest first, and each millisecond of waiting makes up for a millisecond of cost, so that long ones get their
turn.
"""

import bisect
import itertools
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from imgcdn.renderers.jobs import Claim


class Waiting(Protocol):
    """What waits: a job with its claim, since a moment in milliseconds."""

    claim: Claim
    since_ms: float


#: Largest number of groups without a waiting job to remember.
_MOST_PAST = 1_000

W = TypeVar("W", bound=Waiting)
_Entry = tuple[float, int, W]


class Turns(Generic[W]):
    """Waiting jobs, ordered by turns."""

    def __init__(self) -> None:
        self._clients: _Level[W] = _Level(_client, lambda: _Level(_host, _Line[W]))

    def __len__(self) -> int:
        return self._clients.count

    @property
    def cost_ms(self) -> float:
        """The estimated cost of all jobs that wait."""
        return self._clients.cost_ms

    def add(self, item: W) -> None:
        """Let a job wait."""
        self._clients.add(item)

    def remove(self, item: W) -> None:
        """Take a job out. A job that does not wait here is no error."""
        self._clients.remove(item)

    def next(self) -> W:
        """Take out the job whose turn it is. There must be one."""
        item = self._clients.first()
        self._clients.charge(item)
        self._clients.remove(item)
        return item

    def charge(self, claim: Claim, more_ms: float) -> None:
        """Charge a client and a host for a job of theirs that has taken more than its claim said."""
        self._clients.charge_more(claim, more_ms)

    def ahead_ms(self, item: W) -> float:
        """Estimate the cost of what is served before a job that waits here, if no other job comes."""
        return self._clients.ahead_ms(item)

    def newest_of_largest(self) -> W:
        """Return the job that came last, of the client and then the host with the most work waiting."""
        return self._clients.newest_of_largest()


class _Group(Protocol[W]):
    count: int
    cost_ms: float

    def add(self, item: W) -> None: ...
    def remove(self, item: W) -> None: ...
    def first(self) -> W: ...
    def charge(self, item: W) -> None: ...
    def charge_more(self, claim: Claim, more_ms: float) -> None: ...
    def ahead_ms(self, item: W) -> float: ...
    def newest_of_largest(self) -> W: ...


class _Line(Generic[W]):
    """The jobs of one client and one host: the shortest first, with ageing."""

    def __init__(self) -> None:
        self.count = 0
        self.cost_ms = 0.0
        self._numbers = itertools.count()
        self._entries: list[_Entry[W]] = []

    def add(self, item: W) -> None:
        bisect.insort(self._entries, (_rank(item), next(self._numbers), item))
        self.count += 1
        self.cost_ms += item.claim.cost_ms

    def remove(self, item: W) -> None:
        index = self._find(item)
        if index is not None:
            del self._entries[index]
            self.count -= 1
            self.cost_ms -= item.claim.cost_ms

    def first(self) -> W:
        return self._entries[0][2]

    def charge(self, item: W) -> None:
        pass  # there are no turns within a line

    def charge_more(self, claim: Claim, more_ms: float) -> None:
        pass

    def ahead_ms(self, item: W) -> float:
        return sum(each.claim.cost_ms for _, _, each in self._entries[: self._find(item)])

    def newest_of_largest(self) -> W:
        return max(self._entries, key=lambda entry: entry[1])[2]

    def _find(self, item: W) -> int | None:
        for index in range(bisect.bisect_left(self._entries, (_rank(item),)), len(self._entries)):
            if self._entries[index][2] is item:
                return index
        return None


class _Level(Generic[W]):
    """
    Groups that are served by turns: the one that has been given the least work is next.

    A new group starts at the level of the group served last, so idle time earns no turns. A returning group keeps its
    own level if that is higher, so leaving gains nothing (start-time fair queueing, Goyal, Vin and Cheng 1996).

    Args:
        name_of: Returns the name of the group that a job with this claim belongs to.
        new_group: Makes an empty group.
    """

    def __init__(self, name_of: Callable[[Claim], str], new_group: Callable[[], _Group[W]]) -> None:
        self.count = 0
        self.cost_ms = 0.0
        self._name_of = name_of
        self._new_group = new_group
        self._groups: dict[str, _Group[W]] = {}
        self._given_ms: dict[str, float] = {}
        self._reached_ms = 0.0

    def add(self, item: W) -> None:
        name = self._name_of(item.claim)
        if name not in self._groups:
            self._groups[name] = self._new_group()
            self._given_ms[name] = max(self._reached_ms, self._given_ms.get(name, 0.0))
            self._forget_past()
        self._groups[name].add(item)
        self.count += 1
        self.cost_ms += item.claim.cost_ms

    def remove(self, item: W) -> None:
        name = self._name_of(item.claim)
        group = self._groups.get(name)
        if group is None:
            return
        before = group.count
        group.remove(item)
        if group.count < before:
            self.count -= 1
            self.cost_ms -= item.claim.cost_ms
        if not group.count:
            del self._groups[name]

    def _forget_past(self) -> None:
        """If too many groups without a waiting job are remembered, forget those that have been given the least."""
        if len(self._given_ms) - len(self._groups) > _MOST_PAST:
            past = sorted(self._given_ms.keys() - self._groups.keys(), key=self._given_ms.__getitem__)
            for name in past[: len(past) // 2]:
                del self._given_ms[name]

    def first(self) -> W:
        return self._groups[min(self._groups, key=self._given_ms.__getitem__)].first()

    def charge(self, item: W) -> None:
        name = self._name_of(item.claim)
        self._reached_ms = self._given_ms[name]
        self._given_ms[name] += item.claim.cost_ms
        self._groups[name].charge(item)

    def charge_more(self, claim: Claim, more_ms: float) -> None:
        name = self._name_of(claim)
        self._given_ms[name] = max(self._reached_ms, self._given_ms.get(name, 0.0)) + more_ms
        if name in self._groups:
            self._groups[name].charge_more(claim, more_ms)
        self._forget_past()

    def ahead_ms(self, item: W) -> float:
        own = self._groups[self._name_of(item.claim)]
        ahead = own.ahead_ms(item)
        # Until this job is served, each other group gets at most as much as its own.
        until_then = ahead + item.claim.cost_ms
        return ahead + sum(min(group.cost_ms, until_then) for group in self._groups.values() if group is not own)

    def newest_of_largest(self) -> W:
        return max(self._groups.values(), key=lambda group: group.cost_ms).newest_of_largest()


def _client(claim: Claim) -> str:
    return claim.client


def _host(claim: Claim) -> str:
    return claim.host


def _rank(item: Waiting) -> float:
    return item.since_ms + item.claim.cost_ms
