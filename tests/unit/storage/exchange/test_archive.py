from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from storage.errors import ArchiveRefused
from storage.exchange import archive
from storage.exchange.carried import Broken, Carried
from storage.exchange.reading import read

CHAT = b'[{"uuid": "1", "chat_messages": [{"sender": "human", "text": "Hi"}]}]'


def refusal(path: Path) -> str:
    with pytest.raises(ArchiveRefused) as refused:
        list(read(path))
    return refused.value.reason


def zip_of(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name",
    ["../x.json", "a/../../x.json", "/etc/x.json", "..\\x.json", "C:\\x.json", "c:x.json", "\\\\host\\x"],
)
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr("conversations.json", CHAT)
        made.writestr(zipfile.ZipInfo(name), CHAT)
    assert refusal(tmp_path / "x.zip") == "leads_out"


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("conversations.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    assert refusal(tmp_path / "x.zip") == "leads_out"


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    zip_of(tmp_path / "x.zip", **{"conversations.json": b" " * (80 << 20)})
    assert refusal(tmp_path / "x.zip") == "too_large"


def test_files_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """Two entries of the directory that point at one file: the trick of the 46 MB bomb."""
    path = zip_of(tmp_path / "x.zip", **{"a.json": CHAT, "b.json": CHAT})
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    path.write_bytes(bytes(data))
    assert refusal(path) == "overlapping"


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 2)
    path = zip_of(tmp_path / "x.zip", **{f"{n}.json": CHAT for n in range(3)})
    assert refusal(path) == "too_many_files"
    folder = tmp_path / "folder"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.json").write_bytes(CHAT)
    assert refusal(folder) == "too_many_files"


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", **{"a.json": CHAT})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(bytes(data))
    assert refusal(path) == "encrypted"


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", **{"a.json": CHAT})
    path.write_bytes(path.read_bytes()[:-30])
    assert refusal(path) == "damaged"


def test_a_damaged_file_in_a_zip_is_told_and_the_others_come(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", **{"a.json": CHAT * 1, "b.json": CHAT.replace(b'"1"', b'"2"')})
    data = bytearray(path.read_bytes())
    data[40] ^= 0xFF
    path.write_bytes(bytes(data))
    items = list(read(path))
    assert [item.where for item in items if isinstance(item, Broken)] == ["a.json"]
    assert [item.origin for item in items if isinstance(item, Carried)] == ["claude:2"]


def test_a_zip_inside_stays_closed(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", **{"conversations.json": CHAT}).read_bytes()
    path = zip_of(tmp_path / "x.zip", **{"inner.zip": inner, "conversations.json": CHAT})
    assert len([item for item in read(path) if isinstance(item, Carried)]) == 1


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_bytes(CHAT)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x.json").symlink_to(tmp_path / "outside.json")
    (folder / "conversations.json").write_bytes(CHAT)
    assert len([item for item in read(folder) if isinstance(item, Carried)]) == 1


def test_nothing_is_unpacked_to_the_disk(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", **{"conversations.json": CHAT})
    list(read(path))
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".sqlite"] == ["x.zip"]
