"""The objectives, as pure functions in float32. Each names its equation."""

import torch
import torch.nn.functional as F

from .distributed import gather, rank


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
    return error[mask].mean()
