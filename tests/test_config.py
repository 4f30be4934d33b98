import pytest
import yaml

from extractor.config import load_config, policy_path
from extractor.errors import ConfigError
from extractor.resources import folder


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("limits: {page_tim_s: 3}")

    with pytest.raises(ConfigError, match=r"limits\.page_tim_s; did you mean limits\.page_time_s"):
        load_config(file)


def test_a_value_out_of_bounds_names_its_key():
    with pytest.raises(ConfigError, match=r"limits\.page_time_s"):
        load_config(overrides={"limits": {"page_time_s": -1}})


def test_broken_yaml_names_the_line(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("limits:\n  page_time_s: [1\nocr: }")

    with pytest.raises(ConfigError, match="line"):
        load_config(file)


def test_only_settings_that_can_change_a_row_change_the_pipeline():
    base = load_config()

    assert (
        load_config(overrides={"lake": {"batch_documents": 3}}).extraction_sha256()
        == base.extraction_sha256()
    )
    assert (
        load_config(overrides={"limits": {"worker_memory_mb": 999}}).extraction_sha256()
        == base.extraction_sha256()
    )
    assert (
        load_config(overrides={"ocr": {"second_engine": None}}).extraction_sha256()
        != base.extraction_sha256()
    )


def test_every_setting_of_the_default_file_has_a_comment():
    lines = (folder("configs") / "default.yaml").read_text().splitlines()
    settings = [line for line in lines if ":" in line and not line.lstrip().startswith(("#", "- "))]

    assert [line for line in settings if "#" not in line and not line.endswith(":")] == []
    assert yaml.safe_load("\n".join(lines))


def test_the_policy_lies_beside_the_configuration_that_names_it(tmp_path):
    (tmp_path / "c.yaml").write_text("policy: mine.yaml")
    (tmp_path / "mine.yaml").write_text("")

    assert policy_path(load_config(tmp_path / "c.yaml"), tmp_path / "c.yaml") == tmp_path / "mine.yaml"
    assert policy_path(load_config(), None) == folder("configs") / "policy.yaml"
