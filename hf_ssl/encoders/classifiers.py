"""An encoder and a linear classifier on its embedding, as the native model for image classification."""

from collections.abc import Mapping

import torch
from torch import nn
from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING, PreTrainedModel

from .families import encoder_for

_TOLERANCE = 0.02  # of the largest logit: half precision rounds


@torch.no_grad()
def native_classifier(
    encoder: PreTrainedModel, head: nn.Linear, names: Mapping[int, str], size: int
) -> PreTrainedModel | None:
    """
    A native model such as `ViTForImageClassification`, whose logits are `head` of the embedding of `encoder`, and from
    which plain `AutoModel` loads that encoder again.

    Args:
        encoder (`PreTrainedModel`): as `Encoder.native` gives it.
        head (`nn.Linear`): classes from the width of the embedding.
        names (`dict`): of the classes, by number.
        size (`int`): side in pixels of images that the encoder takes.

    Returns:
        `PreTrainedModel`, *optional*: in eval mode, with the weights of `encoder` itself; `None` where transformers
        has no such model of the architecture, or one that looks at something else than the embedding: DINOv2's adds
        the mean patch. No random number of the run is drawn.
    """
    kind = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING.get(type(encoder.config), None)
    if kind is None:
        return None
    labels = {"id2label": dict(names), "label2id": {name: number for number, name in names.items()}}
    with torch.random.fork_rng(devices=[]):
        native = kind(type(encoder.config).from_dict(encoder.config.to_dict() | labels))
    inside, linears = kind.base_model_prefix, [m for m in native.modules() if isinstance(m, nn.Linear)]
    last = linears[-1] if linears else None
    if inside not in dict(native.named_children()) or last is None or last.weight.shape != head.weight.shape:
        return None
    vars(native)["_modules"][inside] = encoder
    last.load_state_dict(head.state_dict())
    native, adapter = native.to(dtype=head.weight.dtype).eval(), encoder_for(encoder.config)
    with torch.random.fork_rng(devices=[]):
        inputs = adapter.example(size).to(head.weight)
    expected = head(adapter.embed(encoder, inputs).pooler_output)
    difference = native(inputs, **adapter.arguments(inputs)).logits - expected
    return native if difference.abs().max() <= _TOLERANCE * expected.abs().max() else None
