"""Weighted k-nearest-neighbour classification of frozen embeddings (Wu et al., arXiv:1805.01978, section 3.4)."""

import warnings

import torch
import torch.nn.functional as F

_GROUP = 32  # images of the bank that are compared by their maximum first
_ROUNDOFF = 2.0**-8  # of bfloat16
_MANY = 64  # images of a chunk for each query: above that, a dense product is faster than that many single ones


@torch.no_grad()
def knn_predict(
    train_embeddings: torch.Tensor,
    train_labels: torch.Tensor,
    test_embeddings: torch.Tensor,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.07,
    chunk_size: int | tuple[int, int] = (512, 8192),
) -> torch.Tensor:
    """
    Classes by a vote of the k nearest training images, with weight `exp(cosine similarity / temperature)` each, as in
    Wu et al. and DINO (arXiv:2104.14294, which reports k = 20).

    Exact, and in bounded memory: chunks of the bank meet chunks of test images with a running top k. Where a processor
    is much faster in bfloat16, that rules out first what cannot be near, within its error bound. Between equally
    similar neighbours the one earlier in the bank counts as nearer, between classes of equal votes the lower index
    wins, so that nothing depends on chance or on the chunks (up to float rounding of the similarities).

    Args:
        train_embeddings (`torch.Tensor` of shape `(bank, dim)`): need not be normalised.
        train_labels (`torch.LongTensor` of shape `(bank,)`): in `[0, num_classes)`.
        test_embeddings (`torch.Tensor` of shape `(tests, dim)`): on the same device.
        k (`int`): in `[1, bank]`. The papers use 20 and 200.
        temperature (`float`): above 0.
        chunk_size (`int` or `(int, int)`): test images and bank images at a time. A chunk takes 4 bytes for each pair
            and each value of the bank's part, and about 300 for each test image and neighbour: 37 MB by default at 512
            dimensions, and 50 MB where bfloat16 is fast.

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
    # Buffers of their own: memory that the system hands out anew costs as much as the arithmetic.
    piece = torch.empty(min(bank_at_once, len(train_embeddings)), train_embeddings.shape[1], device=device)
    columns = -(-len(piece) // _GROUP) * _GROUP
    similarity = piece.new_empty(min(tests_at_once, len(test_embeddings)), columns)
    with torch.autocast(device.type, enabled=False):
        queries = F.normalize(test_embeddings.float(), dim=1).split(tests_at_once) if len(test_embeddings) else ()
        keys = [torch.empty(len(q), 0, dtype=torch.long, device=device) for q in queries]
        for start in range(0, len(train_embeddings), bank_at_once):
            bank = _unit(train_embeddings[start : start + bank_at_once], piece)
            rough = bank.bfloat16() if start and _fast_in_bfloat16(device) else None
            keys = [_nearest(key, q, bank, rough, start, k, similarity) for key, q in zip(keys, queries, strict=True)]
        predictions = [_vote(key, train_labels, num_classes, temperature) for key in keys]
    return torch.cat(predictions) if predictions else torch.empty(0, dtype=torch.long, device=device)


def _unit(embeddings: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """`F.normalize(embeddings.float(), dim=1)`, written to the first rows of `out`."""
    norm = torch.linalg.vector_norm(embeddings, dim=1, keepdim=True, dtype=torch.float).clamp_min_(1e-12)
    return torch.div(embeddings, norm, out=out[: len(embeddings)])


def _vote(keys: torch.Tensor, labels: torch.Tensor, num_classes: int, temperature: float) -> torch.Tensor:
    similarity, index = _unpack(keys)  # [B, k], nearest first
    # Relative to the nearest: the same vote, and no overflow at low temperatures.
    weights = ((similarity - similarity[:, :1]) / temperature).exp()
    return weights.new_zeros(len(keys), num_classes).scatter_add_(1, labels[index], weights).argmax(1)


def knn_accuracy(
    train_embeddings: torch.Tensor,
    train_labels: torch.Tensor,
    test_embeddings: torch.Tensor,
    test_labels: torch.Tensor,
    num_classes: int | None = None,
    k: int = 20,
    temperature: float = 0.07,
    chunk_size: int | tuple[int, int] = (512, 8192),
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


def _fast_in_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 take a fraction of the time of those in float32: on a CPU with AMX, 8 times."""
    try:
        return device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16", False)
    except AttributeError:  # of an older torch
        return False


