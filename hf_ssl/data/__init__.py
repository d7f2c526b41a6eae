"""Images to train and test on: the embedded default, folders, idx files, Hub data sets, streams, and your own."""

from ..utils.packed_images import PackedImages
from .adapt import as_image_dataset
from .base import ImageDataset
from .collate import collate_samples
from .decoded import DecodedImages
from .errors import DataError
from .folder import ImageFolder
from .hub import HubImages
from .images import decode_image, settle_pixel_format
from .loading import load_data
from .pixels import PixelFormat
from .stream import HubStream, ImageStream
from .summary import Data
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
    "PixelFormat",
    "TensorImages",
    "as_image_dataset",
    "collate_samples",
    "decode_image",
    "load_data",
    "settle_pixel_format",
]
