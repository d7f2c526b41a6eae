"""The one error of the data layer."""


class DataError(ValueError):
    """One sentence that names the file, folder or argument at fault and says what to do about it."""
