"""BatchNorm (arXiv:1502.03167) with the statistics of the batch of all processes."""

from collections.abc import Collection

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .distributed import is_distributed, sum_over_ranks


class SyncBatchNorm(_BatchNorm):
    """What `torch.nn.SyncBatchNorm` is for accelerators, for CPUs. In `eval()` it is a plain BatchNorm."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise `x` of shape (batch, channels, ...); the size of the batch may differ between the processes."""
        if not (self.training and is_distributed()):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return self._normalise(x.float()).to(x.dtype)

    def _normalise(self, x: torch.Tensor) -> torch.Tensor:
        others = [0, *range(2, x.ndim)]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        total = sum_over_ranks(torch.cat([x.sum(others), x.new_tensor([x.numel() / x.shape[1]])]))
        mean, count = total[:-1] / total[-1], total[-1].detach()
        x = x - mean.view(shape)
        variance = sum_over_ranks(x.square().sum(others)) / count
        if self.track_running_stats:
            self._follow(mean.detach(), variance.detach() * count / (count - 1))
        x = x * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is not None:
            x = x * self.weight.view(shape)
        return x if self.bias is None else x + self.bias.view(shape)

    def _check_input_dim(self, x: torch.Tensor) -> None:
        """Any number of dimensions will do."""

    @torch.no_grad()
    def _follow(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def synchronise_batch_norm_(model: nn.Module, device: torch.device, leave_out: Collection[str] = ()) -> None:
    """
    Put a synchronised one in the place of every BatchNorm, with the same weights, statistics and names.

    Args:
        device (`torch.device`): where the model will be.
        leave_out (`Collection[str]`): names of children that stay as they are.
    """
    for name, child in model.named_children():
        if name in leave_out:
            continue
        if isinstance(child, _BatchNorm):
            kind = SyncBatchNorm if device.type == "cpu" else nn.SyncBatchNorm
            model.register_module(name, _synchronised(child, kind))
        else:
            synchronise_batch_norm_(child, device)


def _synchronised(norm: _BatchNorm, kind: type[_BatchNorm]) -> _BatchNorm:
    with torch.device("meta"):
        new = kind(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    new.weight, new.bias = norm.weight, norm.bias
    new.running_mean, new.running_var = norm.running_mean, norm.running_var
    new.num_batches_tracked = norm.num_batches_tracked
    return new.train(norm.training)
