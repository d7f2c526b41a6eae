"""The folder of a run: what was asked for is in `run.json`, and here are the rules for going on in it."""

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers.trainer_utils import get_last_checkpoint

from ..files import write_json
from ..redaction import redacted

VERSION = 1
RECORD, RESULTS, CHECKPOINTS = "run.json", "results.json", "checkpoints"
# What a run writes into its folder, and what systems leave in any.
_OWN = {
    *(RECORD, RESULTS, CHECKPOINTS, "plan.json", "README.md", "figures", "pretraining"),
    *("config.json", "model.safetensors", "model.safetensors.index.json", "preprocessor_config.json"),
}
_OF_THE_SYSTEM = {".DS_Store", "Thumbs.db", "desktop.ini"}

# What may be another on a restart: it says where things lie, how fast they go, what is shown and kept of them.
_FREE = {
    *("output_dir", "overwrite", "evaluate", "max_unreadable"),
    *("report_to", "run_name", "project", "disable_tqdm", "doctor", "debug", "skip_memory_metrics"),
    *("online_knn", "online_knn_images", "per_device_eval_batch_size", "bf16_full_eval", "fp16_full_eval"),
    *("use_cpu", "views_on_device", "channels_last", "cached_chunk_size", "torch_empty_cache_steps"),
    *("dataloader_num_workers", "dataloader_pin_memory", "dataloader_persistent_workers"),
    *("dataloader_prefetch_factor", "dataloader_multiprocessing_context"),
}
_FREE_KINDS = ("hub_", "push_to_hub", "trackio_", "logging_", "log_", "save_", "eval_", "torch_compile", "ddp_")
_FREE_KINDS += ("activation_checkpointing", "gradient_checkpointing")
# More of these is allowed: `begin` compares the steps that follow.
_LENGTH = {"num_train_epochs", "max_steps", "minutes"}
_PATHS = ("data", "backbone")


