"""Official checkpoints into ours: what a method says about a layout, names of native encoders, a strict report."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig, PreTrainedModel, ResNetConfig, ViTConfig

from .checks.checkpoints import listed
from .encoders import encoder_for
from .nn.network_copy import NetworkCopy

# Widths whose heads are not of 64 dimensions: ViT-H, -g and -G (arXiv:2106.04560, table 2) have 16 heads.
_HEADS = {1280: 16, 1408: 16, 1664: 16}
_STEM, _PATCHES = "conv1.weight", "patch_embed.proj.weight"


@dataclass
class Conversion:
    """
    What `convert(checkpoint)` of a method's `convert_<name>.py` returns. It is given what `read_checkpoint` read, and
    raises a `ValueError` when that is plainly no checkpoint of the method; `convert_checkpoint` finds out the rest.

    Args:
        source (`str`): the public code whose layout this is, such as "facebookresearch/moco".
        tensors (`dict[str, torch.Tensor]`): of the file, by their names there.
        config (`dict`): fields of the method's configuration, `backbone_config` included.
        names (`dict[str, str | Callable]`): path of a module (or a buffer) of our model -> the prefix of its tensors
            in the file, or a function from a name inside the module to the name in the file. Of a module, the file
            holds all tensors or none; in the latter case it starts fresh.
        required (`tuple[str]`, *optional*): modules that must be in the file.
        ignored (`tuple[str]`, *optional*): prefixes of tensors of the file that our model has no use for.
        processor (`dict`, *optional*): attributes of the image processor.
    """

    source: str
    tensors: dict[str, torch.Tensor]
    config: dict[str, Any]
    names: dict[str, str | Callable[[str], str]]
    required: tuple[str, ...] = ("backbone",)
    ignored: tuple[str, ...] = ()
    processor: dict[str, Any] = field(default_factory=dict)

    def module_of(self, name: str) -> str | None:
        """The longest path in `names` that holds our tensor `name`."""
        return max((m for m in self.names if f"{name}.".startswith(f"{m}.")), key=len, default=None)

    def official_name(self, name: str) -> str:
        module = self.module_of(name)
        inside, rule = name.removeprefix(module).removeprefix("."), self.names[module]
        return rule + inside if isinstance(rule, str) else rule(inside)


def state_dict(checkpoint: Mapping[str, Any], *containers: str) -> dict[str, torch.Tensor]:
    """
    The tensors in the first of `containers` that there is, else in `checkpoint` itself.

    `module.` of DistributedDataParallel goes away. The fused weight `x.attn.qkv.weight` of a ViT becomes
    `x.attn.qkv.weight[0]`, `[1]` and `[2]`.

    Raises:
        ValueError: for anything else than tensors by name.
    """
    found = next((checkpoint[name] for name in containers if name in checkpoint), checkpoint)
    if not isinstance(found, Mapping) or not found or not all(map(_is_plain, found.values())):
        keys = listed([str(key) for key in found]) if isinstance(found, Mapping) else type(found).__name__
        raise ValueError(f"there are no tensors{f' under {containers[0]!r}' if containers else ''}, but {keys}")
    tensors = {}
    for name, tensor in found.items():
        name = str(name).removeprefix("module.")
        if re.search(r"\battn\.qkv\.(weight|bias)$", name) and tensor.dim() and len(tensor) % 3 == 0:
            tensors |= {f"{name}[{i}]": part for i, part in enumerate(tensor.chunk(3))}
        else:
            tensors[name] = tensor
    return tensors


def _is_plain(value: Any) -> bool:
    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided or value.device.type != "cpu":
        return False
    return not value.is_quantized and not value.is_complex()


def state_dicts(checkpoint: Mapping[str, Any], *containers: str) -> dict[str, torch.Tensor]:
    """The tensors in all of `containers` that there are, as `state_dict` gives them, named `container.name`."""
    return {
        f"{container}.{name}": tensor
        for container in containers
        if container in checkpoint
        for name, tensor in state_dict(checkpoint[container]).items()
    }


def layer_widths(tensors: Mapping[str, torch.Tensor], prefix: str, required: bool = False) -> list[int]:
    """
    Outputs of the linear layers `prefix0.weight`, `prefix3.weight`, …, in order; empty when there are none, or a
    `ValueError` when they are `required`.
    """
    if required:
        shape_of(tensors, f"{prefix}0.weight", 2)
    matches = [(re.fullmatch(re.escape(prefix) + r"(\d+)\.weight", name), t) for name, t in tensors.items()]
    return [width for _, width in sorted((int(m[1]), len(t)) for m, t in matches if m and t.dim() == 2)]


def count_layers(tensors: Mapping[str, torch.Tensor], prefix: str) -> int:
    """How many different numbers follow `prefix` in the names."""
    return len({m[1] for name in tensors if (m := re.match(re.escape(prefix) + r"(\d+)\.", name))})


def native_config(tensors: Mapping[str, torch.Tensor], prefix: str = "") -> PreTrainedConfig:
    """`vit_config` where there are the patches of a ViT, else `resnet_config`."""
    rule = vit_config if f"{prefix}{_PATCHES}" in tensors else resnet_config
    return rule(tensors, prefix)


def resnet_config(tensors: Mapping[str, torch.Tensor], prefix: str = "") -> ResNetConfig:
    """Configuration of a ResNet of torchvision, told from the shapes; a `ValueError` when there is none."""
    stem = shape_of(tensors, f"{prefix}{_STEM}", 4)
    bottleneck = f"{prefix}layer1.0.conv3.weight" in tensors
    last = "conv3" if bottleneck else "conv2"
    shape_of(tensors, f"{prefix}layer1.0.{last}.weight", 4)
    stages = range(1, 1 + sum(f"{prefix}layer{i}.0.{last}.weight" in tensors for i in range(1, 10)))
    return ResNetConfig(
        num_channels=stem[1],
        embedding_size=stem[0],
        hidden_sizes=[shape_of(tensors, f"{prefix}layer{i}.0.{last}.weight", 4)[0] for i in stages],
        depths=[count_layers(tensors, f"{prefix}layer{i}.") for i in stages],
        layer_type="bottleneck" if bottleneck else "basic",
        downsample_in_bottleneck=False,  # torchvision's ResNet v1.5 has the stride in the 3x3 convolution
    )


def vit_config(tensors: Mapping[str, torch.Tensor], prefix: str = "") -> ViTConfig:
    """Configuration of a ViT of timm, DINO, MAE or DeiT, told from the shapes; a `ValueError` when there is none."""
    width, channels, patch, _ = shape_of(tensors, f"{prefix}{_PATCHES}", 4)
    if width % 64 and width not in _HEADS:
        raise ValueError(f"the number of heads cannot be told from a width of {width}: it should be a multiple of 64")
    grid = round(max(shape_of(tensors, f"{prefix}pos_embed", 3)[1] - 1, 0) ** 0.5)
    return ViTConfig(
        hidden_size=width,
        num_hidden_layers=count_layers(tensors, f"{prefix}blocks."),
        num_attention_heads=_HEADS.get(width, width // 64),
        intermediate_size=shape_of(tensors, f"{prefix}blocks.0.mlp.fc1.weight", 2)[0],
        qkv_bias=f"{prefix}blocks.0.attn.qkv.bias[0]" in tensors,
        image_size=grid * patch,
        patch_size=patch,
        num_channels=channels,
        layer_norm_eps=1e-6,
    )


def shape_of(tensors: Mapping[str, torch.Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """The shape of a tensor; a `ValueError` where there is none of this name and of so many dimensions."""
    if name not in tensors:
        raise ValueError(f"missing {name}; unexpected {listed(list(tensors))}")
    shape = tuple(tensors[name].shape)
    if len(shape) != dimensions or 0 in shape:
        raise ValueError(f"{name} has the shape {shape} instead of {dimensions} dimensions")
    return shape


def resnet_with_projector(
    tensors: Mapping[str, torch.Tensor], prefix: str, projector: str
) -> tuple[PreTrainedConfig, dict[str, Any]]:
    """Configuration of the ResNet under `prefix`, and that of the method, with the widths of its projector if any."""
    backbone = resnet_config(tensors, prefix)
    widths = layer_widths(tensors, projector)
    return backbone, {"backbone_config": backbone} | ({"projection_sizes": widths} if widths else {})


def backbone_and_projector(checkpoint: Mapping[str, Any], source: str, ignored: tuple[str, ...] = ()) -> Conversion:
    """
    Of a checkpoint whose `model` has a ResNet `backbone` and a `projector`, or of the bare ResNet.

    Args:
        source: see [`Conversion`].
        ignored: see [`Conversion`]; of a whole checkpoint.
    """
    tensors = state_dict(checkpoint, "model")
    whole = "model" in checkpoint
    prefix = "backbone." if whole else ""
    backbone, config = resnet_with_projector(tensors, prefix, "projector.")
    return Conversion(
        source=source,
        tensors=tensors,
        config=config,
        names={"backbone": native_names(backbone, prefix), "projector": "projector."},
        required=("backbone", "projector") if whole else ("backbone",),
        ignored=ignored if whole else (),
    )


def native_names(config: PreTrainedConfig, prefix: str = "") -> Callable[[str], str]:
    """For `Conversion.names`: the names of an encoder whose `native_config` is `config`, behind `prefix`."""
    rule = encoder_for(config).official_name
    return lambda name: prefix + rule(name)


def convert_checkpoint(
    convert: Callable[[dict], Conversion], model_class: type[PreTrainedModel], checkpoint: dict[str, Any]
) -> tuple[PreTrainedModel, Conversion, list[str]]:
    """
    A model of `model_class` with the weights of an official checkpoint.

    Returns:
        The model, the [`Conversion`], and the parts that were not in the checkpoint and start as in a new run.

    Raises:
        ValueError: with the tensors that are missing, unexpected or of a wrong shape.
    """
    try:
        conversion = convert(checkpoint)
        config = model_class.config_class(**conversion.config)
        with torch.device("meta"):  # nothing is allocated before the shapes are known to be those of the file
            expected = model_class(config).state_dict()
        known = [name for name in expected if conversion.module_of(name) is not None]
        official = {name: conversion.official_name(name) for name in known}
    except KeyError as error:
        raise ValueError(f"missing {error.args[0]}") from None
    except (ArithmeticError, AssertionError, AttributeError, IndexError, RuntimeError, TypeError) as error:
        raise ValueError(f"its tensors do not fit together ({error})") from None
    except StrictDataclassError as error:
        raise ValueError(f"its tensors make no configuration ({' '.join(str(error).split())})") from None
    tensors = conversion.tensors
    present = {conversion.module_of(name) for name, theirs in official.items() if theirs in tensors}
    official = {n: o for n, o in official.items() if conversion.module_of(n) in present | set(conversion.required)}
    # Files from before PyTorch 0.4.1 count no batches.
    missing = [o for o in official.values() if o not in tensors and not o.endswith("num_batches_tracked")]
    known = set(official.values())
    unexpected = [name for name in tensors if name not in known and not name.startswith(conversion.ignored)]
    state = {n: tensors[o] for n, o in official.items() if o in tensors}
    wrong = [
        f"{official[n]} of shape {tuple(t.shape)} instead of {tuple(expected[n].shape)}"
        for n, t in state.items()
        if _without_ones(t) != _without_ones(expected[n])
    ]
    wrong += [
        f"{official[n]} of {t.dtype} instead of {expected[n].dtype}"
        for n, t in state.items()
        if expected[n].is_floating_point() and not t.is_floating_point()
    ]
    if missing or unexpected or wrong:
        kinds = {"missing": missing, "unexpected": unexpected, "wrong": wrong}
        raise ValueError("; ".join(f"{kind} {listed(names)}" for kind, names in kinds.items() if names))
    if broken := [official[n] for n, t in state.items() if t.is_floating_point() and not t.float().isfinite().all()]:
        raise ValueError(f"it holds values that are no finite numbers (NaN or infinity): {listed(broken)}")
    model = model_class(config)
    model.load_state_dict({n: t.reshape(expected[n].shape) for n, t in state.items()}, strict=False)
    fresh = sorted({n.split(".")[0] for n in expected} - {n.split(".")[0] for n in state})
    for name, twin in model.named_children():
        if isinstance(twin, NetworkCopy):
            for inside, tensor in twin.state_dict().items():
                if f"{name}.{inside}" not in state:
                    tensor.copy_(model.state_dict()[inside])
    return model.eval(), conversion, fresh


def _without_ones(tensor: torch.Tensor) -> list[int]:
    return [side for side in tensor.shape if side != 1]
