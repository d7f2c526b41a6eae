"""Images with the texts that belong to them."""

from collections.abc import Sequence

from .base import ImageDataset
from .classes import find_name
from .errors import DataError
from .listing import counted

CAPTION_NAMES = ("text", "caption", "captions", "sentence", "description", "title", "alt_text", "alt")  # best first


def caption_of(value) -> str | None:
    """A caption as it stands in a table, or None where there is none."""
    return " ".join(value.split()) or None if isinstance(value, str) else None


def find_caption_column(columns: Sequence[str], asked: str | None) -> str:
    """The column that holds the captions: `asked`, or the first with a usual name; else a `DataError`."""
    found = find_name(columns, CAPTION_NAMES) if asked is None else asked
    if found not in columns:
        missing = "There is no caption column" if asked is None else f"text_column={asked!r} does not exist"
        raise DataError(f"{missing}: the columns are {', '.join(columns)}; name it in text_column.")
    return found


def with_captions(images: ImageDataset, column: str | None = None) -> tuple[ImageDataset, str]:
    """
    Those of the images that have a caption, with `captions` set; and where these come from.

    Args:
        column (`str`, *optional*): where the captions stand; by default the first with a usual name.

    Raises:
        DataError: if the source has no such column, or no image has a caption.
    """
    captions, source = images.read_captions(column)
    having = [i for i, caption in enumerate(captions) if caption]
    if not having:
        raise DataError(f"None of the {counted(len(images))} has a caption in {source}: fill it, or name another.")
    picked = images.subset(having)
    picked.captions = [captions[i] for i in having]
    return picked, source
