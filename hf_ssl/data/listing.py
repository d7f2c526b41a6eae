"""Which files below a folder are images, and what is left out, by reason."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..checks.regular_files import open_regular
from ..utils.printing import printable
from .opening import FORMATS

SNIFFED = 1000  # files of an unknown extension are opened up to this number
NAMES_SHOWN = 5
TABLES = (".parquet", ".arrow", ".tar")
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
# Pictures that Pillow does not know at all: vector graphics, raw files of cameras, formats that need another library.
OTHER_PICTURES = (
    ".3fr .ai .arw .cr2 .cr3 .crw .dcm .dng .erf .exr .hdr .heic .heics .heif .hif .jxl .jxr .kdc .mrw .nef .nii .nrw "
    ".orf .pef .raf .raw .rw2 .sr2 .srf .srw .svg .svgz .x3f .xcf"
).split()

NOT_AN_IMAGE = "not an image"
UNSUPPORTED = "a picture format that is not read"
HIDDEN = "hidden"
NO_FILE = "a pipe, socket or device"
DEAD_LINK = "a link that leads nowhere"
LINKED_TWICE = "a link to a folder that is read already"
UNLISTED = "a folder that cannot be listed"
EXCLUDED = "the output folder"
OWN_OUTPUT = "a folder that hf-ssl wrote"


@dataclass(frozen=True)
class Kind:
    """
    What files are looked for.

    Args:
        noun (`str`): what a sample is called.
        extensions (`frozenset[str]`): of its files, in lower case.
        others (`str`): why a file of another extension is left out.
    """

    noun: str
    extensions: frozenset[str]
    others: str


@dataclass
class Listing:
    """
    The images below a folder, and everything else that was found there.

    Attributes:
        files (`np.ndarray` of bytes): paths relative to the folder, sorted. One block of memory, which worker
            processes share; a list of strings would be copied by each.
        left_out (`dict[str, Counter]`): for every reason, what was left out: extensions or names, and how many.
        tables (`list[str]`): files for the datasets library, relative to the folder.
        metadata (`list[str]`): files that describe the images beside them, relative to the folder.
        subfolders (`int`): how many folders were looked through below it.
    """

    files: np.ndarray
    left_out: dict[str, Counter] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    subfolders: int = 0

    def leave_out(self, reason: str, name: str, count: int = 1) -> None:
        self.left_out.setdefault(reason, Counter())[name] += count

    def describe_left_out(self) -> list[str]:
        """One phrase for every reason, such as `"not an image (.txt: 581, .json: 3)"`."""
        order = sorted(self.left_out.items(), key=lambda item: (-item[1].total(), item[0]))
        return [describe(reason, counts) for reason, counts in order]


def describe(reason: str, counts: Counter) -> str:
    """`"reason (name: count, name: count and 3 more)"`, most frequent first."""
    shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:NAMES_SHOWN]
    numbered = any(count > 1 for count in counts.values())
    names = ", ".join(f"{printable(name)}: {count}" if numbered else printable(name) for name, count in shown)
    more = f" and {len(counts) - NAMES_SHOWN} more" if len(counts) > NAMES_SHOWN else ""
    return f"{reason} ({names}{more})"


def counted(number: int, noun: str = "image") -> str:
    """`"1 image"`, `"2 images"`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@cache
def image_extensions() -> frozenset[str]:
    """The extensions, in lower case, of all formats that `decode_image` opens."""
    # A .mpo file is a JPEG with further pictures after the first one.
    return frozenset(e for e, kind in Image.registered_extensions().items() if kind in (*FORMATS, "MPO"))


@cache
def other_extensions() -> frozenset[str]:
    """The extensions, in lower case, of pictures that `decode_image` does not open."""
    return frozenset(Image.registered_extensions()).union(OTHER_PICTURES) - image_extensions()


