"""The client of the render broker, observed: its failures are noted among the vitals of the process."""

import contextlib
from pathlib import Path

from imgcdn.core.interest import ALWAYS, Interest
from imgcdn.errors import ImageError, ImgcdnError, InternalError, Overloaded, RenderFailed, RenderTimeout
from imgcdn.renderers.channel import Channel
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import NO_CLAIM, Claim, Failed, Job, Outcome, Probed
from imgcdn.renderers.settings import BrokerSettings
from imgcdn.service.vitals import SURE, Vitals

BROKER, RENDERERS = "broker", "renderers"


class ObservedRenderClient(RenderClient):
    """
    Sends jobs to the broker, and notes what becomes of them.

    Args:
        settings, folder: As for `RenderClient`.
        vitals: Where failures are noted.
    """

    def __init__(self, settings: BrokerSettings, *, vitals: Vitals, folder: Path | None = None) -> None:
        super().__init__(settings, folder=folder)
        self._vitals = vitals
        self._is_silent = False  # a broker that hangs can be connected to; only an outcome shows that there is another

    async def run(self, job: Job, claim: Claim = NO_CLAIM, interest: Interest = ALWAYS) -> Outcome:
        try:
            outcome = await super().run(job, claim, interest)
        except ImgcdnError as error:
            if not isinstance(error, Overloaded | InternalError):
                self._note_answer()
            self._note(error, claim.source)
            raise
        self._note_answer()
        # A header that was read says nothing of renders: between those of several pictures that fail, each is read.
        rendered = outcome.rendered if isinstance(outcome, Probed) else outcome
        if rendered is not None:
            self._note(rendered.error if isinstance(rendered, Failed) else None, claim.source)
        return outcome

    async def connect(self) -> Channel:
        try:
            channel = await super().connect()
        except (ImgcdnError, OSError):
            self._vitals.note_failure(BROKER, "it does not start; the log has the reason", weight=SURE)
            raise
        if not self._is_silent:
            self._vitals.note_success(BROKER)
        return channel

    def end_silent_broker(self, connection_fd: int) -> None:
        self._is_silent = True
        self._vitals.note_failure(BROKER, "it hung; the log has more", weight=SURE)
        super().end_silent_broker(connection_fd)

    async def try_to_connect(self) -> None:
        """Connect to the broker, or start it. If that fails, the log and the vitals have it, and the next job tries."""
        # RuntimeError: the interpreter ends, and starts no more threads.
        with contextlib.suppress(ImgcdnError, OSError, RuntimeError):
            await self.connect()

    def _note_answer(self) -> None:
        """Note that the broker has answered, so it does not hang, or another one has taken its place."""
        if self._is_silent:
            self._is_silent = False
            self._vitals.note_success(BROKER)

    def _note(self, error: ImgcdnError | None, source: str) -> None:
        """Note the outcome of a job. A child that found fault with an original did its work."""
        if isinstance(error, InternalError):
            self._vitals.note_failure(RENDERERS, "the last render failed; the log has the reason", weight=SURE)
        elif isinstance(error, RenderFailed | RenderTimeout):
            self._vitals.note_failure(RENDERERS, "the last renders crashed or took too long", source=source)
        elif error is None or isinstance(error, ImageError):
            self._vitals.note_success(RENDERERS)
