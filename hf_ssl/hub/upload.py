"""One commit: all of it or nothing, whatever the Hub answers."""

from collections.abc import Mapping, Sequence

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.sha import git_hash

from .repository import Repository


def is_there(addition: CommitOperationAdd, file: RepoFile | None) -> bool:
    """Whether a repository holds a file as it would be sent."""
    if file is None or file.size != addition.upload_info.size:
        return False
    if file.lfs is not None:
        return file.lfs.sha256 == addition.upload_info.sha256.hex()
    with addition.as_file() as content:
        return file.blob_id == git_hash(content.read())


def commit_all(
    repository: Repository,
    additions: Sequence[CommitOperationAdd],
    deletions: Sequence[CommitOperationDelete],
    *,
    message: str,
    description: str | None,
    create_pr: bool,
) -> CommitInfo:
    """
    Raises:
        ValueError: for a file that the repository's `.gitignore` leaves out: nothing is written then.
        OSError: when the Hub holds something else afterwards than what was sent.
    """
    api, branch = repository.api, repository.branch if repository.branch_exists or not create_pr else None
    api.preupload_lfs_files(repository.id, additions, revision=branch, create_pr=create_pr or None, free_memory=False)
    # `create_commit` drops, without a word, what the Hub says is ignored or there already; no public name says which.
    for addition in additions:
        if addition._should_ignore:
            raise ValueError(
                f"{repository.id} would leave out {addition.path_in_repo}, by its .gitignore: mend that on the Hub, "
                "and push again."
            )
    commit = api.create_commit(
        repository.id,
        [*additions, *deletions],
        commit_message=message,
        commit_description=description,
        revision=branch,
        parent_commit=repository.head,
        create_pr=create_pr,
    )
    files: Mapping[str, RepoFile] = repository.files_at(commit.oid)
    wrong = [
        addition.path_in_repo for addition in additions if not is_there(addition, files.get(addition.path_in_repo))
    ]
    wrong += [deletion.path_in_repo for deletion in deletions if deletion.path_in_repo in files]
    if wrong:
        raise OSError(f"{repository.id} does not hold {wrong[0]} as it was sent: push again.")
    return commit
