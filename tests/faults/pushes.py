"""
Pushes to a Hub that fails, from folders that are not what the run made:
`python -m tests.faults.pushes --count 500 --seed 0`.

Every case pushes twice. The first time one request meets a fault, or the pusher is killed at it, or the folder is not
sound; the second time all is well. Right is: after the first push the repository is as it was before, or as it should
be afterwards, never half; an error is one sentence with the command to go on; the second push is right, in one commit
at most.
"""

import argparse
import json
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "0", "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

import torch
import tqdm
from huggingface_hub import constants
from huggingface_hub.utils import _http
from safetensors.torch import load_file, save_file
from transformers.utils import logging

from hf_ssl.utils import network

from ..hub_server import HubServer
from ..hub_server.client import settings
from ..hub_server.messages import Request
from . import doors
from .broken_answers import BROKEN
from .children import begin, leave, run_children
from .families.written import make_run
from .material import make_photos, make_repository, read_json
from .outcome import finish, partial

DEADLINE = 60.0  # seconds for both pushes
SENTENCE_AFTER = 30.0  # seconds, with the limits below: one second for an answer, waits between tries cut short
REQUESTS = {
    "whoami": "GET /api/whoami-v2",
    "look": "GET /api/models/me/one$",
    "create": "POST /api/repos/create",
    "right": "GET .*/auth-check",
    "references": "GET .*/refs",
    "files": "GET .*/tree/",
    "read": "(GET|HEAD) .*/resolve/",
    "validate": "POST /api/validate-yaml",
    "preupload": "POST .*/preupload/",
    "batch": "POST .*/lfs/objects/batch",
    "upload": "PUT /objects/",
    "upload in parts": "PUT /parts/",
    "complete": "POST /api/complete_multipart/",
    "verify": "POST .*/lfs/verify",
    "commit": "POST .*/commit/",
    "tag": "POST .*/tag/",
    "branch": "POST .*/branch/",
}


# Material


def make_all(home: Path) -> None:
    """Two runs of one network: `old` is on the Hub already, `run` is to be pushed."""
    logging.disable_progress_bar()
    make_photos(home / "photos")
    make_repository("simclr", home / "repositories" / "simclr")
    make_run(home)
    (home / "run").rename(home / "old")
    make_run(home, "--seed", "7")


