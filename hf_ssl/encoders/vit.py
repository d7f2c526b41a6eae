"""ViT (arXiv:2010.11929) and what has its layers: DeiT, ViT-MSN, I-JEPA, and the encoder of ViTMAE."""

from typing import Any

import torch
from transformers import AutoConfig, BeitConfig, PreTrainedConfig, PreTrainedModel, ViTConfig
from transformers.modeling_outputs import BaseModelOutputWithPooling

from .official_names import vit_name
from .outputs import Contract
from .plain_transformer import TOKENS, PlainTransformerEncoder


class _ViTLayers(PlainTransformerEncoder):
    takes_interpolation = True
    can_mask = True
    branch_ends = ("attention.o_proj", "mlp.fc2")
    position_name = "embeddings.position_embeddings"
    has_size_of_positions = True

    def with_mask_token(self) -> tuple[PreTrainedConfig, dict[str, Any]]:
        return self.config, {"use_mask_token": True}

    def export(self, network: PreTrainedModel, pooling: str | None = None):
        config, state = super().export(network, pooling)
        state.pop(self.mask_token_name, None)  # an argument of the constructor, which `AutoModel` does not give
        return config, state


class ViTEncoder(_ViTLayers):
    """
    The embedding is CLS after the final norm; the native pooler, a tanh layer that nobody would train, is left out.
    With `pooling="mean"` it is the final norm of the mean patch.
    """

    model_types = ("vit",)
    poolings = (None, "mean")
    pooled = "the CLS token after the final norm (the pooler is the identity)"
    hidden = TOKENS.format(prefix="CLS first")

    def new(self, config: PreTrainedConfig, **arguments: Any) -> PreTrainedModel:
        network = super().new(config, **arguments)
        network.pooler = None
        return network

    def unpooled(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden[:, 0]

    def embed(
        self, network: PreTrainedModel, inputs: torch.Tensor, pooling: str | None = None, **kwargs: Any
    ) -> BaseModelOutputWithPooling:
        if pooling is None:
            return super().embed(network, inputs, **kwargs)
        self.require_inputs(inputs)
        tokens = self.run(network, inputs, **kwargs)[-1]
        embedding = network.layernorm(tokens[:, self.num_prefix :].mean(1))
        return BaseModelOutputWithPooling(last_hidden_state=tokens, pooler_output=embedding)

    def official_name(self, name: str) -> str:
        return vit_name(name)

    def contract(self, pooling: str | None = None) -> Contract:
        if pooling is None:
            return super().contract()
        hidden = "all tokens before the final norm, CLS first"
        return Contract("the final norm of the mean of the patch tokens", hidden, self.code)

    def export(self, network: PreTrainedModel, pooling: str | None = None):
        """
        With CLS: a pooler that is the identity (`pooler_act="linear"`), for without one `AutoModel` would make up a
        random one. With `pooling="mean"`: a `BeitModel` with absolute positions, whose pooler is the norm of the mean.
        """
        config, state = super().export(network, pooling)
        if pooling == "mean":
            return _mean_pooled_beit(config, state)
        fields = config.to_dict() | {"pooler_act": "linear", "pooler_output_size": self.width}
        state |= {"pooler.dense.weight": torch.eye(self.width), "pooler.dense.bias": torch.zeros(self.width)}
        return AutoConfig.for_model(**fields), state

    def require_whole(self, network: PreTrainedModel) -> None:
        """`export` makes the pooler the identity, which it is no more without `pooler_act="linear"`."""
        pooler = dict(network.named_children()).get("pooler")
        if pooler is None or self.config.pooler_act == "linear":
            return
        weight = pooler.dense.weight.float()
        if weight.shape[0] == weight.shape[1] and weight.equal(torch.eye(len(weight), device=weight.device)):
            raise ValueError(
                "The pooler is the identity, and pooler_act is not 'linear': config.json has lost a field, and the "
                'embedding would be another; add "pooler_act": "linear" to it, or export the encoder again.'
            )


class DeiTEncoder(ViTEncoder):
    model_types = ("deit",)
    poolings = (None,)
    num_prefix = 2
    hidden = TOKENS.format(prefix="CLS and the distillation token first")


class ViTMSNEncoder(_ViTLayers):
    model_types = ("vit_msn",)
    pooled = "the mean of all tokens after the final norm"
    hidden = TOKENS.format(prefix="CLS first")
    code = "outputs.last_hidden_state.mean(1)"


class IJepaEncoder(_ViTLayers):
    model_types = ("ijepa",)
    num_prefix = 0
    pooled = "the mean of all patches after the final norm"
    hidden = "all patches after the final norm, shape (batch, patches, dim), row by row"
    code = "outputs.last_hidden_state.mean(1)"


class ViTMAEEncoder(ViTEncoder):
    """
    The native `ViTMAEModel` hides a random part of each image even in eval mode. It is trained and published as the
    plain ViT that it is, whose weights have the same names.
    """

    model_types = ("vit_mae",)

    def __init__(self, config: PreTrainedConfig):
        shared = ViTConfig().to_dict().keys() - {"model_type", "architectures", "transformers_version"}
        fields = {name: value for name, value in config.to_dict().items() if name in shared}
        super().__init__(ViTConfig(**fields, attn_implementation=config._attn_implementation))
        self.native_config = config

    def to_load(self) -> PreTrainedConfig:
        """A `ViTMAEModel` that hides nothing."""
        return type(self.native_config).from_dict(self.native_config.to_dict() | {"mask_ratio": 0.0})

    def embed(
        self, network: PreTrainedModel, inputs: torch.Tensor, pooling: str | None = None, **kwargs: Any
    ) -> BaseModelOutputWithPooling:
        """Of a native `ViTMAEModel`, too, if it hides nothing (`mask_ratio` 0)."""
        if network.config.model_type == "vit_mae":
            if network.config.mask_ratio:
                raise ValueError(
                    "The encoder masks a random part of each image even in eval mode, so its embeddings are random "
                    "too: set config.mask_ratio = 0, or load the weights as a plain ViTModel."
                )
            rows, columns = self.grid(tuple(inputs.shape[-2:]))
            # It shuffles the patches that it keeps; in order, the embeddings are the same every time.
            kwargs["noise"] = torch.arange(rows * columns, device=inputs.device).expand(len(inputs), -1)
        return super().embed(network, inputs, pooling, **kwargs)


def _mean_pooled_beit(
    vit: PreTrainedConfig, state: dict[str, torch.Tensor]
) -> tuple[PreTrainedConfig, dict[str, torch.Tensor]]:
    shared = (
        "hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act initializer_range "
        "layer_norm_eps image_size patch_size num_channels"
    ).split()
    config = BeitConfig(
        **{name: vit.to_dict()[name] for name in shared},
        use_mask_token=False,
        use_absolute_position_embeddings=True,
        use_relative_position_bias=False,
        use_shared_relative_position_bias=False,
        use_mean_pooling=True,
        layer_scale_init_value=0.0,
        drop_path_rate=0.0,
    )
    renamed = {
        name.replace("layernorm.", "pooler.layernorm.") if name.startswith("layernorm.") else name: tensor
        for name, tensor in state.items()
        # A bias on the keys adds the same number to all logits of a query: softmax drops it, and so does BEiT.
        if not name.endswith("attention.k_proj.bias")
    }
    return config, renamed
