"""What goes wrong on the Hub, each as one sentence that says what to do."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    BadRequestError,
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ..utils.network import bounded_waiting
from ..utils.printing import printable
from ..utils.redaction import redacted

_CLIENT = os.path.dirname(huggingface_hub.__file__)
_LONGEST = 300  # characters of what a server said
_FULL = ("quota", "storage", "no space", "exceeded", "too many files", "payment")
# Status -> what it means and what to do. {repo}, {said} and {hub} are filled in.
_LATER = "The Hub is busy or out of order ({said}): push again later."
_AT_ONCE = "Somebody else pushed to {repo} at the same time, so nothing of this was written: push again."
_TOO_LARGE = (
    "The Hub finds this push to {repo} too large ({said}): write the weights in smaller files, with max_shard_size."
)
_NO_PAGE = "The server at {hub} does not know what was asked of it ({said}): look at HF_ENDPOINT, and push again."
_OF_NETWORK = {
    **dict.fromkeys((408, 425, 429), _LATER),
    **dict.fromkeys((409, 412), _AT_ONCE),
    **dict.fromkeys((404, 405, 410), _NO_PAGE),
}
_OF_USER = {413: _TOO_LARGE, 414: _TOO_LARGE, 416: _TOO_LARGE}
_OTHER = "The Hub refuses this push to {repo} ({said}): mend what it names, and push again."
_HINTS = {
    "TooManyRedirects": "it sends requests in a circle, so look at HF_ENDPOINT and the proxy",
    "TooLong": "it answers without end, so look at HF_ENDPOINT and the proxy",
    "Timeout": "it did not answer in time, so try later",
    "CERTIFICATE": "its certificate is not trusted, so look at the proxy, the clock and SSL_CERT_FILE",
    "Name or service": "its name is not known, so look at the network and HF_ENDPOINT",
}


class HubRefusal(ValueError):
    """What the Hub refuses, and the user can mend: a token, a right, a card."""


@contextmanager
def clear_errors(repo_id: str) -> Iterator[None]:
    """
    Raises:
        HubRefusal: for what the user can mend: a token, a right, a name, a card that the Hub refuses.
        OSError: for a network or a Hub that fails, and when somebody else pushed at the same time.
    """
    try:
        with bounded_waiting():
            yield
    except Exception as error:
        clear = _clear(error, repo_id)
        if clear is None:
            raise
        raise clear from error


def _clear(error: Exception, repo_id: str) -> Exception | None:
    """The error in our words; `None` for one that is in them already, or has nothing to do with the Hub."""
    if isinstance(error, OfflineModeIsEnabled):
        return OSError(f"{repo_id} cannot be reached: HF_HUB_OFFLINE is set. Unset it to push.")
    chain = list(_chain(error))
    if isinstance(error, ValueError) and isinstance(error.__cause__, BadRequestError):
        return HubRefusal(f"The Hub refuses the card: {_said(str(error))}")
    if refused := next((cause for cause in chain if isinstance(cause, HfHubHTTPError)), None):
        return _of_status(refused, repo_id)
    if failed := next((cause for cause in chain if isinstance(cause, HTTPError)), None):
        name, text = type(failed).__name__, _said(str(failed))
        hint = next((hint for part, hint in _HINTS.items() if part in f"{name} {text}"), "look at the network")
        return OSError(f"The Hub at {constants.ENDPOINT} cannot be reached ({name}): {hint}, and push again.")
    of_disk = any(isinstance(cause, OSError) and cause.errno is not None for cause in chain)
    of_client = any(frame.filename.startswith(_CLIENT) for frame in traceback.extract_tb(error.__traceback__))
    if of_disk or not of_client or isinstance(error, (MemoryError, HFValidationError)):
        return None
    reason = _said(f"{type(chain[-1]).__name__}: {chain[-1]}")
    return OSError(
        f"The server at {constants.ENDPOINT} answers as no Hub does ({reason}): look at HF_ENDPOINT and the proxy, "
        "and push again."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _of_status(error: HfHubHTTPError, repo_id: str) -> Exception:
    status = error.response.status_code
    said = f"{status}: {_said(error.server_message or '') or 'no reason given'}"
    if isinstance(error, GatedRepoError):
        return HubRefusal(f"{repo_id} is gated ({said}): ask for access to it on its page, and push again.")
    if isinstance(error, DisabledRepoError):
        return HubRefusal(f"{repo_id} is disabled on the Hub ({said}): choose another name.")
    if isinstance(error, RepositoryNotFoundError):
        return HubRefusal(
            f"There is no repository {repo_id}, or the token may not see it: check both, and push again."
        )
    if isinstance(error, RevisionNotFoundError | EntryNotFoundError):
        return OSError(_AT_ONCE.format(repo=repo_id))
    if status == 401:
        return HubRefusal(f"The Hub does not know this token ({said}): log in again with `hf auth login`.")
    if status in (402, 403, 507) and any(word in said.lower() for word in _FULL):
        return HubRefusal(f"The Hub has no room for {repo_id} ({said}): make some, or ask for more, and push again.")
    if status == 403:
        return HubRefusal(f"The token may not write to {repo_id} ({said}): use one with write access to it.")
    if status in _OF_USER:
        return HubRefusal(_OF_USER[status].format(repo=repo_id, said=said))
    if status in _OF_NETWORK or status >= 500:
        sentence = _OF_NETWORK.get(status, _LATER)
        return OSError(sentence.format(repo=repo_id, said=said, hub=constants.ENDPOINT))
    return HubRefusal(_OTHER.format(repo=repo_id, said=said))


def _said(text: str) -> str:
    """What a server said, in one line; a page of HTML says nothing."""
    text = " ".join(text.split())
    return "" if text.startswith("<") else redacted(printable(text[:_LONGEST]))
