"""From a folder, or a model, to a repository on the Hub: one commit, or none."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, ModelCard

from ..modeling_utils import SSLPreTrainedModel
from ..processing_utils import SSLProcessorMixin
from ..registry import method_of
from .card.build import build_card
from .card.validation import END_NOTES, NOTES, front_matter, split_notes, validate_card
from .export import export_pretrained
from .hub_errors import clear_errors
from .published_files import CARD, FIGURES, is_written_by_us, published_files
from .repository import Repository, open_repository, remember_token, require_ref_name
from .upload import commit_all, is_there


@dataclass(frozen=True)
class Publication:
    """
    Args:
        commit (`CommitInfo`): what holds the repository now; as text, its address.
        changed (`bool`): `False` when all of it was there already, and no commit was made.
    """

    commit: CommitInfo
    changed: bool


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    tag: str | None = None,
    token: str | bool | None = None,
    commit_message: str | None = None,
    commit_description: str | None = None,
    create_pr: bool = False,
    overwrite: bool = False,
    allow_links: bool = False,
) -> Publication:
    """
    Publish an exported repository in one commit: encoder, `pretraining/`, card, figures and results, nothing else.

    In the same commit goes what an earlier push wrote and this one does not: shards, results, figures of the card.
    Notes that were written into the card on the Hub stay where the folder's card has none. The same content again
    makes no commit. A push that is interrupted leaves the old state or the new one, and can be repeated.

    Args:
        folder (`str` or `Path`): what `export_pretrained`, `hf-ssl pretrain`, `export` or `convert` wrote.
        repo_id (`str`): "user/name"; made where there is none.
        private (`bool`, *optional*): of a new repository.
        revision (`str`, *optional*, defaults to `"main"`): the branch; a new one starts where main is.
        tag (`str`, *optional*): given to the commit when it is done.
        token (`str` or `bool`, *optional*): by default the one of `hf auth login` or HF_TOKEN.
        commit_message, commit_description (`str`, *optional*)
        create_pr (`bool`, *optional*, defaults to `False`): propose the commit as a pull request.
        overwrite (`bool`, *optional*, defaults to `False`): replace all of a repository that hf_ssl did not publish.
        allow_links (`bool`, *optional*, defaults to `False`): whether the card may lead to other places than this
            repository, with links and pictures.

    Raises:
        ValueError: before anything is uploaded, see `published_files` and `open_repository`; also for a tag that is
            at another commit.
        OSError: when the Hub or the network fails, or somebody else pushes at the same time: then nothing was written.
    """
    with clear_errors(repo_id):
        remember_token(token)
    files = published_files(folder, allow_links)
    _require_tag(tag, create_pr)
    repository = open_repository(
        repo_id, token=token, private=private, revision=revision, overwrite=overwrite, write=not create_pr
    )
    return _commit(files, repository, tag, commit_message, commit_description, create_pr, allow_links)


def push_model(
    model: SSLPreTrainedModel,
    repo_id: str,
    *,
    processor: SSLProcessorMixin | None = None,
    commit_message: str | None = None,
    commit_description: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    max_shard_size: int | str = "50GB",
    tags: list[str] | None = None,
    tag: str | None = None,
    license: str | None = None,
    run: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    allow_links: bool = False,
) -> CommitInfo:
    """
    Publish a method: its encoder as a native model, the whole of it under `pretraining/`, and a card, in one commit.

    Args:
        model (`SSLPreTrainedModel`): a `...ForPreTraining`.
        repo_id (`str`): "user/name"; made where there is none.
        processor (`SSLProcessorMixin`): the method's image processor: without it nobody could use the weights.
        max_shard_size (`int` or `str`, *optional*, defaults to `"50GB"`): of one file of weights.
        tags (`list[str]`, *optional*): more tags for the card.
        tag (`str`, *optional*): git tag of the commit.
        license (`str`, *optional*): of the weights; by default that of the card on the Hub, or "apache-2.0".
        run (`dict`, *optional*): facts for the card, see `build_card`.
        commit_message, commit_description, private, token, revision, create_pr, overwrite, allow_links: see
            `push_folder`.

    Returns:
        `CommitInfo`: of the new commit, or of the one that holds the same already.

    Raises:
        ValueError: without a processor; and see `push_folder`, also for `OSError`.
    """
    if not isinstance(processor, SSLProcessorMixin):
        raise ValueError(f"Name the image processor of the model: push_to_hub({repo_id!r}, processor=...).")
    _require_tag(tag, create_pr)
    repository = open_repository(
        repo_id, token=token, private=private, revision=revision, overwrite=overwrite, write=not create_pr
    )
    with clear_errors(repository.id):
        existing = repository.card if repository.is_ours else None
    with tempfile.TemporaryDirectory() as folder:
        card = write_card(
            model, processor, run=run, repo_id=repository.id, existing=existing, license=license, tags=tags
        )
        export_pretrained(model, processor, folder, card, max_shard_size=max_shard_size)
        files = published_files(folder, allow_links)
        return _commit(files, repository, tag, commit_message, commit_description, create_pr, allow_links).commit


def write_card(
    model: SSLPreTrainedModel,
    processor: SSLProcessorMixin,
    *,
    results: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    figures: Sequence[str] = (),
    check: Mapping[str, Any] | None = None,
    repo_id: str | None = None,
    existing: str | None = None,
    license: str | None = None,
    tags: Sequence[str] | None = None,
) -> str:
    """
    The card of `build_card`, with the licence of the `existing` card by default, or "apache-2.0", and with more tags.
    """
    if license is None:
        license = front_matter(existing).get("license") if existing else None
    card = build_card(
        method_of(model.config),
        model,
        processor,
        results=results,
        run=run,
        figures=figures,
        repo_id=repo_id,
        existing=existing,
        license=license or "apache-2.0",
        check=check,
    )
    if tags:
        parsed = ModelCard(card)
        parsed.data.tags = [*parsed.data.tags, *(tag for tag in tags if tag not in parsed.data.tags)]
        card = str(parsed)
    return card


def _require_tag(tag: str | None, create_pr: bool) -> None:
    if tag is not None:
        require_ref_name(tag)
        if create_pr:
            raise ValueError(
                f"A pull request is no commit yet that could have the tag {tag!r}: tag it when it is merged."
            )


def _commit(
    files: dict[str, Path],
    repository: Repository,
    tag: str | None,
    message: str | None,
    description: str | None,
    create_pr: bool,
    allow_links: bool,
) -> Publication:
    api = repository.api
    with clear_errors(repository.id):
        additions, cards = _additions(files, repository, allow_links)
        new = [
            addition for addition in additions if not is_there(addition, repository.files.get(addition.path_in_repo))
        ]
        gone = [CommitOperationDelete(path) for path in _stale(files, repository, *cards)]
        if tag in repository.branches or tag == repository.branch:
            raise ValueError(f"{tag!r} is a branch of {repository.id}: choose another name for the tag.")
        if tag in repository.tags and (new or gone or not _is_at(repository.tags[tag], additions, repository)):
            raise ValueError(
                f"{repository.id} has the tag {tag!r} already, at commit {repository.tags[tag][:8]} with other "
                "content: choose another name."
            )
        if not (repository.branch_exists or create_pr):
            api.create_branch(repository.id, branch=repository.branch, revision=repository.head, exist_ok=True)
        message = message or "Upload encoder and pretraining model with hf_ssl"
        if new or gone:
            commit = commit_all(repository, new, gone, message=message, description=description, create_pr=create_pr)
        else:
            url = f"{api.endpoint}/{repository.id}/commit/{repository.head}"
            commit = CommitInfo(url, message, description or "", repository.head, _endpoint=api.endpoint)
        if tag is not None and tag not in repository.tags:
            api.create_tag(repository.id, tag=tag, revision=commit.oid)
            if repository.knows_refs and tag not in {ref.name for ref in api.list_repo_refs(repository.id).tags}:
                raise OSError(f"{repository.id} does not have the tag {tag!r} that was made: push again.")
    return Publication(commit, changed=bool(new or gone))


def _is_at(commit: str, additions: list[CommitOperationAdd], repository: Repository) -> bool:
    """Whether a commit, perhaps before one of somebody else's, has the content that the branch has, as far as ours."""
    if commit == repository.head:
        return True
    files = repository.files_at(commit)
    ours = all(is_there(addition, files.get(addition.path_in_repo)) for addition in additions)
    return ours and all(path in repository.files for path in files if is_written_by_us(path, repository.folders))


