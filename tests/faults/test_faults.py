"""A handful of each kind of try; the page has them all."""

import pytest

from . import environment, kills, load

pytestmark = pytest.mark.slow


def test_killed_runs_end_as_if_nobody_had_killed_them():
    """One of every phase, all signals, one process and two."""
    wanted = [kills.case(number) for number in (1, 9, 17, 25, 33, 41, 28)]
    assert {case.phase for case in wanted} == set(kills.PHASES) and {case.processes for case in wanted} == {1, 2}
    assert {case.signal for case in wanted} == set(kills.SIGNALS)
    tried = list(kills.try_them(wanted))
    assert len(tried) == len(wanted) and not [(case.name, wrong) for case, wrong, _ in tried if wrong]


def test_a_spoilt_environment_loses_nothing():
    """The first of every kind of fault that takes no root."""
    first = {case.kind: case for case in reversed(environment.cases()) if not case.root}
    assert len(first) >= 12
    tried = list(environment.try_them(list(first.values())))
    assert len(tried) == len(first) and not [(case.kind, case.name, wrong) for case, wrong, _ in tried if wrong]


def test_load():
    small = load.Size(images=10_000, start_seconds=60.0, classes=500, steps=400)
    found = list(load.try_them(small))
    assert len(found) == 4 and not [(each.case, each.wrong) for each in found if each.wrong]
