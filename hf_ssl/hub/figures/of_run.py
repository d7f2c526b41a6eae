"""The pictures of a run: the curve, the views, nearest neighbours, and what the method can show of itself."""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import torch
from torch.nn.functional import interpolate
from torch.utils.data import Dataset, Subset
from transformers.utils import logging

from ...data import Data
from ...encoders import PlainTransformerEncoder, encoder_for
from ...evaluation import EvaluationReport, extract_features, preprocess
from ...modeling_utils import SSLPreTrainedModel
from ...processing_utils import SSLProcessorMixin
from . import (
    save_attention,
    save_curve,
    save_neighbours,
    save_patch_features,
    save_reconstructions,
    save_views,
)

logger = logging.get_logger(__name__)
_NEIGHBOUR_POOL = 1000
_STREAMED = 200  # images of a stream, which cannot be picked from
_THUMBNAIL = 160  # pixels: what a picture of a picture shows at most


@dataclass(frozen=True)
class _Run:
    model: SSLPreTrainedModel
    processor: SSLProcessorMixin
    source: Dataset | list[dict]
    label_names: list[str] | None
    log: list[dict]
    baselines: dict[str, float] | None

    def some(self, count: int) -> Subset:
        """Evenly spread images: data sets are often sorted by class. Their data set records what cannot be read."""
        count = min(count, len(self.source))
        return Subset(self.source, [i * len(self.source) // count for i in range(count)])

    @cached_property
    def images(self) -> list[torch.Tensor]:
        return [sample["image"] for sample in self.some(8)]

    @cached_property
    def views(self) -> dict[str, torch.Tensor]:
        samples = list(self.some(8))
        batch = {key: [sample[key] for sample in samples] for key in self.processor.sample_keys}
        return self.processor.views(generator=torch.Generator().manual_seed(0), **batch)


def draw(
    folder: Path,
    model: SSLPreTrainedModel,
    processor: SSLProcessorMixin,
    data: Data,
    log: list[dict],
    report: EvaluationReport | None,
) -> list[Path]:
    """
    Write the figures that this run can show, best first. Without matplotlib there are none, and a warning; one that
    cannot be drawn is left out, with a warning: a run that is finished does not fail for a picture.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        logger.warning('No pictures: matplotlib is missing. pip install "hf_ssl[demo]"')
        return []
    part = data.test if data.test is not None else data.train
    source = part if isinstance(part, Sized) else list(islice(part, _STREAMED))
    baselines = {row.name: row.knn for row in report.rows[:-1]} if report else None
    run = _Run(model.cpu().eval(), processor, source, data.label_names, log, baselines)
    paths = []
    shown = _PICTURES if "image" in processor.sample_keys else {_CURVE: _PICTURES[_CURVE]}  # of samples: images only
    for name, picture in shown.items():
        try:
            with torch.no_grad():
                path = picture(folder / name, run)
        except Exception as error:  # whatever the images of a user make of it
            logger.warning(f"The picture {name} is left out: {' '.join(str(error).split()) or type(error).__name__}")
        else:
            paths += [path] if path else []
    return paths


def _reconstructions(path: Path, run: _Run) -> Path | None:
    if "bool_masked_pos" not in run.views:
        return None
    output, processor = run.model(**run.views, return_loss=False), run.processor
    return save_reconstructions(
        path,
        run.views["pixel_values"],
        run.views["bool_masked_pos"],
        output.reconstruction,
        processor.patch_size,
        processor.image_mean,
        processor.image_std,
    )


def _attention(path: Path, run: _Run) -> Path | None:
    encoder = encoder_for(run.model.config.backbone_config)
    shows = isinstance(encoder, PlainTransformerEncoder) and encoder.num_prefix
    if not shows or run.model.config.pooling is not None:
        return None
    pixel_values = preprocess(run.processor, run.some(8))
    attentions = encoder.attention(run.model.backbone, pixel_values)
    return save_attention(path, attentions, _seen(pixel_values, run), encoder.grid(tuple(pixel_values.shape[-2:])))


def _patch_features(path: Path, run: _Run) -> Path | None:
    encoder = encoder_for(run.model.config.backbone_config)
    if not isinstance(encoder, PlainTransformerEncoder):
        return None
    pixel_values = preprocess(run.processor, run.some(16))
    tokens = encoder.tokens(run.model.backbone, pixel_values, final_norm=run.model.config.pooling is None)
    return save_patch_features(path, tokens.patches, _seen(pixel_values, run), tokens.grid)


def _neighbours(path: Path, run: _Run) -> Path | None:
    pool = run.some(_NEIGHBOUR_POOL)
    if len(pool) < 2:
        return None
    features = extract_features(run.model.encoder(), run.processor, pool)
    return save_neighbours(path, features.embeddings, _Thumbnails(pool), features.labels, run.label_names)


def _curve(path: Path, run: _Run) -> Path | None:
    return save_curve(path, run.log, run.baselines) if any("loss" in entry for entry in run.log) else None


def _views(path: Path, run: _Run) -> Path:
    crops = {name: value for name, value in run.views.items() if name.endswith("pixel_values")}
    images = [_thumbnail(image) for image in run.images]
    return save_views(path, images, crops, run.processor.image_mean, run.processor.image_std)


_CURVE = "curve.png"
_PICTURES: dict[str, Callable[[Path, _Run], Path | None]] = {
    "reconstructions.png": _reconstructions,
    "attention.png": _attention,
    "features.png": _patch_features,
    "neighbours.png": _neighbours,
    _CURVE: _curve,
    "views.png": _views,
}


class _Thumbnails(Sequence):
    """Small copies of the images of a data set, read when they are asked for: few of the pool are shown."""

    def __init__(self, pool: Subset):
        self.pool = pool

    def __len__(self) -> int:
        return len(self.pool)

    def __getitem__(self, index: int) -> torch.Tensor:
        return _thumbnail(self.pool[index]["image"])


def _thumbnail(image: torch.Tensor) -> torch.Tensor:
    scale = _THUMBNAIL / max(image.shape[-2:])
    if scale >= 1:
        return image
    size = [max(round(side * scale), 1) for side in image.shape[-2:]]
    return interpolate(image[None].float(), size, mode="bilinear", antialias=True)[0].round().to(torch.uint8)


def _seen(pixel_values: torch.Tensor, run: _Run) -> torch.Tensor:
    mean, std = (torch.tensor(v)[:, None, None] for v in (run.processor.image_mean, run.processor.image_std))
    return (pixel_values * std + mean).clamp(0, 1)
