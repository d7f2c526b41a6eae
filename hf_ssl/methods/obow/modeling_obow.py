"""OBoW (arXiv:2012.11552): predict the bag of visual words that a teacher sees, over a vocabulary that it renews."""

import math
from dataclasses import dataclass

import torch
from torch import nn
from transformers.utils.generic import can_return_tuple

from ...encoders import encoder_for
from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode_crops
from ...nn.losses import soft_cross_entropy
from ...nn.network_copy import NetworkCopy, ema_
from ...nn.schedules import cosine
from ...nn.visual_words import Vocabulary, WeightGenerator
from .configuration_obow import OBoWConfig


@dataclass
class OBoWOutput(SSLOutput):
    """
    [`SSLOutput`]; `logs` holds, for each level i, the perplexity of the bags (`image_perplexity_i`, their mean) and of
    the mean bag (`batch_perplexity_i`), the mean entropy of the bags over all levels, and the loss that a uniform
    output gives, both in nats.
    """


class OBoWForPreTraining(SSLPreTrainedModel):
    config: OBoWConfig
    frozen_modules = ("teacher",)
    ddp_skip_broadcast = ("vocabularies",)
    local_batch_norm = ("generators",)  # which see the same words in every process
    _keep_in_fp32_modules_strict = {"vocabularies.*.rows", "vocabularies.*.min_distance"}

    def __init__(self, config: OBoWConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        self.teacher = NetworkCopy(backbone=self.backbone)
        encoder = encoder_for(config.backbone_config)
        encoder.prepare_levels(self.teacher.backbone)
        self.levels, widths = encoder.feature_levels(config.levels)
        width = self.embed_dim
        hidden = config.generator_hidden_size or 2 * width
        self.generators = nn.ModuleList([WeightGenerator(w, hidden, width) for w in widths])
        fields = (config.inverse_temperature, config.distance_momentum, config.border)
        self.vocabularies = nn.ModuleList([Vocabulary(config.vocabulary_size, w, *fields) for w in widths])
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        student_pixel_values: torch.Tensor | None = None,
        local_pixel_values: torch.Tensor | None = None,
        return_loss: bool = True,
        **kwargs,
    ) -> OBoWOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, 1, channels, height, width)`): for the teacher.
            student_pixel_values (`torch.Tensor` of shape `(batch, crops, channels, h, w)`, *optional*): crops.
            local_pixel_values (`torch.Tensor` of shape `(batch, patches, channels, h, w)`, *optional*): patches.

        Returns:
            [`OBoWOutput`]. The loss is the cross-entropy, averaged over levels and over the views of a
            kind, and added up over crops and patches; the official code reports it minus the entropy of the bags. In
            training, the images of all processes enter the vocabularies after the targets are made.

        Raises:
            ValueError: when there is not one view for the teacher, or none for the student.
        """
        crops = [x for x in (student_pixel_values, local_pixel_values) if x is not None]
        if pixel_values.ndim != 5 or pixel_values.shape[1] != 1 or not crops:
            raise ValueError(
                "OBoW needs one view for the teacher, pixel_values of shape (batch, 1, channels, height, width), and "
                "student_pixel_values or local_pixel_values of shape (batch, crops, channels, height, width) for the "
                f"student, got {tuple(pixel_values.shape)} and {[tuple(x.shape) for x in crops]}."
            )
        # The words that the targets are made of: before new ones come in.
        weights = [generator(words.rows) for generator, words in zip(self.generators, self.vocabularies, strict=True)]
        with torch.no_grad():  # before the student, while no activations are kept
            bags = self._bags(pixel_values[:, 0])
            logs = _statistics(bags)
            uniform = len(crops) * math.log(self.config.vocabulary_size)
            logs["uniform_loss"] = torch.tensor(uniform, device=pixel_values.device)
        embeddings = [encode_crops(self.backbone, [x], self.config.pooling) for x in crops]
        loss = None
        if return_loss:
            terms = [self._loss(views, bag, w) for views in embeddings for bag, w in zip(bags, weights, strict=True)]
            loss = torch.stack(terms).sum() / len(bags)
        return OBoWOutput(loss=loss, logs=logs, embeddings=embeddings[0][:, 0].detach())

    def _bags(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Bags of words of the teacher, (batch, words) for each level."""
        teacher = self.teacher.backbone
        maps = encoder_for(teacher.config).tokens(teacher, images, levels=self.levels).levels
        return [vocabulary(x) for vocabulary, x in zip(self.vocabularies, maps, strict=True)]

    def _loss(self, embeddings: torch.Tensor, bags: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Of the views (batch, views, dim) of one kind and the bags (batch, words) of one level."""
        with torch.autocast(embeddings.device.type, enabled=False):
            logits = self.config.kappa * embeddings.float() @ weights.T  # [B, V, words]
        return soft_cross_entropy(bags[:, None], logits)

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        momentum = cosine(step, total_steps, self.config.teacher_momentum, 1.0)
        ema_(self.teacher.backbone, self.backbone, momentum)


def _statistics(bags: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    logs, entropies = {}, []
    for i, bag in enumerate(bags):
        entropy = torch.special.entr(bag).sum(-1)
        logs[f"image_perplexity_{i}"] = entropy.exp().mean()
        logs[f"batch_perplexity_{i}"] = torch.special.entr(bag.mean(0)).sum().exp()
        entropies.append(entropy.mean())
    return logs | {"target_entropy": torch.stack(entropies).mean()}
