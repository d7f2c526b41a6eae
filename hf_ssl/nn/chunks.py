"""Gradient caching (GradCache, arXiv:2101.06983): an encoder sees a batch of any size in the memory of one chunk."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel


def set_chunk_size(model: PreTrainedModel, size: int | None) -> None:
    """
    Let every encoder inside `model`, teachers too, see at most `size` views at a time; `None`: all. Nothing of it is
    saved.

    Raises:
        ValueError: for a `size` below 1, or a method that does not encode in chunks.
    """
    if size is not None and size < 1:
        raise ValueError(f"cached_chunk_size must be at least 1, got {size}.")
    if size is not None and not model.supports_cached_chunks:
        raise ValueError(
            f"cached_chunk_size does nothing for {type(model).__name__}, which does not encode in chunks: set "
            "gradient_accumulation_steps, which gives the same gradient where the loss compares no images."
        )
    for module in model.modules():
        if isinstance(module, PreTrainedModel):
            module.encode_chunk_size = size


def encode_in_chunks(
    encoder: nn.Module, encode: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, size: int | None
) -> torch.Tensor:
    """
    `encode(x)`, at most `size` samples at a time.

    Nothing but the embeddings outlives a chunk: the backward pass encodes it again, with the same random draws, when
    the gradient of its embeddings is there. The sum over the chunks is left to autograd, so that the gradient of a
    parameter is complete, and DDP's hook on it runs, once.

    Args:
        encoder (`nn.Module`): what `encode` runs.
        encode (callable): maps samples (N, ...) to embeddings (N, dim), each sample by itself.
        x (`torch.Tensor` of shape `(batch, ...)`)
        size (`int`, *optional*): at least 1; `None`: all at once, and kept.

    Returns:
        `torch.Tensor` of shape `(batch, dim)`.

    Raises:
        ValueError: when a BatchNorm of `encoder` would normalise by the statistics of a chunk.
    """
    if size is None:
        return encode(x)
    for module in encoder.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and (module.training or module.running_mean is None):
            raise ValueError(
                f"The BatchNorms of {type(encoder).__name__} would take their statistics from chunks of {size} views, "
                "not from the batch: leave cached_chunk_size out, choose a backbone without BatchNorm (ViT, "
                "ConvNeXt), or keep its BatchNorms in eval()."
            )
    embeddings = []
    for chunk in x.split(size):
        # A weight cast by autocast once for all chunks would add up their gradients in bfloat16.
        torch.clear_autocast_cache()
        embeddings.append(checkpoint(encode, chunk, use_reentrant=False))
    return torch.cat(embeddings)
