"""The manifests: valid, restricted, without secrets, of one mind with the settings and with each other."""

import re
import shutil
import subprocess
from ipaddress import ip_network
from pathlib import Path

import click
import jsonschema
import kubernetes_validate
import pytest
import yaml

from extractor.cli import main
from extractor.config import load_config
from tests.deploy.kustomize import CORE, build, containers, identity, pod_of, read

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
VERSION = "1.34"
LAYOUTS = {"base": KUBERNETES / "base"} | {
    path.parent.name: path.parent for path in sorted(KUBERNETES.glob("overlays/*/kustomization.yaml"))
}

WHOLE = {"type": "integer", "minimum": 0}
TEXT = {"type": "string", "minLength": 1}


def closed(required=(), **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def many(items):
    return {"type": "array", "items": items, "minItems": 1}


POLICIES = closed(
    ["policies"],
    stabilizationWindowSeconds={**WHOLE, "maximum": 3600},
    policies=many(
        closed(
            ["type", "value", "periodSeconds"],
            type={"enum": ["Percent", "Pods"]},
            value=WHOLE,
            periodSeconds={**WHOLE, "maximum": 1800},
        )
    ),
)
CUSTOM = {
    "ScaledObject": closed(
        ["scaleTargetRef", "triggers"],
        scaleTargetRef=closed(["name"], apiVersion=TEXT, kind=TEXT, name=TEXT),
        minReplicaCount=WHOLE,
        maxReplicaCount=WHOLE,
        pollingInterval=WHOLE,
        cooldownPeriod=WHOLE,
        fallback=closed(["failureThreshold", "replicas"], failureThreshold=WHOLE, replicas=WHOLE),
        advanced=closed(
            horizontalPodAutoscalerConfig=closed(behavior=closed(scaleUp=POLICIES, scaleDown=POLICIES)),
            scalingModifiers=closed(["formula", "target"], formula=TEXT, target=TEXT, activationTarget=TEXT),
        ),
        triggers=many(
            closed(
                ["type", "metadata"],
                type={"enum": ["rabbitmq", "aws-sqs-queue", "postgresql", "prometheus"]},
                name=TEXT,
                metadata={"type": "object", "additionalProperties": {"type": "string"}},
                authenticationRef=closed(["name"], name=TEXT),
            )
        ),
    ),
    "TriggerAuthentication": closed(
        secretTargetRef=many(closed(["parameter", "name", "key"], parameter=TEXT, name=TEXT, key=TEXT)),
        podIdentity=closed(["provider"], provider=TEXT, identityOwner={"enum": ["keda", "workload"]}),
    ),
    "PodMonitor": closed(
        ["selector", "podMetricsEndpoints"],
        selector=closed(matchLabels={"type": "object"}),
        podMetricsEndpoints=many(
            closed(["port", "path"], port=TEXT, path=TEXT, interval=TEXT, scrapeTimeout=TEXT)
        ),
    ),
}
"""Specs of the kinds that the cluster's own schemas do not know: the fields used here, and no others."""

NEEDED = {
    "rabbitmq": {"queueName", "mode", "value", "protocol"},
    "aws-sqs-queue": {"queueURL", "queueLength", "awsRegion"},
    "postgresql": {"query", "targetQueryValue"},
    "prometheus": {"serverAddress", "query", "threshold"},
}
"""What a trigger of each type cannot do without."""


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture
def objects(layout):
    return build(LAYOUTS[layout])


def of(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def named(objects, kind, name):
    (one,) = [one for one in objects if identity(one) == (kind, name)]
    return one


def workloads(objects):
    return [one for one in objects if pod_of(one) is not None]


def worker(objects):
    return named(objects, "Deployment", "extractor-worker")


def environment(container):
    return {one["name"]: one for one in container.get("env", ())}


def gib(quantity):
    return (
        float(quantity.removesuffix("Gi"))
        if quantity.endswith("Gi")
        else float(quantity.removesuffix("Mi")) / 1024
    )


def settings(objects, tmp_path):
    (tmp_path / "config.yaml").write_text(
        named(objects, "ConfigMap", "extractor-config")["data"]["config.yaml"]
    )
    return load_config(tmp_path / "config.yaml")


def strings(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str):
        yield value


def selects(selector, labels):
    expressions = selector.get("matchExpressions", ())
    assert all(one["operator"] == "In" for one in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(one["key"]) in one["values"] for one in expressions
    )


def test_every_file_is_named_by_a_kustomization():
    reached = set()
    for folder in LAYOUTS.values():
        (what,) = read(folder / "kustomization.yaml")
        names = [
            "kustomization.yaml",
            *what["resources"],
            *(patch["path"] for patch in what.get("patches", ())),
        ]
        names += [name for one in what.get("configMapGenerator", ()) for name in one.get("files", ())]
        reached |= {(folder / name).resolve() for name in names}

    assert {path for path in KUBERNETES.rglob("*") if path.is_file()} == {p for p in reached if p.is_file()}


def test_objects_of_the_cluster_are_valid_by_its_schemas(objects):
    checked = [one for one in objects if one["apiVersion"] in CORE]
    for one in checked:
        kubernetes_validate.validate(one, VERSION, strict=True)

    assert {one["kind"] for one in checked} >= {
        "Deployment",
        "CronJob",
        "NetworkPolicy",
        "PodDisruptionBudget",
    }


def test_custom_objects_have_the_fields_they_need_and_none_that_nobody_knows(objects):
    custom = [one for one in objects if one["apiVersion"] not in CORE]
    for one in custom:
        assert one.keys() == {"apiVersion", "kind", "metadata", "spec"}
        jsonschema.validate(one["spec"], CUSTOM[one["kind"]])

    assert {one["apiVersion"] for one in custom} == {"keda.sh/v1alpha1", "monitoring.coreos.com/v1"}
    assert {one["kind"] for one in custom} >= {"ScaledObject", "PodMonitor"}


def test_the_namespace_itself_refuses_pods_that_are_not_restricted(objects):
    (namespace,) = of(objects, "Namespace")
    labels = namespace["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["pod-security.kubernetes.io/enforce-version"] == f"v{VERSION}"
    assert {one["metadata"]["namespace"] for one in objects if one is not namespace} == {
        namespace["metadata"]["name"]
    }


def test_pods_keep_the_restricted_profile_and_more(objects):
    for one in workloads(objects):
        pod = pod_of(one)["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & pod.keys()
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert all(volume.keys() - {"name"} <= {"configMap", "emptyDir"} for volume in pod["volumes"])
        for container in containers(one):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "privileged" not in context
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_pods_have_requests_and_limits_and_bounded_scratch_space(objects):
    for one in workloads(objects):
        for container in containers(one):
            resources = container["resources"]
            assert {"cpu", "memory", "ephemeral-storage"} <= resources["limits"].keys()
            assert {"cpu", "memory", "ephemeral-storage"} <= resources["requests"].keys()
            assert gib(resources["requests"]["memory"]) <= gib(resources["limits"]["memory"])
        for volume in pod_of(one)["spec"]["volumes"]:
            assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"]


def test_images_are_pinned_to_a_version(objects):
    images = {container["image"] for one in workloads(objects) for container in containers(one)}

    for image in images:
        assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]+/[a-z0-9/-]+(:\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})", image), (
            image
        )


def test_accounts_exist_have_no_token_and_no_role(objects):
    accounts = {one["metadata"]["name"]: one for one in of(objects, "ServiceAccount")}

    for one in workloads(objects):
        pod = pod_of(one)["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert accounts[pod["serviceAccountName"]]["automountServiceAccountToken"] is False
    assert len({pod_of(one)["spec"]["serviceAccountName"] for one in workloads(objects)}) == 3
    assert not [one for one in objects if "Role" in one["kind"]]


def test_no_secret_stands_in_the_manifests(objects):
    assert not of(objects, "Secret")
    for text in strings(objects):
        assert not re.search(r"://[^/\s:]+:[^/\s@]+@", text), "a URL with a password"
    for one in workloads(objects):
        for container in containers(one):
            for name, variable in environment(container).items():
                if re.search(r"KEY|SECRET|TOKEN|PASS", name):
                    assert "secretKeyRef" in variable["valueFrom"], name


def test_secrets_and_config_maps_that_are_referred_to_are_made_or_told_of(objects):
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    maps = {one["metadata"]["name"]: one["data"] for one in of(objects, "ConfigMap")}

    for one in workloads(objects):
        for volume in pod_of(one)["spec"]["volumes"]:
            assert "configMap" not in volume or volume["configMap"]["name"] in maps
        for container in containers(one):
            for source in container.get("envFrom", ()):
                assert source["configMapRef"]["name"] in maps
            for variable in container["env"]:
                where = variable.get("valueFrom", {})
                if "configMapKeyRef" in where:
                    assert where["configMapKeyRef"]["key"] in maps[where["configMapKeyRef"]["name"]]
                if "secretKeyRef" in where:
                    assert f"`{where['secretKeyRef']['name']}`" in guide
                    assert f"`{where['secretKeyRef']['key']}`" in guide
    for one in of(objects, "TriggerAuthentication"):
        for wanted in one["spec"].get("secretTargetRef", ()):
            assert f"`{wanted['name']}`" in guide
            assert f"`{wanted['key']}`" in guide


def test_the_commands_are_commands_with_options_that_exist(objects, monkeypatch):
    for one in workloads(objects):
        (container,) = containers(one)
        for name in environment(container):
            monkeypatch.setenv(name, "set-by-the-test")
        words = [re.sub(r"\$\(\w*PRIORITY\)", "normal", word) for word in container["args"]]
        assert words[0] in main.commands
        command = main.commands[words[0]]
        command.make_context(words[0], words[1:], parent=click.Context(main))


def test_the_configuration_is_mounted_where_the_command_looks_and_loads(objects, tmp_path):
    for one in workloads(objects):
        (container,) = containers(one)
        place = Path(environment(container)["EXTRACTOR_CONFIG"]["value"])
        (mount,) = [m for m in container["volumeMounts"] if m["mountPath"] == str(place.parent)]
        (volume,) = [v for v in pod_of(one)["spec"]["volumes"] if v["name"] == mount["name"]]
        assert place.name in named(objects, "ConfigMap", volume["configMap"]["name"])["data"]
        assert mount["readOnly"] is True

    assert settings(objects, tmp_path).telemetry.log_format == "json"


def test_probes_and_monitoring_ask_where_the_worker_answers(objects, tmp_path):
    telemetry = settings(objects, tmp_path).telemetry
    (container,) = containers(worker(objects))
    (port,) = container["ports"]
    (monitor,) = of(objects, "PodMonitor")
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}

    assert telemetry.host == "0.0.0.0"
    assert port == {"name": "telemetry", "containerPort": telemetry.port}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert [(one["port"], one["path"]) for one in monitor["spec"]["podMetricsEndpoints"]] == [
        (port["name"], "/metrics")
    ]
    assert selects(monitor["spec"]["selector"], pod_of(worker(objects))["metadata"]["labels"])


def test_a_worker_has_time_to_drain(objects, tmp_path):
    pod = pod_of(worker(objects))["spec"]

    assert pod["terminationGracePeriodSeconds"] >= settings(objects, tmp_path).worker.drain_s + 20
    assert "lifecycle" not in pod["containers"][0]


def test_the_processes_of_a_worker_fit_into_its_memory_and_cores(objects, tmp_path):
    config = settings(objects, tmp_path)
    (container,) = containers(worker(objects))
    processes = int(container["args"][container["args"].index("--workers") + 1])
    parent_mb = 1536

    needed_mb = processes * config.limits.worker_memory_mb + config.worker.in_flight_mb + parent_mb
    assert gib(container["resources"]["limits"]["memory"]) * 1024 >= needed_mb
    assert float(container["resources"]["limits"]["cpu"]) > processes


def test_a_worker_holds_more_than_one_batch(objects, tmp_path):
    config = settings(objects, tmp_path)

    assert config.worker.in_flight_documents >= 2 * config.lake.batch_documents
    assert config.worker.in_flight_pages >= 2 * config.lake.batch_pages


def test_the_scaler_scales_the_workers_and_nothing_else_sets_their_number(objects):
    (scaler,) = of(objects, "ScaledObject")
    spec = scaler["spec"]

    assert spec["scaleTargetRef"]["name"] == worker(objects)["metadata"]["name"]
    assert "replicas" not in worker(objects)["spec"]
    assert spec["minReplicaCount"] < spec["maxReplicaCount"]
    assert spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    for trigger in spec["triggers"]:
        assert NEEDED[trigger["type"]] <= trigger["metadata"].keys()
        if "authenticationRef" in trigger:
            named(objects, "TriggerAuthentication", trigger["authenticationRef"]["name"])
    used = {t["authenticationRef"]["name"] for t in spec["triggers"] if "authenticationRef" in t}
    assert used == {one["metadata"]["name"] for one in of(objects, "TriggerAuthentication")}


def test_a_formula_names_its_triggers(objects):
    (scaler,) = of(objects, "ScaledObject")
    names = [trigger["name"] for trigger in scaler["spec"]["triggers"]]
    modifiers = scaler["spec"]["advanced"].get("scalingModifiers")

    assert len(set(names)) == len(names)
    assert len(names) == 1 or sorted(modifiers["formula"].split(" + ")) == sorted(names)


def test_the_disruption_budget_is_about_the_workers(objects):
    (budget,) = of(objects, "PodDisruptionBudget")

    assert selects(budget["spec"]["selector"], pod_of(worker(objects))["metadata"]["labels"])
    assert "maxUnavailable" in budget["spec"]


def test_maintenance_never_runs_twice_at_a_time_and_enqueueing_waits_to_be_asked(objects):
    maintain = named(objects, "CronJob", "extractor-maintain")["spec"]
    enqueue = named(objects, "CronJob", "extractor-enqueue")["spec"]

    assert maintain["concurrencyPolicy"] == enqueue["concurrencyPolicy"] == "Forbid"
    assert enqueue["suspend"] is True
    assert "suspend" not in maintain


def test_nothing_goes_in_or_out_but_what_is_named(objects):
    policies = {one["metadata"]["name"]: one["spec"] for one in of(objects, "NetworkPolicy")}

    assert policies.pop("deny-all") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for spec in policies.values():
        for rule in [*spec.get("egress", ()), *spec.get("ingress", ())]:
            peers = rule.get("to") or rule["from"]
            assert rule["ports"]
            for peer in peers:
                assert peer, "an empty peer is everybody"
                assert "ipBlock" not in peer or ip_network(peer["ipBlock"]["cidr"]).prefixlen > 0


def test_each_pod_reaches_what_its_command_needs_and_no_more(objects):
    policies = {one["metadata"]["name"]: one["spec"] for one in of(objects, "NetworkPolicy")}
    for one in workloads(objects):
        labels = pod_of(one)["metadata"]["labels"]
        (container,) = containers(one)
        allowed = {name for name, spec in policies.items() if selects(spec["podSelector"], labels)}
        wanted = {"deny-all", "allow-names", "allow-store"}
        if "EXTRACTOR_QUEUE" in environment(container):
            wanted.add("allow-queue")
        if "ports" in container:
            wanted.add("allow-monitoring")
        assert allowed == wanted
    (ingress,) = policies["allow-monitoring"]["ingress"]
    assert ingress["ports"] == [{"protocol": "TCP", "port": "telemetry"}]


def test_what_must_be_filled_in_is_told_in_the_guide():
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    places = {
        str(path.relative_to(KUBERNETES))
        for path in KUBERNETES.rglob("*.yaml")
        if "FILL IN" in path.read_text(encoding="utf-8")
    }

    assert places
    assert [place for place in sorted(places) if f"`{place}`" not in guide] == []


def rendered_by_kubectl(folder):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl, which brings kustomize, is not installed")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"\b(extractor-(?:config|place|enqueue))-[a-z0-9]{10}\b", r"\1", done.stdout)
    return [one for one in yaml.safe_load_all(text) if one is not None]


def in_order(objects):
    """Objects by identity, environments by name: kustomize puts what a patch names first."""
    for one in workloads(objects):
        for container in containers(one):
            container.get("env", []).sort(key=lambda variable: variable["name"])
    return {identity(one): one for one in objects}


def test_kustomize_itself_makes_the_same_of_it(layout, objects):
    assert in_order(rendered_by_kubectl(LAYOUTS[layout])) == in_order(objects)
