"""The base of every method: a native encoder called `backbone`, hooks for the Trainer, and safe saving and loading."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields
from math import prod
from os import PathLike

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling, ImageClassifierOutput
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple

from .checks.checkpoints import load_checked, load_own
from .configuration_utils import SSLConfig
from .encoders import Tokens, encoder_for
from .nn.chunks import encode_in_chunks
from .nn.network_copy import start_copies
from .nn.objectives import Pass
from .pretraining_utils import PublishesEncoders
from .training_hooks import TrainingHooks


@dataclass
class SSLOutput(ModelOutput):
    """
    Args:
        loss (`torch.Tensor`, scalar): the objective, in float32.
        logs (`dict[str, torch.Tensor]`): scalars that the Trainer logs.
        embeddings (`torch.Tensor` of shape `(batch, hidden)`): detached embeddings of the first view.
    """

    loss: torch.Tensor | None = None
    logs: dict[str, torch.Tensor] | None = None
    embeddings: torch.Tensor | None = None


def encode(backbone: PreTrainedModel, inputs: torch.Tensor, pooling: str | None = None) -> torch.Tensor:
    """Embeddings of shape `(batch, hidden)`, in chunks where a size is set; see `Encoder.embed`."""
    encoder, size = encoder_for(backbone.config), getattr(backbone, "encode_chunk_size", None)
    return encode_in_chunks(backbone, lambda x: encoder.embed(backbone, x, pooling).pooler_output, inputs, size)


def encode_views(
    backbone: PreTrainedModel, pixel_values: torch.Tensor, pooling: str | None = None
) -> list[torch.Tensor]:
    """Embeddings (batch, hidden) of each of `(batch, views, ...)`: by itself it passes the network and BatchNorms."""
    return [encode(backbone, view, pooling) for view in pixel_values.unbind(1)]


def encode_crops(backbone: PreTrainedModel, crops: list[torch.Tensor], pooling: str | None = None) -> torch.Tensor:
    """Embeddings (batch, sum of views, hidden) of crops (batch, views, channels, height, width): one pass a size."""
    return torch.cat([encode(backbone, x.flatten(0, 1), pooling).unflatten(0, x.shape[:2]) for x in crops], dim=1)


def run_pass(network: PreTrainedModel, which: Pass, batch: Mapping[str, torch.Tensor]) -> Tokens:
    """The tokens of one pass of an encoder over the views of a batch, which are taken one after the other."""
    mask, keep = (None if name is None else batch[name].flatten(0, 1) for name in (which.mask, which.keep))
    images = batch[which.views].flatten(0, 1)
    with torch.no_grad() if which.teacher else nullcontext():
        return encoder_for(network.config).tokens(network, images, mask=mask, keep=keep)


def require_views(
    model: PreTrainedModel, pixel_values: torch.Tensor, exactly: int | None = None, at_least: int = 2
) -> None:
    """
    Raises:
        ValueError: unless `pixel_values` is `(batch, views, channels, height, width)` with `exactly` so many views
            (by default: `at_least` so many, and no fewer than two), and as many images as the method needs.
    """
    images = model.min_batch_size if model.training else model.smallest_eval_batch()
    views = exactly or max(at_least, 2)
    shape = tuple(pixel_values.shape)
    if len(shape) != 5 or shape[0] < images or shape[1] < views or (exactly and shape[1] != exactly):
        raise ValueError(
            f"{type(model).__name__} compares at least {images} images with {'exactly' if exactly else 'at least'} "
            f"{views} views each: pixel_values must have the shape (batch, views, channels, height, width), got "
            f"{shape}."
        )


def require_mask(model: PreTrainedModel, pixel_values: torch.Tensor, mask: torch.Tensor) -> None:
    """
    Raises:
        ValueError: unless `mask` has one value for each patch of `pixel_values` (..., channels, height, width).
    """
    encoder, size = encoder_for(model.config.backbone_config), tuple(pixel_values.shape[-2:])
    expected = (*pixel_values.shape[:-3], prod(encoder.mask_grid(size)))
    if tuple(mask.shape) != expected:
        raise ValueError(
            f"bool_masked_pos has shape {tuple(mask.shape)}, but images of {size[0]}x{size[1]} pixels under patches "
            f"of {encoder.patch_size} need {expected}: check patch_size and the crop sizes of the image processor."
        )


class SSLPreTrainedModel(TrainingHooks, PublishesEncoders, PreTrainedModel):
    """Base of all models. `backbone` is always the network that gets published."""

    config: SSLConfig
    base_model_prefix = "backbone"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    accepts_loss_kwargs = False  # the losses are means already; the Trainer must divide by the accumulation steps
    supports_gradient_checkpointing = True
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = _supports_attention_backend = True
    frozen_modules: tuple[str, ...] = ()
    uses_mask_token = False  # True where `bool_masked_pos` goes into the native encoder
    supports_cached_chunks = True  # False where `forward` runs the encoder by anything else than `encode`
    data_columns: tuple[str, ...] = ()  # of "labels" and "sample_index": what `forward` takes beside the views
    ddp_skip_broadcast: tuple[str, ...] = ()  # modules whose buffers are equal in all processes by construction
    local_batch_norm: tuple[str, ...] = ()  # children whose BatchNorms see the batch of their own process only
    zero_init_residual = False  # True where the blocks of a fresh ResNet start as the identity

    def __init__(self, config: SSLConfig):
        """A fresh `backbone`, and `embed_dim`, the width of its embedding."""
        super().__init__(config)
        encoder = encoder_for(config.backbone_config)
        self.backbone = encoder.build(mask_token=self.uses_mask_token)
        self.embed_dim = encoder.width

    def initialize_weights(self):
        """Runs after construction and after loading: sync the twins, then freeze, which `from_pretrained` undoes."""
        super().initialize_weights()
        if self.zero_init_residual:
            encoder_for(self.backbone.config).start_as_identity(self.backbone)
        start_copies(self)
        for name in self.frozen_modules:
            self.get_submodule(name).requires_grad_(False)
        if not self.uses_mask_token:  # a parameter without gradient would stop DDP
            mask_token = encoder_for(self.backbone.config).mask_token_name
            for name, parameter in self.named_parameters():
                if name.endswith(mask_token):
                    parameter.requires_grad_(False)

    def save_pretrained(self, save_directory, *args, save_original_format: bool = False, **kwargs):
        if kwargs.get("push_to_hub"):
            raise ValueError("This folder alone is no repository: publish with push_to_hub(repo_id, processor=...).")
        # In the original (transformers 4) key names, a resumed Trainer would silently skip most ViT weights.
        return super().save_pretrained(save_directory, *args, save_original_format=save_original_format, **kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        """As ever, but no pickles, no files outside of the repository, and nothing that does not fit together."""
        load, place = super().from_pretrained, pretrained_model_name_or_path
        if isinstance(place, str | PathLike) and kwargs.setdefault("use_safetensors", True):
            return load_own(load, cls, place, *args, **kwargs)
        return load(place, *args, **kwargs)

    @classmethod
    def from_backbone(cls, backbone: str | PreTrainedModel, config: SSLConfig | Mapping | None = None, **kwargs):
        """
        A method around a published encoder, with fresh heads.

        Args:
            backbone (`str` or `PreTrainedModel`): repository id, folder, or a loaded encoder.
            config (`SSLConfig` or `dict`, *optional*): fields of the method; its `backbone_config` is replaced.
            kwargs: further arguments of `AutoModel.from_pretrained`, such as `revision`. `dtype` is that of all
                weights: float32 by default however the encoder is stored, for updates of half-precision weights would
                be lost in rounding; `"auto"` keeps its own.

        Raises:
            ValueError: when weights of the encoder are missing, left over, damaged or of other shapes.
        """
        dtype = kwargs.pop("dtype", torch.float32)
        native = backbone
        if isinstance(backbone, str):
            native, missing, _ = load_checked(AutoModel, backbone, dtype=dtype, **kwargs)
            if gone := [name for name in missing if "pooler" not in name]:
                raise ValueError(f"{backbone} lacks {len(gone)} weights of its encoder, such as {gone[0]}.")
        native = native.backbone if isinstance(native, SSLPreTrainedModel) else native
        if isinstance(config, SSLConfig):
            config = {f.name: config.to_dict()[f.name] for f in fields(config) if f.name in config.to_dict()}
        model = cls(cls.config_class(**{**(config or {}), "backbone_config": native.config.to_dict()}))
        state = {k: v for k, v in native.state_dict().items() if k in model.backbone.state_dict() or "pooler" not in k}
        missing, unexpected = model.backbone.load_state_dict(state, strict=False)
        missing = [name for name in missing if not name.endswith(".mask_token")]  # which a method may add
        if missing or unexpected:
            raise ValueError(f"{backbone} does not fit {cls.__name__}: missing {missing}, unexpected {unexpected}.")
        start_copies(model)
        if isinstance(dtype, str):
            dtype = native.dtype if dtype == "auto" else vars(torch)[dtype]
        return model.to(dtype)

    def encoder(self) -> "SSLModel":
        """What will be published, as an [`SSLModel`] that shares the weights of `backbone`."""
        with torch.device("meta"):
            model = SSLModel(self.config)
        model.backbone = self.backbone
        return model.train(self.training)

    def native_encoder(self) -> PreTrainedModel:
        """What will be published, as a plain transformers model whose embedding is the same, exactly."""
        return encoder_for(self.backbone.config).native(self.backbone, self.config.pooling)

    @property
    def _ddp_params_and_buffers_to_ignore(self) -> list[str]:
        """DDP would send these buffers, which may be large, at every step."""
        return [name for name, _ in self.named_buffers() if name.split(".")[0] in self.ddp_skip_broadcast]


class SSLModel(SSLPreTrainedModel):
    """The encoder of a pretraining checkpoint: what `AutoModel` returns for one."""

    _keys_to_ignore_on_load_unexpected = [r"^(?!backbone\.)", r"\.mask_token$"]

    def __init__(self, config: SSLConfig):
        super().__init__(config)
        self.post_init()

    def forward(
        self, pixel_values: torch.Tensor | None = None, input_values: torch.Tensor | None = None, **kwargs
    ) -> BaseModelOutputWithPooling:
        """
        `pooler_output` of shape `(batch, hidden)` is the embedding of `pixel_values`, images (batch, channels, height,
        width) or clips (batch, frames, channels, height, width), or of `input_values`, sounds (batch, time, mel).
        """
        inputs = pixel_values if input_values is None else input_values
        return encoder_for(self.backbone.config).embed(self.backbone, inputs, self.config.pooling, **kwargs)


class SSLForImageClassification(SSLPreTrainedModel):
    """The encoder with a linear classifier on its embedding, for fine-tuning a pretraining checkpoint directly."""

    _keys_to_ignore_on_load_unexpected = [r"^(?!backbone\.|classifier\.)", r"\.mask_token$"]

    def __init__(self, config: SSLConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.classifier = nn.Linear(self.embed_dim, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        **kwargs,
    ):
        """
        Args:
            pixel_values, input_values (`torch.Tensor`): one of them, see [`SSLModel`].
            labels (`torch.LongTensor` of shape `(batch,)`, *optional*): class indices for the cross-entropy.
        """
        encoder = encoder_for(self.backbone.config)
        inputs = pixel_values if input_values is None else input_values
        outputs = encoder.embed(self.backbone, inputs, self.config.pooling, **kwargs)
        logits = self.classifier(outputs.pooler_output)
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return ImageClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.get("attentions")
        )
