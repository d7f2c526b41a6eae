"""`hf-ssl evaluate`: any encoder beside raw pixels and its random initialisation."""

import json
from pathlib import Path

import typer
from transformers import AutoImageProcessor, AutoModel

from ..data import load_data
from ..evaluation import evaluate_encoder


def run(
    encoder: str,
    data: str,
    linear: bool,
    batch_size: int,
    image_column: str | None,
    label_column: str | None,
    seed: int,
    json_file: Path | None,
) -> None:
    if json_file is not None and not json_file.parent.is_dir():
        raise ValueError(f"The folder of --json-file {json_file} does not exist.")
    source = load_data(data, seed=seed, image_column=image_column, label_column=label_column)
    if source.train.labels is None or source.test is None:
        raise ValueError(f"{source.name} has no labels or no test part; evaluation needs both.")
    model, processor = AutoModel.from_pretrained(encoder), AutoImageProcessor.from_pretrained(encoder)
    report = evaluate_encoder(
        model, processor, source.train, source.test, seed=seed, linear=linear, batch_size=batch_size
    )
    typer.echo(report.table())
    typer.echo(report.verdict())
    if json_file is not None:
        json_file.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
