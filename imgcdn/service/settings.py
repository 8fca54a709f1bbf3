"""How long a request may take, and how many may wait."""

from dataclasses import dataclass

from imgcdn.core.setting import integer, seconds, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """How long a request may take, and how many may wait."""

    request_timeout_s: float = setting(25.0, seconds(0.1, 600), "Wall-clock seconds for one request, waiting included.")
    max_waiting: int = setting(
        1024,
        integer(1, 100_000),
        "Requests of one HTTP worker that may wait for a render; more are refused with 503. One host gets half of "
        "them, and so does the folder.",
    )
