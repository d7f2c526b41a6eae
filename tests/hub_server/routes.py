"""What each address of the Hub does; see "api" of huggingface_hub for the other side."""

import hashlib
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from .messages import Answer, Request
from .store import Refusal, Repo

if TYPE_CHECKING:
    from .server import HubServer

REPO = r"/api/(?P<kind>models|datasets)/(?P<name>[^/]+/[^/]+)"
GIT = r"/(?P<kind>datasets/)?(?P<name>[^/]+/[^/]+)"
ROUTES, STORAGE_ROUTES = {}, {}


def route(method: str, pattern: str, routes: dict = ROUTES):
    def register(function):
        routes[method, pattern] = function
        return function

    return register


@route("GET", "/api/whoami-v2")
def whoami(hub: "HubServer", request: Request):
    user, role = hub.store.user(request.token)
    if user is None:
        raise Refusal(401, "Invalid username or password.")
    token = {"type": "access_token", "accessToken": {"displayName": "test", "role": role}}
    return {"type": "user", "name": user, "fullname": user, "orgs": [], "auth": token}


@route("POST", "/api/repos/create")
def create(hub: "HubServer", request: Request):
    try:
        repo = hub.store.create(request.json(), request.token)
    except Refusal as refusal:
        if refusal.status == 409:
            refusal.body["url"] = f"{hub.url}/{refusal.body['url']}"
        raise
    return {"url": f"{hub.url}/{'' if repo.type == 'models' else repo.type + '/'}{repo.id}", "id": "0"}


@route("DELETE", "/api/repos/delete")
def delete(hub: "HubServer", request: Request):
    payload = request.json()
    owner = payload.get("organization") or hub.store.user(request.token)[0]
    repo = hub.store.repo(
        f"{payload.get('type') or 'model'}s", f"{owner}/{payload['name']}", request.token, write=True
    )
    del hub.store.repos[repo.type, repo.id]


@route("PUT", f"{REPO}/settings")
def settings(hub: "HubServer", request: Request, kind: str, name: str):
    repo = hub.store.repo(kind, name, request.token, write=True)
    repo.private = request.json()["visibility"] == "private"
    return {"private": repo.private}


@route("POST", "/api/validate-yaml")
def validate_yaml(hub: "HubServer", request: Request):
    return {"errors": [], "warnings": []}


@route("GET", f"{REPO}/auth-check(?P<write>/write)?")
def auth_check(hub: "HubServer", request: Request, kind: str, name: str, write: str):
    hub.store.repo(kind, name, request.token, write=bool(write))
    return {}


@route("POST", f"{REPO}/preupload/(?P<revision>[^/]+)")
def preupload(hub: "HubServer", request: Request, kind: str, name: str, revision: str):
    repo = hub.store.repo(kind, name, request.token, write="create_pr" not in request.query)
    present = repo.find(revision).files
    files = []
    for file in request.json()["files"]:
        old = present.get(file["path"])
        mode = repo.upload_mode(file["path"], file["size"], revision)
        oid = None if old is None or old.lfs != (mode == "lfs") else old.sha256 if old.lfs else old.oid
        files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return {"files": files}


