"""
Spoils the environment of a run, mends it, and starts the same command again:
`python -m tests.faults.environment --out docs/reliability/environment.json`. As root, on Linux.
"""

import argparse
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import commands
from .lanes import in_lanes

TITLE = "Faults of the environment"
WHAT = (
    "A small run of SimCLR in an environment that is spoilt before it starts or in the middle of it. Right: it goes "
    "on, or ends with one sentence, never with a traceback; no process hangs; and when the fault is mended the same "
    "command ends bit-equal to an undisturbed run, with nothing left over."
)
COMMAND = "python -m tests.faults.environment"
_MAIN_PHASES = ("begun", "checkpoint-3", "checkpoint-12", "trained", "exported", "evaluated")


@dataclass(frozen=True)
class Case:
    """
    Args:
        kind (`str`): of fault; a row of the page.
        name (`str`): which of its kind.
        attempt (`Callable`): takes a `Room`; raises `Wrong`.
        root (`bool`, *optional*, defaults to `True`): whether only root can try it.
        more (`tuple[str, ...]`, *optional*): further words of the command line.
    """

    kind: str
    name: str
    attempt: Callable[[Any], None]
    root: bool = True
    more: tuple[str, ...] = ()


def cases() -> list[Case]:
    return [
        *_full_disks(),
        *_limits(),
        *_rights(),
        *_shared_memory_and_workers(),
        *_removed(),
        *_homes(),
        *_encodings_and_names(),
        *_streams(),
        *_second_processes(),
        *_remains(),
    ]


# --- a full disk ----------------------------------------------------------------------------------------------------


def _full_disks() -> list[Case]:
    from .room import disk, fill

    def too_small(kilobytes: int):
        def attempt(room):
            with disk(room.run, f"{kilobytes}k") as change:
                code = room.ends(room.start(), None)
                change("size=1g")
                room.recovers(code)

        return attempt

    def filled(phase: str):
        def attempt(room):
            with disk(room.run, "1g"):
                command = room.start()
                with room.held_at(command, phase):
                    balloon = fill(room.run)
                code = room.ends(command, None)
                balloon.unlink()
                room.recovers(code)

        return attempt

    # The run takes about 25 MB: every file of it meets the end of some disk.
    sizes = (0, 4, 8, 100, 1_000, 2_000, 4_000, 5_500, 7_000, 9_000, 11_000, 14_000, 17_000, 19_000, 21_000)
    return [
        *(Case("full disk", f"of {size or 1} kB", too_small(size or 1)) for size in sizes),
        *(Case("disk that fills", f"at {phase}", filled(phase)) for phase in _MAIN_PHASES),
    ]


# --- limits of the system -------------------------------------------------------------------------------------------


def _limits() -> list[Case]:
    from .room import limited

    def limit(kind: int, value: int | Callable[[], int]):
        def attempt(room):
            number = value if isinstance(value, int) else value()
            room.recovers(room.ends(room.start(before=limited(kind, number)), None))

        return attempt

    def memory_and(megabytes: int) -> Callable[[], int]:
        def value() -> int:
            pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
            return pages * resource.getpagesize() + megabytes * 2**20

        return value

    sizes = (4_096, 10_000, 100_000, 1_000_000, 1_400_000, 2_000_000, 2_850_000)
    files = [Case("size of files", f"of {size} bytes", limit(resource.RLIMIT_FSIZE, size), False) for size in sizes]
    descriptors = [
        Case("open files", f"at most {number}{more}", limit(resource.RLIMIT_NOFILE, number), False, words)
        for number in (10, 24, 40)
        for more, words in (("", ()), (" with workers", ("--dataloader_num_workers", "2")))
    ]
    memory = [
        Case("address space", f"{more} MB beyond what is there", limit(resource.RLIMIT_AS, memory_and(more)), False)
        for more in (1, 8, 32, 64)
    ]

    def clock(seconds: float):
        def attempt(room):
            def before():
                now, began = time.time, time.monotonic()
                time.time = lambda: now() + (seconds if time.monotonic() > began + 1.0 else 0.0)

            room.ends(room.start(before=before), True)
            room.equals()

        return attempt

    clocks = [
        Case("clock that jumps", name, clock(seconds), False)
        for name, seconds in (("back by a day", -86_400.0), ("ahead by a year", 3e7))
    ]
    return [*files, *descriptors, *memory, *clocks]


