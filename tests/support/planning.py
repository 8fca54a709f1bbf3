"""What tests plan and render with: facts, clients, and the limits and budgets of the default settings."""

from dataclasses import replace
from typing import Any

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.plan import Limits, Plan, plan_for
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, Facts

LIMITS = Limits(
    avif_min_pixels=4096, avif_max_pixels=20_000_000, max_dimension=8192, keep_profile=False, animations=("webp",)
)

FAST = Budget(Effort.FAST, s_per_megapixel=6.0, total_s=10 / 3, avif_max_pixels=20_000_000)
THOROUGH = Budget(Effort.THOROUGH, s_per_megapixel=6.0, total_s=10 / 3, avif_max_pixels=20_000_000)

PHOTO = Facts("jpeg", (2725, 2225), frames=1, alpha=False)
OPAQUE_PNG = replace(PHOTO, format="png")
ALPHA_PNG = replace(PHOTO, format="png", alpha=True)
ANIMATION = Facts("gif", (600, 400), frames=12, alpha=True)

NEITHER: tuple[str, ...] = ()
BOTH = ("avif", "webp")
WEBP_FIRST = ("webp", "avif")

_PLAIN = Params()


def planned(facts: Facts, params: Params = _PLAIN, client: tuple[str, ...] = NEITHER, **limits: Any) -> Plan:
    """Plan under the default limits, or others."""
    return plan_for(facts, params, client, replace(LIMITS, **limits))