def pusher(folder: str, url: str, cache: str, options: list[str]) -> tuple[int, int]:
    """A process that pushes when a byte is written for it: its id, and where to write."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(read)
        return pid, write
    os.close(write)
    code = 70
    try:
        os.read(read, 1)
        for name, value in settings(url, cache).items():
            setattr(constants, name, value)
        network._COMMIT = 2  # seconds
        constants.HF_HUB_DOWNLOAD_TIMEOUT = constants.HF_HUB_ETAG_TIMEOUT = constants.DEFAULT_REQUEST_TIMEOUT = 1
        sleep = time.sleep
        _http.time = type("Time", (), {**vars(time), "sleep": staticmethod(lambda seconds: sleep(seconds / 100))})
        for fd, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{cache}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), fd)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
        sys.argv = ["hf-ssl", "push", folder, *options]
        try:
            doors.main()
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else 0 if exit.code is None else 1
    finally:
        leave(code)


# What is at the Hub


def state_of(hub: HubServer) -> dict[str, Any] | None:
    """What a reader sees: the content of main, and what the tags are at."""
    repo = hub.store.repos.get(("models", "me/one"))
    if repo is None:
        return None
    files = {path: file.oid for path, file in repo.find("main").files.items() if path != ".gitattributes"}
    tags = {
        name: sorted(f.oid for p, f in repo.find(name).files.items() if p != ".gitattributes") for name in repo.tags
    }
    branches = {
        b: sorted(f.oid for p, f in repo.find(b).files.items() if p != ".gitattributes") for b in repo.branches
    }
    return {"files": files, "tags": tags, "branches": branches}


def commits(hub: HubServer) -> int:
    repo = hub.store.repos.get(("models", "me/one"))
    return 0 if repo is None else len(repo.history("main"))


# One case


def push_case(seed: int, number: int, home: Path, known: dict) -> dict[str, Any]:
    rng = random.Random(f"pushes {seed} {number}")
    before = rng.choice(["nothing", "old", "old", "same"])
    options = ["me/one", "--token", "hf_write"]
    if rng.random() < 0.4:
        options += ["--tag", "v1"]
    if rng.random() < 0.1:
        options[0] = "one"
    disk = rng.random() < 0.2
    shutil.copytree(home / "run", "good")
    if disk:
        shutil.copytree(home / "run", "run")
        kind = rng.choice(sorted(DISK))
        DISK[kind](Path("run"), home)
        request, fault, always = "folder", kind, False
    else:
        reachable = known["requests"][
            before + (" tag" if "--tag" in options else "") + (" name" if options[0] == "one" else "")
        ]
        request = rng.choice([r for r in sorted(REQUESTS) if r in reachable])
        fault = rng.choices([*sorted(BROKEN), *SPECIAL], [*[1] * len(BROKEN), *[4] * len(SPECIAL)])[0]
        always = rng.random() < 0.4
        Path("run").symlink_to("good", target_is_directory=True)
    facts = {"number": number, "request": request, "fault": fault, "always": always, "before": before}
    facts["options"] = " ".join(o for o in options if not o.startswith("hf_") and o != "--token")
    print(json.dumps(facts), flush=True)
    hub = HubServer()
    if "parts" in request or request == "complete":
        hub.part_size = 50_000
    if before != "nothing":
        hub.store = pickle.loads((home / f"{before}.store").read_bytes())
    if not disk:
        Path("run").unlink()
        Path("good").rename("run")
    pids = []
    for name in ("first", "second"):
        Path(name).mkdir()
        folder = "good" if disk and name == "second" else "run"
        pids.append(pusher(folder, hub.url, str(Path(name).absolute()), options))
    old, new = known["states"][before], known["states"]["new tag" if "--tag" in options else "new"]
    if before != "nothing" and "--tag" not in options and known["states"][before]["tags"]:
        raise AssertionError("material with tags")
    made = commits(hub)
    with hub:
        begin()
        started = time.time()
        if not disk:
            plan(hub, fault, request, always, pids[0][0], rng)
        first, said = finished(*pids[0], "first")
        seconds = time.time() - started
        middle = state_of(hub)
        problems = about_first(first, said, middle, old, new, fault, disk, seconds, hub)
        hub.release()
        second, said_then = finished(*pids[1], "second")
        if fault == "another push" and before == "nothing":  # then it is theirs, and stays so
            if second != 2 or "--overwrite" not in said_then:
                problems.append(f"second push: {second} {said_then[-300:]}")
        elif second != 0:
            problems.append(f"second push: {second} {said_then[-300:]}")
        elif not same_state(without_theirs(state_of(hub)), new):
            problems.append("after the second push: another state than is right")
        allowed = made + (before != "same") + (before == "nothing") + (fault == "another push")
        if second == 0 and commits(hub) > allowed:
            problems.append(f"{commits(hub)} commits where {allowed} are enough")
    verdict = "right" if not problems else "wrong"
    return facts | {
        "verdict": verdict,
        "said": "; ".join(problems)[:800] or said[-300:],
        "first": first,
        "waited": round(seconds, 1),
    }


def finished(pid: int, pipe: int, folder: str) -> tuple[int, str]:
    """Let a pusher go: its exit code (negative for a signal), and what it said on its error output."""
    os.write(pipe, b"x")
    _, status = os.waitpid(pid, 0)
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    said = Path(folder, "err")
    return code, said.read_bytes().decode(errors="replace").strip() if said.exists() else ""


def same_state(found: dict | None, wanted: dict | None) -> bool:
    """Where there was nothing, an empty repository is nothing, too."""
    empty = {"files": {}, "tags": {}, "branches": {"main": []}}
    return (found or empty) == (wanted or empty)


def without_theirs(state: dict | None) -> dict | None:
    """Without the file that somebody else pushed meanwhile."""
    if state is None:
        return None
    theirs = state["files"].pop("somebody.txt", None)
    for refs in (state["tags"], state["branches"]):
        for oids in refs.values():
            if theirs in oids:
                oids.remove(theirs)
    return state


def about_first(
    code: int, said: str, middle: dict | None, old: dict | None, new: dict, fault: str, disk: bool, seconds: float, hub
) -> list[str]:
    problems = []
    without_tag = new | {"tags": {}}
    if fault == "another push":  # what somebody else adds stays, before and after
        middle = without_theirs(middle)
    if not any(same_state(middle, state) for state in (old, new, without_tag)):
        problems.append(f"half: {sorted(middle['files'])[:4] if middle else None}, tags {middle and middle['tags']}")
    if code == 0 and not same_state(middle, new) and fault not in KILLS:
        problems.append("exit code 0, but not all is there")
    if disk and code == 0:
        problems.append("accepted")
    if "Traceback" in said or code == 1 or "This is a bug" in said:
        problems.append(f"traceback, exit code {code}: {said[-400:]}")
    elif code == 2:
        last = said.splitlines()[-1] if said else ""
        try:
            doors.require_sentence(last)
        except doors.Fault as problem:
            problems.append(str(problem))
        if not last.startswith("hf-ssl: "):
            problems.append(f"no sentence: {last[:200]}")
        if not disk and "hf-ssl push" not in last and "hf auth login" not in last:
            problems.append(f"without the command to go on: {last[:400]}")
        if "hf_write" in said:
            problems.append("the token is printed")
    elif code not in (0, 130, 143, -signal.SIGKILL, -signal.SIGTERM):
        problems.append(f"exit code {code}: {said[-300:]}")
    if seconds > SENTENCE_AFTER:
        problems.append(f"took {seconds:.0f} s")
    return problems


# Faults of the server and of the process

KILLS = ("SIGKILL before", "SIGKILL after", "SIGTERM before", "SIGTERM after")
SPECIAL = (*KILLS, "done, but no answer", "wrong content kept", "says that all is there", "another push")


def plan(hub: HubServer, fault: str, request: str, always: bool, pid: int, rng: random.Random) -> None:
    pattern, times = REQUESTS[request], 1000 if always else 1
    if fault in KILLS:
        number = signal.SIGKILL if "KILL" in fault else signal.SIGTERM

        def kill(handler) -> None:
            os.kill(pid, number)
            time.sleep(0.2)

        hub.spoil(pattern, kill, after="after" in fault)
    elif fault == "done, but no answer":
        hub.spoil(pattern, BROKEN["reset"], times=times, after=True)
    elif fault == "wrong content kept":
        route = hub._route

        def corrupt(asked: Request, routes: dict):
            answer = route(asked, routes)
            if asked.method == "PUT" and asked.path.startswith("/objects/") and hub.faults:
                oid = asked.path.rpartition("/")[2]
                hub.store.objects[oid] = asked.body[:-1]  # found out when it is verified
            return answer

        hub._route = corrupt
        hub.meanwhile("never", lambda: None)
    elif fault == "says that all is there":
        route = hub._route

        def lie(asked: Request, routes: dict):
            answer = route(asked, routes)
            if hub.faults and asked.path.endswith("/objects/batch"):
                for wanted in answer.body["objects"]:
                    wanted.pop("actions", None)
            return answer

        hub._route = lie
        hub.meanwhile("never", lambda: None)
    elif fault == "another push":

        def push() -> None:
            repo = hub.store.repos.get(("models", "me/one"))
            if repo is not None:
                lines = [{"key": "header", "value": {"summary": "mine"}}]
                lines.append({"key": "file", "value": {"path": "somebody.txt", "content": "eA=="}})
                repo.commit("main", lines, hub.store.objects, "me", False)

        hub.meanwhile(pattern, push)
    else:
        hub.spoil(pattern, BROKEN[fault], times=times)


# Faults of the folder


def _edit(name: str, **fields: Any) -> Callable[[Path, Path], None]:
    def change(folder: Path, home: Path) -> None:
        file = folder / name
        file.write_text(json.dumps(read_json(file) | fields))

    return change


def _weights(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path, Path], None]:
    def damage(folder: Path, home: Path) -> None:
        tensors = load_file(folder / name)
        key = max(tensors, key=lambda k: tensors[k].numel())
        tensors[key] = change(tensors[key])
        save_file(tensors, folder / name, metadata={"format": "pt"})

    return damage


def _swapped(*names: str) -> Callable[[Path, Path], None]:
    def swap(folder: Path, home: Path) -> None:
        for name in names:
            shutil.copy(home / "old" / name, folder / name)

    return swap


def _text(name: str, text: str) -> Callable[[Path, Path], None]:
    def append(folder: Path, home: Path) -> None:
        file = folder / name
        old = file.read_text() if file.exists() else ""
        file.write_text(old + text)

    return append


def _card(text: str) -> Callable[[Path, Path], None]:
    def note(folder: Path, home: Path) -> None:
        file = folder / "README.md"
        file.write_text(file.read_text().replace("<!-- /notes -->", f"{text}\n<!-- /notes -->"))

    return note


def _link(name: str) -> Callable[[Path, Path], None]:
    def link(folder: Path, home: Path) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to((folder.parent / "elsewhere").absolute())

    return link


def _nan(tensor: torch.Tensor) -> torch.Tensor:
    return torch.full_like(tensor, float("nan"))


def _one_bit(folder: Path, home: Path) -> None:
    file = folder / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-9] ^= 1
    file.write_bytes(data)


def _results(change: Callable[[dict], Any]) -> Callable[[Path, Path], None]:
    def edit(folder: Path, home: Path) -> None:
        found = read_json(folder / "results.json")
        change(found)
        (folder / "results.json").write_text(json.dumps(found))

    return edit


def _better(found: dict) -> None:
    for row in found["evaluation"]["rows"]:
        row["knn"] = 99.9


TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz" + "12345678"
DISK: dict[str, Callable[[Path, Path], None]] = {
    "NaN in the encoder": _weights("model.safetensors", _nan),
    "NaN in the method": _weights("pretraining/model.safetensors", _nan),
    "infinite in the encoder": _weights("model.safetensors", lambda t: t / 0.0),
    "half precision": _weights("model.safetensors", torch.Tensor.half),
    "another shape": _weights("model.safetensors", lambda t: t[:-1].contiguous()),
    "weights of another run": _swapped("model.safetensors"),
    "method of another run": _swapped("pretraining/model.safetensors"),
    "both of another run": _swapped("model.safetensors", "pretraining/model.safetensors"),
    "results of another run": _swapped("results.json"),
    "one bit": _one_bit,
    "better results": _results(_better),
    "results without evaluation rows": _results(lambda found: found["evaluation"].update(rows=5)),
    "auto_map": _edit("config.json", auto_map={"AutoModel": "evil.Evil"}),
    "auto_map of the method": _edit("pretraining/config.json", auto_map={"AutoModel": "evil.Evil"}),
    "auto_map of the processor": _edit("preprocessor_config.json", auto_map={"AutoImageProcessor": "evil.Evil"}),
    "token in a config": _edit("config.json", _name_or_path=TOKEN),
    "token in the processor": _edit("preprocessor_config.json", note=TOKEN),
    "token in the card": _card(f"my token is {TOKEN}"),
    "token in the results": _results(lambda found: found.update(note=TOKEN)),
    "control characters in the card": _card("x\x1b]0;title\x07y"),
    "bidirectional card": _card("safe\u202egnp.exe"),
    "zero byte in the card": _card("x\0y"),
    "script in the card": _card("<script>alert(1)</script>"),
    "picture from elsewhere": _card("![x](http://127.0.0.1/x.png)"),
    "link to elsewhere": _card("[x](http://elsewhere.example/x)"),
    "javascript": _card("[x](javascript:alert(1))"),
    "link: weights": _link("model.safetensors"),
    "link: card": _link("README.md"),
    "link: pretraining": _link("pretraining"),
    "link: results": _link("results.json"),
    "pipe": lambda folder, home: ((folder / "results.json").unlink(), os.mkfifo(folder / "results.json")),
    "folder for a file": lambda folder, home: ((folder / "config.json").unlink(), (folder / "config.json").mkdir()),
    "card missing": lambda folder, home: (folder / "README.md").unlink(),
    "weights missing": lambda folder, home: (folder / "model.safetensors").unlink(),
    "weights cut": lambda folder, home: os.truncate(folder / "model.safetensors", 1000),
    "pickle beside": _text("pytorch_model.bin", "x"),
    "code beside": _text("pretraining/model.pt", "x"),
    "config no JSON": _text("config.json", "}"),
    "other model": _edit("config.json", model_type="bert"),
    "other method": _edit("pretraining/config.json", model_type="ssl_dino"),
    "views": _edit("pretraining/preprocessor_config.json", views_per_image=-1),
    "mean": _edit("preprocessor_config.json", image_mean=[1, 2]),
}


# All of them


def known_states(home: Path) -> dict[str, Any]:
    """What a push without a fault leaves, and which requests it makes, from nothing, an old run, and the same."""

    def one(before: str, folder: Path, keep: str, *options: str) -> Callable[[], dict]:
        def run() -> dict:
            hub = HubServer()
            if before != "nothing":
                hub.store = pickle.loads((home / f"{before}.store").read_bytes())
            Path("first").mkdir()
            name = "one" if "--name" in options else "me/one"
            given = [o for o in options if o != "--name"]
            asked = pusher(str(folder), hub.url, str(Path("first").absolute()), [name, "--token", "hf_write", *given])
            with hub:
                code, said = finished(*asked, "first")
            if code:
                raise RuntimeError(f"A sound push ends with {code}: {said}")
            if keep:
                (home / f"{keep}.store").write_bytes(pickle.dumps(hub.store))
            met = [name for name, pattern in REQUESTS.items() if hub.requested(pattern)]
            return {"state": state_of(hub), "requests": met}

        return run

    def look(tasks: dict) -> dict:
        found = {}
        for name, ended in run_children(tasks.items(), 2, 120.0, str(home / "cases")):
            if ended.problem:
                raise RuntimeError(ended.output)
            found[name] = ended.value
        return found

    found = look({"old": one("nothing", home / "old", "old"), "new": one("nothing", home / "run", "same")})
    tasks = {}
    for before in ("nothing", "old", "same"):
        for tag in ("", " tag"):
            for name in ("", " name"):
                given = [*(["--tag", "v1"] if tag else []), *(["--name"] if name else [])]
                tasks[f"{before}{tag}{name}"] = one(before, home / "run", "", *given)
    asked = look(tasks)
    states = {
        "nothing": None,
        "old": found["old"]["state"],
        "same": found["new"]["state"],
        "new": found["new"]["state"],
    }
    states["new tag"] = asked["nothing tag"]["state"]
    requests = {
        name: value["requests"] + (["upload in parts", "complete"] if "upload" in value["requests"] else [])
        for name, value in asked.items()
    }
    return {"states": states, "requests": requests}


def run(
    count: int,
    seed: int,
    jobs: int,
    home: Path,
    only: list[int] | None = None,
    done: Callable | None = None,
    skip: set[int] = frozenset(),
) -> list[dict]:
    (home / "cases").mkdir()
    os.environ["FAULTS_HOME"] = str(home)
    tqdm.tqdm.monitor_interval = 0
    torch.set_num_threads(1)
    make = [("make", lambda: make_all(home))]
    for _, ended in run_children(make, 1, 300.0, str(home / "cases")):
        if ended.problem:
            raise RuntimeError(ended.output)
    doors.encoder(str(home / "run"))  # so that no pusher imports it
    doors.method(str(home / "run"))
    known = known_states(home)
    numbers = [n for n in (range(count) if only is None else only) if n not in skip]
    results = []
    tasks = ((n, lambda n=n: push_case(seed, n, home, known)) for n in numbers)
    for number, ended in run_children(tasks, jobs, DEADLINE, str(home / "cases")):
        result = ended.value
        if ended.problem:
            lines = [line for line in ended.output.splitlines() if line.startswith('{"number"')]
            facts = json.loads(lines[-1]) if lines else {"number": number, "request": "?", "fault": "?"}
            kind = ended.problem.split(":")[0]
            result = facts | {
                "verdict": kind if kind == "harness" else "wrong",
                "said": f"{ended.problem} {ended.output[-800:]}",
            }
        results.append(result)
        if done is not None:
            done(result)
    return sorted(results, key=lambda result: result["number"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--only", type=int, nargs="*")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="tried-"))
    with partial(args.out, args.seed) as (earlier, keep):
        try:
            results = run(args.count, args.seed, args.jobs, home, args.only, keep, {r["number"] for r in earlier})
        finally:
            shutil.rmtree(home, ignore_errors=True)
    sys.exit(finish([*earlier, *results], args, "request", ("right",), TITLE, WHAT))


TITLE = "Faulty pushes"
WHAT = (
    "Every request of `hf-ssl push` met a status, a broken answer, silence or a kill, and folders were pushed that a "
    "run did not make. Right: the repository is in its old or its new state, the error is one sentence with the "
    "command to go on, and a second push is right."
)

if __name__ == "__main__":
    main()
