"""Names that would play with a terminal, and streams that nobody can write to."""

import io
import os
import sys

import pytest

from hf_ssl.utils.printing import lasting_streams, printable, say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Füße 照片.png", "Füße 照片.png"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("photo\u202egnp.exe", r"photo\u202egnp.exe"),
        ("\u2066a\u2069\u200f\ufeff", r"\u2066a\u2069\u200f\ufeff"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("\ud800\x00\x9b", r"\ud800\x00\x9b"),
    ],
)
def test_what_is_not_seen_is_escaped(text, shown):
    assert printable(text) == shown


def test_lines_stay_lines(capsys):
    say("one\ntwo\x07")
    say("three", err=True)
    assert capsys.readouterr() == ("one\ntwo\\x07\n", "three\n")


@pytest.fixture
def pipe_without_reader(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    stream = open(writing, "w", encoding="ascii")  # noqa: SIM115
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    yield
    stream.close()


def test_what_nobody_reads_is_dropped(pipe_without_reader):
    with lasting_streams(output=True):
        print("ü" * 100_000)
        print("ü", file=sys.stderr)
        sys.stdout.flush()


def test_a_full_disk_is_no_reason_to_fail(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with lasting_streams(output=True):
            print("something", flush=True)
        with lasting_streams(output=False), pytest.raises(OSError, match="No space"):
            print("something", flush=True)
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


@pytest.mark.parametrize("output", [False, True])
def test_what_an_encoding_lacks_is_escaped(output, monkeypatch, tmp_path):
    with (tmp_path / "log").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with lasting_streams(output):
            say("Füße \u2026")
        monkeypatch.undo()
    assert (tmp_path / "log").read_text() == "F\\xfc\\xdfe \\u2026\n"


def test_streams_in_memory_stay(monkeypatch):
    memory = io.StringIO()
    monkeypatch.setattr(sys, "stdout", memory)
    with lasting_streams(output=True):
        say("a")
    assert memory.getvalue() == "a\n"
