"""The gunicorn worker: gunicorn's own asgi worker, with a drain that a load balancer can see."""

import asyncio
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

_PAUSE_S = 0.05


class EdgeWorker(ASGIWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Keeps answering while what is under way finishes: readyz with 503, so that no new work is sent here."""

    asgi: Any
    alive: bool

    def handle_exit_signal(self) -> None:
        """Start to drain (SIGTERM)."""
        self.asgi.draining = True
        super().handle_exit_signal()

    async def _shutdown(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.cfg.graceful_timeout
        while self.asgi.waiting and loop.time() < deadline and not self._quick_shutdown:
            self.notify()
            await asyncio.sleep(_PAUSE_S)
        await super()._shutdown()
