"""Where the steps are entered, in the order in which their modules are imported."""

from __future__ import annotations

from sqlite_utils import Migrations

migrations = Migrations("coterie")
