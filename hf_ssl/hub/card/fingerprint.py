"""A fingerprint of an encoder: the embedding of an image, a clip or a sound that everybody can make."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from ...data.audio import SAMPLING_RATE
from ...encoders import Encoder, encoder_for
from ...evaluation.inputs import make_inputs
from ...modalities import get_modality

_SHOWN = 8  # numbers of the embedding
_TOLERANCE = 1e-4  # of the largest: machines add in another order


@torch.no_grad()
def embedding_check(encoder: PreTrainedModel, processor: Callable) -> dict[str, Any] | None:
    """
    The first numbers of the embedding, in float32, of a sample made by a formula.

    An image, or a frame of a clip, has the size that the processor resizes to, so that no library's way of resizing
    matters; clips and sounds have the length that the encoder takes.

    Args:
        encoder (`PreTrainedModel`): the native encoder, as `AutoModel` gives it; becomes float32, in eval mode.
        processor (callable): its processor.

    Returns:
        `dict`: `shape` of the sample (height, width and, if in colour, 3; frames before that for a clip; samples of a
        sound), `dim` of the embedding and `first`, its first 8 numbers to 8 digits; `None` when they are not finite.
    """
    adapter = encoder_for(encoder.config)
    shape = _shape_of(adapter, processor.to_dict())
    sample = {get_modality(adapter.modality).sample_key: _made(shape)}
    encoder = encoder.float().eval()
    inputs = make_inputs(processor, [sample], adapter).to(encoder.device)
    embedding = adapter.embed(encoder, inputs).pooler_output.flatten().cpu()
    if not embedding.isfinite().all():
        return None
    first = [float(f"{value:.8g}") for value in embedding[:_SHOWN].tolist()]
    return {"shape": shape, "dim": len(embedding), "first": first}


def _shape_of(adapter: Encoder, processor: Mapping[str, Any]) -> list[int]:
    if adapter.modality == "audio":
        return [adapter.num_samples]
    size = processor["size"]
    sides = [size["shortest_edge"]] * 2 if size.get("shortest_edge") else [size["height"], size["width"]]
    shape = sides if adapter.num_channels == 1 else [*sides, 3]
    return [adapter.num_frames, *shape] if adapter.modality == "video" else shape


def _made(shape: list[int]) -> torch.Tensor:
    """The sample as our data sets hold it, by the formulas of `check_code`."""
    if len(shape) == 1:
        return torch.from_numpy(((37 * np.arange(shape[0])) % 401 / 200 - 1).astype(np.float32))
    colours, clip = 3 if shape[-1] == 3 else 1, len(shape) - (shape[-1] == 3) == 3
    time, row, column, colour = np.indices((shape[0] if clip else 1, *shape[clip : clip + 2], colours))
    pixels = torch.from_numpy(((11 * time + 7 * row + 3 * column + 50 * colour) % 256).astype(np.uint8))
    pixels = pixels.permute(0, 3, 1, 2)
    return pixels if clip else pixels[0]


def same_embedding(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two checks are of the same encoder: equal to 1e-4 of the largest number, as on two machines."""
    if one is None or other is None:
        return one is other
    if one["shape"] != other["shape"] or one["dim"] != other["dim"]:
        return False
    a, b = (np.asarray(check["first"], dtype=np.float64) for check in (one, other))
    return a.shape == b.shape and bool(np.abs(a - b).max() <= _TOLERANCE * np.abs(a).max())


def check_code(check: Mapping[str, Any], place: str, embedding: str) -> str:
    """
    Python that makes the embedding again, by the code of its contract, with plain transformers, and compares.

    Args:
        place (`str`): the arguments of `from_pretrained` that lead to the encoder.
    """
    shape, first = tuple(int(side) for side in check["shape"]), [float(value) for value in check["first"]]
    if len(shape) == 1:
        imports, auto, call = "", "AutoFeatureExtractor", f"sound, sampling_rate={SAMPLING_RATE}"
        made = f"sound = ((37 * np.arange({shape[0]})) % 401 / 200 - 1).astype(np.float32)"
    else:
        clip, colours = len(shape) - (shape[-1] == 3) == 3, shape[-1] == 3
        names = ", ".join(["time"] * clip + ["row", "column"] + ["colour"] * colours)
        formula = "11 * time + " * clip + "7 * row + 3 * column" + " + 50 * colour" * colours
        imports, auto, call = "from PIL import Image\n", "AutoImageProcessor", "image"
        made = f"{names} = np.indices({shape})\n"
        if clip:
            imports, call = "", "[clip]"
            made += f"clip = list((({formula}) % 256).astype(np.uint8){'' if colours else '[..., None]'})"
        else:
            made += f"image = Image.fromarray((({formula}) % 256).astype(np.uint8))"
    return f"""import numpy as np
import torch
{imports}from transformers import {auto}, AutoModel

{made}
processor = {auto}.from_pretrained({place})
model = AutoModel.from_pretrained({place}, dtype=torch.float32).eval()
with torch.no_grad():
    outputs = model(**processor({call}, return_tensors="pt"))
    embedding = {embedding}.flatten()
expected = torch.tensor({first})
difference = (embedding[:{len(first)}] - expected).abs().max() / expected.abs().max()
assert difference <= {_TOLERANCE}, difference"""
