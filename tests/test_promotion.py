"""The promoted version is the one that is used, and pinning it changes no digest."""

import pickle
import shutil

import pytest

from extractor.config import Choice, Config, load_config
from extractor.errors import ConfigError, MissingToolError, PolicyError
from extractor.finding import Finder
from extractor.lake.models import ModelEvent, append_event
from extractor.lake.store import Lake
from extractor.lineage import Pipeline
from extractor.promotion import with_promoted
from extractor.resources import file_sha256
from tests.acceptance import made
from tests.lake.factory import settings


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"), settings())


@pytest.fixture
def models(tmp_path, monkeypatch):
    """``tiny`` and ``other`` in three and one versions; no weights, which nobody here runs."""
    folder = made.install(monkeypatch, None, tmp_path / "models")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        made.bare(folder, version=version)
    made.bare(folder, "other")
    yield folder
    made.forget()


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    return made.models(tmp_path_factory.getbasetemp())


@pytest.fixture
def installed(trained, tmp_path, monkeypatch):
    yield made.install(monkeypatch, trained, tmp_path / "models")
    made.forget()


@pytest.fixture(scope="module")
def base():
    return load_config()


def config(base, *extractors):
    return base.model_copy(update={"extractors": tuple(extractors), "refiners": (), "relators": ()})


def ner(**options):
    return Choice(name="ner", options=options)


def record(lake, models, event, model):
    name, version = model.split("/")
    sha256 = file_sha256(models / name / version / "manifest.json")
    made_event = ModelEvent(
        name=name,
        version=version,
        sha256=sha256,
        event=event,
        principal="ann",
        intended_use="u",
        risk_class="r",
    )
    append_event(lake, lambda _: made_event)


@pytest.fixture
def use(lake, models):
    def both(model):
        record(lake, models, "registered", model)
        record(lake, models, "promoted", model)

    return both


def options(found):
    return [choice.options.get("model") for choice in found.extractors]


def test_a_lake_without_models_changes_nothing(base, lake):
    assert with_promoted(base, lake) is base
    assert lake.version("models") is None


def test_a_model_that_the_lake_does_not_know_stays_as_it_is(base, lake, use):
    use("other/1.0.0")

    assert with_promoted(base, lake) is base


def test_the_promoted_version_is_pinned_and_not_the_newest(base, lake, use):
    use("tiny/1.0.0")
    written = config(base, ner(model="tiny", min_probability=0.3), Choice(name="dose"))

    found = with_promoted(written, lake)

    assert options(found) == ["tiny/1.0.0", None]
    assert found.extractors[0].options["min_probability"] == 0.3
    assert found.extractors[1] is written.extractors[1]
    assert options(written) == ["tiny", None]


def test_the_default_model_of_the_recogniser_counts_as_named(base, lake, models, use):
    made.bare(models, "ner-biomedical")
    use("ner-biomedical/1.0.0")

    found = with_promoted(base, lake)

    (pinned,) = (choice for choice in found.extractors if choice.name == "ner")
    assert pinned.options == {"min_probability": 0.3, "model": "ner-biomedical/1.0.0"}


def test_each_extractor_gets_its_own(base, lake, use):
    use("tiny/1.1.0")
    use("other/1.0.0")

    found = with_promoted(
        config(base, ner(model="tiny"), ner(model="other"), Choice(name="gliner", options={"model": "a/b"})),
        lake,
    )

    assert options(found) == ["tiny/1.1.0", "other/1.0.0", "a/b"]


def test_settings_that_name_a_version_were_told_otherwise(base, lake, use):
    use("tiny/1.0.0")
    written = config(base, ner(model="tiny/1.2.0"))

    assert with_promoted(written, lake) is written


@pytest.mark.parametrize("named", ["tiny", "tiny/1.1.0"])
def test_what_is_told_stands_above_the_lake_and_the_settings(base, lake, use, named):
    use("tiny/1.0.0")

    assert options(with_promoted(config(base, ner(model=named)), lake, told="tiny/1.2.0")) == ["tiny/1.2.0"]


def test_what_is_told_of_one_model_leaves_the_others_to_the_lake(base, lake, use):
    use("tiny/1.0.0")
    use("other/1.0.0")

    found = with_promoted(config(base, ner(model="tiny"), ner(model="other")), lake, told="tiny/1.2.0")

    assert options(found) == ["tiny/1.2.0", "other/1.0.0"]


