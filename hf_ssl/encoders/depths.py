"""How deep in a network a parameter is, told from the names and the order of all its parameters."""

import re

# Where the blocks of an encoder stand in the names of its parameters: a list of blocks, or stages of such lists.
_BLOCK = re.compile(r"(?:^|\.)(?:stages|layers?|blocks?)\.\d+(?:\.(?:layers?|blocks)\.\d+|\.\d+)?(?=\.)")


class Depths:
    """
    Args:
        names (`list[str]`): of all parameters of a network, in the order of its modules.
    """

    def __init__(self, names: list[str]):
        found = [_BLOCK.search(name) for name in names]
        first = next((i for i, block in enumerate(found) if block), len(names))
        self.embeddings = set(names[:first])
        paths = dict.fromkeys(block[0].lstrip(".") for block in found if block)
        innermost = max((len(re.findall(r"\d+", path)) for path in paths), default=0)
        self._paths, depth = {}, 0
        for path in paths:  # what joins two stages belongs to the block before it
            depth += len(re.findall(r"\d+", path)) == innermost
            self._paths[path] = max(depth, 1)
        self.blocks = depth

    def of(self, name: str) -> int:
        """0 for what comes before the first block, then the number of the block, and one more for what comes after."""
        if block := _BLOCK.search(name):
            return self._paths.get(block[0].lstrip("."), 1)
        return 0 if name in self.embeddings else self.blocks + 1
