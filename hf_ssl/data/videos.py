"""Any clip (folder of frames, animated picture, array, list of images) to one uint8 tensor."""

import os
import re
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image, ImageSequence

from ..checks.regular_files import UnreadableError, open_regular
from .images import decode_image, file_of
from .listing import image_extensions, is_hidden
from .opening import open_image

ANIMATED = (".gif", ".webp", ".apng", ".npy")  # files that hold a clip each; other pictures are frames
LARGEST = 1_000_000_000  # values of one clip


def decode_video(video, channels: int = 3, shortest_side: int | None = None) -> torch.Tensor:
    """
    One clip as a uint8 tensor. Nothing here reads film formats (.mp4): extract their frames first.

    Args:
        video: a folder of frames, which are sorted by the numbers in their names; a GIF, WebP or animated PNG; a
            `.npy` file; the bytes of one of those, or `{"bytes": ..., "path": ...}`; an array (frames, height, width,
            C) or a tensor (frames, C, height, width) of uint8; or a list of whatever [`decode_image`] takes.
        channels (`int`, *optional*, defaults to 3): 3 for RGB, 1 for grey.
        shortest_side (`int`, *optional*): see [`decode_image`].

    Returns:
        `torch.Tensor` of dtype uint8 and shape `(frames, channels, height, width)`.

    Raises:
        Exception: as [`decode_image`], and `UnreadableError` for frames of different sizes, none at all, or more
            values than are read.
    """
    frames, values = [], 0
    for image in _frames(video):
        frame = decode_image(image, channels, shortest_side=shortest_side)
        values += frame.numel()
        if values > LARGEST:
            raise UnreadableError(f"it has more than {LARGEST:.0e} values, more than a clip that is read: shorten it")
        if frames and frame.shape != frames[0].shape:
            raise UnreadableError(
                f"its frames differ in size ({tuple(frames[0].shape[1:])} and {tuple(frame.shape[1:])} pixels)"
            )
        frames.append(frame)
    if not frames:
        raise UnreadableError("it holds no frames")
    return torch.stack(frames)


def frames_in(folder: str | os.PathLike) -> list[str]:
    """The pictures in a folder, sorted as people count: frame_2 before frame_10."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not is_hidden(entry.name) and entry.is_file()]
    wanted = image_extensions() - set(ANIMATED)
    names = [name for name in names if os.path.splitext(name)[1].lower() in wanted]
    return [os.path.join(folder, name) for name in sorted(names, key=_as_counted)]


def _as_counted(name: str) -> list:
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"(\d+)", name)]


def _frames(video) -> Iterator:
    """The frames one by one, each as something that `decode_image` takes."""
    if isinstance(video, dict):
        video = video.get("path") if video.get("bytes") is None else video["bytes"]
    if isinstance(video, (str, os.PathLike)) and os.path.isdir(video):
        yield from frames_in(video)
    elif isinstance(video, (str, os.PathLike)) and os.fspath(video).lower().endswith(".npy"):
        with open(open_regular(video), "rb") as opened:
            np.lib.format.read_magic(opened)  # a ValueError for what is none
        yield from _of_array(np.load(video, mmap_mode="r", allow_pickle=False))
    elif isinstance(video, (np.ndarray, torch.Tensor)):
        yield from _of_array(video)
    elif isinstance(video, (list, tuple)):
        yield from video
    else:
        video = file_of(video)
        if isinstance(video, Image.Image):
            yield from (frame.copy() for frame in ImageSequence.Iterator(video))
        else:
            with open_image(video) as opened:
                yield from (frame.copy() for frame in ImageSequence.Iterator(opened))


def _of_array(clip: np.ndarray | torch.Tensor) -> Iterator:
    if clip.ndim not in (3, 4):
        raise UnreadableError(f"an array of shape {tuple(clip.shape)} is no clip: give (frames, height, width, 3)")
    if clip.dtype not in (torch.uint8, np.uint8):
        raise UnreadableError(f"an array of {clip.dtype} is no clip: give uint8 in 0..255")
    for frame in clip:
        yield frame if isinstance(frame, torch.Tensor) else np.ascontiguousarray(frame)
