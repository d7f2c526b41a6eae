"""What is wrong with a card, as far as that can be found offline."""

import html
import json
import re
from pathlib import PurePosixPath
from typing import Any

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from ...configuration_utils import closest
from ...utils.printing import printable
from ...utils.redaction import secret_in
from .links import links, without_code
from .text import is_number

NOTES, END_NOTES = "<!-- notes -->", "<!-- /notes -->"

# Tasks of the Hub that transformers has no pipeline for.
_HUB_TASKS = set(
    "audio-text-to-text audio-to-audio graph-ml image-text-to-image image-text-to-video image-to-3d image-to-image "
    "image-to-text image-to-video multiple-choice other question-answering reinforcement-learning robotics "
    "sentence-similarity summarization tabular-classification tabular-regression table-to-text text-ranking "
    "text-retrieval text-to-3d text-to-image text-to-video time-series-forecasting translation video-text-to-text "
    "unconditional-image-generation video-to-video visual-document-retrieval visual-question-answering "
    "voice-activity-detection".split()
)
# Licences as the Hub names them; it refuses other names. "other" goes with license_name and license_link.
_LICENSES = set(
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 "
    "bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc "
    "cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 "
    "cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 "
    "cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 "
    "eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c "
    "ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa "
    "unlicense zlib pddl lgpl-lr deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 "
    "llama3.2 llama3.3 llama4 grok2-community gemma unknown other".split()
)

_LONGEST, _LONGEST_DATA = 200_000, 50_000  # characters of a card, and of its front matter
_DEEPEST = 100  # levels of nesting in the front matter
_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
_DANGEROUS_TAG = re.compile(
    r"<\s*/?\s*(?:script|iframe|frame|object|embed|applet|form|meta|link|style|base|svg|math)\b", re.I
)
_HANDLER = re.compile(r"[\s/\"']on\w+\s*=", re.I)  # inside of a tag
# Control characters, marks that turn the direction of writing, and tags that no reader sees.
UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def front_matter(text: str) -> dict[str, Any]:
    """
    The metadata of a card.

    Raises:
        ValueError: when there are none, or they are no mapping in YAML.
    """
    block = REGEX_YAML_BLOCK.search(text)
    if block is None:
        raise ValueError("There is no YAML front matter between two lines of ---.")
    if len(block.group(2)) > _LONGEST_DATA:
        raise ValueError(f"The front matter has more than {_LONGEST_DATA} characters.")
    try:
        _require_simple(block.group(2))
        data = yaml.safe_load(block.group(2))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"The front matter is not YAML: {' '.join(str(error).split())[:300]}") from None
    if not isinstance(data, dict):
        raise ValueError(f"The front matter must be a mapping, not {type(data).__name__}.")
    return data


def _require_simple(text: str) -> None:
    """A `ValueError` for YAML that would take very long to read, or grow very large, found without reading on."""
    depth = 0
    for token in yaml.scan(text):
        if isinstance(token, yaml.AliasToken):
            raise ValueError("references to other places of it (*name) are not taken")
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > _DEEPEST:
            raise ValueError(f"it is nested deeper than {_DEEPEST} levels")


def split_notes(card: str) -> tuple[list[str], list[str]]:
    """What stands around the marks of the notes, and between them."""
    first, *parts = card.split(NOTES)
    split = [part.partition(END_NOTES) for part in parts]
    return [first, *(after for _, _, after in split)], [inside for inside, _, _ in split]


