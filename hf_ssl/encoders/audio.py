"""The Audio Spectrogram Transformer (arXiv:2104.01778): a ViT over patches of a spectrogram."""

import torch
from torch import nn

from ..augment.log_mel import fit_samples, samples_of
from .plain_transformer import PlainTransformerEncoder


class ASTEncoder(PlainTransformerEncoder):
    """
    An encoder of `input_values` (batch, time, mel), of one length. Two tokens stand for no patch; the patches come
    frequency by frequency, each in the order of time.
    """

    model_types = ("audio-spectrogram-transformer",)
    modality = "audio"
    num_prefix = 2
    fixed_size = True
    branch_ends = ("attention.o_proj", "mlp.fc2")
    position_name = "embeddings.position_embeddings"
    pooled = "the mean of the CLS and the distillation token after the final norm"
    hidden = (
        "all tokens after the final norm, shape (batch, tokens, dim): CLS and the distillation token first, patches "
        "last, frequency by frequency and each in the order of time"
    )
    code = "outputs.pooler_output"

    @property
    def num_channels(self) -> int:
        return 1

    @property
    def image_size(self) -> tuple[int, int]:
        """Frames and mel bands of the spectrogram."""
        return self.config.max_length, self.config.num_mel_bins

    @property
    def num_samples(self) -> int:
        """Samples of a sound that fills the spectrogram."""
        return samples_of(self.config.max_length)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Patches along frequency and along time, for spectrograms of `size` (frames, bands)."""
        (frames, bands), patch = size, self.patch_size
        return (bands - patch) // self.config.frequency_stride + 1, (frames - patch) // self.config.time_stride + 1

    def embeddings(self, network: nn.Module, inputs: torch.Tensor, mask: torch.BoolTensor | None) -> torch.Tensor:
        return network.embeddings(inputs)

    def require_inputs(self, inputs: torch.Tensor) -> None:
        if inputs.ndim != 3 or tuple(inputs.shape[1:]) != self.image_size:
            raise ValueError(
                f"The encoder takes input_values of shape (batch, {self.image_size[0]}, {self.image_size[1]}), frames "
                f"and mel bands, got {tuple(inputs.shape)}: set max_length and num_mel_bins of the feature extractor."
            )

    def fit(self, sample: torch.Tensor) -> torch.Tensor:
        """A sound (samples,) cut to what fills the spectrogram, or with silence after it."""
        return fit_samples(sample, self.num_samples)

    def example(self, size: int, batch: int = 2) -> torch.Tensor:
        """The only size that there is, whatever is asked for."""
        generator = torch.Generator().manual_seed(size)
        return torch.randn(batch, *self.image_size, generator=generator)

    def sizes_near(self, size: int) -> list[int]:
        return []
