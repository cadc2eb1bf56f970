"""What a list or a search can be limited to, as a small form that opens below its button."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final

from PySide6.QtCore import QDate, QEvent, QPoint, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDateEdit,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from storage.records import Filter
from ui import filter_words, icons, theme
from ui.i18n import tr
from ui.values import Choices

_BETWEEN: Final = -1
"""Stands for two days of the calendar among the lengths of time."""
_WIDTH_PX: Final = 360


class FilterPanel(QFrame):
    """A form without a button to confirm: what is chosen holds at once.

    Signals:
        changed: Something was chosen; `where` and `order` have it.
    """

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("popup")
        self._choices = Choices()
        self._tags: tuple[str, ...] = ()
        self._conversation_id: int | None = None
        self.time_box, self.folder_box, self.model_box = QComboBox(), QComboBox(), QComboBox()
        self.role_box, self.part_box, self.rating_box = QComboBox(), QComboBox(), QComboBox()
        self.order_box = QComboBox()
        self.since_field, self.until_field = QDateEdit(), QDateEdit()
        self.tag_button = QToolButton()
        self.tag_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        # Text alone would stand in the middle; the other fields begin at the left.
        self.tag_button.setIcon(icons.icon("tag", "text_muted"))
        self.tag_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.tag_button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.tag_button.setObjectName("tags_button")
        self.tag_button.setMenu(QMenu(self.tag_button))
        self.here_box, self.archive_box = QCheckBox(), QCheckBox()
        self.clear_button = QPushButton()
        self._rows: list[tuple[QLabel, QWidget]] = []
        self._build()
        self._connect()
        self.retranslate()

    def _build(self) -> None:
        today = QDate.currentDate()
        for edit, day in ((self.since_field, today.addDays(-30)), (self.until_field, today)):
            edit.setCalendarPopup(True)
            edit.setDisplayFormat("yyyy-MM-dd")
            edit.setDate(day)
        self._days = QWidget()
        days = QHBoxLayout(self._days)
        days.setContentsMargins(0, 0, 0, 0)
        days.addWidget(self.since_field, 1)
        days.addWidget(self.until_field, 1)
        form = QFormLayout()
        form.setHorizontalSpacing(12)
        form.setVerticalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for field in self._fields():
            label = QLabel()
            label.setProperty("muted", True)
            label.setBuddy(field)
            label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
            self._rows.append((label, field))
            form.addRow(label, field)
            if field is self.time_box:
                form.addRow("", self._days)
        for box in self._boxes():
            # A folder's long path is cut in the box, and whole in the list.
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(10)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(theme.SPACING)
        column.addLayout(form)
        column.addWidget(self.here_box)
        column.addWidget(self.archive_box)
        column.addWidget(self.clear_button, 0, Qt.AlignmentFlag.AlignRight)
        self.setFixedWidth(_WIDTH_PX)
        first, *others = self._fields()
        order = (first, self.since_field, self.until_field, *others, self.here_box, self.archive_box)
        for before, after in pairwise((*order, self.clear_button)):
            self.setTabOrder(before, after)

    def _fields(self) -> tuple[QWidget, ...]:
        return (
            self.time_box,
            self.folder_box,
            self.tag_button,
            self.model_box,
            self.role_box,
            self.part_box,
            self.rating_box,
            self.order_box,
        )

    def _boxes(self) -> list[QComboBox]:
        return [field for field in self._fields() if isinstance(field, QComboBox)]

    def _connect(self) -> None:
        for box in self._boxes():
            box.currentIndexChanged.connect(self._on_changed)
        for field in (self.since_field, self.until_field):
            field.dateChanged.connect(self._on_changed)
        for check in (self.here_box, self.archive_box):
            check.toggled.connect(self._on_changed)
        self.clear_button.clicked.connect(self.clear)

    # --- values in ---

    def set_choices(self, choices: Choices) -> None:
        """What there is to choose from; what was chosen stays, even where it is gone."""
        self._choices = choices
        folders: dict[Any, str] = {None: tr("All"), "": tr("No folder")}
        self._fill(self.folder_box, folders | {path: path for path in choices.folders})
        models: dict[Any, str] = {None: tr("All")}
        self._fill(self.model_box, models | {name: name for name in choices.models})
        self._fill_tags()

    def set_conversation(self, conversation_id: int | None) -> None:
        """The conversation that is shown, which a search may be limited to; None while none is stored."""
        if conversation_id == self._conversation_id:
            return
        self._conversation_id = conversation_id
        self.here_box.setEnabled(conversation_id is not None)
        if conversation_id is None:
            self.here_box.setChecked(False)
        elif self.here_box.isChecked():
            self._on_changed()

    def clear(self) -> None:
        """Leave nothing out."""
        before = self.where()
        with QSignalBlocker(self):
            self._tags = ()
            self._fill_tags()
            for box in self._boxes():
                if box is not self.order_box:
                    box.setCurrentIndex(0)
            self.here_box.setChecked(False)
            self.archive_box.setChecked(False)
        if self.where() != before:
            self._on_changed()

    # --- values out ---

    def where(self) -> Filter:
        """What is left."""
        since, until = self._dates()
        return Filter(
            since=since,
            until=until,
            model=self.model_box.currentData(),
            folder=self.folder_box.currentData(),
            tags=self._tags,
            is_archived=True if self.archive_box.isChecked() else None,
            conversation_id=self._conversation_id if self.here_box.isChecked() else None,
            role=self.role_box.currentData(),
            part=self.part_box.currentData(),
            rating=self.rating_box.currentData(),
        )

    def order(self) -> Any:
        """What comes first: "newest" or "relevance"."""
        return self.order_box.currentData()

    def _dates(self) -> tuple[datetime | None, datetime | None]:
        """Whole days of this machine's calendar."""
        days = self.time_box.currentData()
        if days is None:
            return None, None
        if days != _BETWEEN:
            day = datetime.now(UTC).astimezone().date() - timedelta(days=days)
            return datetime.combine(day, time.min).astimezone(), None
        first, last = sorted(
            datetime(field.date().year(), field.date().month(), field.date().day())
            for field in (self.since_field, self.until_field)
        )
        return first.astimezone(), datetime.combine(last, time.max).astimezone()

    # --- what a person does ---

    def open_below(self, button: QWidget) -> None:
        """Show it below its button, as far to the left as the window goes."""
        self.adjustSize()
        where = button.mapToGlobal(QPoint(0, button.height() + 4))
        screen = button.screen().availableGeometry()
        left = min(button.window().geometry().left() + theme.SPACING, screen.right() - self.width())
        self.move(max(left, screen.left()), min(where.y(), screen.bottom() - self.height()))
        self.show()
        self.time_box.setFocus(Qt.FocusReason.PopupFocusReason)

    def _on_changed(self) -> None:
        self._days.setVisible(self.time_box.currentData() == _BETWEEN)
        if self.isVisible():
            self.adjustSize()
        self.changed.emit()

    def _on_tag(self, name: str, is_on: bool) -> None:
        others = tuple(tag for tag in self._tags if tag != name)
        self._tags = (*others, name) if is_on else others
        self._fill_tags()
        self._on_changed()

    def _fill_tags(self) -> None:
        menu = self.tag_button.menu()
        menu.clear()
        for name in dict.fromkeys((*self._choices.tags, *self._tags)):
            action = menu.addAction(name.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(name in self._tags)
            action.toggled.connect(lambda is_on, name=name: self._on_tag(name, is_on))
        self.tag_button.setEnabled(not menu.isEmpty())
        shown = " ".join(f"#{tag}" for tag in self._tags) or tr("All")
        self.tag_button.setToolTip(shown)
        shown = self.tag_button.fontMetrics().elidedText(shown, Qt.TextElideMode.ElideRight, _WIDTH_PX // 2)
        self.tag_button.setText(f" {shown}".replace("&", "&&"))

    @staticmethod
    def _fill(box: QComboBox, items: Mapping[Any, str]) -> None:
        """Offer these, by value; what was chosen stays chosen."""
        chosen = box.currentData() if box.count() else next(iter(items))
        with QSignalBlocker(box):
            box.clear()
            for value, words in items.items():
                box.addItem(words, value)
            if chosen not in items:
                box.addItem(str(chosen), chosen)
            box.setCurrentIndex(next(n for n in range(box.count()) if box.itemData(n) == chosen))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def retranslate(self) -> None:
        """Write all words in the language in use."""
        self.setAccessibleName(tr("Filter"))
        times = {
            None: tr("Any time"),
            0: tr("Today"),
            7: tr("Last 7 days"),
            30: tr("Last 30 days"),
            365: tr("Last 365 days"),
            _BETWEEN: tr("Between two days"),
        }
        self._fill(self.time_box, times)
        self._fill(self.role_box, filter_words.roles())
        self._fill(self.part_box, filter_words.parts())
        self._fill(self.rating_box, filter_words.ratings())
        self._fill(self.order_box, {"newest": tr("Newest first"), "relevance": tr("By relevance")})
        self.set_choices(self._choices)
        names = (
            tr("Date"),
            tr("Folder"),
            tr("Tags"),
            tr("Model"),
            tr("Said by"),
            tr("Found in"),
            tr("Rating"),
            tr("Order"),
        )
        for (label, field), name in zip(self._rows, names, strict=True):
            label.setText(name)
            field.setAccessibleName(name)
        self.since_field.setAccessibleName(tr("First day"))
        self.until_field.setAccessibleName(tr("Last day"))
        self.here_box.setText(tr("Only in this conversation"))
        self.archive_box.setText(tr("Only what is archived"))
        self.clear_button.setText(tr("Clear the filter"))
        self._days.setVisible(self.time_box.currentData() == _BETWEEN)
