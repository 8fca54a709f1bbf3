"""Originals with all the metadata that must not reach a client: GPS, the camera's owner, XMP, a comment, a profile."""

from PIL.PngImagePlugin import PngInfo

from tests.support import pictures, profiles
from tests.support.pictures import saved

#: Each laden file contains these bytes wherever its format allows.
SECRETS = (b"secret", b"Exif", b"http://ns.adobe.com", b"acsp", b"ICC_PROFILE")

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a xmlns="http://ns.adobe.com/">secret</a></x:xmpmeta>'


def jpeg() -> bytes:
    return saved(
        pictures.chart(),
        "JPEG",
        quality=92,
        exif=pictures.exif_block(1),
        xmp=XMP,
        comment=b"secret comment",
        icc_profile=profiles.display_p3(),
    )


def png() -> bytes:
    text = PngInfo()
    text.add_text("Comment", "secret comment")
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return saved(pictures.chart(), "PNG", exif=pictures.exif_block(1), pnginfo=text, icc_profile=profiles.display_p3())


def webp() -> bytes:
    return saved(
        pictures.chart(), "WEBP", quality=92, exif=pictures.exif_block(1), xmp=XMP, icc_profile=profiles.display_p3()
    )


def gif() -> bytes:
    return saved(pictures.chart().quantize(8), "GIF", comment=b"secret comment")


def avif() -> bytes:
    return saved(
        pictures.chart(),
        "AVIF",
        quality=90,
        codec="aom",
        exif=pictures.exif_block(1),
        xmp=XMP,
        icc_profile=profiles.display_p3(),
    )
