"""Methods that other installed packages bring, found in their metadata: none of them is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "hf_ssl.methods"
_SUFFIX = "ForPreTraining"


@dataclass(frozen=True)
class InstalledMethod:
    """
    A method as the metadata of an installed package announces it.

    Args:
        package (`str`): name of the package, as pip has it.
        module (`str`): what is imported when the method is first used; it calls `register_method`.
        stem (`str`): what the names of the method's classes begin with, such as "NNCLR".
    """

    package: str
    module: str
    stem: str


def installed_methods() -> dict[str, InstalledMethod | str]:
    """
    Name of the method -> what announces it, from the entry points of the group `hf_ssl.methods`.

    An entry point has the name of the method and leads to its model for pretraining, so that the names of its classes
    are known without an import: `nnclr = "nnclr:NNCLRForPreTraining"`. Where it does not, or where several packages
    bring a method of one name, a sentence stands in its place.
    """
    from importlib.metadata import entry_points  # takes a tenth of a second

    found: dict[str, dict[str, EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, {})[entry.dist.name if entry.dist else entry.module] = entry
    return {name: _announced(name, packages) for name, packages in sorted(found.items())}


def _announced(name: str, packages: dict[str, EntryPoint]) -> InstalledMethod | str:
    if len(packages) > 1:
        return f"The packages {' and '.join(sorted(packages))} both bring a method {name!r}: uninstall one of them."
    ((package, entry),) = packages.items()
    module, _, attribute = entry.value.partition(":")
    if not module or not attribute.endswith(_SUFFIX):
        return (
            f"The package {package} announces the method {name!r} as {entry.value!r}: its entry point has to lead to "
            f'the model for pretraining, such as {name} = "module:Name{_SUFFIX}".'
        )
    return InstalledMethod(package, module.strip(), attribute.strip().removesuffix(_SUFFIX))
