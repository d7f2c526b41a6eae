"""The lines of a card that open a file as training did, with Pillow alone."""

from collections.abc import Mapping
from typing import Any

_CODE = '''def open_image(path):
    """The image as the encoder saw it in training: upright, with 8 bits, on white where it is transparent."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode[0] {wide}
        low, high = {limits}
        values = (np.asarray(image, dtype=np.float64) - low) * (255 / (high - low))
        image = Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("{mode}")'''


def loading_code(pixel_format: Mapping[str, Any] | None, grey: bool) -> str:
    """
    Python that gives the picture which `hf_ssl.data.decode_image` gives; it needs `numpy as np`, Image and ImageOps.

    Args:
        pixel_format (`dict`, *optional*): `PixelFormat.to_dict()` of the data set; plain 8 bits by default.
        grey (`bool`): whether the encoder takes one channel.
    """
    pixel_format = pixel_format or {}
    limits, wide = _limits(pixel_format.get("integers"), 65535), '== "I":  # 16 or 32 bits'
    if pixel_format.get("floats"):
        limits = f'({limits}) if image.mode != "F" else ({_limits(pixel_format["floats"], 1)})'
        wide = 'in "IF":  # 16 or 32 bits, or floats'
    return _CODE.format(wide=wide, limits=limits, mode="L" if grey else "RGB")


def _limits(limits: list[float] | None, usual: float) -> str:
    low, high = (float(limit) for limit in limits or (0, usual))
    return f"{low:.10g}, {high if high > low else low + 1:.10g}"
