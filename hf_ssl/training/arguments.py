"""Training arguments: those of transformers, with defaults that fit self-supervision, and a few more."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import torch
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, get_scheduler
from transformers.utils import logging

from ..configuration_utils import closest
from ..utils.launchers import adopt_launcher
from .hidden_token import HiddenToken
from .quantities import COSINE, COSINE_WITH_MIN, merge, plain, refuse_two_names, refuse_without_effect

logger = logging.get_logger(__name__)


@dataclass(repr=False)
class SSLTrainingArguments(HiddenToken):
    r"""
    Every argument of [`~transformers.TrainingArguments`] works. These are added, or have another default.

    A quantity has one value: two arguments that set the same one, such as `learning_rate` and `base_learning_rate`,
    are refused, and so are arguments that would have no effect. `SSLTrainer.effective()` says what follows from all.

    Args:
        base_learning_rate (`float`, *optional*):
            Learning rate for a batch of 256; `learning_rate` becomes it times the global batch / 256.
        min_learning_rate (`float`, *optional*): where the cosine of the learning rate ends.
        warmup_epochs (`float`, *optional*, defaults to 0):
            Epochs of linear warm-up, for data with a length; for streams and a number of steps use `warmup_steps`.
        final_weight_decay (`float`, *optional*): end of a cosine from `weight_decay`.
        max_parameter_grad_norm (`float`, *optional*):
            Clip the gradient norm of each parameter by itself (DINO, MSN), in place of `max_grad_norm`.
        lars (`bool`, *optional*, defaults to `False`): SGD with layer-wise rates (LARS) in place of `optim`.
        lars_momentum (`float`, *optional*, defaults to 0.9)
        lars_trust_coefficient (`float`, *optional*, defaults to 0.001)
        bias_lr_ratio (`float`, *optional*, defaults to 1.0):
            Learning rate of biases and norms by that of the weights (Barlow Twins: 0.024).
        cached_chunk_size (`int`, *optional*):
            At most so many views pass the encoder at a time (GradCache, arXiv:2101.06983), at the cost of one more
            forward pass. Loss and gradients are those of the whole batch to rounding; what grows with the batch are
            views, embeddings and heads, not the encoder's activations. BatchNorm inside the encoder is refused unless
            in `eval()`; heads and their BatchNorms see the whole batch; dropout and stochastic depth draw other
            numbers than without chunks.
        views_on_device (`bool`, *optional*):
            Make the views on the training device; `False`: in the workers of the data loader. By default on the
            device whenever that is not the CPU, except for a stream that several processes share.
        sync_batch_norm (`bool`, *optional*, defaults to `True`):
            In several processes, BatchNorm takes its statistics from the batch of all, wherever the official code of
            the method does; MoCo v2 and InfoMin shuffle the batch instead. `False`: each process by itself.
        channels_last (`bool`, *optional*):
            Keep the channels of a pixel side by side in memory. By default for encoders of many convolutions, on a GPU
            or with views of 160 pixels and more, where they are faster so.
        online_knn (`bool`, *optional*, defaults to `True`):
            `evaluate()` also reports `eval_knn` (percent) when the training and evaluation data have labels.
        online_knn_images (`int`, *optional*, defaults to 5000): at most so many images in its bank.
        labels_per_class (`int`, *optional*): train with so many labels of each class, as if no other were known; by
            default with all. For methods that use labels. Which images they are is in the record of the run.
        labels_seed (`int`, *optional*, defaults to 0): of the draw of those images.
        doctor (`bool`, *optional*, defaults to `True`): watch for collapse and say so while it runs.
        save_minutes (`float`, *optional*, defaults to 10):
            Save a checkpoint at least every so many minutes, besides those of `save_strategy`, and remove it when the
            next one is saved; 0, or `save_strategy="no"`: never.
        derived (`dict`, *optional*):
            Arguments that followed from others, by name, so that a copy with other values (`dataclasses.replace`) does
            not take them for set. Written by the arguments themselves.

    Raises:
        ValueError: when two arguments set one quantity, or one has no effect.
    """

    output_dir: str | None = field(default="ssl-output", metadata={"help": "Where checkpoints and results go."})
    # The losses are means; NaN must be seen; nothing of a batch may be dropped for being no argument of `forward`.
    remove_unused_columns: bool | None = field(default=False, metadata={"help": "Keep every column of the data."})
    logging_nan_inf_filter: bool = field(default=False, metadata={"help": "Hide NaN and infinite losses from logs."})
    ddp_find_unused_parameters: bool | None = field(default=False, metadata={"help": "Passed on to DDP."})
    dataloader_drop_last: bool = field(default=True, metadata={"help": "Drop the last, short batch."})
    prediction_loss_only: bool = field(default=True, metadata={"help": "Keep only the loss when evaluating."})
    lr_scheduler_type: str = field(default="cosine", metadata={"help": "The learning rate schedule."})
    max_grad_norm: float = field(default=0.0, metadata={"help": "Clip the global gradient norm; 0 = never."})
    logging_steps: float = field(default=10, metadata={"help": "Log every so many steps."})
    log_level_replica: str = field(default="error", metadata={"help": "Of processes other than the first."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints to keep."})
    restore_callback_states_from_checkpoint: bool = field(
        default=True, metadata={"help": "Let callbacks that have a state, such as early stopping, go on from it."}
    )
    report_to: None | str | list[str] = field(default="none", metadata={"help": "Integrations to report to."})

    base_learning_rate: float | None = field(default=None, metadata={"help": "Learning rate for a batch of 256."})
    min_learning_rate: float | None = field(default=None, metadata={"help": "Where the cosine ends."})
    warmup_epochs: float = field(default=0.0, metadata={"help": "Epochs of linear warm-up."})
    final_weight_decay: float | None = field(default=None, metadata={"help": "End of the weight decay's cosine."})
    max_parameter_grad_norm: float | None = field(default=None, metadata={"help": "Clip each parameter by itself."})
    lars: bool = field(default=False, metadata={"help": "Use LARS."})
    lars_momentum: float = field(default=0.9, metadata={"help": "Momentum of LARS."})
    lars_trust_coefficient: float = field(default=0.001, metadata={"help": "Trust coefficient of LARS."})
    bias_lr_ratio: float = field(default=1.0, metadata={"help": "Of biases and norms, by learning_rate."})
    cached_chunk_size: int | None = field(default=None, metadata={"help": "Views that the encoder sees at a time."})
    views_on_device: bool | None = field(default=None, metadata={"help": "Make views on the training device."})
    sync_batch_norm: bool = field(default=True, metadata={"help": "BatchNorm sees the batch of all processes."})
    channels_last: bool | None = field(default=None, metadata={"help": "Memory format of convolutions."})
    online_knn: bool = field(default=True, metadata={"help": "Report kNN accuracy when evaluating."})
    online_knn_images: int = field(default=5000, metadata={"help": "Images in the bank of the online kNN."})
    labels_per_class: int | None = field(default=None, metadata={"help": "Train with so few labels of each class."})
    labels_seed: int = field(default=0, metadata={"help": "Which images those labels are of."})
    doctor: bool = field(default=True, metadata={"help": "Watch for collapse."})
    save_minutes: float = field(default=10.0, metadata={"help": "Save at least every so many minutes; 0 = never."})
    derived: dict | str | None = field(default=None, repr=False, metadata={"help": "Not for you: what followed."})
    # Optimizer steps of an epoch, which the Trainer knows.
    steps_per_epoch: int | None = field(default=None, init=False, repr=False)

    def __post_init__(self):
        values, defaults = vars(self), default_arguments()
        for name, value in (self.derived or {}).items():
            if values[name] == value:
                values[name] = defaults[name]
        self.derived = {}
        if self.min_learning_rate is not None and self.lr_scheduler_type == COSINE_WITH_MIN:
            self.lr_scheduler_type = COSINE  # the same in other words
        refuse_two_names(values, defaults)
        refuse_without_effect(values, defaults)
        if self.min_learning_rate is not None:
            self._derive("lr_scheduler_type", COSINE_WITH_MIN)
            self._derive("lr_scheduler_kwargs", {"min_lr": self.min_learning_rate})
        if self.max_parameter_grad_norm is not None:
            self._derive("max_grad_norm", self.max_parameter_grad_norm)  # else the Trainer clips nothing
        adopt_launcher()
        if not self.use_cpu and not torch.accelerator.is_available():
            # Unless one says so, accelerate does not join the processes of a launcher on CPUs, and bf16 is refused.
            self._derive("use_cpu", True)
        if self.accelerator_config is None and self.dataloader_pin_memory:
            self.accelerator_config = {"non_blocking": True}  # copies to the device do not hold up the process
        self.enable_jit_checkpoint = False  # a signal saves whatever this says, and without losing the step that runs
        eval_steps = self.eval_steps
        super().__post_init__()
        if self.eval_steps != eval_steps:
            self.derived["eval_steps"] = self.eval_steps
        check_schedule(plain(self.lr_scheduler_type), self.lr_scheduler_kwargs)
        check_optimizer_arguments(plain(self.optim), self.optim_args)
        self.scale_learning_rate()

    def _derive(self, name: str, value: Any) -> None:
        vars(self)[name] = self.derived[name] = value

    @property
    def global_batch_size(self) -> int:
        """Images of an optimizer step, over all processes."""
        return self.train_batch_size * self.gradient_accumulation_steps * self.world_size

    def scale_learning_rate(self) -> None:
        """Let `learning_rate` follow from `base_learning_rate`; again when the batch size was changed."""
        if self.base_learning_rate is not None:
            self._derive("learning_rate", self.base_learning_rate * self.global_batch_size / 256)

    def get_warmup_steps(self, num_training_steps: int) -> int:
        """
        Optimizer steps of the warm-up, of a run of `num_training_steps`; fewer than those.

        Raises:
            ValueError: for `warmup_epochs` when nobody knows how long an epoch is.
        """
        most = max(num_training_steps - 1, 0)  # the first step of a warm-up has a learning rate of 0
        if not self.warmup_epochs:
            return min(super().get_warmup_steps(num_training_steps), most)
        if self.steps_per_epoch is not None:
            return min(round(self.warmup_epochs * self.steps_per_epoch), most)
        if self.max_steps > 0:
            raise ValueError(
                f"warmup_epochs={self.warmup_epochs:g} needs data with a length, and a stream has none: set "
                "warmup_steps, to a number of steps or a share of them below 1."
            )
        return min(round(num_training_steps * self.warmup_epochs / self.num_train_epochs), most)


def default_arguments() -> dict[str, Any]:
    """Default of every argument, by name."""
    return {f.name: None if f.default is MISSING else f.default for f in fields(SSLTrainingArguments) if f.init}


def merge_arguments(recipe: Mapping[str, Any], explicit: Mapping[str, Any]) -> dict[str, Any]:
    """
    The arguments of a recipe under those that a user set.

    An explicit argument takes the place of what the recipe says of the same quantity under whatever name: with
    `learning_rate`, the recipe's `base_learning_rate` is gone; with `max_steps`, its `num_train_epochs`, and its
    `warmup_epochs` become the same share of the steps. What has no effect any more is left out.

    Args:
        recipe (`dict`): arguments by name.
        explicit (`dict`): arguments by name.

    Returns:
        `dict`: arguments for [`SSLTrainingArguments`].

    Raises:
        ValueError: when `explicit` names no argument, or sets one quantity twice.
    """
    defaults = default_arguments()
    known = set(defaults) - {"derived"}
    for name in explicit:
        if name not in known:
            raise ValueError(f"There is no training argument {name!r}.{closest(name, known)}")
    merged = merge(recipe, explicit, defaults)
    optimizers = [merged.get(name, defaults[name]) != recipe.get(name, defaults[name]) for name in ("optim", "lars")]
    rates = [f"{name}={recipe[name]:g}" for name in ("learning_rate", "base_learning_rate") if name in recipe]
    if any(optimizers) and rates and not {"learning_rate", "base_learning_rate"} & set(explicit):
        logger.warning(f"{rates[0]} of the recipe was chosen for another optimizer: set learning_rate too.")
    return merged


def refuse_optimizer_arguments(args: SSLTrainingArguments) -> None:
    """
    Raises:
        ValueError: when arguments are set that only an optimizer of the Trainer follows.
    """
    ignored = {
        "lars": args.lars,
        "final_weight_decay": args.final_weight_decay is not None,
        "bias_lr_ratio": args.bias_lr_ratio != 1.0,
        "base_learning_rate": args.base_learning_rate is not None,
    }
    if any(ignored.values()):
        names = ", ".join(name for name, is_set in ignored.items() if is_set)
        raise ValueError(f"{names} has no effect on the optimizer in optimizers=…: leave one or the other out.")


def check_schedule(kind: str, arguments: dict | str | None) -> None:
    """
    Raises:
        ValueError: when schedule `kind` takes no argument of this name or value, or lacks one.
    """
    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments or {}
    given = ("optimizer", "num_warmup_steps", "num_training_steps", "last_epoch")
    taken = inspect.signature(TYPE_TO_SCHEDULER_FUNCTION[kind]).parameters
    taken = {name: parameter for name, parameter in taken.items() if name not in given}
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())
    for name in arguments:
        if not anything and name not in taken:
            raise ValueError(
                f"lr_scheduler_kwargs has {name!r}, which lr_scheduler_type={kind!r} does not take: it takes "
                f"{', '.join(taken) or 'none'}."
            )
    lacking = [name for name, parameter in taken.items() if parameter.default is parameter.empty and not anything]
    lacking = [name for name in lacking if name not in arguments]
    if kind.endswith("with_min_lr") and ("min_lr" in arguments) == ("min_lr_rate" in arguments):
        lacking = ["min_lr or min_lr_rate"]
    if lacking:
        raise ValueError(f"lr_scheduler_type={kind!r} needs {lacking[0]} in lr_scheduler_kwargs.")
    try:
        get_scheduler(kind, torch.optim.SGD([torch.zeros(1)], lr=1.0), 0, 2, arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"lr_scheduler_kwargs={arguments} does not suit lr_scheduler_type={kind!r}: {error}."
        ) from None


# What of optim_args reaches the optimizer; transformers passes over the rest in silence.
_OPTIMIZER_ARGUMENTS = {
    "sgd": ("momentum", "dampening", "nesterov"),
    "adagrad": ("lr_decay", "eps"),
    "rmsprop": ("momentum", "alpha", "eps", "centered"),
    "adamw_torch": (),
    "adamw_torch_fused": (),
    "adafactor": (),
}


def check_optimizer_arguments(optim: str, text: str | None) -> None:
    """
    Raises:
        ValueError: when `text` is no list of NAME=VALUE, or names what optimizer `optim` does not take.
    """
    for item in text.replace(" ", "").split(",") if text else ():
        name, sign, value = item.partition("=")
        if not (name and sign and value) or "=" in value:
            raise ValueError(f"optim_args={text!r} is no list of NAME=VALUE with commas between.")
        taken = _OPTIMIZER_ARGUMENTS.get(optim)
        if taken is not None and name not in taken:
            raise ValueError(
                f"optim_args has {name!r}, which optim={optim!r} does not take: it takes {', '.join(taken) or 'none'}."
            )
