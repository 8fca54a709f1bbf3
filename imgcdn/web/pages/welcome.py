"""The samples on the welcome page: some pictures of the root and its subfolders, each in three widths."""

from collections.abc import Sequence
from dataclasses import dataclass

from imgcdn.core.output.geometry import Size
from imgcdn.core.request.settings import RequestSettings
from imgcdn.core.request.widths import WidthPolicy
from imgcdn.core.values import Source
from imgcdn.errors import ImgcdnError
from imgcdn.markup import ImageCDN
from imgcdn.service.images import ImageService

_DIVISORS = (4, 2, 1)  # of the widest candidate
_MAX_WIDTH = 1600  # the widest that a page of cards can use; a smaller original ends at its own width
_SIZES = "(min-width: 60rem) 24rem, 100vw"
MAX_SAMPLES = 12
_FIRST_IN_SIGHT = 2  # pictures that are in sight when the page opens


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One picture on the page.

    Args:
        size: Size of the original after orientation.
        img: The `<img>` tag.
        candidates: (width, URL), ascending, none wider than the original.
    """

    name: str
    size: Size
    img: str
    candidates: tuple[tuple[int, str], ...]

    @property
    def example(self) -> str:
        """The URL of the middle candidate, for visitors to copy and change."""
        return self.candidates[len(self.candidates) // 2][1]


async def samples(
    names: Sequence[str], service: ImageService, settings: RequestSettings, mounted_at: str = ""
) -> list[Sample]:
    """
    Return samples of pictures, without those that cannot be read.

    Args:
        names: Their paths in the root.
        settings: Those of a service that anybody may ask for any output.
        mounted_at: The path that URLs of the service begin with.
    """
    cdn = ImageCDN(mounted_at)
    steps = settings.widths if settings.width_policy is WidthPolicy.STRICT else ()
    shown: list[Sample] = []
    for name in names:
        try:
            facts = await service.describe(Source("local", name))
        except ImgcdnError:  # one broken file must not hide the others
            continue
        widths = _widths(facts.size, steps)
        if widths:
            shown.append(_sample(cdn, name, facts.size, widths, in_sight=len(shown) < _FIRST_IN_SIGHT))
    return shown


def _widths(size: Size, steps: Sequence[int]) -> Sequence[int]:
    """
    Return the candidates' widths, ascending.

    Args:
        steps: The only widths that the service accepts; empty for all. If the picture is smaller than each, it has no
            candidate.
    """
    widest = min(size[0], _MAX_WIDTH)
    if steps:
        return [step for step in steps if step <= widest][-len(_DIVISORS) :]
    return sorted({max(1, widest // divisor) for divisor in _DIVISORS})


def _sample(cdn: ImageCDN, name: str, size: Size, widths: Sequence[int], *, in_sight: bool) -> Sample:
    # The words of the file's name, because nothing else says what the picture shows.
    alt = name.rpartition("/")[2].rpartition(".")[0].replace("_", " ").replace("-", " ")
    img = cdn.img(name, alt=alt, source_size=size, widths=widths, sizes=_SIZES, priority=in_sight)
    return Sample(name, size, img, tuple((width, cdn.url(name, width=width)) for width in widths))
