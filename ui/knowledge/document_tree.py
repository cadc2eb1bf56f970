"""Files and folders of a collection, with the documents found there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from ui import theme
from ui.i18n import tr, trn
from ui.knowledge.values import DocumentRow, SourceRows

_PATH = Qt.ItemDataRole.UserRole


class DocumentTree(QTreeWidget):
    """A line for what was added, with a line below for each document of a folder."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plain_list")
        self.setHeaderHidden(True)
        self.setColumnCount(2)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformRowHeights(True)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)

    def set_sources(self, sources: Sequence[SourceRows]) -> None:
        """Show these."""
        self.clear()
        for source in sources:
            alone = source.documents[0] if [one.path for one in source.documents] == [source.path] else None
            count = trn("{n} document", "{n} documents", len(source.documents))
            top = self._line(source.path, source.path, _state(alone) if alone else count, alone)
            self.addTopLevelItem(top)
            if alone is None:
                for document in source.documents:
                    name = _inside(document.path, source.path)
                    top.addChild(self._line(name, document.path, _state(document), document))
            top.setExpanded(True)

    def source(self) -> str:
        """What was added of the line that is chosen; "" where none is."""
        chosen = self.selectedItems()
        item = chosen[0] if chosen else None
        while item is not None and item.parent() is not None:
            item = item.parent()
        return "" if item is None else str(item.data(0, _PATH))

    def _line(self, name: str, path: str, state: str, document: DocumentRow | None) -> QTreeWidgetItem:
        item = QTreeWidgetItem([name, state])
        item.setData(0, _PATH, path)
        item.setToolTip(0, path)
        item.setForeground(1, theme.colors().text_muted)
        if document is not None and document.why_not:
            item.setForeground(1, theme.colors().warning)
            item.setToolTip(1, document.why_not)
        return item


def _state(document: DocumentRow) -> str:
    if document.why_not:
        return tr("not read")
    return trn("{n} passage", "{n} passages", document.n_passages)


def _inside(path: str, folder: str) -> str:
    try:
        return str(PurePath(path).relative_to(folder))
    except ValueError:
        return path
