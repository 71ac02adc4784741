"""What comes through the door is safe to join, whoever wrote it; what does not is answered with one sentence."""

import json
import math
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
import orjson
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as IndependentEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from auditcast.schemas import events
from auditcast.schemas.admission import admit
from auditcast.schemas.attributes import time_text
from auditcast.schemas.errors import Refused
from auditcast.schemas.normal_form import normal_form
from auditcast.schemas.strict_json import parse
from tests.bodies import joined

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=8)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | anything,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(anything, json_values, max_size=3)
times = st.integers(-62_135_596_800_000, 253_402_300_799_999).map(time_text)


def known(*, data: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Members of events that have nothing but what the types know, in any order."""
    people = st.fixed_dictionaries({"id": texts, "type": texts}, optional={"email": texts, "name": texts})
    target = st.fixed_dictionaries({"type": texts, "id": texts}, optional={"name": texts})
    content = st.fixed_dictionaries(
        {"actor": people, "action": st.fixed_dictionaries({"category": texts, "action": texts})},
        optional={
            "target": st.none() | target,
            "description": st.none() | anything,
            "metadata": objects,
            "outcome": st.sampled_from(["success", "failure"]),
            "client": st.fixed_dictionaries({}, optional={"ip": st.just("::1"), "user_agent": texts}),
        },
    )
    return st.fixed_dictionaries(
        {
            "specversion": st.just("1.0"),
            "id": texts,
            "source": texts,
            "type": texts,
            "time": times,
            "workspaceid": texts,
        }
        | ({"data": content} if data else {}),
        optional={"subject": texts, "organizationid": texts, "datacontenttype": st.just("application/json")},
    )


@st.composite
def foreign(draw: st.DrawFn) -> dict[str, Any]:
    """Members of valid events of other people's services: extensions, and unknown members of `data`."""
    members = draw(known())
    extension = st.from_regex("x[a-z0-9]{0,5}", fullmatch=True)
    members |= draw(st.dictionaries(extension, texts | st.booleans() | st.integers(-(2**31), 2**31 - 1), max_size=3))
    data = members["data"]
    unknown = st.dictionaries(st.from_regex("x_[a-z]{0,3}", fullmatch=True), json_values, max_size=2)
    for place in (data, data["actor"], data["action"]):
        place.update(draw(unknown))
    return members


@st.composite
def written(draw: st.DrawFn, members: st.SearchStrategy[dict[str, Any]]) -> bytes:
    """A JSON text of the members, as some encoder or other writes them."""
    event = draw(members)
    shuffled = {name: event[name] for name in draw(st.permutations(list(event)))}
    style: Any = draw(st.sampled_from([{}, {"ensure_ascii": False}, {"indent": 1}, {"separators": (",", ":")}]))
    return json.dumps(shuffled, **style).encode()


@st.composite
def minimal(draw: st.DrawFn) -> bytes:
    """Bytes that the types take and encode to the same bytes, with one thing wrong that the types do not look at."""
    wrong = draw(
        st.sampled_from(["", "id", "source", "type", "time", "subject", "workspaceid", "organizationid", "metadata"])
    )
    hostile = {
        "time": st.sampled_from(["2025-02-30T00:00:00.000Z", "2025-01-01t00:00:00.000Z", "2025-01-01T00:00:00+00:0"]),
        "metadata": st.integers(26, 32).map(lambda depth: {"a": json.loads("[" * depth + "]" * depth)})
        | st.sampled_from([{"a": 2**64}, {"a": [{"b": -(2**63) - 1}]}]),
    }
    characters = st.sampled_from(["a\n", "\x7f", "\x85", "\uffff", "\U0001fffe"])

    def field(name: str, usual: st.SearchStrategy[Any] = texts) -> Any:
        return draw(hostile.get(name, characters) if name == wrong else usual)

    event = events.CloudEvent(
        specversion="1.0",
        id=field("id"),
        source=field("source"),
        type=field("type"),
        time=field("time", times),
        subject=field("subject", st.just(msgspec.UNSET) | texts),
        datacontenttype="application/json",
        data=events.Data(
            actor=events.Actor(id="a", type="user"),
            action=events.Action(category="lock", action="created"),
            target=draw(st.none() | st.builds(events.Target, id=texts | characters, type=texts)),
            description=draw(st.none() | anything),
            metadata=field("metadata", objects),
            outcome="success",
        ),
        workspaceid=field("workspaceid"),
        organizationid=field("organizationid", st.just(msgspec.UNSET) | texts),
    )
    return events.encode(event)


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON value of the same type."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(value, right[name]) for name, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right and str(left) == str(right)


def check_sound(event: events.CloudEvent, raw: bytes) -> None:
    """What must hold of everything that is admitted."""
    assert b"\n" not in raw
    first, *others = (loads(raw) for loads in (json.loads, msgspec.json.decode, orjson.loads))
    assert all(same(first, other) for other in others)
    assert msgspec.convert(first, events.CloudEvent) == event

    again, raw_again = admit(raw)
    assert (again, raw_again) == (event, raw)
    if events.encode(event) == raw:
        assert raw_again is raw, "the minimal form must not need to be written anew"
        assert normal_form(parse(raw)) == (event, raw), "both ways must agree"

    independent = JSONFormat().read(IndependentEvent, raw)
    expected = {name: value for name, value in first.items() if name != "data"} | {
        "time": datetime.fromisoformat(first["time"])
    }
    assert independent.get_attributes() == expected
    assert independent.get_data() == first["data"]

    batch = json.loads(joined("cloudevents/1", [raw, raw], 7))
    assert batch == [first | {"sequence": f"{number:020d}"} for number in (7, 8)]


@given(written(foreign()))
def test_a_valid_event_is_admitted_with_all_that_it_says(value: bytes) -> None:
    event, raw = admit(value)
    check_sound(event, raw)
    given_in, come_out = json.loads(value), json.loads(raw)
    defaults: dict[str, Any] = {"target": None, "description": None, "metadata": {}, "outcome": "success"}
    assert same(come_out["data"], defaults | given_in["data"])
    target = come_out["data"]["target"]
    subject = {} if target is None else {"subject": target["id"]}
    assert same(come_out, {"datacontenttype": "application/json"} | subject | given_in | {"data": come_out["data"]})


@given(written(known()))
def test_an_event_without_surprises_ends_in_the_minimal_form(value: bytes) -> None:
    event, raw = admit(value)
    assert events.encode(event) == raw
    check_sound(event, raw)


@given(known(data=False), known())
def test_a_foreign_sdk_may_use_either_mode(attributes: dict[str, Any], whole: dict[str, Any]) -> None:
    data = whole["data"]
    expected = admit(json.dumps(attributes | {"data": data}).encode())
    sent = IndependentEvent(attributes | {"time": datetime.fromisoformat(attributes["time"])}, data)
    for message in (kafka.to_binary(sent, JSONFormat()), kafka.to_structured(sent, JSONFormat())):
        assert admit(message.value, list(message.headers.items())) == expected


@given(minimal())
@settings(max_examples=400)
def test_the_quick_way_is_no_laxer_than_the_strict_one(value: bytes) -> None:
    """Bytes that decoding and encoding again leave as they are, and that break every other rule now and then."""
    outcomes: list[tuple[events.CloudEvent, bytes] | str] = []
    for way in (admit, lambda text: normal_form(parse(text))):
        try:
            outcomes.append(way(value))
        except Refused as refusal:
            outcomes.append(str(refusal))
    assert outcomes[0] == outcomes[1]
    if not isinstance(outcomes[0], str):
        check_sound(*outcomes[0])


FRAGMENTS = st.sampled_from(
    [
        b"1e400",
        b"-0",
        b"-0.0",
        b"1e-400",
        b'"a":1,"a":2',
        b"\\ud800",
        b"\\u0000",
        b"\x7f",
        b"18446744073709551616",
        b"null",
    ]
)


@given(st.data())
def test_damaged_events_raise_nothing_but_a_refusal(data: st.DataObject) -> None:
    value = bytearray(data.draw(written(foreign()) | minimal()))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(value) - 1))
        value[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3) | FRAGMENTS)
    with suppress(Refused):
        check_sound(*admit(bytes(value)))


@given(st.dictionaries(anything, json_values) | json_values)
def test_arbitrary_json_raises_nothing_but_a_refusal(value: Any) -> None:
    with suppress(Refused):
        check_sound(*admit(json.dumps(value).encode()))


@given(
    st.binary(max_size=60),
    st.lists(
        st.tuples(st.sampled_from(["ce_specversion", "ce_id", "content-type", "ce_", "x"]), st.none() | st.binary())
    ),
)
def test_arbitrary_records_raise_nothing_but_a_refusal(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    with suppress(Refused):
        check_sound(*admit(value, headers))


@given(st.text("0123456789.eE+-", min_size=1, max_size=26))
def test_a_number_is_refused_or_survives(text: str) -> None:
    """Whatever is admitted is, printed again, the number that was written, as far as a double tells numbers apart."""
    with suppress(Refused):
        number = parse(text.encode())
        assert same(parse(msgspec.json.encode(number)), number)
        if isinstance(number, float):
            assert math.isfinite(number)
        else:
            assert str(number) == text or text == "-0"
