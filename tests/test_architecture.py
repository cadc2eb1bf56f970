"""The rules of the house: who may import what, no cycles, no `packaging/__init__.py`.

Every import counts, function-local ones too: moving an import into a function hides a cycle, no more.
Source: docs/decisions/0001-floors-and-their-test.md
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("app", "ui", "model_manager", "storage")

# Package -> first-party modules it may import from other packages (itself is always allowed).
FIRST_PARTY = {
    "storage": (),
    "model_manager": (),
    "ui": ("storage.records", "storage.errors", "model_manager.types", "model_manager.errors"),
    "app": PACKAGES,
}
# Library -> the modules or packages that own it. A library that is not named here may not be imported at all.
LIBRARY_OWNERS = {
    "sqlite_utils": ("storage",),
    "sqlite3": ("storage",),
    "sqlite_vec": ("storage.knowledge.vectors",),
    "pypdf": ("storage.knowledge.pdf_text",),
    "numpy": ("storage", "model_manager", "ui"),
    "huggingface_hub": ("model_manager.hub",),
    "httpx2": ("model_manager.http",),
    "llama_cpp": ("model_manager.engine.llama",),
    "gguf": ("model_manager.upcycling",),
    "jinja2": ("model_manager.engine.sandbox",),
    "pydantic": ("model_manager.engine",),
    "starlette": ("model_manager.engine",),
    "uvicorn": ("model_manager.engine",),
    "filelock": ("model_manager", "app"),
    "platformdirs": ("model_manager.starter", "app"),
    "psutil": ("model_manager", "app"),
    "markdown_it": ("ui",),
    "mdit_py_plugins": ("ui",),
    "pygments": ("ui",),
    "ziamath": ("ui",),
    "polib": ("ui.i18n",),
    "PySide6": (
        "ui",
        "app.answers_wiring",
        "app.bridge",
        "app.controllers",
        "app.care_wiring",
        "app.conversations_wiring",
        "app.knowledge_wiring",
        "app.lifecycle",
        "app.main",
        "app.window",
    ),
    "wakepy": ("app.keep_awake",),
    "keyring": ("app.secrets",),
}


class Import:
    """One import statement: who, what, where."""

    def __init__(self, importer: str, imported: str, line: int) -> None:
        self.importer = importer
        self.imported = imported
        self.line = line

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Path]:
    return {
        module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
    }


def imports_of(name: str, path: Path, known: dict[str, Path]) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield Import(name, whole if whole in known else str(node.module), node.lineno)


def type_checking_lines(path: Path) -> set[int]:
    """Lines under `if TYPE_CHECKING:` never run, so they make no cycle (they still obey the floors)."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def all_imports() -> list[Import]:
    known = modules()
    return [found for name, path in known.items() for found in imports_of(name, path, known)]


def within(module: str, owners: tuple[str, ...]) -> bool:
    return any(module == owner or module.startswith(owner + ".") for owner in owners)


def test_imports_point_down() -> None:
    wrong = []
    for found in all_imports():
        importer, imported = found.importer.split(".")[0], found.imported.split(".")[0]
        if (
            imported in PACKAGES
            and imported != importer
            and not within(found.imported, FIRST_PARTY[importer])
        ):
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def test_libraries_stay_with_their_owners() -> None:
    wrong = []
    for found in all_imports():
        library = found.imported.split(".")[0]
        if library in PACKAGES or (library in sys.stdlib_module_names and library != "sqlite3"):
            continue
        if not within(found.importer, LIBRARY_OWNERS.get(library, ())):
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", ["app.controllers", "app.cli", "ui.text"])
def test_widgets_stay_out_of(package: str) -> None:
    """Controllers, the command line and the sentences work without a widget."""
    wrong = [
        str(found)
        for found in all_imports()
        if within(found.importer, (package,))
        and found.imported.startswith("PySide6")
        and found.imported not in ("PySide6.QtCore", "PySide6")
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_cycles() -> None:
    known = modules()
    skipped = {name: type_checking_lines(path) for name, path in known.items()}
    graph: dict[str, set[str]] = {name: set() for name in known}
    for found in all_imports():
        if (
            found.imported in known
            and found.imported != found.importer
            and found.line not in skipped[found.importer]
        ):
            graph[found.importer].add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("import cycle: " + " -> ".join(error.args[1]))


def test_nobody_imports_the_roof() -> None:
    assert not [
        str(f)
        for f in all_imports()
        if f.imported.split(".")[0] == "app" and not f.importer.startswith("app")
    ]


def test_packaging_folder_is_not_a_package() -> None:
    """With an `__init__.py` it would hide the PyPI library `packaging` from everything that needs it."""
    assert not (ROOT / "packaging" / "__init__.py").exists()
    import packaging

    assert ROOT not in Path(str(packaging.__file__)).parents or ".venv" in str(packaging.__file__)


def test_modules_stay_small() -> None:
    long = [
        f"{name}: {n}"
        for name, path in modules().items()
        if (n := len(path.read_text("utf-8").splitlines())) > 400
    ]
    assert not long, "split these (we think at 300 and split at 400): " + ", ".join(long)


def test_repo_names_no_registry_host() -> None:
    hosts = tuple(f"{name}.org" for name in ("pypi", "pythonhosted", "npmjs", "deb.debian"))
    text_files = [*ROOT.glob("packaging/**/*"), *ROOT.glob("*.toml"), ROOT / "Makefile", ROOT / "README.md"]
    wrong = [
        str(path)
        for path in text_files
        if path.is_file()
        and path.suffix != ".png"
        and any(host in path.read_text("utf-8", "ignore") for host in hosts)
    ]
    assert not wrong
