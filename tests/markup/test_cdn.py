import string
from collections.abc import Callable
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn import ImageCDN
from imgcdn.core.output.formats import PLACEHOLDERS
from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.params import Params
from imgcdn.markup.urls import FormatName
from tests.support import markup_reading as reading

DATA_URI = "data:image/webp;base64,UklGRk4AAABXRUJQVlA4IEIAAAA+/A=="

CDN = ImageCDN("https://img.example.com", ladder=(400, 800, 1600))


def test_an_img_with_all_attributes() -> None:
    written = CDN.img(
        "/a b.jpg",
        alt='Tom & "Jerry"',
        width=300,
        height=200,
        source_size=(500, 400),
        placeholder="#d4c4a8",
        attributes={"class": "hero"},
    )
    url = "https://img.example.com/img/a%20b.jpg?w={}&amp;h={}&amp;fit=cover"
    assert written == (
        f'<img src="{url.format(300, 200)}"'
        f' srcset="{url.format(300, 200)} 300w, {url.format(400, 267)} 400w, {url.format(500, 333)} 500w"'
        ' sizes="(min-width: 300px) 300px, 100vw" width="300" height="200" alt="Tom &amp; &quot;Jerry&quot;"'
        ' loading="lazy" decoding="async" class="hero" style="background-color: #d4c4a8">'
    )


def test_a_picture_with_all_attributes() -> None:
    written = CDN.picture("a.jpg", alt="", width=300, source_size=(600, 300), layout="fixed", priority=True)
    url = "https://img.example.com/img/a.jpg?w={}&amp;fm={}"
    avif, webp, jpg = (
        f"{url.format(300, name)} 300w, {url.format(600, name)} 600w" for name in ("avif", "webp", "jpg")
    )
    assert written == (
        "<picture>"
        f'<source type="image/avif" srcset="{avif}" sizes="300px">'
        f'<source type="image/webp" srcset="{webp}" sizes="300px">'
        f'<img src="{url.format(300, "jpg")}" srcset="{jpg}" sizes="300px" width="300" height="150" alt=""'
        ' loading="eager" decoding="sync" fetchpriority="high">'
        "</picture>"
    )


def test_without_a_source_size_the_height_stays_unknown() -> None:
    attributes = reading.img(CDN.img("a.jpg", alt="", width=300))
    assert attributes["width"] == "300"
    assert "height" not in attributes


