"""What a run writes beside the weights: `results.json`, and the card."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from .. import doors
from ..cases import Case, equal_to
from ..damage import BYTES, broken_text, same, wrong_value
from ..material import read_json

RESULTS, CARD = "results.json", "README.md"


def make_run(home: Path, *options: str) -> None:
    """A run of two steps, evaluated: `run`."""
    fixed = ["--max_steps", "2", "--per_device_train_batch_size", "4", "--image-size", "32", "--use_cpu"]
    fixed += ["--backbone", str(home / "repositories" / "simclr"), "--output-dir", str(home / "run")]
    doors.command("pretrain", "simclr", "--data", home / "photos", *fixed, *options)


def controls(home: Path) -> dict[str, Callable[[], dict]]:
    def opened(door: str) -> Callable[[], dict]:
        def run() -> dict:
            shutil.copytree(home / "run", "run")
            return _doors("run", home)[door]()

        return run

    return {f"written {door}": opened(door) for door in _doors("", home)}


def _doors(folder: str, home: Path) -> dict[str, Callable[[], dict]]:
    return {
        "card": lambda: doors.carded(folder),
        "push": lambda: doors.pushed(folder),
        "evaluate": lambda: doors.evaluated(folder, str(home / "photos")),
    }


def _lists_of_lists(depth: int = 12) -> str:
    """YAML whose every list holds the one before it eight times: 8 to the power of `depth` items."""
    lines = ["l0: &l0 [x]"] + [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 8)}]" for i in range(1, depth)]
    return "\n".join(lines) + "\n"


def case(rng: random.Random, home: Path, known: dict) -> Case:
    shutil.copytree(home / "run", "run")
    name = rng.choice([RESULTS, RESULTS, CARD])
    file = Path("run", name)
    door = rng.choice(["card", "card", "push", "evaluate"]) if name == RESULTS else rng.choice(["card", "push"])
    detail = ""
    text = file.read_text()
    way = (
        rng.choice(["value"] * 6 + ["text", "bytes", "no file"])
        if name == RESULTS
        else rng.choice(["bytes", "no file", "front"])
    )
    if way == "value":
        found = read_json(file)
        inner, path = found, []
        while True:
            key = rng.choice(sorted(inner))
            path.append(key)
            if isinstance(inner[key], dict) and inner[key] and rng.random() < 0.8:
                inner = inner[key]
            else:
                break
        old = inner[key]
        for _ in range(20):
            new = wrong_value(old, rng)
            if not same(new, old) and new != {}:  # no evaluation at all can be meant
                break
        inner[key] = new
        detail = f"{'.'.join(path)}: {repr(old)[:60]} -> {repr(new)[:80]}"
        file.write_text(json.dumps(found))
        way = f"value of {path[0]}"
    elif way == "text":
        way, data = broken_text(text, rng)
        way = f"text: {way}"
        file.write_bytes(data)
    elif way == "bytes":
        kind = rng.choice(["cut", "bits flipped", "zeroed"] if name == CARD else ["cut"])
        head = text.index("\n---", 4) if name == CARD else len(text)
        data = text.encode()
        file.write_bytes(BYTES[kind](data[:head], rng) + (b"" if kind == "cut" else data[head:]))
        way = f"bytes: {kind}"
    elif way == "front":
        forms = {
            "no mapping": "---\n- a\n---\n",
            "code": "---\nlicense: !!python/object/apply:os.system ['touch x']\n---\n",
            "anchors": "---\n" + _lists_of_lists() + "---\n",
            "deep": "---\na: " + "[" * 20_000 + "\n---\n",
            "no end": "---\nlicense: mit\n",
            "none": "",
            "licence": "---\nlicense: 5\n---\n",
            "zero": "---\nlicense: m\0it\n---\n",
        }
        detail = rng.choice(sorted(forms))
        file.write_text(forms[detail] + text[text.index("\n---", 4) + 5 :])
    else:
        ways: dict[str, Callable] = {
            "pipe": os.mkfifo,
            "folder": lambda f: f.mkdir(),
            "link to zeros": lambda f: f.symlink_to("/dev/zero"),
            "no UTF-8": lambda f: f.write_bytes(b"\xff\xfe" + text.encode()),
        }
        detail = rng.choice(sorted(ways))
        file.unlink()
        ways[detail](file)
    judge = equal_to(known[f"written {door}"])
    if door == "card" and name == CARD:
        judge = lambda found: "equal"  # noqa: E731 - it is written anew, whatever stood there
    if name == RESULTS and door != "card":
        judge = _as_the_card_judges(known)
    return Case(f"{name}: {way}", door, _doors("run", home)[door], judge, detail=detail)


def _as_the_card_judges(known: dict) -> Callable[[dict], str]:
    """`results.json` is published, or says how the images were split: what the card would refuse must not pass."""

    def judge(found: dict) -> str:
        return "equal" if same(found, known["written push"]) or same(found, known["written evaluate"]) else "accepted"

    return judge