def _nearest(
    keys: torch.Tensor,
    queries: torch.Tensor,
    bank: torch.Tensor,
    rough: torch.Tensor | None,
    start: int,
    k: int,
    similarity: torch.Tensor,
) -> torch.Tensor:
    """
    Keys of the k nearest of those of `keys`, nearest first, and of this part of the bank; of all where there are
    fewer. `similarity` is overwritten.

    Whatever is among the k nearest lies in one of the k groups with the largest maxima, and is nearer than the k-th of
    `keys`: all but those groups cost one comparison.
    """
    farthest = _unpack(keys[:, -1:])[0] if keys.shape[1] == k else None
    if rough is not None and farthest is not None:
        new = _nearer_by_a_rough_product(queries, bank, rough, farthest, start, similarity)
        if new is not None:
            return torch.cat([keys, new], dim=1).topk(k).values
    groups = -(-len(bank) // _GROUP)
    similarity = similarity[: len(queries), : groups * _GROUP]
    similarity[:, len(bank) :] = -torch.inf
    torch.mm(queries, bank.T, out=similarity[:, : len(bank)])
    similarity = similarity.unflatten(1, (groups, _GROUP))
    maxima = similarity.amax(2)
    if farthest is not None and (maxima > farthest).sum(1).max() < k:
        new = _nearer(similarity, maxima, farthest, start)
    else:
        best = _largest(maxima, min(k, groups)).sort(1).values  # so that candidates are in the order of the bank
        candidates = similarity.gather(1, best[:, :, None].expand(-1, -1, _GROUP)).flatten(1)
        place = _largest(candidates, min(k, candidates.shape[1]))
        index = best.gather(1, place // _GROUP) * _GROUP + place % _GROUP + start
        new = _sortable(candidates.gather(1, place), index)
    keys = torch.cat([keys, new], dim=1)
    return keys.topk(min(k, keys.shape[1])).values


def _nearer(similarity: torch.Tensor, maxima: torch.Tensor, farthest: torch.Tensor, start: int) -> torch.Tensor:
    """Keys (B, some) of all whose similarity (B, groups, images) is above `farthest` (B, 1)."""
    row, group = (maxima > farthest).nonzero(as_tuple=True)
    values = similarity[row, group]
    hit, place = (values > farthest[row]).nonzero(as_tuple=True)
    return _in_rows(row[hit], _sortable(values[hit, place], group[hit] * _GROUP + place + start), len(maxima))


def _nearer_by_a_rough_product(
    queries: torch.Tensor,
    bank: torch.Tensor,
    rough: torch.Tensor,
    farthest: torch.Tensor,
    start: int,
    similarity: torch.Tensor,
) -> torch.Tensor | None:
    """
    Keys (B, some) of all images that are nearer than `farthest` (B, 1), from a product with `rough`, the bank in
    bfloat16, which rules out most, and exact similarities of the rest; `None` where it leaves too many.
    """
    product = similarity.view(-1).view(torch.bfloat16)[: len(queries) * len(bank)].view(len(queries), len(bank))
    torch.mm(queries.bfloat16(), rough.T, out=product)
    # Of unit vectors: both factors are off by _ROUNDOFF at most, then the product and this bound by theirs; the tenth
    # is for sums in float32, of up to 6000 dimensions even at their worst.
    bound = farthest - 2.1 * _ROUNDOFF
    maybe = product >= (bound - 2 * _ROUNDOFF * bound.abs()).bfloat16()
    if maybe.count_nonzero() > _MANY * len(queries):
        return None
    row, place = maybe.nonzero(as_tuple=True)
    ends = row.new_zeros(len(queries) + 1)
    torch.cumsum(row.bincount(minlength=len(queries)), 0, out=ends[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sparse tensors are in beta
        pattern = torch.sparse_csr_tensor(
            ends, place, queries.new_zeros(len(place)), product.shape, check_invariants=False
        )
    values = torch.sparse.sampled_addmm(pattern, queries, bank.T, beta=0.0).values()
    hit = (values > farthest[row, 0]).nonzero()[:, 0]
    return _in_rows(row[hit], _sortable(values[hit], place[hit] + start), len(queries))


def _in_rows(row: torch.Tensor, keys: torch.Tensor, rows: int) -> torch.Tensor:
    """Keys (N,) of ascending rows (N,) as (rows, most in a row), filled up with the least key."""
    count = row.bincount(minlength=rows)
    column = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    table = keys.new_full((rows, int(count.max())), torch.iinfo(torch.long).min)
    table[row, column] = keys
    return table


def _largest(values: torch.Tensor, count: int) -> torch.Tensor:
    """Places of the `count` largest values of each row, in any order; of equal ones the first."""
    top, places = values.topk(min(count + 1, values.shape[1]))
    if count and (top[:, count - 1 : -1] == top[:, count:]).any():  # of equals, `topk` takes whichever it likes
        return _unpack(_sortable(values, torch.arange(values.shape[1], device=values.device)).topk(count).values)[1]
    return places[:, :count]


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
        # The sum is a fast first look: it is finite only if all are, but can overflow.
        if not embeddings.sum().isfinite() and not embeddings.isfinite().all():
            raise ValueError(
                f"{name} embeddings hold NaN or infinity: the encoder has diverged: lower its learning rate."
            )
