import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression as SklearnRegression

from hf_ssl.evaluation import Features, fit_logistic, linear_probe, low_label_probe
from hf_ssl.evaluation.labels import stratified_split


def blobs(count, dim=20, classes=4, spread=3.0, seed=0):
    """Overlapping classes with correlated features of very different scales."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, dim, generator=torch.Generator().manual_seed(99))
    mixing = torch.randn(dim, dim, generator=torch.Generator().manual_seed(98)) * torch.logspace(0, -2, dim)
    labels = torch.arange(count) % classes
    x = (centres[labels] + spread * torch.randn(count, dim, generator=generator)) @ mixing
    return Features(x + 1.0, labels)


def objective(x, y, weight, bias, l2):
    return (F.cross_entropy(x @ weight + bias, y, reduction="sum") + l2 / 2 * weight.square().sum()).item()


@pytest.mark.parametrize(
    ("count", "dim", "l2"), [(400, 20, 1e-2), (400, 20, 1.0), (400, 20, 1e3), (30, 50, 1.0), (30, 50, 1e3)]
)
def test_same_optimum_as_scikit_learn(count, dim, l2):
    """scikit-learn minimises C * sum of losses + ||w||^2 / 2, ours is that divided by C, with l2 = 1 / C."""
    data = blobs(count, dim)
    x, y = data.embeddings.double(), data.labels
    reference = SklearnRegression(C=1 / l2, tol=1e-8, max_iter=20000).fit(x.numpy(), y.numpy())
    expected = objective(x, y, torch.tensor(reference.coef_).T, torch.tensor(reference.intercept_), l2)
    weight, bias = fit_logistic(x, y, 4, l2, max_iter=500, tolerance=1e-8)
    assert objective(x, y, weight, bias, l2) <= expected * (1 + 1e-5)
    if l2 >= 1:  # below, the optimum is so flat that the weights depend on the solver's last steps
        torch.testing.assert_close(weight, torch.tensor(reference.coef_).T, rtol=0.02, atol=2e-3)
    # With the defaults and in float32, close enough that accuracies agree.
    weight, bias = fit_logistic(x.float(), y, 4, l2)
    assert objective(x.float(), y, weight, bias, l2) <= expected * (1 + 1e-3)
    ours = ((x.float() @ weight + bias).argmax(1) == y).double().mean().item()
    assert abs(ours - reference.score(x.numpy(), y.numpy())) < 0.011


def test_probe_matches_scikit_learn_at_the_strength_it_chose():
    train, test = blobs(600), blobs(400, seed=1)
    result = linear_probe(train, test)
    mean, std = train.embeddings.mean(0), train.embeddings.std(0, correction=0)
    x, x_test = (((f.embeddings - mean) / std).double().numpy() for f in (train, test))
    reference = SklearnRegression(C=1 / result.l2, max_iter=5000).fit(x, train.labels.numpy())
    assert abs(100 * reference.score(x_test, test.labels.numpy()) - result.accuracy) <= 1.0
    assert 30 < result.accuracy < 99  # not a trivial problem
    assert len(result.per_class) == 4
    assert result.mean_per_class == pytest.approx(result.accuracy, abs=1e-3)  # the test set is balanced
    assert result == linear_probe(train, test)


def test_coarse_search_finds_what_the_full_grid_finds():
    train, test = blobs(600), blobs(400, seed=1)
    full, coarse = linear_probe(train, test, coarse_step=1), linear_probe(train, test)
    assert full.validation_accuracy - coarse.validation_accuracy <= 2.0
    assert abs(full.accuracy - coarse.accuracy) <= 2.0


def test_separable_and_shuffled():
    train, test = blobs(400, spread=0.01), blobs(200, spread=0.01, seed=1)
    assert linear_probe(train, test).accuracy == 100
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    noise = Features(train.embeddings + torch.randn(400, 20, generator=torch.Generator().manual_seed(1)), train.labels)
    shuffled = linear_probe(Features(noise.embeddings, noise.labels[order]), blobs(2000, seed=2))
    assert 15 < shuffled.accuracy < 35


def test_scale_does_not_matter_and_constant_features_are_harmless():
    train, test = blobs(300), blobs(200, seed=1)
    plain = linear_probe(train, test)
    scaled, scaled_test = (
        Features(torch.cat([1000 * f.embeddings, torch.full((len(f), 1), 0.1)], 1), f.labels) for f in (train, test)
    )
    result = linear_probe(scaled, scaled_test)
    assert result.accuracy == pytest.approx(plain.accuracy, abs=1.0)


def test_works_under_inference_mode_and_no_grad():
    train, test = blobs(100), blobs(60, seed=1)
    expected = linear_probe(train, test, num_strengths=5).accuracy
    with torch.inference_mode():
        again = Features(train.embeddings * 1, train.labels * 1), Features(test.embeddings * 1, test.labels * 1)
        assert linear_probe(*again, num_strengths=5).accuracy == expected
    assert linear_probe(*again, num_strengths=5, standardize=False).accuracy > 30


def test_stratified_split():
    labels = torch.tensor([0] * 50 + [1] * 10 + [3])
    held_out = stratified_split(labels, 0.2, seed=0)
    assert labels[held_out].bincount(minlength=4).tolist() == [10, 2, 0, 0]
    assert torch.equal(held_out, stratified_split(labels, 0.2, seed=0))
    assert not torch.equal(held_out, stratified_split(labels, 0.2, seed=1))


def test_absent_test_class_has_no_accuracy():
    train, test = blobs(200), blobs(100, seed=1)
    present = test.labels != 2
    result = linear_probe(train, Features(test.embeddings[present], test.labels[present]), l2=1.0)
    assert [accuracy is None for accuracy in result.per_class] == [False, False, True, False]
    assert result.l2 == 1.0 and result.validation_accuracy is None and 0 < result.mean_per_class < 100


def test_low_label_probe():
    train, test = blobs(400, spread=1.0), blobs(400, spread=1.0, seed=1)
    few = low_label_probe(train, test, labels_per_class=2)
    many = low_label_probe(train, test, labels_per_class=50)
    assert len(few.draws) == 3 and few.std > 0 and few.mean == pytest.approx(sum(few.draws) / 3)
    assert 25 < few.mean < many.mean
    assert few == low_label_probe(train, test, labels_per_class=2)
    assert few != low_label_probe(train, test, labels_per_class=2, seed=10)
    assert low_label_probe(train, test, labels_per_class=1, draws=1).std == 0
    with pytest.raises(ValueError, match="100 training images, fewer than labels_per_class = 101"):
        low_label_probe(train, test, labels_per_class=101)
    with pytest.raises(ValueError, match="at least 1"):
        low_label_probe(train, test, draws=0)


def test_clear_errors():
    train, test = blobs(40), blobs(20)
    with pytest.raises(ValueError, match="training set has no labels"):
        linear_probe(Features(train.embeddings), test)
    with pytest.raises(ValueError, match="test set has no labels"):
        low_label_probe(train, Features(test.embeddings))
    with pytest.raises(ValueError, match="outside"):
        linear_probe(train, test, num_classes=3)
    with pytest.raises(ValueError, match="NaN"):
        linear_probe(Features(train.embeddings * torch.nan, train.labels), test)
    with pytest.raises(ValueError, match="too few to hold out"):
        linear_probe(Features(train.embeddings[:4], train.labels[:4]), test)
    with pytest.raises(ValueError, match="validation_fraction"):
        linear_probe(train, test, validation_fraction=1.0)
    with pytest.raises(ValueError, match="l2 must be above 0"):
        linear_probe(train, test, l2=0.0)


def test_many_dimensions_without_rotation_have_the_same_optimum(monkeypatch):
    data = blobs(200, dim=30)
    x = data.embeddings.double()
    expected = fit_logistic(x, data.labels, 4, 1.0, tolerance=1e-7)
    monkeypatch.setattr("hf_ssl.evaluation.linear._MAX_ROTATED_DIM", 10)
    weight, bias = fit_logistic(x, data.labels, 4, 1.0, max_iter=2000, tolerance=1e-7)
    assert objective(x, data.labels, weight, bias, 1.0) == pytest.approx(
        objective(x, data.labels, *expected, 1.0), rel=1e-4
    )
    assert linear_probe(data, blobs(100, dim=30, seed=1)).accuracy > 30


def test_start_changes_the_path_only():
    data = blobs(200)
    first = fit_logistic(data.embeddings, data.labels, 4, 1.0)
    again = fit_logistic(data.embeddings, data.labels, 4, 1.0, start=first)
    torch.testing.assert_close(first, again, rtol=1e-2, atol=1e-3)
