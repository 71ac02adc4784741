"""Whatever is done to what a receiver kept, `auditcast verify` finds it; what receivers may do, it does not mind."""

import base64
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from auditcast.console.verifying.findings import FAULTY, GENUINE, INCOMPLETE, Finding, Kind, exit_code
from auditcast.console.verifying.judging import Asked
from auditcast.console.verifying.keys import Keys
from auditcast.console.verifying.shapes import Spot, items_in
from auditcast.console.verifying.spool import Spool
from auditcast.console.verifying.verifier import Verifier
from auditcast.schemas.manifests import HOUR_MS
from auditcast.schemas.records import Batch
from tests.received import BEGAN, PUBLIC_KEY, SECRET, Delivery, Sender, event
from tests.unit.console.test_verify_exports import EXPORTS

STREAMS = ("dst_a-3-00ff00ff00ff00ff", "dst_a-5-0123456789abcdef")
CHAINED = ("stream", "sequence", "events", "opened", "format", "gap", "previous-digest", "digest")
FORMS = ("cloudevents/2", "axiom/1", "ndjson/1")

sizes = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=2, max_size=3)
"""Events in each batch, of each hour."""


class Kept:
    """All that two streams sent in some hours; each hour ends with a manifest."""

    def __init__(self, hours: Sequence[Sequence[int]], form: str = FORMS[0]) -> None:
        self.senders = [Sender(stream=stream, form=form) for stream in STREAMS]
        self.told: list[Delivery] = []
        self.ends = BEGAN + len(hours) * HOUR_MS
        for hour, batches in enumerate(hours, 1):
            for sender in self.senders:
                self.told += [sender.deliver(_batch(sender, size)) for size in batches]
                sender.now = BEGAN + hour * HOUR_MS
                self.told.append(sender.deliver_manifest(sender.manifest(hour)))

    @property
    def lines(self) -> list[str]:
        return [each.line() for each in self.told]

    @property
    def events(self) -> list[str]:
        """Without headers, one by one."""
        bodies = [each.body for each in self.told]
        if self.senders[0].form == "ndjson/1":
            return [line.decode() for body in bodies for line in body.splitlines()]
        return [bytes(each).decode() for body in bodies for each in msgspec.json.decode(body, type=list[msgspec.Raw])]


def _batch(sender: Sender, size: int) -> Batch:
    """Of events that no other stream has."""
    first = sender.batches[-1].last_event + 1 if sender.batches else 1
    return sender.batch([event(number, description=f"in {sender.stream[6]}") for number in range(first, first + size)])


def verified(lines: Sequence[str | bytes], ends: int, *, most_held: int = 1 << 20) -> tuple[int, set[Kind]]:
    spool = Spool(most_held)
    verifier = Verifier(Asked(until=ends), Keys([SECRET], [PUBLIC_KEY]), spool)
    for number, line in enumerate(lines):
        for item in items_in(line if isinstance(line, bytes) else line.encode(), Spot(str(number), ordered=True)):
            verifier.take(item)
    found: list[Finding] = verifier.findings()
    spool.close()
    return exit_code(found), {finding.kind for finding in found}


def flipped(text: bytes, at: int, bit: int) -> bytes:
    at %= len(text)
    return text[:at] + bytes([text[at] ^ (1 << bit)]) + text[at + 1 :]


def line_of(headers: dict[str, str], body: bytes) -> str:
    return json.dumps({"headers": headers, "body_base64": base64.b64encode(body).decode()})


@given(sizes, st.randoms())
def test_what_receivers_do_is_no_fault(hours: list[list[int]], chance: random.Random) -> None:
    kept = Kept(hours)
    lines = kept.lines
    for sender in kept.senders:
        for batch in sender.batches:
            if batch.last_event > batch.first_event and chance.random() < 0.5:
                middle = chance.randrange(batch.first_event, batch.last_event)
                parts = [
                    sender.part(batch, batch.first_event, middle),
                    sender.part(batch, middle + 1, batch.last_event),
                ]
                if chance.random() < 0.5:
                    lines = [line for line in lines if f'"{batch.id}"' not in line]
                    lines += [each.line() for each in parts]
                else:
                    lines.append(chance.choice(parts).line())
    lines += chance.choices(lines, k=3)
    chance.shuffle(lines)
    for at, line in enumerate(lines):
        value = json.loads(line)
        pairs = [(name.upper() if chance.random() < 0.5 else name, told) for name, told in value["headers"].items()]
        chance.shuffle(pairs)
        lines[at] = json.dumps(
            {"body": value["body"], "headers": dict(pairs), "at": 5}, ensure_ascii=chance.random() < 0.5
        )
    code, kinds = verified(lines, kept.ends)
    assert code == GENUINE, kinds


