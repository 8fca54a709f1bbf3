"""Drawn graphics of the kinds that people publish, and pictures that resemble graphics but are not."""

import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from tests.support import pictures

RGB = tuple[int, int, int]

INK, PAPER = (230, 0, 0), (255, 255, 255)

_WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "while", "service", "renders", "once")


def red_text() -> Image.Image:
    return text(INK, PAPER)


def dark_page() -> Image.Image:
    return text((205, 214, 244), (30, 30, 46), points=22)


def grey_text() -> Image.Image:
    return text((20, 20, 20), PAPER).convert("L")


def text(ink: RGB, paper: RGB, *, points: int = 30, size: tuple[int, int] = (1600, 1000)) -> Image.Image:
    """Antialiased lines of words."""
    dice = random.Random(1)
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    for top in range(30, size[1] - 40, points * 3 // 2):
        line = " ".join(dice.choice(_WORDS) for _ in range(22))
        draw.text((40, top), line, fill=ink, font=ImageFont.load_default(points))
    return image


def screenshot() -> Image.Image:
    image = Image.new("RGB", (1600, 1000), (246, 248, 250))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 1600, 60), fill=(36, 41, 47))
    draw.rectangle((0, 60, 300, 1000), fill=PAPER)
    for row in range(18):
        draw.text((30, 90 + row * 48), f"item number {row}", fill=(9, 105, 218), font=ImageFont.load_default(20))
    image.paste(text((31, 35, 40), PAPER, points=20, size=(1200, 800)), (340, 120))
    for column, colour in enumerate(((45, 164, 78), (207, 34, 46), (9, 105, 218))):
        draw.rounded_rectangle((340 + column * 200, 940, 500 + column * 200, 985), 8, fill=colour)
    return image


def code() -> Image.Image:
    """Text in many colours on a dark background."""
    dice = random.Random(3)
    inks = ((198, 120, 221), (97, 175, 239), (152, 195, 121), (229, 192, 123), (171, 178, 191), (224, 108, 117))
    image = Image.new("RGB", (1400, 900), (40, 44, 52))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(22)
    for row in range(28):
        left = 40 + dice.randrange(4) * 40
        for _ in range(dice.randrange(2, 8)):
            word = dice.choice(_WORDS)
            draw.text((left, 20 + row * 31), word, fill=dice.choice(inks), font=font)
            left += int(draw.textlength(word, font=font)) + 12
    return image


def bars() -> Image.Image:
    image = Image.new("RGB", (1000, 700), PAPER)
    draw = ImageDraw.Draw(image)
    colours = ((66, 133, 244), (219, 68, 55), (244, 180, 0), (15, 157, 88), (171, 71, 188), (0, 172, 193))
    for place, (colour, height) in enumerate(zip(colours, (300, 450, 120, 520, 260, 380), strict=True)):
        draw.rectangle((100 + place * 140, 620 - height, 200 + place * 140, 620), fill=colour)
        draw.text((110 + place * 140, 630), f"series {place}", fill=(0, 0, 0), font=ImageFont.load_default(20))
    return image


def pie() -> Image.Image:
    large = Image.new("RGB", (3200, 3200), PAPER)
    draw = ImageDraw.Draw(large)
    for colour, start, end in (
        ("#4285f4", 0, 100),
        ("#db4437", 100, 180),
        ("#f4b400", 180, 240),
        ("#0f9d58", 240, 360),
    ):
        draw.pieslice((400, 400, 2800, 2800), start, end, fill=colour)
    return large.resize((800, 800), Image.Resampling.LANCZOS)


def logo() -> Image.Image:
    """A logo with antialiased edges on a transparent background."""
    large = Image.new("RGBA", (3200, 1600))
    draw = ImageDraw.Draw(large)
    draw.ellipse((200, 200, 1400, 1400), fill=(220, 30, 80, 255))
    draw.ellipse((500, 500, 1100, 1100), fill=(255, 255, 255, 255))
    draw.polygon([(1600, 1300), (2000, 300), (2400, 1300)], fill=(20, 40, 120, 255))
    draw.text((2300, 500), "LOGO", fill=(20, 40, 120, 255), font=ImageFont.load_default(300))
    return large.resize((800, 400), Image.Resampling.LANCZOS)


