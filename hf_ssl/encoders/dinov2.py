"""DINOv2 (arXiv:2304.07193), with registers (arXiv:2309.16588), and DINOv3 (arXiv:2508.10104) as a ViT."""

from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from .plain_transformer import TOKENS, PlainTransformerEncoder


class Dinov2Encoder(PlainTransformerEncoder):
    """The embedding is CLS after the final norm. Positions are interpolated natively, for images of any size."""

    model_types = ("dinov2",)
    can_mask = True
    layers_name = "encoder.layer"
    pooled = "the CLS token after the final norm"
    hidden = TOKENS.format(prefix="CLS first")
    position_name = "embeddings.position_embeddings"

    def with_mask_token(self) -> tuple[PreTrainedConfig, dict[str, Any]]:
        return type(self.config).from_dict(self.config.to_dict() | {"use_mask_token": True}), {}

    def embeddings(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None
    ) -> torch.Tensor:
        return network.embeddings(inputs, bool_masked_pos=mask)


class _WithRegisters:
    hidden = TOKENS.format(prefix="CLS first, then the registers")

    @property
    def num_prefix(self) -> int:
        return 1 + self.config.num_register_tokens

    def with_mask_token(self) -> tuple[PreTrainedConfig, dict[str, Any]]:
        return self.config, {}  # there always is one


class Dinov2WithRegistersEncoder(_WithRegisters, Dinov2Encoder):
    model_types = ("dinov2_with_registers",)


class Dinov3ViTEncoder(_WithRegisters, PlainTransformerEncoder):
    """Positions are rotations of queries and keys (RoPE): they are handed to every layer."""

    model_types = ("dinov3_vit",)
    can_mask = True
    layers_name = "model.layer"
    norm_name = "norm"
    patches_name = "embeddings.patch_embeddings"
    pooled = "the CLS token after the final norm"

    def embeddings(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None
    ) -> torch.Tensor:
        return network.embeddings(inputs, bool_masked_pos=mask)

    def context(self, network: PreTrainedModel, inputs: torch.Tensor, keep: torch.LongTensor | None) -> dict[str, Any]:
        rotations = network.rope_embeddings(inputs)  # cosine and sine, (patches, head width) each
        if keep is not None:
            rotations = tuple(part[keep][:, None] for part in rotations)  # (batch, 1, visible, head width)
        return {"position_embeddings": rotations}
