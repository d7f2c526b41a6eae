"""Weighted k-nearest-neighbour classification of frozen embeddings (Wu et al., arXiv:1805.01978, section 3.4)."""

import torch
import torch.nn.functional as F

_GROUP = 32  # images of the bank that are compared by their maximum first


@torch.no_grad()
def knn_predict(
    train_embeddings: torch.Tensor,
    train_labels: torch.Tensor,
    test_embeddings: torch.Tensor,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.07,
    chunk_size: int | tuple[int, int] = (512, 16384),
) -> torch.Tensor:
    """
    Classes by a vote of the k nearest training images, with weight `exp(cosine similarity / temperature)` each, as in
    Wu et al. and DINO (arXiv:2104.14294, which reports k = 20).

    Exact, and in bounded memory: chunks of test images meet chunks of the bank with a running top k. Between equally
    similar neighbours the one earlier in the bank counts as nearer, between classes of equal votes the lower index
    wins, so that nothing depends on chance or on the chunks (up to float rounding of the similarities).

    Args:
        train_embeddings (`torch.Tensor` of shape `(bank, dim)`): need not be normalised.
        train_labels (`torch.LongTensor` of shape `(bank,)`): in `[0, num_classes)`.
        test_embeddings (`torch.Tensor` of shape `(tests, dim)`): on the same device.
        k (`int`): in `[1, bank]`. The papers use 20 and 200.
        temperature (`float`): above 0.
        chunk_size (`int` or `(int, int)`): test images and bank images at a time. A chunk takes 4 bytes for each pair
            and 1 KB for each test image and neighbour: 45 MB by default.

    Returns:
        `torch.LongTensor` of shape `(tests,)`, on the device of the embeddings.

    Raises:
        ValueError: for k, temperature, chunk sizes or labels out of range, shapes that do not fit, or NaN.
    """
    tests_at_once, bank_at_once = (chunk_size, chunk_size) if isinstance(chunk_size, int) else chunk_size
    device = train_embeddings.device
    train_labels = train_labels.to(device)
    _check(train_embeddings, train_labels, test_embeddings, num_classes, k, temperature)
    if min(tests_at_once, bank_at_once) < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}.")
    predictions = []
    with torch.autocast(device.type, enabled=False):
        bank = F.normalize(train_embeddings.float(), dim=1)
        for test in test_embeddings.split(tests_at_once):
            queries = F.normalize(test.float(), dim=1)
            keys = torch.empty(len(queries), 0, dtype=torch.long, device=device)
            for start in range(0, len(bank), bank_at_once):
                keys = torch.cat([keys, _nearest(queries, bank[start : start + bank_at_once], start, k)], dim=1)
                keys = keys.topk(min(k, keys.shape[1])).values
            similarity, index = _unpack(keys)  # [B, k], nearest first
            # Relative to the nearest: the same vote, and no overflow at low temperatures.
            weights = ((similarity - similarity[:, :1]) / temperature).exp()
            votes = weights.new_zeros(len(queries), num_classes).scatter_add_(1, train_labels[index], weights)
            predictions.append(votes.argmax(1))
    return torch.cat(predictions) if predictions else torch.empty(0, dtype=torch.long, device=device)


def knn_accuracy(
    train_embeddings: torch.Tensor,
    train_labels: torch.Tensor,
    test_embeddings: torch.Tensor,
    test_labels: torch.Tensor,
    num_classes: int | None = None,
    k: int = 20,
    temperature: float = 0.07,
    chunk_size: int | tuple[int, int] = (512, 16384),
) -> float:
    """
    Percentage of `test_labels` (LongTensor of shape `(tests,)`) that `knn_predict` gets right, 0 to 100.

    `num_classes` defaults to what the labels hold. Other arguments and errors as in `knn_predict`; no test images are
    a `ValueError`.
    """
    if len(test_labels) == 0 or len(test_labels) != len(test_embeddings):
        raise ValueError(f"{len(test_embeddings)} test embeddings, {len(test_labels)} test labels.")
    if num_classes is None:
        num_classes = int(max(train_labels.max(), test_labels.max())) + 1
    predictions = knn_predict(train_embeddings, train_labels, test_embeddings, num_classes, k, temperature, chunk_size)
    return 100 * (predictions == test_labels.to(predictions.device)).double().mean().item()


def _nearest(queries: torch.Tensor, bank: torch.Tensor, start: int, k: int) -> torch.Tensor:
    """
    Keys of the k nearest, or of all where there are fewer, and of nothing (similarity -inf) in what is left to fill.

    Whatever is among the k nearest lies in one of the k groups with the largest maxima, so that all but those cost one
    comparison. Of equal maxima the earlier group counts as larger, as of equal similarities the earlier image.
    """
    groups = -(-len(bank) // _GROUP)
    similarity = queries.new_empty(len(queries), groups * _GROUP)
    similarity[:, len(bank) :] = -torch.inf
    torch.mm(queries, bank.T, out=similarity[:, : len(bank)])
    similarity = similarity.unflatten(1, (groups, _GROUP))
    order = torch.arange(groups, device=bank.device)
    best = _unpack(_sortable(similarity.amax(2), order).topk(min(k, groups)).values)[1]  # [B, k]
    similarity = similarity.gather(1, best[:, :, None].expand(-1, -1, _GROUP)).flatten(1)
    index = (best[:, :, None] * _GROUP + torch.arange(_GROUP, device=bank.device)).flatten(1)
    return _sortable(similarity, index + start).topk(min(k, similarity.shape[1])).values


def _sortable(similarity: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """
    Integers ordered as (similarity, then smaller index): no two are equal, so top k has no ties to break.

    The high half is the float's bits, with the magnitude of negative numbers flipped because theirs sorts backwards.
    """
    bits = (similarity + 0.0).view(torch.int32)  # + 0.0 makes -0.0, which has other bits, 0.0
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    return (ordered << 32) | (0xFFFFFFFF - index)


def _unpack(keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Similarity and index of the keys of `_sortable`."""
    ordered = (keys >> 32).int()
    bits = ordered ^ ((ordered >> 31) & 0x7FFFFFFF)
    return bits.view(torch.float32), 0xFFFFFFFF - (keys & 0xFFFFFFFF)


def _check(train, labels, test, num_classes: int, k: int, temperature: float) -> None:
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise ValueError(
            f"Embeddings must be (samples, dim) of the same dim, got train {tuple(train.shape)}, test "
            f"{tuple(test.shape)}."
        )
    if tuple(labels.shape) != (len(train),):
        raise ValueError(f"{len(train)} training embeddings, but labels of shape {tuple(labels.shape)}.")
    if not 1 <= k <= len(train):
        raise ValueError(
            f"k = {k} neighbours from a bank of {len(train)} training images: use 1 <= k <= {len(train)}."
        )
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}.")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"Labels run from {labels.min()} to {labels.max()}, outside [0, {num_classes}).")
    for name, embeddings in (("Training", train), ("Test", test)):
        if not embeddings.isfinite().all():
            raise ValueError(f"{name} embeddings hold NaN or infinity: the encoder has diverged.")
