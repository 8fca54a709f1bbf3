"""
Draw the samples that are not photographs: transparency, flat graphics, animation, EXIF orientation.

    python scripts/draw_samples.py [FOLDER]        default: sample_images

The same Pillow draws the same bytes: it uses no clock and no random numbers, and the font is the one inside Pillow.
"""

import colorsys
import math
import sys
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

RGB = tuple[int, int, int]
Point = tuple[float, float]

#: Shapes are drawn this many times larger and reduced: Pillow's own drawing has no antialiasing.
OVERSAMPLING = 4

INK: RGB = (24, 28, 48)
PAPER: RGB = (250, 250, 252)
GRID: RGB = (226, 229, 238)
MUTED: RGB = (112, 118, 140)
BLUE: RGB = (51, 102, 255)
CORAL: RGB = (255, 107, 87)
MINT: RGB = (20, 176, 143)

_ORIENTATION_TAG = 0x112
_TURN_CLOCKWISE_TO_VIEW = 6


def hue(fraction: float, *, saturation: float = 0.72, value: float = 1.0) -> RGB:
    """Return a colour of the wheel; 0 is red, 1/3 green."""
    red, green, blue = colorsys.hsv_to_rgb(fraction % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def around(centre: Point, radius: float, turn: float) -> Point:
    """Return the point at a fraction of a full turn, clockwise from the top."""
    angle = turn * math.tau
    return centre[0] + radius * math.sin(angle), centre[1] - radius * math.cos(angle)


def font(size: float) -> ImageFont.FreeTypeFont:
    """Return Pillow's built-in font; it needs FreeType, which every wheel of Pillow has."""
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise SystemExit("this Pillow was built without FreeType")
    return loaded


def logo() -> Image.Image:
    """Draw an aperture of seven translucent blades over a soft shadow; everything around it is transparent."""
    edge, blades = 640 * OVERSAMPLING, 7
    centre = (edge / 2, edge / 2)
    mark = Image.new("RGBA", (edge, edge))
    for blade in range(blades):
        turn = blade / blades
        layer = Image.new("RGBA", (edge, edge))
        middle = around(centre, edge * 0.19, turn)
        draw = ImageDraw.Draw(layer)
        draw.circle(middle, edge * 0.215, fill=(*hue(0.56 + turn), 190))
        mark = Image.alpha_composite(mark, layer)
    hole = Image.new("L", (edge, edge), 255)
    corners = [around(centre, edge * 0.12, corner / blades + 0.5 / blades) for corner in range(blades)]
    ImageDraw.Draw(hole).polygon(corners, fill=0)
    mark.putalpha(ImageChops.multiply(mark.getchannel("A"), hole))
    mark = mark.reduce(OVERSAMPLING)
    shadow = Image.new("RGBA", mark.size, (*INK, 0))
    shadow.putalpha(mark.getchannel("A").filter(ImageFilter.GaussianBlur(14)).point(lambda alpha: alpha * 0.45))
    return Image.alpha_composite(ImageChops.offset(shadow, 0, 14), mark)


def chart() -> Image.Image:
    """Draw a chart as a slide or a screenshot has it: flat colours, thin lines, small text."""
    width, height = 1200, 720
    image = Image.new("RGB", (width * 2, height * 2), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((160, 92), "Apples picked, by orchard", fill=INK, font=font(68))
    draw.text((160, 186), "Invented numbers: flat colours, thin lines, small text", fill=MUTED, font=font(38))
    _axes(draw)
    series = {
        "North": (CORAL, (18, 34, 55, 82, 121, 168)),
        "East": (BLUE, (14, 26, 41, 60, 86, 118)),
        "South": (MINT, (11, 19, 29, 42, 60, 81)),
    }
    for row, (name, (colour, baskets)) in enumerate(series.items()):
        for column, value in enumerate(baskets):
            left = 236 + column * 350 + row * 86
            draw.rounded_rectangle((left, 1260 - value * 5, left + 74, 1260), 10, fill=colour)
            draw.text((left + 37, 1250 - value * 5), str(value), fill=INK, font=font(28), anchor="mb")
        draw.rounded_rectangle((1720 + row * 190, 108, 1756 + row * 190, 144), 8, fill=colour)
        draw.text((1770 + row * 190, 126), name, fill=INK, font=font(38), anchor="lm")
    return image.reduce(2).quantize(64, dither=Image.Dither.NONE)


def _axes(draw: ImageDraw.ImageDraw) -> None:
    for value in range(0, 201, 50):
        line = 1260 - value * 5
        draw.line((180, line, 2300, line), fill=GRID if value else INK, width=4)
        draw.text((160, line), str(value), fill=MUTED, font=font(30), anchor="rm")
    for column, label in enumerate(("May", "June", "July", "August", "Sept", "Oct")):
        draw.text((359 + column * 350, 1284), label, fill=MUTED, font=font(34), anchor="mt")


def spinner() -> list[Image.Image]:
    """Draw a ring of dots that chase each other; GIF knows only opaque and transparent, so the edges are hard."""
    edge, dots, steps = 240, 12, 24
    colours = [hue(0.56 + dot / dots, saturation=0.66) for dot in range(dots)]
    frames = []
    for step in range(steps):
        frame = Image.new("P", (edge, edge), 0)
        frame.putpalette([0, 0, 0, *(channel for colour in colours for channel in colour)])
        draw = ImageDraw.Draw(frame)
        for dot in range(dots):
            age = (step / steps - dot / dots) % 1.0
            middle = around((edge / 2, edge / 2), 84, dot / dots)
            draw.circle(middle, 7 + 15 * (1 - age) ** 1.6, fill=dot + 1)
        frames.append(frame)
    return frames


def upright() -> Image.Image:
    """Draw a test card over a wide gradient that says plainly which way is up."""
    width, height = 1600, 900
    image = _sunset(width, height)
    draw = ImageDraw.Draw(image)
    for bar in range(8):
        left = 200 + bar * 150
        draw.rectangle((left, 700, left + 149, 779), fill=hue(bar / 8, saturation=0.8))
        grey = round(bar * 255 / 7)
        draw.rectangle((left, 780, left + 149, 839), fill=(grey, grey, grey))
    for radius in (260, 250):
        draw.circle((800, 390), radius, outline=PAPER, width=3)
    draw.polygon([(800, 190), (900, 320), (845, 320), (845, 430), (755, 430), (755, 320), (700, 320)], fill=PAPER)
    draw.text((800, 500), "THIS WAY UP", fill=PAPER, font=font(58), anchor="mm")
    draw.text((800, 566), "EXIF orientation 6", fill=PAPER, font=font(34), anchor="mm")
    for corner in ((60, 60), (width - 60, 60), (60, height - 60), (width - 60, height - 60)):
        draw.circle(corner, 28, outline=PAPER, width=4)
        draw.line((corner[0] - 44, corner[1], corner[0] + 44, corner[1]), fill=PAPER, width=2)
        draw.line((corner[0], corner[1] - 44, corner[0], corner[1] + 44), fill=PAPER, width=2)
    return image


def _sunset(width: int, height: int) -> Image.Image:
    """Blend three colours across and darken downwards: smooth areas are where a poor encoder shows bands."""
    down = Image.linear_gradient("L").resize((width, height), Image.Resampling.BICUBIC)
    across = Image.linear_gradient("L").rotate(90).resize((width, height), Image.Resampling.BICUBIC)
    sky = Image.composite(
        Image.new("RGB", (width, height), (255, 138, 92)), _plain(width, height, (86, 66, 190)), across
    )
    return Image.composite(_plain(width, height, (20, 20, 60)), sky, down.point(lambda level: level * 0.8))


def _plain(width: int, height: int, colour: RGB) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def save_all(folder: Path) -> None:
    """Write the four pictures, replacing what has their names."""
    logo().save(folder / "logo.png", optimize=True)
    chart().save(folder / "chart.png", optimize=True)
    first, *others = spinner()
    first.save(
        folder / "spinner.gif",
        save_all=True,
        append_images=others,
        duration=50,
        loop=0,
        transparency=0,
        disposal=2,
    )
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = _TURN_CLOCKWISE_TO_VIEW
    lying = upright().transpose(Image.Transpose.ROTATE_90)  # counter-clockwise; the tag undoes it
    lying.save(folder / "upright.jpg", quality=88, optimize=True, progressive=True, exif=exif)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_images")
    target.mkdir(parents=True, exist_ok=True)
    save_all(target)
    print(f"drew logo.png, chart.png, spinner.gif and upright.jpg in {target}")
