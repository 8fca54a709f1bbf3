"""The versions of the codecs and of the resampler."""

import re
from importlib.metadata import PackageNotFoundError, version

from PIL import _avif, features
from pillow_avif import AvifImagePlugin
from pillow_avif import __version__ as plugin_version

#: How libavif marks what it uses a codec for.
_ROLE = re.compile(r" \[[^\]]*\]:")


def codec_versions() -> str:
    """Return the versions of Pillow and its libraries, of what pillow-avif-plugin brings, and of the SIMD resampler."""
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
        "cykooz-resizer": _installed("cykooz-resizer"),
    }
    return ", ".join(f"{name} {found or 'absent'}" for name, found in libraries.items())


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _with_codecs(libavif: str, codecs: str) -> str:
    """
    Return the version of a libavif, and those of the codecs within it.

    >>> _with_codecs("1.4.2", "dav1d [dec]:1.5.3-0-gb546257, aom [enc]:3.14.1")
    '1.4.2 (dav1d 1.5.3-0-gb546257, aom 3.14.1)'
    """
    return f"{libavif} ({_ROLE.sub(' ', codecs)})"
