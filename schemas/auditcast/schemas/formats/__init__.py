"""Payload formats, one file each; a version's bytes never change (golden files in tests/golden hold them)."""

from auditcast.schemas.formats import cloudevents
from auditcast.schemas.formats.base import Format

FORMATS: dict[str, Format] = {cloudevents.FORMAT.name: cloudevents.FORMAT}
"""Every format that a revision may name, as `name/version`."""

NEWEST = {"cloudevents": cloudevents.FORMAT.name}
"""What a person names, and the version that a new revision gets."""

__all__ = ["FORMATS", "NEWEST", "Format"]
