"""The lines of a card that turn a file into an embedding, for images, clips and sounds."""

from typing import NamedTuple

from ...data.audio import SAMPLING_RATE
from ...encoders import Encoder
from ...processing_utils import SSLProcessorMixin
from .loading_code import loading_code


class Usage(NamedTuple):
    """
    Args:
        takes (`str`): what the encoder is for: "224 x 224 pixel RGB images".
        imports (`str`): of the code.
        opening (`str`): definition of a function that opens a file.
        processor (`str`): Auto class of the processor.
        call (`str`): arguments of the processor.
    """

    takes: str
    imports: str
    opening: str
    processor: str
    call: str


_IMPORTS = "import numpy as np\nimport torch\n{}from transformers import {}, AutoModel"

_CLIP = '''def open_clip(folder):
    """{frames} evenly spread frames of a clip, from a folder of pictures with numbers in their names."""
    files = sorted(Path(folder).iterdir(), key=lambda file: int("".join(filter(str.isdigit, file.stem)) or 0))
    chosen = [files[int((i + 0.5) * len(files) / {frames})] for i in range({frames})]
    return [np.asarray(Image.open(file).convert("{mode}")){channel} for file in chosen]'''

_SOUND = '''def open_sound(path):
    """The sound as the encoder heard it in training: one channel, cut or with silence after it."""
    with wave.open(path) as file:
        assert (file.getframerate(), file.getsampwidth()) == ({rate}, 2), "convert it to {rate} Hz and 16 bits"
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    samples = (samples.mean(1) / 32768).astype(np.float32)[:{samples}]
    return np.pad(samples, (0, {samples} - len(samples)))'''


def of_image(processor: SSLProcessorMixin, encoder: Encoder) -> Usage:
    grey, side = encoder.num_channels == 1, processor.inference_size
    return Usage(
        takes=f"{side} x {side} pixel {'grey' if grey else 'RGB'} images",
        imports=_IMPORTS.format("from PIL import Image, ImageOps\n", "AutoImageProcessor"),
        opening=loading_code(processor.pixel_format, grey),
        processor="AutoImageProcessor",
        call='open_image("image.jpg")',
    )


def of_video(processor: SSLProcessorMixin, encoder: Encoder) -> Usage:
    grey, side, frames = encoder.num_channels == 1, processor.inference_size, encoder.num_frames
    return Usage(
        takes=f"clips of {frames} frames of {side} x {side} pixels, {'grey' if grey else 'RGB'}",
        imports="from pathlib import Path\n\n" + _IMPORTS.format("from PIL import Image\n", "AutoImageProcessor"),
        opening=_CLIP.format(frames=frames, mode="L" if grey else "RGB", channel="[..., None]" if grey else ""),
        processor="AutoImageProcessor",
        call='[open_clip("clip/")]',
    )


def of_audio(processor: SSLProcessorMixin, encoder: Encoder) -> Usage:
    frames, bands = encoder.image_size
    return Usage(
        takes=f"sounds of {encoder.num_samples / SAMPLING_RATE:.2f} s, as {frames} frames of {bands} mel bands",
        imports="import wave\n\n" + _IMPORTS.format("", "AutoFeatureExtractor"),
        opening=_SOUND.format(rate=SAMPLING_RATE, samples=encoder.num_samples),
        processor="AutoFeatureExtractor",
        call=f'open_sound("sound.wav"), sampling_rate={SAMPLING_RATE}',
    )


USAGES = {"image": of_image, "video": of_video, "audio": of_audio}  # by modality
