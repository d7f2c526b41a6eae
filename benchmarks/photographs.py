"""Images of any size from the photographs inside the scikit-image wheel."""

from importlib.resources import files

import numpy as np
import torch
from PIL import Image

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "ihc.png", "hubble_deep_field.jpg", "retina.jpg")


def photographs(count: int, side: int) -> torch.Tensor:
    """Crops of `side` pixels of real photographs: uint8 of shape `(count, 3, side, side)`."""
    generator, images = torch.Generator().manual_seed(0), []
    for i in range(count):
        with Image.open(str(files("skimage") / "data" / NAMES[i % len(NAMES)])) as photo:
            scale = max(side, 256) / min(photo.size)
            photo = photo.convert("RGB").resize([round(s * scale) for s in photo.size])
        pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)
        top, left = (torch.randint(0, s - side + 1, (), generator=generator).item() for s in pixels.shape[1:])
        images.append(pixels[:, top : top + side, left : left + side])
    return torch.stack(images).contiguous()
