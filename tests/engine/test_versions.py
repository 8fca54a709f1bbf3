"""The versions of the codecs."""

import re

from PIL import features

from imgcdn.engine.versions import codec_versions


def test_an_absent_resampler_is_named_too() -> None:
    assert re.search(r", cykooz-resizer ([0-9]+\.[0-9]+|absent)", codec_versions())


def test_every_codec_is_named_with_its_version() -> None:
    found = codec_versions()
    assert f"libwebp {features.version('webp')}," in found
    assert f"libavif {features.version('avif')} (" in found
    for name in (
        "Pillow",
        "libjpeg-turbo",
        "libwebp",
        "zlib(-ng)?",
        "libavif",
        "pillow-avif-plugin",
        "dav1d",
        "aom",
        "svt",
    ):
        assert re.search(rf"\b{name} v?[0-9]+\.[0-9]+", found), name
