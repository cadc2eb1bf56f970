"""One repository of the hub: what it holds, what fits here, and what its authors say."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from ui import formats, icons, offer_words, theme
from ui.i18n import tr
from ui.labels import ElidedLabel
from ui.library.card_view import CardView
from ui.library.face_view import FaceView
from ui.library.fit_panel import FitPanel
from ui.library.found_words import facts_line, offer_faces
from ui.library.values import FitFigures, HubPage, OfferLine
from ui.notice_bar import NoticeBar
from ui.values import Notice

_MOST_ROWS = 6
_COLUMN_PX = 880


class HubPageView(QWidget):
    """The page of a repository.

    Signals:
        back_requested: To the list.
        retry_requested: The repository that could not be looked at.
        fit_requested: Reference of a model, tokens of context (0 for the usual), type of keys and values.
        download_requested: Reference of a model.
        link_chosen: Address of a web page.
        notice_action_requested: What the button of an error means.
    """

    back_requested = Signal()
    retry_requested = Signal(str)
    fit_requested = Signal(str, int, str)
    download_requested = Signal(str)
    link_chosen = Signal(str)
    notice_action_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._repo_id = ""
        self._page: HubPage | None = None
        self._chosen = ""
        self._states: dict[str, str] = {}
        self._is_broken = False
        self._build()
        self._connect()
        self._retranslate()

    def _build(self) -> None:
        self.back_button = QPushButton(icons.icon("chevron-left"), "")
        self.title_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.facts_label = _label(muted=True)
        self.warning_label = _label()
        self.warning_label.setProperty("tone", "warning")
        self.problem_bar = NoticeBar()
        self.choice_label = QLabel()
        self.choice_label.setTextFormat(Qt.TextFormat.PlainText)
        self.choice_label.setProperty("heading", True)
        self.download_button = QPushButton(icons.icon("download", "accent_text"), "")
        self.download_button.setProperty("primary", True)
        self.fit_panel = FitPanel()
        self.offers_label = QLabel()
        self.offers_label.setProperty("heading", True)
        self.offers_view = FaceView()
        self.rest_label = _label(muted=True)
        self.card_label = QLabel()
        self.card_label.setProperty("heading", True)
        self.card_view = CardView()

        head = QHBoxLayout()
        head.setContentsMargins(12, theme.SPACING, 20, theme.SPACING)
        head.setSpacing(12)
        head.addWidget(self.back_button)
        head.addWidget(self.title_label, 1)
        choice = QHBoxLayout()
        choice.addWidget(self.choice_label, 1)
        choice.addWidget(self.download_button)
        self.box = QFrame()
        self.box.setObjectName("card")
        inside = QVBoxLayout(self.box)
        inside.setContentsMargins(16, 12, 16, 14)
        inside.setSpacing(10)
        inside.addLayout(choice)
        inside.addWidget(self.fit_panel)
        self._column = QWidget()
        self._column.setObjectName("cards")
        column = QVBoxLayout(self._column)
        column.setContentsMargins(20, 0, 20, 20)
        column.setSpacing(12)
        for part in (
            self.facts_label,
            self.warning_label,
            self.problem_bar,
            self.box,
            self.offers_label,
            self.offers_view,
            self.rest_label,
            self.card_label,
            self.card_view,
        ):
            column.addWidget(part)
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._column)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        page.addLayout(head)
        page.addWidget(self.area, 1)

    def _connect(self) -> None:
        self.back_button.clicked.connect(self.back_requested)
        self.offers_view.face_chosen.connect(self._choose)
        self.offers_view.current_key_changed.connect(self._choose)
        self.download_button.clicked.connect(lambda: self.download_requested.emit(self._chosen))
        self.fit_panel.changed.connect(
            lambda n_tokens, kv: self.fit_requested.emit(self._chosen, n_tokens, kv)
        )
        self.card_view.link_chosen.connect(self.link_chosen)
        self.problem_bar.action_requested.connect(self._on_problem)

    # --- values in ---

    def show_waiting(self, repo_id: str) -> None:
        """The repository is being looked at."""
        self._repo_id, self._page, self._chosen, self._is_broken = repo_id, None, "", False
        self.problem_bar.show_notice(None)
        self.offers_view.set_faces([])
        self.area.verticalScrollBar().setValue(0)
        self._refresh()

    def show_page(self, page: HubPage) -> None:
        """Show it; the recommended model is chosen, and what it would take is asked for."""
        self._repo_id, self._page, self._is_broken = page.facts.ref, page, False
        self.problem_bar.show_notice(None)
        self.offers_view.set_faces(offer_faces(page.offers))
        self._fit_list()
        self._refresh()
        first = next((offer for offer in page.offers if offer.is_recommended), None)
        if first is None and page.offers:
            first = page.offers[-1]  # the smallest is the nearest to fitting
        if first is not None:
            self.offers_view.set_current_key(first.ref)
            self._choose(first.ref)

    def show_problem(self, notice: Notice) -> None:
        """It cannot be looked at."""
        self._is_broken = True
        self.problem_bar.show_notice(notice)
        self._refresh()

    def show_fit(self, figures: FitFigures) -> None:
        """What the chosen model would take; an answer about another one is left alone."""
        if figures.ref != self._chosen:
            return
        self.fit_panel.show_figures(figures)
        if figures.context_reason != "asked":
            self._tell_verdict(figures)

    def _tell_verdict(self, figures: FitFigures) -> None:
        """In the list, too, where it was guessed from the size."""
        assert self._page is not None
        offers = tuple(
            replace(offer, verdict=figures.verdict, is_measured=True) if offer.ref == figures.ref else offer
            for offer in self._page.offers
        )
        self._page = replace(self._page, offers=offers)
        self.offers_view.set_faces(offer_faces(offers))

    def show_fit_error(self, ref: str, error: Exception) -> None:
        """Why that cannot be told."""
        if ref == self._chosen:
            self.fit_panel.show_error(error)

    def set_states(self, states: dict[str, str]) -> None:
        """How downloads are: status by reference."""
        if states != self._states:
            self._states = states
            self._show_choice()

    def repo_id(self) -> str:
        """Of the repository that is shown."""
        return self._repo_id

    # --- what is shown ---

    def _choose(self, ref: object) -> None:
        if not isinstance(ref, str) or ref == self._chosen:
            return
        self._chosen = ref
        self._show_choice()
        self.fit_panel.show_waiting()
        self.fit_requested.emit(ref, 0, "f16")

    def _offer(self) -> OfferLine | None:
        offers = self._page.offers if self._page is not None else ()
        return next((offer for offer in offers if offer.ref == self._chosen), None)

    def _show_choice(self) -> None:
        offer = self._offer()
        self.box.setVisible(offer is not None)
        if offer is None:
            return
        self.choice_label.setText(f"{offer.label}  ·  {formats.size(offer.size_bytes)}")
        status = self._states.get(offer.ref, "")
        words = {
            "queued": tr("Waiting for its turn"),
            "running": tr("Downloading…"),
            "verifying": tr("Checking the checksum"),
            "paused": tr("Resume the download"),
            "failed": tr("Try again"),
            "done": tr("In the library"),
        }
        self.download_button.setText(words.get(status, tr("Download")))
        self.download_button.setEnabled(status not in ("queued", "running", "verifying", "done"))
        self.download_button.setAccessibleName(f"{self.download_button.text()}: {offer.label}")

    def _refresh(self) -> None:
        page = self._page
        self.title_label.setText(self._repo_id)
        self.facts_label.setText(
            self._facts() if page is not None else "" if self._is_broken else tr("Asking the hub…")
        )
        self.facts_label.setVisible(bool(self.facts_label.text()))
        self._show_choice()
        has_offers = page is not None and bool(page.offers)
        self.offers_label.setVisible(has_offers)
        self.offers_view.setVisible(has_offers)
        warnings = self._warnings()
        self.warning_label.setText("\n".join(warnings))
        self.warning_label.setVisible(bool(warnings))
        rest = self._rest()
        self.rest_label.setText("\n".join(rest))
        self.rest_label.setVisible(bool(rest))
        card = page.card if page is not None else ""
        self.card_label.setVisible(bool(card))
        self.card_view.setVisible(bool(card))
        self.card_view.set_card(card)

    def _facts(self) -> str:
        assert self._page is not None
        facts = self._page.facts
        first = [tr("mixture of experts") if facts.is_moe else tr("dense, as far as the hub tells")]
        if facts.total_params:
            first.append(tr("{n} parameters", n=formats.count(facts.total_params)))
        if facts.n_ctx_train_tokens:
            first.append(tr("{n} tokens of context", n=formats.number(facts.n_ctx_train_tokens)))
        lines = [" · ".join(first), facts_line(facts)]
        if self._page.is_in_catalogue and not self._page.differences:
            lines.append(tr("As the catalogue says."))
        return "\n".join(lines)

    def _warnings(self) -> list[str]:
        page = self._page
        if page is None:
            return []
        words = []
        if page.is_gated:
            words.append(
                tr(
                    "Its authors want their terms accepted first: do that on the hub's web page, and give"
                    " Coterie your access token (in the settings, or by “coterie tokens set”)."
                )
            )
        if page.differences:
            told = "; ".join(offer_words.difference(*difference) for difference in page.differences)
            words.append(tr("Not as the catalogue says: {differences}.", differences=told))
        if not page.offers:
            words.append(
                tr(
                    "No model in this repository can be run: it has no complete GGUF file. Search for its"
                    " name to find a conversion."
                )
            )
        elif not any(offer.is_recommended for offer in page.offers):
            words.append(tr("None of them fits into this machine's memory. Look for a smaller model."))
        return words

    def _rest(self) -> list[str]:
        page = self._page
        if page is None:
            return []
        lines = [
            f"{tr('comes along with any of them, for images: {file}', file=file.path)}"
            f"  {formats.size(file.size_bytes)}"
            for file in page.projectors[:1]
        ]
        lines += [
            tr("not usable, other parts of it are missing: {file}", file=file.path)
            for file in page.incomplete
        ]
        return lines

    def _fit_list(self) -> None:
        view = self.offers_view
        n_rows = view.faces.rowCount()
        height = sum(view.sizeHintForRow(row) for row in range(min(n_rows, _MOST_ROWS)))
        if n_rows > _MOST_ROWS:
            height += view.sizeHintForRow(_MOST_ROWS) // 2  # half a row says that there are more
        view.setFixedHeight(height + 4)

    def _on_problem(self, action_id: str) -> None:
        if action_id == "retry":
            repo_id = self._repo_id
            self.show_waiting(repo_id)
            self.retry_requested.emit(repo_id)
        else:
            self.notice_action_requested.emit(action_id)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.FontChange):
            self._retranslate()

    def _retranslate(self) -> None:
        self._column.setMaximumWidth(_COLUMN_PX * theme.zoom_percent() // 100)
        self.back_button.setText(tr("Back"))
        self.title_label.setFont(theme.font(1.15, self.title_label.font().Weight.DemiBold))
        self.offers_label.setText(tr("Quantizations, the largest first"))
        self.card_label.setText(tr("What its authors write"))
        self.offers_view.setAccessibleName(tr("Quantizations, the largest first"))
        if self._page is not None:
            self.offers_view.set_faces(offer_faces(self._page.offers))
            self._fit_list()
        self._refresh()


def _label(*, muted: bool = False) -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    if muted:
        label.setProperty("muted", True)
    return label
