"""The service on one host: pinned, locked down, without secrets, of one mind with the settings."""

import ast
import re
import shutil
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
import yaml

from extractor.cli import main
from extractor.config import load_config
from extractor.lake.commit import commit
from extractor.lake.store import Lake
from extractor.queues.opening import open_queue
from extractor.sources import find_sources
from tests.lake.factory import doc_id, make_batch

COMPOSE = Path(__file__).parents[2] / "deploy" / "compose"
ONCE = {"enqueue", "status", "maintain", "prepare"}
ENGINE = {"worker", *ONCE}


def variables():
    """What .env.example sets."""
    lines = (COMPOSE / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(text, values):
    """The text with its variables: ``${NAME:-default}``."""
    return re.sub(r"\$\{([A-Z_]+):-([^}]*)\}", lambda hit: values.get(hit[1], hit[2]), text)


def compose(values=None):
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(filled(text, variables() if values is None else values))


@pytest.fixture
def services():
    return compose()["services"]


@pytest.fixture
def made(tmp_path):
    """The folder as it is after its secrets were made."""
    shutil.copytree(COMPOSE, tmp_path / "compose", ignore=shutil.ignore_patterns("secrets", ".env"))
    subprocess.run(["sh", tmp_path / "compose" / "secrets.sh"], check=True)
    return tmp_path / "compose"


def settings_of(file):
    return dict(line.split("=", 1) for line in file.read_text(encoding="utf-8").splitlines())


def megabytes(quantity):
    number, unit = re.fullmatch(r"(\d+)([mg])", quantity).groups()
    return int(number) * {"m": 1, "g": 1024}[unit]


def test_the_example_of_variables_says_what_the_file_falls_back_to():
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    example = (COMPOSE / ".env.example").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", text))

    assert "$" not in filled(text, {})
    assert {name: defaults[name] for name in variables()} == variables()
    assert [name for name in defaults if f"{name}=" not in example] == []
    assert compose({}) == compose()


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_a_service_is_pinned_and_locked_down(name):
    service = compose()["services"][name]

    assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9-]*(@sha256:[0-9a-f]{64})?", service["image"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert {"cpus", "memory", "pids"} == service["deploy"]["resources"]["limits"].keys()
    assert not {"pids_limit", "mem_limit", "cpus", "scale"} & service.keys(), (
        "compose refuses both spellings at once"
    )
    assert any(place.startswith("/tmp:") for place in service.get("tmpfs", ())) or name == "prometheus"
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()


def test_services_have_health_checks_and_commands_an_exit_code(services):
    for name, service in services.items():
        if name in ONCE:
            assert service["healthcheck"] == {"disable": True}
            assert service["restart"] == "no"
        else:
            assert service["healthcheck"]["test"][0] == "CMD"
            assert service["healthcheck"].keys() >= {"interval", "timeout", "retries", "start_period"}
            assert service["restart"] == "unless-stopped"
    assert {name for name, service in services.items() if "profiles" in service} == ONCE - {"prepare"}


def test_nobody_waits_for_a_service_that_does_not_say_when_it_is_ready(services):
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how == {"condition": wanted}
            assert other in services


def test_no_secret_stands_in_the_files_that_are_committed(services):
    ignored = (COMPOSE / ".gitignore").read_text(encoding="utf-8").splitlines()
    committed = [path for path in COMPOSE.iterdir() if path.is_file() and path.name not in ignored]

    assert {".env", "secrets/"} <= set(ignored)
    for path in committed:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"://[^/\s:]+:(?!%s)[^/\s@]+@", text), path.name
        assert not re.search(
            r"(?i)(password|secret_key|access_key|default_pass)\s*[:=]\s*[A-Za-z0-9]", text
        ), path.name
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search(r"KEY|SECRET|PASS|TOKEN", name) or value.startswith("/run/secrets/")


