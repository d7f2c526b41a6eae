"""The queue of past embeddings, and shuffled encoding."""

import pytest
import torch

from hf_ssl.nn.queue import Queue
from hf_ssl.nn.shuffle import encode_shuffled, own_share


def test_the_oldest_rows_leave_first_and_short_batches_are_fine():
    queue = Queue(5, 2)
    assert torch.allclose(queue.rows.norm(dim=1), torch.ones(5))
    start = queue.rows.clone()
    batches = [torch.full((n, 2), float(i)) for i, n in enumerate((2, 2, 3))]
    queue.put_(batches[0])
    assert torch.equal(queue.rows, torch.cat([batches[0], start[2:]])) and queue.pointer == 2
    queue.put_(batches[1])
    queue.put_(batches[2])
    assert queue.rows[:, 0].tolist() == [2, 2, 1, 1, 2] and queue.pointer == 2


def test_it_starts_the_same_in_every_process():
    torch.manual_seed(0)
    first = Queue(4, 3)
    torch.manual_seed(1)
    assert torch.equal(first.rows, Queue(4, 3).rows)


def test_more_rows_than_it_has():
    with pytest.raises(ValueError, match="A queue of 4 rows cannot take 5 at once"):
        Queue(4, 3).put_(torch.zeros(5, 3))


def test_a_single_process_encodes_its_own_samples():
    x = torch.randn(4, 3, requires_grad=True)
    keys = encode_shuffled(lambda x: 2 * x, x, shuffle=True)
    assert torch.equal(keys, 2 * x) and not keys.requires_grad
    assert torch.equal(own_share(keys), keys)
