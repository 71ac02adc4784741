"""What holds for every format, whatever an event holds and whatever a receiver answers."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from auditcast.schemas.admission import admit
from auditcast.schemas.events import decode
from auditcast.schemas.formats import FORMATS, Format, rendering
from tests.bodies import joined, place
from tests.properties.test_admission import foreign, json_values, written

LINE_FORMATS = {"ndjson/1": 1, "splunk/1": 1, "elastic/1": 2}
"""Formats whose receivers read line by line, with the lines of one event; a test asks for every one."""

BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""Where one reader or another ends a line."""

AT = place(10**9, sequence=10**6, gap="1-2", previous_digest="5a" * 32)

events = written(foreign()).map(lambda value: admit(value)[1])


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """An event with lines that end wherever a text may stand."""
    members = json.loads(draw(events))
    text = draw(st.text(st.sampled_from(BREAKS + '"\\é') | st.characters(exclude_categories=["Cs"]), max_size=8))
    members["data"] |= {"description": text, "metadata": {text: [text, {text: text}]}}
    members["data"]["actor"]["name"] = f"Ada{text}"
    return admit(json.dumps(members, ensure_ascii=draw(st.booleans())).encode())[1]


@given(chosen=st.lists(events | broken(), min_size=1, max_size=3))
def test_any_events_make_a_body_that_keeps_its_promises(chosen: list[bytes]) -> None:
    for name in FORMATS:
        form = rendering(name, [])
        rendered = [form.render(decode(event), event) for event in chosen]
        body = form.join(rendered, AT)
        assert len(body) <= form.envelope_bytes + sum(len(each) + form.event_bytes for each in rendered), name
        body.decode()


@given(chosen=st.lists(broken(), min_size=1, max_size=3))
def test_an_event_has_its_own_lines_whatever_it_holds(chosen: list[bytes]) -> None:
    ids = [json.dumps(json.loads(event)["id"]) for event in chosen]
    for name, lines in LINE_FORMATS.items():
        read = [json.dumps(json.loads(line)) for line in joined(name, chosen, AT).splitlines()]
        assert len(read) == lines * len(chosen), name
        assert all(event in " ".join(read[lines * at : lines * (at + 1)]) for at, event in enumerate(ids)), name


def test_every_format_of_lines_is_among_them() -> None:
    found = set()
    for name in FORMATS:
        try:
            pieces = FORMATS[name].pieces(joined(name, [EVENT, EVENT]))
        except ValueError:
            continue
        if b"\n" in pieces.separator + pieces.tail:
            found.add(name)
    assert found == set(LINE_FORMATS)


EVENT = admit(
    b'{"specversion":"1.0","id":"a","source":"/s","type":"t","time":"2025-01-15T10:30:00.000Z","workspaceid":"w",'
    b'"data":{"actor":{"id":"u","type":"user"},"action":{"category":"lock","action":"created"}}}'
)[1]

answers = (
    st.binary(max_size=64)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(
        st.sampled_from(
            ["ingested", "failed", "failures", "errors", "items", "code", "text", "invalid-event-number", "status"]
        ),
        st.sampled_from([0, 1, 2, 3, -1, 2**70, 1e400, True, False, None, "0", [], [{}], {}])
        | st.lists(
            st.fixed_dictionaries({"create": st.fixed_dictionaries({"status": st.integers(-1, 600)})}), max_size=4
        )
        | json_values,
    ).map(lambda value: json.dumps(value).encode())
    | st.just(b"ok")
)
STATUSES = (200, 201, 202, 204, 207, 260, 302, 400, 401, 403, 404, 408, 409, 410, 413, 415, 429, 500, 503)
DEEP = b"[" * 100_000
STRANGE = (
    b"",
    b"ok\n",
    b"\xff\xfe",
    DEEP,
    b'{"code":' + DEEP,
    b'{"errors":' + DEEP,
    b'{"ingested":3,"failed":0,"a":' + DEEP,
)


def check_judgement(form: Format, status: int, answer: bytes) -> None:
    """Of three events none is spoken of twice, no other at all, and nothing of the answer breaks a terminal."""
    judgement = form.judge(status, answer, 3)
    if judgement is None:
        return
    spans = [*judgement.again, *judgement.never]
    assert all(0 <= first <= last < 3 for first, last in spans), form.name
    told = [position for first, last in spans for position in range(first, last + 1)]
    assert len(told) == len(set(told))
    assert judgement.detail.isprintable()
    assert len(judgement.detail) < 300


@settings(max_examples=300)
@given(status=st.sampled_from(STATUSES) | st.integers(), answer=answers)
def test_any_answer_can_be_judged(status: int, answer: bytes) -> None:
    for form in FORMATS.values():
        check_judgement(form, status, answer)


def test_no_answer_is_too_strange_to_be_judged() -> None:
    for form in FORMATS.values():
        for status in STATUSES:
            for answer in STRANGE:
                check_judgement(form, status, answer)
