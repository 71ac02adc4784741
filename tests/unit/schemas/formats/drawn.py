"""Events as any emitter may write them, with what receivers' schemas are particular about."""

import msgspec
from hypothesis import strategies as st

from auditcast.schemas.admission import admit
from auditcast.schemas.errors import Refused
from auditcast.schemas.events import Action, Actor, Client, CloudEvent, Data, Target, encode

_UNSET = st.just(msgspec.UNSET)
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
_NAMES = _TEXT | st.sampled_from(['"', "\\", "\u2028", "a=b", "a.b", "é" * 256, "user", "policy", "service"])
_EMAILS = _NAMES | st.sampled_from(["a@example.com", "a,b@example.com", "a@localhost", "ä@example.com"])
_ADDRESSES = st.sampled_from(
    ["::1", "10.0.0.1", "fe80::1%eth0", "no address", "1.2.3.4, 5.6.7.8", "010.0.0.1", "٣.1.1.1", "::ffff:10.0.0.1"]
)
_SOURCES = _NAMES | st.sampled_from(["https://atmos-pro.com/workspaces/ws_1", "https://[", "//"])
_CATEGORIES = ["auth", "billing", "permission", "schedule", "team_member", "workspace", "lock"]
_ACTIONS = ["invited", "removed", "role_changed", "assigned", "oidc_token_exchange_failure", "logout", "created"]
_TIMES = ["2025-01-15T10:30:00.123Z", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"]
_METADATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_TARGETS = st.none() | st.builds(Target, type=_NAMES, id=_NAMES, name=_NAMES | _UNSET)


@st.composite
def _events(draw: st.DrawFn) -> bytes:
    target = draw(_TARGETS)
    return encode(
        CloudEvent(
            specversion="1.0",
            id=draw(_NAMES),
            source=draw(_SOURCES),
            type=draw(_NAMES),
            time=draw(st.sampled_from(_TIMES)),
            subject=msgspec.UNSET if target is None else target.id,
            datacontenttype="application/json",
            data=Data(
                actor=Actor(
                    id=draw(_NAMES), type=draw(_NAMES), email=draw(_EMAILS | _UNSET), name=draw(_NAMES | _UNSET)
                ),
                action=Action(
                    category=draw(_NAMES | st.sampled_from(_CATEGORIES)),
                    action=draw(_NAMES | st.sampled_from(_ACTIONS)),
                ),
                target=target,
                description=draw(st.none() | st.text(min_size=1, max_size=9)),
                metadata=draw(
                    st.dictionaries(st.text(max_size=3) | st.sampled_from(["role", "to"]), _METADATA, max_size=3)
                ),
                outcome=draw(st.sampled_from(["success", "failure"])),
                client=draw(_UNSET | st.builds(Client, ip=_UNSET | _ADDRESSES, user_agent=_UNSET | _NAMES)),
            ),
            workspaceid=draw(_NAMES),
            organizationid=draw(_NAMES | _UNSET),
        )
    )


def _admitted(value: bytes) -> bytes | None:
    try:
        return admit(value)[1]
    except Refused:
        return None


events: st.SearchStrategy[bytes] = _events().map(_admitted).filter(bool)  # type: ignore[assignment]  # no None is left
