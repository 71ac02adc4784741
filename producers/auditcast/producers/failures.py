"""Telling a service which of its events are not durable."""

import logging
import queue
import threading
from collections.abc import Callable

from auditcast.producers.channel import DeliveryFailure

OnFailure = Callable[[DeliveryFailure], None]
_log = logging.getLogger("auditcast.producers")


class Failures:
    """Calls `on_failure` in a thread of its own, which begins with the first failure.

    So it may take its time, emit again, or flush, none of which is possible where librdkafka reports.
    """

    def __init__(self, on_failure: OnFailure | None) -> None:
        self._on_failure = on_failure
        self._waiting: queue.Queue[DeliveryFailure] = queue.Queue()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def report(self, failure: DeliveryFailure) -> None:
        """Log it, and hand it over; must not block."""
        _log.error("audit event %s of workspace %s is not durable: %s", failure.id, failure.workspace, failure.reason)
        if self._on_failure is None:
            return
        self._waiting.put(failure)
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._hand_out, name="auditcast-failures", daemon=True)
                self._thread.start()

    def wait(self, timeout: float) -> None:
        """Return when all that was reported has been handed out, or after `timeout` seconds."""
        with self._waiting.all_tasks_done:
            self._waiting.all_tasks_done.wait_for(lambda: not self._waiting.unfinished_tasks, timeout)

    def _hand_out(self) -> None:
        while True:
            failure = self._waiting.get()
            try:
                if self._on_failure is not None:
                    self._on_failure(failure)
            except Exception:  # noqa: BLE001  (the service's own code; the failures after this one matter as well)
                _log.exception("on_failure raised an error for audit event %s", failure.id)
            finally:
                self._waiting.task_done()
