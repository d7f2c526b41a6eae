"""How a run ends that a signal asked to end."""

import signal


class Stopped(KeyboardInterrupt):
    """
    A signal ended what was going on; what could be kept was kept.

    Args:
        signum (`int`): the signal.
        message (`str`): what was kept, in one sentence for the user.
    """

    def __init__(self, signum: int, message: str):
        super().__init__(message)
        self.signum = signal.Signals(signum)
