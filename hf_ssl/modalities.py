"""What kinds of samples there are. Whoever must know something that differs between them reads it from a row here."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from .utils.spelling import closest

_DATA_SETS = ("folder", "table", "items")


@dataclass(frozen=True)
class Modality:
    """
    One kind of samples, and what transformers calls its parts. Functions and classes are given by their dotted names,
    so that a row costs no import; `load` looks them up.

    Args:
        name (`str`): "image", "video", "audio" or "text".
        noun (`str`): what people call a sample.
        sample_key (`str`): key of the sample in the dict that a data set gives, and keyword of a processor's `views`.
        input_name (`str`): keyword of a native encoder's `forward` for a batch, as in its `main_input_name`.
        decode (`str`): function from what is stored (a file, bytes, an entry of a table) to the sample.
        native_processor (`str`): class of transformers that makes the batch from samples; it needs neither
            torchvision nor torchaudio.
        auto_processor (`str`): class of transformers that loads such a processor from a repository.
        auto_heads (`dict[str, str]`): last part of the name of a class with a head of its own -> the Auto class of
            transformers that finds it.
        pipeline_tag (`str`): task on the Hub of an encoder without a head.
        folder, table, items (`str`, *optional*): classes of the data sets that read a folder, a `datasets.Dataset`,
            and items of a user's own.
        inputs (`str`, *optional*): function that makes a batch from samples, by a processor, for an encoder.
        raw_baseline (`str`, *optional*): function from a batch to embeddings that nothing was learnt for, which an
            encoder has to beat; None where there is none.
        rank (`int`): dimensions of the batch that an encoder takes, without those of training views.
    """

    name: str
    noun: str
    sample_key: str
    input_name: str
    decode: str
    native_processor: str
    auto_processor: str
    pipeline_tag: str
    rank: int
    inputs: str | None = None
    raw_baseline: str | None = None
    folder: str | None = None
    table: str | None = None
    items: str | None = None
    auto_heads: dict[str, str] = field(default_factory=dict)

    @property
    def processor_suffix(self) -> str:
        """How the name of a processor's class ends, by which transformers files it: "ImageProcessor", say."""
        return self.auto_processor.removeprefix("Auto")

    def load(self, part: str) -> Any:
        """
        What the field `part` names; None where it is None. A name without dots is one of transformers' own.

        Raises:
            ValueError: for a field that names no code.
        """
        loadable = ("decode", "native_processor", "auto_processor", "inputs", "raw_baseline", *_DATA_SETS)
        if part not in loadable:
            raise ValueError(f"{part!r} is no code of a modality.{closest(part, loadable)}")
        return None if vars(self)[part] is None else _find(vars(self)[part])

    def load_heads(self) -> dict[str, type]:
        """Last part of the name of a class with a head -> the Auto class of transformers."""
        return {suffix: _find(name) for suffix, name in self.auto_heads.items()}


def _find(name: str) -> Callable:
    """What a dotted name means; one without dots is of transformers."""
    module, _, attribute = name.rpartition(".")
    return attrgetter(attribute)(importlib.import_module(module or "transformers"))


MODALITIES = {
    row.name: row
    for row in (
        Modality(
            name="image",
            noun="image",
            sample_key="image",
            input_name="pixel_values",  # (batch, channels, height, width)
            rank=4,
            decode="hf_ssl.data.images.decode_image",
            folder="hf_ssl.data.folder.ImageFolder",
            table="hf_ssl.data.hub.HubImages",
            items="hf_ssl.data.adapt.AdaptedImages",
            native_processor="transformers.models.vit.image_processing_pil_vit.ViTImageProcessorPil",
            auto_processor="AutoImageProcessor",
            auto_heads={"ForImageClassification": "AutoModelForImageClassification"},
            pipeline_tag="image-feature-extraction",
            inputs="hf_ssl.evaluation.inputs.of_images",
            raw_baseline="hf_ssl.evaluation.baselines.raw_pixels",
        ),
        Modality(
            name="video",
            noun="clip",
            sample_key="video",
            input_name="pixel_values",  # (batch, frames, channels, height, width)
            rank=5,
            decode="hf_ssl.data.videos.decode_video",
            folder="hf_ssl.data.clips.ClipFolder",
            table="hf_ssl.data.clips.HubClips",
            items="hf_ssl.data.clips.AdaptedClips",
            # AutoVideoProcessor needs torchvision; this one is found by AutoImageProcessor, without.
            native_processor="transformers.models.videomae.image_processing_pil_videomae.VideoMAEImageProcessorPil",
            auto_processor="AutoImageProcessor",
            auto_heads={"ForVideoClassification": "AutoModelForVideoClassification"},
            pipeline_tag="feature-extraction",
            inputs="hf_ssl.evaluation.inputs.of_clips",
            raw_baseline="hf_ssl.evaluation.baselines.raw_pixels",
        ),
        Modality(
            name="audio",
            noun="sound",
            sample_key="audio",
            input_name="input_values",  # (batch, time, mel)
            rank=3,
            decode="hf_ssl.data.audio.decode_audio",
            folder="hf_ssl.data.sounds.SoundFolder",
            table="hf_ssl.data.sounds.HubSounds",
            items="hf_ssl.data.sounds.AdaptedSounds",
            native_processor="ASTFeatureExtractor",
            auto_processor="AutoFeatureExtractor",
            auto_heads={"ForAudioClassification": "AutoModelForAudioClassification"},
            pipeline_tag="feature-extraction",
            inputs="hf_ssl.evaluation.inputs.of_sounds",
            raw_baseline="hf_ssl.evaluation.baselines.raw_pixels",
        ),
        Modality(
            name="text",
            noun="text",
            sample_key="text",
            input_name="input_ids",  # (batch, tokens)
            rank=2,
            decode="builtins.str",
            native_processor="CLIPTokenizer",
            auto_processor="AutoTokenizer",
            auto_heads={"ForSequenceClassification": "AutoModelForSequenceClassification"},
            pipeline_tag="feature-extraction",
        ),
    )
}


# Samples of several kinds that belong together -> task on the Hub of a model that has read them all.
_PAIRS = {frozenset(("image", "text")): "zero-shot-image-classification"}


def pipeline_tag_of(sample_keys: Sequence[str]) -> str:
    """The task on the Hub of what was trained on samples with these keys, without a head."""
    kinds = frozenset(modality_of_sample(key).name for key in sample_keys)
    return _PAIRS[kinds] if kinds in _PAIRS else modality_of_sample(sample_keys[0]).pipeline_tag


def get_modality(name: str) -> Modality:
    """The row of that name; a `ValueError` names the nearest for an unknown one."""
    if name not in MODALITIES:
        raise ValueError(f"There is no modality {name!r}.{closest(name, MODALITIES)} Known: {', '.join(MODALITIES)}.")
    return MODALITIES[name]


def modality_of_sample(sample_key: str) -> Modality:
    """The row whose samples stand under `sample_key` in the dicts that a data set gives."""
    found = [row for row in MODALITIES.values() if row.sample_key == sample_key]
    if not found:
        known = ", ".join(row.sample_key for row in MODALITIES.values())
        raise ValueError(f"There is no modality whose samples stand under {sample_key!r}. Known: {known}.")
    return found[0]