# --- rights ---------------------------------------------------------------------------------------------------------


def _rights() -> list[Case]:
    from .room import as_nobody, disk

    def read_only_disk(room):
        with disk(room.run, "1g") as change:
            change("ro")
            room.ends(room.start(), False)
            change("rw")
            room.goes_on()

    def others_folder(room):
        room.run.mkdir()
        room.folder.chmod(0o755)
        room.ends(room.start(before=as_nobody), False)
        room.goes_on()

    def rights_go(phase: str, inner: str):
        def attempt(room):
            room.folder.chmod(0o777)
            command = room.start(before=as_nobody)
            with room.held_at(command, phase):
                os.chmod(room.run / inner, 0o555)
            code = room.ends(command, None)
            os.chmod(room.run / inner, 0o755)
            room.recovers(code, before=as_nobody)

        return attempt

    def unreadable_data(room):
        data = room.folder / "photos"
        shutil.copytree(room.data, data)
        room.folder.chmod(0o777)
        data.chmod(0)
        original, room.data = room.data, data
        room.ends(room.start(before=as_nobody), False)
        room.data = original
        room.goes_on()

    return [
        Case("no right to write", "on a disk that is mounted for reading", read_only_disk),
        Case("no right to write", "in somebody else's folder", others_folder),
        *(
            Case("no right to write", f"in {inner or 'the run'} from {phase} on", rights_go(phase, inner))
            for phase, inner in (("checkpoint-3", "checkpoints"), ("begun", ""), ("trained", ""), ("exported", ""))
        ),
        Case("no right to read", "the images", unreadable_data),
    ]


# --- shared memory and workers --------------------------------------------------------------------------------------


def _shared_memory_and_workers() -> list[Case]:
    from .room import disk

    def shared_memory(options: str):
        def attempt(room):
            def before():
                commands.unshare_mounts()
                subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", "/dev/shm"], check=True)

            room.recovers(room.ends(room.start(before=before), None))

        return attempt

    def killed_worker(phase: str, signum: int):
        def attempt(room):
            command = room.start()
            with room.held_at(command, phase):
                workers = children(command.pids[0])
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(workers[0], signum)
            room.recovers(room.ends(command, None))

        return attempt

    workers = ("--dataloader_num_workers", "2")
    return [
        Case("no shared memory", "/dev/shm for reading only", shared_memory("ro"), more=workers),
        Case("no shared memory", "/dev/shm of 4 kB", shared_memory("size=4k"), more=workers),
        Case("no shared memory", "no workers", shared_memory("ro")),
        *(
            Case("killed worker", f"{signum.name} at {phase}", killed_worker(phase, signum), False, workers)
            for phase, signum in (
                ("begun", signal.SIGKILL),
                ("checkpoint-3", signal.SIGKILL),
                ("checkpoint-3", signal.SIGTERM),
                ("checkpoint-3", signal.SIGSEGV),
            )
        ),
        Case("no room for temporary files", "TMPDIR is full", _full_temporary(disk)),
        Case("no room for temporary files", "TMPDIR is not there", _variables({"TMPDIR": "/proc/nowhere"}), False),
    ]


def _full_temporary(disk):
    def attempt(room):
        with disk(room.folder / "tmp", "4k"):
            room.recovers(room.ends(room.start(real=True, environment={"TMPDIR": str(room.folder / "tmp")}), None))

    return attempt


def children(pid: int) -> list[int]:
    """Processes that this one has started."""
    return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


# --- what is taken away ---------------------------------------------------------------------------------------------


