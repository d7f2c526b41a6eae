"""Have the embeddings collapsed? Two label-free numbers."""

import torch
import torch.nn.functional as F


@torch.no_grad()
def effective_rank(embeddings: torch.Tensor) -> float:
    """
    RankMe (arXiv:2210.02885, equation 1): the exponential of the entropy of the normalised singular values.

    From the eigenvalues of the smaller Gram matrix in float64, which is far cheaper than a singular value
    decomposition and makes the paper's epsilon needless. The paper uses 25 600 embeddings, not centred.

    Args:
        embeddings (`torch.Tensor` of shape `(samples, dim)`)

    Returns:
        `float`: between 1 (all on one line) and `min(samples, dim)` (isotropic); 0 when all are zero.

    Raises:
        ValueError: for another shape, no samples, NaN or infinity.
    """
    _check(embeddings)
    x = embeddings.double()
    gram = x.T @ x if x.shape[0] >= x.shape[1] else x @ x.T
    eigenvalues = torch.linalg.eigvalsh(gram)
    # Below this an eigenvalue is rounding; its square root would be a visible singular value.
    noise = eigenvalues[-1] * len(gram) * torch.finfo(torch.float64).eps
    singular = eigenvalues.where(eigenvalues > noise, 0.0).sqrt()
    if singular.sum() == 0:
        return 0.0
    return torch.special.entr(singular / singular.sum()).sum().exp().item()


@torch.no_grad()
def feature_std(embeddings: torch.Tensor) -> float:
    """
    Standard deviation of the L2-normalised embeddings, mean over the dimensions, times sqrt(dim): SimSiam's collapse
    watch (arXiv:2011.10566, section 4.1).

    Args:
        embeddings (`torch.Tensor` of shape `(samples, dim)`)

    Returns:
        `float`: 0 when all point the same way, 1 when they are spread over the whole sphere.

    Raises:
        ValueError: for another shape, no samples, NaN or infinity.
    """
    _check(embeddings)
    normalised = F.normalize(embeddings.float(), dim=1)
    return normalised.std(0, correction=0).mean().item() * embeddings.shape[1] ** 0.5


def _check(embeddings: torch.Tensor) -> None:
    if embeddings.ndim != 2 or embeddings.numel() == 0:
        raise ValueError(f"Embeddings must be (samples, dim), got shape {tuple(embeddings.shape)}.")
    if not embeddings.isfinite().all():
        raise ValueError("The embeddings hold NaN or infinity: the encoder has diverged: lower its learning rate.")
