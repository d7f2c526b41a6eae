"""Configuration of CLIP (arXiv:2103.00020)."""

import copy
import math
from typing import ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, CLIPTextConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from ...configuration_utils import SSLConfig


@strict
class SSLCLIPConfig(SSLConfig):
    r"""
    CLIP: an image agrees with its own caption, and disagrees with the captions of all other images of the batch.

    `backbone_config` is a `CLIPVisionConfig`. Defaults are those of the paper's ViT-B/32; further fields are those of
    [`SSLConfig`].

    Args:
        text_config (`dict` or `CLIPTextConfig`, *optional*):
            The native encoder of the captions. `vocab_size`, `max_position_embeddings` and the ids of the start and
            the end must be those of the tokenizer: `SSLCLIPImageProcessor.text_config()` gives them.
        projection_dim (`int`, *optional*, defaults to 512):
            Width of the space in which images and captions are compared.
        logit_scale_init_value (`float`, *optional*, defaults to ln(1 / 0.07)):
            Logarithm of the factor of the cosines at the start (section 2.5); it is learnt.
        max_logit_scale (`float`, *optional*, defaults to 100):
            The largest factor of the cosines (section 2.5).
    """

    model_type = "ssl_clip"
    sub_configs_defaults: ClassVar[dict] = {
        "backbone_config": SubConfigSpec(AutoConfig, model_type="clip_vision_model"),
        "text_config": CLIPTextConfig,
    }

    text_config: dict | PreTrainedConfig | None = None
    projection_dim: int = 512
    logit_scale_init_value: float | int = math.log(1 / 0.07)
    max_logit_scale: float | int = 100.0

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        self.require_above_zero("projection_dim", "max_logit_scale")
        for name, kind in (("backbone_config", "clip_vision_model"), ("text_config", "clip_text_model")):
            tower = copy.deepcopy(self.__dict__[name])  # it is the caller's
            if tower.model_type != kind:
                raise ValueError(f"SSLCLIPConfig.{name} must be of type {kind!r}, got {tower.model_type!r}.")
            tower.projection_dim = self.projection_dim  # native classes read it from each of them
            self.__dict__[name] = tower
        if self.text_config.eos_token_id == 2:  # the native class then looks for the highest token instead
            raise ValueError("SSLCLIPConfig.text_config.eos_token_id must not be 2; train_tokenizer ends with 1.")
        if not 0 <= self.logit_scale_init_value <= math.log(self.max_logit_scale):
            raise ValueError(
                f"SSLCLIPConfig.logit_scale_init_value must lie between 0 and ln(max_logit_scale) = "
                f"{math.log(self.max_logit_scale):.4f}, got {self.logit_scale_init_value}."
            )