def test_layout_none_has_one_url() -> None:
    assert reading.img(CDN.img("a.jpg", alt="", height=300, layout="none")) == {
        "src": "https://img.example.com/img/a.jpg?h=300",
        "height": "300",
        "alt": "",
        "loading": "lazy",
        "decoding": "async",
    }
    source, _ = reading.tags(CDN.picture("a.jpg", alt="", width=9, layout="none", formats=["webp"]))[1:]
    assert source.attributes == {"type": "image/webp", "srcset": "https://img.example.com/img/a.jpg?w=9&fm=webp"}


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        pytest.param(["avif", "webp"], ["fm=avif", "fm=webp", "fm=jpg"], id="jpg by default"),
        pytest.param(["avif", "webp", "png"], ["fm=avif", "fm=webp", "fm=png"], id="png for transparency"),
        pytest.param(["webp", "gif"], ["fm=webp", "fm=gif"], id="gif for animations"),
        pytest.param(["webp", "avif", "jpeg"], ["fm=webp", "fm=avif", "fm=jpeg"], id="the page's order"),
        pytest.param(["png"], ["fm=png"], id="no source"),
    ],
)
def test_each_source_of_a_picture_has_its_format(formats: list[str], expected: list[str]) -> None:
    tags = reading.tags(CDN.picture("a.jpg", alt="", width=9, formats=formats))[1:]
    assert [tag.name for tag in tags] == ["source"] * (len(expected) - 1) + ["img"]
    for tag, parameter in zip(tags, expected, strict=True):
        assert all(parameter in url for _, url in reading.candidates(tag.attributes["srcset"]))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param({"formats": []}, "formats must list", id="no formats"),
        pytest.param({"formats": "avif"}, "formats must list", id="one word"),
        pytest.param({"formats": ["heic"]}, "formats must list", id="unknown format"),
        pytest.param({"formats": ["png", "avif"]}, "formats must be avif and webp", id="png first"),
        pytest.param({"formats": ["avif", "avif"]}, "each once", id="twice"),
        pytest.param({"formats": ["avif", "png", "jpg"]}, "at most one", id="two fallbacks"),
        pytest.param({"placeholder": "blurhash"}, "data URI of fm=lqip", id="an unknown kind of placeholder"),
        pytest.param(
            {"placeholder": "red;background:url(//x)"},
            "data URI of fm=lqip",
            id="a placeholder with trailing text",
        ),
        pytest.param(
            {"placeholder": DATA_URI + ") fixed, url(//x"},
            "data URI of fm=lqip",
            id="a data URI with trailing text",
        ),
        pytest.param(
            {"placeholder": "data:text/html;base64,AAAA"}, "data URI of fm=lqip", id="a data URI of an HTML page"
        ),
        pytest.param(
            {"placeholder": "data:image/svg+xml;base64,AAAA"}, "data URI of fm=lqip", id="a data URI of an SVG"
        ),
        pytest.param({"placeholder": DATA_URI + "\n"}, "data URI of fm=lqip", id="a data URI with a line break"),
        pytest.param({"attributes": {"SRC": "/x"}}, "give the argument of that name", id="an attribute of ours"),
        pytest.param({"attributes": {"a b": "x"}}, "not the name of an attribute", id="a name with a space"),
        pytest.param(
            {"attributes": {"x onload=alert(1) y": ""}}, "not the name", id="an attribute name with trailing text"
        ),
        pytest.param({"attributes": {"class": None}}, "the attribute class must be text", id="an attribute of None"),
        pytest.param({"attributes": "hero"}, "attributes must be a dict", id="attributes as text"),
        pytest.param({"attributes": {5: "x"}}, "attributes must be a dict", id="a number as a name"),
        pytest.param({"placeholder": 5}, "placeholder must be text", id="a number as a placeholder"),
        pytest.param({"alt": None}, "alt .empty for a decoration. must be text, not None", id="alt of None"),
        pytest.param({"sizes": 300}, "sizes must be text, not 300", id="a number as sizes"),
        pytest.param({"source_size": 600}, "source_size must be .width, height.", id="a source of one edge"),
        pytest.param({"source_size": "ab"}, "source_size must be", id="text as a source's size"),
        pytest.param({"widths": 300}, "widths must be a list of numbers, not 300", id="one number as widths"),
        pytest.param({"widths": "320"}, "widths must be a list of numbers", id="text as widths"),
        pytest.param({"densities": 2}, "densities must be a list of numbers", id="one number as densities"),
        pytest.param({"densities": ["2"]}, "densities must be numbers above 0", id="text as a density"),
        pytest.param({"formats": None}, "formats must list", id="formats of None"),
        pytest.param({"formats": [["avif"]]}, "formats must list", id="a list in formats"),
        pytest.param({"q": 101}, "q must be", id="a parameter"),
        pytest.param({"width": 0}, "width must be", id="width 0"),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CDN.picture("a.jpg", **{"alt": "", "width": 9, **arguments})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param({"base_url": None}, "base_url must be text", id="base_url"),
        pytest.param({"signing_key": 5}, "signing_key must be text, as KID:HEX", id="signing_key"),
    ],
)
def test_an_invalid_argument_of_the_helper_is_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ImageCDN(**arguments)


@pytest.mark.parametrize("src", [None, 5])
def test_a_src_that_is_not_text_is_refused(src: Any) -> None:
    with pytest.raises(ValueError, match="src must be text"):
        CDN.img(src, alt="", width=9)


def test_alt_is_required() -> None:
    with pytest.raises(TypeError, match="alt"):
        CDN.img("a.jpg", width=9)  # type: ignore[call-arg]  # wrong on purpose


def test_srcset_of_layout_none_is_refused() -> None:
    with pytest.raises(ValueError, match="layout 'none' has no srcset"):
        CDN.srcset("a.jpg", width=9, layout="none")


@pytest.mark.parametrize("ladder", [(), (0,), (9000,), (1.5,), 9, None], ids=str)
def test_a_ladder_that_cannot_work_is_refused(ladder: Any) -> None:
    with pytest.raises(ValueError, match="ladder"):
        ImageCDN(ladder=ladder)


