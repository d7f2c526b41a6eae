"""Whether an encoder can serve the views of a run, found out before any data is read."""

import copy
from collections.abc import Iterable

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from .base import Encoder
from .families import encoder_for

_SUGGESTED = 3  # sizes that an error message names


def probe(
    config: PreTrainedConfig,
    view_sizes: Iterable[int],
    dtype: torch.dtype | None = None,
    published_size: int | None = None,
) -> None:
    """
    One forward pass of a fresh network at every size of view, with random inputs. Nothing of it is kept, and no random
    number of the run is drawn.

    Args:
        config (`PreTrainedConfig`): of the native encoder.
        view_sizes (iterable of `int`): sides in pixels of the views; what counts as size is the family's.
        dtype (`torch.dtype`, *optional*): of weights and inputs; float32 by default.
        published_size (`int`, *optional*): of the images that plain transformers will be given: the native model has
            to take them without an option.

    Raises:
        ValueError: where a view cannot be embedded, the embedding has another shape or dtype, is not finite, or is
            another one the second time. One sentence says which sizes would work.
    """
    encoder = encoder_for(config)
    small = encoder.shallow()
    sizes = list(dict.fromkeys([*([published_size] if published_size else []), *view_sizes]))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = small.build().to(dtype or torch.get_default_dtype()).eval()
        for i, size in enumerate(sizes):
            if trouble := _trouble(small, network, sizes[: i + 1], published_size):
                works = [
                    side
                    for side in small.sizes_near(size)
                    if not _trouble(small, network, [*sizes[:i], side], side if size == published_size else None)
                ]
                named = ", ".join(map(str, works[:_SUGGESTED]))
                advice = f"choose a size that works, such as {named}, or another" if works else "choose another"
                raise ValueError(
                    f"The encoder cannot take images of {size} pixels ({trouble}): {advice} encoder "
                    "(--image-size, --backbone), or another method if its views are smaller than that."
                )


def _trouble(encoder: Encoder, network: PreTrainedModel, sizes: list[int], published_size: int | None) -> str | None:
    """What goes wrong at the last of `sizes`, where the others are known to work; `None` where nothing does."""
    network = copy.deepcopy(network)  # a window that a view makes smaller stays smaller
    dtype = next(network.parameters()).dtype
    examples = {size: encoder.example(size).to(dtype) for size in sizes}
    try:
        if published_size in sizes:
            network(examples[published_size])
        first = {size: encoder.embed(network, x).pooler_output for size, x in examples.items()}
        again = {size: encoder.embed(network, x).pooler_output for size, x in examples.items()}
    except (RuntimeError, ValueError, ArithmeticError, IndexError, AssertionError) as error:
        return " ".join(str(error).split()).split(". ")[0].rstrip(".")[:200] or type(error).__name__
    for size, embedding in first.items():
        if embedding.shape != (2, encoder.width):
            return f"the embedding has the shape {tuple(embedding.shape)} instead of {(2, encoder.width)}"
        if embedding.dtype != dtype:
            return f"the embedding is of {embedding.dtype} instead of {dtype}"
        if not embedding.isfinite().all():
            return "the embedding is not finite"
        if not torch.equal(embedding, again[size]):
            alone = copy.deepcopy(network)
            same = torch.equal(encoder.embed(alone, examples[size]).pooler_output, again[size])
            others = " and ".join(map(str, sizes))
            if same and len(sizes) > 1:
                return f"views of {others} pixels change each other's embeddings, through windows that shrink for good"
            return "its embedding is another one every time"
    return None
