"""The command line before typer reads it: one spelling, every mistake in one sentence, training arguments apart."""

import argparse
import inspect
import math
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from ..registry import METHODS
from ..utils.redaction import redacted_words
from ..utils.spelling import closest
from .suggestions import unknown_command, unknown_option

_YES, _NO = ("yes", "true", "t", "y", "1"), ("no", "false", "f", "n", "0")
_KINDS = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Option:
    """
    Args:
        name (`str`): as it is written: `--image-size`, `--num_train_epochs`.
        kind (`type`): `bool` for switches, `int`, `float` or `str`.
        many (`bool`): takes several values at once.
        repeats (`bool`): may be given more than once.
        off (`str`, *optional*): of a switch without values: what turns it off.
        switch (`bool`): whether it takes no value.
        choices (`tuple[str]`): the values that there are; empty for any.
    """

    name: str
    kind: type
    many: bool = False
    repeats: bool = False
    off: str | None = None
    switch: bool = False
    choices: tuple[str, ...] = ()

    def written(self, values: list[str]) -> list[str]:
        """The words of a command line that mean this; a `ValueError` when the values are none of its own."""
        if self.kind is bool:
            value = values[0].lower() if values else "true"
            if value not in _YES + _NO:
                raise ValueError(f"{self.name} takes true or false, not {values[0]!r}.")
            if not self.switch:
                return [f"{self.name}={value}"]
            return [self.name] if value in _YES else [self.off] if self.off else []
        if not values:
            what = _KINDS.get(self.kind) or (f"one of {', '.join(self.choices)}" if self.choices else "a value")
            raise ValueError(f"{self.name} needs {what} behind it.")
        for value in values:
            self.check(value)
        values = [os.path.expanduser(value) for value in values]  # a shell leaves --data=~/photos as it is
        return [self.name, *values] if self.many else [f"{self.name}={values[0]}"]

    def check(self, value: str) -> None:
        if self.kind in _KINDS:
            try:
                sound = math.isfinite(self.kind(value))
            except (ValueError, OverflowError):
                sound = False
            if not sound:
                raise ValueError(f"{self.name} takes {_KINDS[self.kind]}, not {value!r}.")
        if self.choices and value not in self.choices:
            known = f" Known: {', '.join(self.choices)}." if len(self.choices) < 16 else ""
            raise ValueError(f"{self.name} has no choice {value!r}.{closest(value, self.choices)}{known}")


def read_command_line(argv: list[str], commands: dict[str, Callable]) -> tuple[dict[str, Any], list[str]]:
    """
    Check a command line.

    Args:
        argv (`list[str]`): without the program.
        commands (`dict`): the function of every command, by name.

    Returns:
        `(dict, list[str])`: the training arguments that are set, and what is left for typer.

    Raises:
        ValueError: for whatever cannot be what the user meant, with what may have been.
    """
    name, rest = argv[0], argv[1:]
    if name.startswith("-"):
        meant = closest(name, ("--version", "--help", "--install-completion", "--show-completion"))
        remedy = meant or f" Write hf-ssl COMMAND {name}."
        raise ValueError(f"There is no option {name} before the command.{remedy}")
    if name not in commands:
        raise ValueError(unknown_command(name, commands))
    command = commands[name]
    own = own_options(command)
    other = {}
    if name == "pretrain" and not {_key(token) for token in rest if _is_option(token)} <= own.keys():
        other = training_options()
    training, words, positional, loose = _sort(name, command, rest, own, other)
    _check_arguments(name, command, positional, loose)
    return parse_training(training) if training else {}, [name, *words, *(["--", *positional] if positional else [])]


def own_options(command: Callable) -> dict[str, Option]:
    """The options of one of our commands, by name with dashes."""
    found = {}
    for name, kind, info in _parameters(command, OptionInfo):
        on, _, off = (info.param_decls or (f"--{name}/--no-{name}" if kind is bool else f"--{name}",))[0].partition(
            "/"
        )
        repeats = get_origin(kind) is list
        known = kind if kind in (bool, int, float) else str
        for option, other in ((on, off), (off, on)) if off else ((on, None),):
            found[_key(option)] = Option(option, known, repeats=repeats, switch=kind is bool, off=other)
    return found


def _parameters(command: Callable, wanted: type) -> Iterable[tuple[str, Any, Any]]:
    """Name with dashes, type (that of the values for `X | None`), and typer's description of some parameters."""
    for name, hint in get_type_hints(command, include_extras=True).items():
        if get_origin(hint) is Annotated:
            kind, info = get_args(hint)
            if get_origin(kind) is UnionType:
                kind = next(part for part in get_args(kind) if part is not type(None))
            if isinstance(info, wanted):
                yield name.replace("_", "-"), kind, info


