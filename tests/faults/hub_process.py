"""The Hub on loopback in a process of its own, and what a repository on it holds."""

import contextlib
import hashlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.hub_server.store import git_hash

TOKEN = "hf_write"


@contextlib.contextmanager
def hub_process() -> Iterator[str]:
    """Its address. It ends with the `with` statement, or with this process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.hub_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def environment(url: str, home: Path) -> dict[str, str]:
    """For the client: this Hub, a token that may write, and a cache of its own."""
    return {
        **{"HF_ENDPOINT": url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN},
        **{"HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"},
    }


def difference(url: str, repository: str, folder: Path, expected: set[str]) -> str | None:
    """A sentence, unless the repository holds these files, and no file that is another than in the folder."""
    request = urllib.request.Request(
        f"{url}/api/models/{repository}/tree/main?recursive=true", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            entries = json.load(answer)
    except OSError as error:
        return f"{repository} cannot be read: {error}."
    files = {entry["path"]: entry for entry in entries if entry["type"] == "file"}
    if lacking := expected - files.keys():
        return f"{repository} lacks {', '.join(sorted(lacking))}."
    for path, entry in files.items():
        content = (folder / path).read_bytes() if (folder / path).is_file() else b""
        here = hashlib.sha256(content).hexdigest() if "lfs" in entry else git_hash(content)
        if path != ".gitattributes" and here != (entry["lfs"] if "lfs" in entry else entry)["oid"]:
            return f"{path} in {repository} is not that of the folder."
    return None


if __name__ == "__main__":
    from tests.hub_server import HubServer

    with HubServer() as server:
        print(server.url, flush=True)
        sys.stdin.read()
