"""From values to classes."""

import pytest

from hf_ssl.data import DataError
from hf_ssl.data.classes import find_name, number_classes


@pytest.mark.parametrize(
    ("values", "labels", "names"),
    [
        ([3, 1, 3], [1, 0, 1], ["1", "3"]),
        (["b", "a", None, "b", ""], [1, 0, -1, 1, -1], ["a", "b"]),
        (["10", "9", "-1"], [1, 0, -1], ["9", "10"]),
        ([True, False, None], [1, 0, -1], ["False", "True"]),
        ([2.0, 1.0, float("nan"), None], [1, 0, -1, -1], ["1", "2"]),
        ([-1, 5, -1], [-1, 0, -1], ["5"]),
    ],
)
def test_values_of_any_type(values, labels, names):
    found, found_names = number_classes(values, "kind")
    assert found.tolist() == labels and found_names == names


@pytest.mark.parametrize("values", [[], [None, None], [-1, -1], ["", ""]])
def test_no_class_is_known(values):
    assert number_classes(values, "kind") == (None, None)


@pytest.mark.parametrize(
    ("values", "what"),
    [([[1, 2]], "a list"), ([0.37, 1.0], "the number 0.37"), ([{"a": 1}], "a dict"), ([float("inf")], "inf")],
)
def test_values_that_name_no_class(values, what):
    with pytest.raises(DataError, match=f"label_column='kind' holds .*{what}"):
        number_classes(values, "kind")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [(["id", "Class", "label"], "label"), (["TARGET", "x"], "TARGET"), (["cls"], "cls"), (["caption"], None)],
)
def test_usual_names(columns, expected):
    assert find_name(columns) == expected
