"""What `hf-ssl env` prints."""

import importlib
import os
import platform
import sys

import torch

from ..utils.machine import version

_PACKAGES = "torch transformers accelerate datasets safetensors huggingface-hub tokenizers numpy pillow scikit-learn"
_OPTIONAL = "torchvision scikit-image matplotlib tensorboard"


def report() -> str:
    """A table of versions and devices, then one sentence for every known problem."""
    rows = [("hf_ssl", version("hf_ssl")), ("python", sys.version.split()[0]), ("platform", platform.platform())]
    rows += [(name, version(name)) for name in f"{_PACKAGES} {_OPTIONAL}".split()]
    rows += [("cpu cores", str(os.cpu_count())), ("threads", str(torch.get_num_threads()))]
    rows += [
        (f"cuda:{i}", f"{torch.cuda.get_device_name(i)}, {torch.cuda.get_device_properties(i).total_memory >> 30} GiB")
        for i in range(torch.cuda.device_count())
    ]
    return "\n".join([f"{name:<16} {value}" for name, value in rows] + problems())


def problems() -> list[str]:
    """One sentence for every known trap that this environment is in."""
    found = []
    if version("torchvision") != "not installed":
        try:
            importlib.import_module("torchvision")
        except (ImportError, RuntimeError) as error:
            found.append(
                f"torchvision {version('torchvision')} does not import with torch {version('torch')} ({error}); this "
                "breaks every vision model of transformers: install the matching build, or uninstall it."
            )
    if version("scikit-image") == "not installed":
        found.append('scikit-image is missing, which holds the default data: pip install "hf_ssl[demo]".')
    return found
