import pytest

from imgcdn.core.encoders.quality import encoder_quality
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
