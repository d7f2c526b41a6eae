"""Training arguments that keep their token to themselves."""

import copy
from dataclasses import dataclass
from typing import Any

from transformers import TrainingArguments


@dataclass(repr=False)
class HiddenToken(TrainingArguments):
    """
    `hub_token` is never written: not by `torch.save` of the arguments, which makes `training_args.bin`, not as text.
    Arguments that were loaded have none, and use that of `hf auth login` or HF_TOKEN. Copies in memory keep it.
    """

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"hub_token": None}

    def __copy__(self):
        return self._with(vars(self))

    def __deepcopy__(self, memo: dict[int, Any]):
        return self._with(copy.deepcopy(vars(self), memo))

    def _with(self, values: dict[str, Any]):
        new = object.__new__(type(self))
        vars(new).update(values)
        return new
