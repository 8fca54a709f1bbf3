from imgcdn.core.output.formats import FORMATS, NEGOTIATED, OUTPUTS, PLACEHOLDERS


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
