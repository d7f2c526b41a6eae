"""What was measured since the last log goes into a checkpoint, so that a resumed run logs what the whole one would."""

from pathlib import Path

import torch


def save_measured(trainer, folder: Path) -> None:
    """
    Args:
        trainer (`SSLTrainer`)
        folder (`Path`): of the checkpoint; every process has its own file there.
    """
    measured = {
        "loss": trainer._tr_loss.detach().cpu(),
        "logged_step": trainer._globalstep_last_logged,
        "logs": {name: [value.cpu() for value in values] for name, values in trainer._outputs.items()},
        "doctor": trainer.doctor.state_dict() if trainer.doctor is not None else None,
    }
    torch.save(measured, folder / _name(trainer))


def load_measured(trainer, folder: Path) -> None:
    """The opposite; a checkpoint of an older hf_ssl has nothing to load."""
    path = folder / _name(trainer)
    if not path.is_file():
        return
    device = trainer.args.device
    measured = torch.load(path, map_location=device, weights_only=True)
    trainer._tr_loss, trainer._globalstep_last_logged = measured["loss"], measured["logged_step"]
    trainer._total_loss_scalar = -measured["loss"].item()  # `train_loss` is of the steps of one start
    trainer._outputs.update(measured["logs"])
    if trainer.doctor is not None and measured["doctor"] is not None:
        trainer.doctor.load_state_dict(measured["doctor"])


def _name(trainer) -> str:
    return f"measured_{trainer.args.process_index}.pt"
