from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from model_manager.digest import sha256_of
from model_manager.errors import StoreNotFound
from model_manager.importers import hub_cache, stores
from model_manager.importers.ollama import MODEL_LAYER, PROJECTOR_LAYER, display_name
from model_manager.importing import import_from
from model_manager.library import Library
from model_manager.moving import Moving
from model_manager.shards import read_model
from model_manager.types import ImportReport
from model_manager.vision_files import find_mmproj
from tests.helpers.ggufs import N_EMBD, write_model
from tests.helpers.mmprojs import write_mmproj


def told(report: ImportReport) -> dict[str, str]:
    """Name to what became of it."""
    return {item.name: item.reason or item.status for item in report.items}


def test_what_is_not_installed_is_not_there(home: Path, library: Library) -> None:
    assert all(not info.folders for info in stores.all_stores() if info.key != "ollama")
    with pytest.raises(StoreNotFound):
        import_from(library, "lmstudio")


# --- Hugging Face ----------------------------------------------------------------------------------------


def add_snapshot(cache: Path, commit: str, name: str, content: Path) -> Path:
    """A file as `huggingface_hub` puts it: the bytes by their hash, a link with the name."""
    repository = cache / "models--owner--repo-GGUF"
    blob = repository / "blobs" / sha256_of(content)
    blob.parent.mkdir(parents=True, exist_ok=True)
    if not blob.exists():
        blob.write_bytes(content.read_bytes())
    link = repository / "snapshots" / commit / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return link


def test_the_hubs_cache_comes_over_with_its_hashes(home: Path, library: Library, tmp_path: Path) -> None:
    cache = home / ".cache" / "huggingface" / "hub"
    model = write_model(tmp_path / "m.gguf")
    old = add_snapshot(cache, "c1", "Q4/m.gguf", model)
    new = add_snapshot(cache, "c2", "Q4/m.gguf", model)
    (cache / "models--owner--repo-GGUF" / "refs").mkdir()
    (cache / "models--owner--repo-GGUF" / "refs" / "main").write_text("c2")
    report = import_from(library, "hub")
    assert told(report) == {"m": "added"}
    entry = library.get("m")
    assert entry.paths == (new,)
    assert entry.sha256 == (sha256_of(model),)
    assert (entry.source, entry.state) == ("hub:owner/repo-GGUF@c2", "unverified")
    assert library.verify("m").state == "verified"
    new.unlink()  # as the cache does when it is cleaned; the blob stays for the older commit
    assert library.get("m").state == "missing"
    assert told(import_from(library, "hub")) == {"m": "found_again"}
    assert library.get("m").paths == (old,)


def test_the_hubs_cache_does_not_lead_astray(home: Path, library: Library, tmp_path: Path) -> None:
    cache = home / ".cache" / "huggingface" / "hub"
    link = add_snapshot(cache, "c1", "m.gguf", write_model(tmp_path / "m.gguf"))
    astray = link.with_name("astray.gguf")
    astray.symlink_to(tmp_path / "m.gguf")
    link.resolve().unlink()
    assert told(import_from(library, "hub")) == {"m": "broken_link", "astray": "outside"}


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("HF_HUB_CACHE", ""),
        ("HUGGINGFACE_HUB_CACHE", ""),
        ("HF_HOME", "hub"),
        ("XDG_CACHE_HOME", "huggingface/hub"),
    ],
)
def test_the_hubs_cache_is_where_the_environment_says(name: str, below: str) -> None:
    assert hub_cache.cache_dir({name: "/elsewhere"}.get) == Path("/elsewhere") / below


# --- Ollama ----------------------------------------------------------------------------------------------


def add_manifest(root: Path, name: str, digest: str, size_bytes: int, **more: object) -> Path:
    path = root / "manifests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    layers = [
        {"mediaType": MODEL_LAYER, "digest": digest, "size": size_bytes},
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + "0" * 64, "size": 1},
    ]
    path.write_text(json.dumps({"schemaVersion": 2, "layers": layers, **more}))
    return path


