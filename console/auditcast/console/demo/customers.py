"""The customers of the platform in miniature: they add destinations, change them and take them away."""

import secrets
from collections.abc import Callable

from auditcast.console import revisions
from auditcast.console.choices import Choices, Rules
from auditcast.console.demo.simulator import Scope
from auditcast.console.demo.stage import NETWORK, Stage
from auditcast.console.registry import Change, Registry
from auditcast.console.sealed import SECRET_BYTES, secret_text
from auditcast.schemas.networks import networks
from auditcast.schemas.records import Revision


class Customers:
    """Changes through the registry, as the console's commands make them; every call waits until it is durable.

    `current` has the newest revision of each destination, deleted ones too.
    """

    def __init__(self, stage: Stage, registry: Registry) -> None:
        self.current: dict[str, Revision] = {}
        self._stage = stage
        self._registry = registry
        self._rules = Rules(
            sealer=stage.sealer,
            allowed=networks([NETWORK]),
            base_url="https://atmos-pro.com",
            type_prefix="pro.atmos",
        )

    def add(self, scope: Scope) -> str:
        """A new destination at the stage's receiver, which expects it from now on; its id."""
        destination = f"dst_{secrets.token_hex(6)}"
        secret = secret_text(secrets.token_bytes(SECRET_BYTES))
        url = self._stage.expect(destination, secret)
        revision = revisions.created(
            destination,
            workspace=scope.workspace,
            organization=scope.organization,
            choices=Choices(
                url=url,
                description=scope.name,
                window_events=scope.window_events,
                window_seconds=scope.window_seconds,
            ),
            rules=self._rules,
            secret=secret,
            epoch=secrets.token_hex(8),
        )
        self._change(destination, lambda newest: newest or revision)
        return destination

    def edit(self, destination: str, choices: Choices) -> Revision:
        """Other settings."""
        return self._on(destination, lambda newest: revisions.edited(newest, choices, self._rules))

    def disable(self, destination: str) -> Revision:
        """Collect nothing for it."""
        return self._on(destination, revisions.disabled)

    def enable(self, destination: str) -> Revision:
        """Collect for it again."""
        return self._on(destination, revisions.enabled)

    def pause(self, destination: str) -> Revision:
        """Collect for it, and send nothing."""
        return self._on(destination, revisions.paused)

    def resume(self, destination: str) -> Revision:
        """Send it what has waited, and go on."""
        return self._on(destination, revisions.resumed)

    def delete(self, destination: str) -> Revision:
        """End it for ever."""
        return self._on(destination, revisions.deleted)

    def deleted(self) -> set[str]:
        """The destinations that are no more."""
        return {name for name, revision in self.current.items() if revision.state == "deleted"}

    def in_force(self, revision: Revision) -> bool:
        """Whether a revision, or a later one, has come into force wherever it must."""
        partitions = self._stage.partitions if revision.organization is not None else 1
        return self._stage.account.expectation.in_force(revision.destination, revision.number) == partitions

    def all_in_force(self) -> bool:
        """Whether that is so for every destination."""
        return all(self.in_force(revision) for revision in self.current.values())

    def _on(self, destination: str, change: Callable[[Revision], Revision]) -> Revision:
        return self._change(destination, lambda _: change(self._registry.get(destination)))

    def _change(self, destination: str, change: Change) -> Revision:
        revision = self._registry.change(destination, change).revision
        self.current[destination] = revision
        return revision
