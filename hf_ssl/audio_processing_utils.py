"""Base of the processors of sounds: the plain call preprocesses for inference, `views` makes training views."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import ASTFeatureExtractor

from .augment.log_mel import fit_samples, log_mel, samples_of
from .augment.resize import uniform
from .checks.bounded_json import read_json
from .checks.processors import require_processor, require_processor_files
from .checks.repository_files import pinned
from .processing_utils import SSLProcessorMixin

_NATIVE = ("feature_size", "sampling_rate", "num_mel_bins", "max_length", "padding_value", "mean", "std")
_ESTIMATED_ON = 500  # sounds
_SAVED_KEYS = {"feature_extractor_type", "processor_class", "padding_side", "auto_map"}


class SSLFeatureExtractor(SSLProcessorMixin, ASTFeatureExtractor):
    r"""
    Called with sounds it does ordinary, deterministic preprocessing, exactly as a native `ASTFeatureExtractor` with
    the same attributes. That one fills spectrograms that are too short with zeros before it normalises, which is
    neither silence nor the mean: pad a sound with zeros to `num_samples` first, as all of hf_ssl does.
    `views(audio=sounds, generator=generator)` draws training views.

    Args:
        sampling_rate (`int`, *optional*, defaults to 16000): in Hz.
        num_mel_bins (`int`, *optional*, defaults to 128)
        max_length (`int`, *optional*, defaults to 1024): frames of 10 ms.
        mean, std (`float`, *optional*): of the log energies; by default those of AudioSet. `None` lets `estimate`
            find them on the training data. The result is (energy - mean) / (2 * std).
        gain_concentration (`int`): sounds are multiplied by a factor in 0.5..1.5, which is 0.5 plus a draw from
            Beta(gain_concentration, gain_concentration); 0 leaves them as they are.
        roll_share (`float`): sounds are shifted in a circle by up to this share of their length.

    Raises:
        ValueError: for a keyword that is no attribute, with the nearest name, and for a value out of bounds.
    """

    sample_keys = ("audio",)
    native_attributes = (*_NATIVE, "do_normalize")
    gain_concentration: int
    roll_share: float

    def __init__(self, **kwargs):
        listed = self.view_attributes().keys()
        switches = {"do_normalize", "return_attention_mask"}
        self.require_known(kwargs.keys() - _SAVED_KEYS, listed | {*_NATIVE} | switches)
        require_processor(kwargs, type(self).__name__)
        super().__init__(**{name: value for name, value in kwargs.items() if name not in listed})
        self.take_view_attributes(kwargs)

    @classmethod
    def get_feature_extractor_dict(cls, pretrained_model_name_or_path, **kwargs):
        repository = pretrained_model_name_or_path
        if Path(repository).is_file():
            require_processor(read_json(repository), repository)
        else:
            require_processor_files(repository, pinned(repository, kwargs))
        return super().get_feature_extractor_dict(repository, **kwargs)

    @property
    def num_samples(self) -> int:
        """Samples of a sound that fills the spectrogram."""
        return samples_of(self.max_length)

    def estimate(self, sounds: Iterable[torch.Tensor]) -> None:
        """Set `mean` and `std`, where they are None, from sounds `(samples,)`, padded or cut as for inference."""
        if self.mean is not None and self.std is not None:
            return
        features = [self._features([sound]) for sound in sounds]
        std, mean = torch.std_mean(torch.cat(features))
        self.mean = mean.item() if self.mean is None else self.mean
        self.std = max(std.item(), 1e-3) if self.std is None else self.std

    def draw_views(self, samples: Mapping[str, Any], generator: torch.Generator) -> dict[str, torch.Tensor]:
        """
        A random piece of each sound that is long enough, less its mean, shifted, amplified, and padded with silence
        where it is too short.

        Args:
            samples (`dict`): under `"audio"` a `torch.Tensor` of shape `(batch, samples)`, or a list of `(samples,)`
                of any lengths, on any device.
            generator (`torch.Generator`): the only source of randomness; on the CPU.

        Returns:
            `dict`: `input_values`, float32 of shape `(batch, max_length, num_mel_bins)`.

        Raises:
            ValueError: where mean and std are still to be estimated.
        """
        if self.do_normalize and (self.mean is None or self.std is None):
            raise ValueError(f"{type(self).__name__} needs mean and std: give them, or call estimate(sounds).")
        sounds, concentration = samples["audio"], self.gain_concentration
        draws = uniform((len(sounds), 2 + max(2 * concentration - 1, 0)), generator)
        # Of 2a - 1 uniform draws, the one in the middle is distributed as Beta(a, a).
        gain = 0.5 + draws[:, 2:].median(1).values if concentration else torch.ones(len(sounds))
        views = []
        for sound, (where, shift), factor in zip(sounds, draws[:, :2].tolist(), gain.tolist(), strict=True):
            start = int(where * (max(len(sound) - self.num_samples, 0) + 1))
            piece = sound[start : start + self.num_samples].float()
            piece = (piece - piece.mean()) * factor
            views.append(piece.roll(round((2 * shift - 1) * self.roll_share * len(piece))))
        return {"input_values": self._normalised(self._features(views))}

    @classmethod
    def attributes_for(cls, encoder: Any, size: int) -> dict[str, Any]:
        max_length, num_mel_bins = encoder.image_size
        return super().attributes_for(encoder, size) | {"max_length": max_length, "num_mel_bins": num_mel_bins}

    def settle(self, dataset: Any) -> None:
        """Estimate `mean` and `std`, where they are None, on up to 500 evenly spread sounds of the training data."""
        step = -(-len(dataset) // _ESTIMATED_ON)
        self.estimate(dataset[i]["audio"] for i in range(0, len(dataset), step))

    def take_over(self, saved: "SSLFeatureExtractor") -> None:
        self.mean, self.std = saved.mean, saved.std

    def example(self, size: int = 0, batch: int = 2, seed: int = 0) -> dict[str, Any]:
        """Random samples by key, as `views` takes them: sounds that fill the spectrogram; `size` means nothing."""
        generator = torch.Generator().manual_seed(seed)
        return {"audio": 0.1 * torch.randn(batch, self.num_samples, generator=generator)}

    def _features(self, sounds: list[torch.Tensor]) -> torch.Tensor:
        """Log energies (batch, max_length, num_mel_bins) of sounds (samples,), which are cut or padded."""
        batch = torch.stack([fit_samples(sound, self.num_samples) for sound in sounds])
        return log_mel(batch, self.num_mel_bins, self.sampling_rate)

    def _normalised(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self.mean) / (2 * self.std) if self.do_normalize else features
