"""Supervised training (ResNet, arXiv:1512.03385): what self-supervision is measured against."""

import torch
import torch.nn.functional as F
from torch import nn
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode
from .configuration_supervised import SupervisedConfig


class SupervisedForPreTraining(SSLPreTrainedModel):
    config: SupervisedConfig
    data_columns = ("labels",)
    local_batch_norm = ("backbone",)  # as in torchvision's own training

    def __init__(self, config: SupervisedConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        self.classifier = nn.Linear(self.embed_dim, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None, return_loss: bool = True, **kwargs
    ) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, views, channels, height, width)`)
            labels (`torch.LongTensor` of shape `(batch,)`): class indices below `config.num_labels`; -1 = unknown.

        Returns:
            [`SSLOutput`], with the cross-entropy of every view and, in `logs`, the accuracy.

        Raises:
            ValueError: without labels, unless `return_loss` is `False`.
        """
        if labels is None and return_loss:
            raise ValueError("Supervised training needs `labels`.")
        views = pixel_values.shape[1]
        embeddings = encode(self.backbone, pixel_values.flatten(0, 1), self.config.pooling)
        if not return_loss:
            return SSLOutput(embeddings=embeddings.detach()[::views])
        logits = self.classifier(embeddings).float()
        labels = labels.repeat_interleave(views)
        logs = {"accuracy": (logits.argmax(-1) == labels).float().mean()}
        smoothing = self.config.label_smoothing
        loss = F.cross_entropy(logits, labels, ignore_index=-1, label_smoothing=smoothing)
        return SSLOutput(loss=loss, logs=logs, embeddings=embeddings.detach()[::views])
