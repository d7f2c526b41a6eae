"""`hf-ssl export`: from a checkpoint to a repository."""

from pathlib import Path

import typer
from transformers import AutoConfig, AutoImageProcessor, AutoModelForPreTraining

from ..configuration_utils import SSLConfig
from ..hub import PRETRAINING, build_card, export_pretrained
from ..registry import method_of


def require_empty(output_dir: Path) -> None:
    """A `ValueError` when something stands at `output_dir` already."""
    if output_dir.exists() and (not output_dir.is_dir() or any(output_dir.iterdir())):
        raise ValueError(f"{output_dir} is not an empty folder: choose another place for the repository.")


def run(checkpoint: str, output_dir: Path) -> None:
    require_empty(output_dir)
    # A repository holds the method in a subfolder, a checkpoint of the Trainer holds it at the root.
    subfolder = {"subfolder": PRETRAINING} if Path(checkpoint, PRETRAINING).is_dir() else {}
    config = AutoConfig.from_pretrained(checkpoint, **subfolder)
    if not isinstance(config, SSLConfig):
        raise ValueError(
            f"{checkpoint} holds a {config.model_type!r} model, no pretraining checkpoint of hf_ssl: there is nothing "
            "to export."
        )
    model = AutoModelForPreTraining.from_pretrained(checkpoint, **subfolder)
    processor = AutoImageProcessor.from_pretrained(checkpoint, **subfolder)
    card = build_card(method_of(config), model, processor, results=None, run=None, figures=[])
    export_pretrained(model, processor, output_dir, card)
    typer.echo(f"Wrote {output_dir}: AutoModel.from_pretrained({str(output_dir)!r}) gives the encoder.")
