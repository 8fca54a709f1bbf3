import pytest

from imgcdn.core.encoders.quality import encoder_quality
from imgcdn.core.output.formats import FORMATS, NEGOTIATED, OUTPUTS, PLACEHOLDERS
from imgcdn.core.values import Effort

ENCODERS = ("jpeg", "webp", "svt", "aom")


@pytest.mark.parametrize("effort", Effort)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_higher_q_never_lowers_an_encoders_quality(encoder: str, effort: Effort) -> None:
    qualities = [encoder_quality(encoder, q, effort) or 0 for q in range(1, 101)]

    assert qualities == sorted(qualities)


@pytest.mark.parametrize("effort", Effort)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_ends_of_the_scale_are_the_ends_of_the_encoders(encoder: str, effort: Effort) -> None:
    assert (encoder_quality(encoder, 1, effort), encoder_quality(encoder, 100, effort)) == (1, 100)


def test_q_is_the_quality_of_the_jpeg_encoder() -> None:
    assert [encoder_quality("jpeg", q) for q in range(1, 101)] == list(range(1, 101))


@pytest.mark.parametrize("encoder", ["png", "gif"])
def test_a_lossless_encoder_has_no_quality(encoder: str) -> None:
    assert encoder_quality(encoder, 75) is None


def test_the_table_of_formats_is_keyed_by_their_names() -> None:
    assert {name: fmt.name for name, fmt in OUTPUTS.items()} == {name: name for name in OUTPUTS}


def test_media_types_and_extensions_are_unique() -> None:
    assert len({fmt.media_type for fmt in FORMATS.values()}) == len(FORMATS)
    assert len({fmt.extension for fmt in FORMATS.values()}) == len(FORMATS)


def test_a_placeholder_is_not_a_picture_format() -> None:
    assert list(PLACEHOLDERS) == ["blurhash", "thumbhash", "lqip", "json"]
    assert not FORMATS.keys() & PLACEHOLDERS.keys()
    assert not any(fmt.media_type.startswith("image/") or fmt.animation for fmt in PLACEHOLDERS.values())


def test_only_formats_that_some_clients_lack_are_negotiated() -> None:
    assert [fmt.name for fmt in NEGOTIATED] == ["avif", "webp"]
