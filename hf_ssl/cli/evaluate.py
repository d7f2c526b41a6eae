"""`hf-ssl evaluate`: any encoder beside raw pixels and its random initialisation."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import typer

from ..configuration_utils import closest
from ..data import DecodedImages, PixelFormat, load_data
from ..evaluation import evaluate_encoder, load_encoder, load_image_processor

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class Request:
    """What the user asked for."""

    encoder: str
    data: str
    revision: str | None
    subfolder: str
    image_processor: str | None
    linear: bool
    k: int
    temperature: float
    batch_size: int
    device: str | None
    dtype: str
    image_column: str | None
    label_column: str | None
    seed: int
    json_file: Path | None


def run(request: Request) -> None:
    if request.json_file is not None and not request.json_file.parent.is_dir():
        raise ValueError(f"The folder of --json-file {request.json_file} does not exist.")
    if request.dtype not in _DTYPES:
        raise ValueError(
            f"There is no --dtype {request.dtype!r}.{closest(request.dtype, _DTYPES)} Known: {', '.join(_DTYPES)}."
        )
    if request.batch_size < 1:
        raise ValueError(f"--batch-size must be at least 1, got {request.batch_size}.")
    device = usable_device(request.device)
    # The encoder comes first: a mistake in its name should not wait for the data.
    where = {"revision": request.revision, "subfolder": request.subfolder}
    model = load_encoder(request.encoder, dtype=_DTYPES[request.dtype], **where)
    if request.image_processor is None:
        processor = load_image_processor(request.encoder, **where)
    else:
        processor = load_image_processor(request.image_processor)
    source = load_data(
        request.data, seed=request.seed, image_column=request.image_column, label_column=request.label_column
    )
    trained = processor.to_dict().get("pixel_format")
    for part in (source.train, source.test):
        if trained is not None and isinstance(part, DecodedImages):
            part.pixel_format = part.pixel_format.with_ranges_of(PixelFormat.from_dict(trained))
    if source.train.labels is None or source.test is None:
        raise ValueError(f"{source.name} has no labels or no test part; evaluation needs both.")
    report = evaluate_encoder(
        model,
        processor,
        source.train,
        source.test,
        seed=request.seed,
        k=request.k,
        temperature=request.temperature,
        linear=request.linear,
        batch_size=request.batch_size,
        device=device,
    )
    typer.echo(report.table())
    typer.echo(report.verdict())
    if request.json_file is not None:
        request.json_file.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")


def usable_device(name: str | None) -> torch.device:
    """The device of that name, or the accelerator where there is one; a `ValueError` when it cannot be used."""
    if name is None:
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"--device {name!r} cannot be used here: {reason}") from None
