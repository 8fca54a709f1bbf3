"""What the welcome page shows: the root's first pictures, each in three widths."""

from dataclasses import dataclass

from imgcdn.core.output.geometry import Size
from imgcdn.core.values import Source
from imgcdn.errors import ImgcdnError
from imgcdn.markup import ImageCDN
from imgcdn.origins.local import LocalFetcher, pictures
from imgcdn.service.images import ImageService

_PARTS = (4, 2, 1)  # of the original's width, or of the widest that a page of cards can use
_WIDEST = 1600
_SIZES = "(min-width: 60rem) 24rem, 100vw"
_MOST = 12
_AT_ONCE = 2  # pictures that are in sight when the page opens

_CDN = ImageCDN()  # on the page's own host


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One picture of the page.

    Args:
        size: Of the original, upright.
        img: Its `<img>`.
        candidates: (width, URL), ascending, none wider than the original.
    """

    name: str
    size: Size
    img: str
    candidates: tuple[tuple[int, str], ...]

    @property
    def example(self) -> str:
        """The middle candidate's URL, to copy and change."""
        return self.candidates[len(self.candidates) // 2][1]


async def samples(files: LocalFetcher, service: ImageService) -> list[Sample]:
    """Return the first pictures directly in the root, those that can be read."""
    names = list(pictures(files.root))[:_MOST]
    found: list[Sample] = []
    for name in names:
        try:
            facts = await service.describe(Source("local", name))
        except ImgcdnError:  # a broken file among good ones is no reason to show none
            continue
        found.append(_sample(name, facts.size, in_sight=len(found) < _AT_ONCE))
    return found


def _sample(name: str, size: Size, *, in_sight: bool) -> Sample:
    widths = sorted({max(1, min(size[0], _WIDEST) // part) for part in _PARTS})
    # The file's name in words: nothing else is known of the picture.
    alt = name.rpartition(".")[0].replace("_", " ").replace("-", " ")
    img = _CDN.img(name, alt=alt, source_size=size, widths=widths, sizes=_SIZES, priority=in_sight)
    return Sample(name, size, img, tuple((width, _CDN.url(name, width=width)) for width in widths))
