"""What a reference turned out to mean, as it is kept with a download."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from model_manager import told
from model_manager.errors import UnsafeFilename
from model_manager.filenames import safe_relative_path
from model_manager.shards import model_stem
from model_manager.types import DownloadFile, DownloadItem

log = logging.getLogger(__name__)


def to_plan(item: DownloadItem, finished_sha256: Sequence[str]) -> dict[str, Any]:
    """As JSON values.

    Args:
        item: The files.
        finished_sha256: Of those that are in place, in order.
    """
    files = [asdict(file) for file in item.files]
    return {"name": item.name, "files": files, "finished": list(finished_sha256)}


def from_plan(plan: Mapping[str, Any]) -> tuple[DownloadItem, list[str]] | None:
    """The inverse; None where there is no plan yet, or one that makes no sense: then it is made anew."""
    try:
        files = tuple(_file(values) for values in plan.get("files") or ())
        finished = [told.text(digest) for digest in plan.get("finished") or ()][: len(files)]
    except (TypeError, KeyError, AttributeError, UnsafeFilename) as error:
        log.info("the plan of a download makes no sense: %s", error)
        return None
    if not files:
        return None
    return DownloadItem(told.text(plan.get("name")) or model_stem(files[0].path), files), finished


def _file(values: Mapping[str, Any]) -> DownloadFile:
    url, path = told.text(values["url"]), told.text(values["path"])
    if not url:
        raise KeyError("url")
    sha256 = told.text(values.get("sha256")) or None
    return DownloadFile(
        url, str(safe_relative_path(path)), told.count(values.get("size_bytes")) or None, sha256
    )
