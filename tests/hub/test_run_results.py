"""`results.json` is read within bounds, and every field that the card relies on is of its type."""

import json
import os

import pytest

from hf_ssl.hub.run_results import read_results

RESULTS = {
    "run": {"command": "hf-ssl pretrain", "steps": 10, "epochs": 1.5, "doctor": None, "versions": {"torch": "2"}},
    "evaluation": {
        "rows": [{"name": "this encoder", "dim": 8, "knn": 50.0, "linear": None}],
        **{"num_train": 8, "num_test": 4, "num_classes": 2, "chance": 50.0, "effective_rank": 2.5},
        **{"protocol": {"k": 20, "linear": None}, "notes": []},
    },
    "embedding_check": {"shape": [32, 32, 3], "dim": 8, "first": [-0.5, 1e-9]},
    "export": {"weights": "0" * 64},
    "log": [{"loss": 1.0, "step": 1}],
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "results.json"


@pytest.mark.parametrize(
    "results", [RESULTS, {}, {"run": {}, "evaluation": None}, RESULTS | {"log": [{"loss": 1e300}] * 50_000}]
)
def test_what_a_run_writes_is_read(results, file):
    file.write_text(json.dumps(results))
    assert read_results(file) == results


def test_nothing_is_read_where_there_is_nothing(file):
    assert read_results(file) is None


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("evaluation", "rows", 5),
        ("evaluation", "rows[0]", "x"),
        ("evaluation", "rows[0].knn", 101),
        ("evaluation", "rows[0].name", None),
        ("evaluation", "num_train", ""),
        ("evaluation", "num_test", 0),
        ("evaluation", "effective_rank", None),
        ("evaluation", "chance", float("nan")),
        ("evaluation", "protocol.k", -1),
        ("evaluation", "notes", {}),
        ("run", "dataset", True),
        ("run", "steps", 1.5),
        ("run", "seconds", float("inf")),
        ("run", "versions", {"torch": 2}),
        ("run", "effective.learning_rate", "x"),
        ("run", "doctor", "x"),
        ("embedding_check", "first", ["x"]),
        ("embedding_check", "shape", 32),
        ("run", "command", 5),
        ("run", "training_arguments", []),
        ("run", "training_arguments.max_steps", float("inf")),
        ("run", "training_arguments.learning_rate", "x"),
        ("run", "training_arguments.use_cpu", 1),
    ],
)
def test_fields_of_other_types_are_refused(part, field, value, file):
    values = json.loads(json.dumps(RESULTS))
    inner, *names = [values[part], *field.replace("[0]", ".0").split(".")]
    for name in names[:-1]:
        inner = inner[int(name)] if name == "0" else inner.setdefault(name, {})
    inner[int(names[-1]) if names[-1] == "0" else names[-1]] = value
    file.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="is not what a run writes") as raised:
        read_results(file)
    assert f"{part}.{field}" in str(raised.value)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "a pipe"),
        (os.mkdir, "a folder"),
        (lambda file: os.symlink("/dev/zero", file), "device"),
        (lambda file: os.symlink("nowhere", file), "a link to nothing"),
        (lambda file: file.write_text("[" * 100_000), "nested deeper"),
        (lambda file: file.write_text('{"log":' + "[" * 60 + "]" * 60 + "}"), "nested deeper"),
        (lambda file: file.write_text("[]"), "holds no JSON object"),
        (lambda file: file.write_text('{"run": {"model_type": 5}}'), "none of the fields base_model, "),
        (lambda file: (file.touch(), os.truncate(file, 2**40)), "larger than 256 MB"),
    ],
)
def test_what_is_no_such_file_is_refused(make, reason, file):
    make(file)
    with pytest.raises(ValueError, match=rf"results.json is not what a run writes \(.*{reason}.*mend or remove"):
        read_results(file)
