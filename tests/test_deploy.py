"""What is in deploy/: it says only names that are exposed, parses, and holds to rules that are stated here.

No container engine is used, and no Prometheus; promtool is asked where it is installed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from ruamel.yaml import YAML

from lockgate.telemetry.metrics import Metrics
from lockgate.telemetry.names import INSTRUMENTS
from lockgate_proxy.admin import listening, make_admin
from lockgate_proxy.effective import PREFIX
from lockgate_proxy.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"

BY_NAME = {instrument.prometheus: instrument for instrument in INSTRUMENTS}
OF_SCRAPES = {"instance", "job"}
"""Labels that Prometheus itself adds."""


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


@cache
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "lockgate.json").read_text(encoding="utf-8"))
    return found


def alerts() -> list[dict[str, Any]]:
    return [rule for group in read(ALERTS)["groups"] for rule in group["rules"]]


def dashboard_queries() -> Iterator[str]:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for name, value in (("$__rate_interval", "5m"), ("$__range", "3h"), ("$instance", ".*")):
                query = query.replace(name, value)
            yield query


QUERIES = [*dashboard_queries(), *(rule["expr"] for rule in alerts())]


def nodes(query: str) -> list[Any]:
    """The parts of a query, by Prometheus's grammar. Raises ValueError for one that does not parse."""
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(query), found.append)
    return found


def labels_of(metric: str) -> set[str]:
    """The labels of a series by its name. Raises KeyError for one that is not exposed."""
    name = metric
    histogram = re.fullmatch(r"(.+)_(bucket|sum|count)", metric)
    if histogram is not None and histogram[1] in BY_NAME and BY_NAME[histogram[1]].kind == "histogram":
        name = histogram[1]
    elif BY_NAME[metric].kind == "histogram":
        raise KeyError(metric)
    found = {label.replace(".", "_") for label in BY_NAME[name].labels} | OF_SCRAPES
    return found | {"le"} if metric.endswith("_bucket") else found


class TestQueries:
    @pytest.mark.parametrize("query", QUERIES)
    def test_a_query_says_only_what_is_exposed(self, query: str) -> None:
        parts = nodes(query)
        selectors = [part for part in parts if isinstance(part, promql_parser.VectorSelector)]
        assert selectors
        known: set[str] = set()
        for selector in selectors:
            assert selector.name is not None
            if selector.name == "up":
                known |= OF_SCRAPES
                continue
            mine = labels_of(selector.name)
            assert {matcher.name for matcher in selector.matchers.matchers} <= mine
            known |= mine
        for part in parts:
            if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
                assert set(part.modifier.labels) <= known
                assert "le" in part.modifier.labels or "_bucket" not in str(part)

    @pytest.mark.parametrize("query", QUERIES)
    def test_a_counter_is_never_shown_as_it_stands(self, query: str) -> None:
        for part in nodes(query):
            name = part.name or "" if isinstance(part, promql_parser.VectorSelector) else ""
            if re.search(r"_(total|bucket|sum|count)$", name):
                assert re.search(rf"(rate|increase)\(\s*{name}", query)

    def test_what_is_not_exposed_is_seen(self) -> None:
        for query in ("rate(lockgate_nothing_total[5m])", "lockgate_station_duration_seconds"):
            with pytest.raises(KeyError):
                TestQueries().test_a_query_says_only_what_is_exposed(query)
        with pytest.raises(AssertionError):
            TestQueries().test_a_query_says_only_what_is_exposed("sum by (rule) (rate(lockgate_verdicts_total[5m]))")
        with pytest.raises(ValueError, match="unclosed left parenthesis"):
            nodes("sum by (")