@route("POST", rf"{GIT}\.git/info/lfs/objects/batch")
def lfs_batch(hub: "HubServer", request: Request, kind: str, name: str):
    hub.store.repo(kind.strip("/") or "models", name, request.token, write="ref" in request.json())
    objects = []
    for wanted in request.json()["objects"]:
        oid, size = wanted["oid"], wanted["size"]
        if oid not in hub.store.objects or len(hub.store.objects[oid]) != size:  # what failed its check is sent anew
            upload = {"href": f"{hub.storage_url}/objects/{oid}?signature=ok"}
            if hub.part_size and size > hub.part_size:
                count = -(-size // hub.part_size)
                parts = {str(i + 1): f"{hub.storage_url}/parts/{oid}/{i + 1}?signature=ok" for i in range(count)}
                upload = {"href": f"{hub.url}/api/complete_multipart/{oid}", "header": parts}
                upload["header"]["chunk_size"] = str(hub.part_size)
            verify = {"href": f"{hub.url}/{kind}{name}.git/info/lfs/verify"}
            wanted = {**wanted, "actions": {"upload": upload, "verify": verify}}
        objects.append(wanted)
    return {"transfer": "basic", "objects": objects}


@route("POST", "/api/complete_multipart/(?P<oid>[0-9a-f]{64})")
def complete_multipart(hub: "HubServer", request: Request, oid: str):
    parts, asked = hub.parts.pop(oid), request.json()["parts"]
    if [part["etag"] for part in asked] != [f'"{number}"' for number in sorted(parts)]:
        raise Refusal(400, "The parts are not those that were sent.")
    hub.store.objects[oid] = b"".join(parts[number] for number in sorted(parts))


@route("POST", rf"{GIT}\.git/info/lfs/verify")
def lfs_verify(hub: "HubServer", request: Request, kind: str, name: str):
    hub.store.repo(kind.strip("/") or "models", name, request.token)
    asked = request.json()
    if len(hub.store.objects.get(asked["oid"], b"")) != asked["size"]:
        raise Refusal(404, "The storage has no such object.")


@route("POST", f"{REPO}/commit/(?P<revision>[^/]+)")
def commit(hub: "HubServer", request: Request, kind: str, name: str, revision: str):
    pr = "create_pr" in request.query
    repo = hub.store.repo(kind, name, request.token, write=not pr)
    lines = [json.loads(line) for line in request.body.splitlines()]
    made = repo.commit(revision, lines, hub.store.objects, hub.store.user(request.token)[0], pr)
    page = f"{hub.url}/{'' if kind == 'models' else kind + '/'}{name}"
    made["commitUrl"] = f"{page}/commit/{made['commitOid']}"
    made["pullRequestUrl"] = f"{page}/discussions/{made.pop('pullRequest')}" if pr else None
    return {"success": True, **made}


@route("GET", f"{REPO}(/revision/(?P<revision>[^/]+))?")
def info(hub: "HubServer", request: Request, kind: str, name: str, revision: str):
    repo = hub.store.repo(kind, name, request.token)
    found = repo.find(revision or "main")
    siblings = [{"rfilename": path} for path in sorted(found.files)]
    return {"id": name, "modelId": name, "sha": found.oid, "private": repo.private, "siblings": siblings, "tags": []}


@route("GET", f"{REPO}/tree/(?P<revision>[^/]+)(/(?P<folder>.*))?")
def tree(hub: "HubServer", request: Request, kind: str, name: str, revision: str, folder: str):
    files = hub.store.repo(kind, name, request.token).find(revision).files
    entries = listing(files, folder, request.query.get("recursive", ["false"])[0].lower() == "true")
    if folder and not entries:
        raise Refusal(404, f"{folder} does not exist on {revision}", "EntryNotFound")
    return entries


def listing(files: dict, folder: str, recursive: bool) -> list[dict]:
    start, entries = folder + "/" if folder else "", {}
    for path, file in sorted(files.items()):
        if path.startswith(start):
            parts = path.removeprefix(start).split("/")
            for i in range(1, len(parts) if recursive else min(len(parts), 2)):
                inner = start + "/".join(parts[:i])
                entries[inner] = {"type": "directory", "path": inner, "oid": "0" * 40, "size": 0}
            if recursive or len(parts) == 1:
                entries[path] = file.info(path)
    return list(entries.values())


@route("POST", f"{REPO}/paths-info/(?P<revision>[^/]+)")
def paths_info(hub: "HubServer", request: Request, kind: str, name: str, revision: str):
    files = hub.store.repo(kind, name, request.token).find(revision).files
    asked = parse_qs(request.body.decode()).get("paths", [])
    return [entry for entry in listing(files, "", recursive=True) if entry["path"] in asked]


@route("GET", f"{REPO}/refs")
def refs(hub: "HubServer", request: Request, kind: str, name: str):
    repo = hub.store.repo(kind, name, request.token)

    def listed(names: dict, prefix: str):
        return [{"name": k, "ref": f"{prefix}{k}", "targetCommit": oid} for k, oid in names.items()]

    return {
        "branches": listed(repo.branches, "refs/heads/"),
        "tags": listed(repo.tags, "refs/tags/"),
        "converts": [],
        "pullRequests": listed(repo.pull_requests, ""),
    }


@route("GET", f"{REPO}/commits/(?P<revision>[^/]+)")
def commits(hub: "HubServer", request: Request, kind: str, name: str, revision: str):
    history = hub.store.repo(kind, name, request.token).history(revision)
    return [
        {
            "id": made.oid,
            "title": made.title,
            "message": made.description,
            "authors": [{"user": made.author}],
            "date": "2026-01-01T00:00:00.000Z",
        }
        for made in history
    ]


@route("POST", f"{REPO}/tag/(?P<revision>[^/]+)")
def create_tag(hub: "HubServer", request: Request, kind: str, name: str, revision: str):
    repo = hub.store.repo(kind, name, request.token, write=True)
    new_ref(repo, repo.tags, request.json()["tag"], revision)


@route("POST", f"{REPO}/branch/(?P<branch>[^/]+)")
def create_branch(hub: "HubServer", request: Request, kind: str, name: str, branch: str):
    repo = hub.store.repo(kind, name, request.token, write=True)
    new_ref(repo, repo.branches, branch, request.json().get("startingPoint", "main"))


def new_ref(repo: Repo, refs: dict[str, str], name: str, revision: str) -> None:
    if name in refs:
        raise Refusal(409, f"Reference already exists: {name}")
    refs[name] = repo.find(revision).oid


@route("DELETE", f"{REPO}/(?P<what>tag|branch)/(?P<ref>[^/]+)")
def delete_ref(hub: "HubServer", request: Request, kind: str, name: str, what: str, ref: str):
    repo = hub.store.repo(kind, name, request.token, write=True)
    if (repo.tags if what == "tag" else repo.branches).pop(ref, None) is None:
        raise Refusal(404, f"Reference not found: {ref}", "RevisionNotFound")


@route("GET HEAD", f"{GIT}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(hub: "HubServer", request: Request, kind: str, name: str, revision: str, path: str):
    found = hub.store.repo(kind.strip("/") or "models", name, request.token).find(revision)
    headers = {"X-Repo-Commit": found.oid}
    file = found.files.get(path)
    if file is None:
        missing = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
        return Answer(b"Entry not found", 404, headers | missing)
    if file.lfs:
        headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.content))}
        return Answer(None, 302, {**headers, "Location": f"{hub.storage_url}/objects/{file.sha256}?signature=ok"})
    return part_of(file.content, request, headers | {"ETag": f'"{file.oid}"'})


