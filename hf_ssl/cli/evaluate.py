"""`hf-ssl evaluate`: any encoder beside raw pixels and its random initialisation."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.utils import CONFIG_NAME, cached_file

from ..checks.bounded_json import NoObjectError, read_json, read_large_json
from ..checks.repository_files import find_file, pinned
from ..configuration_utils import closest
from ..data import Data, DecodedImages, ImageFolder, PixelFormat, load_data
from ..encoders import encoder_for
from ..evaluation import evaluate_encoder, find_image_processor, load_image_processor
from ..loading import PRETRAINING, load_encoder
from ..registry import METHODS
from ..utils.printing import say

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# Arguments of `load_data` that decide which images are held out to test on, and their options.
_SPLIT = {
    "seed": "--data-seed",
    "test_fraction": None,
    "label_level": "--label-level",
    "split": "--split",
    "test_split": "--test-split",
}


@dataclass
class Request:
    """What the user asked for."""

    encoder: str
    data: str
    revision: str | None
    subfolder: str | None
    image_processor: str | None
    linear: bool | None
    k: int | None
    temperature: float
    batch_size: int
    device: str | None
    dtype: str
    image_column: str | None
    label_column: str | None
    data_seed: int | None
    label_level: int | None
    split: str | None
    test_split: str | None
    max_unreadable: float | None
    seed: int
    json_file: Path | None

    def asked(self) -> dict[str, Any]:
        """What decides about the split, as arguments of `load_data`, as far as the user has said it."""
        own = {
            "seed": self.data_seed,
            "label_level": self.label_level,
            "split": self.split,
            "test_split": self.test_split,
        }
        return {name: value for name, value in own.items() if value is not None}


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
    subfolder = request.subfolder
    if subfolder is None and (subfolder := embedding_folder(request.encoder, request.revision)):
        say(
            f"Evaluated is the encoder in {subfolder}/, which the card is about (--subfolder takes another).", err=True
        )
    where = {"revision": request.revision, "subfolder": subfolder}
    model = load_encoder(request.encoder, dtype=_DTYPES[request.dtype], **where)
    if request.image_processor is None:
        processor, assumed = find_image_processor(model, request.encoder, **where)
        if assumed:
            say(assumed, err=True)
    else:
        processor = load_image_processor(request.image_processor, modality=encoder_for(model.config).modality)
    options = {name: vars(request)[name] for name in ("image_column", "label_column", "max_unreadable")}
    used = split_of_run(request)
    as_then = {name: used[name] for name in _SPLIT if name in used}
    options["modality"] = encoder_for(model.config).modality
    source = load_data(request.data, **options, **as_then | request.asked())
    require_held_out(request, used, source.split)
    require_not_trained_on(request, used, source, lambda: load_data(request.data, **options, **as_then))
    if unreadable := source.report():
        say(unreadable, err=True)
    if source.train.labels is None:
        raise ValueError(
            f"{source.name} has no labels ({source.labels_from or 'the source has none'}), which evaluation needs: "
            "give images in one subfolder a class, or name the --label-column of a data set."
        )
    if source.test is None:
        raise ValueError(
            f"{source.name} has no test part ({source.split['made_by']}): give another --data, or its --split and "
            "--test-split."
        )
    if source.test.labels is None:
        raise ValueError(
            f"The test part of {source.name} has no labels of the classes in its training part, which evaluation "
            "needs: name another --test-split."
        )
    trained = processor.to_dict().get("pixel_format")
    for part in (source.train, source.test):
        if trained is not None and isinstance(part, DecodedImages):
            part.pixel_format = part.pixel_format.with_ranges_of(PixelFormat.from_dict(trained))
    try:
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
    except RuntimeError as error:
        if "size" not in str(error).lower() or "memory" in str(error):
            raise
        raise ValueError(
            f"{request.encoder} cannot take the images that its image processor gives ({error}): give another "
            "--image-processor, or another encoder."
        ) from error
    say(report.table())
    say(report.verdict())
    if request.json_file is not None:
        request.json_file.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")


def embedding_folder(encoder: str, revision: str | None) -> str:
    """Where in a repository of ours the encoder lies whose embedding the card is about; "" for the root."""
    try:
        where = pinned(encoder, {"revision": revision, "subfolder": PRETRAINING})
        config = find_file(encoder, CONFIG_NAME, where)
        kind = "" if config is None else str(read_json(config).get("model_type"))
        method = METHODS.get(kind.removeprefix("ssl_"))
    except (OSError, ValueError):  # damaged, or of a method that is not installed: the root may still be an encoder
        return ""
    return method.pretraining_class.embedding_folder if method else ""


def split_of_run(request: Request) -> Mapping[str, Any]:
    """How the run that the encoder comes from split these data; nothing where it saw others, or is not known."""
    folder = Path(request.data).expanduser()
    run = run_of(request.encoder, request.revision)
    same = run.get("dataset") == (folder.resolve().name if folder.is_dir() else request.data)
    return run.get("split", {}) if same else {}


def require_held_out(request: Request, used: Mapping[str, Any], split: Mapping[str, Any]) -> None:
    """
    Nothing that was trained on is evaluated on: where the run held out images of its own choice, they are the same.

    Raises:
        ValueError: where the user asks for others.
    """
    if "seed" not in used or used.get("test_sha256") == split.get("test_sha256"):
        return
    options = " and ".join(_SPLIT[name] for name in request.asked())
    said = f"{request.encoder} was trained on {request.data} when other images were held out to test on"
    if options:
        raise ValueError(f"{said}, so that it would be evaluated on images it was trained on: leave out {options}.")
    say(f"{said}: it may be evaluated on images that it was trained on. Have they changed since?", err=True)


def require_not_trained_on(
    request: Request, used: Mapping[str, Any], source: Data, load_then: Callable[[], Data]
) -> None:
    """
    The same for images that the user has named by their folders.

    Args:
        load_then (`Callable`): the data as the run saw them.

    Raises:
        ValueError: where test images of `source` are among them.
    """
    if used and "seed" not in used and used.get("test_sha256") != source.split.get("test_sha256"):
        trained = load_then().train
        if source.test and isinstance(trained, ImageFolder) and (common := {*trained.keys()} & {*source.test.keys()}):
            raise ValueError(
                f"{request.encoder} was trained on {len(common)} of the {len(source.test)} images of {request.data} "
                "that it would be tested on: name others in --test-split, or give another --data."
            )


def run_of(encoder: str, revision: str | None) -> Mapping[str, Any]:
    """What results.json says of the run that an encoder comes from; nothing where it comes from no run of ours."""
    folder = Path(encoder)
    if folder.is_dir():  # the repository, its pretraining/ or one of its checkpoints
        places = [place / "results.json" for place in (folder.resolve(), *folder.resolve().parents[:2])]
    else:
        quiet = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
        places = [Path(file) for file in [cached_file(encoder, "results.json", revision=revision, **quiet)] if file]
    for place in places:
        if place.is_file():
            try:
                run = read_large_json(place).get("run")
            except NoObjectError:  # of somebody else
                return {}
            return run if isinstance(run, Mapping) else {}
    return {}


def usable_device(name: str | None) -> torch.device:
    """The device of that name, or the accelerator where there is one; a `ValueError` when it cannot be used."""
    if name is None:
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"--device {name!r} cannot be used here: {reason}") from None
