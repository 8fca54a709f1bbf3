"""Every parameter of the table over HTTP, and the settings that restrict parameters."""

import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support import pictures, serving
from tests.support.serving import Service
from tests.support.variants import colour_at, near

# Colours of the quarters of the chart in the response, in reading order.
PLACES = ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8))
COLOURS = ("RED", "GREEN", "BLUE", "WHITE")


def picture(service: Service, target: str) -> Image.Image:
    response = service.get(target)
    assert response.status == 200, response.body
    return Image.open(io.BytesIO(response.body))


def quarters(image: Image.Image) -> str:
    found = [colour_at(image, across, down) for across, down in PLACES]
    return " ".join(
        next(name for name in COLOURS if near(colour, getattr(pictures, name), tolerance=24)) for colour in found
    )


@pytest.mark.parametrize(
    ("query", "size", "expected"),
    [
        pytest.param("w=60&rotate=90", (60, 90), "BLUE RED WHITE GREEN", id="rotate"),
        pytest.param("w=60&flip=h", (60, 40), "GREEN RED WHITE BLUE", id="flip"),
        pytest.param("w=60&rotate=90&flip=v", (60, 90), "WHITE GREEN BLUE RED", id="rotate, then flip"),
        pytest.param("w=60&crop=200,100,200,200", (60, 60), "RED GREEN BLUE WHITE", id="crop in pixels"),
        pytest.param("w=60&crop=0.5,0,0.5,1", (60, 80), "GREEN GREEN WHITE WHITE", id="crop in fractions"),
        pytest.param("crop=0,0,200,600&rotate=90", (200, 600), "BLUE BLUE WHITE WHITE", id="crop after rotate"),
        pytest.param(
            "w=20&h=60&fit=cover&position=right%20top", (20, 60), "GREEN GREEN WHITE WHITE", id="position, a pair"
        ),
        pytest.param("w=60&h=10&fit=cover&position=0.5,1", (60, 10), "BLUE WHITE BLUE WHITE", id="position, focal"),
        pytest.param("w=60&blur=1&sharpen=1", (60, 40), "RED GREEN BLUE WHITE", id="blur and sharpen"),
    ],
)
def test_a_parameter_changes_the_picture(service: Service, query: str, size: tuple[int, int], expected: str) -> None:
    image = picture(service, f"/img/upright.jpg?fm=png&{query}")
    assert image.size == size
    assert quarters(image) == expected


def test_a_padded_picture_is_exactly_the_box(service: Service) -> None:
    image = picture(service, "/img/upright.jpg?w=100&h=100&fit=pad&bg=0a0b0c&fm=png")
    assert image.size == (100, 100)
    assert {colour_at(image, across, down) for across in (0, 0.99) for down in (0, 0.99)} == {(10, 11, 12, 255)}
    assert quarters(image.crop((0, 17, 100, 83))) == "RED GREEN BLUE WHITE"


def test_a_translucent_margin_gets_a_format_that_can_show_it(service: Service) -> None:
    image = picture(service, "/img/upright.jpg?w=100&h=100&fit=pad&bg=0a0b0c80")
    assert (image.format, colour_at(image, 0, 0)) == ("PNG", (10, 11, 12, 128))


@pytest.mark.parametrize("query", ["blur=20", "sharpen=5"])
def test_an_effect_changes_the_picture(service: Service, query: str) -> None:
    plain, changed = (picture(service, f"/img/photo.jpg?w=100&fm=png{more}") for more in ("", "&" + query))
    assert plain.size == changed.size
    assert plain.tobytes() != changed.tobytes()


def test_a_smart_crop_keeps_the_object_that_stands_out(service: Service) -> None:
    place = "/img/spot.jpg?w=40&h=40&fit=cover&fm=png"
    smart, center = (picture(service, place + more) for more in ("&position=smart", ""))
    assert smart.size == center.size == (40, 40)
    reds = [
        sum(near(colour_at(image, x / 40, 0.5), pictures.RED, tolerance=60) for x in range(40))
        for image in (smart, center)
    ]
    assert reds[0] > 5
    assert reds[1] == 0


def test_a_trimmed_picture_has_no_border(service: Service) -> None:
    # The right half of alpha.png is transparent. Trimming compares with the top left, so turn that half to the left.
    image = picture(service, "/img/alpha.png?flip=h&trim=0&fm=png")
    assert image.size == (300, 400)


def test_a_crop_outside_the_trimmed_picture_is_a_400_like_any_other(service: Service) -> None:
    for query in ("crop=600,0,50,50", "flip=h&trim=0&crop=300,0,50,50"):
        response = service.get(f"/img/alpha.png?{query}")
        problem = json.loads(response.body)
        assert (response.status, problem["param"]) == (400, "crop")
        assert problem["nearest"] == ("550,0,50,50" if "trim" not in query else "250,0,50,50")
        assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("rotate=180&flip=hv", "", id="turned and turned back"),
        pytest.param("crop=0,0,9999,9999", "sharpen=0", id="no-ops"),
        pytest.param("crop=0.5,0,0.5,0.5", "crop=300,0,300,200", id="fractions and pixels"),
        pytest.param("dl=a.png", "", id="dl"),
        pytest.param("h=77&fit=pad&position=smart", "h=77&fit=pad", id="smart without a crop"),
    ],
)
def test_requests_for_the_same_picture_share_it(service: Service, one: str, other: str) -> None:
    first, second = (service.get(f"/img/photo.jpg?w=77&{query}") for query in (one, other))
    assert first.headers["etag"] == second.headers["etag"]
    assert second.headers["cache-status"].startswith("imgcdn; hit")


