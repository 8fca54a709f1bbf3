"""What all renders have in common."""

from dataclasses import dataclass

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.plan import Limits
from imgcdn.core.values import Variant
from imgcdn.errors import CorruptImage


@dataclass(frozen=True, slots=True)
class RenderPolicy:
    """
    The settings of renders.

    Args:
        limits: The limits of plans.
        budget: The limits of encoders.
        timeout_s: Wall-clock seconds for one render.
        serves_partial: Whether what there is of an original that ends early is served.
    """

    limits: Limits
    budget: Budget
    timeout_s: float
    serves_partial: bool = True

    def check(self, variant: Variant) -> Variant:
        """
        Return a variant that may be served. A stored one may have been made under other settings.

        Raises:
            CorruptImage: Its original ends early.
        """
        if variant.partial and not self.serves_partial:
            raise CorruptImage.for_partial()
        return variant
