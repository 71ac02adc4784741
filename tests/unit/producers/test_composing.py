"""Whatever is given to `emit`: a sentence, or bytes that the processor joins into a batch as they are."""

import enum
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditcast.producers import Actor, EventTooLarge, InvalidEvent, Target, UnknownAction
from auditcast.producers.composing import Composer
from auditcast.schemas.admission import admit, minimal
from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.events import MAX_EVENT_BYTES, UNSET, decode

NOW = 1_736_937_000_000
FRESH = "aud_01946a0c8a407000800000000000000a"
USUAL = {"workspace": "ws_1", "category": "workspace", "action": "created", "actor": {"id": "usr_1", "type": "user"}}

composer = Composer(base_url="https://atmos-pro.com", type_prefix="pro.atmos", catalogue=Catalogue.builtin())


class Colour(enum.StrEnum):
    RED = "red"


class OldColour(str, enum.Enum):  # noqa: UP042  (what services of before Python 3.11 have)
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()


def compose(**fields: Any) -> bytes:
    return composer.compose(**USUAL | fields, now=NOW, fresh_id=FRESH)[1]


def nested(levels: int, kind: type = dict) -> Any:
    """Metadata in which objects (or arrays) nest `levels` deep."""
    value: Any = {} if kind is dict else []
    for _ in range(levels - 2):
        value = {"a": value} if kind is dict else [value]
    return {"a": value}


strange = st.sampled_from([Colour.RED, OldColour.RED, Level.HIGH, Text("x"), UNSET, object()])
odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=3), st.datetimes(), st.uuids(),
    st.decimals(), st.fractions(), st.complex_numbers(), strange,
)  # fmt: skip
# Lone surrogates and control characters included.
texts = st.text(st.characters(codec=None, categories=None), max_size=20)
things = st.recursive(
    odd | texts,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.frozensets(st.integers(), max_size=2),
        st.dictionaries(st.one_of(texts, st.integers(), st.none(), st.just(Colour.RED)), inner, max_size=3),
    ),
    max_leaves=8,
)
parties = st.fixed_dictionaries(
    {"id": texts | odd, "type": texts | odd}, optional={"name": texts | odd, "email": texts, "mail": texts}
)
actors = st.builds(Actor, id=texts | odd, type=texts, email=texts | odd)
times = st.one_of(st.none(), st.integers(), texts, st.datetimes(timezones=st.just(UTC) | st.none()), st.floats())
anything = st.fixed_dictionaries(
    {},
    optional={
        "workspace": texts | odd,
        "category": st.just("billing") | texts | odd,
        "action": texts | odd,
        "actor": parties | actors | things,
        "target": parties | things,
        "organization": texts | odd,
        "description": texts | odd,
        "outcome": st.sampled_from(["success", "failure", "maybe", None, 1]),
        "metadata": st.dictionaries(texts, things, max_size=4) | things,
        "ip": texts | odd,
        "user_agent": texts | odd,
        "occurred_at": times,
        "id": texts | odd,
    },
)  # fmt: skip


@given(anything)
@settings(max_examples=400)
def test_anything_is_refused_or_taken_by_the_hot_path(fields: dict[str, Any]) -> None:
    try:
        raw = compose(**fields)
    except (InvalidEvent, EventTooLarge):
        return
    assert minimal(raw) is not None
    assert admit(raw)[1] == raw


finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_metadata_of_json_is_taken_and_kept(metadata: dict[str, Any]) -> None:
    raw = compose(metadata=metadata)
    assert decode(raw).data.metadata == metadata
    assert minimal(raw) is not None


def test_every_part_arrives_where_it_belongs() -> None:
    event = decode(
        compose(
            target=Target(type="repo", id="r_1", name="infra"),
            actor=Actor(id="usr_1", type="user", email="ann@example.com"),
            organization="org_1",
            description="Did it",
            outcome="failure",
            metadata={"a": (1, Level.HIGH), "price": Decimal("10.10")},
            ip="203.0.113.9",
            user_agent="curl/8",
            occurred_at=datetime(2025, 1, 15, 12, 30, 0, 1_999, tzinfo=timezone(timedelta(hours=2))),
            id="own-1",
        )
    )
    assert (event.id, event.source, event.type) == (
        "own-1",
        "https://atmos-pro.com/workspaces/ws_1",
        "pro.atmos.workspace.created",
    )
    assert (event.time, event.subject, event.workspaceid, event.organizationid) == (
        "2025-01-15T10:30:00.001Z", "r_1", "ws_1", "org_1",
    )  # fmt: skip
    assert (event.data.actor.email, event.data.actor.name) == ("ann@example.com", UNSET)
    assert event.data.target is not None
    assert event.data.target.name == "infra"
    assert (event.data.description, event.data.outcome, event.data.metadata) == (
        "Did it",
        "failure",
        {"a": [1, 3], "price": 10.1},
    )
    assert event.data.client is not UNSET
    assert (event.data.client.ip, event.data.client.user_agent) == ("203.0.113.9", "curl/8")


