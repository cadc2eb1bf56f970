"""The window with everything behind it: real services, a real worker, the starter; no screen is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.bridge import Bridge
from app.cli.runner import relay_runner
from app.controllers.conversations import N_LISTED
from app.controllers.shown_path import N_SHOWN
from app.gateway import ServedLibrary
from app.paths import Paths
from app.services import Services
from app.window import WindowWiring
from app.words import sentence
from model_manager.engine.gateway.server import Gateway
from storage.records import Conversation, Filter, Generation, Message, Part, Role, SearchHit
from storage.store import Store
from tests.helpers.commands import Script
from ui.folders_dialog import FoldersDialog
from ui.main_window import MainWindow
from ui.trash_dialog import TrashDialog
from ui.values import Choices, ConversationSettings, Search, Shelving, ShelvingAction

ANSWER_TIMEOUT_MS = 60_000
NOW = datetime.now(UTC)


class Coterie:
    """A window and what is behind it."""

    def __init__(self, data_dir: Path, qtbot: QtBot) -> None:
        data_dir.mkdir(exist_ok=True)
        runtime_dir = data_dir / "run"
        runtime_dir.mkdir(mode=0o700, exist_ok=True)
        self.qtbot = qtbot
        self.services = Services(Paths(data_dir), runtime_dir)
        self.services.set_setting("sampling_defaults", {"max_tokens": 24, "temperature": 0.0})
        self.bridge = Bridge()
        self.window = MainWindow()
        self.wiring = WindowWiring(self.window, self.services, self.bridge)
        self.chat = self.wiring.chat
        self.wiring.begin()
        self.window.show()

    def close(self) -> None:
        self.window.close()
        self.wiring.end()
        self.bridge.close()
        self.services.close()
        self.window.page.transcript.workshop.close()
        self.window.deleteLater()
        QApplication.processEvents()

    def ask(self, text: str) -> Message:
        with self.qtbot.waitSignal(self.chat.answered, timeout=ANSWER_TIMEOUT_MS) as blocker:
            self.window.send_requested.emit(text)
        answer: Message = blocker.args[0]
        return answer

    def path(self) -> list[Message]:
        conversation_id = self.chat.conversation_id
        assert conversation_id is not None
        return self.services.storage.call(lambda store: store.conversations.path(conversation_id))


@pytest.fixture
def coterie(tmp_path: Path, qtbot: QtBot) -> Iterator[Coterie]:
    made = Coterie(tmp_path / "data", qtbot)
    yield made
    made.close()


def test_question_answer_and_versions(coterie: Coterie, qtbot: QtBot) -> None:
    window, chat = coterie.window, coterie.chat
    first = coterie.ask("Say hello.")
    assert first.text
    assert window.windowTitle().startswith("Say hello")
    assert [message.text for message in coterie.path()] == ["Say hello.", first.text]

    # Another answer: a sibling, and the arrows go back to the first.
    with qtbot.waitSignal(chat.answered, timeout=ANSWER_TIMEOUT_MS) as blocker:
        window.page.transcript.regenerate_requested.emit(first.id)
    second: Message = blocker.args[0]
    assert second.sibling_ids == (first.id, second.id)
    assert coterie.path()[-1].id == second.id
    with qtbot.waitSignal(chat.shown):
        window.page.transcript.version_requested.emit(first.id)
    assert coterie.path()[-1].id == first.id

    # The question in other words: a sibling of the question.
    question_id = coterie.path()[0].id
    with qtbot.waitSignal(chat.answered, timeout=ANSWER_TIMEOUT_MS):
        window.page.transcript.edit_requested.emit(question_id, "Say goodbye.")
    question, answer = coterie.path()
    assert question.text == "Say goodbye."
    assert question.sibling_ids == (question_id, question.id)
    assert answer.generation is not None
    assert answer.generation.stop_reason in ("stop", "length")


def test_stop_keeps_the_text(coterie: Coterie, qtbot: QtBot) -> None:
    coterie.services.set_setting("sampling_defaults", {"max_tokens": 2000})
    with qtbot.waitSignal(coterie.chat.streamed, timeout=ANSWER_TIMEOUT_MS):
        coterie.window.send_requested.emit("Write a long story.")
    with qtbot.waitSignal(coterie.chat.answered, timeout=ANSWER_TIMEOUT_MS) as blocker:
        # Until text is there, a stop would leave an empty answer.
        qtbot.waitUntil(lambda: bool(coterie.services.engines.state.status == "ready"), timeout=30_000)
        coterie.window.stop_requested.emit()
    answer: Message = blocker.args[0]
    assert answer.generation is not None
    assert answer.generation.stop_reason == "cancelled"
    assert answer.status == "complete"


def test_settings_of_a_fresh_conversation_are_kept_with_it(coterie: Coterie) -> None:
    settings = ConversationSettings("Greetings", "Be brief.", {"max_tokens": 5})
    coterie.window.conversation_settings_changed.emit(settings)
    answer = coterie.ask("Say hello.")
    assert answer.generation is not None
    assert answer.generation.completion_tokens is not None
    assert answer.generation.completion_tokens <= 5
    conversation = coterie.services.storage.call(
        lambda store: store.conversations.get(answer.conversation_id)
    )
    assert (conversation.title, conversation.system_prompt) == ("Greetings", "Be brief.")
    assert conversation.sampling == {"max_tokens": 5}


def test_list_search_rename_delete(coterie: Coterie, qtbot: QtBot) -> None:
    window, conversations = coterie.window, coterie.wiring.conversations
    answer = coterie.ask("什么是专家混合模型？")
    with qtbot.waitSignal(conversations.found) as found:
        window.sidebar.search_changed.emit(Search("专家"))
    assert [hit.message_id for hit in found.args[0]][-1] == answer.parent_id
    with qtbot.waitSignal(coterie.chat.shown):
        window.hit_selected.emit(found.args[0][-1])
    with qtbot.waitSignal(conversations.listed) as listed:
        window.sidebar.rename_requested.emit(answer.conversation_id, "Experts")
    assert [conversation.title for conversation in listed.args[0]] == ["Experts"]
    with qtbot.waitSignal(conversations.listed) as listed:
        window.sidebar.trash_requested.emit(answer.conversation_id)
    assert listed.args[0] == []
    assert coterie.chat.conversation_id is None
    bar = window.page.notice_bar
    qtbot.waitUntil(lambda: bar.sentence_label.text() == "“Experts” is in the trash.")
    with qtbot.waitSignal(conversations.listed) as listed:
        bar.action_button.click()
    assert [conversation.title for conversation in listed.args[0]] == ["Experts"]
    with qtbot.waitSignal(conversations.listed):
        window.sidebar.trash_requested.emit(answer.conversation_id)
    with qtbot.waitSignal(conversations.trash_listed):
        window.commands.action("Trash…").trigger()
    dialog = window.findChild(TrashDialog)
    assert isinstance(dialog, TrashDialog)
    assert dialog.list.count() == 1
    with qtbot.waitSignal(conversations.trash_listed):
        dialog.delete_requested.emit((answer.conversation_id,))
    assert dialog.list.count() == 0
    dialog.close()


def test_conversations_are_put_in_order_and_answers_rated(coterie: Coterie, qtbot: QtBot) -> None:
    def fill(store: Store) -> tuple[int, int, int]:
        first, second = (store.conversations.create(title=name).id for name in ("First", "Second"))
        question = store.conversations.append(first, None, "user", [Part("text", "Why?")])
        made = Generation("another")
        answer = store.conversations.append(
            first, question.id, "assistant", [Part("text", "Because.")], generation=made
        )
        return first, second, answer.id

    first, second, answer_id = coterie.services.storage.call(fill)
    sidebar, conversations = coterie.window.sidebar, coterie.wiring.conversations

    def shelve(action: ShelvingAction, name: str = "") -> list[Conversation]:
        with qtbot.waitSignal(conversations.listed) as listed:
            sidebar.shelved.emit(Shelving(second, action, name))
        return list(listed.args[0])

    with qtbot.waitSignal(coterie.chat.shown):
        coterie.chat.open_conversation(first)
    assert [found.id for found in shelve("pin")] == [second, first]
    assert [found.id for found in shelve("unpin")] == [first, second]
    with qtbot.waitSignal(conversations.chosen_from):
        shelve("move", "Work/Models")
    with qtbot.waitSignal(conversations.chosen_from) as chosen:
        found = shelve("tag", "draft")[1]
    assert (found.folder, found.tags) == ("Work/Models", ("draft",))
    assert chosen.args == [Choices(("Work", "Work/Models"), ("draft",), ("another",))]
    assert (shelve("untag", "draft")[1].tags, shelve("move")[1].folder) == ((), "")
    # Its folder under another name, and then gone.
    shelve("move", "Work/Models")
    with qtbot.waitSignal(conversations.folders_listed):
        coterie.window.commands.action("Folders…").trigger()
    dialog = coterie.window.findChild(FoldersDialog)
    assert isinstance(dialog, FoldersDialog)
    with qtbot.waitSignal(conversations.folders_listed):
        dialog.rename_requested.emit("Work/Models", "Models")
    assert [dialog.list.item(n).text() for n in range(2)] == ["Models  ·  1", "Work  ·  0"]
    with qtbot.waitSignal(conversations.folders_listed):
        dialog.remove_requested.emit("Models")
    assert dialog.list.count() == 1
    dialog.close()
    # The archive, and back by the notice.
    assert [found.id for found in shelve("archive")] == [first]
    with qtbot.waitSignal(conversations.listed) as listed:
        coterie.window.commands.action("Show the archive").trigger()
    assert [found.id for found in listed.args[0]] == [second]
    assert sidebar.search_box.summary_label.text() == "archived"
    with qtbot.waitSignal(conversations.listed):
        sidebar.search_box.clear_filter()
    bar = coterie.window.page.notice_bar
    qtbot.waitUntil(lambda: "archive" in bar.sentence_label.text())
    with qtbot.waitSignal(conversations.listed) as listed:
        bar.action_button.click()
    assert {found.id for found in listed.args[0]} == {first, second}
    # A name that cannot be one is refused with a sentence, and nothing has changed.
    with qtbot.waitSignal(conversations.failed) as failed:
        sidebar.shelved.emit(Shelving(second, "tag", "long" * 100))
    assert bar.sentence_label.text() == sentence(failed.args[0])

    transcript = coterie.window.page.transcript
    for rating in (1, -1, None):
        with qtbot.waitSignal(conversations.rated):
            transcript.rating_requested.emit(answer_id, rating)
        assert transcript.scene.items[1].message.rating == rating


def test_what_a_command_did_beside_the_window_is_seen(coterie: Coterie, qtbot: QtBot) -> None:
    made = coterie.services.storage.call(lambda store: store.conversations.create(title="Before"))
    conversations = coterie.wiring.conversations
    run = relay_runner(coterie.services, lambda: coterie.bridge.post(coterie.wiring.look_again))
    words = ["conversations", "rename", str(made.id), "After"]
    with qtbot.waitSignal(
        conversations.listed, check_params_cb=lambda found, _more: [one.title for one in found] == ["After"]
    ):
        coterie.bridge.run(lambda: run(words, Script(coterie.services.paths.data_dir)))
    # One that is shown and is deleted by the command is no longer shown.
    with qtbot.waitSignal(coterie.chat.shown):
        coterie.chat.open_conversation(made.id)
    words = ["conversations", "delete", str(made.id)]
    with qtbot.waitSignal(coterie.chat.shown) as shown:
        coterie.bridge.run(lambda: run(words, Script(coterie.services.paths.data_dir)))
    assert shown.args[0] is None


def test_search_and_list_are_limited_alike(coterie: Coterie, qtbot: QtBot) -> None:
    def fill(store: Store) -> list[int]:
        ids = []
        for number in range(3):
            made = store.conversations.create(title=f"Number {number}")
            parts = [Part("reasoning", "An expert thought."), Part("text", "The expert spoke.")]
            store.conversations.append(made.id, None, "user", [Part("text", "Ask the expert.")])
            store.conversations.append(
                made.id, None, "assistant", parts, generation=Generation(f"model-{number}")
            )
            ids.append(made.id)
        store.shelf.move(ids[0], "Work")
        store.shelf.tag(ids[1], "draft")
        store.shelf.archive(ids[2])
        return ids

    ids = coterie.services.storage.call(fill)
    window, conversations = coterie.window, coterie.wiring.conversations

    def listed(where: Filter) -> list[int]:
        with qtbot.waitSignal(conversations.listed) as signal:
            window.sidebar.search_changed.emit(Search("", where))
        return [found.id for found in signal.args[0]]

    def found(where: Filter) -> list[SearchHit]:
        with qtbot.waitSignal(conversations.found) as signal:
            window.sidebar.search_changed.emit(Search("expert", where))
        return list(signal.args[0])

    assert listed(Filter(folder="Work")) == [ids[0]]
    assert listed(Filter(tags=("draft",))) == [ids[1]]
    assert listed(Filter(is_archived=True)) == [ids[2]]
    assert listed(Filter(model="model-1")) == [ids[1]]
    assert listed(Filter()) == [ids[1], ids[0]]
    assert len(found(Filter())) == 9
    assert {hit.conversation_id for hit in found(Filter(folder="Work"))} == {ids[0]}
    assert {hit.part for hit in found(Filter(part="reasoning"))} == {"reasoning"}
    (hit,) = found(Filter(part="reasoning", conversation_id=ids[1]))
    # What was found in the reasoning is opened there.
    with qtbot.waitSignal(coterie.chat.reached):
        window.hit_selected.emit(hit)
    transcript = window.page.transcript
    number = transcript.scene.number_of(hit.message_id)
    assert number is not None
    assert transcript.scene.items[number].is_expanded


def test_a_long_list_is_read_as_one_scrolls(coterie: Coterie, qtbot: QtBot) -> None:
    n = 2 * N_LISTED + 10

    def fill(store: Store) -> None:
        for number in range(n):
            store.conversations.create(title=f"Number {number}")

    coterie.services.storage.call(fill)
    sidebar, conversations = coterie.window.sidebar, coterie.wiring.conversations
    conversations.refresh()
    with qtbot.waitSignal(conversations.listed, check_params_cb=lambda found, _more: bool(found)) as listed:
        pass  # the one before may still be on its way
    assert (len(listed.args[0]), listed.args[1]) == (N_LISTED, True)
    view = sidebar.list_view
    qtbot.keyClick(view, Qt.Key.Key_Down)
    for n_shown in (2 * N_LISTED, n):
        with qtbot.waitSignal(conversations.more_listed):
            qtbot.keyClick(view, Qt.Key.Key_End)
        assert view.model().rowCount() == n_shown + 1  # all of them below "Today"
    # A refresh reads as far down as was read before.
    with qtbot.waitSignal(conversations.listed) as listed:
        conversations.refresh()
    assert (len(listed.args[0]), listed.args[1]) == (n, False)


def test_a_long_conversation_opens_at_its_end(coterie: Coterie, qtbot: QtBot) -> None:
    n = 3 * N_SHOWN

    def fill(store: Store) -> tuple[int, list[int]]:
        conversation_id = store.conversations.create(title="Long").id
        ids: list[int] = []
        for number in range(n):
            parts = [Part("text", f"Message {number}.")]
            role: Role = "assistant" if number % 2 else "user"
            ids.append(store.conversations.append(conversation_id, ids[-1] if ids else None, role, parts).id)
        return conversation_id, ids

    conversation_id, ids = coterie.services.storage.call(fill)
    chat, transcript = coterie.chat, coterie.window.page.transcript
    with qtbot.waitSignal(chat.shown) as shown:
        chat.open_conversation(conversation_id)
    assert [message.id for message in shown.args[1]] == ids[-N_SHOWN:]
    with qtbot.waitSignal(chat.earlier):
        transcript.verticalScrollBar().setValue(0)
    assert [item.message.id for item in transcript.scene.items] == ids[-2 * N_SHOWN :]
    # A second version of an answer keeps what has been read.
    with qtbot.waitSignal(chat.shown) as shown:
        chat.select_version(ids[-3])
    assert [message.id for message in shown.args[1]] == ids[-2 * N_SHOWN :]
    # A hit far above is opened with what follows it.
    with qtbot.waitSignal(chat.reached):
        coterie.window.hit_selected.emit(SearchHit(conversation_id, ids[20], "text", "", "", NOW))
    number = transcript.scene.number_of(ids[20])
    assert number is not None
    assert 0 <= transcript.scene.top_of(number) - transcript.offset < 40
    qtbot.waitUntil(lambda: len(transcript.scene.items) == n)
    assert coterie.path() == [item.message for item in transcript.scene.items]


def test_model_that_cannot_be_loaded_is_said_and_the_next_works(
    coterie: Coterie, qtbot: QtBot, tmp_path: Path
) -> None:
    window = coterie.window
    path = tmp_path / "poem.gguf"
    path.write_text("Roses are red")
    with qtbot.waitSignal(coterie.wiring.library.failed):
        window.rooms.import_requested.emit(str(path))
    assert "GGUF" in window.page.notice_bar.sentence_label.text()
    coterie.services.set_setting("n_ctx_tokens", 9_999_999)
    with qtbot.waitSignal(coterie.chat.failed, timeout=ANSWER_TIMEOUT_MS):
        window.send_requested.emit("Say hello.")
    qtbot.waitUntil(lambda: not coterie.chat._running)
    assert coterie.path()[-1].status == "failed"
    coterie.services.set_setting("n_ctx_tokens", 0)
    assert coterie.ask("Say hello again.").text


def test_question_to_a_missing_model_comes_back(coterie: Coterie, qtbot: QtBot) -> None:
    coterie.chat._model = "gone"
    with qtbot.waitSignal(coterie.chat.draft_returned, timeout=ANSWER_TIMEOUT_MS):
        coterie.window.send_requested.emit("Are you there?")
    assert coterie.window.page.composer.text() == "Are you there?"
    assert coterie.services.storage.call(lambda store: store.conversations.list()) == []


def test_layout_and_conversation_come_back(tmp_path: Path, qtbot: QtBot) -> None:
    first = Coterie(tmp_path / "data", qtbot)
    first.window.resize(700, 560)
    first.ask("Say hello.")
    conversation_id = first.chat.conversation_id
    first.close()
    second = Coterie(tmp_path / "data", qtbot)
    qtbot.waitUntil(lambda: second.chat.conversation_id == conversation_id)
    size = second.window.size().toTuple()
    second.close()
    assert size == (700, 560)


def test_thinking_is_limited_and_ended(coterie: Coterie, qtbot: QtBot) -> None:
    window, chat = coterie.window, coterie.chat
    button = window.page.composer.thinking_button
    window.model_selected.emit("starter-thinking")
    qtbot.waitUntil(lambda: not button.isHidden(), timeout=ANSWER_TIMEOUT_MS)

    # A budget chosen beside the message field: the answer begins in time, and the choice is kept.
    button.changed.emit({"thinking": "auto", "think_budget_tokens": 8})
    limited = coterie.ask("How many legs has a spider?")
    assert limited.generation is not None
    assert limited.generation.reasoning_tokens == 8
    assert limited.text
    assert button.values()["think_budget_tokens"] == 8

    # No budget: the model would never end its thoughts by itself; a person does.
    button.changed.emit({"thinking": "auto", "think_budget_tokens": None})
    chat.set_sampling({"max_tokens": 400})
    chat.streamed.connect(lambda update: window.page.transcript.conclude_requested.emit(update.message_id))
    concluded = coterie.ask("And a bee?")
    assert concluded.generation is not None
    assert 0 < (concluded.generation.reasoning_tokens or 0) < 300
    assert concluded.text


def test_a_full_context_leaves_a_choice(coterie: Coterie, qtbot: QtBot) -> None:
    window, chat, bar = coterie.window, coterie.chat, coterie.window.page.notice_bar
    coterie.services.set_setting("n_ctx_tokens", 256)
    never_ends = {"temperature": 0.8, "seed": 3, "max_tokens": 400, "logit_bias": {"2": -100, "0": -100}}
    coterie.services.set_setting("sampling_defaults", never_ends)
    cut = coterie.ask("Tell me a long story about a river.")
    assert cut.generation is not None
    assert cut.generation.stop_reason == "context_full"
    assert [button.text() for button in bar.choice_buttons][-1] == "Context of 512 tokens"

    coterie.services.set_setting("sampling_defaults", never_ends | {"max_tokens": 8})
    with qtbot.waitSignal(chat.answered, timeout=ANSWER_TIMEOUT_MS) as blocker:
        bar.choice_buttons[-1].click()
    longer: Message = blocker.args[0]
    assert longer.text.startswith(cut.text)
    assert len(longer.text) > len(cut.text)
    assert longer.sibling_ids == (cut.id, longer.id)
    assert window.page.transcript.scene.items[-1].message.id == longer.id


def test_a_remote_engine_answers_like_any_model(coterie: Coterie, monkeypatch: pytest.MonkeyPatch) -> None:
    """The far server is our own gateway."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", fail.Keyring())
    services = coterie.services
    with closing(Gateway(ServedLibrary(services), sentence, key="a-key")) as gateway:
        services.remotes.add("far", gateway.url, "starter-dense", "a-key", services.library.list())
        coterie.wiring.library.refresh()
        picker = coterie.window.page.header.picker
        coterie.qtbot.waitUntil(lambda: "far" in [entry.name for entry in coterie.wiring._entries])
        coterie.chat.select_model("far")
        answer = coterie.ask("Hello")
        assert answer.text
        assert answer.generation is not None
        assert answer.generation.model_name == "far"
        assert picker.isVisible()
    # Its end is an event with a sentence, and what is local goes on.
    with coterie.qtbot.waitSignal(coterie.chat.failed, timeout=ANSWER_TIMEOUT_MS) as failed:
        coterie.window.send_requested.emit("Are you there?")
    assert gateway.url.removesuffix("/v1") in sentence(failed.args[0])
    coterie.chat.select_model("starter-dense")
    assert coterie.ask("Hello again").text
