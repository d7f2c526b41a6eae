"""transformers' Trainer, and the few things self-supervision adds."""

from collections.abc import Sequence, Sized
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import PrinterCallback, ProgressCallback

from ..data import ImageDataset, ImageStream
from ..modeling_utils import SSLPreTrainedModel
from ..nn.chunks import set_chunk_size
from ..processing_utils import SSLProcessorMixin
from ..utils.packed_images import PackedImages
from ..utils.printing import say
from ..utils.stopping import InWorker
from .arguments import SSLTrainingArguments
from .batches import WholeBatches, settle_batch
from .callbacks import StepHooks, WeightDecaySchedule
from .collators import SequentialData, ViewCollator
from .doctor import Doctor
from .effective import effective_values
from .memory import channels_last_pays, freed_memory_kept
from .online import has_labels, images_with_loss, online_knn, require_best_metric, require_labels
from .opened import images_beside, open_data
from .optimizing import OptimizingTrainer
from .places import PlacedSampler, PlacedSamples
from .processes import join_batches, mean_logs
from .progress import LogPrinter, ProgressLine
from .streams import TwoStreamSampler, TwoStreamSamples, labelled_images


class SSLTrainer(OptimizingTrainer):
    """
    [`~transformers.Trainer`] for models with the hooks of [`SSLPreTrainedModel`]; how it updates weights is in
    [`OptimizingTrainer`], how it saves in [`SavingTrainer`].

    Args:
        model (`SSLPreTrainedModel`): a `...ForPreTraining`.
        args (`SSLTrainingArguments`)
        processing_class (`SSLProcessorMixin`): draws the views.
        train_dataset: what `load_data` gives, whose test part is then the `eval_dataset` by default, or its `train`;
            or whatever `as_image_dataset` takes: a `datasets.Dataset`, a torch data set, a list of images or files,
            the name of a folder. What is found in it is said in a few lines.
        eval_dataset (*optional*): the same, or a dict of such data sets; `evaluate` gives its loss and, where both
            data sets have `labels`, the accuracy of a kNN classifier over the training images.
        data_collator (*optional*): makes batches in a way of your own; the data sets then stay as they are.
        kwargs: every other argument of `Trainer`.

    A batch above the number of images is lowered in `args`, which is logged.

    Raises:
        ValueError: when the batch or the data are too small for the method; for labels that are missing, or that the
            method does not use; for `views_on_device` with a stream in several processes; for `warmup_epochs` with a
            stream; for arguments about the optimizer with an optimizer of your own.
    """

    def __init__(
        self,
        model: SSLPreTrainedModel,
        args: SSLTrainingArguments,
        processing_class: SSLProcessorMixin,
        train_dataset=None,
        eval_dataset=None,
        data_collator=None,
        **kwargs,
    ):
        self.about: dict[str, Any] = {}
        if data_collator is None:
            opened = open_data(train_dataset, eval_dataset, processing_class)
            train_dataset, eval_dataset, self.about = opened.train, opened.test, opened.about
            if args.should_log:
                for line in opened.lines:
                    say(line)
        set_chunk_size(model, args.cached_chunk_size)
        if isinstance(train_dataset, Sized):
            model.size_for(len(train_dataset))
        settle_batch(model, args, train_dataset)
        if isinstance(train_dataset, (ImageDataset, ImageStream)):
            processing_class.settle(train_dataset)
        if "labels" in model.data_columns:
            require_labels(model, train_dataset)
        labelled = labelled_images(model, args, train_dataset)
        if args.labels_per_class is not None:
            self.about["labelled_images"] = labelled.tolist()
        # The first process of several reads a stream for all, and only hands tensors on.
        shared = args.world_size > 1 and not isinstance(train_dataset, Sized)
        if args.views_on_device and shared:
            raise ValueError("views_on_device=True needs a data set with a length, or one process.")
        on_device = args.views_on_device
        if on_device is None:
            on_device = args.device.type != "cpu" and not shared
        channels_last = args.channels_last
        if channels_last is None:
            side = processing_class.largest_view
            channels_last = side is not None and channels_last_pays(model, side, args.device)
        join_batches(model, args, train_dataset)
        if channels_last:
            model.to(memory_format=torch.channels_last)
        self._outputs: dict[str, list[torch.Tensor]] = {}
        self.doctor = Doctor() if args.doctor else None
        super().__init__(
            model=model,
            args=args,
            data_collator=data_collator
            or ViewCollator(processing_class, args.seed, not on_device, model.data_columns, args.process_index),
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            **kwargs,
        )
        self.labelled = labelled
        self._progress = ProgressLine()
        if self.pop_callback(ProgressCallback) is not None:
            self.add_callback(self._progress)
        elif self.pop_callback(PrinterCallback) is not None:
            self.add_callback(LogPrinter)
        if train_dataset is not None and args.max_steps > 0:
            self.warmup_steps(args.max_steps)  # a stream has no epochs to count
        self.add_callback(StepHooks(self.sequential_data(), self.set_epoch))
        if not isinstance(eval_dataset, dict):
            require_best_metric(args.metric_for_best_model, train_dataset, eval_dataset, args.online_knn)
        if args.final_weight_decay is not None:
            self.add_callback(WeightDecaySchedule)
        if self.doctor is not None:
            self.add_callback(self.doctor)

    def sequential_data(self) -> SequentialData:
        """What `SSLPreTrainedModel.prepare` gets."""
        batch_size, workers = self.args.train_batch_size, self.args.dataloader_num_workers
        return SequentialData(self.train_dataset, self.data_collator, batch_size, workers, self._prepare_inputs)

    def set_epoch(self, epoch: int) -> None:
        """Let the views of the training data be those of `epoch`."""
        if isinstance(self.data_collator, ViewCollator):
            self.data_collator.set_epoch(epoch)

    def effective(self) -> dict[str, Any]:
        """What follows from arguments, model and data; see [`effective_values`]."""
        return effective_values(self)

    def _get_dataloader(self, dataset, description, batch_size, *args, is_training=False, **kwargs):
        collator = self.data_collator
        if is_training and isinstance(dataset, ImageStream) and self.args.dataloader_drop_last:
            dataset = WholeBatches(dataset, batch_size)  # torch drops the last batch of data with a length only
        if not is_training and isinstance(collator, ViewCollator):
            self.data_collator = collator.for_evaluation()
        placed = is_training and isinstance(collator, ViewCollator) and isinstance(dataset, Sized)
        if placed:
            dataset = self._placed_samples(dataset)
        try:
            loader = super()._get_dataloader(
                dataset, description, batch_size, *args, is_training=is_training, **kwargs
            )
            if placed:  # after accelerate has chosen the sampler
                loader.set_sampler(PlacedSampler(self._streams(loader.get_sampler())))
            loader.worker_init_fn = InWorker(loader.worker_init_fn)
            return loader
        finally:
            self.data_collator = collator

    def _placed_samples(self, dataset) -> PlacedSamples:
        if self.labelled is None:
            return PlacedSamples(dataset)
        return TwoStreamSamples(dataset, self._unlabelled_per_label)

    def _streams(self, sampler: Sampler) -> Sampler:
        if self.labelled is None:
            return sampler
        return TwoStreamSampler(sampler, self.labelled, self._unlabelled_per_label, self.args.seed)

    @property
    def _unlabelled_per_label(self) -> int:
        return self.accelerator.unwrap_model(self.model).unlabelled_per_label

    def _init_training_state(self, max_steps, *args):
        progress = super()._init_training_state(max_steps, *args)
        self.state.compute_steps(self.args, max_steps)  # of this start, not of the one that wrote the checkpoint
        return progress

    def _update_auto_batch_size(self, batch_size):
        super()._update_auto_batch_size(batch_size)
        if batch_size != self.args.train_batch_size:  # the one before was too large for the memory
            self.args.per_device_train_batch_size = batch_size // max(1, self.args.n_gpu)
            self.args.scale_learning_rate()
            self.optimizer = self.own_optimizer

    def train(self, *args, **kwargs):
        try:
            with freed_memory_kept():
                return super().train(*args, **kwargs)
        except BaseException:
            self._progress.clear()
            raise

    def _prepare_input(self, data):
        return data.to(self.args.device) if isinstance(data, PackedImages) else super()._prepare_input(data)

    def _prepare_inputs(self, inputs):
        inputs = super()._prepare_inputs(inputs)
        return self.processing_class.views_of(inputs) if "view_seed" in inputs else inputs

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
            logs.update(mean_logs(self._outputs))
            self._outputs.clear()
            rank = self.doctor.rank() if self.doctor is not None else None
            if rank is not None:
                logs["embedding_rank"] = rank
        super().log(logs, *args, **kwargs)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        """
        The loss on the views of `eval_dataset`, as far as there is one (see `images_with_loss`), and with labels the
        accuracy of a kNN classifier in percent, `..._knn`.
        """
        if isinstance(self.data_collator, ViewCollator) and not isinstance(eval_dataset, str):
            eval_dataset = images_beside(self.train_dataset, eval_dataset, self.processing_class)
        test = self.eval_dataset if eval_dataset is None else eval_dataset
        test = self.eval_dataset[test] if isinstance(test, str) else test
        metrics = {}
        if isinstance(test, dict) or not isinstance(test, Sized) or self.images_with_loss(test):
            metrics = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        if self.doctor is not None and "nan" in self.doctor.findings:
            return metrics  # the doctor has said it
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
