"""
These tests run where CUDA_VISIBLE_DEVICES names a device (tests/test_gpu.py does so); elsewhere they are not
collected. For work on the kernels without a GPU they run in Triton's interpreter, on the CPU, under
TRITON_INTERPRET=1.
"""

import os

import torch

from . import DEVICE

collect_ignore_glob = [] if DEVICE.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1" else ["test_*"]
torch.backends.cudnn.allow_tf32 = False  # compared with the CPU
