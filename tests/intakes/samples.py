"""Events as a platform emits them."""

import json
import time
from typing import Any

from auditcast.schemas.admission import admit
from auditcast.schemas.attributes import time_text


def event(identity: str, *, age_s: int = 60, **data: Any) -> bytes:
    """One that happened `age_s` seconds ago; `data` are members of its data other than the usual ones."""
    members = {
        "specversion": "1.0",
        "id": identity,
        "source": "https://atmos-pro.com/workspaces/ws_1",
        "type": "pro.atmos.team_member.role_changed",
        "time": time_text(int((time.time() - age_s) * 1000)),
        "subject": "usr_2",
        "workspaceid": "ws_1",
        "data": {
            "actor": {"id": "usr_1", "type": "user", "email": "ada@example.com", "name": 'Zoë \u2028 "\\'},
            "action": {"category": "team_member", "action": "role_changed"},
            "target": {"type": "user", "id": "usr_2"},
            "description": "line\nbreak",
            "metadata": {"from": "viewer", "to": "admin"},
            "client": {"ip": "fe80::1%eth0", "user_agent": "curl/8"},
            **data,
        },
    }
    return admit(json.dumps(members).encode())[1]
