"""CLIP as plain transformers loads it: the pair, and each of its encoders alone."""

import torch
from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTextConfig, CLIPTextModel, PreTrainedModel

from ...image_text_processing_utils import ImageTextProcessor
from ...pretraining_utils import Published


def published_clip(model: PreTrainedModel, processor: ImageTextProcessor) -> dict[str, Published]:
    """
    A `CLIPModel` at the root, whose features are the projections; and under `vision/` and `text/` the encoders, whose
    `pooler_output` is the embedding before the projection.

    Args:
        model (`SSLCLIPForPreTraining`)
        processor ([`ImageTextProcessor`]): of the model.
    """
    tokenizer = processor.require_tokenizer()
    return {
        "": Published(native_clip(model), CLIPProcessor(image_processor=processor.native(), tokenizer=tokenizer)),
        "vision": Published(model.encoder(), processor),
        "text": Published(native_text_encoder(model), tokenizer),
    }


def native_clip(model: PreTrainedModel) -> CLIPModel:
    """The pair as transformers' own model, in the dtype of `model`."""
    config = CLIPConfig(
        vision_config=model.config.backbone_config.to_dict(),
        text_config=model.config.text_config.to_dict(),
        projection_dim=model.config.projection_dim,
        logit_scale_init_value=model.config.logit_scale_init_value,
    )
    towers = {"backbone.": "vision_model.", "text.": "text_model."}
    state = {}
    for name, tensor in model.state_dict().items():
        own = next((prefix for prefix in towers if name.startswith(prefix)), "")
        state[towers.get(own, "") + name.removeprefix(own)] = tensor
    return _filled(CLIPModel, config, state, model)


def native_text_encoder(model: PreTrainedModel) -> CLIPTextModel:
    """The encoder of the captions alone, in the dtype of `model`."""
    config = CLIPTextConfig.from_dict(model.config.text_config.to_dict())
    return _filled(CLIPTextModel, config, model.text.state_dict(), model)


def _filled(cls: type[PreTrainedModel], config, state: dict, like: PreTrainedModel) -> PreTrainedModel:
    """A native model with these weights, in eval mode; no random number of the run is drawn."""
    with torch.random.fork_rng(devices=[]):
        native = cls(config)
    native.load_state_dict(state, strict=True)
    return native.to(dtype=like.dtype).eval()
