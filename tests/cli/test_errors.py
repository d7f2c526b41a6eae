"""Every mistake ends in one sentence with cause and remedy, exit code 2, and nothing left behind."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from hf_ssl.cli import main
from hf_ssl.cli.card import run as write_card
from hf_ssl.hub import export_pretrained

from ..conftest import build_model, build_processor


def exit_code(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["hf-ssl", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_info:
        main()
    return exit_info.value.code


def hf_ssl(monkeypatch, capsys, *arguments):
    """Exit code and the last line of standard error."""
    code = exit_code(monkeypatch, *arguments)
    lines = capsys.readouterr().err.strip().splitlines()
    return code, lines[-1] if lines else ""


def make_photos(folder):
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(12):
        pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def folder(tmp_path):
    return make_photos(tmp_path / "photos")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what the mistakes are made with."""
    place = tmp_path_factory.mktemp("workplace")
    make_photos(place / "photos")
    (place / "empty").mkdir()
    (place / "file.png").write_bytes(b"x")
    (place / "notes.txt").write_text("no checkpoint")
    (place / "taken").mkdir()
    (place / "taken" / "thesis.tex").write_text("mine")
    export_pretrained(build_model("simclr").eval(), build_processor("simclr"), place / "repository")
    write_card(place / "repository", license=None, repo_id=None)
    build_model("simclr").save_pretrained(place / "checkpoint")
    CLIPImageProcessorPil().save_pretrained(place / "checkpoint")
    build_model("simclr").backbone.save_pretrained(place / "native")
    build_model("simclr").backbone.save_pretrained(place / "damaged")
    weights = place / "damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    torch.save({"nothing.weight": torch.zeros(3)}, place / "other.pth")
    return place