def card() -> Image.Image:
    """Text on a gradient."""
    ramp = Image.linear_gradient("L").resize((1200, 630))
    image = Image.merge(
        "RGB", [ramp.point(lambda v, a=a, b=b: a + (b - a) * v // 255) for a, b in ((90, 200), (40, 60), (200, 220))]
    )
    ImageDraw.Draw(image).text((80, 200), "A picture CDN of your own", fill="white", font=ImageFont.load_default(80))
    return image


def pixel_art() -> Image.Image:
    dice = random.Random(7)
    colours = ((0, 0, 0), (255, 255, 255), (200, 40, 40), (40, 160, 60), (240, 200, 60), (120, 70, 20))
    image = Image.new("RGB", (32, 32), (90, 180, 255))
    for _ in range(300):
        image.putpixel((dice.randrange(32), dice.randrange(32)), dice.choice(colours))
    return image.resize((512, 512), Image.Resampling.NEAREST)


def code_squares() -> Image.Image:
    """Black and white squares, as in a QR code."""
    dice = random.Random(9)
    image = Image.new("RGB", (37, 37), PAPER)
    for place in range(29 * 29):
        image.putpixel((4 + place % 29, 4 + place // 29), dice.choice(((0, 0, 0), PAPER)))
    return image.resize((592, 592), Image.Resampling.NEAREST)


def comic() -> Image.Image:
    dice = random.Random(13)
    large = Image.new("RGB", (2400, 2400), (250, 220, 180))
    draw = ImageDraw.Draw(large)
    for _ in range(25):
        x, y, radius = dice.randrange(2400), dice.randrange(2400), dice.randrange(100, 500)
        fill = (dice.randrange(256), dice.randrange(256), dice.randrange(256))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill, outline=(0, 0, 0), width=16)
    return large.resize((1200, 1200), Image.Resampling.LANCZOS)


def gradient() -> Image.Image:
    ramp = Image.linear_gradient("L").resize((1200, 800))
    return Image.merge("RGB", (ramp, ramp.transpose(Image.Transpose.FLIP_TOP_BOTTOM), ImageOps.invert(ramp)))


def scan() -> Image.Image:
    """A page as a scanner captures it: soft, with noise everywhere."""
    return _add_noise(text((20, 20, 20), PAPER).filter(ImageFilter.GaussianBlur(1)))


def noisy_comic() -> Image.Image:
    return _add_noise(comic())


def studio(photograph: Image.Image) -> Image.Image:
    """A photograph of an object in front of a uniform white."""
    thing = photograph.convert("RGB").resize((700, 467))
    outline = Image.new("L", thing.size)
    ImageDraw.Draw(outline).ellipse((10, 10, 690, 457), fill=255)
    image = Image.new("RGB", (1400, 1000), PAPER)
    image.paste(thing, (350, 260), outline.filter(ImageFilter.GaussianBlur(3)))
    return image


def night(photograph: Image.Image) -> Image.Image:
    """A photograph whose dark parts are black."""
    return photograph.point(lambda value: max(0, (value - 60) * 255 // 195))


def vignette(photograph: Image.Image) -> Image.Image:
    light = Image.radial_gradient("L").resize(photograph.size).point(lambda value: max(0, 255 - value * 19 // 10))
    return ImageChops.multiply(photograph.convert("RGB"), Image.merge("RGB", (light, light, light)))


def window_with(photograph: Image.Image) -> Image.Image:
    """A screenshot that is mostly a photograph."""
    image = screenshot()
    image.paste(photograph.convert("RGB").resize((960, 600)), (340, 120))
    return image


def textured() -> Image.Image:
    """Return `pictures.photograph` with the fine grain of a lens and a sensor."""
    return _add_noise(pictures.photograph((1200, 800)), 4)


def _add_noise(image: Image.Image, strength: int = 8) -> Image.Image:
    dice = random.Random(5)
    grain = Image.frombytes("L", image.size, dice.randbytes(image.width * image.height))
    grain = grain.point(lambda value: 128 + (value - 128) * strength // 64)
    return ImageChops.add(image, Image.merge("RGB", (grain, grain, grain)), 1, -128)