def test_a_ladder_is_sorted() -> None:
    assert reading.widths(ImageCDN(ladder=(9, 5, 9)).srcset("a.jpg", layout="full-width")) == [5, 9]


@pytest.mark.parametrize(
    ("priority", "attributes", "expected"),
    [
        pytest.param(False, {}, ("lazy", "async", None), id="lazy by default"),
        pytest.param(True, {}, ("eager", "sync", "high"), id="priority"),
        pytest.param(
            False, {"loading": "eager"}, ("eager", "async", None), id="attributes of the page take precedence"
        ),
        pytest.param(True, {"Decoding": "async"}, ("eager", "async", "high"), id="attribute names ignore case"),
    ],
)
def test_priority_controls_when_a_picture_is_loaded(
    priority: bool, attributes: dict[str, str], expected: tuple[str | None, ...]
) -> None:
    attributes_read = reading.img(CDN.img("a.jpg", alt="", width=9, priority=priority, attributes=attributes))
    assert tuple(attributes_read.get(name) for name in ("loading", "decoding", "fetchpriority")) == expected


def test_a_placeholder_keeps_the_style_of_the_page() -> None:
    attributes_read = reading.img(
        CDN.img("a.jpg", alt="", width=9, placeholder="#abc", attributes={"style": "border: 0; color: red"})
    )
    assert attributes_read["style"] == "background-color: #abc; border: 0; color: red"


@pytest.mark.parametrize("write", [CDN.img, CDN.picture], ids=["img", "picture"])
def test_a_data_uri_is_the_background_until_the_picture_is_loaded(write: Callable[..., str]) -> None:
    attributes_read = reading.tags(
        write("a.jpg", alt="", width=9, placeholder=DATA_URI, attributes={"style": "border: 0"})
    )[-1]
    assert attributes_read.name == "img"
    assert attributes_read.attributes["style"] == f"background: url({DATA_URI}) center/cover no-repeat; border: 0"


@pytest.mark.parametrize("format", PLACEHOLDERS)
def test_a_format_that_is_not_a_picture_has_a_url_and_no_tag(format: FormatName) -> None:
    assert CDN.url("a.jpg", format=format).endswith(f"?fm={format}")
    with pytest.raises(ValueError, match="is not a picture"):
        CDN.img("a.jpg", alt="", width=9, format=format)
    with pytest.raises(ValueError, match="is not a picture"):
        CDN.srcset("a.jpg", width=9, format=format)


def test_jinja_keeps_the_markup_and_escapes_the_url() -> None:
    template = '{{ cdn.img("a.jpg", alt=alt, width=9) }}<a href="{{ cdn.url("a.jpg", width=9, q=5) }}">'
    page = jinja2.Environment(autoescape=True).from_string(template).render(cdn=CDN, alt='<"&')
    picture, link = reading.tags(page)
    assert picture.attributes["alt"] == '<"&'
    assert link.attributes["href"] == "https://img.example.com/img/a.jpg?w=9&q=5"
    assert "?w=9&amp;q=5" in page


def test_a_helper_is_a_value() -> None:
    assert ImageCDN("https://a.b/", ladder=[9, 5]) == ImageCDN("https://a.b", ladder=(5, 9))
    assert hash(ImageCDN()) == hash(ImageCDN())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param({}, Params(), id="no further params"),
        pytest.param({"q": 60, "bg": "fff", "v": "1"}, Params(q=60, background=(255, 255, 255)), id="q, bg, v"),
        pytest.param({"q": "auto"}, Params(q=None), id="q=auto"),
        pytest.param({"height": 100}, Params(height=100, fit=Fit.COVER), id="a box is covered by default"),
        pytest.param({"height": 100, "fit": "fill"}, Params(height=100, fit=Fit.FILL), id="a box that is filled"),
        pytest.param(
            {"height": 100, "fit": "contain", "source_size": (900, 450)}, Params(), id="contain needs the width alone"
        ),
        pytest.param({"format": "webp", "still": True}, Params(format="webp", still=True), id="format and still"),
    ],
)
def test_the_service_reads_the_params_back_from_each_candidate(arguments: dict[str, Any], expected: Params) -> None:
    attributes_read = reading.candidates(ImageCDN().srcset("photos/a.jpg", width=200, layout="fixed", **arguments))
    assert [width for width, _ in attributes_read] == [200, 400]
    for width, url in attributes_read:
        height = None if expected.height is None else expected.height * width // 200
        shape = {"width": width, "height": height}
        wanted = {name: getattr(expected, name) for name in Params.__slots__} | shape
        assert reading.read_url(url) == ("photos/a.jpg", Params(**wanted), arguments.get("v"))


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))
_ATTRIBUTE_NAMES = st.text(string.ascii_lowercase, min_size=1).map(lambda name: f"data-{name}")


