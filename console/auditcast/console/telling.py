"""What a command has done to a destination, and what becomes of its backlog: one sentence each, for people."""

from auditcast.console.moments import second_text
from auditcast.schemas.records import Revision

GONE = "gone"
"""`Revision.because` after a 410; such a destination is disabled, and its backlog waits as in a pause."""

FAILING = "failing"
"""`Revision.because` when nothing but failures led to the pause."""


def is_gone(revision: Revision) -> bool:
    """Whether the receiver said that it is gone, and nobody has enabled the destination since."""
    return revision.state == "disabled" and revision.because == GONE


def added(revision: Revision, secret: str | None) -> str:
    """Its secret is None if it was there before."""
    if secret is None:
        return f"{revision.destination} is there with these settings already, {revision.state}: nothing to do."
    return _sentences(
        f"{revision.destination} is added, {revision.state}.\n\n  Secret: {secret}\n\n"
        "It signs every delivery. Keep it now: it is never shown again.",
        _not_entitled(revision),
    )


def edited(revision: Revision) -> str:
    return _sentences(f"{revision.destination} is changed.", _held_back(revision))


def enabled(revision: Revision) -> str:
    return _sentences(
        f"{revision.destination} is enabled: events are collected from now on,"
        " and what was collected before goes on being delivered.",
        _held_back(revision),
    )


def disabled(revision: Revision) -> str:
    fate = "waits for as long as it is paused" if revision.paused else "is still delivered"
    return (
        f"{revision.destination} is disabled: from now on events are not collected, only counted;"
        f" what was collected before {fate}."
    )


def paused(revision: Revision) -> str:
    why = "not entitled" if revision.state == "active" else "disabled"
    collected = "events are collected" if revision.collecting else f"nothing is collected while it is {why}"
    return (
        f"{revision.destination} is paused: {collected}, and what is not delivered yet waits for {_resume(revision)}."
    )


def resumed(revision: Revision) -> str:
    new = ", and then what is new" if revision.collecting else ""
    return f"{revision.destination} is resumed: what has waited is delivered now, in order{new}."


def deleted(revision: Revision) -> str:
    return (
        f"{revision.destination} is deleted: nothing is collected any more;"
        " what was collected before is still delivered."
    )


def rotating(revision: Revision, secret: str) -> str:
    """It has a new secret beside the old one until `rotation_ends`, which may be now."""
    name = revision.destination
    keep = f"{name} has a new secret.\n\n  Secret: {secret}\n\nKeep it now: it is never shown again."
    if revision.rotation_ends <= revision.changed_at:
        return f"{keep} It alone signs from now on."
    return (
        f"{keep}\nUntil {second_text(revision.rotation_ends)} both count: X-Webhook-Signature is made with the old one,"
        " X-Webhook-Signature-Next with the new one, and webhook-signature holds one of each; from then on only the new"
        f" one.\n'auditcast destinations rotate-secret {name} --finish' ends the old one earlier,"
        " and --cancel instead keeps it."
    )


def perhaps_rotating(destination: str, secret: str) -> str:
    """Nobody knows whether a rotation has begun; it could not be used without its secret."""
    return (
        f"This may be the new secret of {destination}: 'auditcast destinations show {destination}' says whether a"
        f" rotation is under way.\n\n  Secret: {secret}\n"
    )


def rotated(revision: Revision) -> str:
    return f"{revision.destination} is at its new secret: from now on that alone signs every delivery."


def rotation_undone(revision: Revision) -> str:
    return f"{revision.destination} is at its old secret again: the new one is void."


def not_rotating(revision: Revision) -> str:
    return f"{revision.destination} has one secret only: nothing to do."


def unchanged(revision: Revision) -> str:
    """There was nothing to do."""
    return _sentences(f"{revision.destination} is so already: nothing to do.", _held_back(revision))


def _held_back(revision: Revision) -> str:
    """Why nothing is delivered, and how to end that; empty if it is."""
    if is_gone(revision):
        return (
            "Its receiver answered 410 (gone): nothing is collected, and its backlog waits, until"
            f" 'auditcast destinations enable {revision.destination}'."
        )
    paused = f"It is paused: its backlog waits for {_resume(revision)}." if revision.paused else ""
    return _sentences(_not_entitled(revision), paused)


def _not_entitled(revision: Revision) -> str:
    """Why nothing is collected although nobody has disabled it; empty if it is."""
    if revision.entitled or revision.state != "active":
        return ""
    return f"It is not entitled, so nothing is collected: see 'auditcast destinations show {revision.destination}'."


def _resume(revision: Revision) -> str:
    return f"'auditcast destinations resume {revision.destination}'"


def _sentences(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
