"""Balanced assignment of samples to prototypes (SwAV, arXiv:2006.09882, section 3.1)."""

import torch

from .distributed import max_over_ranks, sum_over_ranks


@torch.no_grad()
def sinkhorn(scores: torch.Tensor, epsilon: float, iterations: int) -> torch.Tensor:
    """
    Sinkhorn-Knopp (arXiv:1306.0895): scale `exp(scores / epsilon)` until all prototypes have the same share of the
    samples of all processes, a few times, and end with a distribution over prototypes for each sample.

    The official code rescales the matrix; here only its two diagonal scalings are kept, which are the same in exact
    arithmetic, cost two matrix-vector products an iteration, and cannot overflow.

    Args:
        scores (`torch.Tensor` of shape `(samples, prototypes)`): of this process; the number of samples may differ
            between processes.
        epsilon (`float`): above 0; the smaller, the harder the assignment.
        iterations (`int`): at least 1.

    Returns:
        `torch.Tensor` of shape `(samples, prototypes)` in float32: every row sums to 1.
    """
    with torch.autocast(scores.device.type, enabled=False):
        exponents = scores.float() / epsilon
        largest = exponents.amax(1)
        kernel = torch.exp(exponents - largest[:, None])
        tiny = torch.finfo(kernel.dtype).tiny
        of_samples = torch.exp(largest - max_over_ranks(largest.amax()))
        share = sum_over_ranks(kernel.new_tensor(len(kernel))) / kernel.shape[1]  # samples of a prototype
        for _ in range(iterations):
            of_prototypes = share / sum_over_ranks(of_samples @ kernel).clamp_min(tiny)
            of_samples = 1 / (kernel @ of_prototypes).clamp_min(tiny)
        return kernel * of_prototypes * of_samples[:, None]
