"""The alert rules of deploy/prometheus ask only for what a worker tells."""

import re
from pathlib import Path

import pytest
import yaml

from extractor.telemetry.metrics import PAGE_RESULTS, POOL_EVENTS, QUEUE_STATES, STATUSES, Metrics

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yaml"
ALERTS = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}

WORDS = {
    "sum", "max", "count", "by", "on", "and", "or", "absent", "vector", "rate", "increase", "histogram_quantile",
}  # fmt: skip
"""The part of PromQL's functions and keywords that the rules use."""

OF_PROMETHEUS = {"instance", "job"}
"""Labels that Prometheus adds to every series."""

CLOSED = {"status": STATUSES, "state": QUEUE_STATES, "event": POOL_EVENTS, "result": PAGE_RESULTS}

TOKEN = re.compile(
    r"""(?P<matcher>\{[^{}]*\})|(?P<range>\[\d+[smhdw]\])|(?P<number>\d+(\.\d+)?)|(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)"""
    r"""|(?P<operator>==|!=|>=|<=|[-+*/<>])|(?P<mark>[(),])|(?P<space>\s+)"""
)
MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')


def series():
    """Every name of a series with its labels."""
    found = {}
    for one in Metrics().described:
        suffixes = ("_bucket", "_sum", "_count") if one.kind == "histogram" else ("",)
        for suffix in suffixes:
            found[one.name + suffix] = {
                *one.labels,
                *(("le",) if suffix == "_bucket" else ()),
            } | OF_PROMETHEUS
    return found


SERIES = series()


def tokens(expression):
    """(kind, text) of each token; what is none of PromQL as used here fails."""
    place, found = 0, []
    while place < len(expression):
        token = TOKEN.match(expression, place)
        assert token, expression[place : place + 20]
        found.append((token.lastgroup, token.group()))
        place = token.end()
    return [one for one in found if one[0] != "space"]


def selectors(expression):
    """(series, matchers) of each selector, and the labels that results are grouped by."""
    found, grouped = [], set()
    parts = tokens(expression)
    for index, (kind, text) in enumerate(parts):
        if kind == "matcher":
            assert parts[index - 1][1] in SERIES
        if kind != "name" or text in WORDS:
            continue
        if parts[index - 1][1] == "(" and parts[index - 2][1] in {"by", "on"}:
            grouped.add(text)
            continue
        matchers = (
            parts[index + 1][1] if index + 1 < len(parts) and parts[index + 1][0] == "matcher" else "{}"
        )
        found.append((text, MATCHER.findall(matchers)))
    return found, grouped


@pytest.mark.parametrize("name", ALERTS)
def test_an_expression_names_only_series_and_labels_that_exist(name):
    found, grouped = selectors(ALERTS[name]["expr"])

    assert found
    for metric, matchers in found:
        assert metric in SERIES
        assert {label for label, _, _ in matchers} <= SERIES[metric]
        assert grouped <= SERIES[metric]
        for label, operator, value in matchers:
            if operator in {"=", "!="} and label in CLOSED:
                assert value in CLOSED[label]


@pytest.mark.parametrize("name", ALERTS)
def test_counters_are_asked_for_their_rise_and_gauges_for_their_value(name):
    kinds = {one.name: one.kind for one in Metrics().described}
    for metric, in_rise in re.findall(
        r"(extractor_[a-z_]+)(?:\{[^}]*\})?(\[\d+[smhdw]\])?", ALERTS[name]["expr"]
    ):
        assert bool(in_rise) == (kinds.get(metric, "histogram") != "gauge")


@pytest.mark.parametrize("name", ALERTS)
def test_parentheses_and_arguments_of_an_expression_close(name):
    depth = 0
    for _, text in tokens(ALERTS[name]["expr"]):
        depth += {"(": 1, ")": -1}.get(text, 0)
        assert depth >= 0
    assert depth == 0


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_what_happened_and_what_to_do(name):
    rule = ALERTS[name]

    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"].endswith(".")
    assert len(rule["annotations"]["description"]) > 40


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_tells_only_labels_that_its_expression_keeps(name):
    _, grouped = selectors(ALERTS[name]["expr"])
    told = set(re.findall(r"\$labels\.([a-z_]+)", str(ALERTS[name]["annotations"])))

    assert told <= grouped


@pytest.mark.parametrize(
    "what", ["queue_oldest", "dead_letters", "ready", "ocr_confidence", "bugs", "leases_lost"]
)
def test_what_an_operator_must_know_has_an_alert(what):
    assert [name for name, rule in ALERTS.items() if f"extractor_{what}" in rule["expr"]]


def test_an_expression_that_asks_for_something_else_would_be_found():
    assert selectors('sum(extractor_typo_total{state="x"}[5m])'.replace('{state="x"}', ""))[0] == [
        ("extractor_typo_total", [])
    ]
    with pytest.raises(AssertionError):
        tokens("sum(up) % 2")
