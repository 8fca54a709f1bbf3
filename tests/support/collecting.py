"""What is left in cycles, so that only the collector frees it."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def cycles() -> Iterator[list[object]]:
    """Yield a list that gets, when the block ends, every object that the block has left in a cycle."""
    left: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield left
    finally:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        left += gc.garbage
        gc.garbage.clear()
        gc.enable()


def errors_among(left: list[object]) -> list[str]:
    """Name the errors, and the tasks and frames that they hold or that hold them."""
    frames = [f"the frame of {each.f_code.co_qualname}" for each in left if isinstance(each, FrameType)]
    return [repr(each) for each in left if isinstance(each, BaseException | asyncio.Task)] + frames
