"""One file has one embedding: in training, in evaluation, and in plain transformers by the code of the card."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModel, ViTConfig

from hf_ssl.cli import evaluate
from hf_ssl.data import ImageFolder, load_data
from hf_ssl.evaluation import evaluate_encoder, extract_features
from hf_ssl.hub import build_card, export_pretrained
from hf_ssl.registry import METHODS
from hf_ssl.training import SSLTrainer, SSLTrainingArguments

from ..clean_process import run_clean
from ..conftest import build_model, build_processor, tiny_config

SCENE = np.random.default_rng(0).integers(0, 256, (45, 37, 4), dtype=np.uint8)
SCENE[:, :, 3] = np.linspace(0, 255, 37)  # from transparent to opaque
COLOR, GRAY = Image.fromarray(SCENE[..., :3]), Image.fromarray(SCENE[..., 0])
RGBA, LA = Image.fromarray(SCENE), Image.fromarray(SCENE[..., 2:], "LA")
WIDE = Image.fromarray(SCENE[..., 0].astype(np.uint16) * 257)
PALETTE = COLOR.quantize(16)
UPRIGHT = Image.Exif()
UPRIGHT[0x0112] = 6
FILES = {
    "rgb.png": (COLOR, {}),
    "rgb.jpg": (COLOR, {}),
    "rgba.png": (RGBA, {}),
    "rgba.webp": (RGBA, {"lossless": True}),
    "rgba.tif": (RGBA, {}),
    "palette.png": (PALETTE, {}),
    "palette-one-clear.png": (PALETTE, {"transparency": 3}),
    "palette-alpha.png": (PALETTE, {"transparency": bytes(range(0, 256, 16))}),
    "palette.gif": (PALETTE, {"transparency": 3}),
    "la.png": (LA, {}),
    "l.png": (GRAY, {}),
    "l-one-clear.png": (GRAY, {"transparency": int(SCENE[0, 0, 0])}),
    "1.png": (GRAY.convert("1"), {}),
    "cmyk.jpg": (COLOR.convert("CMYK"), {}),
    "cmyk.tif": (COLOR.convert("CMYK"), {}),
    "ycbcr.tif": (COLOR.convert("YCbCr"), {}),
    "i16.png": (WIDE, {}),
    "i16.tif": (WIDE, {}),
    "i16.pgm": (WIDE, {}),
    "turned.jpg": (COLOR, {"exif": UPRIGHT}),
    "turned.tif": (COLOR, {"exif": UPRIGHT}),
    "turned-rgba.png": (RGBA, {"exif": UPRIGHT}),
}
# What the processor gets right without the card's code. No native processor turns an image or scales 16 bits.
WITHOUT_THE_CODE = [name for name in FILES if not name.startswith(("i16", "turned"))]
MICROSCOPE = {
    "12-bit.tif": (Image.fromarray(SCENE[..., 0].astype(np.uint16) * 16 + 15), {}),
    "12-bit-dark.png": (Image.fromarray(SCENE[..., 1].astype(np.uint16)), {}),
    "signed.tif": (Image.fromarray(SCENE[..., 0].astype(np.float32) / 25 - 3), {}),
    "rgb.png": (COLOR, {}),
}
CLEAN_PROCESS = """
import json
from safetensors.torch import save_file
from transformers import pipeline
found = {}
for folder, (code, files, plain, piped) in json.load(sys.stdin).items():
    names = {}
    exec(code, names)
    torch, Image = names["torch"], names["Image"]
    model, processor, open_image = (names[name] for name in ("model", "processor", "open_image"))
    def embed(image):
        with torch.no_grad():
            return model(**processor(image, return_tensors="pt")).pooler_output.flatten()
    for file in files:
        found[f"{folder} code {file}"] = embed(open_image(f"{folder}/images/{file}"))
    for file in plain:
        found[f"{folder} plain {file}"] = embed(Image.open(f"{folder}/images/{file}"))
    extract = pipeline("image-feature-extraction", model=folder, pool=True) if piped else None
    for file in piped:
        found[f"{folder} pipeline {file}"] = torch.tensor(extract(open_image(f"{folder}/images/{file}"))).flatten()
