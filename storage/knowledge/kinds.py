"""What a file is by its name, and whether it may have changed."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from storage.errors import DocumentRefused, RefusalKind
from storage.knowledge.records import DocumentKind, FileStamp

_CODE: Final = (
    *("py", "pyi", "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "cu", "cuh", "m", "mm", "rs", "go"),
    *("java", "kt", "kts", "scala", "swift", "cs", "fs", "js", "mjs", "cjs", "jsx", "ts", "tsx", "vue"),
    *("svelte", "rb", "php", "pl", "pm", "lua", "r", "jl", "sh", "bash", "zsh", "fish", "ps1", "sql", "hs"),
    *("ml", "ex", "exs", "erl", "clj", "lisp", "el", "zig", "nim", "d", "v", "vhd", "asm", "s", "f90"),
    *("dart", "gradle", "cmake", "css", "scss", "less", "yaml", "yml", "toml", "ini", "cfg", "proto", "tf"),
    *("mk"),
)
_KINDS: Final[dict[str, DocumentKind]] = {
    **dict.fromkeys(("txt", "text", "rst", "org", "adoc", "tex", "log", "csv", "tsv", "srt", "vtt"), "text"),
    **dict.fromkeys(("md", "markdown", "mdown", "mkd"), "markdown"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **dict.fromkeys(_CODE, "code"),
    "pdf": "pdf",
    "docx": "docx",
}
_NAMES: Final[dict[str, DocumentKind]] = {
    **dict.fromkeys(("makefile", "dockerfile", "jenkinsfile", "gnumakefile"), "code"),
    **dict.fromkeys(("readme", "license", "copying", "authors", "changelog", "news"), "text"),
}


def kind_of(path: Path) -> DocumentKind | None:
    """What a file is by its name; None for one that a folder is not searched for."""
    return _KINDS.get(path.suffix[1:].lower()) or _NAMES.get(path.name.lower())


def stamp_of(path: Path) -> FileStamp:
    """Size and time of a file that may be read.

    Raises:
        DocumentRefused: It is gone, or no regular file.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise DocumentRefused(path, why_refused(error), error.strerror or str(error)) from error
    if not stat.S_ISREG(found.st_mode):
        raise DocumentRefused(path, "not_a_file", "")
    return FileStamp(found.st_size, found.st_mtime_ns)


def why_refused(error: OSError) -> RefusalKind:
    """What the system's refusal means."""
    return "gone" if isinstance(error, (FileNotFoundError, NotADirectoryError)) else "unreadable"