def _removed() -> list[Case]:
    def data_goes(phase: str, kill: bool):
        def attempt(room):
            data = room.folder / "photos"
            shutil.copytree(room.data, data)
            room.data = data
            command = room.start()
            with room.held_at(command, phase):
                data.rename(room.folder / "elsewhere")
                if kill:
                    command.kill()
            if kill:
                command = room.start()
            code = room.ends(command, False if kill else None)
            (room.folder / "elsewhere").rename(data)
            room.recovers(code)

        return attempt

    def image_goes(room):
        data = room.folder / "photos"
        shutil.copytree(room.data, data)
        room.data = data
        command = room.start()
        with room.held_at(command, "checkpoint-3"):
            command.kill()
        image = next((data / "bright").iterdir())
        image.rename(room.folder / image.name)
        room.ends(room.start(), None)  # it says that the data is other than before, or goes on and says so
        (room.folder / image.name).rename(image)
        if not (room.run / "results.json").is_file():
            room.goes_on()

    def folder_goes(phase: str, inner: str):
        def attempt(room):
            command = room.start()
            with room.held_at(command, phase):
                shutil.rmtree(room.run / inner)
            if (phase, inner) == ("exported", "checkpoints"):  # nobody needs them any more
                kept = {name: value for name, value in room.whole.items() if not name.startswith("checkpoint-")}
                room.whole = kept | {"last checkpoint": "none"}
            room.recovers(room.ends(command, None))

        return attempt

    return [
        *(
            Case("images removed", f"at {phase}{', and killed' if kill else ''}", data_goes(phase, kill), False)
            for phase, kill in (("begun", False), ("checkpoint-3", False), ("checkpoint-3", True), ("trained", False))
        ),
        Case("images removed", "one of them, before it goes on", image_goes, False),
        *(
            Case("output removed", f"{inner or 'the folder'} at {phase}", folder_goes(phase, inner), False)
            for phase, inner in (
                ("begun", ""), ("checkpoint-3", ""), ("trained", ""), ("exported", ""), ("evaluated", ""),
                ("checkpoint-3", "checkpoints"), ("exported", "pretraining"), ("exported", "checkpoints"),
            )
        ),
    ]  # fmt: skip


# --- variables ------------------------------------------------------------------------------------------------------


def _variables(environment: dict[str, str | None]):
    def attempt(room):
        command = room.start(real=True, environment=environment)
        room.recovers(room.ends(command, None))

    return attempt


def _homes() -> list[Case]:
    nothing = dict.fromkeys(("HF_HOME", "XDG_CACHE_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE"))
    return [
        Case("no HOME", "not set", _variables({**nothing, "HOME": None}), False),
        Case("no HOME", "not there", _variables({**nothing, "HOME": "/proc/nowhere"}), False),
        Case("no HOME", "not for writing", _variables({**nothing, "HOME": "/proc"}), False),
        Case("no HOME", "HF_HOME not for writing", _variables({"HF_HOME": "/proc/hf"}), False),
        Case("no HOME", "nor a user's name", _variables({**nothing, "HOME": None, "USER": None}), False),
    ]


# --- encodings and names --------------------------------------------------------------------------------------------


def _encodings_and_names() -> list[Case]:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LANG": None, "LANGUAGE": None}

    def named(classes: tuple[str, str], environment: dict[str, str | None], inner: str = "{}.png"):
        def attempt(room):
            from .runs import photos

            data = photos(room.folder / "photos")
            for i, new in enumerate(classes):
                old = data / ("bright", "dark")[i]
                for path in sorted(old.iterdir()):
                    os.rename(path, os.fsencode(old) + b"/" + os.fsencode(inner.format(path.stem)))
                os.rename(old, os.fsencode(data) + b"/" + os.fsencode(new))
            room.data = data
            real = bool(environment)
            code = room.ends(room.start(real=real, environment=environment), True)
            require_card(room, code)

        return attempt

    def output(name: str):
        def attempt(room):
            room.run = room.folder / name
            if room.ends(room.start(output=name), None) == 0:
                room.equals()
            else:
                require_refused(room)

        return attempt

    raw = "\udcff\udcfe"  # bytes that are no UTF-8
    return [
        *(
            Case("C locale without UTF-8", name, named(classes, ascii_only), False)
            for name, classes in (("Märchen, 日本", ("Märchen", "日本")), ("emoji", ("🐈", "🐕")))
        ),
        Case("C locale without UTF-8", "POSIX", named(("ä", "ö"), ascii_only | {"LC_ALL": "POSIX"}), False),
        Case("C locale without UTF-8", "stdout in ASCII", named(("ä", "ö"), {"PYTHONIOENCODING": "ascii"}), False),
        Case("strange names", "classes that are no UTF-8", named((f"a{raw}", f"b{raw}"), {}), False),
        Case("strange names", "the same in the C locale", named((f"a{raw}", f"b{raw}"), ascii_only), False),
        Case("strange names", "images that are no UTF-8", named(("a", "b"), {}, f"{{}}{raw}.png"), False),
        Case("strange names", "a line break", named(("a\nb", "c\rd"), {}, "{}\n.png"), False),
        Case("strange names", "control characters", named(("a\x1b[31m", "b\u202e"), {}, "{}\x07.png"), False),
        Case("strange names", "of 255 bytes", named(("a" * 255, "b" * 255), {}), False),
        Case("strange names", "braces, quotes, Markdown", named(('{x}|"<b>', "`|]("), {}), False),
        *(
            Case("strange names", f"of the output, {title}", output(name), False)
            for title, name in (("accents", "Läufe 1"), ("no UTF-8", f"run{raw}"), ("a line break", "run\n1"))
        ),
    ]


