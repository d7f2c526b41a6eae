"""The public doors, each as a function that opens one and says what came in."""

import contextlib
import hashlib
import io
import json
import sys
import traceback
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoModelForPreTraining, PreTrainedConfig

import hf_ssl
from hf_ssl.cli.main import main
from hf_ssl.configuration_utils import SSLConfig
from hf_ssl.data import Data, ImageDataset, load_data
from hf_ssl.evaluation import load_image_processor
from hf_ssl.image_processing_utils import SSLImageProcessor
from hf_ssl.loading import load_encoder

from ..conftest import build_views
from .material import picture

_PACKAGE = Path(hf_ssl.__file__).parent
_BASE_FIELDS = {field.name for field in fields(PreTrainedConfig)} | {"transformers_version", "model_type"}


class Refused(Exception):
    """One sentence, as a user sees it."""


class Fault(Exception):
    """What a user must never see."""


class Foreign(Exception):
    """A fault of transformers, which had read the damaged file before any code of hf_ssl was asked."""


class Unsound(Exception):
    """Accepted, although it cannot be meant."""


def digest(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]


def require_sentence(text: str) -> None:
    """A `Fault` unless this is one line of plain text, not too long to read."""
    if not 10 <= len(text) <= 2000 or not text.isprintable():
        raise Fault(f"no sentence: {text[:300]!r} ({len(text)} characters)")


@contextlib.contextmanager
def in_python():
    """A `ValueError` or an `OSError` of one line is a refusal, anything else a fault."""
    try:
        yield
    except (Refused, Fault, Foreign, Unsound):
        raise
    except (ValueError, OSError) as error:
        if isinstance(error, (UnicodeError, json.JSONDecodeError)) or not isinstance(error.args, tuple):
            kind = Fault if _is_ours(error) else Foreign
            raise kind(f"{type(error).__name__}: {error}") from error
        try:
            require_sentence(str(error))
        except Fault as fault:
            raise fault if _is_ours(error) else Foreign(str(fault)) from error
        raise Refused(f"{type(error).__name__}: {error}") from error
    except Exception as error:
        kind = Fault if _is_ours(error) else Foreign
        raise kind(f"{type(error).__name__}: {str(error)[:300]}") from error


def _is_ours(error: BaseException) -> bool:
    """Whether any code of hf_ssl took part."""
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    return any(file.is_relative_to(_PACKAGE) for file in files)


