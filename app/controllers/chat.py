"""The use case of the window's middle: a conversation, its questions and its answers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.answering import Answered, AnswerEvent, Started
from app.bridge import Bridge, Latest
from app.controllers.progress import Progress
from app.controllers.running import FindPassages, Running
from app.controllers.shown_path import Opened, ShownPath
from app.orders import Ask, Continue, Edit, Fit, Order, Regenerate
from app.services import Services
from model_manager.engine.client import Cancel
from model_manager.types import ChatFinished, TokenLogprobs
from storage.records import Conversation, Message, SearchHit
from storage.store import Store
from ui.values import ConversationSettings, StreamUpdate

log = logging.getLogger(__name__)


class ChatController(QObject):
    """Keeps the shown conversation and the answers that are being made, also those of other conversations.

    Lives on the Qt thread; answers run on the bridge's threads.

    Signals:
        shown: Conversation or None (a fresh one), list of its last messages.
        earlier: message id (int), list of the messages that end with it, which stand above those that are
            shown; empty where they could not be read.
        reached: SearchHit that a conversation was opened at, after `shown`.
        message_added, message_replaced: Message of the shown conversation.
        streamed: StreamUpdate of the shown conversation, at most one a frame.
        busy_changed: Whether the shown conversation has an answer in the making.
        conversations_changed: Something in the list is new.
        model_changed: Name of the model that answers here.
        sampling_changed: The sampling overrides of the shown conversation, a mapping.
        draft_returned: A question that could not be stored.
        failed: Exception, for a sentence.
        answered: The answer's Message, when it has ended well; of any conversation.
    """

    shown = Signal(object, object)
    earlier = Signal(object, object)
    reached = Signal(object)
    message_added = Signal(object)
    message_replaced = Signal(object)
    streamed = Signal(object)
    busy_changed = Signal(bool)
    conversations_changed = Signal()
    model_changed = Signal(str)
    sampling_changed = Signal(object)
    draft_returned = Signal(str)
    failed = Signal(object)
    answered = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._bridge = bridge
        self._path = ShownPath(services.storage)
        self._conversation: Conversation | None = None
        self._settings = ConversationSettings("")
        self._running: list[Running] = []
        self._first_id: int | None = None
        self._head_id: int | None = None
        self._latest: Latest[Progress] = Latest(bridge, self._on_progress)
        self._model = services.default_model().name

    @property
    def conversation_id(self) -> int | None:
        """Of the shown conversation; None for a fresh one."""
        return self._conversation.id if self._conversation else None

    @property
    def model(self) -> str:
        """Name of the model that answers here."""
        return (self._conversation.model_name if self._conversation else None) or self._model

    # --- which conversation ---

    def new_conversation(self) -> None:
        """Show a fresh one; it is stored with its first question."""
        self._settings = ConversationSettings("")
        self.show(None, [])

    def open_conversation(self, conversation_id: int) -> None:
        """Show a stored one: its end, and of the one that is shown already no less than now."""
        since = self._first_id if conversation_id == self.conversation_id else None
        self._bridge.run(
            lambda: self._path.open(conversation_id, since),
            lambda found: self.show(*found),
            self.failed.emit,
        )

    def load_earlier(self, last_id: int, is_everything: bool) -> None:
        """Read what stands above the messages that are shown, up to `last_id`: some of it, or all."""
        conversation_id = self.conversation_id

        def tell(messages: list[Message]) -> None:
            if conversation_id == self.conversation_id and messages:
                self._first_id = min(self._first_id or last_id, messages[0].id)
            self.earlier.emit(last_id, messages)

        def failed(error: Exception) -> None:
            self.earlier.emit(last_id, [])
            self.failed.emit(error)

        self._bridge.run(lambda: self._path.earlier(last_id, is_everything=is_everything), tell, failed)

    def forget(self, conversation_id: int) -> None:
        """It is being deleted: stop its answers, and show a fresh one in its place."""
        for running in self._running:
            if running.conversation_id == conversation_id:
                running.cancel.set()
        if conversation_id == self.conversation_id:
            self.new_conversation()

    def open_at(self, hit: SearchHit) -> None:
        """Show a stored one at what was found, which may lie on another branch than the one shown last."""

        def show(found: Opened) -> None:
            self.show(*found)
            self.reached.emit(hit)

        self._bridge.run(
            lambda: self._path.open_at(hit.conversation_id, hit.message_id), show, self.failed.emit
        )

    def select_version(self, message_id: int) -> None:
        """Show this version of a message and what follows from it."""
        conversation_id, since = self.conversation_id, self._first_id
        if conversation_id is not None:
            self._bridge.run(
                lambda: self._path.open_at(conversation_id, message_id, since),
                lambda found: self.show(*found),
                self.failed.emit,
            )

    def configure(self, settings: ConversationSettings) -> None:
        """Keep what a person set for the shown conversation; for a fresh one, until it is stored."""
        self._settings = settings
        self.sampling_changed.emit(settings.sampling)
        conversation = self._conversation
        if conversation is None:
            return

        def store_it() -> Conversation:
            def write(store: Store) -> Conversation:
                if settings.title.strip() and settings.title != conversation.title:
                    store.conversations.rename(conversation.id, settings.title.strip())
                return store.conversations.configure(
                    conversation.id,
                    system_prompt=settings.system_prompt,
                    sampling=settings.sampling,
                    model_name=conversation.model_name,
                )

            return self._services.storage.call(write)

        self._bridge.run(store_it, self._on_configured, self.failed.emit)

    def set_sampling(self, changes: Mapping[str, Any]) -> None:
        """Change some of the overrides of the shown conversation; None removes one."""
        merged = {**self._settings.sampling, **changes}
        sampling = {name: value for name, value in merged.items() if value is not None}
        self.configure(replace(self._settings, sampling=sampling))

    # --- which model ---

    def select_model(self, name: str) -> None:
        """Answer here, and in new conversations, with this model from now on, and load it."""
        self._model = name
        conversation = self._conversation
        if conversation is not None:
            self._conversation = replace(conversation, model_name=name)

        def keep() -> None:
            self._services.set_setting("default_model", name)
            if conversation is not None:
                self._services.storage.call(
                    lambda store: store.conversations.configure(
                        conversation.id,
                        system_prompt=conversation.system_prompt,
                        sampling=conversation.sampling,
                        model_name=name,
                    )
                )

        self._bridge.run(keep, None, self.failed.emit)
        self.model_changed.emit(self.model)
        self.load_model()

    def load_model(self) -> None:
        """Load the model of the shown conversation, or load it again after it died."""
        name = self.model

        def load() -> None:
            with self._services.engines.use(self._services.library.get(name)):
                log.info("model %s is loaded", name)

        self._bridge.run(load, None, self.failed.emit)

    # --- questions and answers ---

    def send(self, text: str, find_passages: FindPassages | None = None) -> None:
        """Ask in the shown conversation, with passages of documents where they are looked for."""
        self._start(
            Ask(
                text,
                conversation_id=self.conversation_id,
                model=self.model,
                system_prompt=None if self._conversation else self._settings.system_prompt,
                conversation_sampling=self._settings.sampling,
                title=self._settings.title,
            ),
            find_passages,
        )

    def regenerate(self, message_id: int) -> None:
        """Another answer in place of this one; both stay."""
        self._start(Regenerate(message_id, model=self.model))

    def rerun(self, message_id: int, model: str, sampling: Mapping[str, Any]) -> None:
        """Another answer in place of this one, by this model and with all of these settings; both stay."""
        self._start(Regenerate(message_id, model, sampling, is_whole=True))

    def go_on(self, message_id: int, fit: Fit = "all") -> None:
        """More of an answer that was cut off; the short version stays beside it."""
        self._start(Continue(message_id, model=self.model, fit=fit))

    def larger_context(self) -> int | None:
        """Twice the context of the model that answers here, as far as it was trained; None beyond that."""
        state = self._services.engines.state_of(self.model)
        info = state.info if state is not None else None
        if info is None or not 0 < info.n_ctx_tokens < info.n_ctx_train_tokens:
            return None
        return min(2 * info.n_ctx_tokens, info.n_ctx_train_tokens)

    def go_on_larger(self, message_id: int, n_ctx_tokens: int) -> None:
        """Load the model with a larger context from now on, and go on with an answer that was cut off."""
        self._bridge.run(
            lambda: self._services.set_context(self.model, n_ctx_tokens),
            lambda _nothing: self.go_on(message_id),
            self.failed.emit,
        )

    def edit(self, message_id: int, text: str) -> None:
        """Ask in other words; both questions stay."""
        self._start(Edit(message_id, text, model=self.model))

    def stop(self) -> None:
        """End the answer of the shown conversation; what has arrived is kept."""
        for running in self._running:
            if running.conversation_id == self.conversation_id:
                running.cancel.set()

    def conclude(self, message_id: int) -> None:
        """End the thinking of an answer that is being made; it goes on with the answer itself."""
        for running in self._running:
            if running.progress is not None and running.progress.message_id == message_id:
                self._bridge.run(running.cancel.conclude, None, self.failed.emit)

    def stop_all(self) -> None:
        """End every answer."""
        for running in self._running:
            running.cancel.set()

    def retry(self) -> None:
        """Make the last answer of the shown conversation again."""
        conversation_id = self.conversation_id
        if conversation_id is None:
            return
        self._bridge.run(
            lambda: self._path.head_id(conversation_id),
            lambda head_id: self.regenerate(head_id) if head_id is not None else None,
            self.failed.emit,
        )

    def _start(self, order: Order, find_passages: FindPassages | None = None) -> None:
        running = Running(order, Cancel(), self.conversation_id, find_passages)
        self._running.append(running)
        self._tell_busy()
        self._bridge.run(
            lambda: self._make(running), None, lambda error: self._on_not_started(running, error)
        )

    def _make(self, running: Running) -> None:
        """On a thread of the bridge."""
        for event in self._services.answering.answer(running.whole_order(), running.cancel):
            self._take(running, event)

    def _take(self, running: Running, event: AnswerEvent) -> None:
        if isinstance(event, Started):
            running.progress = Progress(event.answer.id)
            self._bridge.post(lambda: self._on_started(running, event))
        elif isinstance(event, Answered):
            self._bridge.post(lambda: self._on_answered(running, event))
        elif not isinstance(event, (ChatFinished, TokenLogprobs)) and running.progress is not None:
            running.progress.take(event)
            if running.conversation_id == self.conversation_id:
                self._latest.offer(running.progress)

    def _on_started(self, running: Running, event: Started) -> None:
        is_shown = running.conversation_id == self.conversation_id
        running.conversation_id = event.conversation.id
        log.info("answer %d of conversation %d begins", event.answer.id, event.conversation.id)
        if is_shown:
            was_fresh = self._conversation is None
            self._conversation = event.conversation
            question, answer = event.question, event.answer
            if was_fresh and question is not None:
                self.show(event.conversation, [question, answer])
            elif question is not None and question.parent_id == self._head_id:
                self._head_id = answer.id
                self.message_added.emit(question)
                self.message_added.emit(answer)
            else:
                # A branch: the path that is shown now leaves the old one somewhere.
                self.open_conversation(event.conversation.id)
        self.conversations_changed.emit()

    def _on_answered(self, running: Running, event: Answered) -> None:
        self._running.remove(running)
        log.info("answer %d ended: %s", event.answer.id, event.answer.status)
        if running.conversation_id == self.conversation_id:
            self._latest.flush()
            self.message_replaced.emit(event.answer)
        self._tell_busy()
        self.conversations_changed.emit()
        if event.error is not None:
            self.failed.emit(event.error)
        else:
            self.answered.emit(event.answer)

    def _on_not_started(self, running: Running, error: Exception) -> None:
        """Nothing was stored, or the database failed in the middle."""
        if running in self._running:
            self._running.remove(running)
        self._tell_busy()
        if running.progress is None and isinstance(running.order, Ask):
            self.draft_returned.emit(running.order.text)
        self.failed.emit(error)

    def _on_progress(self, progress: Progress) -> None:
        update: StreamUpdate = progress.update()
        if any(running.progress is progress for running in self._running):
            self.streamed.emit(update)

    def _on_configured(self, conversation: Conversation) -> None:
        if conversation.id == self.conversation_id:
            self._conversation = conversation
        self.conversations_changed.emit()

    def show(self, conversation: Conversation | None, messages: list[Message]) -> None:
        """Show this path of a conversation; None begins a fresh one."""
        self._conversation = conversation
        self._first_id = messages[0].id if messages else None
        self._head_id = messages[-1].id if messages else None
        if conversation is not None:
            self._settings = ConversationSettings(
                conversation.title, conversation.system_prompt, conversation.sampling
            )
        self.shown.emit(conversation, messages)
        self.sampling_changed.emit(self._settings.sampling)
        self.model_changed.emit(self.model)
        self._tell_busy()
        for running in self._running:
            if running.progress is not None and running.conversation_id == self.conversation_id:
                self._latest.offer(running.progress)

    def _tell_busy(self) -> None:
        self.busy_changed.emit(
            any(running.conversation_id == self.conversation_id for running in self._running)
        )
