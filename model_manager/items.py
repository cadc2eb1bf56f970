"""What a download consists of: the files of one model of a repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from model_manager.filenames import safe_relative_path
from model_manager.references import projector
from model_manager.shards import model_stem
from model_manager.types import DownloadFile, DownloadItem, HubFile, HubModel

FileUrl = Callable[[str, str, str], str]
"""Of a repository, a path in it and a revision: where the bytes are."""


def item_of(
    model: HubModel,
    chosen: Sequence[HubFile],
    folder: str,
    file_url: FileUrl,
) -> DownloadItem:
    """What to download, the first shard first; what lets it see goes with it, where the repository has that.

    Args:
        model: The repository.
        chosen: The model's files.
        folder: Below the models folder.
        file_url: See there.

    Raises:
        UnsafeFilename: The names would leave our folder.
    """
    place = safe_relative_path(folder)
    files = tuple(
        DownloadFile(
            url=file_url(model.repo_id, file.path, model.revision),
            path=str(place / safe_relative_path(file.path)),
            size_bytes=file.size_bytes or None,
            sha256=file.sha256,
        )
        for file in chosen
    )
    tower = projector(model.files)
    if tower is not None:
        name = safe_relative_path(tower.path).name
        path = str(PurePosixPath(files[0].path).with_name(name))
        url = file_url(model.repo_id, tower.path, model.revision)
        files += (DownloadFile(url, path, tower.size_bytes or None, tower.sha256),)
    return DownloadItem(model_stem(files[0].path.rpartition("/")[2]), files)
