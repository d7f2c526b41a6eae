"""What is chosen where the user has not said: from the number and size of the images, the device and the time."""

import pytest

from hf_ssl.cli import plan
from hf_ssl.cli.plan import Costs, Situation
from hf_ssl.registry import METHODS, get_method


def situation(images=600, side=130, on_cpu=True, has_upright=True):
    return Situation(images, [(side, side + 50)] * 3, has_upright, on_cpu)


@pytest.mark.parametrize(
    ("images", "side", "on_cpu", "size", "backbone", "batch"),
    [
        (20, 3000, True, 64, None, 8),
        (60, 130, True, 64, None, 16),
        (200, 130, True, 64, None, 32),
        (600, 130, True, 64, None, 32),
        (5_000, 50, True, 48, None, 32),
        (100_000, 400, True, 64, None, 32),
        (10_000_000, 400, True, 64, None, 32),
        (6_400, 32, True, 32, None, 32),
        (70_000, 28, False, 28, "vit-micro", 256),
        (600, 400, False, 224, "vit-tiny", 256),
        (100_000, 400, False, 224, "vit-small", 256),
        (10_000_000, 400, False, 224, "vit-small", 256),
        (100_000, 150, False, 144, "vit-small", 256),
    ],
)
def test_images_and_device_decide(images, side, on_cpu, size, backbone, batch):
    here = situation(images, side, on_cpu)
    recipe = plan.choose_recipe(get_method("simclr"), None, here.has_upright)
    chosen = plan.choose_image_size(here, None, None)
    assert chosen.value == size
    assert plan.choose_backbone(here, recipe, None, size).value == (backbone or recipe.backbone)
    assert plan.choose_batch(here, recipe.training, smallest=2) == batch


@pytest.mark.parametrize("method", METHODS)
def test_the_kind_of_images_decides_on_the_recipe(method):
    recipes = METHODS[method].recipes
    upright = recipes.get("photos", recipes["small"])  # clips and sounds have one kind
    assert plan.choose_recipe(METHODS[method], None, has_upright="photos" in recipes) is upright
    assert plan.choose_recipe(METHODS[method], None, has_upright=False) is recipes["small"]
    assert plan.choose_recipe(METHODS[method], "paper", has_upright=True) is recipes["paper"]
    assert upright.processor.get("rotate_probability", 0) == 0


def test_what_the_user_asks_for_is_not_changed():
    here = situation()
    recipe = plan.choose_recipe(get_method("simclr"), None, True)
    assert plan.choose_image_size(here, 96, base_size=224).value == 96
    assert plan.choose_image_size(here, None, base_size=224).value == 224
    assert plan.choose_backbone(here, recipe, "resnet-18", 64).value == "resnet-18"
    with pytest.raises(ValueError, match="at least 1"):
        plan.choose_image_size(here, 0, None)


@pytest.mark.parametrize(("images", "batch", "steps"), [(6_400, 32, 3200), (600, 32, 3200), (64_000, 32, 32_000)])
def test_a_recipe_takes_as_many_steps_as_it_was_tuned_for(images, batch, steps):
    assert plan.wanted_steps(get_method("simclr").recipes["small"], images, batch) == steps


def test_few_images_are_not_seen_for_ever():
    assert plan.wanted_steps(get_method("simclr").recipes["small"], images=20, batch=8) == 400 * 20 // 8


def test_minutes_become_steps():
    read_once = Costs(step=0.1, read_image=0.01, embedded_image=0.005, probed_image=0.01, keeps_images=True)
    assert read_once.training(steps=100, batch=10, images=50) == pytest.approx(10.5)
    assert read_once.steps_in(10.5, batch=10, images=50) == 100
    assert read_once.steps_in(10, batch=10, images=10**6) == 50
    read_again = Costs(step=0.1, read_image=0.01, embedded_image=0.005, probed_image=0.01, keeps_images=False)
    assert read_again.training(steps=100, batch=10, images=50) == pytest.approx(20)
    assert read_again.steps_in(20, batch=10, images=50) == 100
    assert read_again.steps_in(0.001, batch=10, images=50) == 2
    assert read_again.evaluable_images(600, available=10**6) == 7500
    assert read_again.evaluable_images(600, available=100) == 100
    assert 400 < plan.seconds_for_training(600, evaluated=5000, costs=read_again) < 600 - 100


def test_what_comes_before_the_first_step_counts():
    quick = Costs(step=0.1, read_image=0.0, embedded_image=0.0, probed_image=0.0, keeps_images=False)
    slow = Costs(0.1, 0.0, 0.0, 0.0, False, preparation=20.0)
    assert slow.training(10, 8, 100) == quick.training(10, 8, 100) + 20
    assert plan.seconds_for_training(100, 0, slow) == plan.seconds_for_training(100, 0, quick) - 20
