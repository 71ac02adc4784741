"""The channel of one audit log through its life: another one after a fork or a fatal error, closed at exit."""

import atexit
import os
import threading
import weakref
from collections.abc import Callable

from auditcast.producers.channel import Channel, Headers, Settle
from auditcast.producers.errors import Closed

_open: "weakref.WeakSet[Outlet]" = weakref.WeakSet()


class Outlet:
    """What events go out through. A forked child opens a channel of its own with its first event."""

    def __init__(self, open_channel: Callable[[], Channel], max_block: float, close: Callable[[], object]) -> None:
        """`close` is called at the interpreter's exit, unless the outlet was closed before."""
        self._open_channel = open_channel
        self._max_block = max_block
        self._close_at_exit = close
        self._closed = False
        self._lock = threading.RLock()
        self._channel: Channel | None = open_channel()
        _open.add(self)
        atexit.register(close)

    def __len__(self) -> int:
        channel = self._channel
        return 0 if channel is None else len(channel)

    @property
    def trouble(self) -> str | None:
        """The channel's."""
        channel = self._channel
        return None if channel is None else channel.trouble

    def send(self, key: str, value: bytes, headers: Headers, settle: Settle | None) -> None:
        """Take one event; raises `BufferFull` or `Closed`."""
        channel = self._channel
        if channel is None or channel.broken:
            channel = self._another_channel()
        channel.send(key, value, headers, self._max_block, settle)

    def flush(self, timeout: float) -> int:
        """As the channel's."""
        channel = self._channel
        return 0 if channel is None else channel.flush(timeout)

    def close(self, timeout: float) -> int:
        """As the channel's; 0 for an outlet closed before."""
        with self._lock:
            closed, self._closed = self._closed, True
            channel = self._channel
        if closed:
            return 0
        atexit.unregister(self._close_at_exit)
        return 0 if channel is None else channel.close(timeout)

    def forked(self) -> None:
        """In a child just forked: the parent's channel and the events in it stay the parent's."""
        self._lock = threading.RLock()  # a thread of the parent may have held the other one
        self._channel = None

    def _another_channel(self) -> Channel:
        """The first one of a forked child, or one in place of a broken one."""
        with self._lock:
            if self._closed:
                raise Closed
            channel = self._channel
            if channel is not None:
                if not channel.broken:
                    return channel
                channel.retire()
            self._channel = channel = self._open_channel()
            return channel


def _after_fork() -> None:
    for outlet in list(_open):
        outlet.forked()


os.register_at_fork(after_in_child=_after_fork)
