"""docs/metrics.md lists every metric of every worker, with its type and labels, and asks for no other."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from auditcast.deliverers.alerts.metrics import Metrics as Alerts
from auditcast.deliverers.metrics import Metrics as Deliverer
from auditcast.processors.metrics import Metrics as Processor

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
ROW = re.compile(r"^\| `(auditcast_\w+)` \| (\w+) \|([^|]*)\|.*\|$", re.MULTILINE)


def processor() -> CollectorRegistry:
    metrics = Processor()
    metrics.measured(windows=0, in_flight=0, unread={0: 0})
    return metrics.registry


REGISTRIES = {
    "Processors": processor(),
    "Deliverers": Deliverer().registry,
    "Alert emails": Alerts().registry,
}


def shown(registry: CollectorRegistry) -> dict[str, tuple[str, dict[str, set[str]]]]:
    """Type and labels, with their values, of each metric."""
    found = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        assert family.documentation.endswith(".")
        labels: dict[str, set[str]] = {}
        for sample in family.samples:
            for label in sample.labels.keys() - {"le"}:
                labels.setdefault(label, set()).add(sample.labels[label])
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if not name.endswith("_created"):
            found[name] = (family.type, labels)
    return found


@pytest.mark.parametrize("heading", REGISTRIES)
def test_the_table_is_complete(heading: str) -> None:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    metrics = shown(REGISTRIES[heading])
    rows = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(section)}
    assert rows == {name: (kind, set(labels)) for name, (kind, labels) in metrics.items()}


def test_the_values_of_labels_are_explained() -> None:
    for registry in REGISTRIES.values():
        for name, (_, labels) in shown(registry).items():
            for label in labels.keys() - {"partition", "status"}:
                if name == "auditcast_deliverer_dead_letters_total":
                    continue  # as the commands list them
                values = labels[label] - {f"retry-{tier}" for tier in (2, 3, 4)}
                row = next(row for row in PAGE.splitlines() if row.startswith(f"| `{name}`"))
                assert values <= set(re.findall(r"`([\w-]+)`", row)), name


def test_what_the_alerts_ask_for_exists() -> None:
    known = {name: labels for registry in REGISTRIES.values() for name, (_, labels) in shown(registry).items()}
    section = PAGE[PAGE.index("## What to alert on") :]
    asked = re.findall(r"(auditcast_\w+?)(?:_bucket)?\b(?:\{(\w+)=~?\"([^\"]+)\"\})?", section)
    assert len(asked) > 10
    for name, label, values in asked:
        assert name in known
        assert not label or set(values.split("\\|")) <= known[name][label]
