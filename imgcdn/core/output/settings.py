"""The settings of formats and encoders."""

from dataclasses import dataclass
from enum import Enum

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.formats import NEGOTIATED, WEBP
from imgcdn.core.output.plan import Limits
from imgcdn.core.setting import choice, integer, names, seconds, setting
from imgcdn.core.values import Effort

# The share of a render's time that the encoder may use; the help of `thorough_s_per_megapixel` names it. The rest is
# for decoding, and for slow or busy CPUs.
_ENCODING_SHARE = 1 / 3


class ColourPolicy(Enum):
    """What happens to a colour profile: pixels are converted to sRGB, or keep their colours and the profile."""

    SRGB = 1
    KEEP = 2


class PartialPolicy(Enum):
    """What happens to an original that ends early: what there is of it is served, or it is refused."""

    SERVE = 1
    REFUSE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """Which formats originals become, and how much time encoders have."""

    animation_formats: tuple[str, ...] = setting(
        (WEBP.name,),
        names(*(fmt.name for fmt in NEGOTIATED)),
        "Negotiated formats that animations may become: `avif`, `webp`, both, or an empty list. A frame of avif takes "
        "several times as long as one of webp.",
    )
    avif_min_pixels: int = setting(
        4096, integer(0, 10**9), "Outputs with fewer pixels are sent as webp to clients that name both avif and webp."
    )
    avif_max_pixels: int = setting(
        20_000_000,
        integer(0, 10**9),
        "Outputs with more pixels are sent as webp to clients that name both avif and webp.",
    )
    effort: Effort = setting(
        Effort.FAST,
        choice(Effort),
        "How long encoders may try: as briefly as possible, because a client waits (`fast`), or longer, for smaller "
        "files (`thorough`).",
    )
    thorough_s_per_megapixel: float = setting(
        6.0,
        seconds(0.05, 60),
        "Seconds that `thorough` may spend on a megapixel (estimated); at most a third of `render_timeout_s`.",
    )
    color: ColourPolicy = setting(
        ColourPolicy.SRGB,
        choice(ColourPolicy),
        "What happens to a colour profile: pixels are converted to sRGB (`srgb`), or keep their colours and profile "
        "(`keep`).",
    )
    partial: PartialPolicy = setting(
        PartialPolicy.SERVE,
        choice(PartialPolicy),
        "What happens to an original that ends early: the pixels and frames that are there are served, for a minute "
        "(`serve`), or it is refused with 422 (`refuse`).",
    )

    def limits(self, *, max_dimension: int) -> Limits:
        """
        Return the limits for plans.

        Args:
            max_dimension: Longest edge of an enlarged output, in pixels.
        """
        return Limits(
            avif_min_pixels=self.avif_min_pixels,
            avif_max_pixels=self.avif_max_pixels,
            max_dimension=max_dimension,
            keep_profile=self.color is ColourPolicy.KEEP,
            animation_formats=self.animation_formats,
        )

    def budget(self, *, render_timeout_s: float) -> Budget:
        """
        Return the time and size limits for encoders.

        Args:
            render_timeout_s: Wall-clock seconds for a whole render.
        """
        return Budget(
            self.effort, self.thorough_s_per_megapixel, render_timeout_s * _ENCODING_SHARE, self.avif_max_pixels
        )