def list_files(root: Path, exclude: Sequence[str | os.PathLike] = (), kind: Kind | None = None) -> Listing:
    """
    Find the images, or files of another kind, below `root`, however deep; loops of links are safe.

    A file is an image if its extension says so. A few files of unknown extension are opened: their first bytes say.
    Nothing else is opened, and no file is asked for its size: 100 000 files take a second or two.

    Args:
        kind ([`Kind`], *optional*): what to look for; images by default.
        exclude (`Sequence[str or Path]`, *optional*): folders to leave out. Folders that hf-ssl wrote (a run, an
            exported repository) are left out anyway.
    """
    listing = Listing(np.empty(0, dtype="S1"))
    excluded = {_identity(os.path.expanduser(folder)) for folder in exclude} - {None, _identity(root)}
    found: list[str] = []
    unknown: list[str] = []
    seen = set()
    pending, links = [""], []
    while pending or links:
        # Links come last, so that a link never takes the place of the real folder.
        linked = not pending
        within = links.pop(0) if linked else pending.pop()
        folder = os.path.join(root, within)
        identity = _identity(folder)
        if identity in excluded:
            listing.leave_out(EXCLUDED, within)
            continue
        if identity in seen:
            listing.leave_out(LINKED_TWICE, within)
            continue
        seen.add(identity)
        try:
            with os.scandir(folder) as scanned:
                entries = list(scanned)
        except OSError as error:
            listing.leave_out(UNLISTED, f"{within or folder}, {error.strerror}")
            continue
        if within and _is_own_output({entry.name for entry in entries}):
            listing.leave_out(OWN_OUTPUT, within)
            continue
        for entry in entries:
            name = os.path.join(within, entry.name)
            if is_hidden(entry.name):
                listing.leave_out(HIDDEN, entry.name)
            elif _is_folder(entry):
                (links if entry.is_symlink() else pending).append(name)
            elif entry.is_symlink() and not os.path.exists(entry.path):
                listing.leave_out(DEAD_LINK, name)
            elif not entry.is_file():  # opening a pipe would wait for ever
                listing.leave_out(NO_FILE, name)
            else:
                _sort_file(listing, entry.name, name, found, unknown, kind)
    for name in unknown:
        if kind is None and len(unknown) <= SNIFFED and _starts_like_an_image(os.path.join(root, name)):
            found.append(name)
        else:
            extension = os.path.splitext(name)[1].lower()
            listing.leave_out(kind.others if kind else NOT_AN_IMAGE, extension or "no extension")
    # Sorted folder by folder, as if every separator came before any other character.
    listing.files = np.array(sorted(map(os.fsencode, found), key=_by_folder) or [b""])[: len(found)]
    listing.subfolders = len(seen) - 1
    listing.tables.sort()
    listing.metadata.sort()
    return listing


def is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _sort_file(
    listing: Listing, name: str, path: str, found: list[str], unknown: list[str], kind: Kind | None
) -> None:
    extension = os.path.splitext(name)[1].lower()
    if extension in (kind.extensions if kind else image_extensions()):
        found.append(path)
    elif name.lower() in METADATA:
        listing.metadata.append(path)
    elif kind is None and extension in other_extensions():
        listing.leave_out(UNSUPPORTED, extension)
    else:
        if extension in TABLES:
            listing.tables.append(path)
        unknown.append(path)


def _by_folder(file: bytes) -> bytes:
    return file.replace(os.fsencode(os.sep), b"\0")


def _identity(folder: str | os.PathLike) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_own_output(names: Iterable[str]) -> bool:
    """Whether these are the files of a run of hf-ssl or of a repository that it exported."""
    return {"run.json", "checkpoints"} <= names or {"config.json", "pretraining"} <= names


def _starts_like_an_image(path: str) -> bool:
    try:
        with open(open_regular(path), "rb") as opened:
            head = opened.read(16)
    except (OSError, ValueError):
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] in (b"avif", b"avis")
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP"
    magic = (
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF87a",
        b"GIF89a",
        b"II*\0",
        b"MM\0*",
        b"\0\0\0\x0cjP  \r\n\x87\n",
    )
    return head.startswith(magic)