class TestDashboard:
    def test_every_metric_is_on_it(self) -> None:
        shown = " ".join(dashboard_queries())
        assert [name for name in BY_NAME if name not in shown] == []

    def test_panels_have_their_place(self) -> None:
        panels = dashboard()["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken
            assert at["x"] + at["w"] <= 24
            taken |= cells

    def test_it_uses_the_data_source_that_is_chosen(self) -> None:
        variables = {each["name"] for each in dashboard()["templating"]["list"]}
        assert variables == {"datasource", "instance"}
        for panel in dashboard()["panels"]:
            for each in (panel, *panel.get("targets", ())):
                assert panel["type"] == "row" or each["datasource"]["uid"] == "${datasource}"
        assert "localhost" not in json.dumps(dashboard())


class TestAlerts:
    @pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
    def test_a_rule_is_whole(self, rule: dict[str, Any]) -> None:
        assert re.fullmatch(r"Lockgate[A-Z][A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        said = rule["annotations"]["summary"]
        assert said.endswith(".")
        kept = {
            label
            for part in nodes(rule["expr"])
            if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None
            for label in part.modifier.labels
        } | (OF_SCRAPES if "sum" not in rule["expr"] else set())
        assert set(re.findall(r"\$labels\.(\w+)", said)) <= kept

    def test_what_must_not_happen_in_silence_has_one(self) -> None:
        said = " ".join(rule["expr"] for rule in alerts())
        for name in (
            "lockgate_fail_open_total", "lockgate_guard_failures_total", "lockgate_audit_lost_total",
            "lockgate_upstream_errors_total", "lockgate_stream_held_characters_bucket", "lockgate_verdicts_total",
        ):  # fmt: skip
            assert name in said
        assert len({rule["alert"] for rule in alerts()}) == len(alerts())

    @pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
    def test_promtool_takes_them(self) -> None:
        subprocess.run(["promtool", "check", "rules", str(ALERTS)], check=True, capture_output=True)


# --- Container -------------------------------------------------------------------------------------------------------


@cache
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: (name, the rest)."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    parts = [line.split(None, 1) for line in lines if line.strip()]
    return [(name, rest) for name, rest in parts]


def last_stage() -> list[tuple[str, str]]:
    starts = [i for i, (name, _) in enumerate(instructions()) if name == "FROM"]
    return instructions()[starts[-1] :]


def given(name: str) -> str:
    (found,) = [rest for each, rest in last_stage() if each == name]
    return found


def environment() -> dict[str, str]:
    pairs = [pair for name, rest in last_stage() if name == "ENV" for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def copied() -> list[str]:
    """What is copied from the repository."""
    found: list[str] = []
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            found.extend(rest.split()[:-1])
    return found


class TestDockerfile:
    def test_its_bases_are_pinned_by_a_tag_and_python_is_ours(self) -> None:
        bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
        assert len(bases) == 2
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        least = project["requires-python"].removeprefix(">=")
        assert set(bases) == {f"python:{least}-slim"}

    def test_it_is_not_root(self) -> None:
        user, group = given("USER").split(":")
        assert int(user) >= 10000
        assert int(group) >= 10000
        names = [name for name, _ in last_stage()]
        assert not {"RUN", "ADD"} & set(names), "nothing is run or fetched in what is shipped"

    def test_it_copies_what_is_there_and_what_is_built_from(self) -> None:
        assert [path for path in copied() if not (ROOT / path).exists()] == []
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        needed = {path.split("/")[0] for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]}
        needed |= {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"}
        assert needed <= set(copied())

    def test_what_it_copies_is_sent_to_the_builder_and_nothing_else(self) -> None:
        lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        rules = [line for line in lines if line and not line.startswith("#")]
        assert rules[0] == "*"
        assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == set(copied())
        assert not [rule for rule in rules if rule.startswith("!") and not (ROOT / rule[1:]).exists()]

    def test_it_installs_extras_that_there_are_by_the_constraints(self) -> None:
        (install,) = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
        assert "--constraint scripts/constraints.txt" in install
        extras = re.search(r"\.\[([\w,]+)\]", install)
        assert extras is not None
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert set(extras[1].split(",")) <= set(project["optional-dependencies"])

    def test_a_signal_reaches_the_proxy(self) -> None:
        assert json.loads(given("ENTRYPOINT")) == ["lockgate", "serve"]
        assert given("STOPSIGNAL") == "SIGTERM"

    def test_its_environment_names_settings(self) -> None:
        named = {name.removeprefix(PREFIX).lower(): value for name, value in environment().items() if PREFIX in name}
        settings = Settings.read(policy="default", upstream="http://u/v1", **named)
        assert set(given("EXPOSE").split()) == {str(settings.port), str(settings.admin_port)}
        assert settings.host == "0.0.0.0"  # noqa: S104 - within a container
        assert settings.admin_host == "127.0.0.1"

    def test_nothing_is_written_into_the_file_system(self) -> None:
        assert environment()["PYTHONDONTWRITEBYTECODE"] == "1"
        assert given("WORKDIR") == "/tmp"  # noqa: S108 - the one place that can be written

    async def test_its_health_check_asks_the_admin_port(self) -> None:
        check = given("HEALTHCHECK")
        command = json.loads(check[check.index("[") :])
        assert command[0] == "python"
        bound = socket.create_server(("127.0.0.1", 0))
        env = {**os.environ, "LOCKGATE_ADMIN_PORT": str(bound.getsockname()[1])}

        async def healthy() -> bool:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command[1:], env=env, stderr=asyncio.subprocess.DEVNULL
            )
            return await process.wait() == 0

        async with listening(make_admin(Metrics(), dict), bound):
            assert await healthy()
        assert not await healthy()


class TestTheRest:
    def test_compose_says_what_is_there(self) -> None:
        composed = read(DEPLOY / "compose.yaml")
        proxy = composed["services"]["lockgate"]
        assert (ROOT / proxy["build"]["dockerfile"]).exists()
        assert proxy["read_only"] is True
        assert proxy["cap_drop"] == ["ALL"]
        for name, service in composed["services"].items():
            assert name == "lockgate" or ":" in service["image"], "pinned by a tag"
            for volume in service.get("volumes", ()):
                source = volume.split(":")[0]
                assert source in composed["volumes"] or (DEPLOY / source).exists(), volume
            for port in service.get("ports", ()):
                assert port.startswith("127.0.0.1:"), "nothing is open to others"

    def test_prometheus_scrapes_the_admin_port(self) -> None:
        read_ = read(DEPLOY / "prometheus" / "prometheus.yaml")
        assert [(DEPLOY / "prometheus" / name).exists() for name in read_["rule_files"]] == [True]
        (job,) = read_["scrape_configs"]
        assert job["job_name"] == "lockgate"
        assert job["static_configs"] == [{"targets": [f"lockgate:{environment()['LOCKGATE_ADMIN_PORT']}"]}]

    def test_the_collector_takes_what_is_sent(self) -> None:
        collector = read(DEPLOY / "otel-collector" / "config.yaml")
        assert collector["receivers"]["otlp"]["protocols"].keys() == {"http"}
        pipelines = collector["service"]["pipelines"]
        assert pipelines.keys() == {"traces", "metrics", "logs"}
        for pipeline in pipelines.values():
            for kind in ("receivers", "processors", "exporters"):
                assert set(pipeline[kind]) <= set(collector[kind])

    def test_every_yaml_can_be_read(self) -> None:
        files = list(DEPLOY.rglob("*.yaml"))
        assert len(files) >= 6
        for path in files:
            assert read(path)
