"""Turns at a model."""

from __future__ import annotations

import asyncio

import pytest

from model_manager.engine.gateway.queue import Queue
from model_manager.engine.gateway.refusals import QueueFull


async def settle() -> None:
    """Let every task come as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Client:
    """Somebody with requests; notes in `order` when one got its turn."""

    def __init__(self, queue: Queue, order: list[str], model: str = "m") -> None:
        self.queue, self.order, self.model = queue, order, model

    def ask(self, name: str, client: str) -> tuple[asyncio.Task[None], asyncio.Event]:
        done = asyncio.Event()

        async def use() -> None:
            async with self.queue.turn(self.model, client, 1):
                self.order.append(name)
                await done.wait()

        return asyncio.create_task(use()), done


async def _take_turns() -> list[str]:
    order: list[str] = []
    asks = Client(Queue(), order)
    running = [asks.ask("first", "a")]
    await settle()
    running += [asks.ask(f"a{n}", "a") for n in range(3)]
    running += [asks.ask(f"b{n}", "b") for n in range(2)]
    await settle()
    for task, done in (running[0], running[1], running[4], running[2], running[5], running[3]):
        done.set()
        await task
        await settle()
    return order


def test_clients_take_turns_and_keep_their_own_order() -> None:
    assert asyncio.run(_take_turns()) == ["first", "a0", "b0", "a1", "b1", "a2"]


async def _other_model() -> list[str]:
    order: list[str] = []
    queue = Queue()
    running = [Client(queue, order, "m").ask(f"m{n}", "a") for n in range(3)]
    running.append(Client(queue, order, "other").ask("other", "a"))
    await settle()
    seen = list(order)
    for task, done in running:
        done.set()
        await task
    return seen


def test_a_busy_model_holds_up_no_other() -> None:
    assert asyncio.run(_other_model()) == ["m0", "other"]


async def _leave() -> tuple[list[str], int]:
    order: list[str] = []
    queue = Queue()
    asks = Client(queue, order)
    first, leaving, last = asks.ask("first", "a"), asks.ask("leaving", "a"), asks.ask("last", "b")
    await settle()
    leaving[0].cancel()
    await settle()
    first[1].set()
    await settle()
    last[1].set()
    await asyncio.gather(first[0], last[0])
    # The one that leaves at the very moment of its turn hands it on.
    first, leaving, last = asks.ask("first", "a"), asks.ask("leaving", "a"), asks.ask("last", "b")
    await settle()
    first[1].set()
    await asyncio.sleep(0)
    leaving[0].cancel()
    last[1].set()
    await asyncio.wait_for(last[0], 5)
    return order, queue.n_waiting


def test_who_leaves_is_passed_over() -> None:
    order, n_waiting = asyncio.run(_leave())
    assert order[:2] == ["first", "last"]
    assert order[-1] == "last"
    assert n_waiting == 0


async def _overflow() -> float:
    queue = Queue(n_waiting=2)
    running = [Client(queue, []).ask(str(n), "a") for n in range(3)]
    await settle()
    with pytest.raises(QueueFull) as raised:
        async with queue.turn("m", "a", 1):
            pass
    for task, done in running:
        done.set()
        await task
    async with queue.turn("m", "a", 1):
        pass
    return raised.value.retry_after_s


def test_too_many_are_turned_away_with_a_time() -> None:
    assert 1 <= asyncio.run(_overflow()) <= 120
