"""The Hub on loopback does what the real client expects of a Hub."""

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session

WEIGHTS = bytes(range(256)) * 10


@pytest.fixture
def api(hub):
    return HfApi(token="hf_write")


@pytest.fixture
def repo(api):
    """A small file, a large one, and a large one in a folder."""
    api.create_repo("me/one")
    operations = [
        CommitOperationAdd("notes.txt", b"one"),
        CommitOperationAdd("model.safetensors", WEIGHTS),
        CommitOperationAdd("inner/deep/model.safetensors", WEIGHTS[1:]),
    ]
    return api.create_commit("me/one", operations, commit_message="first", commit_description="said")


def test_a_repository_is_made_once(api, hub):
    assert api.whoami()["name"] == "me"
    assert api.create_repo("one").repo_id == "me/one"
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo("me/one")
    assert api.create_repo("me/one", exist_ok=True).repo_id == "me/one"
    info = api.model_info("me/one")
    assert [s.rfilename for s in info.siblings] == [".gitattributes"] and not info.private
    api.create_repo("me/data", repo_type="dataset")
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id="me/data", repo_type="dataset")
    assert api.list_repo_files("me/data", repo_type="dataset") == [".gitattributes", "x.txt"]
    api.delete_repo("me/one")
    assert not api.repo_exists("me/one") and not api.repo_exists("me/nothing")


def test_files_come_back_from_either_port(api, hub, repo, tmp_path):
    files = hub.repo("me/one").find("main").files
    assert {path for path, file in files.items() if file.lfs} == {"model.safetensors", "inner/deep/model.safetensors"}
    folder = snapshot_download("me/one", token="hf_write")
    for path, content in {"notes.txt": b"one", "model.safetensors": WEIGHTS}.items():
        with open(f"{folder}/{path}", "rb") as file:
            assert file.read() == content
    assert hub.requested("GET /objects/") == 2
    before = len(hub.requests)
    hf_hub_download("me/one", "notes.txt")
    assert hub.requests[before:] == ["HEAD /me/one/resolve/main/notes.txt"]  # the ETag says that nothing is new
    with pytest.raises(EntryNotFoundError):
        hf_hub_download("me/one", "nothing.txt")
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download("me/one", "notes.txt", revision="v9")
    known = [entry.path for entry in api.get_paths_info("me/one", ["notes.txt", "inner/deep", "no"])]
    assert sorted(known) == ["inner/deep", "notes.txt"]
    tree = {entry.path: entry for entry in api.list_repo_tree("me/one", recursive=True)}
    assert {"inner", "inner/deep"} < tree.keys() and tree["model.safetensors"].lfs.size == len(WEIGHTS)
    assert [entry.path for entry in api.list_repo_tree("me/one", "inner/deep")] == ["inner/deep/model.safetensors"]


def test_ranges(hub, repo):
    for path in ("me/one/resolve/main/notes.txt", "me/one/resolve/main/model.safetensors"):
        whole = get_session().get(f"{hub.url}/{path}", follow_redirects=True).content
        for wanted, expected in {"bytes=1-2": whole[1:3], "bytes=1-": whole[1:], "bytes=-2": whole[-2:]}.items():
            part = get_session().get(f"{hub.url}/{path}", headers={"Range": wanted}, follow_redirects=True)
            assert part.status_code == 206 and part.content == expected
        beyond = get_session().get(f"{hub.url}/{path}", headers={"Range": "bytes=99999-"}, follow_redirects=True)
        assert beyond.status_code == 416


