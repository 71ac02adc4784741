"""Payload formats, one file each; a version's bytes never change (golden files in tests/golden hold them)."""

from collections.abc import Sequence
from functools import lru_cache

from auditcast.schemas import records
from auditcast.schemas.formats import (
    axiom,
    cloudevents,
    datadog,
    elastic,
    loki,
    ndjson,
    newrelic,
    ocsf,
    slack,
    splunk,
)
from auditcast.schemas.formats.base import TAKEN, Format, Judgement, Pieces, Place, Rendering, Span, chosen

_ALL: Sequence[Format] = (
    *cloudevents.FORMATS,
    *datadog.FORMATS,
    *axiom.FORMATS,
    *newrelic.FORMATS,
    *ndjson.FORMATS,
    *slack.FORMATS,
    *splunk.FORMATS,
    *elastic.FORMATS,
    *loki.FORMATS,
    *ocsf.FORMATS,
)

FORMATS: dict[str, Format] = {form.name: form for form in _ALL}
"""Every format that a revision may name, as `name/version`."""

NEWEST = {form.name.partition("/")[0]: form.name for form in _ALL}
"""What a person names, and the version that a new revision gets; of each format the newest stands last above."""


@lru_cache(maxsize=10_000)
def _rendering(name: str, options: tuple[records.Option, ...]) -> Rendering:
    form = FORMATS[name]
    return form.rendering(chosen(form.options, {option.name: option.value for option in options}))


def rendering(name: str, options: Sequence[records.Option]) -> Rendering:
    """The format `name` with `options` chosen; the same ones give the same object, so that renderings can be shared.

    Raises `KeyError` for an unknown format, `InvalidDestination` for options that it does not have.
    """
    return _rendering(name, tuple(options))


__all__ = ["FORMATS", "NEWEST", "TAKEN", "Format", "Judgement", "Pieces", "Place", "Rendering", "Span", "rendering"]