def command(*arguments: Any) -> str:
    """`hf-ssl` with these arguments: what it prints, where it ends with 0."""
    sys.argv = ["hf-ssl", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = None
        except SystemExit as exit:
            code = exit.code
    said = err.getvalue().strip()
    if "Traceback (most recent" in said or code not in (0, 2):
        raise Fault(f"exit code {code}: {said[-600:]}")
    if code == 2:
        last = said.splitlines()[-1] if said else ""
        if not last.startswith("hf-ssl: "):
            raise Fault(f"exit code 2 without a sentence: {said[-300:]!r}")
        if "There is not enough memory" in last:
            raise Fault(f"memory: {last}")
        require_sentence(last)
        raise Refused(last)
    return out.getvalue() + err.getvalue()


# What came in, so that two of the same can be compared


def _weights(model: torch.nn.Module) -> str:
    state = sorted(model.state_dict().items())
    parts = []
    for name, tensor in state:
        if not torch.isfinite(tensor.double()).all():
            raise Unsound(f"{name} holds weights that are not finite")
        parts += [name.encode(), str(tensor.dtype).encode(), tensor.contiguous().flatten().view(torch.uint8).numpy()]
    return digest(*(bytes(part) for part in parts))


def _settings(config: PreTrainedConfig) -> dict:
    """The fields that the architecture itself has, those of the encoder inside included."""
    own = {f.name for f in fields(config)} - _BASE_FIELDS
    found = {name: value for name, value in config.to_dict().items() if name in own and name != "backbone_config"}
    if isinstance(config, SSLConfig):
        found["backbone"] = _settings(config.backbone_config)
    found["model_type"] = config.model_type
    return found


@torch.no_grad()
def _encoder(model: torch.nn.Module) -> dict:
    images = torch.linspace(-1, 1, 3 * 32 * 32).view(1, 3, 32, 32)
    output = model.eval()(images).last_hidden_state
    if not torch.isfinite(output).all():
        raise Unsound("the embedding is not finite")
    return {
        "weights": _weights(model),
        "output": digest(output.numpy().tobytes()),
        "config": _settings(model.config),
    }


def encoder(repository: str, subfolder: str = "") -> dict:
    with in_python():
        model = load_encoder(repository, subfolder=subfolder)
        if subfolder:
            model = model.backbone
        return _encoder(model)


def method(repository: str, subfolder: str = "pretraining") -> dict:
    with in_python():
        model = AutoModelForPreTraining.from_pretrained(repository, subfolder=subfolder).eval()
        name = model.config.model_type.removeprefix("ssl_")
        torch.manual_seed(0)  # of the masks
        with torch.no_grad():
            loss = model(**build_views(name)).loss
        if not torch.isfinite(loss):
            raise Unsound("the loss is not finite")
        return {"weights": _weights(model), "loss": repr(loss.item()), "config": _settings(model.config)}


def configuration(repository: str, kind: type[SSLConfig], subfolder: str = "pretraining") -> dict:
    with in_python():
        return {"config": _settings(kind.from_pretrained(repository, subfolder=subfolder))}


def native_processor(repository: str) -> dict:
    with in_python():
        return _processor(load_image_processor(repository))


def method_processor(repository: str, kind: type[SSLImageProcessor] | None, subfolder: str = "pretraining") -> dict:
    with in_python():
        processor = (kind or AutoImageProcessor).from_pretrained(repository, subfolder=subfolder)
        if not type(processor).__module__.startswith("hf_ssl."):
            raise Foreign(f"{type(processor).__name__} was read, as the file says")
        return _processor(processor)


def _processor(processor: Any) -> dict:
    pixels = torch.as_tensor(processor(picture(3, (50, 44)), return_tensors="pt").pixel_values)
    found = {"pixels": digest(pixels.numpy().tobytes()), "shape": list(pixels.shape)}
    if not torch.isfinite(pixels).all():
        raise Unsound("pixels are not finite")
    if isinstance(processor, SSLImageProcessor):
        found["type"] = type(processor).__name__
        images = torch.arange(2 * 3 * 40 * 40).remainder(251).to(torch.uint8).view(2, 3, 40, 40)
        views = processor.views(image=images, generator=torch.Generator().manual_seed(0))
        for name, values in sorted(views.items()):
            if values.is_floating_point() and not torch.isfinite(values).all():
                raise Unsound("views are not finite")
            found[name] = digest(values.contiguous().numpy().tobytes())
        found["attributes"] = {name: processor.__dict__.get(name) for name in processor.view_attributes()}
    return found


def evaluated(repository: str, data: str, *options: str) -> dict:
    """Without the comparison of times there is nothing in the report that changes."""
    command("evaluate", repository, "--data", data, "--no-linear", "--json-file", "report.json", *options)
    report = json.loads(Path("report.json").read_text())
    rows = [[row["name"], row["knn"], row["dim"]] if isinstance(row, dict) else row for row in report["rows"]]
    return {"rows": rows}


def exported(checkpoint: str) -> dict:
    try:
        command("export", checkpoint, "exported")
    except Refused:
        require_nothing("exported")
        raise
    return encoder("exported") | {"method": method("exported")}


def converted(name: str, file: str) -> dict:
    try:
        command("convert", name, file, "converted")
    except Refused:
        require_nothing("converted")
        raise
    return encoder("converted") | {"method": _weights_of("converted")}


def _weights_of(repository: str) -> str:
    with in_python():
        model = AutoModelForPreTraining.from_pretrained(repository, subfolder="pretraining")
        learnt = [n for n, _ in model.named_parameters()]
        return digest(*(n.encode() for n in learnt))


def pushed(repository: str) -> dict:
    """To a Hub that is out of order: whoever asks it has let the repository pass."""
    try:
        command("push", repository, "me/one", "--token", "hf_write")
    except Refused as refused:
        if "busy or out of order" not in str(refused):
            raise
    return {}


def carded(repository: str) -> dict:
    readme = Path(repository, "README.md")
    before = readme.read_bytes() if readme.is_file() else None
    try:
        command("card", repository)
    except Refused:
        if (readme.read_bytes() if readme.is_file() else None) != before:
            raise Fault("the card was changed all the same") from None
        raise
    return {"card": digest(readme.read_bytes())}


def pretrained(*options: str) -> dict:
    """One step on the CPU."""
    fixed = ["--max_steps", "1", "--per_device_train_batch_size", "4", "--no-evaluate", "--image-size", "32"]
    fixed += ["--use_cpu", "--save_strategy", "no", "--output-dir", "run"]
    try:
        command("pretrain", "simclr", *fixed, *options)
    except Refused:
        require_nothing("run")
        raise
    return {}


def require_nothing(folder: str) -> None:
    """A `Fault` when a refused command has left something behind."""
    if Path(folder).exists() and any(Path(folder).iterdir()):
        raise Fault(f"left behind: {sorted(p.name for p in Path(folder).iterdir())}")


def data(source: str, **options: Any) -> dict:
    """Every image by its name, and what was said of the others."""
    with in_python():
        found = load_data(source, **options)
        used = {}
        for part in (found.train, found.test):
            if part is not None:
                used |= _images(part)
        return {"used": used, "said": "\n".join([*found.summary(), found.report() or ""])}


def _images(part: ImageDataset | Data) -> dict:
    if not isinstance(part, ImageDataset):
        return {f"item {i}": _pixels(sample) for i, sample in enumerate(part)}
    names = part.names(range(len(part))) if hasattr(part, "names") else [str(i) for i in range(len(part))]
    samples = [part[i] for i in range(len(part))]
    return {
        name: _pixels(sample)
        for i, (name, sample) in enumerate(zip(names, samples, strict=True))
        if sample["index"] == i
    }


def _pixels(sample: dict) -> list:
    image = sample["image"]
    if image.dtype != torch.uint8 or image.ndim != 3:
        raise Unsound(f"an image of {image.dtype} and shape {tuple(image.shape)}")
    return [list(image.shape), digest(image.contiguous().numpy().tobytes()), sample.get("label", -1)]
