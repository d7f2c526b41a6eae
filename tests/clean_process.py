"""Code run as a stranger would run it: with plain transformers, in a process that cannot import hf_ssl."""

import json
import re
import subprocess
import sys

_WITHOUT_US = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "hf_ssl":
            raise ImportError("hf_ssl is not installed here")
sys.meta_path.insert(0, Refuse())
"""
_RUNNER = """
import json
results = []
for code in json.load(sys.stdin):
    names = {}
    try:
        exec(code, names)
        results.append(float(names["difference"]))
    except AssertionError as error:
        results.append(str(error))
print(json.dumps(results))
"""


def run_clean(code: str, *arguments, **options) -> str:
    """What `code` prints; `options` are those of `subprocess.run`."""
    command = [sys.executable, "-c", _WITHOUT_US + code, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, cwd="/", **options)
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def check_of(card: str, repository) -> str:
    """The code in a card that checks its encoder, for the repository at another place."""
    (code,) = (c for c in re.findall(r"```python\n(.*?)\n```", card, flags=re.DOTALL) if "difference" in c)
    return re.sub(r'from_pretrained\("[^"]*"', f'from_pretrained("{repository}"', code)


def run_checks(codes: list[str]) -> list[float | str]:
    """For each code how far the embedding is from that of the card, or the assertion that failed."""
    return json.loads(run_clean(_RUNNER, input=json.dumps(codes)).splitlines()[-1])
