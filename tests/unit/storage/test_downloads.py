from __future__ import annotations

from storage.records import StoredDownload
from storage.store import Store


def test_download_starts_queued_and_keeps_its_plan(store: Store) -> None:
    plan = {"files": [{"url": "https://x/y", "size_bytes": 26_440_000_000, "sha256": None}]}
    made = store.downloads.add("owner/repo:Q4", "repo-Q4", plan)
    assert made == StoredDownload(made.id, "owner/repo:Q4", "repo-Q4", "queued", plan)
    assert store.downloads.list() == [made]


def test_update_leaves_what_is_not_given(store: Store) -> None:
    made = store.downloads.add("r", "n", {"a": 1})
    store.downloads.update(made.id, plan={"a": 2})
    store.downloads.update(made.id, status="failed", error="HubUnreachable")
    store.downloads.update(made.id, plan={"a": 3})
    assert store.downloads.list() == [StoredDownload(made.id, "r", "n", "failed", {"a": 3}, "HubUnreachable")]


def test_error_goes_with_its_status(store: Store) -> None:
    made = store.downloads.add("r", "n", {})
    store.downloads.update(made.id, status="failed", error="x")
    store.downloads.update(made.id, error="y")
    assert store.downloads.list()[0].error == "y"
    store.downloads.update(made.id, status="running")
    assert store.downloads.list()[0].error is None


def test_late_report_of_a_removed_download_is_ignored(store: Store) -> None:
    first = store.downloads.add("r", "n", {})
    store.downloads.delete(first.id)
    store.downloads.update(first.id, status="done")
    store.downloads.delete(first.id)
    assert store.downloads.list() == []
    assert store.downloads.add("r", "n", {}).id > first.id


def test_order_of_the_queue_is_kept_and_new_ones_come_last(store: Store) -> None:
    one, two, three = (store.downloads.add(ref, "n", {}).id for ref in "abc")
    store.downloads.reorder([three, one, two])
    assert [row.id for row in store.downloads.list()] == [three, one, two]
    four = store.downloads.add("d", "n", {}).id
    assert [row.id for row in store.downloads.list()] == [three, one, two, four]