def test_ollamas_models_have_the_names_of_their_manifests(
    home: Path, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "ollama"
    monkeypatch.setenv("OLLAMA_MODELS", str(root))
    (root / "blobs").mkdir(parents=True)
    model = write_model(tmp_path / "m.gguf")
    digest, size_bytes = sha256_of(model), model.stat().st_size
    blob = model.rename(root / "blobs" / f"sha256-{digest}")
    add_manifest(root, "registry.ollama.ai/library/tiny/1b", f"sha256:{digest}", size_bytes)
    add_manifest(root, "registry.ollama.ai/library/tiny/latest", f"sha256:{digest}", size_bytes)
    add_manifest(root, "hf.co/a/b-GGUF/Q4_0", f"sha256:{digest}", size_bytes + 1)
    add_manifest(root, "registry.ollama.ai/ada/gone/latest", "sha256:" + "1" * 64, 5)
    add_manifest(root, "registry.ollama.ai/library/evil/latest", "sha256:../../etc/passwd", 5)
    (root / "manifests" / "registry.ollama.ai" / "library" / "tiny" / "broken").write_text("{")
    report = import_from(library, "ollama")
    assert told(report) == {
        "tiny:1b": "known",  # the entry's name: two names of one file are one model
        "ada/gone:latest": "missing_file",
        "evil:latest": "bad_manifest",
        "tiny:broken": "bad_manifest",
    } | {"hf.co/a/b-GGUF:Q4_0": "truncated"}
    entry = library.get("tiny:1b")
    assert (entry.paths, entry.sha256, entry.source) == ((blob,), (digest,), "ollama:tiny:1b")
    assert not entry.is_ours


def test_ollamas_vision_towers_come_along(
    home: Path, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    blobs = tmp_path / "ollama" / "blobs"
    blobs.mkdir(parents=True)
    model = write_model(tmp_path / "m.gguf")
    tower = write_mmproj(tmp_path / "t.gguf", N_EMBD)
    digests = {path: sha256_of(path) for path in (model, tower)}
    for path, digest in digests.items():
        path.rename(blobs / f"sha256-{digest}")
    layers = [
        {"mediaType": kind, "digest": f"sha256:{digest}"}
        for kind, digest in zip((MODEL_LAYER, PROJECTOR_LAYER), digests.values(), strict=True)
    ]
    manifest = tmp_path / "ollama" / "manifests" / "registry.ollama.ai" / "library" / "seer" / "1b"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"layers": layers}))
    assert told(import_from(library, "ollama")) == {"seer:1b": "added"}
    assert library.get("seer:1b").mmproj_path == blobs / f"sha256-{digests[tower]}"
    library.verify("seer:1b")
    assert library.get("seer:1b").mmproj_path is not None
    entry = Moving(library).move("seer:1b", tmp_path / "big")
    assert entry.paths == (tmp_path / "big" / "seer-1b.gguf",)
    assert find_mmproj(read_model(entry.paths[0])) == tmp_path / "big" / "mmproj-seer-1b.gguf"
    assert len(list(blobs.iterdir())) == 2


def test_names_as_ollama_writes_them() -> None:
    assert display_name(["registry.ollama.ai", "library", "qwen3", "8b"]) == "qwen3:8b"
    assert display_name(["registry.ollama.ai", "ada", "mine", "latest"]) == "ada/mine:latest"
    assert display_name(["hf.co", "a", "b", "Q4"]) == "hf.co/a/b:Q4"


# --- LM Studio, Jan, GPT4All -----------------------------------------------------------------------------


