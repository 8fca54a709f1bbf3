"""The encoders, each as a function of pixels and its own quality."""

import io
from collections.abc import Callable
from typing import Any

from PIL import Image

from imgcdn.core.encoders.encoding import Encoding
from imgcdn.core.encoders.quantisation import tables
from imgcdn.engine.encode import encode

Encoder = Callable[[Image.Image, int], bytes]


def aom(speed: int, *, full_chroma: bool = True) -> Encoder:
    """Return the service's AVIF encoder at a speed."""

    def encoder(image: Image.Image, quality: int) -> bytes:
        return encode(image, Encoding("avif", "aom", quality, full_chroma, speed=speed)).body

    return encoder


def webp(method: int) -> Encoder:
    """Return the service's WebP encoder with a method."""

    def encoder(image: Image.Image, quality: int) -> bytes:
        return encode(image, Encoding("webp", "webp", quality, speed=method)).body

    return encoder


def jpeg(*, full_chroma: bool = False, progressive: bool = False) -> Encoder:
    """Return the service's JPEG encoder, by the quality of its own tables."""

    def encoder(image: Image.Image, quality: int) -> bytes:
        return _saved(
            image,
            "JPEG",
            qtables=tables(quality, full_chroma=full_chroma),
            subsampling="4:4:4" if full_chroma else "4:2:0",
            optimize=True,
            progressive=progressive,
        )

    return encoder


def libjpeg(image: Image.Image, quality: int) -> bytes:
    """Encode with libjpeg-turbo's own tables at 4:2:0, which are the scale of q."""
    return _saved(image, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)


def svt(image: Image.Image, quality: int) -> bytes:
    """Encode with SVT-AV1's preset 8, which the service uses for the largest pictures."""
    return encode(image, Encoding("avif", "svt", quality, speed=8)).body


def aom_default(image: Image.Image, quality: int) -> bytes:
    """Encode with aom's speed 8 at 4:2:0 and nothing else said, as imgproxy does."""
    return _saved(image, "AVIF", codec="aom", speed=8, quality=quality, max_threads=1, subsampling="4:2:0")


def _saved(image: Image.Image, fmt: str, **options: Any) -> bytes:
    body = io.BytesIO()
    image.save(body, fmt, **options)
    return body.getvalue()
