"""The versions of the codecs."""

import re

from PIL import _avif, features
from pillow_avif import AvifImagePlugin
from pillow_avif import __version__ as plugin_version

#: How libavif marks what it uses a codec for.
_ROLE = re.compile(r" \[[^\]]*\]:")


def codec_versions() -> str:
    """Return the versions of Pillow, of the libraries that it brings, and of what pillow-avif-plugin brings."""
    plugin = AvifImagePlugin._avif
    zlib = "zlib-ng" if features.check("zlib_ng") else "zlib"
    libraries = {
        "Pillow": features.version("pil"),
        "libjpeg-turbo": features.version("libjpeg_turbo"),
        "libwebp": features.version("webp"),
        zlib: features.version("zlib_ng" if zlib == "zlib-ng" else "zlib"),
        "libavif": _with_codecs(_avif.libavif_version, _avif.codec_versions()),
        "pillow-avif-plugin": plugin_version,
        "its libavif": _with_codecs(plugin.libavif_version, plugin.codec_versions()),
    }
    return ", ".join(f"{name} {version or 'absent'}" for name, version in libraries.items())


def _with_codecs(version: str, codecs: str) -> str:
    """
    Return the version of a libavif, and those of the codecs within it.

    >>> _with_codecs("1.4.2", "dav1d [dec]:1.5.3-0-gb546257, aom [enc]:3.14.1")
    '1.4.2 (dav1d 1.5.3-0-gb546257, aom 3.14.1)'
    """
    return f"{version} ({_ROLE.sub(' ', codecs)})"
