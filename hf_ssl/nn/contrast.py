"""The step that every method with a queue of keys takes (MoCo, arXiv:1911.05722, algorithm 1)."""

from collections.abc import Callable

import torch

from .losses import info_nce
from .queue import Queue
from .shuffle import encode_shuffled, own_share


def momentum_contrast(
    pairs: list[tuple[list[torch.Tensor], torch.Tensor]],
    encode_keys: Callable[[torch.Tensor], torch.Tensor],
    queue: Queue,
    temperature: float,
    shuffle: bool,
    enqueue: bool,
) -> list[torch.Tensor]:
    """
    Contrast queries with the keys of their images, against the keys in the queue.

    Args:
        pairs (`list[tuple[list[torch.Tensor], torch.Tensor]]`): some queries, each of shape `(batch, dim)` and unit
            norm, and the images `(batch, channels, height, width)` that all of them must find.
        encode_keys (callable): maps images to keys of shape `(N, dim)`, unit norm.
        queue ([`Queue`]): holds the negatives, the same for all pairs.
        temperature (`float`): above 0.
        shuffle (`bool`): see [`encode_shuffled`].
        enqueue (`bool`): put the keys of all processes into the queue, after the losses.

    Returns:
        `list[torch.Tensor]`: the InfoNCE of each query, in order; scalars, means over the images of this process.
    """
    negatives, losses, new = queue.rows.clone(), [], []
    for queries, images in pairs:
        keys = encode_shuffled(encode_keys, images, shuffle)
        losses += [info_nce(q, own_share(keys), negatives, temperature) for q in queries]
        new.append(keys)
    if enqueue:
        for keys in new:
            queue.put_(keys)
    return losses
