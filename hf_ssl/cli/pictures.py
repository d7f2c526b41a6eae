"""The pictures of a run: the curve, the views, nearest neighbours, and what the method can show of itself."""

from pathlib import Path

import torch
from transformers import AutoModel
from transformers.utils import logging

from ..data import Data, ImageDataset
from ..evaluation import EvaluationReport, extract_features, preprocess
from ..hub.figures import (
    save_attention,
    save_curve,
    save_neighbours,
    save_patch_features,
    save_reconstructions,
    save_views,
)
from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel

logger = logging.get_logger(__name__)
_NEIGHBOUR_POOL = 2000


def draw(
    folder: Path,
    model: SSLPreTrainedModel,
    processor: SSLImageProcessor,
    data: Data,
    log: list[dict],
    report: EvaluationReport | None,
) -> list[Path]:
    """Write the figures that this run can show, best first. Without matplotlib there are none, and a warning."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        logger.warning('No pictures: matplotlib is missing. pip install "hf_ssl[demo]"')
        return []
    source: ImageDataset = data.test if data.test is not None else data.train
    chosen = _spread(source, 8)
    images = [source[i]["image"] for i in chosen]
    views = processor.views(images, torch.Generator().manual_seed(0))
    model = model.cpu().eval()
    paths = []
    with torch.no_grad():
        output = model(**views, return_loss=False)
    if "reconstruction" in output:
        paths.append(
            save_reconstructions(
                folder / "reconstructions.png",
                views["pixel_values"],
                views["bool_masked_pos"],
                output.reconstruction,
                processor.patch_size,
                processor.image_mean,
                processor.image_std,
            )
        )
    if model.config.backbone_config.model_type == "vit":
        if model.config.pooling is None:
            paths.append(_attention(folder / "attention.png", model, processor, source.subset(chosen)))
        paths.append(_patch_features(folder / "features.png", model, processor, source.subset(_spread(source, 16))))
    pool = source.subset(_spread(source, _NEIGHBOUR_POOL))
    features = extract_features(model.encoder(), processor, pool)
    thumbnails = [pool[i]["image"] for i in range(len(pool))]
    paths.append(
        save_neighbours(
            folder / "neighbours.png", features.embeddings, thumbnails, features.labels, source.label_names
        )
    )
    baselines = {row.name: row.knn for row in report.rows[:-1]} if report else None
    if any("loss" in entry for entry in log):
        paths.append(save_curve(folder / "curve.png", log, baselines))
    crops = {name: value for name, value in views.items() if name.endswith("pixel_values")}
    paths.append(save_views(folder / "views.png", images, crops, processor.image_mean, processor.image_std))
    return paths


def _spread(source: ImageDataset, count: int) -> list[int]:
    """Evenly spread indices: data sets are often sorted by class."""
    count = min(count, len(source))
    return [i * len(source) // count for i in range(count)]


def _attention(path: Path, model: SSLPreTrainedModel, processor: SSLImageProcessor, source: ImageDataset) -> Path:
    backbone, pixel_values = model.config.backbone_config, preprocess(processor, source)
    eager = AutoModel.from_config(backbone, attn_implementation="eager", add_pooling_layer=False).eval()
    eager.load_state_dict(model.backbone.state_dict())
    with torch.no_grad():
        attentions = eager(pixel_values, output_attentions=True).attentions[-1]
    return save_attention(path, attentions, _seen(pixel_values, processor), _grid(model, processor))


def _patch_features(path: Path, model: SSLPreTrainedModel, processor: SSLImageProcessor, source: ImageDataset) -> Path:
    pixel_values = preprocess(processor, source)
    with torch.no_grad():
        features = model.encoder()(pixel_values).last_hidden_state
    return save_patch_features(path, features, _seen(pixel_values, processor), _grid(model, processor))


def _seen(pixel_values: torch.Tensor, processor: SSLImageProcessor) -> torch.Tensor:
    mean, std = (torch.tensor(v)[:, None, None] for v in (processor.image_mean, processor.image_std))
    return (pixel_values * std + mean).clamp(0, 1)


def _grid(model: SSLPreTrainedModel, processor: SSLImageProcessor) -> tuple[int, int]:
    return (processor.inference_size // model.config.backbone_config.patch_size,) * 2
