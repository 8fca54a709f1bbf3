import hashlib
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.output.formats import OUTPUTS
from imgcdn.core.output.geometry import Crop, Fit, Smart
from imgcdn.core.output.keys import etag, source_key, variant_key
from imgcdn.core.output.plan import Limits, Plan, plan_for
from imgcdn.core.request.negotiation import client_class
from imgcdn.core.request.params import Params
from imgcdn.core.request.rules import Rules, parse_preset
from imgcdn.core.values import Facts, Source
from imgcdn.dialects.base import Target
from imgcdn.dialects.native import parse
from tests.support.planning import LIMITS, RULES, possible_plan

VERSION = hashlib.sha256(b"the original").hexdigest()
PHOTO = Facts("jpeg", (2725, 2225), frames=1, alpha=False)
ANIMATION = Facts("gif", (600, 400), frames=12, alpha=True)

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SAFARI = "image/webp,image/avif,image/jxl,image/heic,video/*;q=0.8,image/png,image/*;q=0.8,*/*;q=0.5"
CURL = "*/*"

PLAN = Plan(crop=(0.0, 204.5, 2725.0, 2020.5), size=(1200, 800), format="avif", q=75)


def names_of(target: str, accept: str = CHROME, facts: Facts = PHOTO, rules: Rules = RULES) -> tuple[str, str]:
    request = parse(Target.read(target), rules)
    plan = plan_for(facts, request.params, client_class(accept), LIMITS)
    return source_key(request.source), variant_key(VERSION, plan)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("/img?url=/a.jpg&w=400&q=60", "/img?q=60&w=400&url=/a.jpg", id="order"),
        pytest.param("/img?url=/a.jpg&w=400", "/img/a.jpg?w=400", id="source in the path or the query"),
        pytest.param("/img?url=/a.jpg", "/img?url=a.jpg", id="leading slash"),
        pytest.param("/img?url=/a.jpg&w=400", "/img?url=%2Fa.jpg&w=4%300", id="percent-encoding"),
        pytest.param("/img?url=/%c3%a9.jpg", "/img?url=/%C3%A9.jpg", id="case of the hexadecimal digits"),
        pytest.param("/img?url=a+b.jpg", "/img/a%20b.jpg", id="space"),
        pytest.param("/img?url=/a.jpg&w=400", "/img?url=/a.jpg&&w=400&", id="stray ampersands"),
        pytest.param("/img/a.jpg?w=9&h=8&q=7", "/img/a.jpg?width=9&height=8&quality=7", id="aliases"),
        pytest.param("/img/a.jpg?fm=jpg", "/img/a.jpg?format=jpeg", id="spellings of jpeg"),
        pytest.param("/img/a.jpg", "/img/a.jpg?fm=auto&q=75&fit=contain&dpr=1&enlarge=0&still=0", id="defaults"),
        pytest.param("/img/a.jpg?w=400&dpr=2", "/img/a.jpg?w=800", id="dpr"),
        pytest.param("/img/a.jpg?w=400&dpr=2", "/img/a.jpg?w=400&dpr=2.00", id="zeros after the point"),
        pytest.param("/img/a.jpg?w=0400", "/img/a.jpg?w=400", id="zeros before a number"),
        pytest.param("/img/a.jpg?dpr=3", "/img/a.jpg", id="dpr without a size"),
        pytest.param("/img/a.jpg?w=5000", "/img/a.jpg?w=8000", id="widths beyond the source"),
        pytest.param("/img/a.jpg?w=5000", "/img/a.jpg", id="width beyond the source and no width"),
        pytest.param(
            "/img/a.jpg?w=3200&h=2133&fit=cover", "/img/a.jpg?w=6400&h=4266&fit=cover", id="boxes beyond the source"
        ),
        pytest.param(
            "/img/a.jpg?w=545&h=445&fit=cover", "/img/a.jpg?w=545&h=445&fit=fill", id="box with the ratio of the source"
        ),
        pytest.param("/img/a.jpg?w=300&h=200", "/img/a.jpg?h=200", id="edge that decides"),
        pytest.param("/img/a.jpg?w=300&position=top", "/img/a.jpg?w=300", id="position without a crop"),
        pytest.param("/img/a.jpg?w=300&enlarge=1", "/img/a.jpg?w=300", id="enlarge without effect"),
        pytest.param("/img/a.jpg?w=300&fit=cover", "/img/a.jpg?w=300", id="fit without a box"),
        pytest.param("/img/a.jpg?fm=png&q=10", "/img/a.jpg?fm=png&q=95", id="q of a lossless format"),
        pytest.param("/img/a.jpg?fm=png&q=auto", "/img/a.jpg?fm=png&q=75", id="q=auto of a lossless format"),
        pytest.param("/img/a.jpg?q=auto", "/img/a.jpg?quality=auto", id="spellings of q=auto"),
        pytest.param("/img/a.jpg?bg=f00", "/img/a.jpg", id="background of an opaque source"),
        pytest.param("/img/a.jpg?still=1", "/img/a.jpg", id="still of a picture with one frame"),
        pytest.param("/img/a.jpg?rotate=180&flip=hv", "/img/a.jpg", id="turned and turned back"),
        pytest.param("/img/a.jpg?rotate=90&flip=hv", "/img/a.jpg?rotate=270", id="spellings of one turn"),
        pytest.param("/img/a.jpg?flip=hv", "/img/a.jpg?rotate=180", id="both mirrors and half a turn"),
        pytest.param("/img/a.jpg?crop=0,0,9999,9999", "/img/a.jpg", id="crop of everything"),
        pytest.param(
            "/img/a.jpg?crop=0.0,0,0.2,0.2", "/img/a.jpg?crop=0,0,545,445", id="crop in fractions and in pixels"
        ),
        pytest.param("/img/a.jpg?crop=2000,0,725,9", "/img/a.jpg?crop=2000,0,9999,9", id="crop partly outside"),
        pytest.param("/img/a.jpg?sharpen=0", "/img/a.jpg", id="sharpen by zero"),
        pytest.param("/img/a.jpg?blur=2.50", "/img/a.jpg?blur=2.5", id="zeros after the point of a sigma"),
        pytest.param("/img/a.jpg?fit=pad&w=300&h=245", "/img/a.jpg?w=300", id="pad to the ratio of the source"),
        pytest.param("/img/a.jpg?fit=pad&w=300&bg=fff", "/img/a.jpg?w=300", id="pad without a box"),
        pytest.param(
            "/img/a.jpg?fit=pad&w=9&h=9&bg=fff", "/img/a.jpg?fit=pad&w=9&h=9", id="margin that is white by default"
        ),
        pytest.param("/img/a.jpg?w=9&position=top+left", "/img/a.jpg?w=9&position=0,0", id="spellings of a position"),
        pytest.param("/img/a.jpg?w=9&position=smart", "/img/a.jpg?w=9", id="smart without a crop"),
        pytest.param("/img/a.jpg?w=9&h=9&fit=pad&position=smart", "/img/a.jpg?w=9&h=9&fit=pad", id="smart, padded"),
        pytest.param("/img/a.jpg?w=9&h=9&fit=fill&position=smart", "/img/a.jpg?w=9&h=9&fit=fill", id="smart, filled"),
        pytest.param(
            "/img/a.jpg?w=545&h=445&fit=cover&position=smart",
            "/img/a.jpg?w=545",
            id="smart with the ratio of the source",
        ),
        pytest.param(
            "/img/a.jpg?crop=5,5,40,40&w=9&h=9&fit=cover&position=smart",
            "/img/a.jpg?crop=5,5,40,40&w=9",
            id="smart in a crop of the same ratio",
        ),
        pytest.param(
            "/img/a.jpg?w=6400&h=4266&fit=cover&position=smart",
            "/img/a.jpg?w=3200&h=2133&fit=cover&position=smart",
            id="boxes beyond the source, smart",
        ),
        pytest.param("/img/a.jpg?trim=9&w=9&position=smart", "/img/a.jpg?trim=9&w=9", id="smart, trimmed"),
        pytest.param("/img/a.jpg?trim=9&w=9&fit=cover", "/img/a.jpg?trim=9&w=9", id="fit without a box, trimmed"),
        pytest.param("/img/a.jpg?dl=x.png", "/img/a.jpg", id="dl"),
        pytest.param("/img/a.jpg?w=9&exp=9&kid=k&s=x", "/img/a.jpg?w=9", id="signature"),
        pytest.param("/img/a.jpg?v=1", "/img/a.jpg?v=2", id="v"),
        pytest.param("/img?url=/a.jpg%3Fw%3D3", "/img?url=/a.jpg", id="query on a file"),
    ],
)
def test_requests_for_the_same_picture_share_one_variant(one: str, other: str) -> None:
    assert names_of(one) == names_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("p=card", "w=400&h=300&fit=cover", id="alone"),
        pytest.param("p=card&w=200", "w=200&h=300&fit=cover", id="with a width of the URL"),
        pytest.param("p=card&quality=50&fit=pad", "fit=pad&h=300&w=400&q=50", id="with more parameters"),
        pytest.param("p=twice", "w=800", id="with dpr"),
        pytest.param("p=twice&dpr=1", "w=400", id="with a dpr of the URL"),
    ],
)
def test_a_preset_and_its_parameters_share_one_variant(one: str, other: str) -> None:
    presets = (parse_preset("card", "w=400&h=300&fit=cover"), parse_preset("twice", "width=400&dpr=2"))
    rules = replace(RULES, presets=presets)

    assert names_of(f"/img/a.jpg?{one}", rules=rules) == names_of(f"/img/a.jpg?{other}", rules=rules)