@given(alt=_TEXT, sizes=_TEXT.filter(bool), attributes=st.dictionaries(_ATTRIBUTE_NAMES, _TEXT, max_size=3))
def test_every_attribute_is_read_back_as_it_was_given(alt: str, sizes: str, attributes: dict[str, str]) -> None:
    attributes_read = reading.img(
        CDN.img("a&b.jpg", alt=alt, sizes=sizes, width=9, height=5, q=3, attributes=attributes)
    )
    assert attributes_read == {
        "src": CDN.url("a&b.jpg", width=9, height=5, fit="cover", q=3),
        "srcset": CDN.srcset("a&b.jpg", width=9, height=5, q=3),
        "sizes": sizes,
        "width": "9",
        "height": "5",
        "alt": alt,
        "loading": "lazy",
        "decoding": "async",
        **attributes,
    }


@pytest.mark.parametrize(
    ("look", "shape"),
    [
        pytest.param({}, (300, 200), id="unchanged"),
        pytest.param({"rotate": 90}, (300, 450), id="a quarter turn"),
        pytest.param({"rotate": 180, "flip": "h"}, (300, 200), id="a half turn"),
        pytest.param({"crop": "0,0,300,300"}, (300, 300), id="a square crop"),
        pytest.param({"crop": "0.5,0.0,0.5,1.0"}, (300, 400), id="the right half"),
        pytest.param({"rotate": 270, "crop": "0,0,400,100"}, (300, 75), id="turned, then cropped"),
    ],
)
def test_the_height_is_that_of_the_picture_as_shown(look: dict[str, Any], shape: tuple[int, int]) -> None:
    attributes = reading.img(CDN.img("a.jpg", alt="", width=300, source_size=(600, 400), **look))
    assert (int(attributes["width"]), int(attributes["height"])) == shape


def test_no_candidate_is_wider_than_the_part_that_is_shown() -> None:
    srcset = CDN.srcset("a.jpg", layout="full-width", source_size=(2000, 1000), crop="0.25,0.0,0.5,1.0")
    assert reading.widths(srcset) == [400, 800, 1000]


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        pytest.param({"trim": 10}, "trimmed picture", id="only the pixels tell"),
        pytest.param({"crop": "700,0,10,10"}, "crop must begin inside the picture", id="a crop outside the picture"),
    ],
)
def test_a_size_that_cannot_be_computed_is_refused(look: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CDN.img("a.jpg", alt="", width=300, source_size=(600, 400), **look)


@pytest.mark.parametrize(
    ("arguments", "fit"),
    [
        pytest.param({"width": 300}, None, id="by default"),
        pytest.param({"width": 300, "fit": "contain"}, None, id="contain is the default of the service"),
        pytest.param({"width": 300, "fit": "cover"}, "cover", id="another one"),
        pytest.param({"width": 300, "height": 200}, "cover", id="a box is covered"),
        pytest.param({"width": 300, "height": 200, "fit": "fill"}, "fill", id="a box that is filled"),
    ],
)
def test_the_fit_is_in_the_url_where_the_service_needs_it(arguments: dict[str, Any], fit: str | None) -> None:
    src = reading.img(CDN.img("a.jpg", alt="", **arguments))["src"]

    assert src.partition("&fit=")[2] == (fit or "")


def test_a_picture_does_not_accept_format() -> None:
    with pytest.raises(ValueError, match="formats"):
        CDN.picture("a.jpg", alt="", width=300, format="avif")
