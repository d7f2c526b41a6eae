import math

import pytest
import torch
from sklearn.datasets import load_digits

from hf_ssl.evaluation import knn, knn_accuracy, knn_predict


def naive(bank, labels, tests, classes, k, temperature):
    predictions = []
    for test in tests.double():
        similarity = [(float(row @ test / (row.norm() * test.norm())), -i) for i, row in enumerate(bank.double())]
        votes = [0.0] * classes
        for value, negative_index in sorted(similarity, reverse=True)[:k]:
            votes[int(labels[-negative_index])] += math.exp((value - 1) / temperature)
        predictions.append(votes.index(max(votes)))
    return torch.tensor(predictions)


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(150) % 5
    centres = torch.randn(5, 8, generator=generator)
    bank = centres[labels] + 2 * torch.randn(150, 8, generator=generator)
    tests = centres[torch.arange(40) % 5] + 2 * torch.randn(40, 8, generator=generator)
    return bank, labels, tests, torch.arange(40) % 5


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (20, 0.07), (150, 1.0), (20, 0.001)])
def test_against_a_naive_loop(data, k, temperature):
    bank, labels, tests, _ = data
    expected = naive(bank, labels, tests, 5, k, temperature)
    assert torch.equal(knn_predict(bank, labels, tests, 5, k=k, temperature=temperature), expected)


@pytest.mark.parametrize("chunk_size", [1, 7, (40, 13), (3, 150), 10**6])
def test_chunks_change_nothing(data, chunk_size):
    bank, labels, tests, _ = data
    for k in (1, 20, 100):
        whole = knn_predict(bank, labels, tests, 5, k=k)
        assert torch.equal(knn_predict(bank, labels, tests, 5, k=k, chunk_size=chunk_size), whole)


def test_ties_go_to_the_earlier_neighbour_and_the_lower_class():
    bank = torch.tensor([[1.0, 0.0]]).repeat(6, 1)
    labels = torch.tensor([3, 3, 1, 1, 1, 2])
    test = torch.tensor([[2.0, 0.0]])
    for chunk_size in (1, 2, 100):
        assert knn_predict(bank, labels, test, 4, k=3, chunk_size=chunk_size).item() == 3
        assert knn_predict(bank, labels, test, 4, k=4, chunk_size=chunk_size).item() == 1
        # Negative and zero similarities keep their order too.
        assert knn_predict(-bank, labels, test, 4, k=3, chunk_size=chunk_size).item() == 3
        assert knn_predict(0 * bank, labels, test, 4, k=3, chunk_size=chunk_size).item() == 3
    bank = torch.tensor([[-1.0, 0.1], [0.0, 1.0], [0.0, -1.0], [1.0, 0.5]])
    assert [knn_predict(bank, torch.arange(4), row[None], 4, k=1).item() for row in bank] == [0, 1, 2, 3]


def test_accuracy_in_percent_and_scale_invariance(data):
    bank, labels, tests, test_labels = data
    accuracy = knn_accuracy(bank, labels, tests, test_labels)
    assert accuracy == 100 * (knn_predict(bank, labels, tests, 5) == test_labels).double().mean().item()
    assert knn_accuracy(bank, labels, 7 * tests, test_labels) == accuracy
    assert knn_accuracy(bank, labels, bank, labels, k=1) == 100
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert knn_accuracy(bank, labels, tests, test_labels) == accuracy


def test_raw_pixels_of_digits():
    digits = load_digits()
    x, y = torch.tensor(digits.data, dtype=torch.float32), torch.tensor(digits.target)
    assert knn_accuracy(x[:1300], y[:1300], x[1300:], y[1300:]) > 95


def test_clear_errors(data):
    bank, labels, tests, _ = data
    with pytest.raises(ValueError, match="k = 151 .* bank of 150"):
        knn_predict(bank, labels, tests, 5, k=151)
    with pytest.raises(ValueError, match="temperature"):
        knn_predict(bank, labels, tests, 5, temperature=0.0)
    with pytest.raises(ValueError, match=r"outside \[0, 4\)"):
        knn_predict(bank, labels, tests, 4)
    with pytest.raises(ValueError, match="same dim"):
        knn_predict(bank, labels, tests[:, :3], 5)
    with pytest.raises(ValueError, match="NaN"):
        knn_predict(bank.where(bank < 2, torch.nan), labels, tests, 5)
    with pytest.raises(ValueError, match="chunk_size"):
        knn_predict(bank, labels, tests, 5, chunk_size=0)
    with pytest.raises(ValueError, match="test labels"):
        knn_accuracy(bank, labels, tests, labels)
    assert len(knn_predict(bank, labels, tests[:0], 5)) == 0


@pytest.mark.parametrize("spread", [2.0, 0.02])
@pytest.mark.parametrize("k", [1, 20])
def test_a_rough_first_look_changes_nothing(monkeypatch, spread, k):
    """Forced, as processors without fast bfloat16 would not take it; tight clusters leave it too many candidates."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(30, 64, generator=generator)
    bank = centres.repeat(200, 1) + spread * torch.randn(6000, 64, generator=generator)
    tests = centres[:20] + spread * torch.randn(20, 64, generator=generator)
    labels = torch.randint(500, (6000,), generator=generator)
    seen = []

    def look(*arguments):
        seen.append(nearer(*arguments))
        return seen[-1]

    nearer = knn._nearer_by_a_rough_product
    monkeypatch.setattr(knn, "_nearer_by_a_rough_product", look)
    monkeypatch.setattr(knn, "_fast_in_bfloat16", lambda device: False)
    arguments = {"k": k, "temperature": 10.0, "chunk_size": (7, 2800)}
    expected = knn_predict(bank, labels, tests, 500, **arguments)
    assert not seen
    monkeypatch.setattr(knn, "_fast_in_bfloat16", lambda device: True)
    assert torch.equal(knn_predict(bank, labels, tests, 500, **arguments), expected)
    assert [keys is None for keys in seen] == [spread < 0.1] * 3 + [False] * 3
