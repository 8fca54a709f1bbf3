import pytest

from imgcdn.core.values import Source


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        pytest.param(Source("local", "photos/sea.jpg"), "sea", id="a file in a folder"),
        pytest.param(Source("local", "sea.large.jpg"), "sea.large", id="two dots"),
        pytest.param(Source("local", "sea"), "sea", id="no extension"),
        pytest.param(Source("local", ".jpg"), ".jpg", id="an extension alone"),
        pytest.param(Source("local", "what?.jpg"), "what?", id="a question mark in a file name"),
        pytest.param(Source("local", "100%25.jpg"), "100%25", id="a percent sign in a file name"),
        pytest.param(Source("remote", "https://a.example/m/sea.jpg?v=1/x"), "sea", id="a URL with a query"),
        pytest.param(Source("remote", "https://a.example/the%20sea.jpg"), "the sea", id="an encoded URL"),
        pytest.param(Source("mounted", "https://a.example/m/sea.jpg"), "sea", id="a URL of a mount"),
        pytest.param(Source("remote", "https://a.example/"), "image", id="a URL without a path"),
        pytest.param(Source("remote", "https://a.example/m/"), "image", id="a URL that ends with a slash"),
    ],
)
def test_the_stem_of_a_source_is_its_last_segment_without_extension(source: Source, stem: str) -> None:
    assert source.stem == stem
