"""The built-in sources, idx files, and what each wrong source says."""

import gzip
import os
import struct
import sys
import time

import numpy as np
import pytest
import torch

from hf_ssl.data import Data, DataError, TensorImages, load_data
from hf_ssl.data import loading as loading_module
from hf_ssl.data.photo_patches import PHOTOS, photo_patches

skimage = pytest.importorskip("skimage")


def test_photo_patches_is_the_default():
    start = time.perf_counter()
    data = load_data()
    assert time.perf_counter() - start < 10  # 0.5 s alone on one core
    assert isinstance(data, Data) and data.name == "photo-patches"
    assert data.train.images.shape == (6400, 1, 32, 32) and data.test.images.shape == (1600, 1, 32, 32)
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.bincount().tolist() == [400] * 16 and data.test.labels.bincount().tolist() == [100] * 16
    assert data.label_names == data.train.label_names == list(PHOTOS)
    assert "not object recognition" in data.description and "states no licence" in data.licence
    sample = data.train[401]
    assert sample.keys() == {"image", "index", "label"} and (sample["index"], sample["label"]) == (401, 1)


def test_photo_patches_depend_only_on_the_seed():
    first = photo_patches(3, "train", seed=5).images
    assert torch.equal(first, photo_patches(3, "train", seed=5).images)
    assert not torch.equal(first, photo_patches(3, "train", seed=6).images)


def test_photo_patches_are_the_reference_ones():
    """The first training crop of the first photo, by the loader that the reference numbers were measured with."""
    from PIL import Image

    rng = np.random.default_rng(0)
    photo = Image.open(f"{skimage.__path__[0]}/data/astronaut.png").convert("L")
    x, y = rng.integers(0, 256 - 40), rng.integers(0, 512 - 40)
    expected = np.asarray(photo.crop((x, y, x + 40, y + 40)).resize((32, 32)))
    assert np.array_equal(photo_patches(1, "train").images[0, 0].numpy(), expected)


def test_the_halves_are_disjoint(monkeypatch):
    """A photograph with a black left and a white right half gives black training and white test patches."""
    from PIL import Image

    halves = Image.new("L", (384, 191), 0)
    halves.paste(255, (192, 0, 384, 191))
    monkeypatch.setattr("hf_ssl.data.photo_patches._photo", lambda name, mode: halves)
    assert photo_patches(20, "train").images.unique().tolist() == [0]
    assert photo_patches(20, "test").images.unique().tolist() == [255]


def test_photo_patches_options():
    data = load_data(limit=32, channels=3)
    assert data.train.labels.bincount().tolist() == [2] * 16 and len(data.test) == 32
    assert data.train[0]["image"].shape == (3, 32, 32)
    with pytest.raises(DataError, match="crop 1 to 190"):
        photo_patches(1, "train", crop=500)
    with pytest.raises(DataError, match="'train' and 'test'"):
        photo_patches(1, "val")


def test_without_scikit_image(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(DataError, match=r'pip install "hf_ssl\[demo\]"'):
        load_data()


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    data = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def idx_folder(tmp_path):
    generator = np.random.default_rng(0)
    for tag, count in (("train", 20), ("t10k", 10)):
        write_idx(tmp_path / f"{tag}-images-idx3-ubyte.gz", generator.integers(0, 256, (count, 7, 5)))
        write_idx(tmp_path / f"{tag}-labels-idx1-ubyte.gz", np.arange(count) % 10)
    return tmp_path


def test_idx_folder(idx_folder):
    data = load_data(idx_folder)
    assert data.train.images.shape == (20, 1, 7, 5) and data.test.images.shape == (10, 1, 7, 5)
    assert data.label_names == [str(i) for i in range(10)] and data.test.labels.tolist() == list(range(10))
    expected = np.random.default_rng(0).integers(0, 256, (20, 7, 5))
    assert np.array_equal(data.train.images[:, 0].numpy(), expected)


def test_idx_folder_without_test_files_or_gzip(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((20, 4, 4)))
    assert load_data(tmp_path).test is None
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(20) % 2)
    data = load_data(tmp_path)
    assert (len(data.train), len(data.test)) == (16, 4)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros((5, 4, 4)))  # without labels
    data = load_data(tmp_path)
    assert (len(data.train), len(data.test)) == (16, 4)
    assert data.left_out == ["not used for testing (the test files: 5 images without labels)"]
    assert data.split["seed"] == 0 and len(data.split["test_sha256"]) == 16


def idx_header(count, height=4, width=4):
    return struct.pack(">HBBIII", 0, 8, 3, count, height, width)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("", idx_header(2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(100)),
        ("", idx_header(10) + bytes(159)),
        ("", idx_header(10) + bytes(161)),
        ("", b"\0\0\x08"),
        ("", b""),
        (".gz", gzip.compress(idx_header(2**32 - 1, 2**16, 1) + bytes(1000))),
        (".gz", gzip.compress(idx_header(10) + bytes(50_000_000))),
        (".gz", gzip.compress(idx_header(10) + bytes(160))[:-9]),
        (".gz", gzip.compress(idx_header(10) + bytes(160))[:30]),
        (".gz", b"no gzip"),
    ],
    ids="claims cut long magic empty gz-claims gz-bomb gz-without-end gz-cut no-gzip".split(),
)
def test_damaged_and_hostile_idx_files(tmp_path, name, content):
    (tmp_path / f"train-images-idx3-ubyte{name}").write_bytes(content)
    with pytest.raises(DataError, match=r"is no complete idx file|cannot be read"):
        load_data(tmp_path)


def test_an_idx_file_that_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "train-images-idx3-ubyte.gz")
    with pytest.raises(DataError, match="it is a pipe, socket or device"):
        load_data(tmp_path)


