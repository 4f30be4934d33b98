"""The image as a service: every broker's library, the port, the signal; and the variant for GPUs."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from extractor.config import load_config
from tests.test_dockerfile import ROOT, stages, values

GPU = ROOT / "deploy" / "gpu" / "Dockerfile"


@pytest.fixture
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def extras():
    (argument,) = [rest for rest in values(stages()[1], "ARG") if rest.startswith("EXTRAS=")]
    return argument.removeprefix("EXTRAS=").strip('"')


def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def test_the_image_carries_the_library_of_every_broker(project):
    (queues,) = project["optional-dependencies"]["queues"]

    assert set(extras().split()) == {"pytesseract", *re.search(r"\[(.*)\]", queues)[1].split(",")}


def test_the_list_that_the_build_installs_is_made_from_the_project_itself(project):
    (command,) = [rest for rest in values(stages()[1], "RUN") if "requirements.txt" in rest]
    (script,) = re.findall(r"python -c '(.*?)'", command)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, env=os.environ | {"EXTRAS": extras()}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    wanted = [*project["dependencies"]]
    for name in extras().split():
        wanted += project["optional-dependencies"][name]

    assert done.stdout.splitlines() == wanted


def test_what_the_image_installs_has_a_pinned_version(project):
    wanted = [line for name in extras().split() for line in project["optional-dependencies"][name]]
    names = [re.match(r"[A-Za-z0-9_.-]+", line)[0] for line in [*project["dependencies"], *wanted]]
    pinned = {name.lower().replace("_", "-") for name in constraints()}

    assert [name for name in names if name.lower().replace("_", "-") not in pinned] == []


def test_the_image_names_the_port_and_the_signal_of_a_worker():
    final = stages()[-1]

    assert values(final, "EXPOSE") == [str(load_config().telemetry.port)]
    assert values(final, "STOPSIGNAL") == ["SIGTERM"]


def test_hadolint_has_nothing_to_say_about_the_gpu_variant():
    program = Path(sysconfig.get_path("scripts")) / "hadolint"
    said = subprocess.run([program, GPU], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_the_gpu_variant_has_the_pinned_versions_and_ends_as_the_same_user():
    text = GPU.read_text(encoding="utf-8")
    packages = dict(re.findall(r'"([a-z-]+)(?:\[[a-z,]+\])?==([^"]+)"', text))
    pinned = constraints()

    assert packages.pop("onnxruntime-gpu") == pinned["onnxruntime"]
    assert packages.keys() >= {"torch", "transformers"}
    assert packages == {name: pinned[name] for name in packages}
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == values(stages()[-1], "USER")[0]
