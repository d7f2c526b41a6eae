"""Repositories in memory: content by its hash, commits that never change, branches and tags that point at them."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch

# What the Hub writes into a new repository, in short.
GIT_ATTRIBUTES = "".join(
    f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n"
    for suffix in "bin ckpt h5 npz pkl pt pth safetensors zip".split()
).encode()
LARGE = 10_000_000  # bytes; what is larger goes to the storage, whatever its name


class Refusal(Exception):
    """An answer other than 200, with the Hub's headers."""

    def __init__(self, status: int, message: str, code: str | None = None, **body):
        super().__init__(message)
        self.status, self.message, self.code, self.body = status, message, code, {"error": message, **body}


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class File:
    content: bytes = field(repr=False)
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def oid(self) -> str:
        """As git has it: of the pointer, for a large file."""
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        return git_hash(pointer.encode() if self.lfs else self.content)

    def info(self, path: str) -> dict:
        large = {"oid": self.sha256, "size": len(self.content), "pointerSize": 130}
        return {"type": "file", "path": path, "size": len(self.content), "oid": self.oid} | (
            {"lfs": large} if self.lfs else {}
        )


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    files: Mapping[str, File]
    title: str
    description: str
    author: str


@dataclass
class Repo:
    id: str
    type: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pull_requests: dict[str, str] = field(default_factory=dict)

    def find(self, revision: str) -> Commit:
        refs = {**self.tags, **self.branches, **self.pull_requests}
        oid = refs.get(revision.removeprefix("refs/heads/"), revision)
        if oid not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[oid]

    def history(self, revision: str) -> list[Commit]:
        """Newest first."""
        found = [self.find(revision)]
        while found[-1].parent:
            found.append(self.commits[found[-1].parent])
        return found

    def add(self, parent: str | None, files: Mapping[str, File], title: str, description: str, author: str) -> Commit:
        tree = {path: file.oid for path, file in sorted(files.items())}
        text = json.dumps([len(self.commits), parent, tree, title, description, author])
        commit = Commit(hashlib.sha1(text.encode()).hexdigest(), parent, dict(files), title, description, author)
        self.commits[commit.oid] = commit
        return commit

    def commit(
        self, revision: str, lines: Iterable[dict], storage: Mapping[str, bytes], author: str, pr: bool
    ) -> dict:
        """One commit from the lines of the client, whole or not at all."""
        lines = list(lines)
        head = self.find(revision)
        if revision not in self.branches and revision not in self.pull_requests and not pr:
            raise Refusal(400, f"{revision} is no branch.")
        header = next(line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit") and header["parentCommit"] != head.oid and not pr:
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for line in lines:
            changed(files, line["key"], line["value"], storage)
        commit = self.add(head.oid, files, header["summary"], header.get("description", ""), author)
        if pr:
            revision = f"refs/pr/{len(self.pull_requests) + 1}"
        (self.branches if revision in self.branches else self.pull_requests)[revision] = commit.oid
        return {"commitOid": commit.oid, "pullRequest": revision.rpartition("/")[2] if pr else None}

    def upload_mode(self, path: str, size: int, revision: str) -> str:
        rules = self.find(revision).files[".gitattributes"].content.decode().split("\n")
        patterns = [rule.split()[0] for rule in rules if "filter=lfs" in rule]
        name = path.rpartition("/")[2]
        return "lfs" if size > LARGE or any(fnmatch(name, pattern) for pattern in patterns) else "regular"


def changed(files: dict[str, File], key: str, value: dict, storage: Mapping[str, bytes]) -> None:
    path = value.get("path", "")
    if key == "file":
        files[path] = File(base64.b64decode(value["content"]), lfs=False)
    elif key == "lfsFile":
        if value["oid"] not in storage:
            raise Refusal(400, f"The storage has no object {value['oid']} for {path}.")
        files[path] = File(storage[value["oid"]], lfs=True)
    elif key == "deletedFile":
        if path not in files:
            raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
        del files[path]
    elif key == "deletedFolder":
        for name in [name for name in files if name.startswith(path.rstrip("/") + "/")]:
            del files[name]
    elif key != "header":
        raise Refusal(400, f"Unknown operation {key}.")


class Store:
    """
    All that a Hub remembers.

    Args:
        tokens (`dict[str, tuple[str, str]]`): token -> name of its user, and "read" or "write".
    """

    def __init__(self, tokens: Mapping[str, tuple[str, str]]):
        self.tokens, self.repos, self.objects = dict(tokens), {}, {}

    def user(self, token: str | None) -> tuple[str | None, str]:
        if token is None:
            return None, "none"
        if token not in self.tokens:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return self.tokens[token]

    def repo(self, kind: str, name: str, token: str | None, write: bool = False) -> Repo:
        """The repository, if the token may see it, and write to it; kind is "models" or "datasets"."""
        user, role = self.user(token)
        repo = self.repos.get((kind, name))
        if repo is None or (repo.private and name.split("/")[0] != user):
            raise Refusal(401 if user is None else 404, "Repository not found", "RepoNotFound")
        if write and user is None:
            raise Refusal(401, "Invalid username or password.")
        if write and (role != "write" or name.split("/")[0] != user):
            raise Refusal(403, "Forbidden: you must use a write token to write to a repository of yours")
        return repo

    def create(self, payload: Mapping, token: str | None) -> Repo:
        user, role = self.user(token)
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        owner = payload.get("organization") or user
        kind, name = f"{payload.get('type') or 'model'}s", f"{owner}/{payload['name']}"
        if role != "write" or owner != user:
            raise Refusal(403, f"You don't have the rights to create a {kind[:-1]} under the namespace {owner!r}")
        if (kind, name) in self.repos:
            raise Refusal(409, "You already created this model repo", url=name)
        repo = self.repos[kind, name] = Repo(name, kind, payload.get("visibility") == "private")
        files = {".gitattributes": File(GIT_ATTRIBUTES, lfs=False)}
        repo.branches["main"] = repo.add(None, files, "initial commit", "", user).oid
        return repo
