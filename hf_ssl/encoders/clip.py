"""The image side of CLIP (arXiv:2103.00020) and SigLIP (arXiv:2303.15343), alone or inside of the pair."""

from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from .base import Encoder
from .images import ImageEncoder
from .inside import HasInside
from .plain_transformer import PlainTransformerEncoder


class ClipVisionEncoder(PlainTransformerEncoder):
    """The embedding is CLS after the final norm, which the native model applies to nothing else."""

    model_types = ("clip_vision_model",)
    takes_interpolation = True
    has_size_of_positions = True
    position_name = "embeddings.position_embedding.weight"
    layers_name = "encoder.layers"
    norm_name = "post_layernorm"
    patches_name = "embeddings.patch_embedding"
    lora_targets = ("q_proj", "k_proj", "v_proj", "out_proj")
    branch_ends = ("self_attn.out_proj", "mlp.fc2")
    pooled = "the CLS token after the final norm"
    hidden = "all tokens before the final norm, shape (batch, tokens, dim): CLS first, patches last, row by row"

    def embeddings(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None
    ) -> torch.Tensor:
        return network.pre_layrnorm(network.embeddings(inputs, **self.arguments(inputs)))


class SiglipVisionEncoder(ClipVisionEncoder):
    """The embedding is what a learnt query attends to (`head`), which is trained and published with the rest."""

    model_types = ("siglip_vision_model",)
    num_prefix = 0
    hidden = "all patches after the final norm, shape (batch, patches, dim), row by row"

    @property
    def pooled(self) -> str:
        head = "the output of the attention pooling head over all patches"
        return head if self.config.vision_use_head else "the mean of all patches after the final norm"

    @property
    def code(self) -> str:
        return "outputs.pooler_output" if self.config.vision_use_head else "outputs.last_hidden_state.mean(1)"

    def embeddings(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None
    ) -> torch.Tensor:
        return network.embeddings(inputs, **self.arguments(inputs))


class ImageTextEncoder(HasInside, ImageEncoder):
    """
    A model of images and texts: its image side gives embeddings, behind a projection. It is no encoder to train.

    Args:
        config (`PreTrainedConfig`): with a `vision_config`.
        vision (`Encoder`): the adapter of that.
    """

    def __init__(self, config: PreTrainedConfig, vision: Encoder):
        super().__init__(config)
        self.inside = vision
        self.takes_interpolation = vision.takes_interpolation

    @property
    def width(self) -> int:
        return self.config.to_dict().get("projection_dim") or self.inside.width

    @property
    def patch_size(self) -> int:
        return self.inside.patch_size

    def require_trainable(self, name: str) -> None:
        raise ValueError(
            f"{name} is a {self.kind} model of images and texts: save its image side, "
            "AutoModel.from_pretrained(...).vision_model.save_pretrained(FOLDER), and give that folder."
        )

    def build(self, *, mask_token: bool = False, drop_path: float = 0.0) -> PreTrainedModel:
        self.require_trainable("The backbone")
        return super().build(mask_token=mask_token, drop_path=drop_path)

    def embed(
        self, network: PreTrainedModel, inputs: torch.Tensor, pooling: str | None = None, **kwargs: Any
    ) -> BaseModelOutputWithPooling:
        self.require_inputs(inputs)
        outputs = network.get_image_features(inputs, **self.arguments(inputs), **kwargs)
        if isinstance(outputs, torch.Tensor):
            return BaseModelOutputWithPooling(pooler_output=outputs)
        outputs["pooler_output"] = self.pool(outputs)
        return outputs
