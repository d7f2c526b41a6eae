"""What every method's configuration shares: a native encoder inside, strict types, and no silent typos."""

from dataclasses import fields
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from .spelling import closest

# Keywords that transformers itself passes to every config, or (`use_cache`, the Trainer) writes into it, although no
# field has them.
_TRANSFORMERS_KEYWORDS = {
    "attn_implementation",
    "model_type",
    "name_or_path",
    "num_labels",
    "torch_dtype",
    "use_cache",
}


@strict
class SSLConfig(PreTrainedConfig):
    r"""
    Base of every method's configuration.

    Args:
        backbone_config (`dict` or `PreTrainedConfig`, *optional*, defaults to a `ViTConfig`):
            The native transformers encoder that is trained and published. A `dict` needs `model_type`.
        pooling (`str`, *optional*):
            What the embedding of an image is. `None`: the architecture's own (CLS after the final norm for ViT and
            DINOv2, the spatial mean for ResNet, ConvNeXt and Swin). `"mean"`: the final norm applied to the mean of
            the patch tokens (ViT only); such an encoder is published as a `BeitModel`, whose `pooler_output` is this.
        initializer_range (`float`, *optional*, defaults to 0.02):
            Standard deviation of the linear layers that the method adds around the encoder.

    Raises:
        ValueError: for a keyword that no field has (with the nearest name) or an unknown `pooling`.
    """

    sub_configs_defaults: ClassVar[dict] = {"backbone_config": SubConfigSpec(AutoConfig, model_type="vit")}
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["logs", "embeddings", "projections", "reconstruction"]

    backbone_config: dict | PreTrainedConfig | None = None
    pooling: str | None = None
    initializer_range: float | int = 0.02

    def __post_init__(self, **kwargs):
        known = {f.name for f in fields(self)}
        for name in kwargs:
            if name not in _TRANSFORMERS_KEYWORDS and not name.startswith("_"):
                raise ValueError(f"{type(self).__name__} has no field {name!r}.{closest(name, known)}")
        if isinstance(self.backbone_config, dict) and "model_type" not in self.backbone_config:
            raise ValueError(f"{type(self).__name__}.backbone_config needs a 'model_type', such as 'vit' or 'resnet'.")
        if self.pooling not in (None, "mean"):
            raise ValueError(f"{type(self).__name__}.pooling must be None or 'mean', got {self.pooling!r}.")
        super().__post_init__(**kwargs)
        for name in known:
            if name.endswith("_sizes") and any(width < 1 for width in self.__dict__[name]):
                raise ValueError(
                    f"{type(self).__name__}.{name} are widths of at least 1, got {list(self.__dict__[name])}."
                )
        if self.initializer_range < 0:
            raise ValueError(
                f"{type(self).__name__}.initializer_range must be at least 0, got {self.initializer_range}."
            )
        if self.pooling == "mean" and self.backbone_config.model_type != "vit":
            raise ValueError(
                f"{type(self).__name__}.pooling='mean' is for ViT backbones; "
                f"{self.backbone_config.model_type!r} has an embedding of its own: leave pooling=None."
            )

    def require_above_zero(self, *names: str) -> None:
        """A `ValueError` that names the first of these fields that is not above 0."""
        for name in names:
            if not self.__dict__[name] > 0:
                raise ValueError(f"{type(self).__name__}.{name} must be above 0, got {self.__dict__[name]}.")

    def require_share(self, *names: str) -> None:
        """A `ValueError` that names the first of these fields that is not in [0, 1]."""
        for name in names:
            if not 0 <= self.__dict__[name] <= 1:
                raise ValueError(f"{type(self).__name__}.{name} must lie in [0, 1], got {self.__dict__[name]}.")

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs):
        kind = config_dict.get("model_type", cls.model_type)
        if kind != cls.model_type:  # transformers would only warn, and leave every weight random
            raise ValueError(f"This is a checkpoint of {kind!r}, but {cls.__name__} reads {cls.model_type!r}.")
        return super().from_dict(config_dict, **kwargs)
