"""
What the package asks of an encoder, whatever it reads: images, clips or sounds.

An adapter answers for one architecture of transformers. It holds the configuration and nothing else; the weights are
in the network, which is handed in. Nothing outside of `encoders/` reaches inside of a native model.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch
from transformers import MODEL_MAPPING, AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from .depths import Depths
from .examples import Examples
from .levels import checked_levels
from .outputs import Contract, Tokens, Wanted


class Encoder(Examples):
    """
    The adapter of one family of architectures, and its answers where nothing is special.

    Args:
        config (`PreTrainedConfig`): of the native model.
    """

    model_types: ClassVar[tuple[str, ...]] = ()
    modality: str = "image"  # what it reads: a row of `hf_ssl/modalities.py`
    poolings: ClassVar[tuple[str | None, ...]] = (None,)  # what `pooling` may be, see `SSLConfig.pooling`
    lora_targets: ClassVar[tuple[str, ...]] = ()  # last parts of the names of the linear layers that LoRA adapts
    num_prefix: int = 0  # tokens of no place in front of the patches
    can_drop: ClassVar[bool] = False  # whether `tokens` takes `keep`
    can_mask: ClassVar[bool] = False  # whether `tokens` takes `mask`, in a network built with `mask_token`
    mask_token_name: ClassVar[str] = "embeddings.mask_token"
    brings_processor: ClassVar[bool] = False  # whether the configuration is all that the native image processor needs
    pooled = "the `pooler_output` that this architecture defines"
    hidden = "the features of the last layer"
    code = "outputs.pooler_output"
    official_head: ClassVar[str] = "head."  # prefix of the classifier's tensors in the official code

    def __init__(self, config: PreTrainedConfig):
        self.config = config

    @property
    def kind(self) -> str:
        """The architecture, as error messages call it."""
        return f"{self.config.model_type!r}"

    # What it is.

    @property
    def native_class(self) -> type[PreTrainedModel]:
        """What `AutoModel` makes of the configuration."""
        known = MODEL_MAPPING[type(self.config)]
        return known[0] if isinstance(known, tuple) else known

    @property
    def input_name(self) -> str:
        """The main input of the native model."""
        return self.native_class.main_input_name

    def to_load(self) -> PreTrainedConfig:
        """The configuration with which published weights are loaded to give embeddings."""
        return self.config

    @property
    def width(self) -> int:
        """Width of the embedding."""
        return self.config.hidden_size

    def require_pooling(self, pooling: str | None, field: str = "pooling") -> None:
        """
        Raises:
            ValueError: for a pooling that this architecture cannot be published with; it names `field`.
        """
        if pooling not in self.poolings:
            raise ValueError(
                f"{field}={pooling!r} is for ViT backbones; {self.kind} has an embedding of its own: leave "
                "pooling=None."
            )

    def require_trainable(self, name: str) -> None:
        """A `ValueError` where a model is no encoder alone; it calls the model `name`."""

    def contract(self, pooling: str | None = None) -> Contract:
        """What the network that `export` gives promises."""
        return Contract(self.pooled, self.hidden, self.code)

    def layer_of(self, name: str) -> int:
        """
        The depth of a parameter for a learning rate that decays from layer to layer (BEiT, arXiv:2106.08254): 0 for
        the embeddings, 1 to `num_blocks` for the blocks, `num_blocks + 1` for what comes after them.

        Args:
            name (`str`): of a parameter of the network, such as "layers.3.mlp.fc1.weight".
        """
        return 0 if name == self.mask_token_name else self._depths.of(name)

    @property
    def num_blocks(self) -> int:
        """Blocks, one after the other, over all stages."""
        return self._depths.blocks

    @cached_property
    def _depths(self) -> Depths:
        with torch.device("meta"):  # nothing is allocated and nothing drawn
            return Depths([name for name, _ in self.build().named_parameters()])

    # What it does.

    def build(self, *, mask_token: bool = False, drop_path: float = 0.0) -> PreTrainedModel:
        """
        A fresh network in PyTorch's default dtype, whatever dtype the configuration names: half-precision weights
        would lose most updates. It has no pooler that nobody trains.

        Args:
            mask_token (`bool`, *optional*, defaults to `False`): with a learnt token for `tokens(mask=...)`.
            drop_path (`float`, *optional*, defaults to 0.0): rate of stochastic depth in the last layer.

        Raises:
            ValueError: for a mask token that the architecture does not have.
        """
        config, arguments = self.config, {}
        if mask_token:
            config, arguments = self.with_mask_token()
        if drop_path and "drop_path_rate" in config.to_dict():
            config = type(config).from_dict(config.to_dict() | {"drop_path_rate": drop_path})
        network = self.new(config, **arguments)
        if drop_path and "drop_path_rate" not in config.to_dict():
            self.add_drop_path(network, drop_path)
        return network

    def new(self, config: PreTrainedConfig, **arguments: Any) -> PreTrainedModel:
        """The native model of `config`, as `build` gives it."""
        return AutoModel.from_config(config, dtype=torch.get_default_dtype(), **arguments)

    def with_mask_token(self) -> tuple[PreTrainedConfig, dict[str, Any]]:
        """Configuration and arguments of the constructor that make a network with a mask token."""
        raise ValueError(f"A {self.kind} encoder has no mask token: choose a ViT, BEiT, DINOv2 or Swin.")

    def add_drop_path(self, network: PreTrainedModel, rate: float) -> None:
        """Stochastic depth for a network whose configuration has none; those that have their own keep it."""

    def start_as_identity(self, network: PreTrainedModel) -> None:
        """Let residual blocks that end in a BatchNorm start as the identity; there are none here."""

    def embed(
        self, network: PreTrainedModel, inputs: torch.Tensor, pooling: str | None = None, **kwargs: Any
    ) -> BaseModelOutputWithPooling:
        """
        Run the network; `pooler_output` of shape `(batch, width)` is the embedding.

        Args:
            network (`PreTrainedModel`): from `build`, or loaded by `AutoModel`.
            inputs (`torch.Tensor`): the main input of the network.
            pooling (`str`, *optional*): see `SSLConfig.pooling`.
            kwargs: further arguments of the native `forward`.

        Raises:
            ValueError: for inputs that the network does not take, or outputs without features.
        """
        self.require_inputs(inputs)
        outputs = network(inputs, **self.arguments(inputs), **kwargs)
        outputs["pooler_output"] = self.pool(outputs)
        return outputs

    def require_inputs(self, inputs: torch.Tensor) -> None:
        """A `ValueError` for inputs that the network does not take."""

    def arguments(self, inputs: torch.Tensor) -> dict[str, Any]:
        """Arguments of the native `forward` beside the inputs."""
        return {}

    def pool(self, outputs: BaseModelOutputWithPooling) -> torch.Tensor:
        """
        The embedding in the outputs of the native model, of shape `(batch, width)`: `image_embeds` (a projection
        behind the encoder), else `pooler_output`, else `unpooled`.
        """
        for name in ("image_embeds", "pooler_output"):
            if outputs.get(name) is not None:
                return outputs[name].flatten(1)
        if outputs.get("last_hidden_state") is None:
            raise ValueError(
                f"The model returned {sorted(outputs)}, with neither pooler_output nor last_hidden_state: pass the "
                "encoder (AutoModel.from_pretrained(...), or model.base_model), not a model with a head."
            )
        return self.unpooled(outputs.last_hidden_state)

    def unpooled(self, hidden: torch.Tensor) -> torch.Tensor:
        """The embedding where the native model pools nothing: the mean of `last_hidden_state` over all positions."""
        return hidden.mean(1) if hidden.ndim == 3 else hidden.flatten(2).mean(2)

    def official_name(self, name: str) -> str:
        """Name in the official code (torchvision, timm) of a tensor of the network."""
        raise ValueError(
            f"Official checkpoints around a {self.kind} encoder are not known: only ResNets and ViTs are."
        )

    def feature_levels(self, levels: Sequence[int] | None = None) -> tuple[list[int], list[int]]:
        """
        Which feature maps `tokens(levels=...)` shall give, and how many channels they have.

        Args:
            levels (`list[int]`, *optional*): stages, or layers of a transformer, from the end, -1 the last. By default
                the last one, and before it the last but one of stages, or the one after three quarters of the layers.

        Returns:
            `tuple[list[int], list[int]]`: the levels and their widths.

        Raises:
            ValueError: for a level that the encoder does not have, or one twice.
        """
        wanted = self.default_levels() if levels is None else levels
        return checked_levels(wanted, self.level_widths(), self.config.model_type)

    def level_widths(self) -> list[int]:
        """Channels of every stage or layer."""
        raise ValueError(
            f"A {self.kind} encoder shows no feature maps of stages: choose a ViT, DINOv2, ResNet, ConvNeXt or Swin."
        )

    def default_levels(self) -> list[int]:
        return [-2, -1]

    def prepare_levels(self, network: PreTrainedModel) -> None:
        """What has to be done once before `tokens(levels=...)` can be traced by torch.compile."""

    def tokens(
        self,
        network: PreTrainedModel,
        inputs: torch.Tensor,
        *,
        keep: torch.LongTensor | None = None,
        mask: torch.BoolTensor | None = None,
        levels: Sequence[int] = (),
        final_norm: bool = True,
    ) -> Tokens:
        """
        Args:
            network (`PreTrainedModel`): from `build`.
            inputs (`torch.Tensor`): the main input of the network.
            keep (`torch.LongTensor` of shape `(batch, visible)`, *optional*): the patches that enter the layers; the
                others are left out.
            mask (`torch.BoolTensor` of shape `(batch, patches)`, *optional*): over `mask_grid`; where True, the mask
                token takes the place of the patch.
            levels (`list[int]`, *optional*): of the feature maps, as `feature_levels` gives them. Where the final norm
                fits a level, it is applied.
            final_norm (`bool`, *optional*, defaults to `True`): whether prefix and patches have passed it.

        Raises:
            ValueError: for what this architecture cannot do.
        """
        self.require_tokens(network, keep, mask)
        return self.read(network, inputs, Wanted(keep, mask, tuple(levels), final_norm))

    def read(self, network: PreTrainedModel, inputs: torch.Tensor, wanted: Wanted) -> Tokens:
        """What `tokens` gives, of an architecture that can do what is wanted."""
        raise ValueError(f"A {self.kind} encoder shows no patches: choose a ViT, DINOv2, ResNet, ConvNeXt or Swin.")

    def require_tokens(self, network: PreTrainedModel, keep: torch.Tensor | None, mask: torch.Tensor | None) -> None:
        """A `ValueError` where patches cannot be left out, or masked."""
        if keep is not None and not self.can_drop:
            raise ValueError(f"A {self.kind} encoder needs all its patches, and none can be left out: choose a ViT.")
        if mask is not None and not self.can_mask:
            self.with_mask_token()
        if mask is not None and all(not name.endswith(self.mask_token_name) for name, _ in network.named_parameters()):
            raise ValueError("The encoder was built without a mask token: use build(mask_token=True).")
        if keep is not None and mask is not None:
            raise ValueError("Patches are either left out (keep) or masked (mask), not both.")

    def export(
        self, network: PreTrainedModel, pooling: str | None = None
    ) -> tuple[PreTrainedConfig, dict[str, torch.Tensor]]:
        """
        Configuration and state dict of the native model that plain `AutoModel` loads, and whose embedding, as
        `contract` says, is that of `embed`. Nothing random is drawn.
        """
        return AutoConfig.for_model(**network.config.to_dict()), dict(network.state_dict())

    def require_whole(self, network: PreTrainedModel) -> None:
        """A `ValueError` where loaded weights show that their configuration has lost a field."""

    def native(self, network: PreTrainedModel, pooling: str | None = None) -> PreTrainedModel:
        """
        What `export` describes, as a model in eval mode and in the dtype of `network`.

        Raises:
            RuntimeError: when a weight would be missing or left over.
        """
        config, state = self.export(network, pooling)
        native = AutoModel.from_config(config)
        native.load_state_dict(state, strict=True)
        return native.to(dtype=next(network.parameters()).dtype).eval()
