"""The objectives, as pure functions in float32. Each names its equation."""

import torch
import torch.nn.functional as F

from .distributed import gather, rank, sum_over_ranks, world_size


def nt_xent(projections: torch.Tensor, temperature: float) -> torch.Tensor:
    """
    Normalised temperature-scaled cross-entropy (SimCLR, arXiv:2002.05709, equation 1).

    The positives of view v of an image are its other views; the negatives are all views of all other images of the
    *global* batch. With two views this is the paper's loss over 2N anchors, each against 2N - 1 candidates.

    Args:
        projections (`torch.Tensor` of shape `(batch, views, dim)`): not necessarily normalised.
        temperature (`float`): above 0.

    Returns:
        `torch.Tensor`: scalar, the mean over the anchors of this process.
    """
    batch, views = projections.shape[:2]
    with torch.autocast(projections.device.type, enabled=False):
        z = F.normalize(projections.float(), dim=-1)
        candidates = gather(z).flatten(0, 1)  # [W * B * V, D]
        logits = z.flatten(0, 1) @ candidates.T / temperature  # [B * V, W * B * V]
        own = torch.arange(batch * views, device=z.device) + rank() * batch * views
        logits = logits.scatter(1, own[:, None], float("-inf"))
        image = own // views
        if views == 2:
            return F.cross_entropy(logits, own ^ 1)
        positive = torch.arange(candidates.shape[0], device=z.device)[None] // views == image[:, None]
        positive = positive.scatter(1, own[:, None], False)
        return -logits.log_softmax(1)[positive].mean()


def info_nce(queries: torch.Tensor, keys: torch.Tensor, negatives: torch.Tensor, temperature: float) -> torch.Tensor:
    """
    InfoNCE of one positive against a bank of negatives (MoCo, arXiv:1911.05722, equation 1).

    Args:
        queries, keys (`torch.Tensor` of shape `(batch, dim)`): row i of one is the positive of row i of the other;
            unit norm.
        negatives (`torch.Tensor` of shape `(queue, dim)`): unit norm.
        temperature (`float`): above 0.

    Returns:
        `torch.Tensor`: scalar, the mean over the queries of this process.
    """
    with torch.autocast(queries.device.type, enabled=False):
        q, k = queries.float(), keys.float()
        logits = torch.cat([(q * k).sum(-1, keepdim=True), q @ negatives.float().T], dim=1) / temperature
        return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long, device=q.device))


