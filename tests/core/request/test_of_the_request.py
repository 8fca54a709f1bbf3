"""The parameters that belong to a request: `v` and `dl`."""

import pytest

from imgcdn.core.request.params import collect, parse_download, parse_version
from imgcdn.errors import InvalidParam


@pytest.mark.parametrize("value", ["1", "v", "2024-05-01_a.b", "x" * 64])
def test_a_version_is_kept_as_it_is(value: str) -> None:
    assert parse_version(collect([("v", value)])) == value


def test_a_version_is_optional() -> None:
    assert parse_version({}) is None


@pytest.mark.parametrize("value", ["x" * 65, "a b", "a/b", "é", "a\n", "\N{ARABIC-INDIC DIGIT THREE}"])
def test_a_version_with_other_characters_is_refused(value: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        parse_version(collect([("v", value)]))

    assert caught.value.param == "v"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        pytest.param("photo.jpg", "photo", id="extension"),
        pytest.param("photo", "photo", id="no extension"),
        pytest.param("v1.2 final", "v1.2 final", id="a dot that begins no extension"),
        pytest.param("archive.tar.gz", "archive.tar", id="two extensions"),
        pytest.param("../../etc/passwd", "_.._etc_passwd", id="a path"),
        pytest.param("..\\..\\win.ini", "_.._win", id="a path with backslashes"),
        pytest.param("a\r\nX: y.png", "a__X_ y", id="line break and colon"),
        pytest.param("photo\u202egnp.exe", "photo_gnp", id="text direction override"),
        pytest.param('a"b<c>|?*.webp', "a_b_c____", id="characters that some systems refuse"),
        pytest.param("-rf.png", "_rf", id="hyphen first"),
        pytest.param(".htaccess.png", "htaccess", id="dot first"),
        pytest.param("Grüße 日本.avif", "Grüße 日本", id="other scripts"),
        pytest.param("ü" * 98 + ".jpg", "ü" * 98, id="200 bytes"),
    ],
)
def test_a_download_has_a_harmless_name(written: str, name: str) -> None:
    assert parse_download(collect([("dl", written)])) == name


def test_a_download_is_optional() -> None:
    assert parse_download({}) is None


@pytest.mark.parametrize("written", ["x" * 201, "ü" * 101, "\ud800" * 67], ids=ascii)
def test_a_download_of_more_than_200_bytes_is_refused(written: str) -> None:
    with pytest.raises(InvalidParam, match="dl must be a file name") as caught:
        parse_download({"dl": written})

    assert caught.value.param == "dl"


@pytest.mark.parametrize("written", [".", "..", "/", "...", " ", "\x00", "_", "///.png"])
def test_a_download_without_a_name_is_refused(written: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        parse_download({"dl": written})

    assert caught.value.param == "dl"