def part_of(content: bytes, request: Request, headers: dict[str, str]):
    headers["Accept-Ranges"] = "bytes"
    if "range" not in request.headers:
        return Answer(content, 200, headers)
    first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
    start = int(first) if first else max(len(content) - int(last), 0)
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if start >= len(content):
        return Answer(b"", 416, headers | {"Content-Range": f"bytes */{len(content)}"})
    return Answer(content[start : end + 1], 206, headers | {"Content-Range": f"bytes {start}-{end}/{len(content)}"})


@route("PUT", "/objects/(?P<oid>[0-9a-f]{64})", STORAGE_ROUTES)
def put_object(hub: "HubServer", request: Request, oid: str):
    if request.query.get("signature") != ["ok"] or hashlib.sha256(request.body).hexdigest() != oid:
        raise Refusal(403, "The signature or the content is wrong.")
    hub.store.objects[oid] = request.body


@route("PUT", r"/parts/(?P<oid>[0-9a-f]{64})/(?P<number>\d+)", STORAGE_ROUTES)
def put_part(hub: "HubServer", request: Request, oid: str, number: str):
    hub.parts.setdefault(oid, {})[int(number)] = request.body
    return Answer(None, 200, {"ETag": f'"{number}"'})


@route("GET HEAD", "/objects/(?P<oid>[0-9a-f]{64})", STORAGE_ROUTES)
def get_object(hub: "HubServer", request: Request, oid: str):
    if request.query.get("signature") != ["ok"]:
        raise Refusal(403, "The signature is wrong.")
    return part_of(hub.store.objects[oid], request, {"ETag": f'"{oid}"'})
