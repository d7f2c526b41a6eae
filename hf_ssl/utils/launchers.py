"""Processes that a launcher started together."""

import os

# What Open MPI, MPICH and MVAPICH say of a process: the variables that torchrun sets, by those that they set.
_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
_MPI = (
    [f"OMPI_COMM_WORLD_{name}" for name in ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")],
    ["PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"],
    [f"MV2_COMM_WORLD_{name}" for name in ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")],
)


def adopt_launcher() -> None:
    """
    Let processes that `mpirun` started be one job, as those of torchrun and `accelerate launch` are.

    Raises:
        ValueError: when they are on several machines, and nobody says where the first process is.
    """
    if "WORLD_SIZE" in os.environ:
        return
    for theirs in _MPI:
        values = [os.environ.get(name) for name in theirs]
        if None in values or values[1] == "1":
            continue
        if values[1] != values[3] and "MASTER_ADDR" not in os.environ:
            raise ValueError(
                "The processes of mpirun are on several machines: set the environment variable MASTER_ADDR to the "
                "name of the machine of the first one, such as mpirun -x MASTER_ADDR=node0."
            )
        os.environ.update(zip(_NAMES, values, strict=True))
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
        os.environ.setdefault("MASTER_PORT", "29500")
        return


def process_rank() -> int:
    """The number of this process among those that were started together; 0 for the first, and for a single one."""
    return int(os.environ.get("RANK", "0"))


def process_count() -> int:
    """How many processes were started together."""
    return int(os.environ.get("WORLD_SIZE", "1"))
