"""How the Trainer updates weights: by the parameter groups of the model, under its own schedules and clipping."""

from collections.abc import Sized

from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LambdaLR

from ..nn.parameter_groups import decays
from .arguments import refuse_optimizer_arguments
from .batches import steps_in_epoch
from .optimizers import LARS, clip_apart, clip_each_, clip_groups_, regroup_, schedule_groups_
from .saving import SavingTrainer


class OptimizingTrainer(SavingTrainer):
    """
    [`SavingTrainer`] that asks `SSLPreTrainedModel.parameter_groups` how each parameter is trained. An optimizer that
    the user gives has groups of its own, and is left as it is.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.own_optimizer = self.optimizer  # what the user gave, if anything
        if self.own_optimizer is not None:
            refuse_optimizer_arguments(self.args)

    @property
    def steps_per_epoch(self) -> int | None:
        """Optimizer steps of an epoch; `None` where the data have no length."""
        return steps_in_epoch(len(self.train_dataset), self.args) if isinstance(self.train_dataset, Sized) else None

    def warmup_steps(self, num_training_steps: int) -> int:
        """Optimizer steps of the warm-up, in a run of `num_training_steps`."""
        self.args.steps_per_epoch = self.steps_per_epoch
        return self.args.get_warmup_steps(num_training_steps)

    def get_decay_parameter_names(self, model) -> list[str]:
        return [name for name, parameter in model.named_parameters() if decays(name, parameter)]

    @staticmethod
    def get_optimizer_cls_and_kwargs(args, model=None):
        if not args.lars:
            return SavingTrainer.get_optimizer_cls_and_kwargs(args, model)
        trust = args.lars_trust_coefficient
        return LARS, {"lr": args.learning_rate, "momentum": args.lars_momentum, "trust_coefficient": trust}

    def create_optimizer(self, model=None):
        created = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if created:
            model = self.accelerator.unwrap_model(model if model is not None else self.model)
            regroup_(optimizer, model.parameter_groups(self.args))
        return optimizer

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        created = self.lr_scheduler is None
        self.args.steps_per_epoch = self.steps_per_epoch  # for the warm-up
        scheduler = super().create_scheduler(num_training_steps, optimizer)
        if created and isinstance(scheduler, LambdaLR) and self.own_optimizer is None:
            schedule_groups_(scheduler, self.args.get_warmup_steps(num_training_steps), num_training_steps)
        return scheduler

    def _get_learning_rate(self):
        return super()._get_learning_rate() / self.optimizer.param_groups[0].get("lr_scale", 1.0)

    def _clip_grad_norm(self, model):
        each, groups = self.args.max_parameter_grad_norm, self.optimizer.param_groups
        if each is None and not clip_apart(groups):
            return super()._clip_grad_norm(model)
        self.accelerator.unscale_gradients()
        if not clip_apart(groups):
            return clip_each_(model.parameters(), each)
        limit = self.args.max_grad_norm or float("inf")
        return clip_groups_(groups, lambda rest: clip_each_(rest, each) if each else clip_grad_norm_(rest, limit))

    def _get_grad_norm(self, model, grad_norm=None):
        if grad_norm is None and clip_apart(self.optimizer.param_groups):
            grad_norm = self._clip_grad_norm(model)  # which the Trainer calls for max_grad_norm alone
        return super()._get_grad_norm(model, grad_norm)
