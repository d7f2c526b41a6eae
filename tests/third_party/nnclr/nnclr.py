"""NNCLR (arXiv:2104.14548), a method for hf_ssl in one file."""

import torch
import torch.nn.functional as F
from huggingface_hub.dataclasses import strict
from transformers.utils.generic import can_return_tuple

from hf_ssl import MethodInfo, register_method
from hf_ssl.configuration_utils import SSLConfig
from hf_ssl.image_processing_utils import TwoViewImageProcessor
from hf_ssl.modeling_utils import SSLOutput, SSLPreTrainedModel, encode, require_views
from hf_ssl.nn.distributed import gather, rank
from hf_ssl.nn.heads import MLPHead
from hf_ssl.nn.queue import Queue
from hf_ssl.recipe_utils import Recipe, at_most, small, tiny
from hf_ssl.recipe_values import SMALL_TRAINING, SMALL_VIEWS


@strict
class NNCLRConfig(SSLConfig):
    r"""
    NNCLR: the nearest neighbour of one view, among embeddings of other images, finds the other view.

    Defaults are the paper's for ImageNet (section 4.1); further fields are those of [`SSLConfig`].

    Args:
        projection_sizes (`list[int]`, *optional*, defaults to `[2048, 2048, 256]`):
            Widths of the projector after the embedding.
        prediction_sizes (`list[int]`, *optional*, defaults to `[4096, 256]`):
            Widths of the predictor after the projector; the last one is the projector's.
        queue_length (`int`, *optional*, defaults to 98304):
            Embeddings in the support set.
        temperature (`float`, *optional*, defaults to 0.1): of the softmax.
    """

    model_type = "ssl_nnclr"

    projection_sizes: list[int] | tuple[int, ...] = (2048, 2048, 256)
    prediction_sizes: list[int] | tuple[int, ...] = (4096, 256)
    queue_length: int = 98304
    temperature: float | int = 0.1

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("queue_length", "temperature")
        if self.prediction_sizes[-1] != self.projection_sizes[-1]:
            raise ValueError("NNCLRConfig.prediction_sizes must end with the width that projection_sizes end with.")


class NNCLRImageProcessor(TwoViewImageProcessor):
    """Two views under SimCLR's policy; see [`TwoViewImageProcessor`]."""

    view_size: int | None = None  # that of inference: 224
    views_per_image: int = 2
    crop_scale: list = [0.08, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]
    flip_probability: float = 0.5
    color_jitter: list = [0.8, 0.8, 0.8, 0.2]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = 0.5
    blur_sigma: list = [0.1, 2.0]


class NNCLRForPreTraining(SSLPreTrainedModel):
    config: NNCLRConfig
    min_batch_size = 2
    ddp_skip_broadcast = ("queue",)

    def __init__(self, config: NNCLRConfig):
        super().__init__(config)
        width = config.projection_sizes[-1]
        sizes = [self.embed_dim, *config.projection_sizes]
        self.projector = MLPHead(sizes, last_batch_norm="affine")
        self.predictor = MLPHead([width, *config.prediction_sizes])
        self.queue = Queue(config.queue_length, width)
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: torch.Tensor, return_loss: bool = True, **kwargs) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, 2, channels, height, width)`): two views.

        Returns:
            [`SSLOutput`], with equation 3 over both orders of the views, and the batch of all processes together. In
            training, the embeddings of the first view enter the queue after the loss.
        """
        require_views(self, pixel_values, exactly=2)
        embeddings = [encode(self.backbone, view, self.config.pooling) for view in pixel_values.unbind(1)]
        projections = [self.projector(embedding) for embedding in embeddings]
        predictions = [F.normalize(self.predictor(projection).float(), dim=-1) for projection in projections]
        first, second = (F.normalize(projection.detach().float(), dim=-1) for projection in projections)
        loss = self._loss(first, predictions[1]) / 2 + self._loss(second, predictions[0]) / 2
        if self.training:
            self.queue.put_(gather(first))
        return SSLOutput(loss=loss if return_loss else None, embeddings=embeddings[0].detach())

    def _loss(self, projections: torch.Tensor, predictions: torch.Tensor) -> torch.Tensor:
        """Which prediction belongs to each nearest neighbour; both (batch, width), of unit norm."""
        with torch.autocast(predictions.device.type, enabled=False):
            support = self.queue.rows.float()
            neighbors = support[(projections @ support.T).argmax(1)]
            logits = neighbors @ gather(predictions).T / self.config.temperature
            own = torch.arange(len(logits), device=logits.device) + rank() * len(logits)
            return F.cross_entropy(logits, own)


RECIPES = {
    "paper": Recipe(
        description="ImageNet, ResNet-50, batch 4096, 1000 epochs (arXiv:2104.14548, section 4.1)",
        backbone="resnet-50",
        training={
            "lars": True,
            "base_learning_rate": 0.3,
            "weight_decay": 1e-6,
            "num_train_epochs": 1000,
            "warmup_epochs": 10,
            "per_device_train_batch_size": 256,
        },
    ),
    "small": small(
        config={"projection_sizes": [512, 128], "prediction_sizes": [512, 128], "queue_length": at_most(4096)},
        processor=SMALL_VIEWS,
        training=SMALL_TRAINING,
    ),
    "tiny": tiny(config={"projection_sizes": [32, 16], "prediction_sizes": [32, 16], "queue_length": 16}),
}

register_method(
    name="nnclr",
    info=MethodInfo(
        title="NNCLR",
        paper="2104.14548",
        year=2021,
        family="joint embedding",
        idea="the nearest neighbour of a view stands in for it, so that other images count as positives, too",
    ),
    config=NNCLRConfig,
    pretraining=NNCLRForPreTraining,
    processor=NNCLRImageProcessor,
    recipes=RECIPES,
)
