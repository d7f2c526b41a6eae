"""Heads, schedules, momentum, patches and positions."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from hf_ssl.nn.heads import MLPHead, PrototypeHead
from hf_ssl.nn.network_copy import NetworkCopy, ema_
from hf_ssl.nn.patches import patchify, unpatchify
from hf_ssl.nn.positions import sincos_positions
from hf_ssl.nn.schedules import cosine, warmup


def test_schedules_hit_their_ends():
    assert cosine(0, 10, 3.0, 1.0) == 3.0 and cosine(10, 10, 3.0, 1.0) == 1.0 and cosine(99, 10, 3.0, 1.0) == 1.0
    assert cosine(5, 10, 3.0, 1.0) == pytest.approx(2.0)
    assert cosine(2, 10, 3.0, 1.0) == pytest.approx(1 + 0.5 * 2 * (1 + math.cos(math.pi * 0.2)))
    assert [warmup(s, 4, 1.0, 3.0) for s in (0, 2, 4, 9)] == [1.0, 2.0, 3.0, 3.0]
    assert warmup(0, 0, 1.0, 3.0) == 3.0


def test_ema_is_the_official_update():
    torch.manual_seed(0)
    teacher, student = nn.Linear(3, 4), nn.Linear(3, 4)
    expected = [
        0.9 * t.detach() + 0.1 * s.detach() for t, s in zip(teacher.parameters(), student.parameters(), strict=True)
    ]
    ema_(teacher, student, 0.9)
    for actual, value in zip(teacher.parameters(), expected, strict=True):
        torch.testing.assert_close(actual.detach(), value, atol=1e-6, rtol=0)


def test_twin_starts_equal_but_shares_nothing():
    root = nn.ModuleDict({"head": nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))})
    twin = NetworkCopy(head=root["head"])
    with torch.no_grad():
        root["head"][0].weight.add_(1)
        root["head"][1].running_mean.add_(1)
    assert not torch.equal(twin.head[0].weight, root["head"][0].weight)
    twin.start_from(root)
    for name, tensor in twin.state_dict().items():
        assert torch.equal(tensor, root.state_dict()[name])


def test_mlp_head_norms_are_where_the_paper_has_them():
    kinds = [type(layer) for layer in MLPHead([8, 6, 4], last_batch_norm=True)]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear, nn.BatchNorm1d]
    plain = MLPHead([8, 6, 4])
    assert [type(layer) for layer in plain] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert plain[0].bias is None and plain[-1].bias is not None


@pytest.mark.parametrize("norm_last_layer", [True, False])
def test_prototype_head_equals_weight_norm(norm_last_layer):
    torch.manual_seed(0)
    head = PrototypeHead([8, 6, 4], 10, norm_last_layer)
    official = nn.utils.parametrizations.weight_norm(nn.Linear(4, 10, bias=False))
    official.parametrizations.weight.original0.data.fill_(1)
    official.parametrizations.weight.original1.data.copy_(head.prototypes.weight)
    h = torch.randn(5, 8)
    z = nn.functional.normalize(head.mlp(h), dim=-1)
    torch.testing.assert_close(head(h), official(z), atol=1e-5, rtol=0)
    assert (head.norms is None) == norm_last_layer


def test_patches_are_cut_row_by_row_with_channels_last():
    images = torch.arange(2 * 3 * 8 * 4).float().view(2, 3, 8, 4)
    patches = patchify(images, 4)
    assert patches.shape == (2, 2, 48)
    assert torch.equal(patches[1, 1].view(4, 4, 3), images[1, :, 4:8, :4].permute(1, 2, 0))
    assert torch.equal(unpatchify(patches, 4, 8, 4), images)


def test_positions_follow_the_published_formula():
    dim, rows, columns = 16, 3, 3

    def one_axis(position):
        omega = 1 / 10000 ** (np.arange(dim // 4) / (dim / 4))
        return np.concatenate([np.sin(position * omega), np.cos(position * omega)])

    table = sincos_positions(dim, rows, columns)[0].numpy()
    assert not table[0].any()
    for row in range(rows):
        for column in range(columns):
            expected = np.concatenate([one_axis(column), one_axis(row)])
            np.testing.assert_allclose(table[1 + row * columns + column], expected, atol=1e-6)
    with pytest.raises(ValueError, match="divisible by 4"):
        sincos_positions(6, 2, 2)