def test_clients_that_get_the_same_format_share_one_variant() -> None:
    assert names_of("/img/a.jpg", accept=CHROME) == names_of("/img/a.jpg", accept=SAFARI)
    assert names_of("/img/a.jpg?w=400", accept="image/webp") == names_of("/img/a.jpg?w=400&fm=webp", accept=CURL)


def test_a_negotiated_avif_and_a_requested_avif_are_different_variants() -> None:
    """The negotiated one may become another format if the picture is a graphic."""
    assert names_of("/img/a.jpg?w=400", accept=CHROME) != names_of("/img/a.jpg?w=400&fm=avif", accept=CHROME)


def test_an_animation_is_rendered_once_for_avif_and_webp_clients() -> None:
    both, webp = (names_of("/img/a.gif", accept, ANIMATION) for accept in (CHROME, "image/webp"))

    assert both == webp


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("/img/a.jpg", "/img/b.jpg", id="source"),
        pytest.param("/img/a.jpg", "/img/A.jpg", id="case of the source"),
        pytest.param("/img/a%252eb.jpg", "/img/a%2eb.jpg", id="a second encoding"),
        pytest.param("/img/a.jpg?w=400", "/img/a.jpg?w=401", id="width"),
        pytest.param("/img/a.jpg?q=60", "/img/a.jpg?q=63", id="q"),
        pytest.param("/img/a.jpg?q=auto", "/img/a.jpg?q=75", id="q=auto and the same number"),
        pytest.param("/img/a.jpg?fm=jpg&q=89", "/img/a.jpg?fm=jpg&q=90", id="q that gives full chroma"),
        pytest.param("/img/a.jpg?fm=jpg", "/img/a.jpg?fm=png", id="format"),
        pytest.param("/img/a.jpg?w=99&h=99&fit=cover", "/img/a.jpg?w=99&h=99&fit=fill", id="fit"),
        pytest.param("/img/a.jpg?w=99&h=99&fit=cover&position=left", "/img/a.jpg?w=99&h=99&fit=cover", id="position"),
        pytest.param("/img/a.jpg?w=99&h=99&fit=cover&position=smart", "/img/a.jpg?w=99&h=99&fit=cover", id="smart"),
        pytest.param(
            "/img/a.jpg?trim=0&w=9&h=9&fit=cover&position=smart",
            "/img/a.jpg?trim=0&w=9&h=9&fit=cover",
            id="smart after a trim",
        ),
        pytest.param("/img/a.jpg?rotate=90", "/img/a.jpg?rotate=270", id="turn"),
        pytest.param("/img/a.jpg?trim=0", "/img/a.jpg?trim=1", id="tolerance of a trim"),
        pytest.param("/img/a.jpg?trim=0&w=9", "/img/a.jpg?trim=0&w=10", id="width after a trim"),
        pytest.param("/img/a.jpg?crop=0,0,9,9", "/img/a.jpg?crop=1,0,9,9", id="crop"),
        pytest.param("/img/a.jpg?blur=1", "/img/a.jpg?sharpen=1", id="blur and sharpen"),
        pytest.param("/img/a.jpg?w=9&h=9&fit=pad", "/img/a.jpg?w=9&h=9&fit=pad&bg=000", id="colour of a margin"),
    ],
)
def test_requests_for_different_pictures_share_none(one: str, other: str) -> None:
    assert names_of(one) != names_of(other)


