"""What somebody may have meant who writes an option or a command that there is not."""

import difflib
from collections.abc import Iterable

from ..registry import METHODS
from ..utils.spelling import closest

# What people call it elsewhere -> what it is called here.
_MEANT = {
    "epoch epochs num-epochs max-epochs n-epochs train-epochs": "num-train-epochs",
    "step steps num-steps iterations iters max-iter num-train-steps max-train-steps": "max-steps",
    "lr learning-rates init-lr": "learning-rate",
    "base-lr blr": "base-learning-rate",
    "min-lr": "min-learning-rate",
    "batch bs batch-size batchsize train-batch-size": "per-device-train-batch-size",
    "eval-batch-size": "per-device-eval-batch-size",
    "accum accumulate grad-accum accum-iter gradient-accumulation accumulate-grad-batches": (
        "gradient-accumulation-steps"
    ),
    "worker workers num-workers n-workers": "dataloader-num-workers",
    "wd weight-decays": "weight-decay",
    "warmup num-warmup-steps": "warmup-steps",
    "optimizer optimiser": "optim",
    "scheduler lr-scheduler": "lr-scheduler-type",
    "clip clip-grad grad-clip gradient-clip-val": "max-grad-norm",
    "amp half precision mixed-precision": "bf16",
    "compile": "torch-compile",
    "cpu no-cuda": "use-cpu",
    "wandb tensorboard tracker logger": "report-to",
    "log-every log-interval log-freq": "logging-steps",
    "save-every save-freq save-interval": "save-steps",
    "eval-every eval-interval": "eval-steps",
    "random-seed": "seed",
    "resume restart": "resume-from-checkpoint",
    "push upload": "push-to-hub",
    "hub-id": "hub-model-id",
    "arch architecture encoder model model-name model-name-or-path network": "backbone",
    "checkpoint weights pretrained init": "backbone",
    "out output outdir out-dir save-dir save-to logdir log-dir work-dir exp-dir": "output-dir",
    "dataset datasets dataset-name data-dir data-path data-root": "data",
    "train-dir train-data images image-folder input folder": "data",
    "size img-size input-size resolution crop-size": "image-size",
    "neighbours neighbors n-neighbors knn num-neighbors": "k",
    "temp tau": "temperature",
    "processor image-processor-name": "image-processor",
    "json output-json report": "json-file",
    "repo repo-name hub-model-id": "repo-id",
    "licence": "license",
    "commit-message m": "message",
    "force overwrite-output-dir": "overwrite",
}
_MEANT = {word: target for words, target in _MEANT.items() for word in words.split()}
_COMMANDS = {
    "train run fit learn pre-train pretraining": "pretrain",
    "eval test knn linear probe score": "evaluate",
    "upload publish": "push",
    "list models method": "methods",
    "info doctor versions": "env",
    "import": "convert",
    "save": "export",
    "readme": "card",
}
_COMMANDS = {word: target for words, target in _COMMANDS.items() for word in words.split()}
_DEVICES = ("gpu", "gpus", "device", "devices", "num-gpus", "n-gpus", "ngpu", "nproc", "num-processes")


def unknown_command(name: str, commands: Iterable[str]) -> str:
    """What to say to a command that there is not."""
    if name in METHODS:
        return f"There is no command {name!r}, but a method: write hf-ssl pretrain {name}."
    meant = f" Did you mean {_COMMANDS[name]!r}?" if name in _COMMANDS else closest(name, commands)
    return f"There is no command {name!r}.{meant} Known: {', '.join(commands)}."


def unknown_option(command: str, option: str, value: str, known: dict[str, str], arguments: list[str]) -> str:
    """
    What to say to an option that there is not.

    Args:
        command (`str`): it was given to.
        option (`str`): as it was written, with its dashes.
        value (`str`): behind it, if any.
        known (`dict[str, str]`): the options that there are: name with dashes -> as we write it.
        arguments (`list[str]`): what the command takes without a name.
    """
    key = option.lstrip("-").replace("_", "-")
    start = f"{command} has no option {option}"
    if key in _DEVICES and "backbone" in known:
        count = value if value.isdigit() else "2"
        return (
            f"{start}: it takes one GPU by itself; for several write accelerate launch --num_processes {count} "
            "-m hf_ssl pretrain …"
        )
    meant = _MEANT.get(key)
    if meant not in known and (near := difflib.get_close_matches(key, known, n=1, cutoff=0.7)):
        meant = near[0]
    if meant in known:
        return f"{start}. Did you mean {known[meant]}?"
    if key in arguments or meant == "backbone" and arguments:
        usage = " ".join(argument.replace("-", "_").upper() for argument in arguments)
        return f"{start}: what it works on stands without a name, hf-ssl {command} {usage}"
    if "config" in known and (where := _own_fields(key.replace("-", "_"))):
        return f"{start}. Did you mean {where}={value or 'VALUE'}?"
    return f"{start}: see hf-ssl {command} --help."


def _own_fields(field: str) -> str | None:
    """How a field of some method's configuration or image processor is set."""
    from dataclasses import fields

    for method in METHODS.values():
        if field in {f.name for f in fields(method.config_class)}:
            return f"--config {field}"
        if field in method.processor_class.view_attributes():
            return f"--processor {field}"
    return None
