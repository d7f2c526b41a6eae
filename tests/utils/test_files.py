"""Whole files, hashes and the lock of a folder."""

import hashlib
import os
import signal
import subprocess
import sys

import pytest

from hf_ssl.utils.files import FolderLock, sha256, write_json, write_text

HOLD = "import sys, time; from hf_ssl.utils.files import FolderLock; from pathlib import Path\n"
HOLD += "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_hash(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_second_process_is_refused_with_the_first_named_until_that_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match=f"in use by process {process.pid} on "):
            FolderLock(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        FolderLock(tmp_path).release()


def test_a_forked_process_does_not_hold_the_lock(tmp_path):
    code = HOLD.replace("time.sleep(60)", "import os; child = os.fork(); child or time.sleep(60); print(child)")
    code += "\nos._exit(0)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        child = int(process.stdout.read(64).split()[1])
        process.wait()
        try:
            FolderLock(tmp_path).release()
        finally:
            os.kill(child, signal.SIGKILL)
