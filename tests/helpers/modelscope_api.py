"""The requests of ModelScope's API, answered by `hub_server` from the same repositories.

Source: as `model_manager.modelscope`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.helpers.hub_server import Handler, Repo

_MOST_PER_PAGE = 50


def answer(handler: Handler, path: str, query: dict[str, list[str]]) -> bool:
    """Whether a request was one of this API; then it has been answered."""
    if path == "/openapi/v1/models":
        _search(handler, query)
    elif match := re.fullmatch(r"/openapi/v1/models/([^/]+/[^/]+)", path):
        if (repo := _repo(handler, match[1], "api")) is not None:
            handler.reply_json({"success": True, "data": _entry(repo)})
    elif match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo/files", path):
        if (repo := _repo(handler, match[1], "api")) is not None:
            handler.reply_json({"Code": 200, "Success": True, "Data": {"Files": _files(repo)}})
    elif match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo", path):
        if (repo := _repo(handler, match[1], "resolve")) is not None:
            _send(handler, repo, query)
    else:
        return False
    return True


def _repo(handler: Handler, repo_id: str, where: Any) -> Repo | None:
    if handler.is_faulty(handler.hub.take_fault(where, refuses=True)):
        return None
    repo = handler.hub.repos.get(repo_id)
    if repo is None:
        handler.reply_json({"Code": 10010205001, "Message": "not found", "Success": False}, status=404)
    elif repo.gated_token and handler.headers.get("Authorization") != f"Bearer {repo.gated_token}":
        handler.reply_json({"Code": 10010203001, "Message": "no permission", "Success": False}, status=403)
        return None
    return repo


def _search(handler: Handler, query: dict[str, list[str]]) -> None:
    if handler.is_faulty(handler.hub.take_fault("api")):
        return
    words = query.get("search", [""])[0].lower().split()
    owner = query.get("owner", [""])[0].lower()
    license_name = query.get("filter.license", [""])[0]
    found = [
        repo
        for repo in handler.hub.repos.values()
        if all(word in repo.repo_id.lower() for word in words)
        and owner in ("", repo.repo_id.partition("/")[0].lower())
        and license_name in ("", repo.license)
    ]
    sort = query.get("sort", ["downloads"])[0]
    found.sort(key=lambda repo: {"downloads": repo.downloads, "likes": repo.likes}.get(sort, 0), reverse=True)
    size = min(_MOST_PER_PAGE, int(query.get("page_size", ["10"])[0]))
    first = (int(query.get("page_number", ["1"])[0]) - 1) * size
    models = [_entry(repo) for repo in found[first : first + size]]
    handler.reply_json({"success": True, "data": {"models": models, "total_count": len(found)}})


def _entry(repo: Repo) -> dict[str, Any]:
    return {
        "id": repo.repo_id,
        "downloads": repo.downloads,
        "likes": repo.likes,
        "license": repo.license,
        "last_modified": repo.modified_at,
        "params": (repo.gguf or {}).get("total", 0),
        "tags": list(repo.tags),
        "tasks": [],
        "gated": bool(repo.gated_token),
    }


def _files(repo: Repo) -> list[dict[str, Any]]:
    folders = {path.rpartition("/")[0] for path in repo.files if "/" in path}
    trees = [{"Path": folder, "Type": "tree", "Size": 0, "Sha256": ""} for folder in sorted(folders)]
    return trees + [
        {
            "Name": file.path.rpartition("/")[2],
            "Path": file.path,
            "Type": "blob",
            "Size": len(file.content),
            "Sha256": file.sha256,
            "Revision": repo.commit,
            "IsLFS": file.is_lfs,
        }
        for file in repo.files.values()
    ]


def _send(handler: Handler, repo: Repo, query: dict[str, list[str]]) -> None:
    file = repo.files.get(query.get("FilePath", [""])[0])
    if file is None or query.get("Revision", ["master"])[0] != "master":
        handler.reply_json({"Code": 10010205001, "Message": "not found", "Success": False}, status=404)
    elif file.is_lfs:
        place = f"{handler.hub.cdn_endpoint}/lfs/{file.sha256}?Expires=0&Signature={handler.hub.sign()}"
        handler.reply(302, {"Location": place})
    else:
        handler.send_file(file, file.git_oid, {})
