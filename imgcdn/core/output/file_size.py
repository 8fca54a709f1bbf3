"""How large a variant's file can be. A render child that was taken over may write or send any file."""

from imgcdn.core.output.plan import Plan

#: No variant is larger: twice 8192 x 8192 pixels of 4 bytes.
MOST_BYTES = 2**29

#: Four times a pixel without compression. JPEG takes most: pure noise at q=100 has 4 bytes in a pixel.
_PIXEL_BYTES = 16

#: What a file has beside pixels: headers, and a profile, of which Pillow inflates 1 MiB.
_REST_BYTES = 4 * 2**20


def most_variant_bytes(plan: Plan, original_bytes: int) -> int:
    """
    Return the greatest possible size of a variant's file.

    Args:
        plan: The plan of the variant.
        original_bytes: Size of the original, whose own coding may be sent.

    >>> most_variant_bytes(Plan(size=(100, 100), format="webp"), 50_000)
    4404304
    """
    if plan.animated:  # the plan does not have the number of its frames
        return MOST_BYTES + original_bytes
    width, height = plan.size if plan.trim is None else (plan.trim.max_edge, plan.trim.max_edge)
    return min(MOST_BYTES, width * height * _PIXEL_BYTES + _REST_BYTES) + original_bytes
