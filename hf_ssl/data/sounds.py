"""Data sets of sounds: folders of .wav files, tables, and items of your own."""

import os
from collections.abc import Sequence
from pathlib import Path

import datasets
import torch

from .adapt import AdaptedImages
from .audio import SAMPLING_RATE, decode_audio
from .folder import ImageFolder
from .hub import HubImages
from .listing import Kind, Listing, list_files
from .pixels import PixelFormat
from .unreadable import Header

SOUNDS = Kind("sound", frozenset({".wav", ".wave"}), "no .wav file")


class _Sounds:
    """What is special about sounds, in front of a class of [`DecodedImages`]."""

    sample_key, noun = "audio", "sound"
    columns = ("audio", "sound", "speech", "wav", "waveform")
    _headers_read = 64

    def _settle(self) -> PixelFormat:
        return PixelFormat()  # of nothing

    def _header(self, row: int, cell) -> Header:
        return Header(len(self._decode(row, cell)[0]), 1, "WAVE")

    def _decoded(self, audio) -> torch.Tensor:
        return decode_audio(audio)

    def sizes(self) -> list[tuple[int, int]]:
        """Empty: sounds have none in pixels."""
        return []

    def describe(self) -> str:
        seconds = sorted(header.width / SAMPLING_RATE for header in self.headers())
        return (
            f"Lengths: {seconds[0]:.1f} to {seconds[-1]:.1f} s, median {seconds[len(seconds) // 2]:.1f} s; read as "
            f"one channel of {SAMPLING_RATE} samples a second."
        )


class SoundFolder(_Sounds, ImageFolder):
    """Every .wav file below a folder, however deep. Classes, arguments and errors are those of [`ImageFolder`]."""

    @staticmethod
    def list_files(root: Path, exclude: Sequence[str | os.PathLike] = ()) -> Listing:
        """The sounds below `root`."""
        return list_files(root, exclude, SOUNDS)


class HubSounds(_Sounds, HubImages):
    """The sounds of a `datasets.Dataset`, which needs no library to decode them: files in .wav format, or arrays."""

    column_type = "datasets.Audio"

    @classmethod
    def holds_samples(cls, feature) -> bool:
        return isinstance(feature, datasets.Audio)


class AdaptedSounds(_Sounds, AdaptedImages):
    """A torch data set or a list of sounds, item by item. See [`as_image_dataset`]."""
