"""CLIP as plain transformers loads it: the pair, and each of its encoders alone."""

import torch
from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTextModel, CLIPVisionModel, PreTrainedModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

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
    images, tokenizer = native_image_processor(processor), processor.require_tokenizer()
    return {
        "": Published(native_clip(model), CLIPProcessor(image_processor=images, tokenizer=tokenizer)),
        "vision": Published(_same(CLIPVisionModel, model.backbone), images),
        "text": Published(_same(CLIPTextModel, model.text), tokenizer),
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


def native_image_processor(processor: ImageTextProcessor) -> CLIPImageProcessorPil:
    """CLIP's own image processor, which prepares images exactly as `processor` does at inference."""
    values = processor.to_dict()
    names = (*CLIPImageProcessorPil.valid_kwargs.__annotations__, "pixel_format")
    return CLIPImageProcessorPil(**{name: values[name] for name in names if values.get(name) is not None})


def _same(cls: type[PreTrainedModel], tower: PreTrainedModel) -> PreTrainedModel:
    config = type(tower.config).from_dict(tower.config.to_dict())
    return _filled(cls, config, tower.state_dict(), tower)


def _filled(cls: type[PreTrainedModel], config, state: dict, like: PreTrainedModel) -> PreTrainedModel:
    """A native model with these weights, in eval mode; no random number of the run is drawn."""
    with torch.random.fork_rng(devices=[]):
        native = cls(config)
    native.load_state_dict(state, strict=True)
    return native.to(dtype=like.dtype).eval()
