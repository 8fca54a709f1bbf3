"""The kind of a file by its first bytes. It decides between 415 and 422, and is named in the message."""

#: How many bytes `kind_of` needs.
HEAD_BYTES = 1024

#: Brands of AVIF: a picture, a sequence.
AVIF_BRANDS = (b"avif", b"avis")

# (offset, bytes, kind). A name in `core.output.formats.FORMATS` is a supported kind.
_MAGIC = (
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"WEBP", "webp"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    (0, b"BM", "BMP"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"\x00\x00\x02\x00", "CUR"),
    (0, b"8BPS", "PSD"),
    (0, b"qoif", "QOI"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"%PDF", "PDF"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"\x1aE\xdf\xa3", "WebM or Matroska video"),
)

# Major brands of ISO base media files (https://mp4ra.org/registered-types/brands).
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")

# Text has no magic number. The first of these that is found counts.
_MARKUP = (("<svg", "SVG"), ("<!doctype html", "HTML"), ("<html", "HTML"), ("<?xml", "XML"))


def kind_of(head: bytes) -> str | None:
    """
    Return the kind of a file.

    Args:
        head: Its first `HEAD_BYTES` bytes; all bytes of a shorter file.

    Returns:
        A name in `core.output.formats.FORMATS` for a supported kind; another name for a kind that is not supported;
        None for an unknown kind.

    >>> kind_of(b"GIF89a..."), kind_of(b"%PDF-1.7"), kind_of(b"hello")
    ('gif', 'PDF', None)
    """
    if head[4:8] == b"ftyp":
        return _iso_kind(head)
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return kind
    return _markup_kind(head)


def _iso_kind(head: bytes) -> str:
    """Return the kind of an ISO base media file by the brands in its first box."""
    length = int.from_bytes(head[:4], "big")
    major, *compatible = (head[at : at + 4] for at in (8, *range(16, min(length, len(head)), 4)))
    # As in browsers, any brand counts. The major one may only mean still images ("mif1"), or be damaged.
    if any(brand in AVIF_BRANDS for brand in (major, *compatible)):
        return "avif"
    return "HEIC" if major in _HEIF_BRANDS else "MP4 or QuickTime video"


def _markup_kind(head: bytes) -> str | None:
    text = head.decode("latin-1").lower()
    if not text.lstrip("\xef\xbb\xbf \t\r\n").startswith("<"):
        return None
    return next((kind for root, kind in _MARKUP if root in text), None)
