"""The folder of a run: who may write to it, what is missing in it, and the rules for going on in it."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers.utils import CONFIG_NAME, IMAGE_PROCESSOR_NAME

from ..hub import PRETRAINING
from ..hub.export import folders_in, is_unfinished, sweep_exports
from ..hub.published_files import CARD, exported_hashes
from ..hub.run_results import RESULTS
from ..training.checkpoints import fault, newest_whole, sweep
from ..training.checkpoints import read_state as steps_of
from ..training.run_record import RunRecord
from ..utils.files import LOCK, locked
from ..utils.launchers import process_rank
from .run_state import OLD_PLAN, RECORD, RunState, read_state, recorded
from .same_run import differences, length_differs, read_values, taken_over

CHECKPOINTS = "checkpoints"
# What a run writes into its folder, and what systems leave in any.
_OWN = {
    *(RECORD, RESULTS, CHECKPOINTS, OLD_PLAN, CARD, "figures", PRETRAINING),
    *("config.json", "model.safetensors", "model.safetensors.index.json", "preprocessor_config.json"),
}
_HALF_WRITTEN = {f"{name}.part" for name in _OWN}
_OF_THE_SYSTEM = {".DS_Store", "Thumbs.db", "desktop.ini"}


def is_first_process() -> bool:
    """Of several that train together, the one that writes."""
    return process_rank() == 0


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """
    Have the output folder of a run for this process alone, and let nothing change in one that holds something else.

    Raises:
        ValueError: when another process has it, it holds something else, or safetensors cannot write to such a path.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"--output-dir {folder} is no UTF-8, and safetensors writes to no such path: choose another."
        ) from None
    if not (folder / RECORD).is_file():
        _refuse_foreign_files(folder, is_a_run=False)
    if not is_first_process():
        yield
        return
    with locked(folder):
        yield


