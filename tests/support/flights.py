"""Requests that wait for a flight."""

import asyncio
from typing import TypeVar

from imgcdn.core.interest import Interest
from imgcdn.service.single_flight import Shared, SingleFlight, Work

T = TypeVar("T")


async def board(flights: SingleFlight, number: int, work: Work[T], key: str = "key") -> list["asyncio.Task[Shared[T]]"]:
    """Let requests wait for a flight."""
    tasks = [asyncio.create_task(flights.share(key, work)) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


async def for_ever(_: Interest) -> None:
    """Do work that does not end."""
    await asyncio.Event().wait()
