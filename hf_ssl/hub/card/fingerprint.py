"""A fingerprint of an encoder: the embedding of an image that everybody can make."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedModel

from ...encoders import encoder_for

_SHOWN = 8  # numbers of the embedding
_TOLERANCE = 1e-4  # of the largest: machines add in another order


@torch.no_grad()
def embedding_check(encoder: PreTrainedModel, processor: Callable) -> dict[str, Any] | None:
    """
    The first numbers of the embedding, in float32, of an image made by a formula.

    The image has the size that the image processor resizes to, so that no library's way of resizing matters.

    Args:
        encoder (`PreTrainedModel`): the native encoder, as `AutoModel` gives it; becomes float32, in eval mode.
        processor (callable): its image processor.

    Returns:
        `dict`: `shape` of the image (height, width and, if in colour, 3), `dim` of the embedding and `first`, its
        first 8 numbers to 8 digits; `None` when they are not finite.
    """
    size = processor.to_dict()["size"]
    sides = [size["shortest_edge"]] * 2 if size.get("shortest_edge") else [size["height"], size["width"]]
    shape = sides if encoder_for(encoder.config).num_channels == 1 else [*sides, 3]
    row, column, *colour = np.indices(shape)
    pixels = (7 * row + 3 * column + 50 * sum(colour)) % 256
    inputs = processor(images=Image.fromarray(pixels.astype(np.uint8)), return_tensors="pt")
    encoder = encoder.float().eval()
    pixels = inputs["pixel_values"].to(encoder.device)
    embedding = encoder_for(encoder.config).embed(encoder, pixels).pooler_output.flatten().cpu()
    if not embedding.isfinite().all():
        return None
    first = [float(f"{value:.8g}") for value in embedding[:_SHOWN].tolist()]
    return {"shape": shape, "dim": len(embedding), "first": first}


def same_embedding(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two checks are of the same encoder: equal to 1e-4 of the largest number, as on two machines."""
    if one is None or other is None:
        return one is other
    if one["shape"] != other["shape"] or one["dim"] != other["dim"]:
        return False
    a, b = (np.asarray(check["first"], dtype=np.float64) for check in (one, other))
    return a.shape == b.shape and bool(np.abs(a - b).max() <= _TOLERANCE * np.abs(a).max())


def check_code(check: Mapping[str, Any], repository: str, embedding: str) -> str:
    """Python that makes the embedding again, by the code of its contract, with plain transformers, and compares."""
    shape, first = tuple(int(side) for side in check["shape"]), [float(value) for value in check["first"]]
    names, formula = "row, column", "7 * row + 3 * column"
    if len(shape) == 3:
        names, formula = f"{names}, colour", f"{formula} + 50 * colour"
    return f"""import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

{names} = np.indices({shape})
image = Image.fromarray((({formula}) % 256).astype(np.uint8))
processor = AutoImageProcessor.from_pretrained("{repository}")
model = AutoModel.from_pretrained("{repository}", dtype=torch.float32).eval()
with torch.no_grad():
    outputs = model(**processor(image, return_tensors="pt"))
    embedding = {embedding}.flatten()
expected = torch.tensor({first})
difference = (embedding[:{len(first)}] - expected).abs().max() / expected.abs().max()
assert difference <= {_TOLERANCE}, difference"""
