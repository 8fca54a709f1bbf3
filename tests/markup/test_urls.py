from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgcdn import ImageCDN
from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.params import Params
from imgcdn.core.request.url import parse_remote
from imgcdn.errors import Forbidden, InvalidParam
from tests.support.markup_reading import read_url

CDN = ImageCDN()


@pytest.mark.parametrize(
    ("src", "path"),
    [
        pytest.param("photo.jpg", "photo.jpg", id="a name"),
        pytest.param("/photo.jpg", "photo.jpg", id="a path from the root"),
        pytest.param("/a/b.jpg", "a/b.jpg", id="a folder"),
        pytest.param("a b.jpg", "a%20b.jpg", id="a space"),
        pytest.param("ünï.jpg", "%C3%BCn%C3%AF.jpg", id="unicode"),
        pytest.param("100%.jpg", "100%25.jpg", id="percent"),
        pytest.param("a%20b.jpg", "a%2520b.jpg", id="percent sign that looks like an escape"),
        pytest.param("what?.jpg", "what%3F.jpg", id="question mark"),
        pytest.param("#1.jpg", "%231.jpg", id="hash"),
        pytest.param("/http:/a.jpg", "/http%3A/a.jpg", id="a folder whose name begins a URL"),
        pytest.param("a&b=c+d.jpg", "a%26b%3Dc%2Bd.jpg", id="characters with a meaning in a query"),
        pytest.param("a,b.jpg", "a%2Cb.jpg", id="a comma, which separates candidates in a srcset"),
        pytest.param('"><script>.jpg', "%22%3E%3Cscript%3E.jpg", id="markup"),
        pytest.param("https://example.com/a.jpg", "https%3A%2F%2Fexample.com%2Fa.jpg", id="remote"),
        pytest.param("HTTP://example.com/", "http%3A%2F%2Fexample.com%2F", id="remote in upper case"),
        pytest.param("http:/e.com/a.jpg", "http%3A%2F%2Fe.com%2Fa.jpg", id="remote with one slash"),
        pytest.param("https://e.com/50% off.jpg", "https%3A%2F%2Fe.com%2F50%25%2520off.jpg", id="remote, not encoded"),
        pytest.param(
            "https://e.com/\u202f.png", "https%3A%2F%2Fe.com%2F%25E2%2580%25AF.png", id="remote, an odd space"
        ),
        pytest.param("/who is it?.jpg", "who%20is%20it%3F.jpg", id="spaces and a question mark"),
        pytest.param("https://e.com/a%20b?x=1", "https%3A%2F%2Fe.com%2Fa%2520b%3Fx%3D1", id="remote, already encoded"),
    ],
)
def test_a_source_is_percent_encoded_into_the_path(src: str, path: str) -> None:
    assert CDN.url(src) == f"/img/{path}"


@pytest.mark.parametrize(
    ("src", "reason"),
    [
        pytest.param("", "must name an image", id="nothing"),
        pytest.param("/", "must name an image", id="the root"),
        pytest.param("../secret.jpg", "segments", id="a folder up"),
        pytest.param("a/./b.jpg", "segments", id="a dot"),
        pytest.param("//example.com/a.jpg", "https://", id="no scheme"),
        pytest.param("ftp://example.com/a.jpg", "https://", id="another scheme"),
        pytest.param("https://", "names no host", id="no host"),
        pytest.param("https://u:p@example.com/a.jpg", "this one has a user name", id="a user name"),
        pytest.param("https://example.com/a.jpg#b", "a fragment", id="a fragment"),
        pytest.param("https://example.com/../a.jpg", "a dot segment", id="a folder up in a URL"),
        pytest.param("https://example.com:0/a.jpg", "src has a port", id="no port"),
        pytest.param("a\nb.jpg", "control characters", id="a line break"),
        pytest.param("a\0.jpg", "control characters", id="a null"),
    ],
)
def test_an_invalid_source_is_refused(src: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CDN.url(src)


def test_parameters_come_in_the_order_of_the_readme() -> None:
    url = CDN.url(
        "a.jpg",
        v="7",
        still=True,
        enlarge=True,
        bg="fff",
        q=60,
        format="avif",
        position="top",
        fit="cover",
        dpr=1.5,
        height=200,
        width=300,
    )
    assert url == "/img/a.jpg?w=300&h=200&dpr=1.5&fit=cover&position=top&fm=avif&q=60&bg=fff&enlarge=1&still=1&v=7"
    expected = Params(450, 300, Fit.COVER, (50, 0), "avif", 60, (255, 255, 255), enlarge=True, still=True)
    assert read_url(url) == ("a.jpg", expected, "7")


def test_the_other_parameters_are_arguments_as_well() -> None:
    url = CDN.url(
        "a.jpg",
        preset="card",
        download="cat.jpg",
        crop="0.1,0.2,0.5,0.5",
        trim=0,
        rotate=90,
        flip="h",
        blur=2.5,
        sharpen=0.0,
    )
    assert url == ("/img/a.jpg?rotate=90&flip=h&trim=0&crop=0.1,0.2,0.5,0.5&blur=2.5&sharpen=0&p=card&dl=cat.jpg")


def test_an_unknown_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="quality"):
        CDN.url("a.jpg", quality=60)  # type: ignore[call-arg]  # wrong on purpose


