"""Which requests may wait for a picture: counted before anything is spent on them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from imgcdn.errors import Overloaded
from imgcdn.service.single_flight import SingleFlight


class Admission:
    """
    Counts the requests of one process that wait for a picture.

    Work that goes on although its clients have left counts like the request that began it. A host gets another place
    only while more are free than it holds. So one host gets at most half of the places, its abandoned work included.

    Args:
        places: How many requests may wait.
        flights: The work that is under way.
    """

    def __init__(self, places: int, flights: SingleFlight) -> None:
        self.waiting = 0
        self._places = places
        self._flights = flights
        self._hosts: Counter[str] = Counter()

    @contextmanager
    def admit(self, host: str) -> Iterator[None]:
        """
        Let a request wait.

        Args:
            host: The host of its source; empty for a folder.

        Raises:
            Overloaded: Too many wait already.
        """
        free = self._places - self.waiting - self._flights.abandoned()
        if free <= self._hosts[host] + self._flights.abandoned(host):
            raise Overloaded("Too many requests are waiting for pictures. Try again in a second.")
        self.waiting += 1
        self._hosts[host] += 1
        try:
            yield
        finally:
            self.waiting -= 1
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]
