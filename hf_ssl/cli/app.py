"""Commands and their options; the work is done elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from .._version import __version__
from ..registry import METHODS, get_method
from .app_hub import card, push
from .paths import require_backbone, require_found, require_repository

app = typer.Typer(
    name="hf-ssl",
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DEFAULT_METHOD = "simclr"
_METHODS = f"One of: {', '.join(METHODS)}."
_DATA = "photo-patches, photo-patches-color, fashion-mnist, a folder of images, or a Hub data set id"


def _method_names(incomplete: str) -> list[str]:
    return [name for name in METHODS if name.startswith(incomplete)]


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"hf-ssl {__version__}")
        raise typer.Exit()


@app.callback()
def hf_ssl(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Self-supervised vision for Hugging Face: images in, a native transformers encoder out."""


_LabelLevel = Annotated[
    int | None, typer.Option(help="Level of folders that names the classes, from 1; 0: no labels. [default: found]")
]
_MaxUnreadable = Annotated[
    float | None, typer.Option(help="Share of broken files that is accepted. [default: a tenth, of few images more]")
]


@app.command()
def pretrain(
    context: typer.Context,
    method: Annotated[str, typer.Argument(help=_METHODS, autocompletion=_method_names)] = DEFAULT_METHOD,
    data: Annotated[str, typer.Option(help=f"Images to learn from: {_DATA}.")] = "photo-patches",
    backbone: Annotated[
        str | None,
        typer.Option(
            help="vit-nano, vit-tiny, vit-small, resnet-18, …: from scratch. A folder or Hub id: go on from it."
        ),
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option(help="Where everything goes. [default: hf-ssl-runs/METHOD]")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="photos: of things, which have an upright; small: textures, which have none; paper. "
            "[default: photos, of photo-patches small]"
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(help="Side of the images in pixels. [default: their own, at most 64 on a CPU and 224 on a GPU]"),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="How long all of it may take, in place of --num_train_epochs and --max_steps. [default: the length "
            "of the recipe, at most 10]"
        ),
    ] = None,
    config: Annotated[
        list[str], typer.Option(help="Field of the method's configuration, NAME=VALUE; repeatable.")
    ] = [],  # noqa: B006
    processor: Annotated[
        list[str], typer.Option(help="Attribute of its image processor, NAME=VALUE; repeatable.")
    ] = [],  # noqa: B006
    image_column: Annotated[str | None, typer.Option(help="Column of a Hub data set.")] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column of a Hub data set or metadata file, used for evaluation only.")
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column of a Hub data set or metadata file, of captions for image-text methods.")
    ] = None,
    label_level: _LabelLevel = None,
    split: Annotated[str | None, typer.Option(help="Split, or subfolder, to train on. [default: train]")] = None,
    test_split: Annotated[
        str | None, typer.Option(help="Split, or subfolder, to evaluate on. [default: test, or a fifth of the images]")
    ] = None,
    data_seed: Annotated[int, typer.Option(help="Of the split, and of the patches of photo-patches.")] = 0,
    max_unreadable: _MaxUnreadable = None,
    overwrite: Annotated[bool, typer.Option(help="Start again in a folder that holds a run.")] = False,
    evaluate: Annotated[bool, typer.Option(help="Evaluate at the end, where there are labels.")] = True,
) -> None:
    """Pretrain an encoder without labels, evaluate it, and write a repository that plain AutoModel loads.

    Every argument of transformers' TrainingArguments works too, e.g. --num_train_epochs 100 --bf16
    --per_device_train_batch_size 256 --report_to tensorboard. An interrupted run goes on when it is started again.
    """
    if method not in METHODS and Path(method).exists():
        raise ValueError(f"{method} is no method: images are named with --data {method}.")
    get_method(method)  # a misspelt name must not even make a folder
    require_found(data, "--data")
    if backbone is not None:
        require_backbone(backbone)
    from .pretrain import Request, run

    run(
        Request(
            method=method,
            data=data,
            backbone=backbone,
            output_dir=output_dir or Path("hf-ssl-runs", method),
            recipe=recipe,
            image_size=image_size,
            minutes=minutes,
            config=_assignments(config),
            processor=_assignments(processor),
            image_column=image_column,
            label_column=label_column,
            text_column=text_column,
            label_level=label_level,
            split=split,
            test_split=test_split,
            data_seed=data_seed,
            max_unreadable=max_unreadable,
            overwrite=overwrite,
            evaluate=evaluate,
            training=context.obj or {},
        )
    )


