"""Pixels -> pixels: geometry."""

from dataclasses import replace

from PIL import Image
from PIL.Image import Transpose

from imgcdn.core.output.geometry import UPRIGHT, Box, Size, compose, swaps_axes
from imgcdn.core.output.plan import Plan
from imgcdn.core.request.params import WHITE
from imgcdn.engine import resample
from imgcdn.engine.decode import Picture

# EXIF 2.32, tag 0x112: orientation -> the transposition that makes the picture upright.
_TRANSPOSITIONS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_RIGHT_EDGE_FIRST = (2, 3, 7, 8)
_BOTTOM_EDGE_FIRST = (3, 4, 6, 7)

_CLEAR = (0, 0, 0, 0)


def orient(picture: Picture, plan: Plan) -> Picture:
    """Apply the EXIF orientation and then the requested turn, as one transposition."""
    orientation = compose(picture.orientation, plan.turn)
    method = _TRANSPOSITIONS.get(orientation)
    if method is None:
        return replace(picture, orientation=UPRIGHT)
    extent = _upright_extent(picture.extent, picture.image.size, orientation)
    return replace(picture, image=picture.image.transpose(method), extent=extent, orientation=UPRIGHT, altered=True)


def resize(picture: Picture, plan: Plan) -> Picture:
    """Crop and resample in one step, so that the crop's edges may lie between pixels."""
    size = plan.resampled
    image = resample.resize(picture.image, size, box_of(picture, plan.crop))
    return replace(picture, image=image, extent=(0.0, 0.0, float(size[0]), float(size[1])), scale=1)


def pad(picture: Picture, plan: Plan) -> Picture:
    """Place the picture in the output. Its transparent pixels stay transparent."""
    if plan.place is None:
        return picture
    image = picture.image
    clear = image.mode in ("LA", "RGBA")
    red, green, blue, alpha = (*(plan.margin or (_CLEAR if clear else WHITE)), 255)[:4]
    grey = image.mode in ("L", "LA") and red == green == blue
    clear = clear or alpha < 255
    mode = ("L" if grey else "RGB") + ("A" if clear else "")
    canvas = Image.new(mode, plan.size, ((red,) if grey else (red, green, blue)) + ((alpha,) if clear else ()))
    canvas.paste(image.convert(mode), plan.place)
    return replace(picture, image=canvas, extent=(0.0, 0.0, float(plan.size[0]), float(plan.size[1])))


def box_of(picture: Picture, part: Box | None) -> Box:
    """Return the box of a part of the source (None for the whole source) in the decoded pixels."""
    return _within(_scaled(picture, part), picture.image.size)


def _scaled(picture: Picture, part: Box | None) -> Box:
    if part is None:
        return picture.extent
    left, top = picture.extent[:2]
    x0, y0, x1, y1 = (edge / picture.scale for edge in part)
    return left + x0, top + y0, left + x1, top + y1


def _within(box: Box, size: Size) -> Box:
    """Limit the right and bottom edges to the image: Pillow refuses rounding errors beyond them."""
    return box[0], box[1], min(box[2], size[0]), min(box[3], size[1])


def _upright_extent(extent: Box, size: Size, orientation: int) -> Box:
    """Return an extent after the transposition. It begins at the stored picture's first pixel."""
    (width, height), (right, bottom) = size, extent[2:]
    xs = (width - right, float(width)) if orientation in _RIGHT_EDGE_FIRST else (0.0, right)
    ys = (height - bottom, float(height)) if orientation in _BOTTOM_EDGE_FIRST else (0.0, bottom)
    if swaps_axes(orientation):
        xs, ys = ys, xs
    return xs[0], ys[0], xs[1], ys[1]
