from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, settings, strategies as st

from model_manager.errors import UnsafeFilename
from model_manager.filenames import safe_path_in, safe_paths_in, safe_relative_path


@pytest.mark.parametrize(
    "name",
    [
        "model.gguf",
        "Q4_K_M/model-00001-of-00003.gguf",
        "a b.gguf",
        "群贤.gguf",
        ".hidden.gguf",
        "..model.gguf",
        "console.gguf",
        "com10.gguf",
        "nullable/con-text.gguf",
    ],
)
def test_an_ordinary_name_is_kept(name: str) -> None:
    assert safe_relative_path(name) == PurePosixPath(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../model.gguf",
        "a/../../model.gguf",
        "a/./b",
        "/etc/passwd",
        "//server/share/x",
        "a//b",
        "a/",
        "C:model.gguf",
        "C:/model.gguf",
        "C:\\model.gguf",
        "\\\\server\\share\\x",
        "a\\..\\b",
        "model.gguf:stream",
        "a\0b",
        "a\nb",
        "model\u202efugg.exe",
        "model\u200b.gguf",
        "\ud800",
        "CON",
        "con.gguf",
        "a/NUL .tar.gguf",
        "COM1.gguf",
        "LPT\u00b9",
        "CONOUT$",
        "model.gguf.",
        "model.gguf ",
        " model.gguf",
        "what?.gguf",
        "a" * 300,
        "群" * 90,
        "a/" * 600 + "b",
    ],
)
def test_a_dangerous_name_is_refused(name: str) -> None:
    with pytest.raises(UnsafeFilename):
        safe_relative_path(name)


@settings(deadline=None)
@given(st.text(max_size=40) | st.text(alphabet="./\\:~ aCON1\0", max_size=20))
def test_whatever_is_accepted_stays_in_its_folder_on_every_system(name: str) -> None:
    try:
        path = safe_relative_path(name)
    except UnsafeFilename:
        return
    assert str(path) == name
    assert not path.is_absolute()
    assert ".." not in path.parts
    windows = PureWindowsPath(name)
    assert not windows.drive
    assert not windows.root
    assert windows.parts == path.parts


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    assert safe_path_in(folder, "in/model.gguf") == folder / "in/model.gguf"
    with pytest.raises(UnsafeFilename):
        safe_path_in(folder, "out/model.gguf")


@pytest.mark.parametrize(
    "names",
    [
        ("o/r/Model.gguf", "o/r/model.GGUF"),
        ("o/r/caf\u00e9.gguf", "o/r/cafe\u0301.gguf"),
        ("o/r/stra\u00dfe.gguf", "o/r/STRASSE.gguf"),
        ("o/r/a.gguf", "o/r/a.gguf"),
    ],
)
def test_two_names_for_one_file_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    safe_paths_in(tmp_path, ["o/r/one.gguf", "o/r/two.gguf", "x/r/one.gguf"])
    with pytest.raises(UnsafeFilename):
        safe_paths_in(tmp_path, names)