# Words of the command line -> the cause and the remedy that the sentence must name.
MISTAKES = {
    # Commands and options
    "train": ("'train'", "Did you mean 'pretrain'?"),
    "train --help": ("'train'", "Did you mean 'pretrain'?"),
    "evalute native": ("'evalute'", "Did you mean 'evaluate'?"),
    "simclr": ("no command 'simclr'", "hf-ssl pretrain simclr"),
    "--data photos": ("--data before the command", "Write hf-ssl COMMAND --data"),
    "pretrain --epochs 5": ("--epochs", "Did you mean --num_train_epochs?"),
    "pretrain --lr 0.1": ("--lr", "Did you mean --learning_rate?"),
    "pretrain --lr=0.1": ("--lr", "Did you mean --learning_rate?"),
    "pretrain --batch-size 8": ("--batch-size", "Did you mean --per_device_train_batch_size?"),
    "pretrain --batch_size 8": ("--batch_size", "Did you mean --per_device_train_batch_size?"),
    "pretrain --gpus 2": ("--gpus", "accelerate launch --num_processes 2"),
    "pretrain --workers 2": ("--workers", "Did you mean --dataloader_num_workers?"),
    "pretrain --wd 0.1": ("--wd", "Did you mean --weight_decay?"),
    "pretrain --model vit-tiny": ("--model", "Did you mean --backbone?"),
    "pretrain --steps 10": ("--steps", "Did you mean --max_steps?"),
    "pretrain --out runs": ("--out", "Did you mean --output-dir?"),
    "pretrain --num_train_epoch 3": ("--num_train_epoch", "Did you mean --num_train_epochs?"),
    "pretrain --image-sise 3": ("--image-sise", "Did you mean --image-size?"),
    "pretrain -data photos": ("-data", "Did you mean --data?"),
    "pretrain --temperature 0.2": ("--temperature", "Did you mean --config temperature=0.2?"),
    "pretrain --crop_scale 0.2": ("--crop_scale", "Did you mean --processor crop_scale=0.2?"),
    "pretrain --zzz": ("--zzz", "see hf-ssl pretrain --help"),
    "pretrain --max_steps ten": ("'ten'", "takes a whole number"),
    "pretrain --max_steps 1.5": ("'1.5'", "takes a whole number"),
    "pretrain --learning_rate fast": ("'fast'", "takes a number"),
    "pretrain --learning_rate nan": ("'nan'", "takes a number"),
    "pretrain --image_size large": ("'large'", "takes a whole number"),
    "pretrain --learning_rate --bf16": ("--learning_rate", "needs a number"),
    "pretrain --data": ("--data", "needs a value"),
    "pretrain --bf16 maybe": ("'maybe'", "takes true or false"),
    "pretrain --bf16=maybe": ("'maybe'", "takes true or false"),
    "evaluate native --no-linear maybe": ("'maybe'", "takes true or false"),
    "pretrain --eval_strategy never": ("'never'", "Known: no, steps, epoch"),
    "pretrain --data photos --data empty": ("twice", "keep one"),
    "pretrain simclr dino": ("'dino'", "one method at a time"),
    "pretrain simclr photos": ("'photos'", "--data photos"),
    "pretrain photos": ("photos is no method", "--data photos"),
    "pretrain simclrr": ("'simclrr'", "Did you mean 'simclr'?"),
    "pretrain byol --data photos --per_device_train_batch_size 1 --max_steps 1": (
        "images of a batch depend",
        "at least 2",
    ),
    "pretrain moco_v2 --data photos --image-size 16 --per_device_train_batch_size 1 --max_steps 1": (
        "Batch norm takes a batch of two or more",
        "raise --per_device_train_batch_size",
    ),
    "pretrain audiomae": ("photo-patches holds images, and no sounds", "give a folder or a table of sounds"),
    "convert simclrr other.pth out": ("'simclrr'", "Did you mean 'simclr'?"),
    "evaluate": ("ENCODER is missing", "write hf-ssl evaluate ENCODER"),
    "export native": ("OUTPUT_DIR is missing", "write hf-ssl export CHECKPOINT OUTPUT_DIR"),
    "push repository user/name now": ("'now'", "see hf-ssl push --help"),
    "evaluate --encoder native": ("--encoder", "hf-ssl evaluate ENCODER"),
    "evaluate native --epochs 3": ("--epochs", "see hf-ssl evaluate --help"),
    "methods --all": ("--all", "see hf-ssl methods --help"),
    # Paths
    "pretrain --data ./nowhere": ("no file or folder 'nowhere'", "Check the path"),
    "pretrain --data ./photo": ("no file or folder 'photo'", "Did you mean 'photos'?"),
    "pretrain --data /nowhere/photos": ("no file or folder '/nowhere'", "Check the path"),
    "pretrain --data nowhere/of/mine --output-dir a/b/c": ("no file or folder 'nowhere'", "Check the path"),
    "pretrain --data photo-patchs": ("'photo-patchs'", "photo-patches"),
    "pretrain --data file.png": ("file.png", "folder"),
    "pretrain --data empty --output-dir a/b": ("empty holds no images", "give the folder"),
    "pretrain --backbone ./nowhere": ("no file or folder 'nowhere'", "Check the path"),
    "pretrain --backbone user/none": ("no folder 'user/none'", "Check the spelling"),
    "pretrain --backbone vit-tinny": ("'vit-tinny'", "Did you mean 'vit-tiny'?"),
    "pretrain --output-dir file.png": ("is a file", "name a folder"),
    "pretrain --output-dir file.png/out": ("file.png", "Check the path"),
    "pretrain --output-dir taken": ("holds something else", "choose an empty or new folder"),
    "evaluate ./nowhere": ("no file or folder 'nowhere'", "Check the path"),
    "evaluate user/none": ("no folder 'user/none'", "Check the spelling"),
    "evaluate native --image-processor ./nowhere": ("no file or folder 'nowhere'", "Check the path"),
    "evaluate native --data ./nowhere": ("no file or folder 'nowhere'", "Check the path"),
    "evaluate native --json-file nowhere/report.json": ("--json-file nowhere", "does not exist"),
    "export ./nowhere out": ("no file or folder 'nowhere'", "Check the path"),
    "export native out": ("'vit'", "no pretraining checkpoint of hf_ssl"),
    "export checkpoint out": ("is a CLIPImageProcessorPil, which draws no views", "put back the one"),
    "export repository photos": ("photos is not an empty folder", "choose another place"),
    "card nowhere": ("no file or folder 'nowhere'", "Check the path"),
    "card photos": ("photos is no repository", "it needs a config.json"),
    "push nowhere user/name": ("no file or folder 'nowhere'", "Check the path"),
    "push photos user/name": ("photos", "export"),
    "push repository a/b/c": ("'a/b/c'", "must be in the form"),
    "convert simclr simclr.safetensors out": ("no file or folder 'simclr.safetensors'", "Check the path"),
    "convert simclr notes.txt out": ("notes.txt cannot be read as a checkpoint", "of another kind"),
    "convert simclr photos out": ("photos is no checkpoint file", "it is a folder"),
    "convert simclr other.pth out": ("other.pth", "no checkpoint of SimCLR"),
    "convert supervised other.pth out": ("other.pth", "no checkpoint of Supervised"),
    "evaluate photos": ("photos holds no config.json", "name the folder of a model"),
    "evaluate native/config.json": ("native/config.json is a file", "name the folder"),
    "pretrain --backbone photos": ("photos holds no config.json", "name the folder of a model"),
    "pretrain --backbone native/config.json": ("native/config.json is a file", "name the folder"),
    "evaluate native --json-file photos": ("--json-file photos is a folder", "name a file"),
    "evaluate native --seed -5": ("--seed", "at least 0"),
    "evaluate damaged --data photos": ("damaged", "get them again"),
    # Values that do not fit
    "pretrain --image-size 0": ("--image-size", "at least 1"),
    "pretrain --data photos --backbone vit-nano --image-size 2": ("smaller than one patch of 4", "raise --image-size"),
    "pretrain --config temprature=1": ("'temprature'", "Did you mean 'temperature'?"),
    "pretrain --config temperature=hot": ("temperature", "hot"),
    "pretrain --config temperature=-1": ("temperature", "must be above 0"),
    "pretrain --config projection_sizes=[0]": ("projection_sizes", "at least 1"),
    "pretrain --config projection_sizes=wide": ("projection_sizes takes list", "not 'wide'"),
    "pretrain --config backbone_config=vit": ("backbone_config", "choose the encoder with --backbone"),
    "pretrain --config temperature": ("'temperature' is no assignment", "write NAME=VALUE"),
    "pretrain --processor crop_scle=1": ("'crop_scle'", "Did you mean 'crop_scale'?"),
    "pretrain --processor color_jitter=[1]": ("color_jitter=[1]", "no views"),
    "pretrain --processor views_per_image=0": ("views_per_image=0", "no views"),
    "pretrain --recipe papr": ("'papr'", "Did you mean 'paper'?"),
    "pretrain mae --backbone resnet-18": ("'resnet'", "plain ViT backbone"),
    "pretrain --data photos --per_device_train_batch_size 1": ("per_device_train_batch_size", "at least 2"),
    "evaluate native --dtype float8": ("'float8'", "Known: float32"),
    "evaluate native --batch-size 0": ("--batch-size", "at least 1"),
    "evaluate native --device gpu": ("'gpu'", "cannot be used here"),
    "evaluate repository --data photos": ("no labels", "one subfolder a class"),
    "pretrain --num_train_epochs 0": ("--num_train_epochs", "must be above 0"),
    "pretrain --max_steps 0": ("--max_steps", "at least 1"),
    "pretrain --seed -1": ("--seed", "at least 0"),
    "pretrain --learning_rate -1": ("--learning_rate", "at least 0"),
    "pretrain --gradient_accumulation_steps 0": ("--gradient_accumulation_steps", "at least 1"),
    "pretrain --dataloader_num_workers -1": ("--dataloader_num_workers", "at least 0"),
    "pretrain --lars_momentum 1.5": ("--lars_momentum", "must be below 1"),
    "pretrain --lr_scheduler_type cosin": ("'cosin'", "Did you mean 'cosine'?"),
    "pretrain --data photoz": ("'photoz' cannot be loaded", "Did you mean 'photos'?"),
    "pretrain --dataloader_num_workers 50000": ("more than this machine has a use for", "at most"),
    "pretrain --lr_scheduler_kwargs {min_lr:0}": ("--lr_scheduler_kwargs is no JSON", "write '{"),
    "pretrain --optim_args fast": ("--optim_args fast", "write NAME=VALUE"),
    "pretrain --resume_from_checkpoint last": ("--resume_from_checkpoint", "same command"),
    # What this machine lacks
    "pretrain --fp16": ("--fp16 needs a GPU", "use --bf16"),
    "pretrain --fp16 --bf16": ("exclude each other", "keep --bf16"),
    "pretrain --tf32 true": ("--tf32 needs an NVIDIA GPU", "leave it out"),
    "pretrain --report_to tensorbord": ("'tensorbord'", "Did you mean 'tensorboard'?"),
    "pretrain --report_to tensorboard": ("not installed", "pip install tensorboard"),
    "pretrain --report_to wandb": ("not installed", "pip install wandb"),
    "pretrain --report_to trackio": ("not installed", "pip install trackio"),
    "pretrain --optim adamw_bnb_8bit": ("not installed", "pip install bitsandbytes"),
    "pretrain --deepspeed zero2.json": ("not installed", "pip install deepspeed"),
    "pretrain --use_liger_kernel": ("not installed", "pip install liger-kernel"),
    "pretrain --fsdp full_shard": ("this is one", "accelerate launch"),
    "pretrain --torch_compile": ("needs a C++ compiler", "install g++"),
    "pretrain --push_to_hub --hub_model_id user/name": ("needs a token", "hf auth login"),
    "pretrain --push_to_hub --hub_token hf_x": ("--push_to_hub needs --hub_model_id", "user/name"),
    "pretrain --hub_strategy always": ("'always'", "Known: end, every_save"),
}


