"""What goes wrong on the Hub, each as one sentence that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from ..network import bounded_waiting


@contextmanager
def clear_errors(repo_id: str) -> Iterator[None]:
    """
    Raises:
        ValueError: for what the user can mend: a token, a right, a name, a card that the Hub refuses.
        OSError: for a network or a Hub that fails, and when somebody else pushed at the same time.
    """
    try:
        with bounded_waiting():
            yield
    except HfHubHTTPError as error:
        raise _clear(error, repo_id) from error
    except ValueError as error:
        if not isinstance(error.__cause__, BadRequestError):
            raise
        raise ValueError(f"The Hub refuses the card: {' '.join(str(error).split())}") from error
    except OfflineModeIsEnabled as error:
        raise OSError(f"{repo_id} cannot be reached: HF_HUB_OFFLINE is set. Unset it to push.") from error
    except (HTTPError, LocalEntryNotFoundError) as error:
        raise OSError(
            f"The Hub at {constants.ENDPOINT} cannot be reached ({type(error).__name__}): look at the network "
            "and push again."
        ) from error


def _clear(error: HfHubHTTPError, repo_id: str) -> Exception:
    status = error.response.status_code
    said = " ".join((error.server_message or "no reason given").split())
    if status == 412:
        return OSError(
            f"Somebody else pushed to {repo_id} at the same time, so nothing of this was written: push again."
        )
    if status == 429 or status >= 500:
        return OSError(f"The Hub is busy or out of order ({status}: {said}): push again later.")
    if status == 403:
        return ValueError(f"The token may not write to {repo_id} ({said}): use one with write access to it.")
    if status == 401 and not isinstance(error, RepositoryNotFoundError):
        return ValueError(f"The Hub does not know this token ({said}): log in again with `hf auth login`.")
    if isinstance(error, RepositoryNotFoundError):
        return ValueError(f"There is no repository {repo_id}, or the token may not see it.")
    return ValueError(f"The Hub refuses this push to {repo_id} ({status}: {said}).")
