"""DeepCluster v2 (arXiv:2006.09882, appendix): predict the cluster of the features of the previous epoch."""

import math
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from transformers.utils.generic import can_return_tuple

from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode_crops, require_views
from ...nn.cluster_memory import ClusterMemory
from ...nn.distributed import gather
from ...nn.heads import MLPHead
from ...training_hooks import TrainingData
from .configuration_deepcluster_v2 import DeepClusterV2Config


class DeepClusterV2ForPreTraining(SSLPreTrainedModel):
    """
    The memory starts with a pass over the data, is overwritten image by image during an epoch, and is clustered when
    the next begins; an image that an epoch leaves out keeps its older features. The prototypes are the centroids,
    which receive no gradient. All of this is in the checkpoint, so that a run resumes inside an epoch.

    A new run empties the memory, whatever data a checkpoint was trained on.
    """

    config: DeepClusterV2Config
    data_columns = ("sample_index",)
    ddp_skip_broadcast = ("memory",)
    _keep_in_fp32_modules_strict = {"memory.embeddings", "memory.centroids"}

    def __init__(self, config: DeepClusterV2Config):
        super().__init__(config)  # self.backbone, self.embed_dim
        # A bias before the BatchNorm, as in the official projector.
        self.projector = MLPHead([self.embed_dim, *config.projection_sizes], hidden_bias=True)
        self.memory = ClusterMemory(
            config.memory_length, config.assigned_crops, config.projection_sizes[-1], config.num_prototypes
        )
        self.post_init()

    def size_for(self, num_samples: int) -> None:
        if num_samples < max(self.config.num_prototypes):
            raise ValueError(
                f"{num_samples} images cannot form {max(self.config.num_prototypes)} clusters: lower "
                f"DeepClusterV2Config.num_prototypes to at most {num_samples} for each head."
            )
        self.config.memory_length = num_samples
        self.memory.empty_(num_samples)

    def prepare(self, data: TrainingData) -> None:
        self._require_memory()
        self.memory.fill_(self._first_features(data.batches()))

    def on_epoch_begin(self, epoch: int) -> None:
        if self.memory.epoch != epoch:  # else resumed inside the epoch
            self.memory.cluster_(epoch, self.config.kmeans_iterations)

    def _first_features(self, batches: Iterable[dict[str, torch.Tensor]]) -> Iterator[tuple[torch.Tensor, ...]]:
        """
        Index and features of every image, by batch statistics as in training: so does the official code, but in a
        random order.
        """
        was_training = self.training
        self.train()
        for batch in batches:
            features = self._project([batch["pixel_values"]])[1]
            yield batch["sample_index"], features[:, : self.config.assigned_crops]
        self.train(was_training)

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        local_pixel_values: torch.Tensor | None = None,
        sample_index: torch.LongTensor | None = None,
        return_loss: bool = True,
        **kwargs,
    ) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, 2, channels, height, width)`): global crops.
            local_pixel_values (`torch.Tensor` of shape `(batch, crops, channels, h, w)`, *optional*): small crops.
            sample_index (`torch.LongTensor` of shape `(batch,)`): numbers of the images, needed in training.

        Returns:
            [`SSLOutput`]; `logs` holds the share of clusters that have members, and the loss of a uniform prediction,
            in nats. In training, the features of all processes enter the memory.

            In evaluation, whose images are not those of the memory, and before the first clustering, the cluster of an
            image is the one nearest to its features at hand.

        Raises:
            ValueError: in training without `sample_index`, or without `size_for` before.
        """
        c = self.config
        require_views(self, pixel_values, at_least=c.assigned_crops)
        crops = [pixel_values] if local_pixel_values is None else [pixel_values, local_pixel_values]
        embeddings, features = self._project(crops)  # [B, V, D]
        with torch.autocast(features.device.type, enabled=False):
            logits = F.linear(features, self.memory.centroids) / c.temperature
        logits = logits.split(list(c.num_prototypes), dim=-1)  # of [B, V, K]
        targets = torch.stack([x[:, head % c.assigned_crops].argmax(-1) for head, x in enumerate(logits)])
        if self.training:
            self._require_memory()
            if sample_index is None:
                raise ValueError("DeepClusterV2 follows every image by its number: pass sample_index in training.")
            targets = torch.where(self.memory.epoch < 0, targets, self.memory.clusters[:, sample_index])
            self.memory.put_(gather(sample_index), gather(features[:, : c.assigned_crops].detach()))
        losses = [cluster_cross_entropy(x, target) for x, target in zip(logits, targets, strict=True)]
        uniform = sum(math.log(k) for k in c.num_prototypes) / len(c.num_prototypes)
        logs = {
            "prototypes_used": self.memory.share_used.clone(),
            "uniform_loss": torch.tensor(uniform, device=features.device),
        }
        loss = torch.stack(losses).mean() if return_loss else None
        return SSLOutput(loss=loss, logs=logs, embeddings=embeddings[:, 0].detach())

    def _project(self, crops: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings (B, V, D), and features of unit norm, of crops, each (B, V_i, C, H_i, W_i)."""
        embeddings = encode_crops(self.backbone, crops, self.config.pooling)
        projections = self.projector(embeddings.flatten(0, 1)).float()
        return embeddings, F.normalize(projections, dim=-1).unflatten(0, embeddings.shape[:2])

    def _require_memory(self) -> None:
        if not self.config.memory_length:
            raise ValueError(
                "DeepClusterV2 keeps features of every training image, so it must know how many there are: train on "
                "data with a length (no stream), or call size_for(number of images) first."
            )


def cluster_cross_entropy(logits: torch.Tensor, clusters: torch.LongTensor) -> torch.Tensor:
    """Cross-entropy of all views, logits (B, V, K), to the cluster (B,) of their image; -100 does not count."""
    targets = clusters.repeat_interleave(logits.shape[1])
    total = F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=-100, reduction="sum")
    return total / (targets >= 0).sum().clamp_min(1)
