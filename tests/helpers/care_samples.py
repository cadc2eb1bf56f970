"""Backups and sizes such as the window is given, for tests and pictures of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ui.care.values import BackupRow, Space

SPACE = Space(
    file_bytes=48_300_000,
    log_bytes=420_000,
    free_bytes=6_100_000,
    kinds={
        "text": 11_200_000,
        "reasoning": 9_400_000,
        "attachments": 4_900_000,
        "routing": 2_700_000,
        "tokens": 1_300_000,
        "search index": 8_800_000,
        "knowledge": 2_100_000,
    },
    backups_bytes=139_000_000,
    cache_bytes=1_200_000_000,
)


def backups() -> list[BackupRow]:
    """One of each kind, the newest first."""
    now = datetime.now(UTC)
    folder = "/home/ada/.local/share/coterie/backups"
    return [
        BackupRow(f"{folder}/coterie-1.sqlite", "hand", now - timedelta(minutes=5), 48_200_000),
        BackupRow(f"{folder}/coterie-auto-2.sqlite", "auto", now - timedelta(days=3), 47_100_000),
        BackupRow(f"{folder}/coterie-replaced-3.sqlite", "replaced", now - timedelta(days=30), 31_900_000),
        BackupRow(f"{folder}/coterie-schema14-4.sqlite", "schema", now - timedelta(days=700), 11_800_000),
    ]
