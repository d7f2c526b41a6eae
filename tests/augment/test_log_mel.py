"""The log-mel filter bank is the one of `ASTFeatureExtractor`, and what is drawn of sounds is what it says."""

import pytest
import torch
from transformers import ASTFeatureExtractor

from hf_ssl.augment.log_mel import FRAME, HOP, fit_samples, log_mel, samples_of


def sounds(samples: int) -> torch.Tensor:
    """Noise, a sine, and a second half of silence."""
    noise = 0.3 * torch.randn(samples, generator=torch.Generator().manual_seed(0))
    sine = 0.5 * torch.sin(torch.arange(samples) * 2 * torch.pi * 440 / 16000)
    broken = noise.clone()
    broken[samples // 2 :] = 0
    return torch.stack([noise, sine, broken])


@pytest.mark.parametrize(("num_frames", "bands"), [(50, 64), (97, 128)])
@pytest.mark.filterwarnings("ignore:At least one mel filter")
def test_equal_to_the_native_feature_extractor(num_frames, bands):
    audio = sounds(samples_of(num_frames))
    native = ASTFeatureExtractor(num_mel_bins=bands, max_length=num_frames, do_normalize=False)
    expected = native(list(audio.numpy()), sampling_rate=16000, return_tensors="pt").input_values
    torch.testing.assert_close(log_mel(audio, bands), expected, atol=2e-3, rtol=1e-4)


def test_frames_and_samples_fit_each_other():
    assert log_mel(sounds(samples_of(7)), 32).shape == (3, 7, 32)
    assert log_mel(sounds(samples_of(7) + HOP - 1), 32).shape == (3, 7, 32)
    sound = torch.arange(5.0)
    assert fit_samples(sound, 3).tolist() == [0, 1, 2] and fit_samples(sound, 7).tolist() == [0, 1, 2, 3, 4, 0, 0]
    with pytest.raises(ValueError, match=f"at least {FRAME} samples"):
        log_mel(torch.zeros(1, FRAME - 1))
