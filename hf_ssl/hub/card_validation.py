"""What is wrong with a card, as far as that can be found offline."""

import html
import re
from pathlib import PurePosixPath
from typing import Any

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

from ..configuration_utils import closest
from .card_text import is_number

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

_FENCED = re.compile(r"^ {0,3}(`{3,})[^\n`]*\n.*?^ {0,3}\1`*[ \t]*$", re.M | re.S)
_SCHEME = r"(?:javascript|vbscript|data\s*:\s*text/html)"
_DANGERS = {
    "a tag that runs or loads something": re.compile(
        r"<\s*/?\s*(?:script|iframe|frame|object|embed|applet|form|meta|link|style|base|svg|math)\b", re.I
    ),
    "an attribute that runs code": re.compile(r"<[a-z][^>]*[\s/\"']on\w+\s*=", re.I),
    # Of Markdown (inline, reference, in angle brackets) and of HTML; `\]` is no end of a link's text.
    "a link that runs code": re.compile(
        rf"(?:(?<!\\)(?:\\\\)*\]\s*[(:]\s*<?|<|(?:href|src|action|formaction)\s*=\s*[\"']?)\s*{_SCHEME}", re.I
    ),
}


def front_matter(text: str) -> dict[str, Any]:
    """
    The metadata of a card.

    Raises:
        ValueError: when there are none, or they are no mapping in YAML.
    """
    block = REGEX_YAML_BLOCK.search(text)
    if block is None:
        raise ValueError("There is no YAML front matter between two lines of ---.")
    try:
        data = yaml.safe_load(block.group(2))
    except yaml.YAMLError as error:
        raise ValueError(f"The front matter is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ValueError(f"The front matter must be a mapping, not {type(data).__name__}.")
    return data


def validate_card(text: str) -> list[str]:
    """
    Problems of a card that can be found offline, one sentence each; an empty list when there are none.

    Checked: the front matter is YAML and a mapping; `license` is one of the Hub's; `pipeline_tag` is a task of
    transformers or of the Hub; `library_name` is there; `model-index` survives reading and writing, with finite
    numbers; the marks of the notes pair up; nothing runs code, and no picture lies outside of the repository.
    """
    problems = [] if text.count(NOTES) == text.count(END_NOTES) else [f"{NOTES} and {END_NOTES} do not pair up."]
    problems += _dangers(text)
    try:
        data = front_matter(text)
    except ValueError as error:
        return [*problems, str(error)]
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


def _dangers(text: str) -> list[str]:
    # Links and pictures are none in the front matter and in a block of code.
    shown = _FENCED.sub("", REGEX_YAML_BLOCK.sub("", text, count=1))
    # In an address, browsers read character references and skip line breaks.
    addresses = re.sub(r"[\x00-\x08\t\r\n]+", "", html.unescape(shown.replace("&lt;", "")))
    problems = []
    for what, pattern in _DANGERS.items():
        found = pattern.search(addresses if "link" in what else text)
        if found:
            problems.append(f"There is {what}: {' '.join(found[0].split())[:60]!r}.")
    for path in re.findall(r"!\[[^\]]*\]\(\s*<?([^)\s>]+)", shown):
        if not path.startswith(("https://", "http://")) and not is_inside(path):
            problems.append(f"The picture {path!r} lies outside of the repository.")
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
