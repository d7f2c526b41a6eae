"""A repository on the Hub as a push finds it: what it holds, and whether it may be written."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import validate_repo_id
from transformers.utils import CONFIG_NAME

from ..loading import PRETRAINING
from ..utils.redaction import remember
from .export import folders_of
from .hub_errors import clear_errors
from .published_files import CARD

_ATTRIBUTES = ".gitattributes"  # the Hub's own


@dataclass
class Repository:
    """
    Args:
        head (`str`, *optional*): the commit that the files are of, and that a new one follows; None before the first.
        branch (`str`): where a new commit goes.
        branch_exists (`bool`): a new branch starts at `head`.
        files (`dict[str, RepoFile]`): by path.
        branches, tags (`dict[str, str]`): name -> commit.
        knows_refs (`bool`): whether the server lists them; some do not.
    """

    api: HfApi
    id: str
    head: str | None
    branch: str
    branch_exists: bool
    files: dict[str, RepoFile]
    branches: dict[str, str]
    tags: dict[str, str]
    knows_refs: bool

    @cached_property
    def card(self) -> str | None:
        return self._read(CARD) if CARD in self.files else None

    @property
    def is_ours(self) -> bool:
        """Whether hf_ssl published what is here."""
        return self._method.startswith("ssl_")

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The subfolders of weights, see `folders_of`."""
        return folders_of(self._method)

    @cached_property
    def _method(self) -> str:
        """The `model_type` of what lies in `pretraining/`; an empty text where there is nothing."""
        path = f"{PRETRAINING}/{CONFIG_NAME}"
        if path not in self.files:
            return ""
        try:
            return str(json.loads(self._read(path))["model_type"])
        except (ValueError, KeyError, TypeError):
            return ""

    @property
    def is_empty(self) -> bool:
        return not self.files.keys() - {_ATTRIBUTES}

    @property
    def replaceable(self) -> list[str]:
        """All that a push over foreign content takes away."""
        return sorted(self.files.keys() - {_ATTRIBUTES})

    def files_at(self, revision: str) -> dict[str, RepoFile]:
        found = self.api.list_repo_tree(self.id, recursive=True, revision=revision)
        return {file.path: file for file in found if isinstance(file, RepoFile)}

    def _read(self, path: str) -> str:
        return Path(self.api.hf_hub_download(self.id, path, revision=self.head)).read_bytes().decode()


def open_repository(
    repo_id: str,
    *,
    token: str | bool | None = None,
    private: bool | None = None,
    revision: str | None = None,
    overwrite: bool = False,
    write: bool = True,
) -> Repository:
    """
    The repository, made where there is none; nothing in an existing one changes.

    Args:
        repo_id (`str`): "name" alone is one of your own.
        token (`str` or `bool`, *optional*): by default the one of `hf auth login` or HF_TOKEN.
        private (`bool`, *optional*): of a new repository.
        revision (`str`, *optional*, defaults to `"main"`): the branch.
        overwrite (`bool`, *optional*, defaults to `False`): whether content that is not of hf_ssl is accepted.
        write (`bool`, *optional*, defaults to `True`): whether the token must have the right to.

    Raises:
        ValueError: for a bad name, no token, no right, a public repository where a private one is asked for, a
            revision that is no branch, or foreign content.
        OSError: when the Hub or the network fails.
    """
    validate_repo_id(repo_id)
    revision = revision or "main"
    require_ref_name(revision)
    with clear_errors(repo_id):
        if not remember_token(token):
            raise ValueError(
                f"There is no token to push to {repo_id} with: log in with `hf auth login`, or set HF_TOKEN."
            )
        api = HfApi(token=token, library_name="hf_ssl")
        if "/" not in repo_id:
            repo_id = api.get_full_repo_name(repo_id)
        if not api.repo_exists(repo_id):
            api.create_repo(repo_id, private=private, exist_ok=True)
        info = api.model_info(repo_id)
        if private and not info.private:
            raise ValueError(f"{repo_id} is public, so that nothing private is pushed to it: change that on the Hub.")
        _unless_unknown(lambda: api.auth_check(repo_id, write=write))
        refs = _unless_unknown(
            lambda: api.list_repo_refs(repo_id, include_pull_requests=revision.startswith("refs/pr/"))
        )
        branches, tags, requests = (
            {ref.name: ref.target_commit for ref in found}
            for found in ((refs.branches, refs.tags, refs.pull_requests or []) if refs else ([], [], []))
        )
        if refs is None and info.sha:
            branches["main"] = info.sha
        if revision in tags:
            raise ValueError(f"{revision!r} is a tag of {repo_id}, and tags do not move: name a branch.")
        targets = branches | requests
        head = targets.get(revision, info.sha)
        repository = Repository(
            api, repo_id, head, revision, revision in targets, {}, branches, tags, refs is not None
        )
        listed = {sibling.rfilename for sibling in info.siblings or ()}
        repository.files = repository.files_at(head) if listed else {}
        if head == info.sha and repository.files.keys() != listed:
            raise OSError(f"The Hub names other files of {repo_id} each time that it is asked: push again.")
        if not (overwrite or repository.is_empty or repository.is_ours):
            raise ValueError(
                f"{repo_id} holds something that hf_ssl did not publish: choose another name, or replace it all with "
                "overwrite=True (hf-ssl push --overwrite)."
            )
    return repository


def remember_token(token: str | bool | None) -> str | None:
    """The token that is used, by default the one of `hf auth login` or HF_TOKEN; from now on no text shows it."""
    found = token if isinstance(token, str) else None if token is False else get_token()
    remember(found)
    return found or None


def _unless_unknown(question: Callable[[], Any]) -> Any:
    """The answer, or `None` from a server that serves models but does not know the question: a mirror, a cache."""
    try:
        return question()
    except HfHubHTTPError as error:
        if error.response.status_code != 404:
            raise
        return None


def require_ref_name(name: str) -> None:
    """A `ValueError` unless `name` can be a branch or a tag; 40 digits would be taken for a commit."""
    if not re.fullmatch(r"\w[\w./-]*", name) or ".." in name or name.endswith((".lock", "/", ".")):
        raise ValueError(
            f"{name!r} cannot be the name of a branch or a tag: use letters, digits, '-', '_', '.' and '/'."
        )
    if re.fullmatch("[0-9a-f]{40}", name):
        raise ValueError(f"{name!r} is a commit: name a branch or a tag.")
