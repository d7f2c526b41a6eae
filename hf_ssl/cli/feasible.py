"""What this machine can do: training arguments and paths are refused before anything is read or made."""

import json
import math
import os
import shutil
from importlib.util import find_spec
from typing import Any

import torch
from huggingface_hub import get_token
from transformers import SchedulerType
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from ..utils.launchers import process_count
from ..utils.spelling import closest

# Name -> the least that makes sense, and whether that itself does.
_LEAST = {
    **dict.fromkeys(("num_train_epochs", "logging_steps", "eval_steps", "save_steps", "adam_epsilon"), (0, False)),
    **dict.fromkeys(
        ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"), (1, True)
    ),
    **dict.fromkeys(("cached_chunk_size", "online_knn_images", "save_total_limit"), (1, True)),
    **dict.fromkeys(("learning_rate", "base_learning_rate", "min_learning_rate", "weight_decay"), (0, True)),
    **dict.fromkeys(("final_weight_decay", "warmup_steps", "warmup_epochs", "max_grad_norm"), (0, True)),
    **dict.fromkeys(("max_parameter_grad_norm", "dataloader_num_workers", "seed", "data_seed"), (0, True)),
    **{"labels_per_class": (1, True), "labels_seed": (0, True)},
    **dict.fromkeys(("adam_beta1", "adam_beta2", "lars_momentum", "lars_trust_coefficient"), (0, True)),
}
_BELOW = {
    **dict.fromkeys(("adam_beta1", "adam_beta2", "lars_momentum"), 1),
    **dict.fromkeys(("seed", "data_seed", "labels_seed"), 2**32),
}
# Start of an optimizer's name -> the module that it is in, and how that is installed.
_OPTIMIZERS = {
    "adamw_torch_4bit adamw_torch_8bit": ("torchao", "torchao"),
    "adamw_torch_xla": ("torch_xla", "torch_xla"),
    "adamw_torch_npu": ("torch_npu", "torch_npu"),
    "adamw_apex": ("apex", "apex"),
    "adamw_anyprecision": ("torchdistx", "torchdistx"),
    "adamw_bnb adamw_8bit ademamix lion paged rmsprop_bnb": ("bitsandbytes", "bitsandbytes"),
    "galore": ("galore_torch", "galore-torch"),
    "apollo": ("apollo_torch", "apollo-torch"),
    "lomo adalomo": ("lomo_optim", "lomo-optim"),
    "grokadamw": ("grokadamw", "grokadamw"),
    "schedule_free": ("schedulefree", "schedulefree"),
    "stable_adamw": ("optimi", "torch-optimi"),
}
_TRACKERS = {"azure_ml": "azureml", "comet_ml": "comet_ml", "dagshub": "dagshub", "flyte": "flytekit"}


def require_feasible(values: dict[str, Any]) -> None:
    """
    A `ValueError` for training arguments that cannot work, whatever the data are.

    Args:
        values (`dict`): explicit fields of `SSLTrainingArguments`.
    """
    for name, value in values.items():
        _require_range(name, value)
        if isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                json.loads(value)
            except ValueError as error:
                raise ValueError(f"--{name} is no JSON ({error}): write '{{\"name\": value}}'.") from None
    if any("=" not in part for part in (values.get("optim_args") or "=").split(",")):
        raise ValueError(
            f"--optim_args {values['optim_args']} is no list of assignments: write NAME=VALUE,NAME=VALUE."
        )
    if "lr_scheduler_type" in values:
        _require_known("lr_scheduler_type", values["lr_scheduler_type"], [kind.value for kind in SchedulerType])
    if values.get("resume_from_checkpoint"):
        raise ValueError(
            "--resume_from_checkpoint is not needed: an interrupted run goes on when the same command is given again. "
            "To start from an encoder that is there, name it with --backbone."
        )
    _require_precision(values)
    _require_packages(values)
    if values.get("push_to_hub") and not (values.get("hub_token") or get_token()):
        raise ValueError("--push_to_hub needs a token that may write: run hf auth login, or set HF_TOKEN.")


def _require_range(name: str, value: Any) -> None:
    if name == "max_steps" and value < 1 and value != -1:
        raise ValueError(f"--max_steps must be at least 1, got {value}: leave it out to count in epochs.")
    least, included = _LEAST.get(name, (-math.inf, True))
    if name in _LEAST and (value < least or value == least and not included):
        raise ValueError(f"--{name} must be {'at least' if included else 'above'} {least}, got {value}.")
    most = max(16, 4 * (os.cpu_count() or 1))
    if name == "dataloader_num_workers" and value > most:
        raise ValueError(f"--{name} {value} is more than this machine has a use for: at most {most}, four a core.")
    if name in _BELOW and value >= _BELOW[name]:
        raise ValueError(f"--{name} must be below {_BELOW[name]}, got {value}.")


def _require_known(name: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise ValueError(f"--{name} has no choice {value!r}.{closest(value, known)} Known: {', '.join(known)}.")


def _require_precision(values: dict[str, Any]) -> None:
    on_cpu = values.get("use_cpu") or not torch.accelerator.is_available()
    if values.get("fp16") and values.get("bf16"):
        raise ValueError("--fp16 and --bf16 exclude each other: keep --bf16, which needs no loss scaling.")
    if values.get("fp16") and on_cpu:
        raise ValueError("--fp16 needs a GPU, and this runs on the CPU: leave it out, or use --bf16.")
    if values.get("tf32") and not torch.cuda.is_available():
        raise ValueError("--tf32 needs an NVIDIA GPU, and there is none: leave it out.")
    if values.get("bf16") and not on_cpu and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        raise ValueError(f"--bf16 is not supported by {torch.cuda.get_device_name()}: use --fp16, or leave it out.")


def _require_packages(values: dict[str, Any]) -> None:
    known = [*INTEGRATION_TO_CALLBACK, "all", "none"]
    trackers = values.get("report_to") or "none"
    for tracker in [trackers] if isinstance(trackers, str) else trackers:
        _require_known("report_to", tracker, known)
        module = _TRACKERS.get(tracker, tracker)
        if tracker not in ("all", "none") and not (tracker == "tensorboard" and find_spec("tensorboardX")):
            _require_package(f"--report_to {tracker}", module, module.replace("_", "-"))
    name = values.get("optim", "")
    for starts, (module, package) in _OPTIMIZERS.items():
        if name.startswith(tuple(starts.split())):
            _require_package(f"--optim {name}", module, package)
    for flag, module, package in (
        ("deepspeed", "deepspeed", "deepspeed"),
        ("use_liger_kernel", "liger_kernel", "liger-kernel"),
    ):
        if values.get(flag):
            _require_package(f"--{flag}", module, package)
    if values.get("fsdp") and process_count() < 2:
        raise ValueError(
            "--fsdp spreads the model over several processes, and this is one: leave it out, or start with "
            "accelerate launch --num_processes 2 -m hf_ssl pretrain …"
        )
    compiler = os.environ.get("CXX", "g++")
    inductor = values.get("torch_compile") and values.get("torch_compile_backend", "inductor") == "inductor"
    if inductor and not (shutil.which(compiler) or shutil.which("clang++")):
        raise ValueError(
            f"--torch_compile needs a C++ compiler, and {compiler} is not there: install g++, or leave it out."
        )


def _require_package(flag: str, module: str, package: str) -> None:
    if find_spec(module) is None:
        raise ValueError(f"{flag} needs a package that is not installed: pip install {package}")
