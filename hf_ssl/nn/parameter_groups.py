"""How the parameters of a model are trained: which ones decay, with what learning rate, schedule and clipping."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from torch import nn

_NEVER_DECAYED = ("cls_token", "mask_token", "register_tokens", "position_embeddings", "relative_position_bias_table")


class OptimizerArguments(Protocol):
    """The training arguments that parameter groups follow from."""

    weight_decay: float
    bias_lr_ratio: float
    lr_scheduler_type: str
    lr_scheduler_kwargs: dict | str | None


@dataclass(frozen=True)
class Treatment:
    """
    How some parameters differ from the rest in training. Parameters of equal treatment share their groups.

    Args:
        name (`str`, *optional*): tells these parameters from others that are treated alike but clipped apart, such as
            two heads.
        lr_scale (`float`, *optional*, defaults to 1.0): learning rate as a multiple of `learning_rate`: layer-wise
            decay, a slower patch embedding.
        weight_decay (`float`, *optional*): of the parameters that decay, constant over the run; by default that of
            the training arguments, with its schedule.
        schedule (`str`, *optional*): "constant", or another schedule of transformers without arguments of its own
            ("cosine", "linear", ...) or one of `nn.schedules.LEARNING_RATES`, with the warm-up of the run; by default
            `lr_scheduler_type`.
        max_grad_norm (`float`, *optional*): clip the norm of all gradients of this treatment, taken together and apart
            from the others; by default they are clipped as the training arguments say.
    """

    name: str = ""
    lr_scale: float = 1.0
    weight_decay: float | None = None
    schedule: str | None = None
    max_grad_norm: float | None = None


_AS_THE_ARGUMENTS_SAY = Treatment()


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay (and LARS's rate adaptation) applies: matrices and filters, but no tokens or positions."""
    return parameter.ndim > 1 and name.rsplit(".", 1)[-1] not in _NEVER_DECAYED


def grouped(
    named_parameters: Iterable[tuple[str, nn.Parameter]],
    args: OptimizerArguments,
    treatment: Callable[[str], Treatment] = lambda name: _AS_THE_ARGUMENTS_SAY,
) -> list[dict[str, Any]]:
    """
    Parameter groups of an optimizer: two for each treatment, of the parameters that decay and of those that do not.

    Args:
        named_parameters: of a model, in its order; those without gradient are left out.
        args (`SSLTrainingArguments`): `weight_decay`, and `bias_lr_ratio` for what does not decay.
        treatment (`Callable`, *optional*): name of a parameter -> its [`Treatment`]; by default all are treated alike.

    Returns:
        `list[dict]`: in the order in which the treatments come up. Each has `params`; `lr_scale`, `weight_decay`,
        `schedule` and `max_grad_norm` as [`Treatment`] says; `clipped_with`, equal in the groups whose gradients have
        one norm; `decays`, whether LARS adapts the rate; and `follows_weight_decay`, whether `weight_decay` moves to
        `final_weight_decay` in the run.
    """
    parts: dict[Treatment, dict[bool, list[nn.Parameter]]] = {}
    for name, parameter in named_parameters:
        if parameter.requires_grad:
            part = parts.setdefault(treatment(name), {True: [], False: []})
            part[decays(name, parameter)].append(parameter)
    groups = []
    for number, (how, part) in enumerate(parts.items()):
        own = asdict(how)
        own.pop("name")
        decay = args.weight_decay if how.weight_decay is None else how.weight_decay
        for decaying, parameters in part.items():
            groups.append(
                own
                | {
                    "params": parameters,
                    "lr_scale": how.lr_scale * (1.0 if decaying else args.bias_lr_ratio),
                    "weight_decay": decay if decaying else 0.0,
                    "clipped_with": number,
                    "decays": decaying,
                    "follows_weight_decay": decaying and how.weight_decay is None,
                }
            )
    return [group for group in groups if group["params"]]