def validate_card(text: str, allow_links: bool = False) -> list[str]:
    """
    Problems of a card that can be found offline, one sentence each; an empty list when there are none.

    Checked: the front matter is YAML and a mapping; `license` is one of the Hub's; `pipeline_tag` is a task of
    transformers or of the Hub; `library_name` is there; `model-index` survives reading and writing, with finite
    numbers; the marks of the notes pair up; nothing runs code; there is no token and no character that is not seen;
    links and pictures lead to files of the repository.

    Args:
        text (`str`): of `README.md`.
        allow_links (`bool`, *optional*, defaults to `False`): whether they may lead to other places too.
    """
    if len(text) > _LONGEST:
        return [f"It has {len(text)} characters, more than {_LONGEST}."]
    problems = [] if text.count(NOTES) == text.count(END_NOTES) else [f"{NOTES} and {END_NOTES} do not pair up."]
    problems += _dangers(text, allow_links)
    try:
        data = front_matter(text)
    except ValueError as error:
        return [*problems, str(error)]
    if found := UNSEEN.search(json.dumps(data, ensure_ascii=False, default=str)):
        problems.append(f"There is the character {printable(found[0])} in the front matter: take it out.")
    for key in ("license", "library_name", "pipeline_tag"):
        if not isinstance(data.get(key), str):
            problems.append(f"{key} must be text, got {data.get(key)!r}.")
    license = data.get("license")
    if isinstance(license, str) and license not in _LICENSES:
        problems.append(
            f"license {license!r} is none that the Hub knows.{closest(license, _LICENSES)} For one of your own write "
            "'other', with license_name and license_link."
        )
    from transformers.pipelines import PIPELINE_REGISTRY  # takes seconds to import

    tag = data.get("pipeline_tag")
    if isinstance(tag, str) and tag not in {*PIPELINE_REGISTRY.get_supported_tasks(), *_HUB_TASKS}:
        problems.append(f"pipeline_tag {tag!r} is no task of transformers or the Hub.")
    for key in ("tags", "datasets"):
        if key in data and not (isinstance(data[key], list) and all(isinstance(item, str) for item in data[key])):
            problems.append(f"{key} must be a list of texts, got {data[key]!r}.")
    return problems + (_model_index_problems(data["model-index"]) if "model-index" in data else [])


def is_inside(path: str) -> bool:
    """Whether a relative path, with forward slashes, stays in its folder."""
    return not (PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or re.search(r"[\\:]", path))


def _dangers(text: str, allow_links: bool) -> list[str]:
    problems = []
    # Links and pictures are none in the front matter and in the code of a run; in notes nothing is taken for code.
    around, notes = split_notes(REGEX_YAML_BLOCK.sub("", text, count=1))
    shown = [without_code("\n".join(around)), *notes]
    if found := UNSEEN.search("".join([text, *map(html.unescape, shown)])):
        problems.append(f"There is the character {printable(found[0])}, which is not seen: take it out.")
    if what := secret_in(text):
        problems.append(f"There is {what}: take it out, and have it replaced where it was given out.")
    handlers = (_HANDLER.search(tag[0]) for tag in re.finditer(r"<[a-z][^>]*", text, re.I))
    for what, found in {
        "a tag that runs or loads something": _DANGEROUS_TAG.search(text),
        "an attribute that runs code": next(filter(None, handlers), None),
    }.items():
        if found:
            problems.append(f"There is {what}: {' '.join(found[0].split())[:60]!r}.")
    running, outside, elsewhere = (sum(kinds, []) for kinds in zip(*map(links, shown), strict=True))
    problems += [f"There is a link that runs code: {target[:60]!r}." for target in running[:1]]
    problems += [f"The address {target[:60]!r} lies outside of the repository." for target in outside[:1]]
    if elsewhere and not allow_links:
        problems.append(
            f"It leads to {elsewhere[0][:60]!r}, outside of the repository: take that out, or allow links with "
            "--allow-links (allow_links=True)."
        )
    return problems


def _model_index_problems(index: Any) -> list[str]:
    try:
        name, results = model_index_to_eval_results(index)
        again = model_index_to_eval_results(eval_results_to_model_index(name, results))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"model-index cannot be read: {type(error).__name__} {error}."]
    if again != (name, results):
        return ["model-index does not survive reading and writing."]
    values = [(result.metric_name or result.metric_type, result.metric_value) for result in results]
    return [f"model-index: {metric} is {value!r}, not a number." for metric, value in values if not is_number(value)]
