"""Every importer on its samples in tests/data/exchange; none is a real export (docs/exchange.md)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.errors import UnknownExport
from storage.exchange.carried import Broken, Carried, CarriedMessage, Recognized, Skipped
from storage.exchange.exporters import fine_tuning
from storage.exchange.filing import Filing
from storage.exchange.reading import PROGRAMS, read
from storage.records import Filter, Part
from storage.store import Store
from tests.helpers.exports import ChatWriter, database, zipped


def conversations(path: Path, program: str) -> list[Carried]:
    items = list(read(path))
    assert {item.program for item in items if isinstance(item, Recognized)} == {program}
    return [item for item in items if isinstance(item, Carried)]


def said(message: CarriedMessage) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in message.parts]


def tree(carried: Carried) -> list[tuple[str, str | None, str]]:
    return [(message.key, message.parent_key, message.role) for message in carried.messages]


def test_chatgpt(samples: Path) -> None:
    full, empty = conversations(samples / "chatgpt" / "conversations.json", "chatgpt")
    assert full.origin == "chatgpt:c-1"
    assert full.title == "Experts <b>bold</b>"
    assert full.system_prompt == "I build compilers.\n\nBe brief."
    assert full.created_at == datetime(2024, 5, 31, 16, 8, 37, 123456, UTC)
    assert full.more == {"is_archived": True}
    assert tree(full) == [
        ("q1", None, "user"),
        ("t1", "q1", "assistant"),
        ("a1b", "q1", "assistant"),
        ("q2", "t1", "user"),
        ("a2", "q2", "assistant"),
    ]
    question, answer, version, _, last = full.messages
    assert said(question) == [("text", "What is an expert? <script>alert(1)</script>")]
    assert said(answer) == [
        ("reasoning", "**Recalling**\n\nMixtures route tokens."),
        ("tool_call", "print(1)"),
        ("tool_result", "1"),
        ("text", "A small network that sees some tokens."),
    ]
    assert answer.generation is not None
    assert answer.generation.model_name == "gpt-5-2-thinking"
    assert version.generation is not None
    assert version.generation.model_name == "gpt-4o"
    assert last.status == "interrupted"
    assert full.head_key == "a2"
    assert full.lost == {"image": 1, "file": 1}
    assert empty.messages == ()


def test_chatgpt_of_many_files_in_a_zip(samples: Path, tmp_path: Path) -> None:
    path = zipped(samples / "chatgpt" / "conversations-2026", tmp_path / "export.zip")
    items = list(read(path))
    first, second = (item for item in items if isinstance(item, Carried))
    assert [item.where for item in items if isinstance(item, Skipped)] == ["user.json"]
    assert tree(first) == [("a", None, "user"), ("b", "a", "assistant")]
    assert first.messages[1].generation is not None
    assert first.messages[1].generation.model_name == "gpt-5-6"
    assert second.origin == "chatgpt:n-2"


def test_chatgpt_with_the_images_and_files_of_its_zip(tmp_path: Path) -> None:
    image = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_00ab"}
    drawn = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-XY12"}
    gone = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-ZZ99"}
    sent = [{"id": "file_00ab", "name": "a.png"}, {"id": "file-Doc1", "name": "notes.md"}, {"id": "file-No"}]
    nodes: list[tuple[str, str | None, object, object]] = [
        ("q", None, {"role": "user"}, {"content_type": "multimodal_text", "parts": [image, gone, "Draw it"]}),
        ("c", "q", {"role": "assistant"}, {"content_type": "code", "text": '{"prompt": "a dot"}'}),
        ("t", "c", {"role": "tool", "name": "dalle"}, {"content_type": "multimodal_text", "parts": [drawn]}),
        ("a", "t", {"role": "assistant"}, {"content_type": "text", "parts": ["Here."]}),
    ]
    tree_of = {
        key: {
            "parent": parent,
            "message": {
                "author": author,
                "content": content,
                "recipient": "dalle" if key == "c" else "all",
                "metadata": {"attachments": sent} if key == "q" else {},
            },
        }
        for key, parent, author, content in nodes
    }
    folder = tmp_path / "export"
    (folder / "dalle-generations").mkdir(parents=True)
    talk = [{"conversation_id": "z", "title": "Z", "mapping": tree_of, "current_node": "a"}]
    (folder / "conversations.json").write_text(json.dumps(talk))
    png = b"\x89PNG\r\n\x1a\n"
    (folder / "file_00ab-sanitized.png").write_bytes(png + b"1")
    (folder / "dalle-generations" / "file-XY12-0001.webp").write_bytes(png + b"2")
    (folder / "file-Doc1-notes.md").write_bytes("words 专家".encode())
    for path in (folder, zipped(folder, tmp_path / "export.zip")):
        (found,) = (item for item in read(path) if isinstance(item, Carried))
        question, answer = found.messages
        assert [(part.kind, part.name, part.text, part.data) for part in question.parts] == [
            ("image", "a.png", "", png + b"1"),
            ("text", "", "Draw it", None),
            ("file", "notes.md", "words 专家", None),
        ]
        assert [(part.kind, part.name, part.text, part.call_id) for part in answer.parts] == [
            ("tool_call", "dalle", '{"prompt": "a dot"}', "c"),
            ("image", "0001.webp", "", ""),
            ("tool_result", "dalle", "", "c"),
            ("text", "", "Here.", ""),
        ]
        assert found.lost == {"image": 1, "file": 1}


def test_open_webui_with_folded_calls_and_texts_of_files(tmp_path: Path) -> None:
    folded = (
        '<details type="tool_calls" done="true" id="call_9" name="search"'
        ' arguments="&quot;{\\&quot;q\\&quot;: 1}&quot;" result="&quot;found &gt; it&quot;">'
        "\n<summary>Tool Executed</summary>\n</details>\nAnswer"
    )
    file = {"type": "file", "name": "n.pdf", "file": {"data": {"content": "words of it"}}}
    messages = {
        "q": {"id": "q", "parentId": None, "role": "user", "content": "Q", "files": [file]},
        "a": {"id": "a", "parentId": "q", "role": "assistant", "content": folded},
    }
    path = tmp_path / "chats.json"
    path.write_text(json.dumps([{"id": "1", "chat": {"history": {"messages": messages, "currentId": "a"}}}]))
    (found,) = conversations(path, "open_webui")
    assert said(found.messages[0]) == [("file", "words of it"), ("text", "Q")]
    assert said(found.messages[1]) == [
        ("tool_call", '{"q": 1}'),
        ("tool_result", "found > it"),
        ("text", "Answer"),
    ]


def test_claude(samples: Path) -> None:
    newer, older = conversations(samples / "claude" / "conversations.json", "claude")
    assert tree(newer) == [
        ("m-1", None, "user"),
        ("m-2", "m-1", "assistant"),
        ("m-2b", "m-1", "assistant"),
        ("m-3", "m-2", "user"),
    ]
    assert said(newer.messages[0]) == [("file", "a long paste of words")]
    assert said(newer.messages[1]) == [
        ("reasoning", "Let me look."),
        ("tool_call", "{}"),
        ("tool_result", ""),
        ("text", "It is a paste."),
    ]
    assert newer.head_key == "m-3"
    assert newer.lost == {"file": 1}
    assert tree(older) == [("o-1", None, "user"), ("o-2", "o-1", "assistant")]
    assert said(older.messages[1]) == [("text", "Old answer")]


def test_lm_studio(samples: Path) -> None:
    (found,) = conversations(samples / "lm_studio" / "1760000000000.conversation.json", "lm_studio")
    question, other, answer, next_question = found.messages
    assert found.system_prompt == "Answer in verse."
    assert found.more == {"is_pinned": True}
    assert said(question) == [("text", "A rose?")]
    assert said(other) == [("text", "Blue.")]
    assert said(answer) == [("reasoning", "Roses are red."), ("tool_call", "{}"), ("text", "Red.")]
    assert other.parent_key == answer.parent_key == question.key
    assert next_question.parent_key == answer.key
    assert answer.generation is not None
    assert answer.generation.model_name == "qwen/qwen3-30b-a3b"
    assert answer.generation.decode_tokens_per_s == 21.5
    assert answer.generation.ttft_ms == 250
    assert answer.generation.stop_reason == "stop"
    assert found.lost == {"image": 1}


def test_jan(samples: Path, tmp_path: Path) -> None:
    items = list(read(samples / "jan"))
    (found,) = (item for item in items if isinstance(item, Carried))
    (broken,) = (item for item in items if isinstance(item, Broken))
    assert broken.where == "threads/jan_1/messages.jsonl, 3"
    assert found.title == "From Jan"
    assert found.system_prompt == "You are Jan."
    question, answer = found.messages  # an answer in two pieces is one
    assert [part.name for part in question.parts if part.kind == "image"] == ["image.png"]
    assert said(answer) == [
        ("reasoning", "A dot."),
        ("text", "One pixel."),
        ("reasoning", "More."),
        ("tool_call", "{}"),
        ("text", "And more."),
    ]
    assert answer.generation is not None
    assert answer.generation.model_name == "gpt-oss-20b"
    assert found.lost == {}
    alone = list(read(samples / "jan" / "threads" / "jan_1" / "messages.jsonl"))
    assert found in alone
    assert found in list(read(zipped(samples / "jan", tmp_path / "jan.zip")))


def test_open_webui(samples: Path) -> None:
    found, without_tree = conversations(samples / "open_webui.json", "open_webui")
    assert tree(found) == [("x1", None, "user"), ("x2", "x1", "assistant"), ("x3", "x1", "assistant")]
    assert said(found.messages[2]) == [
        ("reasoning", "Divisors of 7:\n1 and 7."),
        ("text", "Yes, 7 is prime."),
    ]
    made = found.messages[2].generation
    assert made is not None
    assert (made.reasoning_ms, made.prompt_tokens, made.completion_tokens) == (5000, 12, 30)
    assert found.tags == ("maths", "moe")
    assert found.system_prompt == "Be exact."
    assert found.more == {"is_pinned": True}
    assert found.lost == {"file": 1}
    assert [message.role for message in without_tree.messages] == ["user", "assistant"]
    assert without_tree.more == {"is_archived": True}


def test_open_webui_with_pieces_apart(tmp_path: Path) -> None:
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Divide."}], "content": []},
        {"type": "function_call", "name": "x", "call_id": "c", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "7"},
        {"type": "message", "content": [{"type": "output_text", "text": "Yes."}]},
    ]
    messages = {"a": {"id": "a", "parentId": None, "role": "assistant", "content": "", "output": output}}
    path = tmp_path / "chats.json"
    path.write_text(json.dumps([{"id": "1", "chat": {"history": {"messages": messages, "currentId": "a"}}}]))
    (found,) = conversations(path, "open_webui")
    assert said(found.messages[0]) == [
        ("reasoning", "Divide."),
        ("tool_call", "{}"),
        ("tool_result", "7"),
        ("text", "Yes."),
    ]


def test_llama_ui(samples: Path, tmp_path: Path) -> None:
    (found,) = conversations(samples / "llama_ui.jsonl", "llama_ui")
    question, answer = found.messages
    assert said(question) == [("image", ""), ("text", "Read this"), ("file", "file words")]
    assert [part.name for part in question.parts if part.kind == "image"] == ["d.png"]
    assert said(answer) == [
        ("reasoning", "I need the tool."),
        ("tool_call", "{}"),
        ("tool_result", "42"),
        ("text", "It says words."),
    ]
    assert answer.generation is not None
    assert answer.generation.prompt_tokens == 25
    assert answer.generation.decode_tokens_per_s == 20
    assert found.head_key == answer.key or found.head_key is not None
    assert found.lost == {"audio": 1}
    (older,) = conversations(samples / "llama_ui_older.json", "llama_ui")
    assert said(older.messages[1]) == [("reasoning", "Greet."), ("text", "Hello")]
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "a_conv.jsonl").write_bytes((samples / "llama_ui.jsonl").read_bytes())
    assert found in list(read(zipped(folder, tmp_path / "all.zip")))


def test_ollama(tmp_path: Path) -> None:
    found, second = conversations(database("ollama", tmp_path / "db.sqlite"), "ollama")
    assert found.created_at == datetime(2026, 2, 3, 3, 5, 6, 123456, UTC)
    question, answer = found.messages
    assert [part.name for part in question.parts if part.kind == "image"] == ["dot.png"]
    assert said(answer) == [
        ("reasoning", "Search first."),
        ("tool_call", "{}"),
        ("tool_result", "found"),
        ("text", "Because."),
    ]
    assert [(part.name, part.text) for part in question.parts if part.kind == "file"] == [
        ("notes.txt", "abc")
    ]
    assert answer.generation is not None
    assert answer.generation.model_name == "qwen3:30b"
    assert found.lost == {}
    assert second.lost == {"state": 1}


def test_ollama_with_rows_in_the_log(tmp_path: Path) -> None:
    import sqlite3

    path = database("ollama", tmp_path / "db.sqlite")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("INSERT INTO chats VALUES ('o-3', 'In the log', '2026-02-05 00:00:00', NULL)")
    connection.commit()
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    found = conversations(path, "ollama")
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    connection.close()
    assert [conversation.title for conversation in found] == ["From Ollama", "Second", "In the log"]
    assert after == before


def test_alpaca(tmp_path: Path) -> None:
    (found,) = conversations(database("alpaca", tmp_path / "alpaca.db"), "alpaca")
    question, answer = found.messages
    assert found.folder == ("Work", "Models")
    assert said(question) == [("image", ""), ("text", "Sum this up"), ("file", "words of the file")]
    assert [part.name for part in question.parts if part.kind == "image"] == ["d.png"]
    assert said(answer) == [
        ("reasoning", "Short."),
        ("text", "A summary."),
        ("tool_result", "{}"),
        ("reasoning", "Once more."),
        ("text", "Again."),
    ]
    assert found.created_at == datetime(2025, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert found.lost == {}


@pytest.mark.parametrize("version", range(1, 13))
def test_gpt4all(tmp_path: Path, version: int) -> None:
    path = tmp_path / "gpt4all-chat-1.chat"
    writer = ChatWriter(path, version)
    writer.items(2)
    attachments = (("file:///home/x/notes%20a.txt", "words é".encode()),) if version >= 10 else ()
    writer.item("Prompt: ", "Question 专家", attachments=attachments)
    if version >= 12:
        writer.item("Response: ", "2.", liked=True, n_children=2)
        writer.child("Response: ", "", n_children=2)
        writer.child("Think: ", "<think>Adding.</think>")
        writer.child("ToolCall: ", "```js\n1 + 1\n```")
        writer.child("ToolResponse: ", "2")
    else:
        writer.item("Response: ", "<think>Adding.</think>\n\n2.", stopped=True)
    writer.close()
    (found,) = conversations(path, "gpt4all")
    question, answer = found.messages
    assert found.title == "From GPT4All"
    assert found.created_at == datetime(2025, 2, 19, 21, 20, tzinfo=UTC)
    assert question.parts[0].text == "Question 专家"
    assert [(part.name, part.text) for part in question.parts[1:]] == (
        [("notes a.txt", "words é")] if version >= 10 else []
    )
    used = [("tool_call", '{"code": "1 + 1"}'), ("tool_result", "2")] if version >= 12 else []
    assert said(answer) == [("reasoning", "Adding."), *used, ("text", "2.")]
    assert answer.generation is not None
    assert answer.generation.model_name == "Reasoner v1"
    assert answer.status == ("complete" if version >= 12 else "interrupted")
    assert answer.more == ({"rating": 1} if version >= 12 else {})


def test_gpt4all_cut_off_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "gpt4all-x.chat"
    writer = ChatWriter(path, 11)
    writer.items(1)
    writer.item("Prompt: ", "Question")
    writer.close()
    data = path.read_bytes()
    for n_bytes in range(8, len(data)):
        path.write_bytes(data[:n_bytes])
        (broken,) = (item for item in read(path) if isinstance(item, Broken))
        assert "ends too early" in broken.reason


def test_folders_tags_and_marks_come_over(
    samples: Path, tmp_path: Path, filing: Filing, store: Store
) -> None:
    (tmp_path / "conversations" / "Poems").mkdir(parents=True)
    sample = samples / "lm_studio" / "1760000000000.conversation.json"
    (tmp_path / "conversations" / "Poems" / sample.name).write_bytes(sample.read_bytes())
    paths = (
        tmp_path / "conversations",
        samples / "open_webui.json",
        database("alpaca", tmp_path / "alpaca.db"),
    )
    for path in paths:
        for item in read(path):
            if isinstance(item, Carried):
                filing.file(item)
    found = {conversation.title: conversation for conversation in store.conversations.list(where=Filter())}
    assert found["From LM Studio"].folder == "Poems"
    assert found["From Alpaca"].folder == "Work/Models"
    assert found["From Open WebUI"].tags == ("maths", "moe")
    assert found["From Open WebUI"].is_pinned
    assert found["Without a tree"].archived_at is not None
    assert [hit.part for hit in store.search.find("Alpaca")] == ["title"]


def test_lines_of_messages_with_tools(samples: Path, tmp_path: Path, filing: Filing) -> None:
    first, second, third = conversations(samples / "messages.jsonl", "messages")
    assert (first.title, first.system_prompt) == ("What is the weather in Paris?", "Use the tools.")
    question, answer, _, last = first.messages
    assert said(question) == [("image", ""), ("text", "What is the weather in Paris?")]
    assert [(part.kind, part.name, part.text, part.call_id) for part in answer.parts] == [
        ("reasoning", "", "I need the tool.", ""),
        ("tool_call", "get_weather", '{"city": "Paris"}', "call_1"),
        ("tool_result", "", '{"celsius": 18}', "call_1"),
        ("text", "", "18 degrees.", ""),
    ]
    assert said(last) == [("reasoning", "Polite."), ("text", "You are welcome.")]
    assert first.lost == {"audio": 1}
    assert [message.role for message in second.messages] == ["user", "assistant"]
    assert second.system_prompt == "Be brief."
    assert said(third.messages[1]) == [("tool_call", "{}"), ("tool_result", "7"), ("text", "Seven.")]
    for carried in (first, second, third):
        assert filing.file(carried).outcome == "new"
        assert filing.file(carried).outcome == "known"


def test_what_was_exported_for_training_comes_back(tmp_path: Path) -> None:
    parts = (
        Part("tool_call", "{}", "clock", "c"),
        Part("tool_result", "noon", call_id="c"),
        Part("text", "Noon."),
    )
    talk = Carried(
        "x:1",
        "T",
        (
            CarriedMessage("q", None, "user", (Part("text", "Time?"),)),
            CarriedMessage("a", "q", "assistant", parts),
        ),
        system_prompt="Be exact.",
    )
    path = tmp_path / "train.jsonl"
    for shape in ("openai", "sharegpt"):
        with path.open("w", encoding="utf-8") as file:
            fine_tuning.write([talk], file, shape, fine_tuning.Quality())  # type: ignore[arg-type]  # a Shape
        (back,) = conversations(path, "messages")
        assert back.system_prompt == "Be exact."
        assert said(back.messages[0]) == [("text", "Time?")]
        expected = [(part.kind, part.text) for part in parts] if shape == "openai" else [("text", "Noon.")]
        assert said(back.messages[1]) == expected


def test_every_program_is_named() -> None:
    assert len(PROGRAMS) == 11


@pytest.mark.parametrize(
    "name",
    [
        "chatgpt/conversations.json",
        "chatgpt/conversations-2026",
        "claude/conversations.json",
        "lm_studio",
        "jan",
        "open_webui.json",
        "ollama.sql",
        "gpt4all",
        "alpaca.sql",
        "llama_ui.jsonl",
        "llama_ui_older.json",
        "messages.jsonl",
    ],
)
def test_a_second_import_of_each_sample_adds_nothing(
    samples: Path, tmp_path: Path, filing: Filing, store: Store, name: str
) -> None:
    path = samples / name
    if path.suffix == ".sql":
        path = database(path.stem, tmp_path / "other.sqlite")
    for outcome in ("new", "known"):
        for item in read(path):
            if isinstance(item, Carried) and item.messages:
                assert filing.preview(item).outcome == outcome
                assert filing.file(item).outcome == outcome
    assert store.conversations.verify() == []


def test_a_conversation_that_has_grown_gets_what_is_new(samples: Path, filing: Filing, store: Store) -> None:
    from dataclasses import replace

    full = next(
        item for item in read(samples / "chatgpt" / "conversations.json") if isinstance(item, Carried)
    )
    filed = filing.file(replace(full, messages=full.messages[:2], head_key="t1"))
    store.conversations.rename(filed.conversation_id, "Mine")
    grown = filing.file(full)
    assert (grown.outcome, grown.n_messages, grown.conversation_id) == ("grown", 3, filed.conversation_id)
    assert [message.role for message in store.conversations.path(filed.conversation_id)] == [
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert store.conversations.get(filed.conversation_id).title == "Mine"
    assert store.conversations.verify() == []


def test_markup_stays_text(samples: Path, filing: Filing, store: Store) -> None:
    full = next(
        item for item in read(samples / "chatgpt" / "conversations.json") if isinstance(item, Carried)
    )
    conversation_id = filing.file(full).conversation_id
    path = store.conversations.path(conversation_id)
    assert path[0].text == "What is an expert? <script>alert(1)</script>"
    assert [hit.message_id for hit in store.search.find("专家")] == [path[2].id]


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"{}", b"[]", b'[{"a": 1}]', b"\0" * 100, b"GGUF\3\0\0\0[{", b"[[[", b'"text"', b"7"],
)
def test_what_is_no_export_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(UnknownExport) as refused:
        list(read(path))
    assert refused.value.is_cut_off == (data == b"[[[")


def test_an_export_that_was_cut_off_in_its_first_conversation_is_told_as_such(
    samples: Path, tmp_path: Path
) -> None:
    path = tmp_path / "conversations.json"
    path.write_bytes((samples / "claude" / "conversations.json").read_bytes()[:700])
    with pytest.raises(UnknownExport) as refused:
        list(read(path))
    assert refused.value.is_cut_off


def test_a_database_of_another_program_is_refused(tmp_path: Path, store: Store) -> None:
    with pytest.raises(UnknownExport):
        list(read(store.path))
