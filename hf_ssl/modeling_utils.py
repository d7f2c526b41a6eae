"""The base of every method: a native encoder called `backbone`, hooks for the Trainer, and safe saving and loading."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from os import PathLike

import torch
from torch import nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling, ImageClassifierOutput
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple

from .checks.checkpoints import load_checked, load_own
from .configuration_utils import SSLConfig
from .nn.chunks import encode_in_chunks
from .nn.masking import encode_tokens
from .nn.network_copy import start_copies
from .nn.residuals import start_as_identity
from .pretraining_utils import PublishesEncoders


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


def build_backbone(config: PreTrainedConfig) -> PreTrainedModel:
    """The native encoder of `config`, freshly initialised, without a pooler that has weights of its own."""
    # In the dtype that models are made in: an encoder whose config says float16 trains in float32, too.
    backbone = AutoModel.from_config(config, dtype=torch.get_default_dtype())
    if backbone.main_input_name != "pixel_values":
        raise ValueError(f"A {config.model_type!r} model reads {backbone.main_input_name}, no images.")
    # A learnt pooler (ViT's tanh layer) would be a random projection behind the embedding: nobody trains it here.
    if has_learnt_pooler(backbone):
        backbone.pooler = None
    return backbone


def has_learnt_pooler(backbone: nn.Module) -> bool:
    pooler = getattr(backbone, "pooler", None)
    return isinstance(pooler, nn.Module) and any(isinstance(m, nn.Linear) for m in pooler.modules())


def embed_dim(config: PreTrainedConfig) -> int:
    """Width of the embedding of a native encoder."""
    for owner, name in ((config, "hidden_size"), (config, "num_features")):
        if getattr(owner, name, None):
            return getattr(owner, name)
    return config.hidden_sizes[-1]


def forward_backbone(
    backbone: PreTrainedModel, pixel_values: torch.Tensor, pooling: str | None = None, **kwargs
) -> BaseModelOutputWithPooling:
    """
    Run any native encoder; `pooler_output` is the embedding, of shape `(batch, hidden)`.

    Crops of another size than the encoder's own get interpolated positions where the architecture has positions.

    Args:
        pixel_values (`torch.Tensor` of shape `(batch, channels, height, width)`): normalised.
        pooling (`str`, *optional*): see `SSLConfig.pooling`.
    """
    config = backbone.config
    channels, size = getattr(config, "num_channels", None), getattr(config, "image_size", None)
    if channels is not None and pixel_values.shape[1] != channels:
        raise ValueError(
            f"The encoder takes images of {channels} channels (backbone_config.num_channels), got pixel_values of "
            f"shape {tuple(pixel_values.shape)}: set do_convert_rgb on the image processor or num_channels."
        )
    patch = getattr(config, "patch_size", 1)
    if isinstance(patch, int) and min(pixel_values.shape[-2:]) < patch:
        raise ValueError(
            f"An image of {pixel_values.shape[-2]}x{pixel_values.shape[-1]} pixels is smaller than one patch "
            f"({patch}x{patch}): use larger images or a smaller backbone_config.patch_size."
        )
    if pooling == "mean":
        tokens = encode_tokens(backbone, pixel_values, **kwargs)
        embedding = backbone.layernorm(tokens[:, 1:].mean(1))
        return BaseModelOutputWithPooling(last_hidden_state=tokens, pooler_output=embedding)
    parameters = inspect.signature(type(backbone).forward).parameters
    if "interpolate_pos_encoding" in parameters and tuple(pixel_values.shape[-2:]) != (size, size):
        kwargs["interpolate_pos_encoding"] = True
    outputs = backbone(pixel_values, **kwargs)
    if outputs.get("pooler_output") is None:
        has_cls = hasattr(backbone.embeddings, "cls_token")
        hidden = outputs.last_hidden_state
        outputs["pooler_output"] = hidden[:, 0] if has_cls else hidden.mean(1)
    outputs["pooler_output"] = outputs.pooler_output.flatten(1)
    return outputs


def encode(backbone: PreTrainedModel, pixel_values: torch.Tensor, pooling: str | None = None) -> torch.Tensor:
    """Embeddings of shape `(batch, hidden)`; see `forward_backbone`."""
    size = getattr(backbone, "encode_chunk_size", None)
    return encode_in_chunks(
        backbone, lambda x: forward_backbone(backbone, x, pooling).pooler_output, pixel_values, size
    )


def encode_crops(backbone: PreTrainedModel, crops: list[torch.Tensor], pooling: str | None = None) -> torch.Tensor:
    """Embeddings (batch, sum of views, hidden) of crops (batch, views, channels, height, width): one pass a size."""
    return torch.cat([encode(backbone, x.flatten(0, 1), pooling).unflatten(0, x.shape[:2]) for x in crops], dim=1)


def require_views(
    model: PreTrainedModel, pixel_values: torch.Tensor, exactly: int | None = None, at_least: int = 2
) -> None:
    """
    Raises:
        ValueError: unless `pixel_values` is `(batch, views, channels, height, width)` with `exactly` so many views
            (by default: `at_least` so many, and no fewer than two), and with two images or more where the loss
            compares images.
    """
    images, views = 2 if model.batch_contrastive else 1, exactly or max(at_least, 2)
    shape = tuple(pixel_values.shape)
    if len(shape) != 5 or shape[0] < images or shape[1] < views or (exactly and shape[1] != exactly):
        raise ValueError(
            f"{type(model).__name__} compares at least {images} images with {'exactly' if exactly else 'at least'} "
            f"{views} views each: pixel_values must have the shape (batch, views, channels, height, width), got "
            f"{shape}."
        )


def require_queue_fits(config: SSLConfig, num_samples: int) -> None:
    """
    Raises:
        ValueError: when `config.queue_length` is above the number of training images: an image would meet itself.
    """
    if config.queue_length > num_samples:
        raise ValueError(
            f"A queue of {config.queue_length} keys on {num_samples} images would hold other views of the same image: "
            f"set {type(config).__name__}.queue_length to at most {num_samples}."
        )


class SSLPreTrainedModel(PublishesEncoders, PreTrainedModel):
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
    batch_contrastive = False  # True where the loss compares the images of a batch with each other
    normalises_batch = False  # True where a head has batch norm of one view at a time, which takes two images
    supports_cached_chunks = True  # False where `forward` runs the encoder by anything else than `encode`
    data_columns: tuple[str, ...] = ()  # of "labels" and "sample_index": what `forward` takes beside the views
    constant_lr_modules: tuple[str, ...] = ()  # children whose learning rate follows no schedule
    ddp_skip_broadcast: tuple[str, ...] = ()  # modules whose buffers are equal in all processes by construction
    local_batch_norm: tuple[str, ...] = ()  # children whose BatchNorms see the batch of their own process only
    zero_init_residual = False  # True where the blocks of a fresh ResNet start as the identity

    def initialize_weights(self):
        """Runs after construction and after loading: sync the twins, then freeze, which `from_pretrained` undoes."""
        super().initialize_weights()
        if self.zero_init_residual:
            start_as_identity(self.backbone)
        start_copies(self)
        for name in self.frozen_modules:
            self.get_submodule(name).requires_grad_(False)
        if not self.uses_mask_token:  # a parameter without gradient would stop DDP
            for name, parameter in self.named_parameters():
                if name.endswith("embeddings.mask_token"):
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

    @property
    def _ddp_params_and_buffers_to_ignore(self) -> list[str]:
        """DDP would send these buffers, which may be large, at every step."""
        return [name for name, _ in self.named_buffers() if name.split(".")[0] in self.ddp_skip_broadcast]

    def on_data(self, num_samples: int) -> None:
        """Called by the Trainer before anything else: size what is kept for each image, or refuse the data."""

    def on_epoch_begin(self, epoch: int, batches: Iterable[dict[str, torch.Tensor]]) -> None:
        """
        Called before each epoch, and again when resuming inside one.

        Args:
            epoch (`int`): from 0.
            batches (iterable of `dict`): one pass, in order, over this process's share of the training data, as
                arguments of `forward`; made anew by every `iter`, and free if not iterated.
        """

    # Pure functions of (step, total_steps): resuming needs no extra state.
    def on_step_begin(self, step: int, total_steps: int) -> None: ...
    def before_optimizer_step(self, step: int, total_steps: int) -> None: ...
    def after_optimizer_step(self, step: int, total_steps: int) -> None: ...


class SSLModel(SSLPreTrainedModel):
    """The encoder of a pretraining checkpoint: what `AutoModel` returns for one."""

    _keys_to_ignore_on_load_unexpected = [r"^(?!backbone\.)"]

    def __init__(self, config: SSLConfig):
        super().__init__(config)
        self.backbone = build_backbone(config.backbone_config)
        self.post_init()

    def forward(self, pixel_values: torch.Tensor, **kwargs) -> BaseModelOutputWithPooling:
        """`pooler_output` of shape `(batch, hidden)` is the embedding of `pixel_values` (batch, channels, h, w)."""
        return forward_backbone(self.backbone, pixel_values, self.config.pooling, **kwargs)


class SSLForImageClassification(SSLPreTrainedModel):
    """The encoder with a linear classifier on its embedding, for fine-tuning a pretraining checkpoint directly."""

    _keys_to_ignore_on_load_unexpected = [r"^(?!backbone\.|classifier\.)"]

    def __init__(self, config: SSLConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.backbone = build_backbone(config.backbone_config)
        self.classifier = nn.Linear(embed_dim(config.backbone_config), config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None, **kwargs):
        """
        Args:
            pixel_values (`torch.Tensor` of shape `(batch, channels, height, width)`)
            labels (`torch.LongTensor` of shape `(batch,)`, *optional*): class indices for the cross-entropy.
        """
        outputs = forward_backbone(self.backbone, pixel_values, self.config.pooling, **kwargs)
        logits = self.classifier(outputs.pooler_output)
        loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
        return ImageClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.get("attentions")
        )
