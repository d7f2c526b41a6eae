"""`hf-ssl convert`: from a public checkpoint of somebody else to a repository."""

from dataclasses import replace
from pathlib import Path

from ..checks.checkpoints import read_checkpoint
from ..conversion_utils import convert_checkpoint
from ..hub import build_card, export_pretrained
from ..hub.card.build import END_NOTES, NOTES
from ..recipes import build_processor, require_views_fit
from ..registry import METHODS, Method, get_method
from ..utils.files import sha256
from ..utils.printing import say
from .export import empty_folder
from .paths import require_path


def run(name: str, file: Path, output_dir: Path) -> None:
    method = get_method(name)
    if method.convert is None:
        known = ", ".join(m.name for m in METHODS.values() if m.convert)
        raise ValueError(
            f"There is no public checkpoint of {method.info.title} for PyTorch. There are some of: {known}."
        )
    require_path(file, "The checkpoint")
    with empty_folder(output_dir):
        convert(method, file, output_dir)


def convert(method: Method, file: Path, output_dir: Path) -> None:
    checkpoint = read_checkpoint(file)
    try:
        model, conversion, fresh = convert_checkpoint(method.convert, method.pretraining_class, checkpoint)
    except ValueError as error:
        raise ValueError(f"{file} is no checkpoint of {method.info.title}: {error}.") from None
    paper = method.recipes["paper"]
    native = model.config.backbone_config.to_dict()
    size = native.get("image_size") or method.processor_class().inference_size
    recipe = replace(paper, processor=paper.processor | conversion.processor)
    processor = build_processor(method, recipe, {}, size, model.config.backbone_config)
    require_views_fit(model, processor, size)
    notes = f"Converted from `{file.name}` (SHA-256 `{sha256(file)}`), in the layout of {conversion.source}."
    if fresh:
        notes += f" It has no {', '.join(fresh)}: as in a new run."
    card = build_card(
        method,
        model,
        processor,
        results=None,
        run=None,
        figures=[],
        existing=f"{NOTES}\n{notes}\n{END_NOTES}",
        license="other",  # that of the release
    )
    export_pretrained(model, processor, output_dir, card)
    if fresh:
        say(f"{file} has no {', '.join(fresh)}: as in a new run.")
    say(
        f"Wrote {output_dir}: AutoModel.from_pretrained({str(output_dir)!r}) gives the encoder. The licence of the "
        f"weights is that of {conversion.source}: state it in README.md before you publish."
    )
