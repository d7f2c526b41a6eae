"""Makes a folder of labelled pictures: patches of the two photographs that come with scikit-learn."""

import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_image

SIDE = 64  # pixels of a patch

for name in ("china", "flower"):
    photograph = Image.fromarray(load_sample_image(f"{name}.jpg"))
    folder = Path(sys.argv[1], name)
    folder.mkdir(parents=True)
    corners = [(x, y) for y in range(0, 384, SIDE) for x in range(0, 640, SIDE)]
    for number, (left, top) in enumerate(corners):
        photograph.crop((left, top, left + SIDE, top + SIDE)).save(folder / f"{number}.png")
