"""The frames of an animation, given to Pillow's savers one at a time."""

from collections.abc import Iterator

from PIL import Image

from imgcdn.errors import CorruptImage

#: The public text about an animation that ends before its header says.
TOO_FEW_FRAMES = "The original has fewer frames than it says."


class LaterFrames:
    """
    The frames after the first one, as one image with several frames, which are decoded while a saver reads them.

    Savers turn `append_images` into a list before they encode, so with a generator all decoded frames would be in
    memory. They read the frames of one image in order, each once.
    """

    def __init__(self, images: Iterator[Image.Image], count: int) -> None:
        self.n_frames = count
        self._images = images

    def next(self) -> Image.Image:
        """Return the next frame."""
        image = next(self._images, None)
        if image is None:
            raise CorruptImage(TOO_FEW_FRAMES)
        return image


def record_durations(
    images: Iterator[tuple[Image.Image, float]], durations: list[float], *, least: float = 0
) -> Iterator[Image.Image]:
    """
    Yield the images, and append the duration of each.

    Args:
        images: Each with the time at which it ends, in milliseconds from the start.
        durations: Receives milliseconds. Savers read each entry after that frame.
        least: The shortest duration of a frame.
    """
    clock_ms = 0.0
    for image, end in images:
        end_ms = max(end, clock_ms + least)
        durations.append(end_ms - clock_ms)
        clock_ms = end_ms
        yield image
