"""What will be made for a request: the plan, its key and its estimated cost, remembered for hits."""

import logging
from dataclasses import dataclass, replace

from imgcdn.core.amounts import in_seconds
from imgcdn.core.encoders.cost import cost_ms
from imgcdn.core.footprint import PLAN_BYTES
from imgcdn.core.memo import MIB, Memo, bytes_of
from imgcdn.core.output.keys import variant_key
from imgcdn.core.output.plan import Limits, Plan, plan_for
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts, SourceRecord
from imgcdn.dialects.base import ImageRequest
from imgcdn.errors import TooCostly
from imgcdn.service.policy import RenderPolicy

_log = logging.getLogger(__name__)

#: A render is refused if its estimate exceeds the deadline by this factor. Estimates may be wrong by a factor of two.
_TOO_COSTLY = 2.0


@dataclass(frozen=True, slots=True)
class Planned:
    """
    A plan for one version of a source.

    Args:
        version: SHA-256 of the original's bytes, hex.
        plan: The plan.
        key: Its key.
        cost_ms: Its estimated cost, in CPU milliseconds.
        is_reduced: Whether a limit made an animation a still that would have stayed an animation.
    """

    version: str
    plan: Plan
    key: str
    cost_ms: float
    is_reduced: bool = False


class Planner:
    """
    Plans variants.

    Args:
        policy: The settings of renders.
    """

    def __init__(self, policy: RenderPolicy) -> None:
        self._policy = policy
        self._plans: Memo[tuple[ImageRequest, ClientClass], Planned] = Memo(
            16 * MIB, lambda key, _: bytes_of(key) + key[0].memory_bytes + PLAN_BYTES
        )

    def plan(self, record: SourceRecord, request: ImageRequest, client: ClientClass) -> Planned:
        """
        Return the plan of a request for an original whose probe facts are known.

        Raises:
            InvalidParam: The URL names a format that cannot hold the picture.
        """
        planned = self._plans.get((request, client))
        if planned is None or planned.version != record.version:
            assert record.facts is not None
            plan = plan_for(record.facts, request.params, client, self._policy.limits)
            cost = cost_ms(record.facts, plan, self._policy.budget)
            is_reduced = _is_reduced(record.facts, request.params, client, self._policy.limits)
            planned = Planned(record.version, plan, variant_key(record.version, plan), cost, is_reduced)
            self._plans.put((request, client), planned)
        return planned

    def refuse_costly(self, planned: Planned) -> None:
        """
        Refuse what cannot be made in time. Only the estimate decides, so a URL always gets the same answer.

        Raises:
            TooCostly: The estimate is above twice the deadline of a render.
        """
        limit_s = _TOO_COSTLY * self._policy.timeout_s
        if planned.cost_ms > limit_s * 1000:
            detail = f"This image would take more than {in_seconds(limit_s)}. Ask for a smaller size, or for JPEG."
            raise TooCostly(detail, limit=limit_s)


def _is_reduced(facts: Facts, params: Params, client: ClientClass, limits: Limits) -> bool:
    """Tell whether the output is a still only because `max_pixels` does not permit so many frames."""
    if not facts.all_frames:
        return False
    whole = replace(facts, frames=facts.all_frames, all_frames=0)
    reduced = plan_for(whole, params, client, limits).animated
    if reduced:
        width, height = facts.size
        _log.info(
            "max_pixels does not permit %d frames of %d x %d pixels: sending the first", facts.all_frames, width, height
        )
    return reduced
