"""The published repository: a native encoder at the root, the whole method under `pretraining/`."""

import shutil
import tempfile
from pathlib import Path

from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel
from ..utils.files import sync_folder, sync_tree

PRETRAINING, _STAGING = "pretraining", ".export-"


def native_image_processor(processor: SSLImageProcessor) -> ViTImageProcessorPil:
    """A native `ViTImageProcessor` that preprocesses exactly as `processor` does at inference."""
    names = (
        "resample image_mean image_std size crop_size do_convert_rgb do_resize do_center_crop do_rescale "
        "rescale_factor do_normalize pixel_format"
    ).split()
    values = processor.to_dict()
    return ViTImageProcessorPil(**{name: values[name] for name in names if name in values})


def export_pretrained(
    model: SSLPreTrainedModel,
    processor: SSLImageProcessor,
    output_dir: str | Path,
    card: str | None = None,
    max_shard_size: int | str = "50GB",
) -> Path:
    """
    Write the repository; what stood there under the same names is replaced as a whole, and never half.

    Args:
        model (`SSLPreTrainedModel`): a `...ForPreTraining`.
        processor (`SSLImageProcessor`): its image processor.
        output_dir (`str` or `Path`): made when it does not exist; other files in it stay.
        card (`str`, *optional*): text of `README.md`.
        max_shard_size (`int` or `str`, *optional*, defaults to `"50GB"`): of one file of weights.
    """
    output_dir = Path(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output_dir, prefix=_STAGING) as staging:
        model.native_encoder().save_pretrained(staging, max_shard_size=max_shard_size)
        native_image_processor(processor).save_pretrained(staging)
        model.save_pretrained(Path(staging, PRETRAINING), max_shard_size=max_shard_size)
        processor.save_pretrained(Path(staging, PRETRAINING))
        if card is not None:
            Path(staging, "README.md").write_text(card, encoding="utf-8")
        sync_tree(Path(staging))
        for new in sorted(Path(staging).iterdir()):
            old = output_dir / new.name
            if old.is_dir():
                shutil.rmtree(old)
            new.replace(old)
        sync_folder(output_dir)
    return output_dir


def is_unfinished(name: str) -> bool:
    """Whether a folder of this name is what a killed `export_pretrained` left."""
    return name.startswith(_STAGING)


def sweep_exports(folder: Path) -> None:
    """Remove what a killed `export_pretrained` left; nobody may be exporting to `folder`."""
    for path in [path for path in folder.iterdir() if is_unfinished(path.name)]:
        shutil.rmtree(path)
