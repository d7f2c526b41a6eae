"""Data sets of clips: folders of frames, animated pictures and arrays; tables; and items of your own."""

import os
from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import torch

from ..checks.regular_files import UnreadableError
from .adapt import AdaptedImages
from .folder import ImageFolder
from .hub import HubImages
from .listing import Kind, Listing, image_extensions, list_files
from .pixels import PixelFormat
from .unreadable import Header
from .videos import ANIMATED, decode_video

CLIPS = Kind("clip", image_extensions() | set(ANIMATED), "no clip")


class _Clips:
    """What is special about clips, in front of a class of [`DecodedImages`]."""

    sample_key, noun = "video", "clip"
    columns = ("video", "videos", "clip", "clips", "frames", "gif")
    _headers_read = 64  # the number of frames shows only in the whole file

    def _settle(self) -> PixelFormat:
        return PixelFormat()  # 8 bits: every frame is decoded by itself

    def _header(self, row: int, cell) -> Header:
        clip = self._decode(row, cell)[0]
        return Header(clip.shape[3], clip.shape[2], None)

    def _decoded(self, video) -> torch.Tensor:
        return decode_video(video, self.channels, self._shortest_side)


class ClipFolder(_Clips, ImageFolder):
    """
    Every clip below a folder, however deep: a folder of two pictures or more is a clip of these frames, and so is
    every GIF, WebP, animated PNG and `.npy` file. Classes, arguments and errors are those of [`ImageFolder`].
    """

    @staticmethod
    def list_files(root: Path, exclude: Sequence[str | os.PathLike] = ()) -> Listing:
        """The clips below `root`."""
        listing = list_files(root, exclude, CLIPS)
        clips: dict[bytes, int] = {}
        for file in listing.files.tolist():
            animated = os.path.splitext(file)[1].lower() in map(os.fsencode, ANIMATED)
            entry = file if animated else os.path.dirname(file)
            clips[entry] = clips.get(entry, 0) + (2 if animated else 1)
        for entry, frames in clips.items():
            if frames < 2 or not entry:
                listing.leave_out("pictures that make no clip", os.fsdecode(entry) or "beside the clips", frames)
        listing.files = np.array([entry for entry, frames in clips.items() if frames > 1 and entry], dtype=np.bytes_)
        return listing


class HubClips(_Clips, HubImages):
    """The clips of a `datasets.Dataset`: a column of lists of pictures, or of GIF, WebP or `.npy` files."""

    def _image(self, row: int, cell) -> tuple:
        if isinstance(cell, list) and cell and isinstance(cell[0], dict | str | bytes):
            return [self._cell(frame) for frame in cell], None
        if isinstance(cell, list):
            return _as_array(cell), None
        return self._cell(cell), None

    column_type = "datasets.List(datasets.Image)"

    @classmethod
    def holds_samples(cls, feature) -> bool:
        inner = feature.feature if isinstance(feature, datasets.List) else None
        return isinstance(inner, datasets.Image)


class AdaptedClips(_Clips, AdaptedImages):
    """A torch data set or a list of clips, item by item. See [`as_image_dataset`]."""


def _as_array(cell: list) -> np.ndarray:
    try:
        array = np.array(cell)
    except ValueError as error:  # lists of different lengths
        raise UnreadableError("the cell holds a list that is no clip") from error
    if array.dtype.kind not in "ui" or array.size == 0 or array.min() < 0 or array.max() > 255:
        raise UnreadableError("the cell holds a list that is no clip of values in 0..255")
    return array.astype(np.uint8)
