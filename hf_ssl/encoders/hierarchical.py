"""Networks of stages, each with fewer and wider cells than the one before: ResNet, ConvNeXt, and their kin."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils.output_capturing import maybe_install_capturing_hooks

from .images import ImageEncoder
from .official_names import resnet_name
from .outputs import Tokens, Wanted

MAP = "the last feature map, shape (batch, channels, rows, columns)"


class StageEncoder(ImageEncoder):
    """The embedding is what the native pooler makes, a spatial mean; the patches are the cells of the last map."""

    pooled = "the spatial mean of the last feature map"
    hidden = MAP
    code = "outputs.pooler_output.flatten(1)"
    pads = True
    norm_name: ClassVar[str | None] = None  # of the final norm, where it can be applied to a map

    @property
    def width(self) -> int:
        return self.config.hidden_sizes[-1]

    @property
    def image_size(self) -> tuple[int, int] | None:
        return None

    @property
    def patch_size(self) -> int:
        return 1

    @property
    def stride(self) -> int:
        return 4 * 2 ** (len(self.config.depths) - 1)

    def level_widths(self) -> list[int]:
        return list(self.config.hidden_sizes)

    def prepare_levels(self, network: PreTrainedModel) -> None:
        for part in network.modules():  # hooks that transformers would set up in the first forward pass
            if isinstance(part, PreTrainedModel) and part._can_record_outputs:
                maybe_install_capturing_hooks(part)

    def read(self, network: PreTrainedModel, inputs: torch.Tensor, wanted: Wanted) -> Tokens:
        """`patches` are the cells of the last feature map; there is no prefix."""
        self.require_inputs(inputs)
        last, maps = self.maps(network, inputs, wanted.mask, bool(wanted.levels) or not wanted.final_norm)
        if not wanted.final_norm:
            last = maps[-1]
        patches = last.flatten(2).transpose(1, 2)
        normed = tuple(self.normed(network, maps[level]) for level in wanted.levels)
        return Tokens(patches[:, :0], patches, tuple(last.shape[-2:]), normed)

    def maps(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None, all_stages: bool
    ) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        """The last map as the network gives it, and those of all stages, (batch, channels, rows, columns) each."""
        outputs = network(inputs, **({"output_hidden_states": True} if all_stages else {}))
        return self.last_map(outputs), outputs.hidden_states if all_stages else ()

    def last_map(self, outputs: Any) -> torch.Tensor:
        return outputs.last_hidden_state

    def normed(self, network: PreTrainedModel, x: torch.Tensor) -> torch.Tensor:
        """A map after the final norm, where that fits it."""
        norm = network.get_submodule(self.norm_name) if self.norm_name else None
        x = x.permute(0, 2, 3, 1)
        if norm is not None and norm.normalized_shape == x.shape[-1:]:
            x = norm(x)
        return x.permute(0, 3, 1, 2)


class ResNetEncoder(StageEncoder):
    model_types = ("resnet", "regnet")
    official_head = "fc."

    def official_name(self, name: str) -> str:
        return resnet_name(name)

    def start_as_identity(self, network: PreTrainedModel) -> None:
        """
        Set the gain of the last BatchNorm of every residual block of a ResNet to 0, torchvision's
        `zero_init_residual` (arXiv:1706.02677, section 5.1), unless a checkpoint filled it.
        """
        if self.config.model_type == "resnet":
            for stage in network.encoder.stages:
                for block in stage.layers:
                    init.zeros_(block.layer[-1].normalization.weight)


class ConvNextEncoder(StageEncoder):
    model_types = ("convnext", "convnextv2")
    pooled = "the final norm of the spatial mean of the last feature map"
    code = "outputs.pooler_output"
    pads = False
    image_size = ImageEncoder.image_size
    norm_name = "layernorm"

    @property
    def patch_size(self) -> int:
        return self.config.patch_size

    @property
    def stride(self) -> int:
        return self.patch_size * 2 ** (len(self.config.depths) - 1)


class Dinov3ConvNextEncoder(ConvNextEncoder):
    """What the native model calls `last_hidden_state` are tokens: the mean of the last map, then its cells."""

    model_types = ("dinov3_convnext",)
    hidden = (
        "the mean and then the cells of the last feature map, row by row, after the final norm, shape "
        "(batch, 1 + cells, dim)"
    )
    norm_name = "layer_norm"

    @property
    def patch_size(self) -> int:
        return 4

    def maps(
        self, network: PreTrainedModel, inputs: torch.Tensor, mask: torch.BoolTensor | None, all_stages: bool
    ) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        outputs = network(inputs, **({"output_hidden_states": True} if all_stages else {}))
        cells = outputs.last_hidden_state[:, 1:].transpose(1, 2)
        return cells.unflatten(2, self.grid(tuple(inputs.shape[-2:]))), outputs.hidden_states if all_stages else ()


class PooledMapEncoder(StageEncoder):
    """The native model pools nothing: the embedding is the spatial mean."""

    model_types = ("poolformer", "pvt_v2")
    code = "outputs.last_hidden_state.mean((2, 3))"


class MobileEncoder(StageEncoder):
    """Blocks of many widths, which make no stages: an embedding, and the cells of the last map."""

    model_types = ("efficientnet", "mobilenet_v1", "mobilenet_v2", "mobilevit")
    image_size = ImageEncoder.image_size

    @property
    def width(self) -> int:
        with torch.device("meta"):
            network = self.build()
        return [weight for weight in network.parameters() if weight.ndim == 1][-1].numel()  # of the last BatchNorm

    @property
    def stride(self) -> int:
        return 32

    def level_widths(self) -> list[int]:
        return ImageEncoder.level_widths(self)