class RunFolder:
    """
    The output folder of a run. Nothing in it changes before `begin` or `go_on`.

    Args:
        folder (`Path`)
        asked (`dict`): what was asked for, by name; under `config`, `processor` and `training` dicts of the same kind.
        overwrite (`bool`, *optional*, defaults to `False`): start again.

    Attributes:
        state ([`RunState`]): of the run that is asked for.
        last_checkpoint (`Path`, *optional*): the one to go on from.
        passed_over (`list[str]`): a sentence for every newer checkpoint that is damaged.

    Raises:
        ValueError: when the folder holds something else, another run, or one in which nothing is missing, and
            `overwrite` is not set.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], overwrite: bool = False):
        self.folder, self.overwrite = folder, overwrite
        self.state, self.is_longer, self._gone = RunState(recorded(asked)), False, set()
        before = read_state(folder)
        self.last_checkpoint, self.passed_over = (None, []) if overwrite else newest_whole(self.checkpoints)
        self._planned = steps_of(self.last_checkpoint) if self.last_checkpoint else (None, None)
        # What is trained is in a checkpoint, or in the export.
        kept = before is not None and (self.last_checkpoint or "exported" in before.done)
        if overwrite or not kept:
            if not (overwrite and before):
                _refuse_foreign_files(folder, is_a_run=before is not None)
            return
        self._refuse_another_run(before)
        self.is_longer = self.last_checkpoint is not None and length_differs(before.asked, self.state.asked)
        self.state = replace(before, asked=taken_over(before.asked, self.state.asked))
        self._look_after_what_is_done()
        if not self.missing and not self.is_longer:
            raise ValueError(self._finished())

    @property
    def checkpoints(self) -> Path:
        return self.folder / CHECKPOINTS

    @property
    def is_trained(self) -> bool:
        """Whether the run is past its training, and no more of that is asked for."""
        return "trained" in self.state.done and not self.is_longer

    @property
    def method_source(self) -> Path:
        """Where the trained method can be loaded from."""
        return self.folder if "exported" not in self.missing else self._trained_checkpoint

    @property
    def missing(self) -> list[str]:
        """The stages that are still to be done, in their order."""
        asked = self.state.asked
        wanted = ["trained", "exported", *(["evaluated"] if asked.get("evaluate") else []), "carded"]
        missing = [stage for stage in wanted if stage not in self.state.done or stage in self._gone]
        training = asked.get("training", {})
        pushed = self.state.done.get("pushed", {})
        to = {"repo_id": training.get("hub_model_id"), "revision": training.get("hub_revision")}
        if training.get("push_to_hub") and not to.items() <= pushed.items():
            missing.append("pushed")
        return missing

    def begin(self, steps: int | None, decided: Mapping[str, Any] | None = None) -> str | None:
        """
        Take the folder for training: call it when nothing but that is left to do.

        Args:
            steps (`int`, *optional*): optimizer steps of the whole run, where they are known.
            decided (`dict`, *optional*): what was decided for it, for a restart.

        Returns:
            `str`, *optional*: a sentence for the user, where an earlier run goes on to another end.

        Raises:
            ValueError: when the run would be shorter than the one in the folder.
        """
        done, planned = self._planned
        if planned is not None and steps is not None and steps < planned:
            raise ValueError(
                f"{self.folder} holds a run of {planned} steps, of which {done} are done, and now there would be "
                f"{steps}: ask for as many or more, choose another --output-dir, or start again with --overwrite."
            )
        if planned is not None and steps == planned and not self.missing:
            raise ValueError(self._finished())
        if self.overwrite:
            self._empty()
        self.state.decided = dict(decided or {})
        if done is None or done != steps or "training" not in self.state.done:
            self.state.did("training", {"from_step": done or 0, "began": time.time()})
        self.go_on()
        if planned is None or steps is None or steps == planned:
            return None
        return (
            f"The run in {self.folder} goes on from step {done} to step {steps} in place of {planned}; what follows a "
            "schedule, such as the learning rate, is stretched to the new length."
        )

    def go_on(self) -> None:
        """Sweep up what a killed process left half written, and write the record of this run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.folder / name for name in _HALF_WRITTEN):
            path.unlink(missing_ok=True)
        sweep_exports(self.folder)
        if self.checkpoints.is_dir():
            sweep(self.checkpoints)
        (self.folder / OLD_PLAN).unlink(missing_ok=True)  # it is in the record now
        self.state.write(self.folder)

    def did(self, stage: str, facts: Mapping[str, Any] | None = None) -> None:
        """Note on the disk that a stage is done."""
        self.state.did(stage, facts or {})
        self._gone.discard(stage)
        self.state.write(self.folder)

    def has_lost_the_export(self) -> bool:
        """Whether somebody removed files of the export since it was written."""
        return not all((self.folder / name).is_file() for name in self.state.done["exported"])

    def lacks(self, what: str, reason: str) -> None:
        """Note, as far as the disk takes it, that something could not be done, and why."""
        self.state.missing[what] = reason
        try:
            self.state.write(self.folder)
        except OSError:
            pass

    @property
    def _trained_checkpoint(self) -> Path | None:
        """The one of the last step, or the best one, if that was asked for."""
        return self.checkpoints / self.state.done["trained"].get("checkpoint", self.last_checkpoint.name)

    def _look_after_what_is_done(self) -> None:
        """Find out what is said to be done and is not there any more."""
        done = self.state.done
        if "exported" in done and done["exported"] != exported_hashes(self.folder):
            if self.last_checkpoint is None:
                raise ValueError(
                    f"{self.folder} holds this run, but files of its encoder are gone or have changed, and there is "
                    "no checkpoint to write them from: start again with --overwrite."
                )
            self._gone.add("exported")
        record = RunRecord.read(self.folder)
        is_there = record is not None
        if is_there and "trained" in done and "exported" in self.missing:
            is_last = self._planned[0] == record.run["steps"]
            is_there = is_last and fault(self._trained_checkpoint) is None
        if not is_there:  # it comes again from the last checkpoint, without a step if that is of the last one
            for stage in ("trained", "evaluated", "carded"):
                done.pop(stage, None)
        if not (self.folder / CARD).is_file() or {"pictures", "embedding_check"} & self.state.missing.keys():
            self._gone.add("carded")

    def _empty(self) -> None:
        """Remove what a run wrote, and nothing else."""
        for path in (self.folder / name for name in _OWN.union(folders_in(self.folder))):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _refuse_another_run(self, before: RunState) -> None:
        method, now = before.asked["method"], self.state.asked["method"]
        remedy = "choose another --output-dir, or start again with --overwrite."
        if method != now:
            raise ValueError(f"{self.folder} holds a run of {method}, not of {now}: {remedy}")
        if not before.version and self.last_checkpoint:
            raise ValueError(f"{self.folder} holds a run that an older hf_ssl began, with other defaults: {remedy}")
        saved = self.last_checkpoint or self.folder / PRETRAINING
        names = {"config": CONFIG_NAME, "processor": IMAGE_PROCESSOR_NAME}
        values = {part: read_values(saved / name) for part, name in names.items()}
        if changed := differences(before, self.state.asked, values):
            raise ValueError(f"{self.folder} holds another run: {'; '.join(changed)}. Ask for the same, {remedy}")

    def _finished(self) -> str:
        more = "ask for more with --num_train_epochs or --max_steps, " if self.last_checkpoint else ""
        return (
            f"{self.folder} holds this run, finished: {more}choose another --output-dir, or start again with "
            "--overwrite."
        )


def _refuse_foreign_files(folder: Path, is_a_run: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output-dir {folder} is a file: name a folder.")
    entries = folder.iterdir() if folder.exists() else ()
    foreign = sorted(path.name for path in entries if not _may_be_there(path, is_a_run))
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ValueError(
            f"--output-dir {folder} holds something else, {foreign[0]}{more}: choose an empty or new folder."
        )


def _may_be_there(path: Path, is_a_run: bool) -> bool:
    """In a folder without a record, only empty folders, and what systems and killed processes leave."""
    if path.name in {LOCK, f"{RECORD}.part"} | _OF_THE_SYSTEM:
        return True
    if is_a_run:
        own = _OWN.union(folders_in(path.parent))
        return path.name in own | _HALF_WRITTEN or is_unfinished(path.name)
    return path.is_dir() and not any_file(path)


def any_file(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_file() for path in folder.rglob("*"))