colours = st.tuples(*[st.integers(0, 255)] * 3)
params = st.builds(
    Params,
    width=st.none() | st.integers(1, 8192),
    height=st.none() | st.integers(1, 8192),
    fit=st.sampled_from(Fit),
    position=st.tuples(st.integers(0, 100), st.integers(0, 100)) | st.sampled_from(Smart),
    format=st.sampled_from([None, *OUTPUTS]),
    q=st.none() | st.integers(1, 100),
    target=st.integers(40, 90),
    background=st.none() | colours | st.tuples(*[st.integers(0, 255)] * 3, st.integers(0, 254)),
    enlarge=st.booleans(),
    still=st.booleans(),
    turn=st.integers(1, 8),
    trim=st.none() | st.integers(0, 255),
    crop=st.none() | st.builds(Crop, *[st.integers(0, 99)] * 2, *[st.integers(1, 100)] * 2, relative=st.just(True)),
    blur=st.sampled_from([0.0, 0.3, 250.0]),
    sharpen=st.sampled_from([0.0, 10.0]),
)
facts = st.builds(
    Facts,
    format=st.sampled_from(["jpeg", "png", "gif", "webp", "avif"]),
    size=st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
    frames=st.integers(1, 3),
    alpha=st.booleans(),
)
clients = st.sampled_from([("avif", "webp"), ("webp", "avif"), ("avif",), ("webp",), ()])
limits = st.builds(
    Limits,
    avif_min_pixels=st.sampled_from([0, 4096]),
    avif_max_pixels=st.sampled_from([10_000, 20_000_000]),
    max_dimension=st.just(8192),
    keep_profile=st.booleans(),
    animation_formats=st.sampled_from([(), ("webp",), ("avif", "webp")]),
)
plans = st.builds(possible_plan, facts, params, clients, limits)


