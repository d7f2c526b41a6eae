"""transformers' Trainer, and the few things self-supervision adds."""

from collections.abc import Sequence, Sized
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel
from ..nn.chunks import set_chunk_size
from .arguments import SSLTrainingArguments
from .callbacks import StepHooks, WeightDecaySchedule
from .collators import SequentialBatches, ViewCollator, make_views
from .doctor import Doctor
from .memory import channels_last_pays, freed_memory_kept
from .online import has_labels, images_with_loss, online_knn, require_best_metric, require_labels
from .optimizers import LARS, clip_each_, decays, hold_constant_groups_, mark_groups
from .publishing import PublishingTrainer


class SSLTrainer(PublishingTrainer):
    """
    [`~transformers.Trainer`] for models with the hooks of [`SSLPreTrainedModel`]; what it pushes is in
    [`PublishingTrainer`].

    Args:
        model (`SSLPreTrainedModel`): a `...ForPreTraining`.
        args (`SSLTrainingArguments`)
        processing_class (`SSLImageProcessor`): draws the views.
        train_dataset: samples `{"image": uint8 tensor (C, H, W), "index": int}`, see `hf_ssl.data`.
        eval_dataset (*optional*): the same; `evaluate` gives its loss and, where both data sets have `labels`, the
            accuracy of a kNN classifier over the training images.
        kwargs: every other argument of `Trainer`.

    Raises:
        ValueError: when the batch is too small for the method, or the data for one batch; for `views_on_device` with a
            stream in several processes.
    """

    def __init__(
        self,
        model: SSLPreTrainedModel,
        args: SSLTrainingArguments,
        processing_class: SSLImageProcessor,
        train_dataset=None,
        eval_dataset=None,
        data_collator=None,
        **kwargs,
    ):
        if model.batch_contrastive and args.per_device_train_batch_size < 2:
            raise ValueError(
                f"{type(model).__name__} compares the images of a batch with each other: "
                f"per_device_train_batch_size must be at least 2, got {args.per_device_train_batch_size}."
            )
        set_chunk_size(model, args.cached_chunk_size)
        if isinstance(train_dataset, Sized):
            model.on_data(len(train_dataset))
        if "labels" in model.forward_extras:
            require_labels(model, train_dataset)
        # The first process of several reads a stream for all, and only hands tensors on.
        shared = args.world_size > 1 and not isinstance(train_dataset, Sized)
        if args.views_on_device and shared:
            raise ValueError("views_on_device=True needs a data set with a length, or one process.")
        on_device = args.views_on_device
        if on_device is None:
            on_device = args.device.type != "cpu" and not shared
        channels_last = args.channels_last
        if channels_last is None:
            channels_last = channels_last_pays(model, processing_class.largest_view, args.device)
        if channels_last:
            model.to(memory_format=torch.channels_last)
        self._outputs: dict[str, list[torch.Tensor]] = {}
        self.doctor = Doctor() if args.doctor else None
        super().__init__(
            model=model,
            args=args,
            data_collator=data_collator
            or ViewCollator(processing_class, args.seed, not on_device, model.forward_extras),
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            **kwargs,
        )
        if not isinstance(eval_dataset, dict):
            require_best_metric(args.metric_for_best_model, train_dataset, eval_dataset, args.online_knn)
        self.add_callback(StepHooks(self.sequential_batches()))
        if args.final_weight_decay is not None:
            self.add_callback(WeightDecaySchedule)
        if self.doctor is not None:
            self.add_callback(self.doctor)

    def sequential_batches(self) -> SequentialBatches:
        """What `SSLPreTrainedModel.on_epoch_begin` gets."""
        batch_size, workers = self.args.train_batch_size, self.args.dataloader_num_workers
        return SequentialBatches(self.train_dataset, self.data_collator, batch_size, workers, self._prepare_inputs)

    def get_train_dataloader(self):
        batch = self.args.train_batch_size * self.args.world_size
        try:
            images = len(self.train_dataset)
        except TypeError:  # streaming data have no length
            return super().get_train_dataloader()
        if self.args.dataloader_drop_last and images < batch:
            raise ValueError(
                f"The data hold {images} images, less than one batch of {batch}: lower "
                "per_device_train_batch_size, or set dataloader_drop_last=False."
            )
        return super().get_train_dataloader()

    def train(self, *args, **kwargs):
        with freed_memory_kept():
            return super().train(*args, **kwargs)

    def _prepare_inputs(self, inputs):
        inputs = super()._prepare_inputs(inputs)
        return make_views(self.processing_class, inputs) if "images" in inputs else inputs

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if model.training:
            for name, value in (outputs.get("logs") or {}).items():
                self._outputs.setdefault(name, []).append(value.detach())
            if self.doctor is not None and outputs.get("embeddings") is not None:
                self.doctor.observe(outputs["embeddings"])
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args, **kwargs) -> None:
        if "loss" in logs:
            logs.update({name: torch.stack(values).mean().item() for name, values in self._outputs.items()})
            self._outputs.clear()
            rank = self.doctor.rank() if self.doctor is not None else None
            if rank is not None:
                logs["embedding_rank"] = rank
        super().log(logs, *args, **kwargs)

    def get_decay_parameter_names(self, model) -> list[str]:
        return [name for name, parameter in model.named_parameters() if decays(name, parameter)]

    def create_optimizer(self, model=None):
        created = self.optimizer is None
        if created and self.args.lars and self.optimizer_cls_and_kwargs is None:
            self.optimizer_cls_and_kwargs = (
                LARS,
                {
                    "lr": self.args.learning_rate,
                    "momentum": self.args.lars_momentum,
                    "trust_coefficient": self.args.lars_trust_coefficient,
                },
            )
        optimizer = super().create_optimizer(model)
        if created:
            model = self.accelerator.unwrap_model(model if model is not None else self.model)
            mark_groups(optimizer, model, model.constant_lr_modules)
            for group in optimizer.param_groups:
                group["lr"] *= 1.0 if group["decays"] else self.args.bias_lr_ratio
        return optimizer

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        created = self.lr_scheduler is None
        scheduler = super().create_scheduler(num_training_steps, optimizer)
        if created and isinstance(scheduler, LambdaLR):
            hold_constant_groups_(scheduler)
        return scheduler

    def _clip_grad_norm(self, model):
        if self.args.max_parameter_grad_norm is None:
            return super()._clip_grad_norm(model)
        return clip_each_(model.parameters(), self.args.max_parameter_grad_norm)

    def run_facts(self) -> dict[str, Any]:
        return super().run_facts() | {"doctor": list(self.doctor.findings.values()) if self.doctor else None}

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        """
        The loss on the views of `eval_dataset`, as far as there is one (see `images_with_loss`), and with labels the
        accuracy of a kNN classifier in percent, `..._knn`.
        """
        test = self.eval_dataset if eval_dataset is None else eval_dataset
        test = self.eval_dataset[test] if isinstance(test, str) else test
        metrics = {}
        if isinstance(test, dict) or not isinstance(test, Sized) or self.images_with_loss(test):
            metrics = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        if self.args.online_knn and has_labels(test) and has_labels(self.train_dataset):
            accuracy = self.online_knn(test)
            metrics[f"{metric_key_prefix}_knn"] = accuracy
            self.log({f"{metric_key_prefix}_knn": accuracy})
        return metrics

    def get_eval_dataloader(self, eval_dataset=None):
        # `images_with_loss` says what is left out of an evaluation; of a set below one batch nothing would be left.
        drop_last, self.args.dataloader_drop_last = self.args.dataloader_drop_last, False
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.args.dataloader_drop_last = drop_last

    def _get_eval_sampler(self, eval_dataset):
        images = self.images_with_loss(eval_dataset)
        return super()._get_eval_sampler(eval_dataset) if len(images) == len(eval_dataset) else images

    def images_with_loss(self, dataset) -> Sequence[int]:
        """The images of an evaluation set that have a loss, see [`~training.online.images_with_loss`]."""
        model, batch_size = self.accelerator.unwrap_model(self.model), self.args.eval_batch_size * self.args.world_size
        return images_with_loss(model, dataset, batch_size)

    def online_knn(self, test) -> float:
        """kNN accuracy in percent of the current encoder, on `test`, over at most `online_knn_images` images."""
        encoder = self.accelerator.unwrap_model(self.model).encoder()
        images, seed = self.args.online_knn_images, self.args.seed
        return online_knn(encoder, self.processing_class, self.train_dataset, test, images, seed)