@pytest.mark.parametrize(
    ("dl", "plain", "encoded"),
    [
        pytest.param("Summer.png", "Summer.jpg", "Summer.jpg", id="another extension"),
        pytest.param("Gr%C3%BC%C3%9Fe", "Gr__e.jpg", "Gr%C3%BC%C3%9Fe.jpg", id="not ASCII"),
        pytest.param(
            "..%2F..%2Fa%22%0D%0AX:b", "_.._a___X_b.jpg", "_.._a___X_b.jpg", id="a path and a header injection"
        ),
    ],
)
def test_a_download_is_an_attachment_with_this_name(service: Service, dl: str, plain: str, encoded: str) -> None:
    response = service.get(f"/img/photo.jpg?w=50&dl={dl}")
    assert response.headers["content-disposition"] == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("rotate=45", "rotate"),
        ("flip=x", "flip"),
        ("trim=256", "trim"),
        ("crop=0,0,0,5", "crop"),
        ("blur=0.1", "blur"),
        ("sharpen=11", "sharpen"),
        ("bg=12345", "bg"),
        ("position=clever", "position"),
        ("fit=padding", "fit"),
        ("dl=..", "dl"),
        ("p=thumb", "p"),
    ],
)
def test_an_invalid_value_is_400_and_its_parameter_is_named(service: Service, query: str, param: str) -> None:
    response = service.get(f"/img/photo.jpg?{query}")
    assert (response.status, json.loads(response.body)["param"]) == (400, param)


@pytest.fixture(scope="module")
def closed(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that allows only presets."""
    presets = "thumb=w=60&h=60&fit=cover&fm=png wide=w=300&dpr=2"
    with serving.edge(originals, tmp_path_factory.mktemp("closed"), presets=presets, params="presets") as running:
        yield running


@pytest.fixture(scope="module")
def snapping(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service with a ladder of widths and a preset."""
    settings = {"presets": "thumb=w=60&h=60&fit=cover", "width_policy": "snap", "widths": "64 128 256"}
    with serving.edge(originals, tmp_path_factory.mktemp("snapping"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def strict(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that refuses widths outside its ladder."""
    settings = {"width_policy": "strict", "widths": "64 128 256"}
    with serving.edge(originals, tmp_path_factory.mktemp("strict"), **settings) as running:
        yield running


def test_a_preset_stands_for_its_parameters(closed: Service) -> None:
    assert picture(closed, "/img/photo.jpg?p=thumb&v=1&dl=a").size == (60, 60)
    assert picture(closed, "/img/photo.jpg?p=wide").size == (600, 400)


@pytest.mark.parametrize(
    ("target", "status", "members"),
    [
        pytest.param("/img/photo.jpg?p=thum", 400, {"param": "p", "nearest": "thumb"}, id="unknown"),
        pytest.param("/img/photo.jpg", 400, {"param": "p"}, id="no preset, in full size"),
        pytest.param("/img/photo.jpg?w=60", 400, {"param": "w"}, id="no preset"),
        pytest.param("/img/photo.jpg?p=thumb&q=10", 400, {"param": "q"}, id="preset and another parameter"),
        pytest.param("/.netlify/images?url=/photo.jpg&w=60", 404, {"param": "p"}, id="another grammar"),
        pytest.param("/.netlify/images?url=/photo.jpg&p=thumb", 404, {"param": "p"}, id="a grammar without presets"),
        pytest.param("/_image?href=/photo.jpg&p=thumb", 400, {"param": "p"}, id="Astro's, which has none either"),
    ],
)
def test_requests_without_a_preset_are_refused(
    closed: Service, target: str, status: int, members: dict[str, str]
) -> None:
    response = closed.get(target)
    problem = json.loads(response.body)
    assert response.status == status
    assert {name: problem[name] for name in members} == members


def test_the_welcome_page_of_a_closed_service_says_why_it_has_no_pictures(closed: Service) -> None:
    page = closed.get("/")

    assert (page.status, b"<img" in page.body) == (200, False)
    assert b"URLs must name a preset" in page.body
    assert b"change <code>w</code>" not in page.body


def test_the_welcome_page_has_only_widths_of_the_ladder(strict: Service) -> None:
    page = strict.get("/").body.decode()
    urls = {html.unescape(url) for url in re.findall(r'/img/photo\.jpg[^" ,<]+', page)}

    assert {strict.get(url).status for url in urls} == {200}
    assert {url.partition("?w=")[2] for url in urls} == {"64", "128", "256"}


@pytest.mark.parametrize(
    ("target", "size"),
    [
        pytest.param("/img/photo.jpg?w=65", (128, 85), id="rounded up"),
        pytest.param("/img/photo.jpg?w=64&dpr=2", (128, 85), id="times dpr"),
        pytest.param("/img/photo.jpg?w=5000", (256, 171), id="widest step"),
        pytest.param("/img/photo.jpg?p=thumb", (60, 60), id="a preset, which need not be in the ladder"),
        pytest.param("/img/photo.jpg?p=thumb&w=200", (256, 60), id="URL takes precedence"),
        pytest.param("/.netlify/images?url=/photo.jpg&w=65", (128, 85), id="another grammar"),
    ],
)
def test_widths_are_rounded_up_to_the_ladder(snapping: Service, target: str, size: tuple[int, int]) -> None:
    assert picture(snapping, target).size == size


def test_a_width_outside_the_ladder_is_refused_with_the_nearest_step(strict: Service) -> None:
    assert picture(strict, "/img/photo.jpg?w=64&dpr=2").size == (128, 85)
    for target, status in (("/img/photo.jpg?w=100", 400), ("/.netlify/images?url=/photo.jpg&w=100", 404)):
        response = strict.get(target)
        problem = json.loads(response.body)
        assert (response.status, problem["param"], problem["nearest"]) == (status, "w", "128")
