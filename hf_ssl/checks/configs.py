"""A configuration from anywhere: within bounds before anything is built of it, or one sentence that says why not."""

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig, PreTrainedModel, __version__
from transformers.activations import ACT2FN
from transformers.utils import CONFIG_NAME

from ..utils.spelling import find_slip
from .bounded_json import read_json, require_bounded
from .repository_files import Where, find_file

MAX_PARAMETERS = 20 * 10**9
_MAX_LIST = 64  # stages, sizes, levels
_MAX_LABELS = 200_000
_CLASS_TABLES = ("attribute_map", "sub_configs", "sub_configs_defaults", "base_config_key")
_DTYPES = ("float64", "float32", "float16", "bfloat16")
_ATTENTION = ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")

# Fields of the configurations of image encoders: pattern of the name -> smallest and largest value, whole or not.
# A list has to fit with every entry; `None` always fits.
_RANGES = (
    (r"num_hidden_layers|num_layers|depth", 1, 512, True),
    (r"num_\w*layers|(en|de)coder_layers|depths", 0, 512, True),
    (r"(\w+_)?(hidden|embed|embedding|intermediate|projection)_(size|sizes|dim|dims)", 1, 2**17, True),
    (r"(\w+_)?num_(attention_|key_value_)?heads|head_dim|num_channels|num_frames", 1, 2**13, True),
    (r"(image|patch|tubelet|window|temporal_patch|input)_sizes?", 1, 2**13, True),
    (r"patch_strides?|strides?|\w+_stride|kernel_sizes?", 1, 2**13, True),
    (r"vocab_size|max_position_embeddings|pooler_output_size|num_features", 1, 2**24, True),
    (r"chunk_size_feed_forward", 0, 2**13, True),
    (r"num_labels", 0, _MAX_LABELS, True),
    (r"(\w+_)?num_\w+", 0, 2**31, True),
    (r"(\w+_)?(eps|epsilon)", 1e-30, 0.5, False),
    (r"\w*(dropout|drop_rate|drop_path|drop_path_rate|dropout_prob|mask_ratio)", 0, 1, False),
    (r"initializer_(range|factor)|init_std", 0, 100, False),
    (r"mlp_ratios?|expand_ratio", 1e-3, 128, False),
    (r"layer_?scale_(init_)?value", -1000, 1000, False),
)
_ACTIVATIONS = ("hidden_act", "hidden_activation", "activation_function", "projection_hidden_act")
# Keys with which transformers would read other files, run other code, or make other weights than those of the file.
_NOT_FOLLOWED = (
    *("transformers_weights", "quantization_config", "compression_config", "fusion_config", "kernel_config"),
    "per_layer_config",
)
_COMMON = dataclasses.fields(PreTrainedConfig)
# What a damaged or hostile file makes the constructors of transformers raise, beside `ValueError` and `OSError`.
BUILDING_ERRORS = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError),
    *(StrictDataclassError, ImportError, MemoryError),
)


def checked_config(repository: str | Path, where: Where | None = None) -> PreTrainedConfig:
    """
    The configuration of a repository: its file is read within bounds, and its fields have types and values that can
    be meant. Nothing is built.

    Args:
        repository (`str` or `Path`): id on the Hub, or folder.
        where (`dict`, *optional*): see [`pinned`].

    Raises:
        ValueError: for everything else, with the field.
        OSError: where there is no such repository, or no config.json in it.
    """
    where = where or {}
    file = find_file(repository, CONFIG_NAME, where, required=True)
    place = Path(repository, where.get("subfolder") or "", CONFIG_NAME)
    values = read_json(file)
    require_config(values, place)
    try:
        return AutoConfig.from_pretrained(repository, trust_remote_code=False, **where)
    except OSError:
        raise
    except Exception as error:  # of a stranger's file; what transformers raises of it is no closed list
        raise ValueError(_reason(error, str(repository), place)) from None


def _reason(error: Exception, repository: str, place: Path) -> str:
    text = " ".join(str(error).split())
    if "custom code" in text:
        return f"{repository} needs code of its own (auto_map), which is not run here."
    if "does not recognize this architecture" in text:
        kind = " ".join(re.findall(r"model type `(.*?)`", text))
        return f"{repository} is a {kind!r} model, which transformers {__version__} does not know."
    if "Should have a `model_type` key" in text:
        return f"{place} names no model_type: it is no configuration of a model."
    if type(error) is ValueError:
        return text if str(place) in text else f"{place} makes no model: {text}"
    return f"{place} makes no model ({type(error).__name__}: {text[:300]})."


def require_config(values: Mapping[str, Any], place: str | Path) -> None:
    """
    Raises:
        ValueError: unless the fields of a configuration, and of those inside it, have types and values that can be
            meant; it names `place`.
    """
    try:
        require_bounded(values)
    except ValueError as error:
        raise ValueError(f"{place} {error}.") from None
    for name, fields in _with_inner(values):
        prefix = f"{name}." if name else ""
        _require_reserved(fields, prefix, place)
        kind = fields.get("model_type")
        usual = _defaults(kind)
        if slip := usual and find_slip(fields, usual):
            raise ValueError(f"{place} has {prefix}{slip[0]}, which is no field of {kind!r}: is {slip[1]} meant?")
        for field, value in fields.items():
            if field not in usual or value != usual[field]:  # some architectures have a meaning of their own for -1
                _require_range(prefix, field, value, place)
        heads, width = fields.get("num_attention_heads"), fields.get("hidden_size")
        if isinstance(heads, int) and isinstance(width, int) and "head_dim" not in fields and width % heads:
            raise ValueError(f"{place}: {prefix}hidden_size is {width}, no multiple of num_attention_heads, {heads}.")


