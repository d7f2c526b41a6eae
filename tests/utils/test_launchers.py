"""Processes that a launcher started are one job."""

import os

import pytest

from hf_ssl.utils.launchers import adopt_launcher, process_rank

OPEN_MPI = {"RANK": "1", "SIZE": "4", "LOCAL_RANK": "1", "LOCAL_SIZE": "4"}
OPEN_MPI = {f"OMPI_COMM_WORLD_{name}": value for name, value in OPEN_MPI.items()}
MPICH = {"PMI_RANK": "1", "PMI_SIZE": "4", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "4"}
ALONE = {"PMI_RANK": "0", "PMI_SIZE": "1", "MPI_LOCALRANKID": "0", "MPI_LOCALNRANKS": "1"}
TORCHRUN = {"RANK": "2", "WORLD_SIZE": "3", "LOCAL_RANK": "0"}


@pytest.fixture
def environment(monkeypatch):
    """Sets these variables, and none else of a launcher."""

    def set_(values):
        monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"], **values})

    return set_


@pytest.mark.parametrize(
    ("values", "rank", "size"),
    [({}, 0, None), (OPEN_MPI, 1, "4"), (MPICH, 1, "4"), (ALONE, 0, None), (TORCHRUN | OPEN_MPI, 2, "3")],
)
def test_one_job(environment, values, rank, size):
    environment(values)
    adopt_launcher()
    assert process_rank() == rank and os.environ.get("WORLD_SIZE") == size
    assert ("MASTER_ADDR" in os.environ) == (size == "4")


def test_several_machines_must_know_the_first(environment):
    machines = OPEN_MPI | {"OMPI_COMM_WORLD_LOCAL_SIZE": "2"}
    environment(machines)
    with pytest.raises(ValueError, match="several machines: set the environment variable MASTER_ADDR"):
        adopt_launcher()
    environment(machines | {"MASTER_ADDR": "node0"})
    adopt_launcher()
    assert os.environ["MASTER_ADDR"] == "node0" and process_rank() == 1
