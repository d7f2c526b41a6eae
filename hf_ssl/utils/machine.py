"""What is installed, and what it runs on."""

import importlib.metadata
import os

import torch


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def hardware() -> str:
    """The accelerator, or the processor and its cores, in words."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"CPU, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
