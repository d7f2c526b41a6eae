"""Training arguments: those of transformers, with defaults that fit self-supervision, and a few more."""

from dataclasses import dataclass, field

import torch
from transformers import TrainingArguments


@dataclass
class SSLTrainingArguments(TrainingArguments):
    r"""
    Every argument of [`~transformers.TrainingArguments`] works. These are added, or have another default.

    Args:
        base_learning_rate (`float`, *optional*):
            Learning rate for a batch of 256; `learning_rate` becomes it times the global batch / 256.
        min_learning_rate (`float`, *optional*): where the cosine ends.
        warmup_epochs (`float`, *optional*, defaults to 0): epochs of linear warm-up.
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
        channels_last (`bool`, *optional*):
            Keep the channels of a pixel side by side in memory. By default for encoders of many convolutions, on a GPU
            or with views of 160 pixels and more, where they are faster so.
        online_knn (`bool`, *optional*, defaults to `True`):
            `evaluate()` also reports `eval_knn` (percent) when the training and evaluation data have labels.
        online_knn_images (`int`, *optional*, defaults to 5000): at most so many images in its bank.
        doctor (`bool`, *optional*, defaults to `True`): watch for collapse and say so while it runs.
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
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints to keep."})
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
    channels_last: bool | None = field(default=None, metadata={"help": "Memory format of convolutions."})
    online_knn: bool = field(default=True, metadata={"help": "Report kNN accuracy when evaluating."})
    online_knn_images: int = field(default=5000, metadata={"help": "Images in the bank of the online kNN."})
    doctor: bool = field(default=True, metadata={"help": "Watch for collapse."})

    def __post_init__(self):
        if self.min_learning_rate is not None:
            self.lr_scheduler_type = "cosine_with_min_lr"
            self.lr_scheduler_kwargs = {"min_lr": self.min_learning_rate}
        if self.bf16 and not torch.accelerator.is_available():
            self.use_cpu = True  # transformers would ask the user to say so
        if self.accelerator_config is None and self.dataloader_pin_memory:
            self.accelerator_config = {"non_blocking": True}  # copies to the device do not hold up the process
        super().__post_init__()
        if self.base_learning_rate is not None:
            batch = self.train_batch_size * self.gradient_accumulation_steps * self.world_size
            self.learning_rate = self.base_learning_rate * batch / 256

    def get_warmup_steps(self, num_training_steps: int) -> int:
        if self.warmup_epochs:
            return round(num_training_steps * min(self.warmup_epochs / self.num_train_epochs, 1.0))
        return super().get_warmup_steps(num_training_steps)
