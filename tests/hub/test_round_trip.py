"""Killed anywhere, a push leaves the old or the new; what it leaves loads in a process that cannot import hf_ssl."""

import copy
import os

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from hf_ssl.hub import push_folder
from hf_ssl.registry import METHODS

from ..clean_process import run_clean
from ..conftest import build_model, build_processor
from ..hub_server.client import killed_push
from .test_publish import commits, equal, write


@pytest.mark.parametrize("old", [False, True], ids=["new", "update"])
def test_killed_after_any_request_it_holds_the_old_or_the_new(hub, tmp_path, old):
    new, branch = write(tmp_path / "new", seed=1, figures=["curve"]), "work" if old else "main"
    if old:
        push_folder(write(tmp_path / "old", figures=["curve", "views"]), "me/one", tag="v1")
    start, left = copy.deepcopy(hub.store), []
    for stage in range(1, 99):
        hub.store = copy.deepcopy(start)
        hub.hang("^", nth=stage, after=True)
        if not killed_push(hub, new, repo_id="me/one", tag="v2", revision=branch):
            break
        repo = hub.store.repos.get(("models", "me/one"))
        if repo is not None:
            history = repo.history(branch if branch in repo.branches else "main")
            assert len(history) in (1 + old, 2 + old)
            left.append("new" if len(history) == 2 + old else "old")
            assert left[-1] == "old" or equal(hub, new, revision=history[0].oid)
            assert repo.tags.get("v2", history[0].oid) == history[0].oid
        push_folder(new, "me/one", tag="v2", revision=branch)
        repo = hub.repo("me/one")
        assert len(repo.history(branch)) == 2 + old and repo.tags["v2"] == repo.branches[branch]
        assert equal(hub, new, revision="v2")
        assert old is not equal(hub, new)  # another branch stays what it was
    assert left == sorted(left, reverse=True) and {"old", "new"} == set(left) and stage > 12


CLEAN_PROCESS = """
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoImageProcessor, AutoModel, AutoModelForImageClassification, pipeline
torch.set_num_threads(1)
*names, picture, output = sys.argv[1:]
image, found = Image.open(picture), {}
for name in names:
    model, info = AutoModel.from_pretrained(name, output_loading_info=True)
    left_over = [name for name in info["unexpected_keys"] if not name.startswith("classifier.")]
    assert not left_over and not info["missing_keys"] and not info["mismatched_keys"], info
    with torch.no_grad():
        inputs = AutoImageProcessor.from_pretrained(name)(image, return_tensors="pt")
        found[name] = model(**inputs).pooler_output.flatten()
name = names[0]
classifier = AutoModelForImageClassification.from_pretrained(name, num_labels=3)
assert len(pipeline("image-classification", model=classifier, image_processor=name)(picture)) == 3
pooled = pipeline("image-feature-extraction", model=name, pool=True)(picture)
assert torch.allclose(torch.tensor(pooled).flatten(), found[name], atol=1e-6)
save_file(found, output)
"""


def test_every_method_of_images_loads_in_a_clean_process(hub, tmp_path):
    models = {}
    for method in [name for name in METHODS if METHODS[name].processor_class.sample_keys == ("image",)]:
        model, processor = build_model(method).eval(), build_processor(method)
        commit = model.push_to_hub(f"me/{method}", processor=processor)
        assert commits(hub, f"me/{method}") == 1 and commit.oid == hub.repo(f"me/{method}").branches["main"]
        models[f"me/{method}"] = model, processor
    pixels = np.random.default_rng(0).integers(0, 256, (50, 41, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    env = {"PATH": os.environ["PATH"], "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    run_clean(CLEAN_PROCESS, *models, tmp_path / "image.png", tmp_path / "found.safetensors", env=env)
    found = load_file(tmp_path / "found.safetensors")
    for name, (model, processor) in models.items():
        with torch.no_grad():
            ours = model.encoder()(**processor(Image.fromarray(pixels), return_tensors="pt")).pooler_output
        torch.testing.assert_close(found[name], ours[0], atol=1e-6, rtol=1e-6)
