"""What the arguments of `emit` are checked against by msgspec, in C, before they are written.

They are written as `events.Data` is, member for member; only that what is absent there may be None here.
"""

import sys
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from auditcast.producers.parties import Actor, Target
from auditcast.schemas.events import Action, Address, Description, UserAgent

_Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
_Scalar = str | _Integer | _Finite | bool | None
# Deeper than most metadata; msgspec knows no type that holds itself, so what is deeper still goes the slower way.
_Plain1 = _Scalar | list[_Scalar] | dict[str, _Scalar]
_Plain2 = _Scalar | list[_Plain1] | dict[str, _Plain1]
_Plain3 = _Scalar | list[_Plain2] | dict[str, _Plain2]


# None of these can be part of a circle, so the garbage collector need not look at them.
class _CheckedActor(Actor, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class _CheckedTarget(Target, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class _Client(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    ip: Address | None = None
    user_agent: UserAgent | None = None


class AnyData(Struct, frozen=True, kw_only=True, gc=False):
    """The data of an event, with the metadata unseen."""

    actor: _CheckedActor
    action: Action
    target: _CheckedTarget | None
    description: Description | None
    metadata: Any
    outcome: Literal["success", "failure"]
    client: _Client | UnsetType = UNSET


class PlainData(Struct, frozen=True, kw_only=True, gc=False):
    """The same with metadata of the usual kind: JSON, finite numbers of at most 64 bits, and not very deep."""

    actor: _CheckedActor
    action: Action
    target: _CheckedTarget | None
    description: Description | None
    metadata: dict[str, _Plain3]
    outcome: Literal["success", "failure"]
    client: _Client | UnsetType = UNSET
