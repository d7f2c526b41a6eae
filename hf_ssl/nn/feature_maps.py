"""Feature maps of the stages or layers of a native encoder, in one shape."""

import torch
from torch import nn
from transformers import PreTrainedConfig
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils.output_capturing import maybe_install_capturing_hooks


def feature_levels(config: PreTrainedConfig, levels: list[int] | None = None) -> tuple[list[int], list[int]]:
    """
    Which feature maps to take, and how many channels they have.

    Args:
        config (`PreTrainedConfig`): of the encoder.
        levels (`list[int]`, *optional*): stages (ResNet, ConvNeXt, Swin) or layers (ViT, DINOv2) from the end, -1 the
            last. By default the last one, and before it the last but one of stages, or the one after three quarters
            of the layers.

    Returns:
        `tuple[list[int], list[int]]`: the levels and their widths.

    Raises:
        ValueError: for a level that the encoder does not have, or one twice.
    """
    values = config.to_dict()
    depth = values.get("num_hidden_layers") or len(values.get("depths") or ())
    if config.model_type == "swin":
        widths = [values["embed_dim"] * 2**i for i in range(depth)]
    else:
        widths = values.get("hidden_sizes") or [values["hidden_size"]] * depth
    if levels is None:
        levels = [-2 if values.get("depths") else -1 - max(1, depth // 4), -1]
    if not levels or len(set(levels)) < len(levels) or not all(-len(widths) <= level <= -1 for level in levels):
        raise ValueError(
            f"levels must be different numbers from {-len(widths)} to -1, the last stage or layer of this "
            f"{config.model_type}, got {list(levels)}."
        )
    return list(levels), [widths[level] for level in levels]


def feature_arguments(config: PreTrainedConfig) -> dict[str, bool]:
    """Arguments of the encoder's forward pass that make `feature_maps` possible."""
    # What Swin calls the output of a stage has already been merged for the next one.
    more = {"output_hidden_states_before_downsampling": True} if config.model_type == "swin" else {}
    return {"output_hidden_states": True} | more


def prepare_feature_maps(backbone: nn.Module) -> None:
    """Let transformers hook the layers now, not in the first forward pass, where torch.compile cannot trace it."""
    if backbone._can_record_outputs:
        maybe_install_capturing_hooks(backbone)


def feature_maps(
    backbone: nn.Module, outputs: BaseModelOutputWithPooling, size: tuple[int, int], levels: list[int]
) -> list[torch.Tensor]:
    """
    Feature maps, without CLS and registers. Where the encoder's final norm fits a level, it is applied.

    Args:
        backbone (`PreTrainedModel`)
        outputs (`ModelOutput`): of its forward pass with `feature_arguments`.
        size (`tuple[int, int]`): height and width of the images in pixels.
        levels (`list[int]`): see `feature_levels`.

    Returns:
        `list[torch.Tensor]`: of shape `(batch, channels, rows, columns)` each.
    """
    norm = dict(backbone.named_children()).get("layernorm")
    states = outputs.get("reshaped_hidden_states") or outputs.hidden_states
    maps = []
    for level in levels:
        x = states[level]
        if x.ndim == 4:
            x = x.permute(0, 2, 3, 1)
        else:
            rows, columns = (pixels // backbone.config.patch_size for pixels in size)
            x = x[:, -rows * columns :].unflatten(1, (rows, columns))
        if norm is not None and norm.normalized_shape == x.shape[-1:]:
            x = norm(x)
        maps.append(x.permute(0, 3, 1, 2))
    return maps
