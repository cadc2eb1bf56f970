"""What stands above the first message that is shown, and is read when somebody comes near it."""

from __future__ import annotations

from collections.abc import Callable


class EarlierMessages:
    """Asks for older messages once a stretch, and remembers what waits for all of them."""

    def __init__(self, ask: Callable[[int, bool], None]) -> None:
        """Nothing is asked for yet.

        Args:
            ask: Gets the id of the message above the first one, and whether everything before that is wanted
                too.
        """
        self._ask = ask
        self._asked_id: int | None = None
        self._waiting: list[Callable[[], None]] = []

    def forget(self) -> None:
        """Another path is shown: what was asked for no longer matters."""
        self._asked_id = None
        self._waiting.clear()

    def is_waiting(self) -> bool:
        """Whether something waits for all of them."""
        return bool(self._waiting)

    def come_near(self, parent_id: int | None) -> None:
        """The reader will soon be at the first message.

        Args:
            parent_id: Of that message; None where nothing stands above it.
        """
        if parent_id is not None and parent_id != self._asked_id:
            self._asked_id = parent_id
            self._ask(parent_id, False)

    def when_whole(self, parent_id: int | None, act: Callable[[], None]) -> None:
        """Do something with the whole conversation, at once if it is there."""
        if parent_id is None:
            act()
            return
        self._waiting.append(act)
        if len(self._waiting) == 1:
            self._asked_id = parent_id
            self._ask(parent_id, True)

    def take(self, parent_id: int | None) -> None:
        """Older messages have come.

        Args:
            parent_id: Of what is the first message now; the same as before where they could not be read.
        """
        failed = parent_id == self._asked_id
        waiting, self._waiting = self._waiting, []
        if failed:
            return
        for act in waiting:
            self.when_whole(parent_id, act)
