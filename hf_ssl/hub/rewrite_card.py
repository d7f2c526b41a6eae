"""The card of a repository, written again from what lies in it."""

from pathlib import Path

from transformers.utils import CONFIG_NAME

from ..checks.regular_files import read_text_if_any
from ..evaluation import load_image_processor
from ..loading import PRETRAINING, load_encoder, load_method
from ..utils.files import write_text
from .card.build import build_card
from .card.fingerprint import embedding_check, same_embedding
from .card.sections import CAPTIONS
from .card.validation import front_matter, validate_card
from .run_results import RESULTS, not_written, read_results


def write_card_again(
    folder: Path, license: str | None = None, repo_id: str | None = None, allow_links: bool = False
) -> None:
    """
    Raises:
        ValueError: when the folder is no repository, or its parts do not belong together; the card stays as it is.
    """
    if not all((folder / part / CONFIG_NAME).is_file() for part in ("", PRETRAINING)):
        raise ValueError(
            f"{folder} is no repository of hf_ssl: it needs a {CONFIG_NAME} at its root and one in {PRETRAINING}/."
        )
    readme = folder / "README.md"
    existing = read_text_if_any(readme)
    license = license or licence_of(readme, existing)
    found = read_results(folder / RESULTS) or {}
    method, model, processor = load_method(str(folder))
    place = {"subfolder": model.embedding_folder}
    published = load_image_processor(str(folder), **place, modality=method.modality.name)
    check = embedding_check(load_encoder(str(folder), **place), published)
    whole = embedding_check(model.native_encoder(), processor.native())
    if not same_embedding(check, whole):
        raise ValueError(f"The encoders at the root of {folder} and in {PRETRAINING}/ differ: export it again.")
    try:
        if found.get("embedding_check") and not same_embedding(check, found["embedding_check"]):
            raise ValueError(f"{folder / RESULTS} is of another encoder than this one: mend or remove it.")
        card = build_card(
            method,
            model,
            processor,
            results=found.get("evaluation"),
            run=found.get("run"),
            figures=figures_in(folder),
            repo_id=repo_id,
            existing=existing,
            license=license,
            check=check,
        )
    except (ArithmeticError, AttributeError, KeyError, TypeError) as error:
        raise not_written(folder / RESULTS, f"{type(error).__name__}: {error}") from None
    problems = validate_card(card, allow_links)
    if problems:
        raise ValueError(f"The card of {folder} would not be sound, and stays as it is: {' '.join(problems)}")
    write_text(readme, card)


def licence_of(readme: Path, card: str | None) -> str:
    """That of the earlier card; where there is none, that of what hf_ssl trains."""
    if card is None:
        return "apache-2.0"
    try:
        return str(front_matter(card)["license"])
    except (KeyError, ValueError):
        raise ValueError(f"{readme} states no licence of the weights: name it with --license.") from None


def figures_in(folder: Path) -> list[str]:
    """The pictures of a run, best first, then others by name."""
    stems = {path.stem for path in (folder / "figures").glob("*.png")}
    ordered = [*(stem for stem in CAPTIONS if stem in stems), *sorted(stems - set(CAPTIONS))]
    return [f"figures/{stem}.png" for stem in ordered]
