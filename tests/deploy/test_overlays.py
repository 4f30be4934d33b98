"""What the variants change, and that they change nothing else."""

import re

import yaml

from extractor.config import load_config
from extractor.delivery import PRIORITIES
from tests.deploy.kustomize import build, containers, pod_of
from tests.deploy.test_kubernetes import LAYOUTS, named, of, settings, worker


def test_gpu_workers_ask_for_a_gpu_and_are_let_onto_its_nodes(tmp_path):
    objects = build(LAYOUTS["gpu"])
    (container,) = containers(worker(objects))
    pod = pod_of(worker(objects))["spec"]
    config = settings(objects, tmp_path)
    default = load_config()

    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["resources"]["requests"]["nvidia.com/gpu"] == "1"
    assert [one["key"] for one in pod["tolerations"]] == ["nvidia.com/gpu"]
    assert pod["nodeSelector"]
    assert [one.name for one in config.extractors] == [one.name for one in default.extractors]
    (ner,) = [one.options for one in config.extractors if one.name == "ner"]
    (shipped,) = [one.options for one in default.extractors if one.name == "ner"]
    assert ner["min_probability"] == shipped["min_probability"]
    assert (ner["backend"], ner["device"]) == ("torch", "cuda")
    assert (config.ocr.engine, config.ocr.engine_options["rapidocr"]) == ("rapidocr", {"provider": "cuda"})


def test_gpu_workers_differ_from_the_others_in_nothing_but_the_gpu(tmp_path):
    gpu = settings(build(LAYOUTS["gpu"]), tmp_path).model_dump()
    cpu = settings(build(LAYOUTS["base"]), tmp_path).model_dump()

    assert {key for key in gpu if gpu[key] != cpu[key]} == {"limits", "ocr", "extractors"}
    assert {key for key in gpu["limits"] if gpu["limits"][key] != cpu["limits"][key]} == {"worker_memory_mb"}


def test_on_sqs_no_password_is_left_and_every_lane_is_counted():
    objects = build(LAYOUTS["sqs"])
    (scaler,) = of(objects, "ScaledObject")
    queue = named(objects, "ConfigMap", "extractor-place")["data"]["EXTRACTOR_QUEUE"]
    region, name = re.fullmatch(r"sqs://([a-z0-9-]+)/([a-z-]+)\?create=false", queue).groups()
    urls = [trigger["metadata"]["queueURL"] for trigger in scaler["spec"]["triggers"]]

    assert "secretKeyRef" not in yaml.safe_dump(objects)
    assert [url.rpartition("/")[2] for url in urls] == [f"{name}-{priority}" for priority in PRIORITIES]
    assert {trigger["metadata"]["awsRegion"] for trigger in scaler["spec"]["triggers"]} == {region}
    for one in of(objects, "ServiceAccount"):
        assert "eks.amazonaws.com/role-arn" in one["metadata"]["annotations"]
