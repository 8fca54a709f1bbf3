"""
The query parameters, each declared once.

An entry here and a field of `Params` make a parameter: the names that are understood, the parser, the texts of errors
and README's table all come from the entry. CONTRIBUTING, "Adding things", lists what else a parameter needs.
"""

from dataclasses import dataclass
from decimal import Decimal

from imgcdn.core.request.arguments import (
    SWITCH,
    Choices,
    Colours,
    Crops,
    Decimals,
    FileNames,
    Floats,
    Integers,
    Positions,
    Range,
    Texts,
    Timestamps,
    Tokens,
)
from imgcdn.core.request.words import FITS, FLIPS, FORMAT_WORDS, PLACES, TURNS

#: The default of the setting of this name: the largest `w` and `h`, in pixels.
MAX_DIMENSION = 8192

DEFAULT_Q = 75


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter.

    Args:
        name: In a URL.
        range: The values that it accepts.
        meaning: A sentence or two for README's table.
        field: The field of `Params` that holds its value. Empty if `parse_params` combines it with other parameters,
            and for parameters of the request.
        default: What its absence means: a value as in a URL, or a word for README's table.
        aliases: Other accepted names.
        foreign: Names for it in other image CDNs. They are refused, and the error suggests this parameter.
        of_request: Whether it describes the request and not the output. Presets and `Params` do not have such
            parameters.
    """

    name: str
    range: Range[object]
    meaning: str
    field: str = ""
    default: str = "none"
    aliases: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    of_request: bool = False


# Ranges that are used more than once.
EDGE = Integers(1, MAX_DIMENSION, setting="max_dimension")
DPR = Decimals(Decimal("0.5"), Decimal(4))
Q = Integers(1, 100, "auto")
FACTOR = Floats(Decimal(0), Decimal(4))
VERSION = Tokens(64)
PRESET_NAME = Tokens(64)
DOWNLOAD = FileNames()
EXPIRY = Timestamps()
KEY_ID = Tokens(64)

#: In the order of README's table and of the helper's URLs.
PARAMETERS = (
    Parameter(
        "url",
        Texts("`/path`, `path` or an absolute URL"),
        "The original. In the path form it is the path.",
        default="required",
        foreign=("src", "href"),
        of_request=True,
    ),
    Parameter(
        "w",
        EDGE,
        "Width of the output in pixels. Alone, it keeps the ratio.",
        default="source",
        aliases=("width",),
    ),
    Parameter(
        "h",
        EDGE,
        "Height of the output in pixels. Alone, it keeps the ratio.",
        default="source",
        aliases=("height",),
    ),
    Parameter("dpr", DPR, "Multiplies `w` and `h`.", default="1"),
    Parameter(
        "fit",
        Choices(FITS),
        "How the picture fits the box; `pad` fills the rest with `bg`.",
        field="fit",
        default="contain",
        foreign=("resize", "mode"),
    ),
    Parameter(
        "position",
        Positions(PLACES),
        "The part that a cover crop keeps (`smart`: where the subject seems to be), or where a padded picture lies.",
        field="position",
        default="center",
        foreign=("gravity", "anchor"),
    ),
    Parameter(
        "fm",
        Choices(FORMAT_WORDS),
        "Output format; `auto` negotiates it. The last four return text about the picture.",
        field="format",
        default="auto",
        aliases=("format",),
        foreign=("f", "auto", "output"),
    ),
    Parameter(
        "q",
        Q,
        "Quality on one scale: the same `q` looks alike in every format. `auto` finds the lowest `q` with which this "
        "picture reaches the setting `auto_target`.",
        field="q",
        default=str(DEFAULT_Q),
        aliases=("quality",),
    ),
    Parameter(
        "bg",
        Colours(),
        "Colour beneath transparent pixels and around a padded picture. By default white, where a colour is needed.",
        field="background",
        foreign=("background", "bgcolor"),
    ),
    Parameter("rotate", Choices(TURNS), "Turns the upright picture clockwise.", foreign=("rot",)),
    Parameter("flip", Choices(FLIPS), "Then mirrors it: `h` left to right, `v` top to bottom, `hv` both."),
    Parameter(
        "trim",
        Integers(0, 255),
        "Then removes a border of one colour; pixels may differ from it by this much.",
        field="trim",
    ),
    Parameter(
        "crop",
        Crops(),
        "Then keeps this part of it; `w`, `h` and `fit` apply to that part.",
        field="crop",
        foreign=("rect", "extract"),
    ),
    Parameter(
        "brightness", FACTOR, "Multiplies every colour value.", field="brightness", default="1", foreign=("bri",)
    ),
    Parameter(
        "contrast",
        FACTOR,
        "Multiplies the difference of every colour value from the middle.",
        field="contrast",
        default="1",
        foreign=("con",),
    ),
    Parameter(
        "saturation",
        FACTOR,
        "0 removes all colour, 1 changes nothing, more makes colours stronger.",
        field="saturation",
        default="1",
        foreign=("sat",),
    ),
    Parameter(
        "grayscale",
        SWITCH,
        "Whether the picture becomes grey.",
        field="grayscale",
        default="0",
        foreign=("greyscale", "monochrome"),
    ),
    Parameter("blur", Floats(Decimal("0.3"), Decimal(250)), "Sigma in pixels of the output.", field="blur"),
    Parameter(
        "sharpen",
        Floats(Decimal(0), Decimal(10)),
        "1 compensates for the softening of a resize.",
        field="sharpen",
        default="0",
    ),
    Parameter("enlarge", SWITCH, "Whether the output may be larger than the source.", field="enlarge", default="0"),
    Parameter(
        "still",
        SWITCH,
        "Whether only the first frame of an animation is kept.",
        field="still",
        default="0",
        foreign=("anim", "animated"),
    ),
    Parameter(
        "p",
        Texts("a preset's name"),
        "Parameters from the setting `presets`; those in the URL override them.",
        foreign=("preset",),
        of_request=True,
    ),
    Parameter(
        "dl",
        DOWNLOAD,
        "The browser saves the picture under this name. The extension follows from the format.",
        foreign=("download",),
        of_request=True,
    ),
    Parameter(
        "v",
        VERSION,
        "Your version of the source. The response is then immutable, that of a remote source only after its "
        "origin was asked for this version.",
        foreign=("version",),
        of_request=True,
    ),
    Parameter(
        "exp",
        EXPIRY,
        "When a signed URL expires. No cache may keep the response for longer.",
        foreign=("expires", "expiry"),
        of_request=True,
    ),
    Parameter("kid", KEY_ID, "The key of `signing_keys` that a URL is signed with.", of_request=True),
    Parameter(
        "s",
        Texts("a signature"),
        "Signs the path and all other parameters. `imgcdn sign` and `ImageCDN` make it.",
        foreign=("signature", "sig", "hmac"),
        of_request=True,
    ),
)

#: Name -> parameter.
BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}

#: Parameter -> the field of `Params` that takes its value.
FIELDS = {parameter.name: parameter.field for parameter in PARAMETERS if parameter.field}

#: Alias -> parameter.
ALIASES = {alias: parameter.name for parameter in PARAMETERS for alias in parameter.aliases}

#: Another image CDN's name -> the parameter that does the same here.
FOREIGN = {word: parameter.name for parameter in PARAMETERS for word in parameter.foreign}

#: The parameters that describe a request and not the output.
OF_THE_REQUEST = frozenset(parameter.name for parameter in PARAMETERS if parameter.of_request)
