"""Any sound (file, bytes, array, tensor) to one channel of floats at one rate."""

import io
import math
import os
import warnings

import numpy as np
import torch

from ..checks.regular_files import UnreadableError, open_regular

SAMPLING_RATE = 16000  # Hz, of everything that is decoded: the filter bank's frames are 25 ms at this rate only
LARGEST_FILE = 2**30  # bytes; nine hours of one channel
_RATES = (1000, 1_000_000)  # Hz that a file may claim


def decode_audio(audio, sampling_rate: int = SAMPLING_RATE) -> torch.Tensor:
    """
    One sound as floats: channels are averaged, integers become [-1, 1], and another rate is resampled.

    Args:
        audio: a path of a `.wav` file, its bytes, `{"bytes": ..., "path": ...}`, `{"array": ..., "sampling_rate":
            ...}`, or an array or a tensor (samples,) or (channels, samples), which is taken to have `sampling_rate`
            already; of integers, these are scaled too.
        sampling_rate (`int`, *optional*, defaults to 16000): in Hz, of the result.

    Returns:
        `torch.FloatTensor` of shape `(samples,)`, on the CPU.

    Raises:
        UnreadableError: for another format, an empty sound, or values that are NaN or infinite.
        Exception: whatever the reader raises on a damaged file.
    """
    rate = sampling_rate
    if isinstance(audio, dict) and audio.get("array") is not None:
        audio, rate = audio["array"], int(audio["sampling_rate"])
    elif not isinstance(audio, (torch.Tensor, np.ndarray)):
        rate, audio = _read(audio)
    samples = audio.detach().cpu().numpy() if isinstance(audio, torch.Tensor) else np.asarray(audio)
    if samples.ndim not in (1, 2) or 0 in samples.shape or samples.dtype.kind not in "uif":
        raise UnreadableError(f"an array of shape {samples.shape} of {samples.dtype} is no sound: give (samples,)")
    if not _RATES[0] <= rate <= _RATES[1]:
        raise UnreadableError(f"it claims {rate} samples a second")
    samples = _floats(samples)
    if samples.ndim == 2:
        samples = samples.mean(0)
    if not np.isfinite(samples).all():
        raise UnreadableError("it holds values that are NaN or infinite")
    return torch.from_numpy(np.ascontiguousarray(_resampled(samples, rate, sampling_rate), dtype=np.float32))


def _read(audio) -> tuple[int, np.ndarray]:
    """Rate and samples, (channels, samples) where there are several, of a .wav file or its bytes."""
    from scipy.io import wavfile

    if isinstance(audio, dict):
        audio = audio.get("path") if audio.get("bytes") is None else audio["bytes"]
    if isinstance(audio, (str, os.PathLike)):
        opened = open(open_regular(audio), "rb")
    elif isinstance(audio, (bytes, bytearray, memoryview)):
        opened = io.BytesIO(audio)
    else:
        raise UnreadableError(f"no sound, but {type(audio).__name__}")
    with opened:
        size = opened.seek(0, io.SEEK_END)
        opened.seek(0)
        if size > LARGEST_FILE:
            raise UnreadableError(f"its file has {size / 1e9:.0f} GB, more than a sound that is read")
        if opened.read(4) not in (b"RIFF", b"RIFX", b"RF64"):
            raise UnreadableError("it is no .wav file: convert it to one")
        opened.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that it does not know
            rate, samples = wavfile.read(opened)
    return rate, samples.T


def _floats(samples: np.ndarray) -> np.ndarray:
    """In about [-1, 1]; unsigned integers have their zero in the middle."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    shift = half if samples.dtype.kind == "u" else 0
    return ((samples.astype(np.float64) - shift) / half).astype(np.float32)


def _resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, wanted)
    return resample_poly(samples, wanted // common, rate // common)