def require_refused(room) -> None:
    """Before any training."""
    from .room import require

    require(not list(room.folder.glob("run*/*")), "It was refused after the training had begun.")


def require_card(room, code: int) -> None:
    from .room import require
    from .runs import left_over

    require(code == 0 and (room.run / "results.json").is_file(), "The results are missing.")
    (room.run / "README.md").read_text(encoding="utf-8")
    require(not left_over(room.run), f"Left over: {left_over(room.run)}.")


# --- closed streams -------------------------------------------------------------------------------------------------


def _streams() -> list[Case]:
    def closed(*numbers: int):
        def before():
            for number in numbers:
                os.close(number)

        def attempt(room):
            room.ends(room.start(real=True, before=before), True)
            room.equals()

        return attempt

    def pipe(number: int, lines: int):
        def attempt(room):
            reading, writing = os.pipe()

            def before():
                os.dup2(writing, number)

            command = room.start(before=before)
            os.close(writing)
            with open(reading, "rb") as file:
                for _ in range(lines):
                    file.readline()
            room.ends(command, True)
            room.equals()

        return attempt

    def full(*numbers: int):
        def before():
            device = os.open("/dev/full", os.O_WRONLY)
            for number in numbers:
                os.dup2(device, number)

        def attempt(room):
            room.ends(room.start(before=before), True)
            room.equals()

        return attempt

    return [
        *(
            Case("closed streams", name, closed(*numbers), False)
            for name, numbers in (("stdin", (0,)), ("stdout", (1,)), ("stderr", (2,)), ("all three", (0, 1, 2)))
        ),
        *(
            Case(
                "closed pipe", f"std{'err' if number == 2 else 'out'} after {lines} lines", pipe(number, lines), False
            )
            for number, lines in ((1, 0), (1, 1), (1, 9), (2, 0))
        ),
        *(
            Case("full device", name, full(*numbers), False)
            for name, numbers in (("as stdout", (1,)), ("as stderr", (2,)), ("as both", (1, 2)))
        ),
    ]


# --- a second process -----------------------------------------------------------------------------------------------


def _second_processes() -> list[Case]:
    from .room import require

    def second(phase: str, *more: str, method: str = "simclr", words: list[str] | None = None):
        def attempt(room):
            first = room.start()
            elsewhere = room.folder / "second"
            elsewhere.mkdir()
            with room.held_at(first, phase):
                if words is None:
                    other = room.start(*more, output=str(room.run), method=method, folder=elsewhere)
                else:
                    other = commands.start([words[0], str(room.run), *words[1:]], elsewhere)
                room.ends(other, False)
                said = other.output("stderr")
                named = str(first.pids[0]) in said or (method != "simclr" and f"not of {method}" in said)
                require(named, f"It does not name the process: {said.strip()[-400:]}")
            room.ends(first, True)
            room.equals()

        return attempt

    return [
        Case("second process", "the same command", second("checkpoint-3"), False),
        Case("second process", "the same command, at the beginning", second("begun"), False),
        Case("second process", "the same command, while it is evaluated", second("exported"), False),
        Case("second process", "--overwrite", second("checkpoint-3", "--overwrite"), False),
        Case("second process", "another method", second("checkpoint-3", method="mae"), False),
        Case("second process", "both", second("checkpoint-3", "--overwrite", method="mae"), False),
    ]  # fmt: skip