def _additions(
    files: dict[str, Path], repository: Repository, allow_links: bool
) -> tuple[list[CommitOperationAdd], tuple[str, str]]:
    """All files, the card with the notes of the one that is there; and the card that is there, and the new one."""
    old, new = repository.card or "", files[CARD].read_bytes().decode()
    mine, theirs = split_notes(new)[1], split_notes(old)[1]
    if repository.is_ours and mine and theirs and not "".join(mine).strip():
        new = new.replace(f"{NOTES}{mine[0]}{END_NOTES}", f"{NOTES}{theirs[0]}{END_NOTES}", 1)
        if problems := validate_card(new, allow_links):
            raise ValueError(f"The notes in the card of {repository.id} are not sound: {' '.join(problems)}")
    contents = {path: str(file) for path, file in files.items()} | {CARD: new.encode()}
    return [CommitOperationAdd(path, content) for path, content in contents.items()], (old, new)


def _stale(files: dict[str, Path], repository: Repository, old_card: str, new_card: str) -> list[str]:
    """What goes; a figure only if it was in the old card and is not in the new one, others may be the owner's."""
    if not repository.is_ours:
        return [path for path in repository.replaceable if path not in files]
    left = [path for path in repository.files if is_written_by_us(path, repository.folders) and path not in files]
    return [p for p in left if not p.startswith(f"{FIGURES}/") or (p in old_card and p not in new_card)]
