from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import NoSuchFolder, NoSuchMessage, NoSuchPrompt, NotRatable, UnusableLabel
from storage.records import Filter, Folder, Prompt, Tag
from storage.shelf import folder_path, label
from storage.store import Store
from tests.helpers.databases import GENERATION, fill, text


def make(store: Store, *titles: str) -> list[int]:
    return [store.conversations.create(title=title).id for title in titles]


def titles(store: Store, where: Filter | None = None) -> list[str]:
    found = store.conversations.list() if where is None else store.conversations.list(where=where)
    return [conversation.title for conversation in found]


def test_pinned_stand_on_top_and_the_archive_is_out_of_the_list(store: Store) -> None:
    a, _b, c = make(store, "a", "b", "c")
    assert titles(store) == ["c", "b", "a"]
    before = store.conversations.get(a).updated_at
    store.shelf.pin(a)
    assert titles(store) == ["a", "c", "b"]
    assert store.conversations.get(a).updated_at == before
    store.shelf.archive(c)
    assert titles(store) == ["a", "b"]
    assert titles(store, Filter(is_archived=True)) == ["c"]
    assert titles(store, Filter()) == ["a", "c", "b"]
    store.shelf.archive(c, False)
    store.shelf.pin(a, False)
    assert titles(store) == ["c", "b", "a"]
    assert store.conversations.list(limit=1)[0].title == "c"


def test_folders_are_made_with_those_above_them(store: Store) -> None:
    a, b = make(store, "a", "b")
    assert store.shelf.move(a, " /Work/ Models  and more/ ") == "Work/Models and more"
    store.shelf.move(b, "work")
    assert store.shelf.folders() == [Folder("Work", 1), Folder("Work/Models and more", 1)]
    assert store.conversations.get(a).folder == "Work/Models and more"
    assert titles(store, Filter(folder="Work", is_archived=False)) == ["b", "a"]
    assert titles(store, Filter(folder="WORK/models and more")) == ["a"]
    store.shelf.move(a, "")
    assert store.conversations.get(a).folder == ""
    assert titles(store, Filter(folder="")) == ["a"]
    assert store.conversations.verify() == []


def test_renaming_a_folder_takes_along_what_lies_below(store: Store) -> None:
    a, b, c = make(store, "a", "b", "c")
    store.shelf.move(a, "Work/Old/Deep")
    store.shelf.move(b, "Work/Older")
    store.shelf.move(c, "Home/Old")
    store.shelf.rename_folder("work/old", "Home/New")
    assert [folder.path for folder in store.shelf.folders()] == [
        "Home",
        "Home/New",
        "Home/New/Deep",
        "Home/Old",
        "Work",
        "Work/Older",
    ]
    store.shelf.rename_folder("Home/New", "Home/Old")
    assert store.conversations.get(a).folder == "Home/Old/Deep"
    assert store.shelf.rename_folder("home", "Home") == "Home"
    with pytest.raises(UnusableLabel):
        store.shelf.rename_folder("Home", "home/below")
    with pytest.raises(NoSuchFolder):
        store.shelf.rename_folder("Elsewhere", "X")
    assert store.conversations.verify() == []
    store.shelf.remove_folder("Home")
    assert [folder.path for folder in store.shelf.folders()] == ["Work", "Work/Older"]
    assert (store.conversations.get(a).folder, store.conversations.get(c).folder) == ("", "")
    with pytest.raises(NoSuchFolder):
        store.shelf.remove_folder("Home")


def test_tags_have_one_spelling(store: Store) -> None:
    a, b = make(store, "a", "b")
    store.shelf.tag(a, "MoE")
    store.shelf.tag(b, "moe")
    store.shelf.tag(b, "  论文  draft ")
    store.shelf.tag(b, "moe")
    assert store.conversations.get(b).tags == ("MoE", "论文 draft")
    assert store.shelf.tags() == [Tag("MoE", 2), Tag("论文 draft", 1)]
    assert titles(store, Filter(tags=("MOE", "论文 draft"))) == ["b"]
    assert store.shelf.untag(b, "mOe")
    assert not store.shelf.untag(b, "moe")
    store.trash.put(a)
    assert store.shelf.tags() == [Tag("论文 draft", 1)]


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\0b", "a\x1bb", "\ud800"])
def test_names_that_cannot_be_used(store: Store, name: str) -> None:
    (a,) = make(store, "a")
    with pytest.raises(UnusableLabel):
        store.shelf.tag(a, name)
    with pytest.raises(UnusableLabel):
        label(name)
    with pytest.raises(UnusableLabel):
        folder_path(f"Work/{name}/x")
    with pytest.raises(UnusableLabel):
        store.prompts.put(Prompt(name, "x"))
    assert store.shelf.tags() == []


def test_lists_are_filtered_like_the_search(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    assert titles(store) == ["Mixtures", "Flags"]
    assert titles(store, Filter(model="starter")) == ["Mixtures", "Flags"]
    monkeypatch.setattr("storage.filters.N_FEW", 1)  # too many to be looked up: the same comes out
    assert titles(store, Filter(model="starter")) == ["Mixtures", "Flags"]
    assert titles(store, Filter(model="other")) == []
    monkeypatch.undo()
    assert titles(store, Filter(rating=1)) == ["Mixtures"]
    assert titles(store, Filter(role="assistant", is_archived=True)) == []
    assert titles(store, Filter(part="reasoning")) == ["Mixtures"]
    assert titles(store, Filter(part="file")) == ["Squares"]
    assert titles(store, Filter(is_in_trash=True)) == ["Nonsense"]
    assert titles(store, Filter(is_pinned=False, is_archived=False)) == ["Flags"]
    now = datetime.now(UTC)
    assert titles(store, Filter(since=now + timedelta(minutes=1))) == []
    assert len(titles(store, Filter(until=now + timedelta(minutes=1)))) == 3


def test_only_answers_are_rated_and_the_last_opinion_counts(store: Store) -> None:
    (a,) = make(store, "a")
    question = store.conversations.append(a, None, "user", text("?"))
    answer = store.conversations.append(a, question.id, "assistant", text("!"), generation=GENERATION)
    assert answer.rating is None
    store.ratings.rate(answer.id, -1)
    store.ratings.rate(answer.id, 1)
    assert [message.rating for message in store.conversations.path(a)] == [None, 1]
    store.ratings.rate(answer.id, None)
    assert store.conversations.message(answer.id).rating is None
    with pytest.raises(NotRatable):
        store.ratings.rate(question.id, 1)
    with pytest.raises(NoSuchMessage):
        store.ratings.rate(99, 1)


def test_prompts_by_name(store: Store) -> None:
    store.prompts.put(Prompt("Reviewer", "Find mistakes."))
    persona = store.prompts.put(Prompt(" reviewer ", "Find all.", "starter", {"temperature": 0.1}))
    assert persona == Prompt("reviewer", "Find all.", "starter", {"temperature": 0.1})
    assert store.prompts.list() == [persona]
    assert store.prompts.get("REVIEWER") == persona
    store.prompts.delete("Reviewer")
    assert store.prompts.list() == []
    for action in (store.prompts.get, store.prompts.delete):
        with pytest.raises(NoSuchPrompt):
            action("Reviewer")
