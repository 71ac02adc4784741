"""Single forgeries that the fixtures have not: each is found, and told as what it is."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from auditcast.console.verifying.claims import claim_in
from auditcast.schemas.chain import digest_of
from auditcast.schemas.manifests import HOUR_MS
from auditcast.schemas.records import Batch, Manifest
from tests.fixtures.received import make
from tests.received import BEGAN, PUBLIC_KEY, SIGNER, Delivery, Sender, chain_headers, event, signed
from tests.unit.console.test_verify import found, written

KEY = ("--public-key", PUBLIC_KEY)
UNTOLD = {"complete", "proved", "repeated", "late", "joined"}


@pytest.fixture
def sender() -> Sender:
    return Sender()


def faults(path: Path, *told: Delivery | str, secrets: str = make.SECRET) -> list[dict[str, Any]]:
    """What is wrong with what was kept, stream and numbers of events left out."""
    _, findings = found(*KEY, written(path / "told.jsonl", *told), secrets=secrets)
    left_out = {"stream", "first_event", "last_event"}
    return [
        {name: value for name, value in each.items() if name not in left_out}
        for each in findings
        if each["kind"] not in UNTOLD
    ]


def manifest_line(manifest: Manifest) -> str:
    return msgspec.json.encode(manifest).decode()


def lines_of(batch: Batch) -> list[str]:
    return [bytes(each).decode() for each in msgspec.json.decode(batch.body, type=list[msgspec.Raw])]


def test_a_changed_part_without_a_secret_to_tell(sender: Sender, tmp_path: Path) -> None:
    batch = sender.batch(4)
    told = [sender.part(batch, 1, 2), sender.part(batch, 3, 4)]
    changed = told[1].but(told[1].body.replace(b"viewer", b"vIewer", 1))
    assert faults(tmp_path, told[0], changed, secrets="") == [{"kind": "altered", "sequence": 1}]
    whole = sender.deliver(batch)
    contradiction = [{"kind": "contradiction", "sequence": 1}]
    assert faults(tmp_path, whole, changed, secrets="") == contradiction
    assert faults(tmp_path, changed, whole, secrets="") == contradiction
    assert faults(tmp_path, changed, *told, secrets="") == contradiction
    assert faults(tmp_path, *told, changed, secrets="") == contradiction
    assert faults(tmp_path, changed, told[0], sender.part(batch, 3, 4), secrets="") == contradiction


def test_parts_of_another_batch_in_its_place(sender: Sender, tmp_path: Path) -> None:
    one, other = sender.batch(4), Sender(now=BEGAN + 5).batch(4)
    assert faults(tmp_path, sender.part(one, 1, 2), sender.part(other, 3, 4), sender.part(one, 3, 4)) == [
        {"kind": "contradiction", "sequence": 1}
    ]
    assert faults(tmp_path, sender.part(other, 1, 2), sender.deliver(one)) == [{"kind": "contradiction", "sequence": 1}]


def test_a_part_that_lies_outside_of_its_batch(sender: Sender) -> None:
    headers = {name.lower(): value for name, value in sender.part(sender.batch(4), 2, 3).headers.items()}
    assert claim_in(headers) is not None
    for numbers in ("0-3", "2-5", "3-2", "02-3"):
        part = headers["x-audit-part"].replace("2-3", numbers)
        assert claim_in(headers | {"x-audit-part": part}) is None


def test_numbers_that_leave_a_hole_between_batches_that_follow_each_other(tmp_path: Path) -> None:
    sender = Sender(form="cloudevents/1")  # whose events say nothing of their place
    first, second = sender.batch(2), sender.batch(2)
    shifted = replace(second, first_event=4, last_event=5)
    shifted = replace(shifted, digest=digest_of(shifted))
    told = sender.deliver(shifted)
    assert faults(tmp_path, sender.deliver(first), told) == [{"kind": "broken", "sequence": 2}]


def test_a_manifest_that_was_edited_where_its_signature_does_not_reach(sender: Sender, tmp_path: Path) -> None:
    told = sender.deliver(sender.batch(2))
    manifest = sender.manifest(1)
    until = BEGAN + HOUR_MS
    for edited in (replace(manifest, digest="5a" * 32), replace(manifest, destination="dst_b")):
        assert faults(tmp_path, told, manifest_line(manifest), manifest_line(edited)) == [
            {"kind": "manifest-forged", "until": until}
        ]


def test_manifests_and_batches_after_the_end(sender: Sender, tmp_path: Path) -> None:
    told = [sender.deliver(sender.batch(2))]
    last = sender.manifest(1, final=True)
    told.append(sender.deliver(sender.batch(2)))
    assert faults(tmp_path, *told, manifest_line(last)) == [
        {"kind": "unlike-manifest", "sequence": 2, "until": last.until},
        {"kind": "ended", "last": 1, "until": last.until},
    ]
    after = sender.manifest(2)
    kinds = [each["kind"] for each in faults(tmp_path, *told, manifest_line(last), manifest_line(after))]
    assert "manifest-contradiction" in kinds


def test_a_first_batch_of_an_hour_that_follows_another_one(tmp_path: Path) -> None:
    sender = Sender(form="cloudevents/1")  # whose events say nothing of their place
    sender.batch(2)
    first = sender.manifest(1)
    second, third = sender.batch(2), sender.batch(2)
    last = sender.manifest(2)
    wrong = replace(second, previous_digest="5a" * 32)
    wrong = replace(wrong, digest=digest_of(wrong))
    told = [sender.deliver(wrong), manifest_line(first), manifest_line(last)]
    del third
    assert {"kind": "unlike-manifest", "sequence": 2, "until": last.until} in faults(tmp_path, *told)


def test_manifests_that_do_not_continue_each_other(sender: Sender, tmp_path: Path) -> None:
    told = [sender.deliver(sender.batch(2)) for _ in range(2)]
    first, second = sender.manifest(1), sender.manifest(2)
    for wrong in (
        replace(second, since=second.since + 1),
        replace(second, first_sequence=2, last_sequence=2),
        replace(second, opening_digest="5a" * 32),
    ):
        forked = signed(wrong, SIGNER)
        assert {"kind": "manifest-contradiction", "until": forked.until} in faults(
            tmp_path, *told, manifest_line(first), manifest_line(forked)
        )


def test_the_altered_batch_of_events_is_blamed_and_not_its_neighbours(sender: Sender, tmp_path: Path) -> None:
    batches = [sender.batch(2) for _ in range(5)]
    manifest = manifest_line(sender.manifest(1))
    events = [line for batch in batches for line in lines_of(batch)]
    lied = [line.replace(batches[1].digest, "5a" * 32) for line in events]
    assert lied != events
    assert sorted(faults(tmp_path, *lied, manifest), key=str) == [
        {"kind": "altered", "sequence": 3},
        {"kind": "unattested", "first": 1, "last": 1},
        {"kind": "unsealed", "sequence": 2},
    ]


def test_a_genuine_event_beside_a_forged_one_still_seals_its_batch(sender: Sender, tmp_path: Path) -> None:
    events = [line for batch in (sender.batch(2), sender.batch(2)) for line in lines_of(batch)]
    manifest = manifest_line(sender.manifest(1))
    forged = events[1].replace("viewer", "vIewer")
    first, second, *rest = events
    for lines in ([forged, *events], [*events, forged], [first, forged, second, *rest], [first, second, forged, *rest]):
        assert faults(tmp_path, *lines, manifest) == [{"kind": "contradiction", "sequence": 1}]


def test_events_that_say_different_things_of_their_batch(sender: Sender, tmp_path: Path) -> None:
    events = lines_of(sender.batch(2))
    later = events[1].replace(str(sender.batches[0].opened), "1")
    assert later != events[1]
    assert {"kind": "contradiction", "sequence": 1} in faults(tmp_path, events[0], later)


def test_an_event_with_a_number_beyond_the_last_one(sender: Sender, tmp_path: Path) -> None:
    events = lines_of(sender.batch(2))
    manifest = manifest_line(sender.manifest(1))
    beyond = events[1].replace(f"{2:020d}", f"{9:020d}")
    for lines in ([events[0], beyond], [*events, beyond]):
        assert faults(tmp_path, *lines, manifest) == [{"kind": "altered", "sequence": 1}]


def test_events_of_several_batches_in_one_array(sender: Sender, tmp_path: Path) -> None:
    events = [line for batch in [sender.batch(2) for _ in range(3)] for line in lines_of(batch)]
    manifest = manifest_line(sender.manifest(1))
    assert faults(tmp_path, f"[{','.join(events)}]", manifest) == []
    assert faults(tmp_path, f"[{', '.join(events[:-1])}]", manifest) == [
        {"kind": "incomplete", "sequence": 3},
        {"kind": "unattested", "first": 1, "last": 2},
    ]


def test_lines_with_other_ends_of_lines_in_them(tmp_path: Path) -> None:
    sender = Sender(form="ndjson/1")
    bodies = [sender.batch([event(1, description="\u2028é\u0085\u2029")]).body, sender.batch(1).body]
    manifest = manifest_line(sender.manifest(1))
    written_anew = [json.dumps(json.loads(body), ensure_ascii=False) for body in bodies]
    assert faults(tmp_path, *written_anew, manifest) == []


def test_bytes_that_are_no_text_are_kept_as_base64(sender: Sender, tmp_path: Path) -> None:
    told = sender.deliver(sender.batch(2))
    line = json.dumps({"headers": told.headers, "body_base64": base64.b64encode(told.body + b"\xff").decode()})
    assert faults(tmp_path, line) == [{"kind": "altered", "sequence": 1}]
    assert chain_headers(sender.batches[0]).items() <= told.headers.items()
