"""FixMatch (arXiv:2001.07685): pseudo-labels from weak views, learnt on strong ones, beside a few true labels."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers.utils.generic import can_return_tuple

from ...encoders.classifiers import native_classifier
from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode, require_views
from ...nn.network_copy import NetworkCopy, copy_buffers_, ema_
from ...nn.parameter_groups import OptimizerArguments, Treatment, grouped
from ...nn.pseudo_labels import pseudo_label_loss
from ...pretraining_utils import Published
from .configuration_fixmatch import FixMatchConfig


class FixMatchForPreTraining(SSLPreTrainedModel):
    """
    `backbone` and `classifier` are the moving average of the weights, which the paper evaluates and which is
    published; `student` holds the weights that are trained, and makes the pseudo-labels.
    """

    config: FixMatchConfig
    data_columns = ("labels",)
    frozen_modules = ("backbone", "classifier")
    local_batch_norm = ("backbone", "student")  # as in the official code

    def __init__(self, config: FixMatchConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        self.unlabelled_per_label = config.unlabelled_per_label
        self.classifier = nn.Linear(self.embed_dim, config.num_labels)
        self.student = NetworkCopy(backbone=self.backbone, classifier=self.classifier)
        self.post_init()

    @can_return_tuple
    def forward(
        self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None, return_loss: bool = True, **kwargs
    ) -> SSLOutput:
        """
        In training, the first image of every `1 + unlabelled_per_label` is the labelled one, and `labels` of the
        others are not looked at. All views pass the student, and its BatchNorms, together. In evaluation the averaged
        weights are asked, and every image counts in both parts of the loss; in the first if it has a label.

        Args:
            pixel_values (`torch.Tensor` of shape `(batch, 2, channels, height, width)`): weak and strong views.
            labels (`torch.LongTensor` of shape `(batch,)`): class indices below `config.num_labels`; -1 = unknown.

        Returns:
            [`SSLOutput`], with the sum of equations 3 and 4 and, in `logs`: the accuracy on the labelled images, the
            loss of the others, the share of them that counts (`pseudo_label_share`), and the mean probability of their
            likeliest class (`confidence`).

        Raises:
            ValueError: without labels, unless `return_loss` is `False`.
        """
        require_views(self, pixel_values, exactly=2)
        if labels is None and return_loss:
            raise ValueError("FixMatch needs `labels`, of a few images: -1 stands for the others.")
        network: Any = self.student if self.training else self
        weak, strong = pixel_values.unbind(1)
        if not return_loss:
            return SSLOutput(embeddings=encode(network.backbone, weak, self.config.pooling).detach())
        place = torch.arange(len(weak), device=weak.device)
        unlabelled = place
        if self.training:
            group = 1 + self.unlabelled_per_label
            labels = labels.where(place % group == 0, -1)
            rest = place[: len(weak) - -(-len(weak) // group)]
            unlabelled = rest + rest // self.unlabelled_per_label + 1
        images = torch.cat([weak, strong.index_select(0, unlabelled)])
        embeddings = encode(network.backbone, images, self.config.pooling)
        logits = network.classifier(embeddings).float()
        weak_logits, strong_logits = logits[: len(weak)], logits[len(weak) :]
        known = labels >= 0
        count = known.sum().clamp(min=1)
        supervised = F.cross_entropy(weak_logits, labels, ignore_index=-1, reduction="sum") / count
        pseudo = pseudo_label_loss(weak_logits.index_select(0, unlabelled), strong_logits, self.config.threshold)
        logs = {
            "accuracy": ((weak_logits.argmax(-1) == labels) & known).sum() / count,
            "unlabelled_loss": pseudo.loss,
            "pseudo_label_share": pseudo.share,
            "confidence": pseudo.confidence,
        }
        loss = supervised + self.config.unlabelled_weight * pseudo.loss
        return SSLOutput(loss=loss, logs=logs, embeddings=embeddings[: len(weak)].detach())

    def published(self, processor: Any) -> dict[str, Published]:
        """The native model for classification, where transformers has one on this embedding; else the encoder."""
        head, names = self.classifier, self.config.id2label
        native = native_classifier(self.native_encoder(), head, names, processor.inference_size)
        return {"": Published(self.encoder() if native is None else native, processor)}

    def parameter_groups(self, args: OptimizerArguments) -> list[dict[str, Any]]:
        """A plain cosine, the default, means the paper's: cos(7 pi k / 16 K) (section 2.4). Others are followed."""
        plain = args.lr_scheduler_type == "cosine" and not args.lr_scheduler_kwargs
        everything = Treatment(schedule="shallow_cosine" if plain else None)
        return grouped(self.named_parameters(), args, lambda name: everything)

    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        for average, trained in ((self.backbone, self.student.backbone), (self.classifier, self.student.classifier)):
            ema_(average, trained, self.config.ema_momentum)
            copy_buffers_(average, trained)
