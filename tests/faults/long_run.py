"""
A long training in this process; prints its resident megabytes after every tenth of it:
`python -m tests.faults.long_run memory|files STEPS FOLDER`.
"""

import gc
import json
import sys
from pathlib import Path

import psutil
import torch
from transformers import TrainerCallback, ViTConfig

from hf_ssl.data import TensorImages, load_data
from hf_ssl.registry import METHODS
from hf_ssl.training import SSLTrainer, SSLTrainingArguments

from .runs import photos


class _Watch(TrainerCallback):
    def __init__(self, every: int):
        self.every, self.megabytes = every, []

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step % self.every == 0:
            gc.collect()
            self.megabytes.append(psutil.Process().memory_info().rss / 2**20)


def train(kind: str, steps: int, folder: Path) -> list[float]:
    method = METHODS["simclr"]
    backbone = ViTConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48, image_size=16, patch_size=8
    )
    model = method.pretraining_class(method.config_class(backbone_config=backbone, projection_sizes=[16, 8]))
    size = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
    processor = method.processor_class(**size)
    if kind == "files":
        data = load_data(photos(folder / "photos", 200, 20)).train
    else:
        data = TensorImages(torch.randint(0, 256, (200, 3, 20, 20), dtype=torch.uint8))
    arguments = SSLTrainingArguments(
        output_dir=str(folder / "run"),
        max_steps=steps,
        per_device_train_batch_size=4,
        save_steps=max(steps // 5, 1),
        save_total_limit=1,
        logging_steps=50,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    watch = _Watch(max(steps // 10, 1))
    SSLTrainer(model, arguments, processor, train_dataset=data, callbacks=[watch]).train()
    return watch.megabytes


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(train(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))) + "\n")