@given(sizes, st.data())
def test_a_delivery_that_is_dropped_is_missed(hours: list[list[int]], data: st.DataObject) -> None:
    kept = Kept(hours)
    at = data.draw(st.integers(0, len(kept.told) - 1))
    dropped = kept.told[at].headers
    # Those who had no manifests at first are not missing any.
    first = {sender.manifests[0].digest for sender in kept.senders}
    assume(dropped.get("X-Audit-Manifest") not in first)
    code, kinds = verified(kept.lines[:at] + kept.lines[at + 1 :], kept.ends)
    named = {Kind.MANIFEST_MISSING, Kind.UNPROVED} if "X-Audit-Manifest" in dropped else {Kind.MISSING}
    assert code == INCOMPLETE
    assert kinds & named


@given(sizes, st.data(), st.integers(0), st.integers(0, 7))
def test_a_changed_byte_is_found(hours: list[list[int]], data: st.DataObject, place: int, bit: int) -> None:
    kept = Kept(hours)
    at = data.draw(st.integers(0, len(kept.told) - 1))
    told = kept.told[at]
    covered = [name for name in told.headers if name.startswith(("X-Audit", "webhook")) and name != "X-Audit-Format"]
    name = data.draw(st.sampled_from(["", *covered]))
    if not name:
        line = line_of(told.headers, flipped(told.body, place, bit))
    else:
        value = flipped(told.headers[name].encode(), place, bit).decode("latin-1")
        line = line_of(told.headers | {name: value}, told.body)
    code, kinds = verified([*kept.lines[:at], line, *kept.lines[at + 1 :]], kept.ends)
    assert code == FAULTY
    assert kinds & {Kind.ALTERED, Kind.FORGED, Kind.MANIFEST_FORGED}
    # The genuine one beside it changes nothing about that.
    assert verified([*kept.lines, line], kept.ends)[0] == FAULTY


@given(sizes, st.data(), st.sampled_from(["bodies", "headers"]))
def test_swapped_deliveries_are_found(hours: list[list[int]], data: st.DataObject, what: str) -> None:
    kept = Kept(hours)
    one, other = data.draw(st.lists(st.sampled_from(range(len(kept.told))), min_size=2, max_size=2, unique=True))
    first, second = kept.told[one], kept.told[other]
    lines = kept.lines
    if what == "bodies":
        lines[one], lines[other] = first.but(second.body).line(), second.but(first.body).line()
    else:
        names = [f"X-Audit-{name.title()}" for name in CHAINED]
        both = [name for name in names if name in first.headers and name in second.headers]
        assume(len(both) > 2)
        lines[one] = line_of(first.headers | {name: second.headers[name] for name in both}, first.body)
        lines[other] = line_of(second.headers | {name: first.headers[name] for name in both}, second.body)
    code, kinds = verified(lines, kept.ends)
    assert code == FAULTY, kinds


@given(sizes, st.data())
def test_a_delivery_under_another_streams_name_is_found(hours: list[list[int]], data: st.DataObject) -> None:
    kept = Kept(hours)
    at = data.draw(st.integers(0, len(kept.told) - 1))
    told = kept.told[at]
    [other] = set(STREAMS) - {told.headers["X-Audit-Stream"]}
    moved = told.but(X_Audit_Stream=other)
    named = moved.but(webhook_id=told.headers["webhook-id"].replace(told.headers["X-Audit-Stream"], other))
    for each in (moved, named):
        code, kinds = verified([*kept.lines[:at], each.line(), *kept.lines[at + 1 :]], kept.ends)
        assert code == FAULTY, kinds


@given(sizes, st.sampled_from(FORMS), st.randoms(), st.integers(1, 5000))
def test_events_alone_prove_themselves_in_any_order(
    hours: list[list[int]], form: str, chance: random.Random, most_held: int
) -> None:
    kept = Kept(hours, form)
    lines = kept.events
    lines += chance.choices(lines, k=3)
    if chance.random() < 0.7:
        chance.shuffle(lines)
    for at, line in enumerate(lines):
        if chance.random() < 0.5:
            lines[at] = _written_anew(json.loads(line), chance)
    code, kinds = verified(lines, kept.ends, most_held=most_held)
    # The same event written in two ways is not the same bytes; which of them came cannot be told.
    assert code == GENUINE or kinds >= {Kind.CONTRADICTION}, kinds
    assert not kinds & {Kind.ALTERED, Kind.UNVERIFIABLE, Kind.INCOMPLETE, Kind.MISSING, Kind.UNSEALED}