def test_what_is_told_needs_no_lake(base, lake, models):
    assert options(with_promoted(config(base, ner(model="tiny")), lake, told="tiny/1.0.0")) == ["tiny/1.0.0"]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("tiny", "NAME/VERSION is needed"),
        ("tiny/", "NAME/VERSION is needed"),
        ("tiny/1/2", "NAME/VERSION is needed"),
        ("tyny/1.0.0", "no extractor takes the model 'tyny'; did you mean 'tiny'"),
    ],
)
def test_what_is_told_must_fit(base, lake, models, told, message):
    with pytest.raises(ConfigError, match=message):
        with_promoted(config(base, ner(model="tiny")), lake, told=told)


def test_what_is_told_must_be_installed(base, lake, models):
    with pytest.raises(MissingToolError):
        with_promoted(config(base, ner(model="tiny")), lake, told="tiny/9.9.9")


def test_a_model_that_is_registered_and_not_promoted_is_refused(base, lake, models):
    record(lake, models, "registered", "tiny/1.0.0")
    written = config(base, ner(model="tiny"))

    with pytest.raises(PolicyError, match="no version of it is promoted") as caught:
        with_promoted(written, lake)

    assert (caught.value.code, caught.value.exit_code) == ("model.unpromoted", 8)
    assert "extractor models promote tiny/VERSION" in caught.value.hint
    assert options(with_promoted(written, lake, told="tiny/1.0.0")) == ["tiny/1.0.0"]
    assert options(with_promoted(config(base, ner(model="tiny/1.0.0")), lake)) == ["tiny/1.0.0"]


@pytest.mark.parametrize("named", ["tiny", "tiny/1.0.0"])
@pytest.mark.parametrize("told", [None, "tiny/1.0.0"])
def test_a_manifest_that_is_not_the_registered_one_is_refused(base, lake, models, use, named, told):
    use("tiny/1.0.0")
    (models / "tiny" / "1.0.0" / "weights").write_text("others")
    made.describe(models / "tiny" / "1.0.0")
    made.forget()

    with pytest.raises(MissingToolError, match="its manifest differs") as caught:
        with_promoted(config(base, ner(model=named)), lake, told=told)
    assert caught.value.exit_code == 3


def test_a_promoted_version_that_is_not_installed_is_refused(base, lake, models, use):
    use("tiny/1.0.0")
    shutil.rmtree(models / "tiny" / "1.0.0")
    made.forget()

    with pytest.raises(MissingToolError):
        with_promoted(config(base, ner(model="tiny")), lake)


def test_a_folder_that_would_be_loaded_instead_is_checked_as_well(
    base, lake, models, use, tmp_path, monkeypatch
):
    use("tiny/1.0.0")
    made.bare(tmp_path / "here", card="another")
    monkeypatch.chdir(tmp_path / "here")

    with pytest.raises(MissingToolError, match="its manifest differs"):
        with_promoted(config(base, ner(model="tiny")), lake)


def test_pinning_changes_no_digest_of_the_settings(base, lake, use):
    use("tiny/1.0.0")
    written = config(base, ner(model="tiny"))
    pinned = with_promoted(written, lake)

    assert pinned != written
    assert pinned.extraction_sha256() == written.extraction_sha256()
    told = with_promoted(written, lake, told="tiny/1.2.0")
    assert told.extraction_sha256() == written.extraction_sha256()


def test_a_pin_survives_the_way_to_a_worker_and_a_second_pinning(base, lake, use):
    use("tiny/1.0.0")
    pinned = with_promoted(config(base, ner(model="tiny")), lake)
    use("tiny/1.1.0")

    again = pickle.loads(pickle.dumps(pinned))

    assert options(again) == ["tiny/1.0.0"]
    assert again.extraction_sha256() == pinned.extraction_sha256()
    assert options(with_promoted(again, lake)) == ["tiny/1.0.0"]
    assert options(Config.model_validate(pinned.model_dump())) == ["tiny/1.0.0"]


def pipeline(config):
    models = {(f"{maker.model}@{maker.model_version}", maker.model_sha256) for maker in Finder(config).makers}
    return Pipeline(code_version="1", config_sha256=config.extraction_sha256(), models=tuple(sorted(models)))


def test_only_another_model_makes_another_pipeline(base, lake, installed):
    """1.1.0 is the newest: promoting it changes nothing; 1.0.0 is another model, wherever it comes from."""
    written = config(base, ner(model="tiny"))
    before = pipeline(written).version
    for event in ("registered", "promoted"):
        record(lake, installed, event, "tiny/1.1.0")
    assert pipeline(with_promoted(written, lake)).version == before

    for event in ("registered", "promoted"):
        record(lake, installed, event, "tiny/1.0.0")
    older = with_promoted(written, lake)
    assert Finder(older).extractors[0].maker.model_version == "1.0.0"
    assert pipeline(older).version != before

    shutil.rmtree(installed / "tiny" / "1.1.0")
    made.forget()
    assert pipeline(written).version == pipeline(older).version  # the same weights, pinned or not