@app.command()
def evaluate(
    encoder: Annotated[str, typer.Argument(help="A folder or Hub id that AutoModel loads.")],
    data: Annotated[str, typer.Option(help=f"Labelled images: {_DATA}.")] = "photo-patches",
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the encoder on the Hub.")] = None,
    subfolder: Annotated[
        str | None,
        typer.Option(help="Of the repository, such as pretraining. [default: that of the embedding in its card]"),
    ] = None,
    image_processor: Annotated[
        str | None, typer.Option(help="Folder or Hub id to take the image processor from. [default: the encoder's]")
    ] = None,
    linear: Annotated[
        bool | None, typer.Option(help="Linear probe too. [default: unless it would take hours]", show_default=False)
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(help="Neighbours of the kNN classifier. [default: 20, or all where there are fewer images]"),
    ] = None,
    temperature: Annotated[float, typer.Option(help="Of the votes of the neighbours.")] = 0.07,
    batch_size: Annotated[int, typer.Option(help="Images at a time.")] = 256,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1, mps, …  [default: the accelerator, if there is one]")
    ] = None,
    dtype: Annotated[str, typer.Option(help="Of the encoder: float32, bfloat16 or float16.")] = "float32",
    image_column: Annotated[str | None, typer.Option(help="Column of a Hub data set.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of a Hub data set.")] = None,
    data_seed: Annotated[
        int | None, typer.Option(help="Of the split. [default: that of the run the encoder comes from, or 0]")
    ] = None,
    label_level: _LabelLevel = None,
    split: Annotated[str | None, typer.Option(help="Split, or subfolder, whose images are the neighbours.")] = None,
    test_split: Annotated[str | None, typer.Option(help="Split, or subfolder, whose images are classified.")] = None,
    max_unreadable: _MaxUnreadable = None,
    seed: Annotated[int, typer.Option(help="Of the random initialisation and the probe's validation part.")] = 0,
    json_file: Annotated[Path | None, typer.Option(help="Write the report here too.")] = None,
) -> None:
    """kNN and linear probe of any encoder, beside raw pixels and its own random initialisation.

    Takes what AutoModel takes: ours, ViT, DINOv2, ResNet, ConvNeXt, Swin, BEiT, ViTMAE (nothing is hidden), timm, and
    the image side of CLIP and SigLIP. Weights are read from safetensors only, and no code of a repository is run.
    """
    require_repository(encoder, "The encoder", revision, subfolder or "")
    require_found(data, "--data")
    if image_processor is not None:
        require_found(image_processor, "--image-processor")
    if json_file is not None and json_file.is_dir():
        raise ValueError(f"--json-file {json_file} is a folder: name a file in it.")
    if seed < 0:
        raise ValueError(f"--seed must be at least 0, got {seed}.")
    from .evaluate import Request, run

    run(
        Request(
            encoder=encoder,
            data=data,
            revision=revision,
            subfolder=subfolder,
            image_processor=image_processor,
            linear=linear,
            k=k,
            temperature=temperature,
            batch_size=batch_size,
            device=device,
            dtype=dtype,
            image_column=image_column,
            label_column=label_column,
            data_seed=data_seed,
            label_level=label_level,
            split=split,
            test_split=test_split,
            max_unreadable=max_unreadable,
            seed=seed,
            json_file=json_file,
        )
    )


@app.command()
def export(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint folder of a pretraining run, or a repository's id.")],
    output_dir: Annotated[Path, typer.Argument(help="Where the repository is written.")],
) -> None:
    """Write a checkpoint as a repository: native encoder at the root, the method under pretraining/."""
    require_repository(checkpoint, "The checkpoint")
    from .export import run

    run(checkpoint, output_dir)


app.command()(card)
app.command()(push)


@app.command()
def convert(
    method: Annotated[str, typer.Argument(help="The method that the checkpoint is of.", autocompletion=_method_names)],
    file: Annotated[Path, typer.Argument(help="A checkpoint of its public code: .pth, .pth.tar, .safetensors, …")],
    output_dir: Annotated[Path, typer.Argument(help="Where the repository is written.")],
) -> None:
    """Write a public checkpoint as a repository: native encoder at the root, the method under pretraining/."""
    get_method(method)
    from .convert import run

    run(method, file, output_dir)


@app.command()
def methods() -> None:
    """The methods, with their papers."""
    problems = METHODS.load_all()
    for name, method in METHODS.items():
        info = method.info
        typer.echo(f"{name:<15} {info.title:<15} {info.year}  {info.family:<18} arXiv:{info.paper}")
    for problem in problems:
        typer.echo(problem, err=True)


@app.command()
def env() -> None:
    """Versions, devices, and what is missing or broken."""
    from .env import report

    typer.echo(report())


def _assignments(items: list[str]) -> dict[str, str]:
    pairs = [item.partition("=") for item in items]
    for name, sign, _ in pairs:
        if not sign:
            raise ValueError(f"{name!r} is no assignment: write NAME=VALUE.")
    return {name: value for name, _, value in pairs}