# --- what others leave ----------------------------------------------------------------------------------------------


def _remains() -> list[Case]:
    from .room import require

    def killed_at(phase: str, spoil: Callable[[Path], None], says: str | None = None):
        def attempt(room):
            command = room.start()
            with room.held_at(command, phase):
                command.kill()
            spoil(room.run)
            command = room.start()
            code = room.ends(command, True)
            said = command.output("stderr") + command.output("stdout")
            require(says is None or says in said, f"It does not say that {says} was passed over.")
            require(code == 0, "It does not go on.")
            room.equals()

        return attempt

    def change(inner: str, how: Callable[[bytes], bytes]):
        def spoil(run: Path):
            for path in run.glob(inner):
                path.write_bytes(how(path.read_bytes()))

        return spoil

    def flip(content: bytes) -> bytes:
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]

    def litter(run: Path) -> None:
        for name in (".export-abc", "checkpoints/.saving-9", "checkpoints/.saving-4"):
            (run / name).mkdir(parents=True)
            (run / name / "model.safetensors").write_bytes(b"half")
        for name in ("run.json.part", "results.json.part", "README.md.part"):
            (run / name).write_bytes(b"half")

    newest = "checkpoints/checkpoint-6"
    damage = {
        "weights cut short": change(f"{newest}/model.safetensors", lambda content: content[:-9]),
        "a bit of the weights": change(f"{newest}/model.safetensors", flip),
        "a bit of the optimizer": change(f"{newest}/optimizer.pt", flip),
        "a bit of the random states": change(f"{newest}/rng_state.pth", flip),
        "an empty state": change(f"{newest}/trainer_state.json", lambda content: b""),
        "no scheduler": lambda run: (run / newest / "scheduler.pt").unlink(),
        "an empty folder": lambda run: (shutil.rmtree(run / newest), (run / newest).mkdir()),
    }
    return [
        Case("what a kill leaves", "at a checkpoint", killed_at("checkpoint-6", litter), False),
        Case("what a kill leaves", "at the beginning", killed_at("begun", litter), False),
        Case("what a kill leaves", "at the export", killed_at("trained", litter), False),
        *(
            Case("damaged checkpoint", name, killed_at("checkpoint-6", spoil, "checkpoint-6"), False)
            for name, spoil in damage.items()
        ),
    ]


def try_them(wanted: list[Case], lanes: int = 2):
    """Yields every case with what was wrong and the seconds that it took, as they come."""
    commands.end_tidily()
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        os.environ.update({**commands.ONE_THREAD, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")})
        commands.import_everything()
        from . import runs
        from .room import Room, Wrong

        data = runs.photos(folder / "photos")
        first = Room(folder / "whole", data, {})
        first.ends(first.start(), True)
        whole = runs.outcome(first.run)
        numbers = {case: i for i, case in enumerate(wanted)}

        def attempt(case: Case) -> str | None:
            room = Room(folder / f"case-{numbers[case]}", data, whole, *case.more)
            try:
                case.attempt(room)
            except Wrong as wrong:
                return str(wrong)
            room.remove()
            return None

        private = any(case.root for case in wanted)
        yield from in_lanes([wanted[i::lanes] for i in range(lanes)], attempt, private_mounts=private)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/reliability/environment.json"))
    parser.add_argument("--only", help="Part of the kind or name of the cases.")
    parser.add_argument("--short", action="store_true", help="The first of every kind that takes no root.")
    asked = parser.parse_args()
    from .report import Report

    report = Report(asked.out, TITLE, WHAT, COMMAND)
    wanted = [c for c in cases() if not report.done(f"{c.kind}, {c.name}")]
    if asked.only:
        wanted = [c for c in wanted if asked.only in f"{c.kind}, {c.name}"]
    if asked.short:
        wanted = list({case.kind: case for case in reversed(wanted) if not case.root}.values())
    for case, wrong, seconds in try_them(wanted):
        report.add(case.kind, f"{case.kind}, {case.name}", wrong)
        print(f"       {seconds:.0f} s", flush=True)
    kinds = list(dict.fromkeys(case.kind for case in cases()))
    report.value["rows"].sort(key=lambda row: kinds.index(row["kind"]))
    return int(report.finish() > 0)


if __name__ == "__main__":
    sys.exit(main())
