"""Images to train and test on: the embedded default, folders, idx files, Hub data sets, streams, and your own."""

from ..packed_images import PackedImages
from .adapt import as_image_dataset
from .base import DecodedImages, ImageDataset
from .collate import collate_images
from .errors import DataError
from .folder import ImageFolder
from .hub import HubImages
from .images import decode_image
from .loading import Data, load_data
from .stream import HubStream, ImageStream
from .tensors import TensorImages

__all__ = [
    "Data",
    "DataError",
    "DecodedImages",
    "HubImages",
    "HubStream",
    "ImageDataset",
    "ImageFolder",
    "ImageStream",
    "PackedImages",
    "TensorImages",
    "as_image_dataset",
    "collate_images",
    "decode_image",
    "load_data",
]
