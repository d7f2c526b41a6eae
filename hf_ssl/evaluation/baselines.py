"""What an encoder must beat before it has learnt anything: the pixels, and its own random initialisation."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel


def raw_pixels(pixel_values: torch.Tensor, max_side: int | None = None) -> torch.Tensor:
    """
    The pixels as embeddings, flattened as they come from the processor.

    Args:
        pixel_values (`torch.Tensor` of shape `(batch, channels, height, width)`): or clips `(batch, frames, channels,
            height, width)`, or spectrograms `(batch, time, mel)`.
        max_side (`int`, *optional*): larger ones are first averaged down to at most this many pixels a side.

    Returns:
        `torch.FloatTensor` of shape `(batch, values)`.
    """
    height, width = pixel_values.shape[-2:]
    pixel_values = pixel_values.reshape(len(pixel_values), -1, height, width)
    if max_side is not None and max(height, width) > max_side:
        pixel_values = F.adaptive_avg_pool2d(pixel_values, (min(height, max_side), min(width, max_side)))
    return pixel_values.flatten(1).float()


def random_init_like(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    """
    The same architecture before any training: same config, fresh weights, fresh BatchNorm statistics.

    Three things are taken over from `model` because they say how it embeds, not what it has learnt: parts that it was
    built without (a ViT without pooler), the identity pooler of an exported CLS encoder
    (`config.pooler_act == "linear"`), and device and dtype.

    Args:
        seed (`int`): the only source of randomness; the global generators stay as they are.

    Returns:
        `PreTrainedModel`: of the same class, in eval mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPUs too
        fresh = type(model)(copy.deepcopy(model.config))
    kept = {name for name, _ in model.named_modules()}
    for name, module in list(fresh.named_modules()):
        for child, _ in list(module.named_children()):
            if name in kept and f"{name}.{child}".lstrip(".") not in kept:
                module.register_module(child, None)
    if model.config.to_dict().get("pooler_act") == "linear" and "pooler" in kept:
        _copy(model.get_submodule("pooler"), fresh.get_submodule("pooler"))
    fresh.to(device=model.device, dtype=model.dtype)  # pyright: ignore[reportCallIssue] (how transformers wraps it)
    return fresh.eval()


def _copy(source: nn.Module, target: nn.Module) -> None:
    target.load_state_dict({name: tensor.detach().cpu() for name, tensor in source.state_dict().items()})