def _written_anew(value: Any, chance: random.Random) -> str:
    """As another program writes the same event: with spaces, escapes, members in another order but for the metadata."""
    data = value["data"]
    if "stream" not in data["metadata"]:
        for nested in (data["actor"], data["action"], data["target"]):
            _reorder(nested, chance)
        _reorder(data, chance)
        _reorder(value, chance)
    return json.dumps(value, ensure_ascii=chance.random() < 0.5)


def _reorder(members: dict[str, Any], chance: random.Random) -> None:
    pairs = list(members.items())
    chance.shuffle(pairs)
    members.clear()
    members.update(pairs)


Change = Callable[[list[str], int, random.Random], list[str]]


def drop(lines: list[str], at: int, _: random.Random) -> list[str]:
    return lines[:at] + lines[at + 1 :]


def change(lines: list[str], at: int, chance: random.Random) -> list[str]:
    """In a value of the event, such that it stays JSON."""
    old = chance.choice(["viewer", "usr_1", "role_changed", "Zoë", "success", "workspaces"])
    return [*lines[:at], lines[at].replace(old, old[:-1] + "!"), *lines[at + 1 :]]


def add_changed(lines: list[str], at: int, chance: random.Random) -> list[str]:
    return [*lines, change(lines, at, chance)[at]]


def renumber(lines: list[str], at: int, chance: random.Random) -> list[str]:
    number = json.loads(lines[at])["sequence"]
    return [*lines[:at], lines[at].replace(number, f"{int(number) + chance.choice([1, 2, 7]):020d}"), *lines[at + 1 :]]


def move(lines: list[str], at: int, _: random.Random) -> list[str]:
    stream = json.loads(lines[at])["auditstream"]
    [other] = set(STREAMS) - {stream}
    return [*lines[:at], lines[at].replace(stream, other), *lines[at + 1 :]]


def another_batch(lines: list[str], at: int, chance: random.Random) -> list[str]:
    number = json.loads(lines[at])["auditbatch"]
    other = number + chance.choice([1, 2]) if number == 1 else number - 1
    return [*lines[:at], lines[at].replace(f'"auditbatch":{number}', f'"auditbatch":{other}'), *lines[at + 1 :]]


def another_previous(lines: list[str], at: int, _: random.Random) -> list[str]:
    previous = json.loads(lines[at])["auditprevious"]
    return [*lines[:at], lines[at].replace(previous, "5a" * 32), *lines[at + 1 :]]


@given(
    sizes,
    st.data(),
    st.sampled_from([drop, change, add_changed, renumber, move, another_batch, another_previous]),
    st.randoms(),
)
def test_a_stored_event_that_is_not_what_came_is_found(
    hours: list[list[int]], data: st.DataObject, forge: Change, chance: random.Random
) -> None:
    kept = Kept(hours)
    lines = kept.events
    chained = [at for at, line in enumerate(lines) if ".auditcast.manifest" not in line]
    code, kinds = verified(forge(lines, data.draw(st.sampled_from(chained)), chance), kept.ends)
    if forge is drop:
        assert kinds & {Kind.INCOMPLETE, Kind.MISSING}
        assert code in (INCOMPLETE, FAULTY)
    else:
        assert code == FAULTY, kinds


VALUES = [None, {}, [], -1, 10**19, 1e300, "", "x", True, [None], {"a": 1}, "\ud800"]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything in a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(way for name, child in children for way in leaves(child, (*path, name)))]


@given(st.data(), st.sampled_from(["deliveries", "events", *EXPORTS]))
def test_no_value_anywhere_makes_it_fail(data: st.DataObject, what: str) -> None:
    kept = Kept([[2, 1], [1]])
    if what in EXPORTS:
        form, export = EXPORTS[what]
        told = export([each.body for each in Kept([[2, 1], [1]], form).told])
        lines = [told] if "search of" in what and form != "splunk/1" else told.splitlines()
    else:
        lines = kept.lines if what == "deliveries" else kept.events
    for _ in range(3):
        at = data.draw(st.integers(0, len(lines) - 1))
        value = json.loads(lines[at])
        way = data.draw(st.sampled_from(leaves(value)[1:]))
        inner = value
        for name in way[:-1]:
            inner = inner[name]
        inner[way[-1]] = data.draw(st.sampled_from(VALUES))
        lines[at] = json.dumps(value)
    verified(lines, kept.ends)
