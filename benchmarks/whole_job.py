"""
The whole default job, from uint8 images to a kNN accuracy: hf_ssl against a plain PyTorch loop around lightly.

    python benchmarks/whole_job.py

Both train SimCLR on photo-patches with the small recipe's encoder, head, batch, optimizer, number and size of views.
Then they classify the test images by their 20 nearest training images. lightly's views come from `SimCLRViewTransform`
in a data loader with as many workers as there are threads. Needs `requirements-peers.txt`.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from alternating import OURS, alternate, case, write
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms.multi_view_transform import MultiViewTransform
from lightly.transforms.simclr_transform import SimCLRViewTransform
from lightly.utils.benchmarking import knn_predict
from peer_steps import encoder as peer_encoder
from torch import nn
from torchvision.transforms import v2
from torchvision.transforms.functional import to_pil_image

from hf_ssl.cli.plan import choose_recipe
from hf_ssl.data import Data, load_data
from hf_ssl.recipes import build_model, build_processor, build_training_arguments
from hf_ssl.registry import get_method
from hf_ssl.training import SSLTrainer

SIZE, SEED = 32, 0


class Job:
    """The default job, `epochs` long; `accuracy` holds what each contestant reached."""

    def __init__(self, data: Data, epochs: float, threads: int):
        self.data, self.epochs, self.threads = data, epochs, threads
        self.method = get_method("simclr")
        self.recipe = choose_recipe(self.method, "small", has_upright=False)
        self.accuracy: dict[str, float] = {}
        # As lightly's transforms want them, and before the clock starts.
        self.pictures = [
            [to_pil_image(part[i]["image"]) for i in range(len(part))] for part in (data.train, data.test)
        ]

    def ours(self) -> int:
        model, _ = build_model(self.method, self.recipe, None, {}, SIZE, SEED, None)
        processor = build_processor(self.method, self.recipe, {}, SIZE, model.config.backbone_config)
        explicit = {"num_train_epochs": self.epochs, "eval_strategy": "no", "save_strategy": "no", "report_to": "none"}
        explicit |= {"disable_tqdm": True, "seed": SEED}
        with tempfile.TemporaryDirectory() as folder:
            args = build_training_arguments(
                self.recipe.training,
                explicit,
                Path(folder),
                self.data,
                on_cpu=True,
            )
            trainer = SSLTrainer(model, args, processor, train_dataset=self.data.train, eval_dataset=self.data.test)
            trainer.train()
            trainer.args.online_knn_images = len(self.data.train)
            self.accuracy[OURS] = trainer.online_knn(self.data.test)
        return trainer.state.global_step * args.train_batch_size

    def by_lightly(self) -> int:
        torch.manual_seed(SEED)
        recipe, views = self.recipe.training, self.recipe.processor
        batch, side = recipe["per_device_train_batch_size"], views["view_size"](SIZE)
        hidden, out = self.recipe.config["projection_sizes"]
        encoder = peer_encoder("vit-tiny", SIZE, embed_dim=96, depth=3, num_heads=3)
        model = nn.Sequential(encoder, SimCLRProjectionHead(96, hidden, out)).train()
        brightness, contrast, saturation, hue = views["color_jitter"]
        view = SimCLRViewTransform(
            input_size=side,
            cj_bright=brightness,
            cj_contrast=contrast,
            cj_sat=saturation,
            cj_hue=hue,
            min_scale=views["crop_scale"][0],
            gaussian_blur=0.0,
            rr_prob=views["rotate_probability"],
            rr_degrees=(-180, 180),
        )
        dataset = Pictures(
            self.pictures[0], self.data.train.labels, MultiViewTransform([view] * views["views_per_image"])
        )
        loader = torch.utils.data.DataLoader(
            dataset, batch, shuffle=True, drop_last=True, num_workers=self.threads, persistent_workers=True
        )
        criterion = NTXentLoss(self.recipe.config["temperature"])
        rate, decay = recipe["learning_rate"], recipe["weight_decay"]
        optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=decay, fused=True)
        total, step = round(self.epochs * len(loader)), 0
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total, pct_start=0.05)
        while step < total:
            for crops, _ in loader:
                z = model(torch.cat(crops)).chunk(len(crops))
                pairs = [criterion(z[i], z[j]) for i in range(len(z)) for j in range(i)]
                loss = sum(pairs) / len(pairs)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                step += 1
                if step == total:
                    break
        self.accuracy["lightly"] = self.neighbours(encoder.eval())
        return step * batch

    @torch.no_grad()
    def neighbours(self, encoder: nn.Module) -> float:
        """kNN accuracy in percent, with lightly's classifier."""
        plain = v2.Compose(
            [
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            ]
        )
        features = []
        for pictures, part in zip(self.pictures, (self.data.train, self.data.test), strict=True):
            batches = torch.utils.data.DataLoader(Pictures(pictures, part.labels, plain), 256)
            x, y = zip(*[(encoder(images), labels) for images, labels in batches], strict=True)
            features.append((nn.functional.normalize(torch.cat(x), dim=1), torch.cat(y)))
        (bank, labels), (queries, truth) = features
        predicted = knn_predict(queries, bank.T.contiguous(), labels, int(labels.max()) + 1, 20, 0.07)[:, 0]
        return 100 * (predicted == truth).float().mean().item()


class Pictures(torch.utils.data.Dataset):
    """PIL images under a transform, and their labels."""

    def __init__(self, pictures, labels, transform):
        self.pictures, self.labels, self.transform = pictures, labels, transform

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.transform(self.pictures[i]), self.labels[i]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    started = time.perf_counter()
    job = Job(load_data("photo-patches", seed=SEED), args.epochs, args.threads)
    print(f"Data: {time.perf_counter() - started:.1f} s, once for both.")
    rates = alternate({OURS: job.ours, "lightly": job.by_lightly}, args.rounds)
    measured = case(f"SimCLR, epochs: {args.epochs:g}", rates, details={"kNN, %": job.accuracy})
    command = (
        f"python benchmarks/whole_job.py --epochs {args.epochs:g} --rounds {args.rounds} --threads {args.threads}"
    )
    packages = ["torch", "hf_ssl", "transformers", "lightly", "timm"]
    write("whole_job", "The whole job", "Images a second, training and kNN", command, [measured], packages)


if __name__ == "__main__":
    main()
