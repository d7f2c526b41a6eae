"""Images of different sizes travel as one buffer."""

import pickle
import subprocess
import sys

import pytest
import torch
from accelerate.utils import send_to_device
from torch.utils.data import DataLoader

from hf_ssl.data import DataError, PackedImages, collate_samples

SIZES = [(5, 4), (1, 7), (6, 6)]


def pictures(channels: int = 3, interleaved: bool = False, dtype=torch.uint8) -> list[torch.Tensor]:
    images = [(torch.rand(channels, *size) * 255).to(dtype) for size in SIZES]
    return [image.permute(1, 2, 0).contiguous().permute(2, 0, 1) for image in images] if interleaved else images


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_gives_back_what_was_packed(channels, interleaved, dtype):
    images = pictures(channels, interleaved, dtype)
    packed = PackedImages.pack(images)
    assert len(packed) == 3 and packed.pixels.ndim == 1 and packed.dtype == dtype and packed.device.type == "cpu"
    for image, original in zip(packed, images, strict=True):
        assert torch.equal(image, original) and image.stride() == original.stride()
        assert image.untyped_storage().data_ptr() == packed.pixels.untyped_storage().data_ptr()
    assert torch.equal(packed[-1], images[-1])
    with pytest.raises(IndexError):
        packed[3]


def test_a_stacked_tensor_is_not_copied():
    stacked = torch.rand(2, 3, 4, 5)
    for images in (stacked, stacked.to(memory_format=torch.channels_last)):
        packed = PackedImages.pack(images)
        assert packed.pixels.data_ptr() == images.data_ptr()
        assert all(map(torch.equal, packed, images))
    assert all(map(torch.equal, PackedImages.pack(stacked[:, :, 1:]), stacked[:, :, 1:]))


def test_repeating_copies_nothing():
    images = pictures()
    packed = PackedImages.pack(images).repeat_interleave(2)
    assert len(packed) == 6 and packed.pixels.numel() == sum(image.numel() for image in images)
    assert all(torch.equal(packed[i], images[i // 2]) for i in range(6))


def test_travels_through_pickle_and_accelerate():
    images = pictures(interleaved=True)
    packed = PackedImages.pack(images)
    moved = send_to_device({"image": packed, "view_seed": 1}, torch.device("meta"), non_blocking=True)["image"]
    assert moved.device.type == "meta" and moved[1].shape == (3, 1, 7)
    again = pickle.loads(pickle.dumps(packed))
    assert all(map(torch.equal, again, images)) and again.interleaved


@pytest.mark.parametrize(
    "images",
    [
        [torch.zeros(3, 2, 2), torch.zeros(1, 2, 2)],
        [torch.zeros(2, 2)],
        [torch.zeros(3, 2, 2), torch.zeros(3, 1, 1).byte()],
    ],
)
def test_images_that_do_not_fit_together(images):
    with pytest.raises(ValueError, match="one number of channels and one type of values"):
        PackedImages.pack(images)


def test_the_collator_packs_only_what_differs():
    samples = [{"image": image, "index": i} for i, image in enumerate(pictures())]
    batch = collate_samples(samples)
    assert isinstance(batch["image"], PackedImages) and batch["image"].sizes.tolist() == list(map(list, SIZES))
    assert isinstance(collate_samples(samples[:1])["image"], torch.Tensor)
    if torch.cuda.is_available():
        batch = next(iter(DataLoader(samples, 3, collate_fn=collate_samples, pin_memory=True)))
        assert batch["image"].pixels.is_pinned()


def test_samples_are_batched_by_key():
    words, sound = ["a cat", "two dogs"], [torch.zeros(5), torch.ones(3)]
    samples = [{"text": words[i], "audio": sound[i], "clip": torch.ones(2, 3, 4, 4), "index": i} for i in range(2)]
    batch = collate_samples(samples, ("text", "audio", "clip"))
    assert batch["text"] == words and batch["audio"] == sound and batch["clip"].shape == (2, 2, 3, 4, 4)
    assert batch.keys() == {"text", "audio", "clip", "index"}
    with pytest.raises(DataError, match="needs 'image' in every sample, but the data set holds text, audio, clip"):
        collate_samples(samples)


# More images in flight than the process may have files open.
FEW_FILES = """
import resource
import torch
from torch.utils.data import DataLoader, Dataset
from hf_ssl.data import collate_samples

class Photos(Dataset):
    def __len__(self):
        return 400
    def __getitem__(self, i):
        return {"image": torch.full((3, 8 + i % 7, 9 + i % 5), i % 256, dtype=torch.uint8), "index": i}

resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))
loader = DataLoader(Photos(), batch_size=100, num_workers=2, collate_fn=collate_samples)
batches = list(loader)
assert [len(batch["image"]) for batch in batches] == [100] * 4
assert all(int(batch["image"][7].float().mean()) == int(batch["index"][7]) % 256 for batch in batches)
"""


def test_workers_need_no_file_for_each_image():
    ran = subprocess.run([sys.executable, "-c", FEW_FILES], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
