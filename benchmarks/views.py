"""
Training views a second on one core: hf_ssl against lightly, torchvision v2 and kornia, under the same policies.

    python benchmarks/views.py

SimCLR's two views at 32 and 224 pixels, DINO's two large and eight small crops at 224 and 96, from the photographs of
scikit-image in memory (32 pixels, or 256), normalised float32 tensors out. lightly gets PIL images, as its data sets
give; torchvision and we get uint8 tensors as their and our decoders give them, kornia the whole batch. Crops are
bicubic here and in lightly's DINO, bilinear elsewhere: each as its library has it. Ours keeps freed memory, as in our
trainer; theirs as they come. Needs `requirements-peers.txt`.
"""

import argparse

import kornia.augmentation as K
import torch
from alternating import OURS, alternate, case, write
from lightly.transforms import DINOTransform, SimCLRTransform
from photographs import photographs
from torchvision.transforms import v2
from torchvision.transforms.functional import to_pil_image

from hf_ssl import DinoImageProcessor, SimCLRImageProcessor
from hf_ssl.data import collate_samples, decode_image
from hf_ssl.training.memory import freed_memory_kept

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def taps(size: int) -> int:
    """Size of the blur kernel."""
    return max(3, 2 * (size // 10 // 2) + 1)


def of_torchvision(size, scale, jitter, blur, solarize=0.0):
    """One view of one uint8 tensor."""
    return v2.Compose(
        [
            v2.RandomResizedCrop(size, scale=scale, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(*jitter)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(taps(size), (0.1, 2.0))], p=blur),
            v2.RandomSolarize(128, p=solarize),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


def of_kornia(size, scale, jitter, blur, solarize=0.0):
    """One view of each image of a float batch."""
    kernel = (taps(size), taps(size))
    return torch.nn.Sequential(
        K.RandomResizedCrop((size, size), scale=scale),
        K.RandomHorizontalFlip(),
        K.ColorJitter(*jitter, p=0.8),
        K.RandomGrayscale(p=0.2),
        K.RandomGaussianBlur(kernel, (0.1, 2.0), p=blur),
        K.RandomSolarize(thresholds=0.0, additions=0.0, p=solarize),
        K.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    )


def simclr(size: int, images: torch.Tensor):
    """Contestants for two views of `size` pixels."""
    processor = SimCLRImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    policy = (size, (0.08, 1.0), (0.8, 0.8, 0.8, 0.2), 0.5)
    return contestants(images, processor, SimCLRTransform(input_size=size), [policy] * 2)


def dino(size: int, images: torch.Tensor):
    """Contestants for two crops of `size` pixels and eight of 96."""
    processor = DinoImageProcessor(local_crops=8)
    jitter, small = (0.4, 0.4, 0.2, 0.1), (96, (0.05, 0.4), (0.4, 0.4, 0.2, 0.1), 0.5)
    large = [(size, (0.4, 1.0), jitter, 1.0), (size, (0.4, 1.0), jitter, 0.1, 0.2)]
    return contestants(images, processor, DINOTransform(n_local_views=8), large + [small] * 8)


def contestants(images, processor, lightly, policies):
    """The same views of `images` by every library; each returns how many images that were."""
    pictures, generator = [to_pil_image(image) for image in images], torch.Generator().manual_seed(0)
    samples = [{"image": decode_image(picture, 3), "index": i} for i, picture in enumerate(pictures)]
    decoded = collate_samples(samples)["image"]
    each, batched = [of_torchvision(*p) for p in policies], [of_kornia(*p) for p in policies]

    def ours():
        processor.views(image=decoded, generator=generator)
        return len(images)

    def by_lightly():
        for views in zip(*[lightly(picture) for picture in pictures], strict=True):
            torch.stack(views)
        return len(images)

    def by_torchvision():
        for view in each:
            torch.stack([view(image) for image in images])
        return len(images)

    @torch.no_grad()
    def by_kornia():
        x = images.float() / 255
        for view in batched:
            view(x)
        return len(images)

    return {OURS: ours, "lightly": by_lightly, "torchvision v2": by_torchvision, "kornia": by_kornia}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cases = [
        ("SimCLR, 32 px", simclr(32, photographs(256, 32))),
        ("SimCLR, 224 px", simclr(224, photographs(64, 256))),
        ("DINO, 2 x 224 + 8 x 96 px", dino(224, photographs(32, 256))),
    ]
    measured = [case(name, alternate(functions, args.rounds, freed_memory_kept)) for name, functions in cases]
    command = f"python benchmarks/views.py --rounds {args.rounds} --threads {args.threads}"
    packages = ["torch", "hf_ssl", "lightly", "torchvision", "kornia", "Pillow"]
    write("views", "Training views", "Images a second, all their views made", command, measured, packages)


if __name__ == "__main__":
    main()