def test_commits_never_change(api, hub, repo):
    api.create_tag("me/one", tag="v1")
    later = api.create_commit(
        "me/one",
        [CommitOperationDelete("inner/", is_folder=True), CommitOperationAdd("notes.txt", b"two")],
        commit_message="second",
        parent_commit=repo.oid,
    )
    assert api.list_repo_files("me/one") == [".gitattributes", "model.safetensors", "notes.txt"]
    assert "inner/deep/model.safetensors" in api.list_repo_files("me/one", revision="v1")
    for revision, content in {"v1": b"one", repo.oid: b"one", "main": b"two", later.oid: b"two"}.items():
        with open(hf_hub_download("me/one", "notes.txt", revision=revision), "rb") as file:
            assert file.read() == content
    assert [c.title for c in api.list_repo_commits("me/one")] == ["second", "first", "initial commit"]
    with pytest.raises(HfHubHTTPError, match="412"):
        api.create_commit("me/one", [CommitOperationAdd("x", b"x")], commit_message="late", parent_commit=repo.oid)
    with pytest.raises(EntryNotFoundError):
        api.create_commit("me/one", [CommitOperationDelete("nothing.txt")], commit_message="no")
    assert api.upload_file(path_or_fileobj=b"two", path_in_repo="notes.txt", repo_id="me/one").oid == later.oid
    assert len(hub.repo("me/one").history("main")) == 3


def test_branches_tags_and_pull_requests(api, repo):
    api.create_branch("me/one", branch="small/net", revision=repo.oid)
    api.create_branch("me/one", branch="small/net", exist_ok=True)
    api.upload_file(path_or_fileobj=b"b", path_in_repo="b", repo_id="me/one", revision="small/net")
    assert "b" in api.list_repo_files("me/one", revision="small/net") and "b" not in api.list_repo_files("me/one")
    proposal = api.upload_file(path_or_fileobj=b"c", path_in_repo="c", repo_id="me/one", create_pr=True)
    assert proposal.pr_revision == "refs/pr/1" and "c" in api.list_repo_files("me/one", revision="refs/pr/1")
    api.create_tag("me/one", tag="v1", revision="small/net")
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag("me/one", tag="v1")
    refs = api.list_repo_refs("me/one", include_pull_requests=True)
    assert [r.name for r in refs.branches] == ["main", "small/net"] and [r.name for r in refs.tags] == ["v1"]
    assert len(refs.pull_requests) == 1
    with pytest.raises(BadRequestError):  # a tag does not move
        api.upload_file(path_or_fileobj=b"d", path_in_repo="d", repo_id="me/one", revision="v1")
    api.delete_tag("me/one", tag="v1")
    api.delete_branch("me/one", branch="small/net")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag("me/one", tag="v1")


def test_who_may_do_what(api, hub, repo):
    read, other, unknown = (HfApi(token=token) for token in ("hf_read", "hf_other", "hf_unknown"))
    upload = {"path_or_fileobj": b"x", "path_in_repo": "x", "repo_id": "me/one"}
    for who in (read, other):
        assert who.list_repo_files("me/one")
        with pytest.raises(HfHubHTTPError, match="403"):
            who.upload_file(**upload)
    with pytest.raises(HfHubHTTPError, match="403"):
        other.create_repo("me/two")
    with pytest.raises(HfHubHTTPError, match="401"):
        unknown.upload_file(**upload)
    api.update_repo_settings("me/one", private=True)
    assert read.auth_check("me/one") is None and api.auth_check("me/one", write=True) is None
    for who in (other, HfApi(token=False)):
        with pytest.raises(RepositoryNotFoundError):
            who.model_info("me/one")
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("me/one", "notes.txt", token=False)
    assert hub.repo("me/one").history("main")[0].oid == repo.oid


def test_large_files_in_parts(api, hub):
    hub.part_size = 1000
    api.create_repo("me/one")
    api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="a.safetensors", repo_id="me/one")
    assert hub.requested("PUT /parts/") == 3 and hub.requested("PUT /objects/") == 0
    with open(hf_hub_download("me/one", "a.safetensors"), "rb") as file:
        assert file.read() == WEIGHTS


def test_faults_on_demand(api, hub, repo):
    hub.fail("POST .*/commit/", 503, times=2)
    hub.fail("POST .*/preupload/", 503)  # the client tries again by itself
    for _ in range(2):
        with pytest.raises(HfHubHTTPError, match="503"):
            api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="me/one")
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="me/one")
    assert hub.requested("POST .*/preupload/") == 5 and len(hub.repo("me/one").history("main")) == 3
    hub.meanwhile("POST .*/commit/", lambda: api.create_tag("me/one", tag="before"))
    second = api.upload_file(path_or_fileobj=b"y", path_in_repo="x", repo_id="me/one")
    assert hub.repo("me/one").tags["before"] != second.oid
