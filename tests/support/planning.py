"""Inputs for plans and renders in tests: facts, clients, and the rules, limits and budgets of the default settings."""

from dataclasses import replace
from typing import Any

from hypothesis import reject

from imgcdn.core.output.plan import Limits, Plan, plan_for
from imgcdn.core.output.settings import OutputSettings
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.request.params import Params
from imgcdn.core.request.settings import RequestSettings
from imgcdn.core.values import Effort, Facts
from imgcdn.errors import InvalidParam

RULES = RequestSettings().rules
LIMITS = OutputSettings().limits(max_dimension=RULES.max_dimension)

FAST = OutputSettings().budget(render_timeout_s=10.0)
THOROUGH = replace(FAST, effort=Effort.THOROUGH)

PHOTO = Facts("jpeg", (2725, 2225), frames=1, alpha=False)
OPAQUE_PNG = replace(PHOTO, format="png")
ALPHA_PNG = replace(PHOTO, format="png", alpha=True)
ANIMATION = Facts("gif", (600, 400), frames=12, alpha=True)

NEITHER: tuple[str, ...] = ()
BOTH = ("avif", "webp")
WEBP_FIRST = ("webp", "avif")

_PLAIN = Params()


def make_plan(facts: Facts, params: Params = _PLAIN, client: tuple[str, ...] = NEITHER, **limits: Any) -> Plan:
    """Make a plan under the default limits; keywords change a limit."""
    return plan_for(facts, params, client, replace(LIMITS, **limits))


def possible_plan(facts: Facts, params: Params, client: ClientClass, limits: Limits) -> Plan:
    """Make a plan of drawn inputs; reject those whose format cannot hold the picture."""
    try:
        return plan_for(facts, params, client, limits)
    except InvalidParam:
        reject()