def paired_info_nce(first: torch.Tensor, second: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
    """
    InfoNCE between the two sides of pairs (CLIP, arXiv:2103.00020, figure 3): which of the second sides belongs to a
    first side, and the reverse, among all pairs of the *global* batch.

    Args:
        first, second (`torch.Tensor` of shape `(batch, dim)`): row i of one belongs to row i of the other; not
            necessarily normalised.
        log_scale (`torch.Tensor`, scalar): logarithm of the factor of the cosines, the inverse temperature.

    Returns:
        `torch.Tensor`: scalar, the mean of both cross-entropies over the pairs of this process.
    """
    with torch.autocast(first.device.type, enabled=False):
        x, y = F.normalize(first.float(), dim=-1), F.normalize(second.float(), dim=-1)
        scale = log_scale.float().exp()
        own = torch.arange(len(x), device=x.device) + rank() * len(x)
        of_second = F.cross_entropy(scale * x @ gather(y).T, own)  # [B, W * B]
        of_first = F.cross_entropy(scale * y @ gather(x).T, own)
        return (of_second + of_first) / 2


def negative_cosine(predictions: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """
    Minus the cosine of each pair of rows, averaged (SimSiam, arXiv:2011.10566, equation 1). BYOL's loss is 2 + 2 times
    this (arXiv:2006.07733, equation 2).

    Args:
        predictions, targets (`torch.Tensor` of shape `(..., dim)`)
    """
    return -F.cosine_similarity(predictions.float(), targets.float(), dim=-1, eps=1e-12).mean()


def _centered(x: torch.Tensor) -> tuple[torch.Tensor, int]:
    """`x` (batch, dim) in float32 minus its mean over the global batch, and the size of that."""
    count = len(x) * world_size()
    x = x.float()
    return x - sum_over_ranks(x.sum(0)) / count, count


def _off_diagonal(matrix: torch.Tensor) -> torch.Tensor:
    n = len(matrix)
    return matrix.flatten()[:-1].view(n - 1, n + 1)[:, 1:]


def barlow_twins(first: torch.Tensor, second: torch.Tensor, redundancy_weight: float, eps: float = 1e-5):
    """
    Distance of the cross-correlation matrix of two views, over the global batch, from the identity
    (Barlow Twins, arXiv:2103.03230, equations 1 and 2).

    Args:
        first, second (`torch.Tensor` of shape `(batch, dim)`)
        redundancy_weight (`float`): lambda, of the off-diagonal terms.
        eps (`float`): added to the variances, as the official code's BatchNorm does.

    Returns:
        `torch.Tensor`: scalar.
    """
    with torch.autocast(first.device.type, enabled=False):
        standardised = []
        for z in (first, second):
            z, count = _centered(z)
            standardised.append(z * torch.rsqrt(sum_over_ranks(z.square().sum(0)) / count + eps))
        correlation = sum_over_ranks(standardised[0].T @ standardised[1]) / count
        on_diagonal = (correlation.diagonal() - 1).square().sum()
        return on_diagonal + redundancy_weight * _off_diagonal(correlation).square().sum()


def vicreg(first: torch.Tensor, second: torch.Tensor, eps: float = 1e-4) -> tuple[torch.Tensor, ...]:
    """
    The three terms of VICReg (arXiv:2105.04906, equations 1 to 5), the last two over the global batch.

    As in the official code, the variance term is the mean of the two views, the covariance term their sum.

    Args:
        first, second (`torch.Tensor` of shape `(batch, dim)`)
        eps (`float`): added to the variances under the root.

    Returns:
        `tuple[torch.Tensor, torch.Tensor, torch.Tensor]`: invariance, variance and covariance, scalars.
    """
    with torch.autocast(first.device.type, enabled=False):
        variance, covariance = 0.0, 0.0
        for z in (first, second):
            z, count = _centered(z)
            std = torch.sqrt(sum_over_ranks(z.square().sum(0)) / (count - 1) + eps)
            variance = variance + F.relu(1 - std).mean() / 2
            matrix = sum_over_ranks(z.T @ z) / (count - 1)
            covariance = covariance + _off_diagonal(matrix).square().sum() / z.shape[1]
        return F.mse_loss(first.float(), second.float()), variance, covariance


def cross_view_entropy(targets: torch.Tensor, log_probabilities: torch.Tensor) -> torch.Tensor:
    """
    DINO's loss (arXiv:2104.14294, equation 3): the cross-entropy of every (teacher view, student view) pair of
    different views, averaged over the pairs and the batch.

    Args:
        targets (`torch.Tensor` of shape `(batch, teacher_views, prototypes)`): teacher probabilities; teacher view i
            shows the same pixels as student view i.
        log_probabilities (`torch.Tensor` of shape `(batch, student_views, prototypes)`): of the student.

    Returns:
        `torch.Tensor`: scalar.
    """
    batch, teachers = targets.shape[:2]
    students = log_probabilities.shape[1]
    # Sum over all pairs minus the equal ones: two products instead of teachers * students of them.
    crossed = torch.einsum("bik,bjk->", targets, log_probabilities)
    same = (targets * log_probabilities[:, :teachers]).sum()
    return -(crossed - same) / (batch * (teachers * students - min(teachers, students)))


def masked_cross_entropy(targets: torch.Tensor, log_probabilities: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """
    iBOT's loss of the patches (arXiv:2111.07832, equation 2): the cross-entropy at the masked patches of a view,
    averaged over them, and then over all views; a view without masked patches counts as zero, as in the official code.

    Args:
        targets (`torch.Tensor` of shape `(..., patches, prototypes)`): teacher probabilities.
        log_probabilities (`torch.Tensor` of the same shape): of the student.
        mask (`torch.BoolTensor` of shape `(..., patches)`): True where the student saw a mask token.

    Returns:
        `torch.Tensor`: scalar.
    """
    entropies = -(targets * log_probabilities).sum(-1)
    return ((entropies * mask).sum(-1) / mask.sum(-1).clamp_min(1)).mean()


def weighted_cross_entropy(logits: torch.Tensor, classes: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """
    Cross-entropy averaged over what counts, of the whole batch (BEiT, arXiv:2106.08254, equation 3).

    Args:
        logits (`torch.Tensor` of shape `(..., classes)`)
        classes (`torch.LongTensor` of shape `(...)`)
        counts (`torch.BoolTensor` of shape `(...)`)

    Returns:
        `torch.Tensor`: scalar.
    """
    entropies = F.cross_entropy(logits.float().flatten(0, -2), classes.flatten(), reduction="none")
    return (entropies * counts.flatten()).sum() / counts.sum().clamp_min(1)


def soft_cross_entropy(targets: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """
    Cross-entropy of the softmax of `logits` against distributions, averaged over all but the last dimension
    (OBoW, arXiv:2012.11552).

    Args:
        targets (`torch.Tensor` of shape `(..., classes)`): probabilities; broadcast to the logits.
        logits (`torch.Tensor` of shape `(..., classes)`)

    Returns:
        `torch.Tensor`: scalar.
    """
    return -(targets.float() * logits.float().log_softmax(-1)).sum(-1).mean()


def masked_patch_mse(prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """
    Mean squared error per patch, averaged over the masked patches only (MAE, arXiv:2111.06377, section 3).

    Args:
        prediction, target (`torch.Tensor` of shape `(batch, patches, patch_pixels)`)
        mask (`torch.BoolTensor` of shape `(batch, patches)`): True where the encoder saw nothing.

    Returns:
        `torch.Tensor`: scalar.
    """
    error = (prediction.float() - target.float()).square().mean(-1)
    return (error * mask).sum() / mask.sum()
