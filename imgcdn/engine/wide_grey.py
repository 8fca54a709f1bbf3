"""Grey pictures with samples of more than 8 bits."""

from PIL import Image, ImageMath

# Mode -> the factor that brings its values to 0..255. PNG's 16 bits arrive as I;16 (or I), floats run from 0 to 1.
_FACTORS = {"I;16": 1 / 257, "I;16L": 1 / 257, "I;16B": 1 / 257, "I;16N": 1 / 257, "I": 1 / 257, "F": 255.0}


def is_wide(image: Image.Image) -> bool:
    """Tell whether it is a grey picture with such samples."""
    return image.mode in _FACTORS


def narrow(image: Image.Image) -> Image.Image:
    """Scale a wide grey image to 8 bits: mode L, or LA if it declares a transparent value. `convert` would clip it."""
    factor = _FACTORS[image.mode]
    grey = image.point(lambda value: value * factor + 0.5).convert("L")
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        opaque = ImageMath.lambda_eval(lambda args: (args["grey"] != clear) * 255, grey=image.convert("I"))
        grey.putalpha(opaque.convert("L"))
    return grey