def _defaults(kind: str | None) -> dict[str, Any]:
    """The fields of a kind of model that transformers knows, with their defaults."""
    if kind not in CONFIG_MAPPING:
        return {}
    other_names = CONFIG_MAPPING[kind].attribute_map
    return {field.name: field.default for field in dataclasses.fields(CONFIG_MAPPING[kind])} | other_names


def _with_inner(values: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The configuration and those inside it, by their paths."""
    waiting = [("", values)]
    while waiting:
        path, fields = waiting.pop()
        yield path, fields
        waiting += [
            (f"{path}.{name}".lstrip("."), value)
            for name, value in fields.items()
            if isinstance(value, Mapping) and (name.endswith("_config") or name == "pretrained_cfg")
        ]


def _require_reserved(fields: Mapping[str, Any], prefix: str, place: str | Path) -> None:
    for name in _NOT_FOLLOWED:
        if fields.get(name) is not None:
            raise ValueError(
                f"{place} has {prefix}{name}, which is not followed here: remove it, or convert the model."
            )
    kind = fields.get("model_type")
    if kind is not None and not isinstance(kind, str):
        raise ValueError(f"{place}: {prefix}model_type is {kind!r:.100}, no name of a kind of model.")
    for name in ("dtype", "torch_dtype"):
        if fields.get(name) is not None and fields[name] not in _DTYPES:
            raise ValueError(f"{place}: {prefix}{name} is {fields[name]!r:.100}, none of {', '.join(_DTYPES)}.")
    for name in _ACTIVATIONS:
        if isinstance(fields.get(name), str) and fields[name] not in ACT2FN:
            raise ValueError(f"{place}: {prefix}{name} is {fields[name]!r:.100}, no activation of transformers.")
    for name in ("attn_implementation", "_attn_implementation", "experts_implementation"):
        if fields.get(name) is not None and fields[name] not in _ATTENTION:
            raise ValueError(f"{place}: {prefix}{name} is {fields[name]!r:.100}, none of {', '.join(_ATTENTION)}.")
    names = fields.get("architectures")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ValueError(f"{place}: {prefix}architectures is {names!r:.100}, no list of names of classes.")
    for name in ("id2label", "label2id"):
        labels = fields.get(name)
        if labels is not None and not (isinstance(labels, Mapping) and len(labels) <= _MAX_LABELS):
            raise ValueError(f"{place}: {prefix}{name} is no table of at most {_MAX_LABELS} classes.")
    for name in fields:
        if name in _CLASS_TABLES or _is_method(fields.get("model_type"), name):
            raise ValueError(f"{place} has a field {prefix}{name}, which belongs to the class: remove it.")
    for field in _COMMON:
        value = fields.get(field.name)
        if isinstance(field.default, bool) and not isinstance(value, bool | None):
            raise ValueError(f"{place}: {prefix}{field.name} must be true or false, got {value!r:.100}.")
    for name in ("transformers_version", "problem_type", "_name_or_path"):
        if not isinstance(fields.get(name), str | None):
            raise ValueError(f"{place}: {prefix}{name} must be a text, got {fields[name]!r:.100}.")


def _is_method(kind: Any, name: str) -> bool:
    """Whether a field would replace a function of the configuration's class."""
    owner = CONFIG_MAPPING[kind] if isinstance(kind, str) and kind in CONFIG_MAPPING else PreTrainedConfig
    found = inspect.getattr_static(owner, name, None)
    return inspect.isfunction(found) or isinstance(found, classmethod | staticmethod)


def _require_range(prefix: str, name: str, value: Any, place: str | Path) -> None:
    rule = next((rule for rule in _RANGES if re.fullmatch(rule[0], name)), None)
    if rule is None or value is None or isinstance(value, Mapping):  # configurations inside have their own fields
        return
    _, low, high, whole = rule
    entries = value if isinstance(value, list | tuple) else [value]
    flat = [x for entry in entries for x in (entry if isinstance(entry, list | tuple) else [entry])]
    kinds = (int,) if whole else (int, float)
    fits = [isinstance(x, kinds) and not isinstance(x, bool) and low <= x <= high for x in flat]
    if not all(fits) or not 0 < len(flat) <= _MAX_LIST:
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"{place}: {prefix}{name} must be {kind} in [{low:g}, {high:g}], got {value!r:.100}.")


def parameters_of(auto: type, config: PreTrainedConfig, place: str | Path) -> PreTrainedModel:
    """
    The model of a configuration without memory for its weights, on PyTorch's meta device.

    Raises:
        ValueError: where the configuration makes no model, or one of more than 20 billion parameters.
    """
    try:
        with torch.device("meta"):
            model = auto(config) if issubclass(auto, PreTrainedModel) else auto.from_config(config)
    except (ValueError, *BUILDING_ERRORS) as error:
        text = " ".join(str(error).split())[:300]
        raise ValueError(f"{place} makes no model ({type(error).__name__}: {text}).") from None
    count = sum(tensor.numel() for tensor in model.state_dict().values())
    if count > MAX_PARAMETERS:
        raise ValueError(f"{place} describes {count} parameters, more than {MAX_PARAMETERS}: it is not loaded.")
    return model
