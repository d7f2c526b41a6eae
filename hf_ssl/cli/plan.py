"""What a run does where the user has not said: chosen from the images, the device and the time there is."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..recipe_utils import Recipe
from ..recipes import recipe_of
from ..registry import Method

DEFAULT_MINUTES = 10.0
# The recipes for a few cores were tuned on so many images: fewer images are seen more often, not for fewer steps …
_REFERENCE_IMAGES = 6400
# … but not more often than this: by then an encoder knows them by heart.
_MOST_EPOCHS = 400
# At most these shares of the time go into the final evaluation, into those before it, and into what nobody foresees.
_EVALUATION_SHARE, ONLINE_SHARE, _SPARE_SHARE = 0.25, 0.1, 0.1


@dataclass(frozen=True)
class Situation:
    """
    What is known before anything is chosen.

    Args:
        images (`int`, *optional*): for training; `None` for a stream.
        sizes (`Sequence[tuple[int, int]]`): width and height in pixels of an even sample of them.
        has_upright (`bool`): `False` for textures, tissue, the sky: whatever may be turned.
        on_cpu (`bool`): whether the CPU trains.
    """

    images: int | None
    sizes: Sequence[tuple[int, int]]
    has_upright: bool
    on_cpu: bool

    @property
    def short_side(self) -> int:
        """Median of the shorter sides, in pixels; 224 where samples have none, such as sounds."""
        return int(statistics.median(min(size) for size in self.sizes)) if self.sizes else 224


@dataclass(frozen=True)
class Choice:
    """A value and, in a few words, why."""

    value: Any
    reason: str


def choose_recipe(method: Method, asked: str | None, has_upright: bool) -> Recipe:
    """
    The recipe of that name, or by default the one for the kind of images that the method has.

    Raises:
        ValueError: for an unknown name, with the nearest one.
    """
    return recipe_of(method, asked or ("photos" if has_upright and "photos" in method.recipes else "small"))


def choose_image_size(situation: Situation, asked: int | None, base_size: int | None) -> Choice:
    """
    Side of the images that the encoder gets, in pixels.

    Args:
        asked (`int`, *optional*): by the user.
        base_size (`int`, *optional*): that of the encoder that training starts from.

    Raises:
        ValueError: for a size below 1.
    """
    if asked is not None:
        if asked < 1:
            raise ValueError(f"--image-size must be at least 1, got {asked}.")
        return Choice(asked, "as asked")
    side = situation.short_side
    if base_size is not None:
        return Choice(base_size, "as the encoder that it starts from was made for")
    if side <= 40:
        return Choice(max(side - side % 4, 4), "that of the images")
    if situation.on_cpu:
        return Choice(
            min(side - side % 8, 64), "what a CPU can learn from in minutes" if side > 64 else "that of the images"
        )
    size = min(side - side % 16, 224)
    return Choice(size, "that of the images" if size < 224 else "the usual one")


def choose_backbone(situation: Situation, recipe: Recipe, asked: str | None, image_size: int) -> Choice:
    """Name, folder or id of the encoder: the recipe's own on a CPU and where a paper is followed, larger on a GPU."""
    if asked is not None:
        return Choice(asked, "as asked")
    if situation.on_cpu or not recipe.backbone.endswith("-nano"):
        return Choice(recipe.backbone, "of the recipe")
    if image_size <= 96:
        return Choice("vit-micro", f"for {image_size} pixels on a GPU")
    few = situation.images is not None and situation.images < 20_000
    return Choice("vit-tiny" if few else "vit-small", "for few images on a GPU" if few else "for many images on a GPU")


def choose_batch(situation: Situation, training: Mapping[str, Any], smallest: int) -> int:
    """The recipe's batch, on a GPU at least 256, but of no more than half of the images; not below `smallest`."""
    batch = training["per_device_train_batch_size"]
    if not situation.on_cpu:
        batch = max(batch, 256)
    if situation.images is not None:
        while batch > max(situation.images // 2, smallest):
            batch //= 2
    return max(batch, smallest)


def wanted_steps(recipe: Recipe, images: int, batch: int) -> int:
    """
    Optimizer steps after which a recipe is through: its epochs, over the number of images that it was tuned on where
    there are fewer, and at most `_MOST_EPOCHS` of them.
    """
    planned = recipe.training["num_train_epochs"] * max(images, _REFERENCE_IMAGES)
    per_step = recipe.training["per_device_train_batch_size"]
    return max(1, min(round(planned / per_step), _MOST_EPOCHS * images // batch))


@dataclass(frozen=True)
class Costs:
    """
    Seconds that things take.

    Args:
        step (`float`): an optimizer step, without reading its images.
        read_image (`float`): reading one image.
        embedded_image (`float`): reading one image and encoding it.
        probed_image (`float`): one image in the linear probes of the final evaluation.
        keeps_images (`bool`): whether an image is read only once.
        preparation (`float`): what the method does with the data before the first step, as far as it was timed.
    """

    step: float
    read_image: float
    embedded_image: float
    probed_image: float
    keeps_images: bool
    preparation: float = 0.0

    def training(self, steps: int, batch: int, images: int) -> float:
        """Seconds of so many steps, in each of which a process reads `batch` images, and of what comes before them."""
        read = steps * batch
        return (
            self.preparation + steps * self.step + self.read_image * (min(read, images) if self.keeps_images else read)
        )

    @property
    def evaluated_image(self) -> float:
        """One image in the final evaluation, of two encoders: trained and at random."""
        return 2 * self.embedded_image + self.probed_image

    def online_evaluation(self, bank: int, test: int, batch: int) -> float:
        """Seconds of one evaluation during training: the loss of the test images, and their neighbours in a bank."""
        return (bank + test) * self.embedded_image + test / batch * self.step / 3  # without the backward pass

    def steps_in(self, seconds: float, batch: int, images: int) -> int:
        """Steps that can be made in so many seconds; at least two."""
        steps = seconds / (self.step + batch * self.read_image)
        if self.keeps_images and steps * batch > images:
            steps = (seconds - images * self.read_image) / self.step
        return max(int(steps), 2)

    def evaluable_images(self, seconds: float, available: int) -> int:
        """How many images the final evaluation can look at in its share of all the seconds there are."""
        return min(available, max(int(_EVALUATION_SHARE * seconds / self.evaluated_image), 500))


def seconds_for_training(seconds: float, evaluated: int, costs: Costs) -> float:
    """What is left beside the preparation, the evaluation of so many images, and a spare."""
    return seconds * (1 - _SPARE_SHARE) - evaluated * costs.evaluated_image - costs.preparation
