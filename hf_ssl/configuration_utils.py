"""What every method's configuration shares: a native encoder inside, strict types, and no silent typos."""

from dataclasses import fields
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec
from transformers.utils import CONFIG_NAME

from .checks.bounded_json import read_json
from .checks.configs import require_config
from .encoders import encoder_for
from .utils.spelling import closest

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
# What a field of a method can be at most: a number of things, a width of a layer, a weight or a temperature.
_LARGEST, _WIDEST, _STRONGEST = 2**31 - 1, 2**20, 1e6


@strict
class SSLConfig(PreTrainedConfig):
    r"""
    Base of every method's configuration.

    Args:
        backbone_config (`dict` or `PreTrainedConfig`, *optional*, defaults to a `ViTConfig`):
            The native transformers encoder that is trained and published. A `dict` needs `model_type`.
        pooling (`str`, *optional*):
            What the embedding of an image is. `None`: the architecture's own (CLS after the final norm for ViT and
            DINOv2, the spatial mean for ResNet, ConvNeXt and Swin; `Encoder.contract` says it for every family).
            `"mean"`: the final norm applied to the mean of the patch tokens (ViT only); such an encoder is published
            as a `BeitModel`, whose `pooler_output` is this.
        initializer_range (`float`, *optional*, defaults to 0.02):
            Standard deviation of the linear layers that the method adds around the encoder.

    Raises:
        ValueError: for a keyword that no field has (with the nearest name), an unknown `pooling`, or a value that
            cannot be meant.
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
        self._require_meant(known)
        if self.pooling not in (None, "mean"):
            raise ValueError(f"{type(self).__name__}.pooling must be None or 'mean', got {self.pooling!r}.")
        super().__post_init__(**kwargs)
        require_config(self.backbone_config.to_dict(), f"{type(self).__name__}.backbone_config")
        if self.initializer_range < 0:
            raise ValueError(
                f"{type(self).__name__}.initializer_range must be at least 0, got {self.initializer_range}."
            )
        encoder = encoder_for(self.backbone_config)
        encoder.require_pooling(self.pooling, f"{type(self).__name__}.pooling")
        self.backbone_config = encoder.config  # of a ViTMAE, that of the plain ViT inside

    def _require_meant(self, known: set[str]) -> None:
        """Own fields and the encoder's, before anything is made of them."""
        kind, backbone = type(self).__name__, self.backbone_config
        if isinstance(backbone, dict):
            model_type = backbone.get("model_type")
            if not isinstance(model_type, str):
                raise ValueError(f"{kind}.backbone_config needs a 'model_type', such as 'vit' or 'resnet'.")
            if model_type.startswith("ssl_"):
                raise ValueError(f"{kind}.backbone_config is of {model_type!r}: no native encoder.")
            require_config(backbone, f"{kind}.backbone_config")
        for name in known - {f.name for f in fields(PreTrainedConfig)}:
            value = self.__dict__[name]
            whole = isinstance(value, int) and not isinstance(value, bool)
            if (whole or isinstance(value, float)) and not abs(value) <= (_LARGEST if whole else _STRONGEST):
                raise ValueError(f"{kind}.{name} must be a number that can be meant, got {value}.")
            entries = value if isinstance(value, list | tuple) else ()
            if name.endswith("_sizes") and not (0 < len(entries) <= 32 and all(0 < x <= _WIDEST for x in entries)):
                raise ValueError(f"{kind}.{name} are widths of at least 1, got {list(entries)!r:.200}.")
            if not all(abs(x) <= _LARGEST for x in entries) or len(entries) > 1000:
                raise ValueError(f"{kind}.{name} holds numbers that cannot be meant: {list(entries)!r:.200}.")

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

    def require_maskable(self) -> None:
        """A `ValueError` for an encoder that has no mask token, or masks other patches than it gives."""
        encoder = encoder_for(self.backbone_config)
        if not encoder.can_mask or encoder.patch_size != encoder.stride:
            raise ValueError(
                f"{type(self).__name__} puts a mask token in the place of patches, which a {encoder.kind} encoder "
                "does not take for each of them: choose a ViT, BEiT or DINOv2."
            )

    @classmethod
    def get_config_dict(cls, pretrained_model_name_or_path, **kwargs):
        found, kwargs = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        if not found:  # transformers would go on with the defaults
            raise OSError(f"{pretrained_model_name_or_path} holds no {CONFIG_NAME}, or an empty one.")
        return found, kwargs

    @classmethod
    def _dict_from_json_file(cls, json_file):
        return cls._decode_special_floats(read_json(json_file))

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs):
        kind = config_dict.get("model_type", cls.model_type)
        if kind != cls.model_type:  # transformers would only warn, and leave every weight random
            raise ValueError(f"This is a checkpoint of {kind!r}, but {cls.__name__} reads {cls.model_type!r}.")
        for name in cls.sub_configs_defaults:  # an encoder of the default size would take its place
            if name not in config_dict:
                raise ValueError(f"{cls.__name__}: {name} is missing, which every saved configuration has.")
        require_config(config_dict, cls.__name__)
        try:
            return super().from_dict(config_dict, **kwargs)
        except (StrictDataclassError, AttributeError, LookupError, TypeError) as error:
            raise ValueError(f"{cls.__name__}: {' '.join(str(error).split())[:300]}") from None
