"""The real client in a process of its own, which can be killed while the Hub keeps it waiting."""

import multiprocessing
import os
import tempfile

from huggingface_hub import constants

from .server import HubServer

# One process imports what takes seconds, and each client is a copy of it; a copy of this one, with threads, hangs.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [__name__, "hf_ssl.hub", "transformers.pipelines", "transformers.models.vit.modeling_vit", "accelerate"]
)


def settings(url: str, cache: str) -> dict:
    """The constants of huggingface_hub for a Hub at `url`, with a cache and tokens of its own."""
    files = {"HF_HUB_CACHE": "hub-cache", "HF_TOKEN_PATH": "no-token", "AGENT_HARNESSES_PATH": "agents.json"}
    return {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,  # it has no way back to plain uploads
        **{name: os.path.join(cache, file) for name, file in files.items()},
    }


def _push(url: str, folder: str, options: dict) -> None:
    from hf_ssl.hub import push_folder

    with tempfile.TemporaryDirectory() as cache:
        for name, value in settings(url, cache).items():
            setattr(constants, name, value)
        push_folder(folder, token="hf_write", **options)


def killed_push(hub: HubServer, folder: str, deadline: float = 60.0, **options) -> bool:
    """`push_folder`, killed as soon as the Hub keeps it waiting; `False` if it ends before."""
    child = _CONTEXT.Process(target=_push, args=(hub.url, str(folder), options))
    child.start()
    while not hub.hung.wait(0.01) and child.is_alive() and deadline > 0:
        deadline -= 0.01
    done = not hub.hung.is_set()
    child.kill()
    child.join()
    hub.release()
    assert not done or child.exitcode == 0, f"The client ended with {child.exitcode}, or not at all."
    return not done
