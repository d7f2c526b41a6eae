"""The one error of the data layer."""

from ..utils.printing import printable


class DataError(ValueError):
    """One sentence that names the file, folder or argument at fault and says what to do about it."""

    def __init__(self, sentence: str):
        # A DataLoader makes it anew from the traceback in its worker, which ends with the sentence.
        if sentence.startswith("Caught DataError in DataLoader worker"):
            sentence = sentence.rpartition(f"\n{__name__}.DataError: ")[2].strip()
        super().__init__(printable(sentence))  # a name, or a library, may put anything into it
