"""Digests that Slack's own SDK finds valid, and that nothing in an event can turn into something else."""

import json
from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from auditcast.schemas.admission import admit
from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.events import MAX_EVENT_BYTES
from auditcast.schemas.formats import FORMATS, TAKEN
from auditcast.schemas.formats.base import Place, chosen
from tests.bodies import joined, place
from tests.unit.schemas.test_formats import EVENTS, GOLDEN_PLACE

SLACK = FORMATS["slack/1"]
MENTIONS = "<!channel> <@U012AB3CD> <!here|here> <#C123|x> <http://evil.example|ok> & &lt;!channel&gt;"


def event(outcome: str = "success", **data: Any) -> bytes:
    members = json.loads(EVENTS[0])
    members["data"] |= {"outcome": outcome} | data
    return admit(json.dumps(members, ensure_ascii=False).encode())[1]


def message(events: list[bytes], at: Place | int = 1) -> dict[str, Any]:
    """A digest, which Slack's SDK has found valid."""
    read: dict[str, Any] = json.loads(joined("slack/1", events, at))
    blocks = read["blocks"]
    assert len(blocks) <= 50
    for block in blocks:
        known = Block.parse(block)
        assert known is not None
        known.validate_json()
        assert known.to_dict() == block
    return read


def lines(read: dict[str, Any]) -> list[str]:
    return [
        line for block in read["blocks"] if block["type"] == "section" for line in block["text"]["text"].split("\n")
    ]


def test_a_person_reads_who_did_what_to_what_and_where_the_digest_stands() -> None:
    read = message(EVENTS, GOLDEN_PLACE)
    assert read["text"] == "Audit log: 5 events, 2 failed"
    assert lines(read)[:2] == [
        "2025-01-15 10:30:00  *failed*  `a@example.com (Ä)`  `workspace.created`  `workspace ws_2 (Two)`  in `ws_1`"
        "  line break",
        "2025-01-15 10:30:00  `u`  `lock.created`  in `ws_1`",
    ]
    assert [element["text"] for element in read["blocks"][-1]["elements"]] == [
        "events 99 to 103, batch 7 of dst_1-3-00ff00ff00ff00ff",
        "*nothing was collected* from 2025-01-15 10:13:20 to 2025-01-15 10:30:00",
        "times are in UTC",
    ]


def test_what_stands_in_no_chain_has_no_place() -> None:
    read = message([event()], place(0, sequence=0))
    assert [element["text"] for element in read["blocks"][-1]["elements"]] == ["times are in UTC"]
    assert read["text"] == "Audit log: 1 event"


@pytest.mark.parametrize(
    "text", [MENTIONS, "`", "a` <!channel> `b", "\n*failed*", "\u202eadmin", "\x00", " ", "``", ">"]
)
def test_no_event_can_mention_link_forge_a_line_or_hide(text: str) -> None:
    hostile = event(
        actor={"id": text, "type": "user", "name": text, "email": text},
        action={"category": text, "action": text},
        target={"type": text, "id": text, "name": text},
        description=text,
    )
    read = message([hostile, event()])
    [line, _] = lines(read)
    assert not set(line) & set("<>")
    assert line.isprintable()
    assert line.count("`") == 8
    assert line.startswith("2025-01-15 10:30:00  `")
    assert read["blocks"][1]["text"]["verbatim"]


def test_a_chosen_name_never_hides_what_an_actor_is_known_by() -> None:
    [line] = lines(message([event(actor={"id": "usr_evil", "type": "user", "name": "admin" * 200})]))
    assert "`usr_evil (admin" in line


@pytest.mark.parametrize("text", ["a", "&" * 1000, "é" * 1000, "\U0001f600" * 1000])
def test_a_digest_stays_within_what_slack_takes_and_counts_the_rest(text: str) -> None:
    large = event("failure", actor={"id": text[:200], "type": "user", "email": text}, description=text)
    read = message([large] * 100, GOLDEN_PLACE)
    shown = lines(read)
    texts = [block["text"]["text"] for block in read["blocks"] if block["type"] == "section"]
    assert max(len(each.encode("utf-16-le")) // 2 for each in texts) <= 3_000
    assert sum(len(json.dumps(block, ensure_ascii=False).encode("utf-16-le")) // 2 for block in read["blocks"]) < 10_000
    *whole, last = shown
    assert last == f"… and {100 - len(whole)} more events, {100 - len(whole)} failed"
    assert read["text"] == "Audit log: 100 events, 100 failed"


def test_the_largest_event_is_a_line_like_any_other() -> None:
    raw = event(metadata={"text": "a" * 200_000}, description="b" * 16_000)
    assert len(raw) > 0.75 * MAX_EVENT_BYTES
    assert len(joined("slack/1", [raw])) < 2_000


def test_success_is_the_word_ok() -> None:
    assert SLACK.judge(200, b"ok", 3) == TAKEN
    for status, answer in ((200, b""), (200, b'{"ok":false}'), (200, b"<html>ok</html>"), (202, b"ok"), (302, b"ok")):
        assert SLACK.judge(status, answer, 3) is None


@pytest.mark.parametrize("said", ["invalid_payload", "invalid_blocks", "no_text"])
def test_what_slack_cannot_read_is_not_sent_again(said: str) -> None:
    judgement = SLACK.judge(400, said.encode(), 3)
    assert judgement is not None
    assert (judgement.again, judgement.never) == ((), ((0, 2),))
    assert said in judgement.detail


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "invalid_token"),
        (403, "action_prohibited"),
        (404, "no_service"),
        (404, "channel_not_found"),
        (410, "channel_is_archived"),
        (400, "user_not_found"),
        (400, "invalid_payload" * 2),
        (429, "rate_limited"),
        (500, "rollup_error"),
    ],
)
def test_what_people_can_mend_is_for_the_status_to_say(status: int, said: str) -> None:
    assert SLACK.judge(status, said.encode(), 3) is None


def test_a_title_cannot_mention_anybody() -> None:
    assert chosen(SLACK.options, {"title": "Prüfprotokoll"})
    for title in ("<!channel>", "a\nb", "", "a" * 81, "\ud800"):
        with pytest.raises(InvalidDestination, match="title"):
            chosen(SLACK.options, {"title": title})
