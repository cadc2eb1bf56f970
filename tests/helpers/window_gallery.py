"""Pictures of the window with sample data: `python -m tests.helpers.window_gallery FOLDER [NAME ...]`.

Runs on whatever screen there is (an Xvfb, say); every picture is one PNG in FOLDER.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QScrollArea, QWidget

from model_manager import errors
from model_manager.types import EngineState, RequestRecord
from storage.errors import DatabaseDiskFull
from storage.records import Folder, Part
from tests.helpers import knowledge_samples as knowledge, page_samples as pages
from tests.helpers.care_samples import SPACE, backups
from tests.helpers.knowledge_samples import COMPARISON
from tests.helpers.window_samples import (
    INFO,
    MODELS,
    attached,
    conversations,
    downloads,
    hits,
    messages,
    messages_with_parts,
)
from ui import text
from ui.care.care_dialog import CareDialog
from ui.chat.compare_dialog import CompareDialog
from ui.chat.rerun_dialog import RerunDialog
from ui.folders_dialog import FoldersDialog
from ui.i18n import tr
from ui.knowledge.collections_dialog import CollectionsDialog
from ui.knowledge.passages_dialog import PassagesDialog
from ui.main_window import MainWindow
from ui.training_dialog import TrainingDialog
from ui.trash_dialog import TrashDialog
from ui.values import Choices, Notice, StreamUpdate

CHOICES = Choices(
    ("Home", "Work", "Work/Models and everything else that has a long name", "工作/模型"),
    ("draft", "mixture-of-experts", "旅行"),
    ("starter", "Qwen3-30B-A3B-Instruct-2507-UD-Q4_K_XL"),
)


def _chat(window: MainWindow) -> None:
    window.sidebar.set_conversations(conversations(), 1)
    window.set_models(MODELS, "starter")
    window.set_engine_state(EngineState("starter", "ready", 1000, INFO))
    window.show_conversation(conversations()[0], messages())


def _thinking(window: MainWindow) -> None:
    _chat(window)
    window.page.composer.thinking_button.set_values({"thinking": "on", "think_budget_tokens": 1024})
    window.page.composer.thinking_button.show()
    question, answer = messages()
    streaming = replace(answer, status="streaming", parts=(), id=answer.id)
    window.show_conversation(conversations()[0], [question, streaming])
    window.set_busy(True)
    window.page.transcript.apply_stream(
        StreamUpdate(
            answer.id,
            "reasoning",
            reasoning="The person asks for a definition. First the idea, then an example.",
            reasoning_tokens=318,
            reasoning_s=4.2,
            completion_tokens=318,
            tokens_per_s=74.0,
        )
    )


def _thinking_menu(window: MainWindow) -> None:
    _thinking(window)
    button = window.page.composer.thinking_button
    button.menu().popup(button.mapToGlobal(QPoint(0, -button.menu().sizeHint().height())))


def _full_context(window: MainWindow) -> None:
    _chat(window)
    question, answer = messages()
    assert answer.generation is not None
    cut = replace(answer, generation=replace(answer.generation, stop_reason="context_full"))
    window.show_conversation(conversations()[0], [question, cut])
    window.show_notice(
        Notice(
            "warning",
            tr("The context is full; what was written is kept. How shall the answer go on?"),
            choices=(
                (tr("Leave out the oldest turns"), "a"),
                (tr("Sum up the oldest turns"), "b"),
                (tr("Context of {n} tokens", n="16,384"), "c"),
            ),
        )
    )


def _welcome(window: MainWindow) -> None:
    window.sidebar.set_conversations(conversations(), None)
    window.set_models(MODELS, "starter")


def _first_start(window: MainWindow) -> None:
    window.sidebar.set_conversations([], None)
    window.set_models([], None)


def _loading(window: MainWindow) -> None:
    _chat(window)
    window.set_models(MODELS, MODELS[2].name)
    window.set_engine_state(EngineState(MODELS[2].name, "loading", 430))
    window.set_busy(True)
    window.set_downloads(downloads())


def _attachments(window: MainWindow) -> None:
    _chat(window)
    transcript = window.page.transcript
    transcript.attachments_requested.connect(lambda id: transcript.show_attachments(id, attached()))
    transcript.set_messages(messages_with_parts())
    for _ in range(20):  # the pictures are made on a thread
        QTest.qWait(20)
    transcript.control_activated.emit(1, "tools")


def _notice(window: MainWindow) -> None:
    _chat(window)
    window.set_engine_state(EngineState("starter", "failed", error=ValueError()))
    died = errors.EngineDied(
        "starter", None, 9, "ggml_new_object: not enough space\nllama_decode: failed", False
    )
    window.show_notice(text.notice_for(died))
    window.page.composer.set_text("And how does it learn\nwhich expert to choose?\nIn one sentence.")


def _search(window: MainWindow) -> None:
    _chat(window)
    window.sidebar.search_field.setText("expert")
    window.sidebar.set_hits(hits())


def _filter(window: MainWindow) -> None:
    _chat(window)
    window.sidebar.set_choices(CHOICES)
    window.sidebar.open_filter()
    panel = window.sidebar.search_box.panel()
    panel.folder_box.setCurrentIndex(3)
    panel.tag_button.menu().actions()[1].trigger()
    panel.time_box.setCurrentIndex(5)


def _filtered(window: MainWindow) -> None:
    _filter(window)
    window.sidebar.search_box.panel().hide()
    window.sidebar.search_field.setText("expert")
    window.sidebar.set_hits(hits())


def _nothing_found(window: MainWindow) -> None:
    _filtered(window)
    window.sidebar.set_hits([])


def _conversation_menu(window: MainWindow) -> None:
    _chat(window)
    window.sidebar.set_choices(CHOICES)
    window.page.header.open_menu()
    menu = next(child for child in window.children() if isinstance(child, QMenu))
    menu.setActiveAction(menu.actions()[2])


def _folders(window: MainWindow) -> None:
    _chat(window)
    dialog = FoldersDialog(window)
    dialog.set_folders([Folder(path, n * 7) for n, path in enumerate(CHOICES.folders)])
    dialog.open()


def _trash(window: MainWindow) -> None:
    _chat(window)
    dialog = TrashDialog(30, window)
    dialog.set_conversations([replace(one, deleted_at=one.updated_at) for one in conversations()[:6]])
    dialog.open()


def _picker(window: MainWindow) -> None:
    _chat(window)
    window.page.header.picker.open_list()


def _menu(window: MainWindow) -> None:
    _chat(window)
    window.sidebar.menu_button.click()


def _library(window: MainWindow) -> None:
    _chat(window)
    window.rooms.set_shelf(pages.SHELF)
    window.open_models()
    window.rooms.set_model_progress("SmolLM2-135M-Instruct.Q4_1", 620)


def _entry(window: MainWindow) -> None:
    _library(window)
    window.rooms.room().library.open_entry(MODELS[2].name)
    window.rooms.set_figures(MODELS[2].name, pages.FIGURES)


def _quantize(window: MainWindow) -> None:
    _entry(window)
    window.rooms.room().library.panel.quantize_button.click()


def _empty_library(window: MainWindow) -> None:
    _first_start(window)
    window.open_models()


def _downloads(window: MainWindow) -> None:
    _chat(window)
    window.set_downloads(downloads())
    window.rooms.set_free_space(*pages.FREE)
    window.open_downloads()


def _empty_downloads(window: MainWindow) -> None:
    _first_start(window)
    window.open_downloads()


def _discover(window: MainWindow) -> None:
    _chat(window)
    window.open_discover()
    window.rooms.set_suggestions(pages.suggestions())


def _found(window: MainWindow) -> None:
    _discover(window)
    page = window.rooms.room().discover
    page.search_field.setText("qwen3")
    page.moe_box.setChecked(True)
    page.search_button.click()
    window.rooms.set_found(pages.FOUND)


def _unreachable(window: MainWindow) -> None:
    _discover(window)
    page = window.rooms.room().discover
    page.search_field.setText("qwen3")
    page.search_button.click()
    window.rooms.show_search_problem(text.notice_for(errors.Offline("huggingface.co")))


def _hub_page(window: MainWindow) -> None:
    _discover(window)
    window.rooms.room().discover.open_page(pages.HUB_PAGE.facts.repo_id)
    window.rooms.set_hub_page(pages.HUB_PAGE)
    window.rooms.set_fit(pages.FIT)


def _card(window: MainWindow) -> None:
    _hub_page(window)
    for _ in range(3):
        QApplication.processEvents()
    view = window.rooms.room().discover.hub_page.card_view
    view.setFocus()
    bar = window.rooms.room().discover.hub_page.area.verticalScrollBar()
    bar.setValue(bar.maximum())


def _too_large(window: MainWindow) -> None:
    _hub_page(window)
    window.rooms.set_fit(pages.PAGED)


def _settings(window: MainWindow) -> None:
    _chat(window)
    window.open_settings()


def _network(window: MainWindow) -> None:
    _settings(window)
    window.dialogs.set_token("kept", "huggingface.co")
    (dialog,) = window.dialogs.all_open()
    QApplication.processEvents()
    area = dialog.findChild(QScrollArea)
    assert isinstance(area, QScrollArea)
    area.verticalScrollBar().setValue(230)


def _requests(window: MainWindow) -> None:
    window.dialogs.open_requests()
    paths = ("/api/models", "/api/models/Qwen/Qwen3-30B-A3B-GGUF/revision/main", "/lfs/8f/0a/" + "3c9d" * 16)
    records = [
        RequestRecord(
            f"2026-11-2{day}T08:0{day}:12.000+00:00",
            "GET",
            "huggingface.co" if day < 3 else "cas-bridge.xethub.hf.co",
            paths[min(day, 2)],
            None if day == 4 else 200,
            10 ** (3 + 2 * day),
            ("model search", "model info", "download")[min(day, 2)],
            "ConnectTimeout" if day == 4 else "",
        )
        for day in range(5)
    ]
    hosts = ("https://cas-bridge.xethub.hf.co:443", "https://huggingface.co:443", "https://modelscope.cn:443")
    window.dialogs.set_requests(records, False, hosts)


def _conversation_settings(window: MainWindow) -> None:
    _chat(window)
    window.commands.action("Conversation settings…").trigger()


def _care(window: MainWindow) -> None:
    _chat(window)
    dialog = CareDialog(window)
    dialog.set_values({"backup_every_days": 7, "backups_kept": 3, "trash_days": 30})
    dialog.backups.set_backups(backups())
    dialog.backups.list.setCurrentRow(1)
    dialog.space.set_space(SPACE)
    dialog.show()


def _care_at_work(window: MainWindow) -> None:
    _chat(window)
    dialog = CareDialog(window)
    dialog.set_values({"backup_every_days": 0, "backups_kept": 3, "trash_days": 1})
    dialog.backups.set_backups([])
    dialog.space.set_space(None)
    dialog.space.set_progress(620)
    dialog.notice_bar.show_notice(text.notice_for(DatabaseDiskFull(Path("/home/ada/coterie.sqlite"), "")))
    dialog.show()


def _cited(window: MainWindow) -> None:
    _chat(window)
    question, answer = messages()
    told = "A router keeps two experts for each token [1]. The rest costs memory, but no time [2]."
    cited = replace(answer, parts=(replace(answer.parts[-1], text=told),))
    window.page.transcript.set_sources({question.id: knowledge.PASSAGES})
    window.show_conversation(conversations()[0], [question, cited])
    window.page.composer.collection_button.set_collections(knowledge.COLLECTIONS)
    window.page.composer.collection_button.set_name(knowledge.COLLECTIONS[0].name)
    window.page.composer.thinking_button.show()


def _documents_menu(window: MainWindow) -> None:
    _cited(window)
    button = window.page.composer.collection_button
    button.menu().popup(button.mapToGlobal(QPoint(0, -button.menu().sizeHint().height())))


def _passages(window: MainWindow) -> None:
    _cited(window)
    PassagesDialog(knowledge.PASSAGES, 2, window).show()


def _documents(window: MainWindow) -> None:
    _cited(window)
    dialog = _collections(window)
    dialog.set_collections(knowledge.COLLECTIONS)
    dialog.set_documents(knowledge.COLLECTIONS[0].name, knowledge.SOURCES)


def _reading(window: MainWindow) -> None:
    _cited(window)
    dialog = _collections(window)
    dialog.set_collections(knowledge.COLLECTIONS, knowledge.COLLECTIONS[1].name)
    dialog.set_documents(knowledge.COLLECTIONS[1].name, knowledge.SOURCES)
    dialog.set_progress(*knowledge.PROGRESS)


def _no_documents(window: MainWindow) -> None:
    _chat(window)
    _collections(window)


def _collections(window: MainWindow) -> CollectionsDialog:
    dialog = CollectionsDialog(window)
    dialog.set_models(["starter", "starter-dense"])
    dialog.show()
    return dialog


def _thought(window: MainWindow) -> None:
    _chat(window)
    question, answer = messages()
    assert answer.generation is not None
    made = replace(
        answer.generation,
        reasoning_tokens=256,
        reasoning_ms=4200.0,
        think_budget_tokens=256,
        thinking_ended_by="budget",
    )
    parts = (Part("reasoning", "First the idea, then an example."), *answer.parts)
    window.show_conversation(conversations()[0], [question, replace(answer, generation=made, parts=parts)])


def _rerun(window: MainWindow) -> None:
    _thought(window)
    _, answer = messages()
    RerunDialog(answer, [entry.name for entry in MODELS], window).show()


def _compare(window: MainWindow) -> None:
    _thought(window)
    dialog = CompareDialog((4, 2), 4, window)
    dialog.set_comparison(COMPARISON)
    dialog.show()


def _training(window: MainWindow) -> None:
    _chat(window)
    TrainingDialog(window).show()


SCENES: dict[str, Callable[[MainWindow], None]] = {
    "chat": _chat,
    "thinking": _thinking,
    "full-context": _full_context,
    "thinking-menu": _thinking_menu,
    "attachments": _attachments,
    "welcome": _welcome,
    "first-start": _first_start,
    "loading": _loading,
    "notice": _notice,
    "search": _search,
    "filter": _filter,
    "filtered": _filtered,
    "nothing-found": _nothing_found,
    "conversation-menu": _conversation_menu,
    "folders": _folders,
    "trash": _trash,
    "picker": _picker,
    "menu": _menu,
    "library": _library,
    "entry": _entry,
    "quantize": _quantize,
    "empty-library": _empty_library,
    "downloads": _downloads,
    "empty-downloads": _empty_downloads,
    "discover": _discover,
    "found": _found,
    "unreachable": _unreachable,
    "hub-page": _hub_page,
    "card": _card,
    "too-large": _too_large,
    "settings": _settings,
    "network": _network,
    "requests": _requests,
    "conversation-settings": _conversation_settings,
    "care": _care,
    "training": _training,
    "care-at-work": _care_at_work,
    "thought": _thought,
    "rerun": _rerun,
    "compare": _compare,
    "cited": _cited,
    "documents-menu": _documents_menu,
    "passages": _passages,
    "documents": _documents,
    "reading": _reading,
    "no-documents": _no_documents,
}
LOOKS = {
    "light": {"theme": "light", "language": "en"},
    "dark": {"theme": "dark", "language": "en"},
    "light-zh": {"theme": "light", "language": "zh_CN"},
    "dark-zh": {"theme": "dark", "language": "zh_CN"},
}
SIZES = {"": (1120, 760), "-small": (900, 600), "-large": (1400, 900), "-least": (560, 420)}


def pictures(names: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """Scene, look and size of what is asked for: `chat.dark-zh.small`, or a part of it."""
    for name in names:
        scene, _, rest = name.partition(".")
        look, _, size = rest.partition(".")
        yield name, scene, look or "light", f"-{size}" if size else ""


def take(name: str, scene: str, look: str, size: str, folder: Path) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    window = MainWindow()
    window.resize(*SIZES[size])
    window.set_settings(
        {"offline": False, "n_ctx_tokens": 0, "hub_endpoint": "https://huggingface.co"} | LOOKS[look]
    )
    window.move(QPoint(20, 20))
    window.show()
    SCENES[scene](window)
    for _ in range(10):
        app.processEvents()
    screen = window.screen().grabWindow(0)
    shown: list[QWidget] = [w for w in app.topLevelWidgets() if w.isVisible()]
    area = shown[0].frameGeometry()
    for widget in shown[1:]:
        area = area.united(widget.frameGeometry())
    screen.copy(area.adjusted(-2, -2, 2, 2)).save(str(folder / f"{name}.png"))
    for widget in shown:
        widget.close()
    window.deleteLater()
    app.processEvents()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    QApplication(sys.argv[:1])
    names = sys.argv[2:] or [f"{scene}.{look}" for scene in SCENES for look in LOOKS]
    for picture in pictures(names):
        take(*picture, folder)


if __name__ == "__main__":
    main()