def training_options() -> dict[str, Option]:
    """The fields of `SSLTrainingArguments`, by name with dashes."""
    found = {}
    for action in _training_parser()._actions:
        off = isinstance(action, argparse._StoreFalseAction)
        kind = action.type if action.type in _KINDS else str
        if off or action.type is not None and action.type.__name__ == "string_to_bool":
            kind = bool
        choices = tuple(map(str, action.choices)) if action.choices else ()
        found[_key(action.option_strings[0])] = Option(
            action.option_strings[0], kind, action.nargs == "+", switch=off, choices=choices
        )
    return found


def parse_training(argv: list[str]) -> dict[str, Any]:
    """The explicit fields of `SSLTrainingArguments` on a command line that holds nothing else."""
    return vars(_training_parser().parse_args(argv))


def _training_parser():
    from transformers import HfArgumentParser

    from ..training import SSLTrainingArguments

    parser = HfArgumentParser(
        SSLTrainingArguments, allow_abbrev=False, add_help=False, argument_default=argparse.SUPPRESS
    )
    for action in parser._actions:
        action.default = argparse.SUPPRESS

    def error(message: str):
        raise ValueError(f"{message[0].upper()}{message[1:]}: see hf-ssl pretrain --help.")

    parser.error = error
    return parser


def _is_option(token: str) -> bool:
    return token.startswith("-") and len(token) > 1 and not token[1].isdigit() and token[1] != "."


def _key(token: str) -> str:
    return token.partition("=")[0].lstrip("-").replace("_", "-")


def _sort(
    command: str, function: Callable, tokens: Sequence[str], own: dict[str, Option], other: dict[str, Option]
) -> tuple[list[str], list[str], list[str], dict[str, str]]:
    """
    Words for the training arguments, words for the command, the arguments that are no options, and the switch before
    such an argument.
    """
    known = other | own
    waiting, positional, seen = list(tokens), [], {}
    training, words, loose = [], [], {}
    while waiting:
        token = waiting.pop(0)
        if token == "--":
            positional += waiting
            break
        if not _is_option(token):
            positional.append(token)
            continue
        option = known.get(_key(token))
        if option is None or not token.startswith("--") and len(option.name) > 2:
            value = token.partition("=")[2] or (waiting[0] if waiting and not _is_option(waiting[0]) else "")
            arguments = [argument for argument, _, _ in _parameters(function, ArgumentInfo)]
            names = {name: option.name for name, option in known.items()}
            raise ValueError(unknown_option(command, token.partition("=")[0], value, names, arguments))
        _, sign, value = token.partition("=")
        values = [value] if sign else []
        while not sign and waiting and not _is_option(waiting[0]) and (option.many or not values):
            # A switch stands alone unless a yes or no follows.
            if option.kind is bool and waiting[0].lower() not in _YES + _NO:
                loose[waiting[0]] = option.name
                break
            values.append(waiting.pop(0))
        if not option.repeats and seen.setdefault(option, values) != values:
            raise ValueError(
                f"{option.name} is given twice, as {' '.join(seen[option])!r} and {' '.join(values)!r}: keep one."
            )
        (words if _key(token) in own else training).extend(option.written(values))
    return training, words, positional, loose


def _check_arguments(name: str, command: Callable, given: list[str], loose: dict[str, str]) -> None:
    defaults = inspect.signature(command).parameters
    wanted = [(argument.replace("-", "_"), info.help) for argument, _, info in _parameters(command, ArgumentInfo)]
    for argument, meaning in wanted[len(given) :]:
        if defaults[argument].default is inspect.Parameter.empty:
            usage = " ".join(other.upper() for other, _ in wanted)
            raise ValueError(
                f"{argument.upper()} is missing: write hf-ssl {name} {usage}, with {argument.upper()}: "
                f"{meaning[0].lower()}{meaning[1:]}"
            )
    for argument, switch in loose.items():
        if len(given) > len(wanted) or name == "pretrain" and argument not in METHODS:
            raise ValueError(f"{switch} takes true or false, not {argument!r}.")
    if len(given) > len(wanted):
        extra = given[len(wanted)]
        hint = f"see hf-ssl {name} --help."
        if name == "pretrain":
            hint = "one method at a time." if extra in METHODS else f"images are named with --data {extra}."
        raise ValueError(f"{extra!r} is one argument too many for hf-ssl {name}: {hint}")


def shown_command(arguments: list[str]) -> str:
    """The command line, without tokens and passwords."""
    return shlex.join(["hf-ssl", *redacted_words(arguments)])
