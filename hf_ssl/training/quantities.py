"""One quantity, one field: training arguments that name the same thing, and those without effect beside others."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

# The fields of a tuple go together, and its first one decides; fields of two tuples exclude each other.
QUANTITIES: dict[str, tuple[tuple[str, ...], ...]] = {
    "the learning rate": (("learning_rate",), ("base_learning_rate",)),
    "the schedule of the learning rate": (("lr_scheduler_type", "lr_scheduler_kwargs"), ("min_learning_rate",)),
    "the warm-up": (("warmup_steps",), ("warmup_epochs",)),
    "the optimizer": (
        ("optim", "optim_args", "adam_beta1", "adam_beta2", "adam_epsilon"),
        ("lars", "lars_momentum", "lars_trust_coefficient"),
    ),
    "the clipping of gradients": (("max_grad_norm",), ("max_parameter_grad_norm",)),
    "the length of the run": (("num_train_epochs",), ("max_steps",)),
    "the precision of training": (("bf16",), ("fp16",)),
    "the precision of evaluation": (("bf16_full_eval",), ("fp16_full_eval",)),
    "what is recomputed in the backward pass": (
        ("activation_checkpointing", "activation_checkpointing_kwargs"),
        ("gradient_checkpointing", "gradient_checkpointing_kwargs"),
    ),
}
# A recipe chooses these for its own value of the key.
DETAILS: dict[str, tuple[str, ...]] = {
    "optim": ("optim_args",),
    "lr_scheduler_type": ("lr_scheduler_kwargs",),
    "weight_decay": ("final_weight_decay",),
    "eval_strategy": ("eval_steps",),
    "save_strategy": ("save_steps",),
    "logging_strategy": ("logging_steps",),
}
COSINE, COSINE_WITH_MIN = "cosine", "cosine_with_min_lr"
_WITHOUT_WARMUP = ("constant", "reduce_lr_on_plateau", "greedy")
_WITHOUT_ARGUMENTS = ("constant", "constant_with_warmup")
_WITHOUT_BETAS = ("sgd", "adagrad", "rmsprop", "adafactor", "lomo")


def _steps(value) -> bool:
    return value == "steps"


def _has_warmup(schedule) -> bool:
    return schedule not in _WITHOUT_WARMUP


def _is_adam(optim) -> bool:
    return not any(name in plain(optim) for name in _WITHOUT_BETAS)


# Field -> the field it depends on, for which values of that it has an effect, and what to do.
NEEDS = {
    "lars_momentum": ("lars", bool, "set lars=True, or for SGD optim_args='momentum=…'"),
    "lars_trust_coefficient": ("lars", bool, "set lars=True"),
    "adam_beta1": ("optim", _is_adam, "choose an Adam, or optim_args"),
    "adam_beta2": ("optim", _is_adam, "choose an Adam, or optim_args"),
    "adam_epsilon": ("optim", _is_adam, "choose an Adam, or optim_args"),
    "warmup_steps": ("lr_scheduler_type", _has_warmup, "use constant_with_warmup, or another schedule"),
    "warmup_epochs": ("lr_scheduler_type", _has_warmup, "use constant_with_warmup, or another schedule"),
    "lr_scheduler_kwargs": ("lr_scheduler_type", lambda kind: kind not in _WITHOUT_ARGUMENTS, "choose a schedule"),
    "eval_steps": ("eval_strategy", _steps, "set eval_strategy='steps'"),
    "save_steps": ("save_strategy", _steps, "set save_strategy='steps'"),
    "logging_steps": ("logging_strategy", _steps, "set logging_strategy='steps'"),
    "online_knn_images": ("online_knn", bool, "set online_knn=True"),
    "labels_seed": ("labels_per_class", bool, "set labels_per_class"),
}


def plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def refuse_two_names(values: Mapping[str, Any], defaults: Mapping[str, Any], explicit: bool = False) -> None:
    """
    Args:
        values: arguments by name.
        defaults: of all arguments; a value that differs was set.
        explicit (`bool`, *optional*): `values` holds nothing but what the user set: defaults that switch something on
            count too.

    Raises:
        ValueError: when two names of one quantity are set.
    """

    def is_set(name: str) -> bool:
        if name not in values or (name == "lr_scheduler_type" and values[name] in (COSINE, COSINE_WITH_MIN)):
            return False
        return values[name] != defaults[name] or (explicit and _says_something(values[name]) and values[name] != 0)

    for quantity, alternatives in QUANTITIES.items():
        if quantity == "what is recomputed in the backward pass" and not explicit:
            continue  # transformers fills both with one value
        names = [next((name for name in names if is_set(name)), None) for names in alternatives]
        if None not in names:
            both = " and ".join(f"{name}={plain(values[name])!r}" for name in names)
            raise ValueError(f"{both} both set {quantity}: give one of them.")


def refuse_without_effect(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """
    Args:
        values: all arguments by name.
        defaults: of all arguments; a value that differs was set.

    Raises:
        ValueError: when one is set that has no effect beside the others.
    """
    for name, (other, _, remedy) in NEEDS.items():
        if values[name] != defaults[name] and without_effect(name, values):
            cause = f"{name}={values[name]!r} has no effect with {other}={plain(values[other])!r}"
            raise ValueError(f"{cause}: {remedy}, or leave it out.")


def without_effect(name: str, values: Mapping[str, Any]) -> bool:
    """Whether argument `name` has no effect beside the others of `values`."""
    other, works, _ = NEEDS.get(name, (None, None, None))
    return other is not None and not works(values[other])


def merge(recipe: Mapping[str, Any], explicit: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """See `merge_arguments`."""
    refuse_two_names(explicit, defaults, explicit=True)
    kept = dict(recipe)
    kept |= _warmup_of_another_length(recipe, explicit, defaults)
    for alternatives in QUANTITIES.values():
        for own in alternatives:
            if own[0] in explicit and _says_something(explicit[own[0]]):
                for name in [name for names in alternatives if names != own for name in names]:
                    kept.pop(name, None)
    for head, details in DETAILS.items():
        if head in explicit and explicit[head] != recipe.get(head, defaults[head]):
            for name in details:
                kept.pop(name, None)
        if head.endswith("_strategy") and details[0] in explicit:
            kept[head] = "steps"
    values = {**defaults, **kept, **explicit}
    kept = {name: value for name, value in kept.items() if name in explicit or not without_effect(name, values)}
    return kept | dict(explicit)


def _says_something(value: Any) -> bool:
    """Not `None`, `False` or a negative number, by which a field says that another one rules."""
    return value is not None and value is not False and not (isinstance(value, (int, float)) and value < 0)


def _warmup_of_another_length(recipe: Mapping, explicit: Mapping, defaults: Mapping) -> dict[str, Any]:
    """The warm-up of a recipe is a share of its length: a shorter run keeps the share."""
    warmup = recipe.get("warmup_epochs")
    if not warmup or "warmup_epochs" in explicit or "warmup_steps" in explicit:
        return {}
    share = warmup / recipe.get("num_train_epochs", defaults["num_train_epochs"])
    if explicit.get("max_steps", -1) > 0:
        return {"warmup_epochs": 0.0, "warmup_steps": share}
    if "num_train_epochs" in explicit:
        return {"warmup_epochs": min(warmup, share * explicit["num_train_epochs"])}
    return {}
