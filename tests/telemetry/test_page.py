"""docs/telemetry.md tells every metric, alert, log field and span attribute."""

import re
from pathlib import Path

import pytest
import yaml

from extractor.telemetry.logs import ID_FIELDS
from extractor.telemetry.metrics import Metrics
from extractor.telemetry.traces import STAGES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "telemetry.md").read_text()


def row(one):
    labels = ", ".join(f"`{label}`" for label in one.labels)
    return f"| `{one.name}` | {one.kind} | {labels} | {one.meaning} |"


@pytest.mark.parametrize("one", Metrics().described, ids=lambda one: one.name)
def test_every_metric_is_in_the_page_as_the_code_describes_it(one):
    assert row(one) in PAGE.splitlines()


def test_the_page_tells_no_metric_that_does_not_exist():
    known = {one.name for one in Metrics().described}
    told = set(re.findall(r"^\| `(extractor_[a-z_]+)`", PAGE, re.MULTILINE))

    assert told == known


def test_every_alert_is_in_the_page():
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())["groups"]

    for rule in (rule for group in groups for rule in group["rules"]):
        assert f"| `{rule['alert']}` | {rule['labels']['severity']} |" in PAGE


def test_every_id_of_a_log_line_and_every_stage_of_a_trace_is_in_the_page():
    assert [name for name in (*ID_FIELDS, *STAGES, "commit") if f"`{name}`" not in PAGE] == []


def test_settings_that_the_page_names_exist():
    defaults = yaml.safe_load((ROOT / "configs" / "default.yaml").read_text())

    for section, key in re.findall(r"`(telemetry|worker|lake)\.([a-z_]+)`", PAGE):
        assert key in defaults[section]
