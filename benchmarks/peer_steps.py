"""One training step, forward to the moving average, as users of lightly and of transformers write it."""

import copy
from collections.abc import Callable

import timm
import torch
from lightly.loss import DINOLoss, NegativeCosineSimilarity, NTXentLoss
from lightly.models import modules, utils
from torch import nn
from torchvision.models import resnet18
from transformers import ViTMAEConfig, ViTMAEForPreTraining

Views = dict[str, torch.Tensor]
Step = Callable[[Views], None]


def encoder(backbone: str, size: int, **sizes: int) -> nn.Module:
    """The same architecture as ours of that name, from where users of lightly take it; `sizes` make another ViT."""
    if backbone == "resnet-18":
        network = resnet18()
        network.fc = nn.Identity()
        return network
    patch = 4 if size <= 64 else 16
    return timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=size, patch_size=patch, dynamic_img_size=True, **sizes
    )


def width(backbone: str) -> int:
    return 512 if backbone == "resnet-18" else 192


def stepper(parameters, loss_of: Callable[[Views], torch.Tensor], after: Callable[[], None] = lambda: None) -> Step:
    """The loop around a loss, with the optimizer that our runs have."""
    optimizer = torch.optim.AdamW(parameters, fused=True)

    def step(views: Views) -> None:
        optimizer.zero_grad()
        loss_of(views).backward()
        optimizer.step()
        after()

    return step


def lightly_simclr(config, backbone: str, size: int) -> Step:
    hidden, out = config.projection_sizes
    head = modules.SimCLRProjectionHead(width(backbone), hidden, out)
    model, criterion = nn.Sequential(encoder(backbone, size), head), NTXentLoss(config.temperature)

    def loss_of(views):
        return criterion(*(model(view) for view in views["pixel_values"].unbind(1)))

    return stepper(model.parameters(), loss_of)


def lightly_byol(config, backbone: str, size: int) -> Step:
    hidden, out = config.projection_sizes
    student = nn.Sequential(encoder(backbone, size), modules.BYOLProjectionHead(width(backbone), hidden, out))
    predictor, criterion = modules.BYOLPredictionHead(out, *config.prediction_sizes), NegativeCosineSimilarity()
    target = copy.deepcopy(student)
    utils.deactivate_requires_grad(target)

    def loss_of(views):
        first, second = views["pixel_values"].unbind(1)
        with torch.no_grad():
            targets = target(second), target(first)
        return sum(criterion(predictor(student(v)), t) for v, t in zip((first, second), targets, strict=True))

    parameters = [*student.parameters(), *predictor.parameters()]
    return stepper(parameters, loss_of, lambda: utils.update_momentum(student, target, config.target_momentum))


def lightly_dino(config, backbone: str, size: int) -> Step:
    hidden, _, bottleneck = config.head_sizes
    student, teacher = (  # its weight normalisation cannot be copied
        nn.Sequential(
            encoder(backbone, size),
            modules.DINOProjectionHead(width(backbone), hidden, bottleneck, config.num_prototypes),
        )
        for _ in range(2)
    )
    teacher.load_state_dict(student.state_dict())
    utils.deactivate_requires_grad(teacher)
    criterion = DINOLoss(config.num_prototypes)

    def loss_of(views):
        large, small = views["pixel_values"].unbind(1), views["local_pixel_values"].unbind(1)
        with torch.no_grad():
            targets = [teacher(view) for view in large]
        return criterion(targets, [student(view) for view in (*large, *small)], epoch=0)

    parameters = [p for p in student.parameters() if p.requires_grad]
    return stepper(parameters, loss_of, lambda: utils.update_momentum(student, teacher, config.teacher_momentum))


def lightly_mae(config, backbone: str, size: int) -> Step:
    vit = config.backbone_config
    model = modules.MaskedVisionTransformerTIMM(encoder(backbone, size))
    patches, patch = (size // vit.patch_size) ** 2, vit.patch_size
    decoder = modules.MAEDecoderTIMM(
        patches,
        patch,
        embed_dim=vit.hidden_size,
        decoder_embed_dim=config.decoder_hidden_size,
        decoder_depth=config.decoder_num_hidden_layers,
        decoder_num_heads=config.decoder_num_attention_heads,
    )

    def loss_of(views):
        images = views["pixel_values"]
        keep, mask = utils.random_token_mask((len(images), patches + 1), mask_ratio=0.75)
        encoded = decoder.embed(model.encode(images, idx_keep=keep))
        tokens = utils.repeat_token(decoder.mask_token, (len(images), patches + 1)).to(encoded)
        decoded = decoder.decode(utils.set_at_index(tokens, keep, encoded))
        predicted = decoder.predict(utils.get_at_index(decoded, mask))
        target = utils.normalize_mean_var(utils.get_at_index(utils.patchify(images, patch), mask - 1))
        return nn.functional.mse_loss(predicted, target)

    return stepper([p for p in (*model.parameters(), *decoder.parameters()) if p.requires_grad], loss_of)


def transformers_mae(config, backbone: str, size: int) -> Step:
    vit = config.backbone_config
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    values = {name: getattr(vit, name) for name in (*names, "patch_size")}
    values |= {f"decoder_{name}": getattr(config, f"decoder_{name}") for name in names}
    model = ViTMAEForPreTraining(ViTMAEConfig(**values, image_size=size, norm_pix_loss=True)).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    return stepper(parameters, lambda views: model(views["pixel_values"]).loss)


PEERS = {
    "simclr": {"lightly": lightly_simclr},
    "byol": {"lightly": lightly_byol},
    "dino": {"lightly": lightly_dino},
    "mae": {"lightly": lightly_mae, "transformers": transformers_mae},
}
