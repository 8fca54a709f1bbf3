"""Which requests may wait."""

import asyncio
from contextlib import ExitStack

import pytest

from imgcdn.core.interest import Interest, Requester
from imgcdn.errors import Overloaded
from imgcdn.service.admission import Admission
from imgcdn.service.single_flight import SingleFlight
from tests.support.brokers import until


def admitted(admission: Admission, host: str, most: int, stack: ExitStack) -> int:
    """Admit requests for a host until one is refused; return how many were admitted."""
    for number in range(most):
        try:
            stack.enter_context(admission.admit(host))
        except Overloaded:
            return number
    return most


def test_a_host_takes_half_of_the_places_and_the_next_one_half_of_the_rest() -> None:
    admission = Admission(100, SingleFlight())
    with ExitStack() as stack:
        assert [admitted(admission, host, 100, stack) for host in ("a", "b", "c", "a")] == [50, 25, 13, 0]
        assert admission.waiting == 88
    assert admission.waiting == 0


def test_one_place_is_enough_for_one_request() -> None:
    admission = Admission(1, SingleFlight())
    with admission.admit("a"), pytest.raises(Overloaded), admission.admit("b"):
        pass
    with admission.admit("b"):
        pass


def test_work_whose_clients_have_left_counts_until_it_ends() -> None:
    async def scenario() -> None:
        flights, go = SingleFlight(), asyncio.Event()
        admission = Admission(8, flights)

        async def work(_: Interest) -> None:
            await go.wait()

        async def visit(number: int) -> None:
            with admission.admit("slow.example"):
                await flights.share(str(number), work, Requester(host="slow.example"))

        for number in range(6):
            visitor = asyncio.create_task(visit(number))
            await asyncio.sleep(0)
            visitor.cancel()
            await asyncio.gather(visitor, return_exceptions=True)
        assert (admission.waiting, flights.abandoned("slow.example")) == (0, 4)
        with ExitStack() as stack:
            assert admitted(admission, "slow.example", 8, stack) == 0
            assert admitted(admission, "other.example", 8, stack) == 2
        go.set()
        await until(lambda: flights.abandoned() == 0, "the work has ended")
        with ExitStack() as stack:
            assert admitted(admission, "slow.example", 8, stack) == 4

    asyncio.run(scenario())
