"""BEiT (arXiv:2106.08254): predict the visual words of masked patches."""

import math
from dataclasses import dataclass

import torch
from torch import nn
from transformers.utils.generic import can_return_tuple

from ...augment.masks import masked_indices
from ...encoders import encoder_for
from ...modeling_utils import SSLOutput, SSLPreTrainedModel, require_mask
from ...nn.losses import weighted_cross_entropy
from ...nn.tokenizers import KMeansTokenizer
from ...training_hooks import TrainingData
from .configuration_beit import BEiTConfig


@dataclass
class BEiTOutput(SSLOutput):
    """
    [`SSLOutput`]; `logs` holds the share of masked patches whose word was the likeliest, the entropy of the words of
    the batch, which is the least loss of a prediction that is the same everywhere, and the loss of a uniform one, in
    nats.
    """


class BEiTForPreTraining(SSLPreTrainedModel):
    """The words are found in `prepare`, and are saved with the model."""

    config: BEiTConfig
    uses_mask_token = True
    supports_cached_chunks = False
    ddp_skip_broadcast = ("tokenizer",)
    _keep_in_fp32_modules_strict = {"tokenizer.words"}

    def __init__(self, config: BEiTConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        encoder = encoder_for(config.backbone_config)
        if config.drop_path_rate > 0:
            encoder.add_drop_path(self.backbone, config.drop_path_rate)
        self.tokenizer = KMeansTokenizer(
            config.vocab_size, encoder.patch_size, encoder.num_channels, config.tokenizer_normalizes
        )
        self.head = nn.Linear(self.embed_dim, config.vocab_size)
        self.post_init()

    def prepare(self, data: TrainingData) -> None:
        """Find the words, unless they came with the weights: the head knows those."""
        if not self.tokenizer.fitted:
            c = self.config
            images = (batch["pixel_values"] for batch in data.batches())
            self.tokenizer.fit_(images, c.tokenizer_patches, c.tokenizer_patches_per_image, c.tokenizer_iterations)

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        bool_masked_pos: torch.Tensor,
        return_loss: bool = True,
        masked_patches: torch.Tensor | None = None,
        **kwargs,
    ) -> BEiTOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, channels, height, width)`): one view, for the encoder and
                for the tokenizer.
            bool_masked_pos (`torch.BoolTensor` of shape `(batch, patches)`): True = the encoder sees the mask token.
            masked_patches (`torch.LongTensor` of shape `(batch, masked)`, *optional*): indices of the masked patches;
                a row with fewer may be filled up with others. By default they are found, which makes an accelerator
                wait.

        Returns:
            [`BEiTOutput`], with the cross-entropy averaged over all masked patches of the batch (equation 3).

        Raises:
            ValueError: when the mask has another number of patches than the images.
        """
        require_mask(self, pixel_values, bool_masked_pos)
        if masked_patches is None:
            masked_patches = masked_indices(bool_masked_pos, int(bool_masked_pos.sum(1).max()))
        encoder = encoder_for(self.config.backbone_config)
        patches = encoder.tokens(self.backbone, pixel_values, mask=bool_masked_pos).patches
        words = self.tokenizer.tokenize(pixel_values).gather(1, masked_patches)
        hidden = patches.gather(1, masked_patches[..., None].expand(-1, -1, patches.shape[-1]))
        logits = self.head(hidden).float()  # [B, masked, V]
        counts = bool_masked_pos.gather(1, masked_patches)
        loss = weighted_cross_entropy(logits, words, counts) if return_loss else None
        logs = {
            "word_accuracy": ((logits.argmax(-1) == words) * counts).sum() / counts.sum(),
            "word_entropy": _entropy(words, counts, self.config.vocab_size),
            "uniform_loss": torch.tensor(math.log(self.config.vocab_size), device=logits.device),
        }
        return BEiTOutput(loss=loss, logs=logs, embeddings=patches.detach().mean(1))


def _entropy(words: torch.Tensor, counts: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """Of the words (B, masked), where they count; in nats."""
    histogram = torch.zeros(vocab_size, device=words.device).index_add_(0, words.flatten(), counts.flatten().float())
    return torch.special.entr(histogram / histogram.sum()).sum()
