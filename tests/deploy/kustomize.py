"""As much of kustomize as the manifests use: enough to see that every file and every patch has something to act on."""

import json
import re
from pathlib import Path

import yaml

KNOWN = {
    "apiVersion", "kind", "namespace", "labels", "resources", "configMapGenerator", "images", "patches",
}  # fmt: skip
MERGED_BY = {
    "containers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
CORE = {"v1", "apps/v1", "batch/v1", "policy/v1", "networking.k8s.io/v1"}


def read(path):
    """The documents of a file; what an alias repeats is a copy, as it is for kustomize."""
    found = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return [json.loads(json.dumps(one)) for one in found if one is not None]


def identity(one):
    return one["kind"], one["metadata"]["name"]


def build(folder):
    """The objects of a kustomization; names of ConfigMaps stay as they are written, without their digest."""
    (what,) = read(Path(folder) / "kustomization.yaml")
    assert what.keys() <= KNOWN, what.keys() - KNOWN
    objects = []
    for name in what.get("resources", ()):
        path = (Path(folder) / name).resolve()
        objects += build(path) if path.is_dir() else read(path)
    assert len({identity(one) for one in objects}) == len(objects)
    for generator in what.get("configMapGenerator", ()):
        _generate(Path(folder), generator, objects)
    for patch in what.get("patches", ()):
        for change in read(Path(folder) / patch["path"]):
            _patch(objects, change)
    for image in what.get("images", ()):
        hits = [
            container for one in objects for container in containers(one) if _name(container) == image["name"]
        ]
        assert hits, f"no container has the image {image['name']}"
        for container in hits:
            digest = f"@{image['digest']}" if "digest" in image else f":{image['newTag']}"
            container["image"] = image.get("newName", image["name"]) + digest
    for one in objects:
        if one["kind"] != "Namespace":
            one["metadata"]["namespace"] = what["namespace"]
        for label in what.get("labels", ()):
            one["metadata"].setdefault("labels", {}).update(label["pairs"])
    return objects


def pod_of(one):
    """The pod template's spec, or None where an object makes no pods."""
    if one["kind"] == "Deployment":
        return one["spec"]["template"]
    if one["kind"] == "CronJob":
        return one["spec"]["jobTemplate"]["spec"]["template"]
    return None


def containers(one):
    pod = pod_of(one)
    return [] if pod is None else [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]


def _name(container):
    return re.sub(r"(@sha256:.*|:[^/:]*)$", "", container["image"])


def _generate(folder, generator, objects):
    data = {}
    for name in generator.get("files", ()):
        data[name] = (folder / name).read_text(encoding="utf-8")
    for literal in generator.get("literals", ()):
        key, _, value = literal.partition("=")
        data[key] = value
    there = [one for one in objects if identity(one) == ("ConfigMap", generator["name"])]
    if generator.get("behavior", "create") == "create":
        assert not there, generator["name"]
        objects.append(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data}
        )
    else:
        assert generator["behavior"] == "merge"
        (one,) = there
        one["data"].update(data)


def _patch(objects, change):
    found = [one for one in objects if identity(one) == identity(change)]
    assert len(found) == 1, f"a patch for {identity(change)} meets {len(found)} objects"
    (one,) = found
    assert one["apiVersion"] == change["apiVersion"]
    if change.get("$patch") == "delete":
        objects.remove(one)
    else:
        _merge(one, change, by=MERGED_BY if one["apiVersion"] in CORE else {})


def _merge(base, change, *, by):
    for key, value in change.items():
        if value is None:
            base.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value, by=by)
        elif isinstance(value, list) and isinstance(base.get(key), list) and key in by:
            _merge_list(base[key], value, name=by[key], by=by)
        else:
            base[key] = value


def _merge_list(base, changes, *, name, by):
    for change in changes:
        found = [one for one in base if one[name] == change[name]]
        if change.get("$patch") == "delete":
            assert found, f"nothing named {change[name]} to delete"
            base.remove(found[0])
        elif found:
            _merge(found[0], change, by=by)
        else:
            base.append(change)