def test_secrets_are_made_once_agree_with_each_other_and_are_for_their_owner(made):
    worker = settings_of(made / "secrets" / "worker.env")
    broker = (made / "secrets" / "broker-user.conf").read_text(encoding="utf-8")
    url = urlsplit(worker["EXTRACTOR_QUEUE"])

    assert broker == f"default_user = {url.username}\ndefault_pass = {url.password}\n"
    assert worker["AWS_ACCESS_KEY_ID"] == (made / "secrets" / "store-access-key").read_text()
    assert worker["AWS_SECRET_ACCESS_KEY"] == (made / "secrets" / "store-secret-key").read_text()
    assert [len(secret) for secret in (url.password, worker["AWS_SECRET_ACCESS_KEY"])] == [32, 40]
    assert stat.S_IMODE((made / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((made / "secrets" / "worker.env").stat().st_mode) == 0o600

    again = subprocess.run(["sh", made / "secrets.sh"], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "secrets/ is there already" in again.stderr
    assert settings_of(made / "secrets" / "worker.env") == worker


def test_secrets_differ_from_one_deployment_to_the_next(made, tmp_path):
    shutil.copytree(made, tmp_path / "other", ignore=shutil.ignore_patterns("secrets"))
    subprocess.run(["sh", tmp_path / "other" / "secrets.sh"], check=True)
    one, other = (settings_of(folder / "secrets" / "worker.env") for folder in (made, tmp_path / "other"))

    assert [name for name in one if one[name] == other[name]] == []


def test_every_file_that_is_mounted_is_there_once_the_secrets_are_made(made):
    what = compose()
    files = {one["file"] for shelf in ("configs", "secrets") for one in what[shelf].values()}
    files |= {name for service in what["services"].values() for name in service.get("env_file", ())}
    (made.parent / "prometheus").symlink_to(COMPOSE.parent / "prometheus")

    assert {name for name in files if not (made / name).is_file()} == set()


def test_what_services_use_is_declared_and_what_is_declared_is_used(services):
    what = compose()

    def used(shelf):
        found = [one for service in services.values() for one in service.get(shelf, ())]
        return {one["source"] if isinstance(one, dict) else one.split(":")[0] for one in found}

    for shelf in ("configs", "secrets", "volumes", "networks"):
        assert used(shelf) == what[shelf].keys()


def test_workers_have_no_way_out_and_only_two_ports_are_open_to_the_host_itself(services):
    networks = compose()["networks"]

    assert networks["inside"] == {"internal": True}
    assert {name for name in services if services[name]["networks"] != ["inside"]} == {"store", "prometheus"}
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"store": ["127.0.0.1:9000:9000"], "prometheus": ["127.0.0.1:9090:9090"]}


@pytest.mark.parametrize("name", sorted(ENGINE - {"prepare"}))
def test_the_commands_are_commands_with_options_that_exist(name, monkeypatch):
    service = compose()["services"][name]
    for variable in ("EXTRACTOR_QUEUE", *service["environment"]):
        monkeypatch.setenv(variable, "set-by-the-test")
    words = list(service["command"])
    command, context = main, click.Context(main)
    while isinstance(command, click.Group):
        assert words[0] in command.commands
        command = command.commands[words.pop(0)]

    command.make_context(name, words, parent=context)


def test_the_settings_load_and_are_mounted_where_the_command_looks(services):
    config = load_config(COMPOSE / "config.yaml")

    assert config.telemetry.host == "0.0.0.0"
    assert config.telemetry.log_format == "json"
    for name in ENGINE - {"prepare"}:
        (mounted,) = services[name]["configs"]
        assert mounted == {"source": "engine", "target": services[name]["environment"]["EXTRACTOR_CONFIG"]}


def test_a_worker_is_asked_where_it_answers(services):
    telemetry = load_config(COMPOSE / "config.yaml").telemetry
    *_, script = services["worker"]["healthcheck"]["test"]
    (url,) = re.findall(r"http://[^\"]+", script)
    prometheus = yaml.safe_load((COMPOSE / "prometheus.yml").read_text(encoding="utf-8"))
    jobs = {job["job_name"]: job for job in prometheus["scrape_configs"]}

    ast.parse(script)
    assert url == f"http://127.0.0.1:{telemetry.port}/healthz"
    assert services["worker"]["expose"] == [str(telemetry.port)]
    assert jobs["extractor"]["dns_sd_configs"] == [{"names": ["worker"], "type": "A", "port": telemetry.port}]
    assert jobs["extractor"]["metrics_path"] == "/metrics"


def test_prometheus_finds_its_files_and_its_targets(services):
    prometheus = yaml.safe_load((COMPOSE / "prometheus.yml").read_text(encoding="utf-8"))
    mounted = {one["target"] for one in services["prometheus"]["configs"]}
    (target,) = [
        t
        for job in prometheus["scrape_configs"]
        for one in job.get("static_configs", ())
        for t in one["targets"]
    ]
    host, _, port = target.partition(":")

    assert set(prometheus["rule_files"]) <= mounted
    assert (
        f"--config.file={next(iter(sorted(mounted - set(prometheus['rule_files']))))}"
        in services["prometheus"]["command"]
    )
    assert port in services[host]["expose"]


def test_a_worker_has_time_to_drain_and_room_for_its_processes(services):
    config = load_config(COMPOSE / "config.yaml")
    worker = services["worker"]
    processes = int(worker["command"][worker["command"].index("--workers") + 1])
    limits = worker["deploy"]["resources"]["limits"]
    parent_mb = 1536

    assert int(worker["stop_grace_period"].removesuffix("s")) >= config.worker.drain_s + 20
    assert worker["stop_signal"] == "SIGTERM"
    assert megabytes(limits["memory"]) >= (
        processes * config.limits.worker_memory_mb + config.worker.in_flight_mb + parent_mb
    )
    assert float(limits["cpus"]) > processes


def test_the_broker_waits_longer_for_an_acknowledgement_than_a_document_may_take():
    config = load_config(COMPOSE / "config.yaml")
    lines = (COMPOSE / "broker.conf").read_text(encoding="utf-8").splitlines()
    broker = dict(line.split(" = ") for line in lines if line and not line.startswith("#"))
    slowest_s = 2 * config.limits.document_time_s + config.lake.batch_seconds

    assert int(broker["consumer_timeout"]) >= 1000 * slowest_s
    assert "default_pass" not in broker


def test_the_queue_url_is_one_the_engine_opens_and_names_the_broker(made, services):
    url = settings_of(made / "secrets" / "worker.env")["EXTRACTOR_QUEUE"]
    parts = urlsplit(url)

    assert repr(open_queue(url)) == "AmqpQueue('extractor')"
    assert parts.hostname in services
    assert str(parts.port) in services[parts.hostname]["expose"]
    assert services[parts.hostname]["hostname"] == parts.hostname


def test_documents_and_lake_are_reached_with_keys_from_the_environment(s3, monkeypatch, tmp_path):
    """The shipped settings, with the address of a server that runs here in the place of the store's."""
    here = s3.endpoint.removeprefix("http://")
    text = (COMPOSE / "config.yaml").read_text(encoding="utf-8").replace("store:9000", here)
    (tmp_path / "config.yaml").write_text(text)
    config = load_config(tmp_path / "config.yaml")
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    s3.put("inbox/note.txt", b"Given 40 mg of atorvastatin.")
    s3.client.create_bucket(Bucket="lake")
    uri = compose()["services"]["worker"]["environment"]["EXTRACTOR_LAKE"]

    (source,) = find_sources(["s3://inbox/"], storage_options=config.sources.storage_options)
    lake = Lake(uri, config.lake)
    commit(lake, make_batch([doc_id(1)]))

    assert source.read(max_bytes=100) == b"Given 40 mg of atorvastatin."
    assert list(Lake(uri, config.lake).current()) == [doc_id(1)]
    assert not set(keys) & config.lake.storage_options.keys()


def test_the_store_is_prepared_under_the_names_that_the_commands_use(services):
    endpoint, *buckets = services["prepare"]["command"]
    config = load_config(COMPOSE / "config.yaml")

    assert endpoint == config.lake.storage_options["AWS_ENDPOINT_URL"]
    assert endpoint.removeprefix("http://") == config.sources.storage_options["endpoint_override"]
    assert urlsplit(services["enqueue"]["command"][1]).netloc in buckets
    assert urlsplit(services["worker"]["environment"]["EXTRACTOR_LAKE"]).netloc in buckets
    assert services["prepare"]["entrypoint"][1] == services["prepare"]["configs"][0]["target"]