@pytest.mark.parametrize(
    ("name", "hint"),
    [("w", "write width"), ("fm", "write format"), ("url", "write src"), ("kid", "there are width, height, fit")],
)
def test_the_name_of_a_parameter_leads_to_that_of_its_argument(name: str, hint: str) -> None:
    arguments: dict[str, Any] = {name: 9}
    with pytest.raises(TypeError, match=f"{name} is not an argument; {hint}"):
        CDN.url("a.jpg", **arguments)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param({"width": 0}, "width must be a whole number of pixels from 1 to 8192, not 0", id="width 0"),
        pytest.param({"width": 8193}, "from 1 to 8192", id="width above the limit of the service"),
        pytest.param({"width": 300.5}, "whole number", id="half a pixel"),
        pytest.param({"width": "300"}, "whole number", id="text"),
        pytest.param({"width": True}, "whole number", id="a bool"),
        pytest.param({"height": -1}, "height must be", id="a negative height"),
        pytest.param({"width": 5000, "dpr": 2.0}, "w times dpr must be at most 8192", id="width times dpr"),
        pytest.param({"dpr": 9.0}, "dpr must be a number from 0.5 to 4", id="dpr"),
        pytest.param({"dpr": "two"}, "dpr must be a number from 0.5 to 4", id="dpr in words"),
        pytest.param({"fit": "covr"}, "did you mean cover", id="fit"),
        pytest.param({"position": "middle"}, "position must be center, top", id="position"),
        pytest.param({"format": "heic"}, "fm must be one of", id="format"),
        pytest.param({"q": 0}, "q must be an integer from 1 to 100", id="q"),
        pytest.param({"bg": "#ffffff"}, "without #", id="bg"),
        pytest.param({"bg": ""}, "bg is empty", id="an empty bg"),
        pytest.param({"v": "a b"}, "v must be", id="v"),
        pytest.param({"rotate": 45}, "rotate must be", id="rotate"),
        pytest.param({"crop": "1,2,3"}, "crop must be", id="crop"),
        pytest.param({"download": "/"}, "dl must be a file name", id="download"),
    ],
)
def test_params_that_the_service_refuses_are_refused_here(arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CDN.url("a.jpg", **arguments)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        pytest.param("", "/img/a.jpg", id="host of the page"),
        pytest.param("/", "/img/a.jpg", id="root of the host"),
        pytest.param("https://img.example.com", "https://img.example.com/img/a.jpg", id="a host"),
        pytest.param(
            "https://img.example.com:8443/", "https://img.example.com:8443/img/a.jpg", id="a port and a slash"
        ),
        pytest.param("/pictures", "/pictures/img/a.jpg", id="a path"),
        pytest.param("//img.example.com", "//img.example.com/img/a.jpg", id="scheme of the page"),
    ],
)
def test_the_base_url_comes_first(base_url: str, expected: str) -> None:
    assert ImageCDN(base_url).url("a.jpg") == expected


@pytest.mark.parametrize("base_url", ["img.example.com", "https://", "https://a.b/?x=1", "/a b", "javascript:alert(1)"])
def test_an_invalid_base_url_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url must be like"):
        ImageCDN(base_url)


_SEGMENTS = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/"), min_size=1, max_size=12)
_NAMES = st.lists(_SEGMENTS.filter(lambda part: part not in (".", "..")), min_size=1, max_size=3).map("/".join)


@given(_NAMES)
@example("https:/a.jpg")
def test_the_service_reads_every_name_back(name: str) -> None:
    assert read_url(CDN.url(f"/{name}", width=9)) == (name, Params(width=9), None)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="#\\")))
def test_the_service_reads_every_remote_url_as_the_browser_would(rest: str) -> None:
    src = f"https://e.com/{rest}"
    try:
        expected = parse_remote(src).url
    except (InvalidParam, Forbidden):
        with pytest.raises(ValueError, match="src"):
            CDN.url(src)
        return
    url = CDN.url(src)
    assert url.isascii()
    assert read_url(url)[0] == expected == unquote(url.removeprefix("/img/"))