def contents(place: Path) -> list[tuple[str, int]]:
    return sorted((str(path.relative_to(place)), path.stat().st_size) for path in place.rglob("*"))


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake(line, workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("hf_ssl.cli.feasible.get_token", lambda: None)
    monkeypatch.setattr("hf_ssl.cli.feasible.find_spec", lambda name: None)  # whatever is installed here
    monkeypatch.setattr("hf_ssl.cli.feasible.shutil.which", lambda name: None)
    before = contents(workplace)
    code = exit_code(monkeypatch, *line.split())
    err = capfd.readouterr().err
    sentence = err.removesuffix("\n")
    assert code == 2, err
    assert sentence.startswith("hf-ssl: ") and "\n" not in sentence, err
    assert "Traceback" not in err and len(err) < 500
    assert all(part in sentence for part in MISTAKES[line]), sentence
    assert contents(workplace) == before


def test_the_table_is_long_enough():
    assert len(MISTAKES) >= 60


def test_too_many_broken_files(folder, tmp_path, monkeypatch, capsys):
    for i in range(13):
        (folder / f"broken-{i}.png").write_bytes(b"no picture")
    arguments = ["--data", folder, "--output-dir", tmp_path / "out", "--dataloader_num_workers", 1]
    code, message = hf_ssl(monkeypatch, capsys, "pretrain", *arguments, "--per_device_train_batch_size", 8)
    assert code == 2 and "Traceback" not in message
    assert f"13 of the 25 images in {folder} cannot be read" in message and "max_unreadable" in message
    assert not (tmp_path / "out").exists()


def test_a_refused_run_takes_only_its_own_folder_away(tmp_path, monkeypatch, capsys):
    def fail(request, checkpoints):
        if request.method == "dino":
            (tmp_path / "runs" / "other").mkdir(parents=True)
        raise ValueError("no")

    monkeypatch.setattr("hf_ssl.cli.pretrain.pretrain", fail)
    assert hf_ssl(monkeypatch, capsys, "pretrain", "--output-dir", tmp_path / "runs" / "of" / "mine")[0] == 2
    assert list(tmp_path.iterdir()) == []
    assert hf_ssl(monkeypatch, capsys, "pretrain", "dino", "--output-dir", tmp_path / "runs" / "mine")[0] == 2
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["other"]
