"""
Writes the golden checkpoints: small repositories of every method, exactly as the package of that day published them.

`python -m tests.golden.make` adds the methods that have none yet, with what they compute to `expected.json`. What is
there already is never written again: it stands for the repositories that people have saved, and has to load for ever.
"""

import json
from pathlib import Path

import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoModelForPreTraining,
    ConvNextConfig,
    Dinov2Config,
    ResNetConfig,
    SwinConfig,
    ViTConfig,
)

from hf_ssl.hub import build_card, export_pretrained
from hf_ssl.registry import METHODS

GOLDEN = Path(__file__).parent
EXPECTED = GOLDEN / "expected.json"
SAMPLES = 20  # of the data that the models are trained on
_TOKENS = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
_SWIN = {"embed_dim": 4, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4, "image_size": 32, "patch_size": 4}
BACKBONES = {
    "vit": lambda: ViTConfig(**_TOKENS, intermediate_size=16),
    "dinov2": lambda: Dinov2Config(**_TOKENS, mlp_ratio=2),
    "resnet": lambda: ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic"),
    "swin": lambda: SwinConfig(**_SWIN),
    "convnext": lambda: ConvNextConfig(hidden_sizes=[4, 8], depths=[1, 1], num_stages=2),
}
# One architecture a method, so that all of them occur; a method that is not here has a ViT, and no fields of its own.
BACKBONE_OF = {
    "supervised": "resnet",
    "moco_v2": "resnet",
    "infomin": "resnet",
    "byol": "convnext",
    "barlow_twins": "resnet",
    "vicreg": "swin",
    "swav": "resnet",
    "deepcluster_v2": "dinov2",
    "obow": "resnet",
}
_PROJECTION = {"projection_sizes": [8, 4]}
CONFIGS = {
    "simclr": _PROJECTION,
    "moco_v2": _PROJECTION | {"queue_length": 8},
    "infomin": _PROJECTION | {"queue_length": 8},
    "byol": _PROJECTION | {"prediction_sizes": [8, 4]},
    "simsiam": {"projection_sizes": [8, 8, 4], "prediction_size": 4},
    "barlow_twins": _PROJECTION,
    "vicreg": _PROJECTION,
    "swav": _PROJECTION | {"num_prototypes": 12, "queue_length": 8, "queue_start_share": 0.0},
    "deepcluster_v2": _PROJECTION | {"num_prototypes": [8, 6, 7]},
    "dino": {"head_sizes": [8, 4], "num_prototypes": 16},
    "obow": {"vocabulary_size": 16, "kappa": 1.0},
    "mae": {
        "decoder_hidden_size": 8,
        "decoder_num_hidden_layers": 1,
        "decoder_num_attention_heads": 2,
        "decoder_intermediate_size": 16,
    },
}
_SIZE = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
_LOCAL = {"local_crop_size": 16, "local_crops": 2}
PROCESSORS = {
    "swav": _LOCAL,
    "deepcluster_v2": _LOCAL,
    "dino": _LOCAL,
    "infomin": {"jigsaw_size": 51, "jigsaw_patch_size": 16},
    "obow": _LOCAL | {"local_source_size": 24, "local_jitter": 2, "student_crop_size": 16},
    "mae": {"patch_size": 8},
}


def picture() -> Image.Image:
    """A random photograph, larger than the views and not square."""
    pixels = torch.randint(0, 256, (40, 36, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return Image.fromarray(pixels.numpy())


def draw_views(processor, data_columns: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """Training views of four random images, with what the method wants to know about them beside."""
    generator = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (4, 3, 32, 32), generator=generator, dtype=torch.uint8)
    columns = {"labels": torch.arange(4) % 2, "sample_index": torch.arange(4)}
    return dict(processor.views(image=images, generator=generator)) | {name: columns[name] for name in data_columns}


def mean_and_deviation(tensor: torch.Tensor) -> list[float]:
    values = tensor.double()
    return [values.mean().item(), values.std(correction=0).item()]


def measure(folder: Path) -> dict[str, float | list[float] | dict[str, list[float]]]:
    """
    What a saved repository computes for fixed inputs.

    Returns:
        `dict`: `inputs`, mean and standard deviation of the preprocessed picture; `embedding`, the `pooler_output` of
        the root for it; `views`, mean and standard deviation of each entry of a batch of training views; `loss`, of
        that batch in evaluation mode; `training_loss` and `gradient_norm`, of the same batch in training mode.
    """
    with torch.no_grad():
        inputs = AutoImageProcessor.from_pretrained(folder)(picture(), return_tensors="pt")
        embedding = AutoModel.from_pretrained(folder).eval()(**inputs).pooler_output.flatten()
    processor = AutoImageProcessor.from_pretrained(folder, subfolder="pretraining")
    model = AutoModelForPreTraining.from_pretrained(folder, subfolder="pretraining").eval()
    views = draw_views(processor, model.data_columns)
    loss = model(**views).loss.item()
    torch.manual_seed(3)  # of MoCo's shuffling
    training_loss = model.train()(**views).loss
    training_loss.backward()
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return {
        "inputs": mean_and_deviation(inputs["pixel_values"]),
        "embedding": embedding.tolist(),
        "views": {name: mean_and_deviation(tensor) for name, tensor in views.items()},
        "loss": loss,
        "training_loss": training_loss.item(),
        "gradient_norm": torch.cat(gradients).norm().item(),
    }


def make(name: str) -> None:
    """Save a small model of a method, every parameter and running statistic away from its initial value."""
    method = METHODS[name]
    torch.manual_seed(0)
    backbone = BACKBONES[BACKBONE_OF.get(name, "vit")]()
    model = method.pretraining_class(method.config_class(**CONFIGS.get(name, {}), backbone_config=backbone))
    processor = method.processor_class(**_SIZE, **PROCESSORS.get(name, {}))
    model.size_for(SAMPLES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        model.train()(**draw_views(processor, model.data_columns))
    model.eval()
    card = build_card(method, model, processor, results=None, run=None, figures=[])
    export_pretrained(model, processor, GOLDEN / name, card=card)


def main() -> None:
    torch.set_num_threads(1)
    expected = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.is_file() else {}
    for name in METHODS:
        if name not in expected:
            make(name)
            expected[name] = measure(GOLDEN / name)
            EXPECTED.write_text(json.dumps(expected, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
