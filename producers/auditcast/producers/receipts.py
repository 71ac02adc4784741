"""Waiting until an event is durable."""

import asyncio
from collections.abc import Generator
from concurrent.futures import Future

from auditcast.producers.errors import NotDurable


class Receipt:
    """Stands for one emitted event: `receipt.wait()` in a thread, `await receipt` in a coroutine."""

    __slots__ = ("_acknowledged", "id")

    def __init__(self, id: str) -> None:  # noqa: A002  (the event's field)
        self.id = id
        self._acknowledged: Future[None] = Future()
        # From here on nobody who gives up waiting can cancel it for the others.
        self._acknowledged.set_running_or_notify_cancel()

    @property
    def durable(self) -> bool:
        """Whether the broker has acknowledged the event by now."""
        return self._acknowledged.done() and self._acknowledged.exception() is None

    def wait(self, timeout: float | None = None) -> str:
        """The event's id, once the broker has it on all in-sync replicas; raises `NotDurable` if it never will.

        Also raised after `timeout` seconds, while the event is still being tried.
        """
        try:
            self._acknowledged.result(timeout)
        except TimeoutError:
            raise NotDurable(self.id, f"no acknowledgement within {timeout:g} s, it is still being tried") from None
        return self.id

    def __await__(self) -> Generator[object, None, str]:
        yield from asyncio.wrap_future(self._acknowledged).__await__()
        return self.id

    def settle(self, reason: str | None) -> None:
        """The broker's word: None for an acknowledgement."""
        if reason is None:
            self._acknowledged.set_result(None)
        else:
            self._acknowledged.set_exception(NotDurable(self.id, reason))
