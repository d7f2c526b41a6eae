"""Every objective against a slow, independent formula on fixed tensors, in value and gradient."""

import math

import pytest
import torch
import torch.nn.functional as F

from hf_ssl.nn.losses import cross_view_entropy, masked_patch_mse, nt_xent, paired_info_nce


def naive_nt_xent(z, temperature):
    batch, views, _ = z.shape
    points = [(i, v, z[i, v] / z[i, v].norm()) for i in range(batch) for v in range(views)]
    terms = []
    for i, v, a in points:
        denominator = sum(torch.exp(a @ b / temperature) for j, w, b in points if (j, w) != (i, v))
        for j, w, b in points:
            if j == i and w != v:
                terms.append(-torch.log(torch.exp(a @ b / temperature) / denominator))
    return sum(terms) / len(terms)


def naive_dino(targets, log_probabilities):
    total, pairs = 0.0, 0
    for i in range(targets.shape[1]):
        for v in range(log_probabilities.shape[1]):
            if v != i:
                total = total + (-targets[:, i] * log_probabilities[:, v]).sum(-1).mean()
                pairs += 1
    return total / pairs


@pytest.mark.parametrize("views", [2, 3])
def test_nt_xent(views):
    torch.manual_seed(0)
    z = torch.randn(5, views, 7, dtype=torch.float64, requires_grad=True)
    expected = naive_nt_xent(z, 0.2)
    expected_gradient = torch.autograd.grad(expected, z)[0]
    actual = nt_xent(z, 0.2)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.autograd.grad(actual, z)[0], expected_gradient, atol=1e-5, rtol=0)


def test_nt_xent_of_a_collapsed_encoder_is_the_logarithm_of_the_candidates():
    assert nt_xent(torch.ones(8, 2, 4), 0.1).item() == pytest.approx(math.log(15), abs=1e-5)


@pytest.mark.parametrize("students", [2, 6])
def test_cross_view_entropy(students):
    torch.manual_seed(0)
    targets = torch.randn(4, 2, 11).softmax(-1)
    logits = torch.randn(4, students, 11, requires_grad=True)
    expected = naive_dino(targets, logits.log_softmax(-1))
    expected_gradient = torch.autograd.grad(expected, logits)[0]
    actual = cross_view_entropy(targets, logits.log_softmax(-1))
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.autograd.grad(actual, logits)[0], expected_gradient, atol=1e-5, rtol=0)


def test_masked_patch_mse_counts_masked_patches_only():
    torch.manual_seed(0)
    prediction, target = torch.randn(3, 6, 5), torch.randn(3, 6, 5)
    mask = torch.tensor([[1, 0, 0, 1, 1, 0]] * 3).bool()
    expected = torch.stack(
        [(prediction[b, n] - target[b, n]).pow(2).mean() for b in range(3) for n in range(6) if mask[b, n]]
    ).mean()
    torch.testing.assert_close(masked_patch_mse(prediction, target, mask), expected, atol=1e-5, rtol=0)


def official_clip_loss(images, captions, logit_scale):
    """What the pseudo-code of the paper's figure 3, OpenAI's model and open_clip's `ClipLoss` compute."""
    images = images / images.norm(dim=-1, keepdim=True)
    captions = captions / captions.norm(dim=-1, keepdim=True)
    logits = logit_scale * images @ captions.t()
    labels = torch.arange(len(logits))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2


@pytest.mark.parametrize("scale", [1.0, 1 / 0.07, 100.0])
def test_paired_info_nce_is_the_official_loss_of_clip(scale):
    torch.manual_seed(0)
    images, captions = (torch.randn(9, 16, requires_grad=True) for _ in range(2))
    log_scale = torch.tensor(math.log(scale), requires_grad=True)
    inputs = (images, captions, log_scale)
    expected = official_clip_loss(images, captions, log_scale.exp())
    actual = paired_info_nce(*inputs)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)
    gradients = zip(torch.autograd.grad(actual, inputs), torch.autograd.grad(expected, inputs), strict=True)
    for gradient, wanted in gradients:
        torch.testing.assert_close(gradient, wanted, atol=1e-5, rtol=1e-5)


def test_paired_info_nce_is_the_native_loss_of_a_single_process():
    from transformers.models.clip.modeling_clip import image_text_contrastive_loss

    torch.manual_seed(0)
    images, captions = torch.nn.functional.normalize(torch.randn(2, 5, 8), dim=-1)
    native = image_text_contrastive_loss(14.0 * captions @ images.t())
    torch.testing.assert_close(paired_info_nce(images, captions, torch.tensor(14.0).log()), native)


def test_paired_info_nce_of_a_collapsed_encoder_is_the_logarithm_of_the_batch():
    loss = paired_info_nce(torch.ones(8, 4), torch.ones(8, 4), torch.tensor(3.0))
    assert loss.item() == pytest.approx(math.log(8), abs=1e-5)