class RunFolder:
    """
    The output folder of a run. Nothing in it changes before `begin`.

    Args:
        folder (`Path`)
        asked (`dict`): what was asked for, by name; under `config`, `processor` and `training` dicts of the same kind.
        overwrite (`bool`, *optional*, defaults to `False`): start again.

    Raises:
        ValueError: when the folder holds something else, another run, or a finished one, and `overwrite` is not set.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], overwrite: bool = False):
        self.folder, self.overwrite = folder, overwrite
        self.asked = recorded(asked)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"--output-dir {folder} is a file: name a folder.")
        self._before = read_record(folder)
        if self._before is None or not (overwrite or self.last_checkpoint or self._has_results):
            self._refuse_foreign_files()
        elif not overwrite:
            self._refuse_another_run()
            if self._is_finished and not self._length_changed:
                raise ValueError(self._finished())

    @property
    def checkpoints(self) -> Path:
        return self.folder / CHECKPOINTS

    @property
    def last_checkpoint(self) -> Path | None:
        """The one to go on from, if any."""
        if self.overwrite or not self.checkpoints.is_dir():
            return None
        last = get_last_checkpoint(self.checkpoints)
        return Path(last) if last else None

    def begin(self, steps: int | None) -> str | None:
        """
        Take the folder: call it when nothing but the training is left to do.

        Args:
            steps (`int`, *optional*): optimizer steps of the whole run, where they are known.

        Returns:
            `str`, *optional*: a sentence for the user, where an earlier run goes on to another end.

        Raises:
            ValueError: when the run would be shorter than the one in the folder.
        """
        done, planned = self._steps()
        if planned is not None and steps is not None and steps < planned:
            raise ValueError(
                f"{self.folder} holds a run of {planned} steps, of which {done} are done, and now there would be "
                f"{steps}: ask for as many or more, choose another --output-dir, or start again with --overwrite."
            )
        if self._is_finished and steps == planned:
            raise ValueError(self._finished())
        if self.overwrite:
            self._empty()
        self.folder.mkdir(parents=True, exist_ok=True)
        continued = {"continued_from": done} if self._is_finished else {}
        write_json(self.folder / RECORD, {"version": VERSION, **continued, **self.asked})
        if planned is None or steps is None or steps == planned:
            return None
        return (
            f"The run in {self.folder} goes on from step {done} to step {steps} in place of {planned}; what follows a "
            "schedule, such as the learning rate, is stretched to the new length."
        )

    @property
    def _has_results(self) -> bool:
        return not self.overwrite and (self.folder / RESULTS).is_file()

    @property
    def _is_finished(self) -> bool:
        if not self._has_results or self._before is None:
            return False
        return self._before.get("continued_from") != _steps_of_results(self.folder / RESULTS)

    @property
    def _length_changed(self) -> bool:
        """Whether another length is asked for, which a checkpoint is needed for."""
        if self.last_checkpoint is None:
            return False
        before, now = flat(self._before), flat(self.asked)
        return any(before.get(name) != now.get(name) for name in _LENGTH)

    def _steps(self) -> tuple[int | None, int | None]:
        """Optimizer steps done and planned of the run in the folder."""
        last = self.last_checkpoint
        if last is None:
            return None, None
        damaged = "is damaged: remove it, and the run goes on from the one before, or else starts again."
        try:
            state = json.loads((last / "trainer_state.json").read_text(encoding="utf-8"))
            steps = state["global_step"], state["max_steps"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError(f"{last} {damaged}") from None
        if not any(last.glob("*.safetensors")) or not ({*last.glob("optimizer*")} | {*last.glob("global_step*")}):
            raise ValueError(f"{last} lacks the weights or the state of the optimizer, so it {damaged}")
        for path in (path for path in last.iterdir() if not _is_whole(path)):
            raise ValueError(f"{last}, with its {path.name}, {damaged}")
        return steps

    def _empty(self) -> None:
        """Remove what a run wrote, and nothing else."""
        for path in (self.folder / name for name in _OWN):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _refuse_foreign_files(self) -> None:
        entries = self.folder.iterdir() if self.folder.exists() else ()
        foreign = sorted(path.name for path in entries if path.name not in _OF_THE_SYSTEM and not self._is_ours(path))
        if foreign:
            more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            raise ValueError(
                f"--output-dir {self.folder} holds something else, {foreign[0]}{more}: choose an empty or new folder."
            )

    def _is_ours(self, path: Path) -> bool:
        """In a folder without a record, only empty folders."""
        return path.name in _OWN if self._before is not None else path.is_dir() and not any_file(path)

    def _refuse_another_run(self) -> None:
        before, now = flat(self._before), flat(self.asked)
        remedy = "choose another --output-dir, or start again with --overwrite."
        if before.get("method") != now.get("method"):
            raise ValueError(f"{self.folder} holds a run of {before.get('method')}, not of {now['method']}: {remedy}")
        names = sorted(name for name in before.keys() | now.keys() if not is_free(name))
        changed = [name for name in names if (before.get(name) or None) != (now.get(name) or None)]
        if "version" not in self._before and self.last_checkpoint:
            raise ValueError(f"{self.folder} holds a run that an older hf_ssl began, with other defaults: {remedy}")
        if changed:
            said = "; ".join(f"{name} was {_said(before.get(name))}, now {_said(now.get(name))}" for name in changed)
            raise ValueError(f"{self.folder} holds another run: {said}. Ask for the same, {remedy}")

    def _finished(self) -> str:
        more = "ask for more with --num_train_epochs or --max_steps, " if self.last_checkpoint else ""
        return (
            f"{self.folder} holds this run, finished: {more}choose another --output-dir, or start again with "
            "--overwrite."
        )


def is_free(name: str) -> bool:
    """Whether what is asked for under this name may differ when a run goes on."""
    return name in _FREE | _LENGTH or name.startswith(_FREE_KINDS)


def recorded(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What `run.json` keeps of it: JSON, paths in one spelling, and no tokens."""
    kept = json.loads(redacted(json.dumps(dict(asked), default=str)))
    for name in _PATHS:
        if kept.get(name) is not None and Path(kept[name]).expanduser().exists():
            kept[name] = str(Path(kept[name]).expanduser().resolve())
    kept["training"] = {name: value for name, value in kept.get("training", {}).items() if not name.endswith("token")}
    return {name: value for name, value in kept.items() if name not in ("output_dir", "overwrite")}


def read_record(folder: Path) -> dict[str, Any] | None:
    """
    Raises:
        ValueError: when there is a record that cannot be read.
    """
    record = folder / RECORD
    if not record.is_file():
        return None
    remedy = "choose another --output-dir, or remove the folder."
    try:
        before = json.loads(record.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{record} is no JSON ({error}): {remedy}") from None
    parts = [before.get(name, {}) for name in ("training", "config", "processor")] if isinstance(before, dict) else []
    if not parts or not all(isinstance(part, dict) for part in parts) or not {"method", "training"} <= before.keys():
        raise ValueError(f"{record} is not what a run writes: {remedy}")
    if before.get("version", 0) > VERSION:
        raise ValueError(f"{record} was written by a newer hf_ssl: update it, or {remedy}")
    return recorded(before)  # an old one may have another spelling of a path


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Training arguments by their names, fields of the configuration and the processor as `config NAME`."""
    parts = ("version", "continued_from", "config", "processor", "training")
    values = {name: value for name, value in record.items() if name not in parts}
    for part in ("config", "processor"):
        values |= {f"{part} {name}": value for name, value in (record.get(part) or {}).items()}
    return values | record.get("training", {})


def _is_whole(path: Path) -> bool:
    """Whether a file of a checkpoint has its beginning and its end."""
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, "pt"):
                return True
        except (OSError, SafetensorError):
            return False
    return path.suffix not in (".pt", ".pth") or zipfile.is_zipfile(path)


def any_file(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_file() for path in folder.rglob("*"))


def _steps_of_results(path: Path) -> int | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["run"]["steps"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is not what a run writes: mend or remove it.") from None


def _said(value: Any) -> str:
    return "not set" if value in (None, [], {}) else json.dumps(value, ensure_ascii=False)
