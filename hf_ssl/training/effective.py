"""What follows from the arguments, the model and the data together: what a run really does."""

import math
from typing import Any

from .quantities import COSINE, COSINE_WITH_MIN, plain


def effective_values(trainer) -> dict[str, Any]:
    """
    Args:
        trainer (`SSLTrainer`)

    Returns:
        `dict`: `optimizer` (name of its class), `learning_rate` (the peak), `lr_scheduler_type` (or what the method
        has in its place for all parameters), `min_learning_rate` (the end of a cosine), `warmup_steps`,
        `weight_decay`, `final_weight_decay`, `batch_size` (images of an optimizer step over all processes), `steps`,
        `steps_per_epoch`, `epochs` and `precision`. `None` is what does not apply, or is not known because the data
        have no length.
    """
    args, per_epoch = trainer.args, trainer.steps_per_epoch
    steps = args.max_steps if args.max_steps > 0 else None
    if steps is None and per_epoch is not None:
        steps = math.ceil(args.num_train_epochs * per_epoch)
    if trainer.own_optimizer is None:
        cls, options = trainer.optimizer_cls_and_kwargs or trainer.get_optimizer_cls_and_kwargs(args, trainer.model)
        learning_rate, weight_decay = options["lr"], args.weight_decay
    else:
        cls, groups = type(trainer.own_optimizer), trainer.own_optimizer.param_groups
        learning_rate = max(group.get("initial_lr", group["lr"]) for group in groups)
        weight_decay = max(group.get("weight_decay", 0.0) for group in groups)
    schedule = plain(args.lr_scheduler_type)
    if trainer.own_optimizer is None:
        named = {group["schedule"] for group in trainer.model.parameter_groups(args)}
        schedule = named.pop() if len(named) == 1 and None not in named else schedule
    return {
        "optimizer": cls.__name__,
        "learning_rate": learning_rate,
        "lr_scheduler_type": COSINE if schedule == COSINE_WITH_MIN else schedule,
        "min_learning_rate": _end_of_cosine(schedule, learning_rate, args.lr_scheduler_kwargs or {}),
        "warmup_steps": None if steps is None else trainer.warmup_steps(steps),
        "weight_decay": weight_decay,
        "final_weight_decay": args.final_weight_decay,
        "batch_size": args.global_batch_size,
        "steps": steps,
        "steps_per_epoch": per_epoch,
        "epochs": None if steps is None or per_epoch is None else round(steps / per_epoch, 4),
        "precision": {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}.get(args.mixed_precision),
    }


def _end_of_cosine(schedule: str, peak: float, options: dict) -> float | None:
    if schedule == COSINE_WITH_MIN:
        return options["min_lr"] if options.get("min_lr") is not None else peak * options["min_lr_rate"]
    return 0.0 if schedule == COSINE else None


def describe(values: dict[str, Any]) -> str:
    """Optimizer and schedules of `effective_values` in one line, for people."""
    end = f" to {values['min_learning_rate']:.3g}" if values["min_learning_rate"] else ""
    last = f" to {values['final_weight_decay']:g}" if values["final_weight_decay"] is not None else ""
    schedule = values["lr_scheduler_type"].replace("_", " ")
    if values["warmup_steps"]:
        schedule += f", {values['warmup_steps']} step{'s' * (values['warmup_steps'] > 1)} of warm-up"
    return (
        f"{values['optimizer']}, learning rate {values['learning_rate']:.3g}{end} ({schedule}), weight decay "
        f"{values['weight_decay']:g}{last}, {values['precision']}"
    )
