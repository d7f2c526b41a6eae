"""CLIP (arXiv:2103.00020): which caption belongs to which image?"""

import math

import torch
from torch import nn
from transformers import CLIPTextModel
from transformers import initialization as init
from transformers.utils.generic import can_return_tuple

from ...image_text_processing_utils import ImageTextProcessor
from ...modeling_utils import SSLOutput, SSLPreTrainedModel, encode
from ...nn.chunks import encode_in_chunks
from ...nn.losses import paired_info_nce
from ...pretraining_utils import Published
from .configuration_clip import SSLCLIPConfig
from .export_clip import published_clip
from .initialization_clip import start_image_encoder, start_text_encoder


class SSLCLIPForPreTraining(SSLPreTrainedModel):
    """`backbone` encodes the images and `text` the captions, each with a linear projection into a common space."""

    config: SSLCLIPConfig
    towers = {"backbone": "backbone_config", "text": "text_config"}
    published_folders, embedding_folder = ("vision", "text"), "vision"
    input_modalities = ("image", "text")
    min_batch_size = 2  # the loss compares images and captions of a batch with each other

    def __init__(self, config: SSLCLIPConfig):
        super().__init__(config)  # self.backbone, self.embed_dim
        self.text = CLIPTextModel(config.text_config)
        self.visual_projection = nn.Linear(self.embed_dim, config.projection_dim, bias=False)
        self.text_projection = nn.Linear(config.text_config.hidden_size, config.projection_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(float(config.logit_scale_init_value)))
        self.post_init()

    def initialize_weights(self):
        super().initialize_weights()
        start_image_encoder(self.backbone)
        start_text_encoder(self.text)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        if module is self:
            for projection in (self.visual_projection, self.text_projection):
                init.normal_(projection.weight, std=projection.in_features**-0.5)
            init.constant_(self.logit_scale, self.config.logit_scale_init_value)

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor,
        input_ids: torch.Tensor,
        return_loss: bool = True,
        **kwargs,
    ) -> SSLOutput:
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, channels, height, width)`): one view.
            input_ids (`torch.LongTensor` of shape `(batch, tokens)`): caption i is that of image i. A caption is read
                up to its first end; whatever fills it up behind that is not seen, for no token looks ahead.
        """
        embeddings = encode(self.backbone, pixel_values)
        images = self.visual_projection(embeddings)
        captions = self.text_projection(self.encode_text(input_ids))
        loss = paired_info_nce(images, captions, self.logit_scale) if return_loss else None
        return SSLOutput(loss=loss, logs={"logit_scale": self.logit_scale.exp()}, embeddings=embeddings.detach())

    def encode_text(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Embeddings of captions (batch, tokens), of shape `(batch, width of the text encoder)`."""
        size = vars(self.text).get("encode_chunk_size")
        return encode_in_chunks(self.text, lambda ids: self.text(ids).pooler_output, input_ids, size)

    def published(self, processor: ImageTextProcessor) -> dict[str, Published]:
        """The pair at the root, each encoder in a folder of its own; see `published_clip`."""
        return published_clip(self, processor)

    @torch.no_grad()
    def after_optimizer_step(self, step: int, total_steps: int) -> None:
        """Cosines are never multiplied by more than 100 (section 2.5), nor by less than 1, as in open_clip."""
        self.logit_scale.clamp_(0.0, math.log(self.config.max_logit_scale))
