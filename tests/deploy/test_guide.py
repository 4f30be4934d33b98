"""The guide to the deployment says what is there."""

import re
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
GUIDE = (DEPLOY / "README.md").read_text(encoding="utf-8")


def test_links_of_the_guide_lead_somewhere():
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", GUIDE) if "://" not in target]

    assert targets
    assert [target for target in targets if not (DEPLOY / target).exists()] == []


def test_every_folder_and_every_file_is_in_the_guide():
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts]
    told = {path for path in files if f"{path.name}`" in GUIDE or f"{path.relative_to(DEPLOY)}`" in GUIDE}
    own = {".gitignore", "README.md", "kustomization.yaml", ".env"}

    assert {path.name for path in files if path not in told} <= own


def test_the_guide_says_what_nobody_tried():
    (section,) = re.findall(r"^Not tried: (.*?)\n\n|^Not tried: (.*)\Z", GUIDE, re.MULTILINE | re.DOTALL)
    text = "".join(section)

    assert "docker compose up" in text
    assert "No GPU was at hand" in text
