"""One download in words and numbers, as its row shows it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from model_manager.types import DownloadSnapshot, DownloadStatus
from ui import formats, theme
from ui.buttons import IconButton
from ui.i18n import tr
from ui.labels import ElidedLabel
from ui.text import sentence

_CAN_PAUSE: tuple[DownloadStatus, ...] = ("queued", "running")
_CAN_CANCEL: tuple[DownloadStatus, ...] = ("queued", "running", "verifying", "paused", "failed")


def progress_permille(snapshot: DownloadSnapshot) -> int | None:
    """How much has arrived, or has been verified at the end, 0 to 1000; None while the size is unknown."""
    if snapshot.status == "done":
        return 1000
    if not snapshot.size_bytes:
        return None
    n_bytes = snapshot.verified_bytes if snapshot.status == "verifying" else snapshot.received_bytes
    return max(0, min(1000, n_bytes * 1000 // snapshot.size_bytes))


def describe(snapshot: DownloadSnapshot) -> str:
    """Amount, rate and time left, or what else is going on; errors have their own line."""
    amount = formats.size(snapshot.received_bytes)
    if snapshot.size_bytes is not None:
        whole = formats.size(snapshot.size_bytes)
        if snapshot.status == "done":
            return tr("Complete and verified · {size}", size=whole)
        amount = tr("{received} of {size}", received=amount, size=whole)
    if snapshot.status == "running":
        parts = [amount]
        if snapshot.waiting is not None:
            parts.append(_waiting_words(snapshot))
        elif snapshot.rate_bytes_per_s is None:
            parts.append(tr("waiting for the server"))
        else:
            parts.append(formats.rate(snapshot.rate_bytes_per_s))
        if snapshot.eta_s is not None:
            parts.append(tr("{time} left", time=formats.duration(snapshot.eta_s)))
        if snapshot.n_files > 1:
            parts.append(tr("{n} files", n=snapshot.n_files))
        return " · ".join(parts)
    if snapshot.status == "verifying" and snapshot.size_bytes is not None:
        verified = formats.size(snapshot.verified_bytes)
        return tr("Checking the checksum · {verified} of {size}", verified=verified, size=whole)
    words = {
        "queued": tr("Waiting for its turn"),
        "verifying": tr("Checking the checksum"),
        "paused": tr("Paused"),
        "failed": tr("Stopped by a problem"),
        "done": tr("Complete and verified"),
        "cancelled": tr("Cancelled"),
    }
    return f"{words[snapshot.status]} · {amount}" if snapshot.received_bytes else words[snapshot.status]


def _is_model(snapshot: DownloadSnapshot) -> bool:
    """Anything can be downloaded; what is no model is not in the library."""
    return all(path.suffix == ".gguf" for path, _sha256 in snapshot.files)


def _waiting_words(snapshot: DownloadSnapshot) -> str:
    """What a running one waits for; the network may stay away as long as it likes."""
    wait_s = snapshot.retry_in_s
    if snapshot.waiting == "network":
        words = tr("no network, what has arrived is kept")
    else:
        words = tr("the server does not answer")
    return words if wait_s is None else f"{words}; {tr('next try in {time}', time=formats.duration(wait_s))}"


class DownloadRow(QFrame):
    """Name, progress and the buttons that make sense at the moment.

    Signals:
        pause_requested, resume_requested, cancel_requested: download id.
        chat_requested: The name of what has been downloaded.
        move_requested: download id, `DownloadPlace`: another place in the queue.
    """

    pause_requested = Signal(object)
    resume_requested = Signal(object)
    cancel_requested = Signal(object)
    chat_requested = Signal(str)
    move_requested = Signal(object, str)

    def __init__(self, snapshot: DownloadSnapshot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._snapshot = snapshot
        self.name_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.state_label = ElidedLabel()
        self.state_label.setProperty("muted", True)
        self.name_label.setFont(theme.font(1.0, self.name_label.font().Weight.DemiBold))
        self.error_label = QLabel()
        self.error_label.setProperty("error", True)
        self.error_label.setWordWrap(True)
        self.error_label.setTextFormat(Qt.TextFormat.PlainText)
        self.chat_button = QPushButton()
        self.up_button = IconButton("arrow-up", role="text_muted")
        self.down_button = IconButton("arrow-down", role="text_muted")
        self.pause_button = IconButton("pause")
        self.resume_button = IconButton("play")
        self.retry_button = IconButton("retry")
        self.cancel_button = IconButton("close", role="text_muted")

        top = QHBoxLayout()
        top.setSpacing(2)
        top.addWidget(self.name_label, 1)
        for button in (
            self.chat_button,
            self.up_button,
            self.down_button,
            self.pause_button,
            self.resume_button,
            self.retry_button,
            self.cancel_button,
        ):
            top.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 8, 8, 12)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self.bar)
        column.addWidget(self.state_label)
        column.addWidget(self.error_label)
        self.up_button.clicked.connect(lambda: self.move_requested.emit(self._snapshot.id, "up"))
        self.down_button.clicked.connect(lambda: self.move_requested.emit(self._snapshot.id, "down"))
        self.pause_button.clicked.connect(lambda: self.pause_requested.emit(self._snapshot.id))
        self.resume_button.clicked.connect(lambda: self.resume_requested.emit(self._snapshot.id))
        self.retry_button.clicked.connect(lambda: self.resume_requested.emit(self._snapshot.id))
        self.cancel_button.clicked.connect(lambda: self.cancel_requested.emit(self._snapshot.id))
        self.chat_button.clicked.connect(lambda: self.chat_requested.emit(self._snapshot.name))
        self.set_neighbours(has_before=False, has_after=False)
        self.set_snapshot(snapshot)

    def set_neighbours(self, *, has_before: bool, has_after: bool) -> None:
        """Whether it can change places with one above or below it in the queue."""
        self.up_button.setVisible(has_before or has_after)
        self.down_button.setVisible(has_before or has_after)
        self.up_button.setEnabled(has_before)
        self.down_button.setEnabled(has_after)

    def set_snapshot(self, snapshot: DownloadSnapshot) -> None:
        """Show the download as it is now."""
        self._snapshot = snapshot
        status = snapshot.status
        self.name_label.setText(snapshot.name or snapshot.ref)
        permille = progress_permille(snapshot)
        if permille is None and status == "running":
            self.bar.setRange(0, 0)  # busy, without a length
        else:
            self.bar.setRange(0, 1000)
            self.bar.setValue(permille or 0)
        self.bar.setVisible(status not in ("done", "cancelled"))
        self.state_label.setText(describe(snapshot))
        self.error_label.setVisible(snapshot.error is not None and status == "failed")
        if snapshot.error is not None:
            self.error_label.setText(sentence(snapshot.error))
        self.pause_button.setVisible(status in _CAN_PAUSE)
        self.resume_button.setVisible(status == "paused")
        self.retry_button.setVisible(status in ("failed", "cancelled"))
        self.chat_button.setVisible(status == "done" and _is_model(snapshot))
        self._name_parts()

    def _name_parts(self) -> None:
        name = self.name_label.text()
        self.setAccessibleName(f"{name}: {self.state_label.text()}")
        self.bar.setAccessibleName(tr("Progress of {name}", name=name))
        self.up_button.set_name(tr("Move {name} up", name=name))
        self.down_button.set_name(tr("Move {name} down", name=name))
        self.pause_button.set_name(tr("Pause {name}", name=name))
        self.resume_button.set_name(tr("Resume {name}", name=name))
        self.retry_button.set_name(tr("Try {name} again", name=name))
        is_over = self._snapshot.status not in _CAN_CANCEL
        words = tr("Take {name} off the list", name=name) if is_over else tr("Cancel {name}", name=name)
        self.cancel_button.set_name(words)
        self.chat_button.setText(tr("Chat with it"))
        self.chat_button.setAccessibleName(tr("Chat with {name}", name=name))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.set_snapshot(self._snapshot)
        elif event.type() == QEvent.Type.FontChange:
            self.name_label.setFont(theme.font(1.0, self.name_label.font().Weight.DemiBold))