def test_lm_studio_where_its_settings_say(home: Path, library: Library, tmp_path: Path) -> None:
    moved = tmp_path / "big disk"
    for place, name in ((home / ".lmstudio" / "models", "new"), (moved, "moved")):
        (place / "owner" / "repo").mkdir(parents=True)
        write_model(place / "owner" / "repo" / f"{name}.gguf")
    (home / ".lmstudio-home-pointer").write_text(f"{tmp_path / 'lm'}\n")
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "settings.json").write_text(json.dumps({"downloadsFolder": str(moved)}))
    assert told(import_from(library, "lmstudio")) == {"moved": "added", "new": "added"}
    assert library.get("new").source == "lmstudio:owner/repo"


def test_jan_names_models_after_their_folders(home: Path, library: Library, tmp_path: Path) -> None:
    data = home / ".local" / "share" / "Jan" / "data"
    models = data / "llamacpp" / "models"
    for name in ("owner/tiny-Q4", "bare", "linked", "evil", "empty", "nul"):
        (models / name).mkdir(parents=True)
    model = write_model(models / "owner" / "tiny-Q4" / "model.gguf")
    digest = sha256_of(model)
    (models / "owner" / "tiny-Q4" / "model.yml").write_text(
        "model_path: llamacpp/models/owner/tiny-Q4/model.gguf\nname: Tiny\n"
        f"model_sha256: {digest}\nsize_bytes: 5\nlist:\n- a: b\n"
    )
    write_model(models / "bare" / "model.gguf", n_experts=2)
    linked = write_model(tmp_path / "mine.gguf", n_experts=4)
    (models / "linked" / "model.yml").write_text(f"model_path: '{linked}'\n")
    (models / "evil" / "model.yml").write_text("model_path: ../../../../etc/passwd\n")
    (models / "empty" / "model.yml").write_text("name: x\n")
    (models / "nul" / "model.yml").write_text("model_path: a\0b.gguf\n")
    assert told(import_from(library, "jan")) == {
        "owner/tiny-Q4": "added",
        "bare": "added",
        "linked": "added",
        "evil": "outside",
        "empty": "bad_manifest",
        "nul": "bad_manifest",
    }
    assert library.get("owner/tiny-Q4").sha256 == (digest,)
    assert library.get("linked").paths == (linked,)


def test_jan_sees_with_the_tower_of_its_manifest(home: Path, library: Library, tmp_path: Path) -> None:
    folder = home / ".local" / "share" / "Jan" / "data" / "llamacpp" / "models" / "seer"
    folder.mkdir(parents=True)
    write_model(folder / "model.gguf")
    tower = write_mmproj(tmp_path / "tower.gguf", N_EMBD)
    (folder / "model.yml").write_text(f"model_path: llamacpp/models/seer/model.gguf\nmmproj_path: {tower}\n")
    assert told(import_from(library, "jan")) == {"seer": "added"}
    assert library.get("seer").mmproj_path == tower


@pytest.mark.parametrize(
    ("variables", "below"), [({"JAN_DATA_FOLDER": "{}"}, ""), ({"JAN_DATA_ROOT": "{}"}, "Jan/data")]
)
def test_stores_are_where_the_environment_of_the_caller_says(
    home: Path, library: Library, tmp_path: Path, variables: dict[str, str], below: str
) -> None:
    folder = tmp_path / "theirs" / below / "models" / "tiny"
    folder.mkdir(parents=True)
    write_model(folder / "model.gguf")
    theirs = {name: value.format(tmp_path / "theirs") for name, value in variables.items()}
    with pytest.raises(StoreNotFound):
        import_from(library, "jan")
    assert told(import_from(library, "jan", variables=theirs.get)) == {"tiny": "added"}


def test_gpt4all_where_its_settings_say(home: Path, library: Library, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    write_model(tmp_path / "mine" / "tiny.gguf")
    (tmp_path / "mine" / "incomplete-big.gguf").write_text("half")
    settings = home / ".config" / "nomic.ai" / "GPT4All.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[General]\nchatTheme=Dark\nmodelPath={tmp_path / 'mine'}\n")
    assert told(import_from(library, "gpt4all")) == {"tiny": "added", "incomplete-big": "unfinished"}
