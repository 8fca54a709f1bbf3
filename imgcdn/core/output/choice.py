"""Which of the formats that a client may be sent suits an output."""

from dataclasses import dataclass

from imgcdn.core.output.formats import AVIF, FORMATS, GIF, JPEG, PNG, WEBP, Format
from imgcdn.core.output.geometry import Size
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts
from imgcdn.errors import InvalidParam


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """
    The formats to choose from when the URL names none and the picture is a still.

    Args:
        accepted: Names of the negotiated formats that the client accepts, in its order of preference.
        universal: Name of the format to send if none of them suits; every client shows it.
        if_opaque: Name of the format to send instead of `universal` if no pixel turns out to be transparent.
        avif_min_pixels, avif_max_pixels: Outside these limits avif comes last.
    """

    accepted: tuple[str, ...]
    universal: str
    if_opaque: str
    avif_min_pixels: int
    avif_max_pixels: int

    def format_for(self, size: Size) -> Format:
        """
        Choose the format for an output of this size.

        >>> choice = FormatChoice(("avif", "webp"), "jpeg", "jpeg", 4096, 20_000_000)
        >>> [choice.format_for(size).name for size in ((640, 400), (64, 40), (9000, 6000), (300, 17_000))]
        ['avif', 'webp', 'webp', 'jpeg']
        """
        candidates = [FORMATS[name] for name in self.accepted]
        if not self.avif_min_pixels <= size[0] * size[1] <= self.avif_max_pixels:
            candidates.sort(key=lambda fmt: fmt is AVIF)  # stable: avif goes last
        fitting = (fmt for fmt in candidates if max(size) <= fmt.max_edge)
        return next(fitting, FORMATS[self.universal])


def universal_format(facts: Facts, *, transparent: bool) -> Format:
    """Return a format that every client shows: png for alpha and for the flat colours of a gif, otherwise jpeg."""
    if transparent or facts.format == GIF.name:
        return PNG
    return JPEG


def check_edges(fmt: Format, size: Size, other: Format = PNG) -> None:
    """
    Check that a format that the URL names can hold an output.

    Args:
        other: What to ask for instead, if the output is not too long for it.

    Raises:
        InvalidParam: An edge is too long.
    """
    if max(size) > fmt.max_edge:
        detail = (
            f"{fmt.name} has at most {fmt.max_edge:,} pixels an edge, and this picture would have {size[0]:,} x "
            f"{size[1]:,}. Ask for a smaller w or h, or for another fm."
        )
        raise InvalidParam(detail, param="fm", nearest="" if max(size) > other.max_edge else other.name)


def check_motion(fmt: Format, facts: Facts, params: Params, *, can_animate: bool) -> None:
    """
    Check that a format that the URL names can hold an animation, if it is one that can hold animations at all.

    Raises:
        InvalidParam: The service does not make animations of this format.
    """
    if max(facts.frames, facts.all_frames) > 1 and fmt.animation and not params.still and not can_animate:
        detail = (
            f"This is an animation, and animation_formats does not name {fmt.name}. Ask for fm={WEBP.name}, or for the "
            "first frame with still=1."
        )
        raise InvalidParam(detail, param="fm", nearest=WEBP.name)
