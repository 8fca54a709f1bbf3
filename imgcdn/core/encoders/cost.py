"""
What a render costs, estimated from its plan before anything is decoded.

The figures are CPU milliseconds for a megapixel on one core of a machine of 2026, fitted by hand to renders of the
photographs and graphics in the corpus. They decide who waits for whom, so their ratios matter more than their size: the
queue measures how much faster or slower this machine is.
"""

from imgcdn.core.encoders.effort import Budget, cost_s
from imgcdn.core.encoders.encoding import photograph_encoding
from imgcdn.core.output.draft import draft_factor
from imgcdn.core.output.formats import AVIF, GIF, JPEG, PLACEHOLDERS, PNG, WEBP
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import Facts

#: Reading a file, and starting and ending the work in a child.
_FIXED_MS = 5.0

#: Decoding the original.
_DECODE_MS = {JPEG.name: 9.0, PNG.name: 20.0, WEBP.name: 15.0, AVIF.name: 30.0, GIF.name: 12.0}

#: The part of decoding a JPEG that a smaller draft does not save: reading its Huffman codes.
_HUFFMAN_MS = 3.0

#: Resampling, for a megapixel of what was decoded, or of the output where that is larger: two milliseconds for RGB,
#: three with alpha; 12 and more without SIMD.
_RESAMPLE_MS = 3.0

#: Effects, for a megapixel of the output in colour. The sigma of a blur makes no difference.
_BLUR_MS = 45.0
_SHARPEN_MS = 50.0
_SATURATION_MS = 11.0
_GRAYSCALE_MS = 4.0

#: Brightness or contrast, each.
_CURVE_MS = 4.0

#: With alpha, colour is multiplied by it before and divided afterwards.
_EFFECTS_WITH_ALPHA = 2.0

#: Encoding, where the encoder has no speeds (`effort.py`). PNG includes the search for a palette.
_ENCODE_MS = {JPEG.name: 25.0, PNG.name: 350.0, GIF.name: 200.0}

#: q=auto encodes samples first.
_SEARCH = 1.5


def cost_ms(facts: Facts, plan: Plan, budget: Budget) -> float:
    """
    Estimate the CPU milliseconds of a render on one core.

    Args:
        facts: The probe facts of the original.
        plan: The plan of the variant.
        budget: The limits of encoders.

    >>> from imgcdn.core.values import Effort
    >>> fast = Budget(Effort.FAST, s_per_megapixel=0, total_s=0, avif_max_pixels=20_000_000)
    >>> photograph = Facts("jpeg", (4000, 3000), 1, False)
    >>> round(cost_ms(photograph, Plan(size=(800, 600), format="avif", q=75), fast))
    126
    """
    frames = facts.frames if plan.animated else 1
    source, output = _megapixels(facts.size), _megapixels(plan.size)
    decoding, effects = _decode_ms(facts, plan, source), _effects_ms(facts, plan)
    return _FIXED_MS + frames * (decoding + effects + _encode_ms(plan, budget, output))


def _decode_ms(facts: Facts, plan: Plan, source: float) -> float:
    decoded, fixed, rate = source, 0.0, _DECODE_MS.get(facts.format, max(_DECODE_MS.values()))
    if facts.format == JPEG.name:
        decoded, fixed = source / draft_factor(facts.size, plan) ** 2, source * _HUFFMAN_MS
        rate -= _HUFFMAN_MS
    resampled = max(decoded, _megapixels(plan.resampled)) if plan.size != facts.size else 0.0
    return fixed + decoded * rate + resampled * _RESAMPLE_MS


def _effects_ms(facts: Facts, plan: Plan) -> float:
    rates = (
        (_CURVE_MS, plan.brightness != 1),
        (_CURVE_MS, plan.contrast != 1),
        (_SATURATION_MS, plan.saturation != 1),
        (_GRAYSCALE_MS, plan.grayscale),
        (_BLUR_MS, plan.blur),
        (_SHARPEN_MS, plan.sharpen),
    )
    rate = sum(rate for rate, is_wanted in rates if is_wanted)
    return rate * _megapixels(plan.resampled) * (_EFFECTS_WITH_ALPHA if facts.alpha else 1.0)


def _encode_ms(plan: Plan, budget: Budget, output: float) -> float:
    if plan.format in PLACEHOLDERS:
        return 0.0
    rate = _ENCODE_MS.get(plan.format)
    if rate is None:
        encoding = photograph_encoding(plan, budget)
        rate = 1000 * cost_s(encoding.encoder, encoding.speed)
    return rate * output * (_SEARCH if plan.target is not None else 1.0)


def _megapixels(size: tuple[int, int]) -> float:
    return size[0] * size[1] / 1e6
