"""Checkpoints of https://github.com/facebookresearch/mae, with the decoder and without."""

import argparse

import torch
from torch import nn

from .parts import drawn, prefixed
from .release import OPTIMIZER, SMALL, Official
from .vision_transformer import Layer, VisionTransformer


class MaskedAutoencoder(VisionTransformer):
    def __init__(self, dim=32, depth=2):
        super().__init__()
        patches = self.pos_embed.shape[1]
        self.decoder_embed = nn.Linear(self.dim, dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, patches, dim), requires_grad=False)
        self.decoder_blocks = nn.ModuleList([Layer(dim, 16) for _ in range(depth)])
        self.decoder_norm = nn.LayerNorm(dim, eps=1e-6)
        self.decoder_pred = nn.Linear(dim, 8 * 8 * 3)

    def embed(self, x):
        return self.norm(self.tokens(x)[:, 1:].mean(1))

    def reconstruct(self, x, mask):
        """Pixels of every patch; `mask` (batch, patches), with equally many in each row."""
        keep = (~mask).nonzero()[:, 1].reshape(len(x), -1)
        z = self.decoder_embed(self.norm(self.tokens(x, keep)))
        canvas = self.mask_token.repeat(len(x), mask.shape[1], 1)
        canvas[~mask] = z[:, 1:].reshape(-1, z.shape[-1])
        z = torch.cat([z[:, :1], canvas], dim=1) + self.decoder_pos_embed
        for layer in self.decoder_blocks:
            z = layer(z)
        return self.decoder_pred(self.decoder_norm(z))[:, 1:]


MASK = torch.rand(3, 16, generator=torch.Generator().manual_seed(6)).argsort(1) < 12


def mae():
    from hf_ssl.augment.masks import visible_indices
    from hf_ssl.encoders import encoder_for

    def seen(backbone, images):
        tokens = encoder_for(backbone.config).tokens(backbone, images, keep=visible)
        return torch.cat([tokens.prefix, tokens.patches], dim=1)

    net, visible = drawn(MaskedAutoencoder(), 1), visible_indices(MASK)
    args = argparse.Namespace(model="mae_vit_base_patch16", norm_pix_loss=False, mask_ratio=0.75)
    return Official(
        "mae",
        {"model": prefixed("", net), "optimizer": OPTIMIZER, "epoch": 799, "scaler": {}, "args": args},
        net.embed,
        {
            "pixels": (
                net.reconstruct(SMALL, MASK),
                lambda model, images: model.decoder(seen(model.backbone, images), visible),
            )
        },
        config={"norm_pix_loss": False, "decoder_hidden_size": 32, "decoder_num_hidden_layers": 2},
        size=32,
    )


def mae_encoder():
    net = drawn(VisionTransformer(), 1)
    state = {"model": prefixed("", net)}
    return Official("mae", state, lambda x: net.norm(net.tokens(x)[:, 1:].mean(1)), fresh=["decoder"], size=32)


LAYOUTS = {
    "mae": mae,
    "mae, encoder": mae_encoder,
}