@given(one=plans, other=plans)
def test_plans_have_equal_keys_exactly_when_they_are_equal(one: Plan, other: Plan) -> None:
    assert (variant_key(VERSION, one) == variant_key(VERSION, other)) == (one == other)


@given(one=plans, other=plans, field=st.sampled_from([field.name for field in fields(Plan)]))
def test_every_field_of_a_plan_changes_its_key(one: Plan, other: Plan, field: str) -> None:
    mixed = replace(one, **{field: getattr(other, field)})

    assert (variant_key(VERSION, mixed) == variant_key(VERSION, one)) == (mixed == one)


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_a_key_separates_the_scheme_from_the_location(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (source_key(Source(*one)) == source_key(Source(*other))) == (one == other)


def test_two_mounts_that_lead_to_one_url_share_nothing() -> None:
    one, other = (Source("mounted", "https://cms.test/a.jpg", mount=mount) for mount in ("cms", "again"))

    assert source_key(one) != source_key(other)


def test_a_file_name_that_is_not_utf8_has_a_key() -> None:
    assert source_key(Source("local", "caf\udce9.jpg")) != source_key(Source("local", "café.jpg"))


def test_the_key_of_a_source_stays_the_same() -> None:
    assert (
        source_key(Source("local", "photos/a.jpg"))
        == "f7e118de084f2dd52bd3c8d154451908bd1f753443a6257b0191a70de8ca8654"
    )


def test_a_key_is_a_hash_and_contains_no_part_of_the_url() -> None:
    for name in names_of("/img/..%2f..%2fetc/passwd?w=40"):
        assert len(bytes.fromhex(name)) == 32


def test_an_etag_is_strong_and_has_half_of_the_digest() -> None:
    assert etag(bytes(range(32))) == '"000102030405060708090a0b0c0d0e0f"'