def test_what_is_not_said_is_left_out_or_now() -> None:
    event = decode(compose())
    assert (event.id, event.time) == (FRESH, "2025-01-15T10:30:00.000Z")
    assert (event.subject, event.organizationid, event.data.client) == (UNSET, UNSET, UNSET)
    assert (event.data.target, event.data.description, event.data.outcome) == (None, None, "success")


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"workspace": ""}, "workspace", "must not be empty"),
        ({"workspace": 5}, "workspace", "must be text, not int"),
        ({"workspace": ["ws"]}, "workspace", "must be text, not list"),
        ({"organization": 5}, "organization", "must be text, not int"),
        ({"id": "a\nb"}, "id", "control character"),
        ({"actor": None}, "actor", "must be a dict"),
        ({"actor": {"id": "x"}}, "actor", "missing required field `type`"),
        ({"actor": {"id": "x", "type": "user", "mail": "y"}}, "actor", "unknown field `mail`"),
        ({"actor": Actor(id="", type="user")}, "actor.id", "must not be empty"),
        ({"target": {"type": "t", "id": "i" * 257}}, "target.id", "at most 256 characters"),
        ({"target": {"type": "t", "id": "a\x00"}}, "target.id", "control character"),
        ({"outcome": "maybe"}, "outcome", '"success" or "failure"'),
        ({"description": "\ud800"}, "description", "lone surrogate"),
        ({"ip": "1"}, "ip", "at least 2 characters"),
        ({"metadata": [1]}, "metadata", "must be a dict, not list"),
        ({"metadata": {"a": {"b": [1, math.nan]}}}, "metadata.a.b[1]", "no JSON number"),
        ({"metadata": {"a": 2**64}}, "metadata.a", "more than 64 bits"),
        ({"metadata": {"a": datetime(2025, 1, 1, tzinfo=UTC)}}, "metadata.a", "datetime is no JSON"),
        ({"metadata": {"a": Decimal("0.12345678901234567890")}}, "metadata.a", "more than a JSON number can hold"),
        ({"metadata": {"a": Decimal("NaN")}}, "metadata.a", "more than a JSON number can hold"),
        ({"metadata": {"a": {1}}}, "metadata.a", "set is no JSON"),
        ({"metadata": {"a": UUID(int=1)}}, "metadata.a", "UUID is no JSON"),
        ({"metadata": {"a": {1: 2}}}, "metadata.a", "a key must be text, not 1"),
        ({"metadata": {"a": {"\ud800": 2}}}, "metadata.a", "lone surrogate"),
        ({"metadata": {"a": ["\ud800"]}}, "metadata.a[0]", "lone surrogate"),
        ({"metadata": nested(31)}, "metadata", "nests more than 30 deep"),
        ({"metadata": nested(31, list)}, "metadata", "nests more than 30 deep"),
        ({"occurred_at": datetime(2025, 1, 1)}, "occurred_at", "with a time zone"),  # noqa: DTZ001  (that is the point)
        ({"occurred_at": 1.5}, "occurred_at", "milliseconds"),
        ({"occurred_at": 10**18}, "occurred_at", "outside the years"),
        ({"occurred_at": "yesterday"}, "occurred_at", "RFC 3339"),
    ],
)  # fmt: skip
def test_refusals_name_the_argument_and_what_is_allowed(fields: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        compose(**fields)
    assert refused.value.field == field
    assert said in str(refused.value)


def test_a_circle_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["a"] = circle
    with pytest.raises(InvalidEvent, match="nests more than 30 deep"):
        compose(metadata=circle)


@pytest.mark.parametrize("kind", [dict, list])
def test_the_deepest_metadata_allowed_is_taken(kind: type) -> None:
    assert minimal(compose(metadata=nested(30, kind))) is not None


def test_an_unknown_action_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownAction, match="did you mean created"):
        compose(action="creatd")


def test_the_size_limit_is_exact() -> None:
    spare = MAX_EVENT_BYTES - len(compose(metadata={"a": ""}))
    assert len(compose(metadata={"a": "x" * spare})) == MAX_EVENT_BYTES
    with pytest.raises(EventTooLarge):
        compose(metadata={"a": "x" * (spare + 1)})


@pytest.mark.parametrize("colour", [Colour.RED, OldColour.RED])
def test_members_of_enumerations_are_their_text(colour: str) -> None:
    event = decode(compose(workspace=colour, organization=colour, id=colour, metadata={"a": colour}))
    assert (event.workspaceid, event.organizationid, event.id, event.data.metadata["a"]) == ("red",) * 4
    assert event.source == "https://atmos-pro.com/workspaces/red"
