"""Kaldi's log-mel filter bank in torch: what `ASTFeatureExtractor` computes in numpy, batched and on any device."""

from functools import cache

import torch
import torch.nn.functional as F
from transformers.audio_utils import mel_filter_bank

FRAME, HOP, FFT = 400, 160, 512  # samples: 25 ms every 10 ms at 16 kHz, the only rate at which that is so
_PREEMPHASIS, _FLOOR = 0.97, 1.192092955078125e-07


def frames_in(num_samples: int) -> int:
    """How many whole frames a sound of `num_samples` samples has."""
    return 0 if num_samples < FRAME else 1 + (num_samples - FRAME) // HOP


def samples_of(num_frames: int) -> int:
    """The fewest samples that have `num_frames` whole frames."""
    return FRAME + (num_frames - 1) * HOP


def fit_samples(sound: torch.Tensor, num_samples: int) -> torch.Tensor:
    """A sound (samples,) cut after `num_samples`, or with silence after it."""
    return F.pad(sound[:num_samples], (0, max(num_samples - len(sound), 0)))


@torch.no_grad()
def log_mel(audio: torch.Tensor, num_mel_bins: int = 128, sampling_rate: int = 16000) -> torch.Tensor:
    """
    Log energies in mel bands, frame by frame: Hann window, mean removed, pre-emphasis 0.97, as in Kaldi's `fbank`
    without dither (the input of AST, arXiv:2104.01778, and Audio-MAE, arXiv:2207.06405).

    Args:
        audio (`torch.Tensor` of shape `(batch, samples)`): in about [-1, 1], one channel, on any device.
        num_mel_bins (`int`, *optional*, defaults to 128): bands from 20 Hz up to half the sampling rate.
        sampling_rate (`int`, *optional*, defaults to 16000): in Hz. Frames are of 400 samples whatever it is.

    Returns:
        `torch.FloatTensor` of shape `(batch, frames, num_mel_bins)`: natural logarithms, at least -15.94.

    Raises:
        ValueError: for sounds of another shape, or shorter than one frame.
    """
    if audio.ndim != 2 or audio.shape[1] < FRAME:
        raise ValueError(
            f"Sounds must have the shape (batch, samples) with at least {FRAME} samples, got {tuple(audio.shape)}."
        )
    filters, window = (table.to(audio.device) for table in _tables(num_mel_bins, sampling_rate))
    frames = audio.float().unfold(1, FRAME, HOP)  # [B, frames, 400], a view
    frames = frames - frames.mean(2, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
    spectrum = torch.fft.rfft((frames - _PREEMPHASIS * before) * window, n=FFT)
    return (spectrum.abs().square() @ filters).clamp_min(_FLOOR).log()


@cache
def _tables(num_mel_bins: int, sampling_rate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Triangular filters (257, bands), and the window (400,)."""
    filters = mel_filter_bank(
        num_frequency_bins=FFT // 2 + 1,
        num_mel_filters=num_mel_bins,
        min_frequency=20,
        max_frequency=sampling_rate // 2,
        sampling_rate=sampling_rate,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    return torch.from_numpy(filters).float(), torch.hann_window(FRAME, periodic=False)
