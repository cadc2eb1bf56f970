"""`coterie knowledge` and `coterie chat --knowledge`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.helpers.cli import coterie, events, refuse, succeed
from tests.helpers.documents import pdf


def test_documents_are_found_cited_and_forgotten(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "bees.md").write_text("# Bees\n\n## Honey\n\nBees make honey from nectar.\n")
    (folder / "paper.pdf").write_bytes(pdf(["Cover", "Wasps build nests of paper."]))

    def knowledge(*arguments: str) -> Any:
        return json.loads(succeed(coterie(data_dir, "knowledge", *arguments, "--json", cwd=tmp_path)).stdout)

    added = knowledge("add", "notes", "notes")
    assert (added["n_read"], added["refused"]) == (2, [])
    assert added["collection"]["sources"] == [str(folder)]

    found = knowledge("search", "notes", "Where does honey come from?")
    (hit,) = (each for each in found["passages"] if each["title"] == "bees.md")
    assert (hit["headings"], hit["line"]) == (["Bees", "Honey"], 5)
    assert found["words_only"] == "no_model"
    assert knowledge("search", "notes", "wasps")["passages"][0]["page"] == 2
    assert knowledge("passage", str(hit["id"]))["text"] == "Bees make honey from nectar."
    told = succeed(coterie(data_dir, "knowledge", "search", "notes", "honey"))
    assert "bees.md:5 Bees > Honey" in told.stdout
    assert "--model MODEL" in told.stderr, "it says that words alone were searched"

    options = ("-m", "starter-dense", "--max-tokens", "4", "--temperature", "0")
    done = succeed(
        coterie(data_dir, "chat", *options, "--knowledge", "notes", "What is honey made from?", "--json")
    )
    lines = events(done)
    (sent,) = (line["citations"] for line in lines if line["type"] == "citations")
    assert (sent[0]["number"], sent[0]["text"]) == (1, "Bees make honey from nectar.")
    ended = lines[-1]

    # The document goes, what was cited stays.
    (folder / "bees.md").unlink()
    assert knowledge("refresh", "notes")["n_removed"] == 1
    assert knowledge("cited", str(ended["message_id"]), "1") == sent[:1]
    show = ("conversations", "show", str(ended["conversation_id"]))
    assert json.loads(succeed(coterie(data_dir, *show, "--json")).stdout)["messages"][0]["citations"] == sent
    assert "[1] bees.md:5 Bees > Honey" in succeed(coterie(data_dir, *show)).stdout

    assert [document["kind"] for document in knowledge("show", "notes")["documents"]] == ["pdf"]
    assert [collection["n_documents"] for collection in knowledge("list")] == [1]
    knowledge("remove", "notes", "notes")
    assert knowledge("show", "notes")["documents"] == []
    knowledge("remove", "notes")
    assert knowledge("list") == []


def test_bad_usage_is_one_line(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    refuse(coterie(data_dir, "knowledge", "search", "none", "x"), "none", "knowledge add")
    refuse(coterie(data_dir, "knowledge", "add", "notes", str(tmp_path / "nothing")), "nothing")
    refuse(coterie(data_dir, "knowledge", "add", "notes", str(tmp_path), "--model", "nobody"), "nobody")
    refuse(coterie(data_dir, "chat", "--knowledge", "none", "Hello"), "none")
    assert json.loads(succeed(coterie(data_dir, "knowledge", "list", "--json")).stdout) == []
    (tmp_path / "noise.txt").write_bytes(bytes(range(256)) * 8)
    done = coterie(data_dir, "knowledge", "add", "notes", str(tmp_path / "noise.txt"))
    assert done.returncode == 1
    assert "noise.txt" in done.stderr
    refuse(coterie(data_dir, "knowledge", "passage", "7"), "7")