def test_damaged_idx_files_are_named(idx_folder):
    images = idx_folder / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    images.write_bytes(whole[:100])
    with pytest.raises(DataError, match="train-images-idx3-ubyte.gz cannot be read"):
        load_data(idx_folder)
    images.write_bytes(gzip.compress(gzip.decompress(whole)[:-1]))
    with pytest.raises(DataError, match="no complete idx file"):
        load_data(idx_folder)
    images.write_bytes(whole)
    write_idx(idx_folder / "train-labels-idx1-ubyte.gz", np.arange(7))
    with pytest.raises(DataError, match="7 labels for 20 images"):
        load_data(idx_folder)


def test_fashion_mnist(idx_folder, monkeypatch):
    monkeypatch.setenv("HF_SSL_FASHION_MNIST", str(idx_folder))
    data = load_data("fashion-mnist")
    assert data.name == "fashion-mnist" and data.label_names[9] == "Ankle boot" and "MIT" in data.licence
    monkeypatch.setenv("HF_SSL_FASHION_MNIST", str(idx_folder / "nowhere"))
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist.*Hub id"):
        load_data("fashion-mnist")


@pytest.mark.parametrize("source", ["photo-patchs", "photo_patches", "Photo-Patches", "photopatches", "fashionmnist"])
def test_a_misspelt_name_suggests_the_right_one(source):
    with pytest.raises(DataError, match="did you mean '(photo-patches|fashion-mnist)'"):
        load_data(source)


@pytest.mark.parametrize("source", ["mnist", "cifar10", "fashion_mnist", "owner/photo-patchs", "owner/name:config"])
def test_a_hub_id_goes_to_the_hub(source, monkeypatch):
    class Asked(Exception):
        pass

    def load_dataset(path, configuration, **options):
        raise Asked(f"{path}|{configuration}")

    monkeypatch.setattr("hf_ssl.data.hub.datasets.load_dataset", load_dataset)
    with pytest.raises(DataError, match="neither built in nor an existing folder") as caught:
        load_data(source)
    path, _, configuration = source.partition(":")
    assert str(caught.value.__cause__) == f"{path}|{configuration or None}"


def test_sources_that_are_no_folder_of_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.zip").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for missing in ("/no/such/folder", "./photos", "../photos", "~/no-such-folder", "a/b/c", "photos/", "C:\\photos"):
        with pytest.raises(DataError, match="does not exist: give an existing folder"):
            load_data(missing)
    with pytest.raises(DataError, match="does not exist"):
        load_data(tmp_path / "photos")
    with pytest.raises(DataError, match="file.zip is a file: give the folder"):
        load_data("file.zip")
    with pytest.raises(DataError, match="empty holds no images"):
        load_data("empty")
    with pytest.raises(DataError, match="source is empty"):
        load_data("")
    with pytest.raises(DataError, match="as_image_dataset"):
        load_data(TensorImages(torch.zeros(1, 1, 2, 2, dtype=torch.uint8)))


def test_paths_are_never_asked_for_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hf_ssl.data.hub.datasets.load_dataset", lambda *_, **__: pytest.fail("went to the Hub"))
    (tmp_path / "photos").mkdir()
    for missing in (
        "photos/cats",
        "./cats",
        "../cats",
        "~/no-such",
        "~no-such",
        "/no/such",
        "a/b/c",
        str(tmp_path / "x"),
    ):
        with pytest.raises(DataError, match="does not exist: give an existing folder"):
            load_data(missing)


def test_a_word_that_is_neither_a_folder_nor_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="^'photos' cannot be loaded .*nor an existing folder, so check the Hub id"):
        load_data("photos")


def test_arguments_that_do_not_fit_are_refused(tmp_path, idx_folder):
    for options in ({"image_column": "x"}, {"streaming": True}, {"split": "train"}, {"label_level": 0}):
        with pytest.raises(DataError, match=f"{next(iter(options))}=.* means nothing for photo-patches"):
            load_data(**options)
    for options, message in (
        ({"limit": 0}, "limit=0"),
        ({"channels": 4}, "channels=4"),
        ({"seed": -1}, "seed"),
        ({"limit": 5, "seed": -1}, "seed"),
    ):
        with pytest.raises(DataError, match=message):
            load_data(**options)
    with pytest.raises(DataError, match="means nothing for the idx files"):
        load_data(idx_folder, label_column="x")
    from PIL import Image

    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    for name in tmp_path.glob("*ubyte*"):
        name.unlink()
    with pytest.raises(DataError, match="max_unreadable=2"):
        load_data(tmp_path, max_unreadable=2)
    with pytest.raises(DataError, match="test_fraction=1"):
        load_data(tmp_path, test_fraction=1)
    with pytest.raises(DataError, match="split='training' is no subfolder"):
        load_data(tmp_path, split="training")


def test_every_built_in_name_has_a_loader():
    assert set(loading_module.BUILT_IN) == {"photo-patches", "photo-patches-color", "fashion-mnist"}


def test_the_color_version_shows_the_same_patches():
    gray, color = (load_data(name, limit=40) for name in ("photo-patches", "photo-patches-color"))
    assert gray.train.images.shape[1] == 1 and color.train.images.shape[1] == 3
    assert not gray.has_upright and not color.has_upright and "Color" in color.description
    luminance = torch.tensor([0.299, 0.587, 0.114])
    seen = torch.einsum("nchw,c->nhw", color.train.images.float(), luminance)
    assert (seen - gray.train.images[:, 0].float()).abs().mean() < 1  # reduced before or after


def test_what_a_library_says_is_made_printable():
    assert str(DataError("a.parquet cannot be read (type \x0e\u202e): repair it.")) == (
        "a.parquet cannot be read (type \\x0e\\u202e): repair it."
    )