save_file(found, sys.argv[1])
"""


def gray_model():
    config = ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96, image_size=32, patch_size=8,
        num_channels=1,
    )  # fmt: skip
    torch.manual_seed(0)
    row = METHODS["simclr"]
    return row.pretraining_class(row.config_class(**tiny_config("simclr"), backbone_config=config))


GRAY_PROCESSOR = {"do_convert_rgb": False, "image_mean": [0.449], "image_std": [0.226]}
# Name -> (model, attributes of the processor, files)
CASES = {
    "color": (lambda: build_model("simclr"), {}, FILES),
    "gray": (gray_model, GRAY_PROCESSOR, FILES),
    "microscope": (lambda: build_model("simclr"), {}, MICROSCOPE),
}


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    """Name -> (folder, images, our model and processor, the native ones), and what a process without hf_ssl found."""
    root, found, tasks = tmp_path_factory.mktemp("repositories"), {}, {}
    for name, (build, attributes, files) in CASES.items():
        folder = root / name
        (folder / "images").mkdir(parents=True)
        for file, (image, options) in files.items():
            image.save(folder / "images" / file, **options)
        images = ImageFolder(folder / "images", channels=1 if name == "gray" else 3)
        model, processor = build().eval(), build_processor("simclr", **attributes)
        args = SSLTrainingArguments(output_dir=str(root), use_cpu=True, per_device_train_batch_size=2)
        SSLTrainer(model, args, processor, train_dataset=images)  # tells the processor what the images are
        text = build_card(METHODS["simclr"], model, processor, results=None, run=None, figures=[])
        export_pretrained(model, processor, folder, text)
        (code,) = (c for c in re.findall(r"```python\n(.*?)\n```", text, flags=re.DOTALL) if "open_image" in c)
        code = code.replace("path/to/this/folder", str(folder)).replace("image.jpg", f"{folder}/images/rgb.png")
        plain, piped = (WITHOUT_THE_CODE, [*files]) if name == "color" else ([], [])
        tasks[str(folder)] = code, [*files], plain, piped
        native = AutoModel.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
        found[name] = folder, images, model, processor, native
    run_clean(CLEAN_PROCESS, root / "found.safetensors", input=json.dumps(tasks))
    return found, load_file(root / "found.safetensors")


def distance(one, other):
    return 1 - torch.cosine_similarity(one.double(), other.double(), dim=0).item()


@pytest.mark.parametrize(("case", "file"), [(case, file) for case, (_, _, files) in CASES.items() for file in files])
def test_one_file_has_one_embedding(repositories, case, file):
    (folder, images, model, processor, native), found = repositories[0][case], repositories[1]
    index = [images.path(i).name for i in range(len(images))].index(file)
    assert images[index]["index"] == index  # it can be read
    evaluated = extract_features(*native, images.subset([index])).embeddings[0]
    with torch.no_grad():  # the picture that training cuts its views from
        pixels = processor(images[index]["image"], return_tensors="pt")["pixel_values"]
        trained = model.encoder()(pixels).pooler_output.flatten()
    assert distance(trained, evaluated) < 1e-6
    ways = [way for way in ("code", "plain", "pipeline") if f"{folder} {way} {file}" in found]
    assert ways == (
        ["code"] if case != "color" else ["code", *(["plain"] if file in WITHOUT_THE_CODE else []), "pipeline"]
    )
    for way in ways:
        assert distance(found[f"{folder} {way} {file}"], evaluated) < 1e-6, way


def test_a_transparent_image_is_another_one_without_its_transparency(repositories):
    """The distance that the test above would find, were the transparency dropped."""
    _, images, *_, native = repositories[0]["color"]
    dropped = extract_features(*native, [{"image": torch.from_numpy(SCENE[..., :3]).permute(2, 0, 1)}]).embeddings[0]
    index = [images.path(i).name for i in range(len(images))].index("rgba.png")
    assert distance(dropped, extract_features(*native, images.subset([index])).embeddings[0]) > 1e-3


def test_an_encoder_reads_other_images_as_it_was_trained(repositories, tmp_path):
    folder, images, *_, native = repositories[0]["microscope"]
    assert native[1].pixel_format == json.loads(json.dumps(images.pixel_format.to_dict()))
    assert "pixel_format" not in build_processor("simclr").to_dict()
    dim, seen = FILES["l.png"][0].point(lambda value: value // 4), []
    for split in ("train", "test"):
        for label in "ab":
            (tmp_path / split / label).mkdir(parents=True)
            Image.fromarray(np.asarray(dim, np.uint16)).save(tmp_path / split / label / "x.png")
    data = load_data(tmp_path)
    assert data.train.pixel_format.integers == (0, 255)
    options = dict.fromkeys(("revision", "image_processor", "device", "image_column", "label_column", "json_file"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hf_ssl.cli.evaluate.evaluate_encoder", lambda *args, **_: seen.extend(args[2:]) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            evaluate.run(
                evaluate.Request(
                    encoder=str(folder), data=str(tmp_path), subfolder="", linear=False, k=1, temperature=0.07,
                    batch_size=4, dtype="float32", seed=0, data_seed=None, label_level=None, split=None,
                    test_split=None, max_unreadable=None, **options,
                )
            )  # fmt: skip
    assert [part.pixel_format.integers for part in seen] == [(0, 4095)] * 2 and seen[0][0]["image"].max() < 16


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gray_encoder_trains_and_is_evaluated_on_gray_and_on_color(repositories, channels):
    _, _, model, processor, native = repositories[0]["gray"]
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, channels, 40, 40), generator=generator, dtype=torch.uint8)
    views = processor.views(image=images, generator=generator)["pixel_values"]
    assert views.shape == (8, 2, 1, 32, 32) and model(views).loss.isfinite()
    dataset = [{"image": image, "label": i % 2} for i, image in enumerate(images)]
    report = evaluate_encoder(*native, dataset, dataset, k=1, linear=False)
    assert report.row().knn == 100 and report.row().dim == 48
    if channels == 3:
        picture = Image.fromarray(images[0].permute(1, 2, 0).numpy())
        ours = processor(picture, return_tensors="pt")["pixel_values"]
        assert torch.equal(ours, native[1](picture.convert("L"), return_tensors="pt")["pixel_values"])
