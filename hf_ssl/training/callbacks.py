"""Callbacks that carry the Trainer's events to the model's hooks and the optimizer's schedules."""

from transformers import TrainerCallback

from ..nn.schedules import cosine


class StepHooks(TrainerCallback):
    """
    Forward the steps to the hooks of the model; nothing here knows a method.

    Args:
        data (`TrainingData`): see `SSLPreTrainedModel.prepare`.
        set_epoch (callable): told of each epoch before the model is.
    """

    def __init__(self, data, set_epoch):
        self.data, self.set_epoch = data, set_epoch

    def on_train_begin(self, args, state, control, model, **kwargs):
        if state.global_step == 0:  # a run that goes on has it from its checkpoint
            self.set_epoch(0)
            model.prepare(self.data)

    def on_epoch_begin(self, args, state, control, model, **kwargs):
        epoch = int((state.epoch or 0) + 1e-6)
        self.set_epoch(epoch)
        model.on_epoch_begin(epoch)

    def on_step_begin(self, args, state, control, model, **kwargs):
        model.on_step_begin(state.global_step, state.max_steps)

    def on_pre_optimizer_step(self, args, state, control, model, **kwargs):
        model.before_optimizer_step(state.global_step, state.max_steps)

    def on_optimizer_step(self, args, state, control, model, **kwargs):
        model.after_optimizer_step(state.global_step, state.max_steps)


class WeightDecaySchedule(TrainerCallback):
    """A cosine from `weight_decay` to `final_weight_decay` over the run (DINO, arXiv:2104.14294, appendix B)."""

    def on_step_begin(self, args, state, control, optimizer, **kwargs):
        value = cosine(state.global_step, state.max_steps, args.weight_decay, args.final_weight_decay)
        for group in optimizer.param_groups:
            if group["follows_weight_decay"]:
                group["weight_decay"] = value
