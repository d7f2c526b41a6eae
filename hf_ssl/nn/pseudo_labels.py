"""Labels that a model makes for itself (FixMatch, arXiv:2001.07685, section 2.2)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F


class PseudoLabelLoss(NamedTuple):
    """
    Args:
        loss (`torch.Tensor`, scalar): in float32.
        share (`torch.Tensor`, scalar): of the images whose label counts.
        confidence (`torch.Tensor`, scalar): mean probability of the likeliest class, of all images.
    """

    loss: torch.Tensor
    share: torch.Tensor
    confidence: torch.Tensor


def pseudo_label_loss(weak_logits: torch.Tensor, strong_logits: torch.Tensor, threshold: float) -> PseudoLabelLoss:
    """
    Equation 4: the cross-entropy of strongly distorted images against the class that is likeliest for the same images
    under weak distortion, where its probability reaches `threshold`. The mean is over all images, not over those that
    count, so that the loss is small while few do.

    Args:
        weak_logits, strong_logits (`torch.Tensor` of shape `(images, classes)`): of the same images; no gradient goes
            through the weak ones.
        threshold (`float`): in [0, 1].
    """
    confidence, labels = weak_logits.detach().float().softmax(-1).max(-1)
    counts = (confidence >= threshold).float()
    losses = F.cross_entropy(strong_logits.float(), labels, reduction="none")
    return PseudoLabelLoss((losses * counts).mean(), counts.mean(), confidence.mean())
