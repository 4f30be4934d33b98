import pytest
import yaml

from extractor.errors import AccessDeniedError, ConfigError
from extractor.governance.policy import load_policy
from extractor.resources import folder


@pytest.fixture(scope="module")
def policy():
    return load_policy(folder("configs") / "policy.yaml")


def changed(tmp_path, change):
    found = yaml.safe_load((folder("configs") / "policy.yaml").read_text())
    change(found)
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(found))
    return load_policy(file)


def test_unknown_means_the_strictest_class_and_no_consent(policy):
    assert policy.strictest([]) == "PHI"
    assert policy.narrowest([]) == "none"
    assert policy.strictest(["public", "de-identified"]) == "de-identified"
    assert policy.narrowest(["unrestricted", "research_only"]) == "research_only"


def test_a_principal_without_a_name_in_the_policy_is_refused(policy):
    with pytest.raises(AccessDeniedError, match="did you mean 'analyst'"):
        policy.access("analist")


@pytest.mark.parametrize(
    ("principal", "classification", "consent", "seen"),
    [
        ("analyst", "de-identified", "research_only", True),
        ("analyst", "de-identified", "none", False),
        ("analyst", "PHI", "unrestricted", False),
        ("analyst", "non-human", "none", True),
        ("partner", "non-human", "unrestricted", False),
        ("clinician", "PHI", "none", True),
    ],
)
def test_rows_are_seen_by_class_and_consent(policy, principal, classification, consent, seen):
    assert (
        policy.access(principal).sees("entities", classification=classification, consent_scope=consent)
        is seen
    )


def test_the_restricted_zone_needs_a_restricted_role(policy):
    assert not policy.access("clinician").grants("page_text", restricted_zone=True)
    assert policy.access("steward").grants("page_text", restricted_zone=True)


def test_pictures_need_a_role_that_sees_both_pictures_and_the_row(policy):
    batch_record = {"classification": "non-human", "consent_scope": "none"}

    assert policy.access("manufacturing").sees_images("entities", **batch_record)
    assert not policy.access("analyst").sees_images("entities", **batch_record)
    assert not policy.access("manufacturing").sees_images(
        "entities", classification="PHI", consent_scope="none"
    )


def test_a_role_with_an_undeclared_class_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="undeclared classes: secret"):
        changed(tmp_path, lambda found: found["roles"]["partner"].update(classes=["secret"]))


def test_a_restricted_role_must_see_the_strictest_class(tmp_path):
    with pytest.raises(ConfigError, match="restricted without class PHI"):
        changed(tmp_path, lambda found: found["roles"]["partner"].update(restricted=True))


def test_a_principal_with_an_undeclared_role_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="undeclared roles: king"):
        changed(tmp_path, lambda found: found["principals"].update(bob=["king"]))


def test_the_strictest_class_is_never_free_of_consent(tmp_path):
    with pytest.raises(ConfigError, match="free of consent"):
        changed(tmp_path, lambda found: found.update(consent_free=["PHI"]))


def test_only_the_shipped_steward_may_promote_models(policy):
    assert [name for name in policy.principals if policy.access(name).may_promote] == ["steward"]


def test_a_role_may_not_promote_unless_the_policy_says_so(tmp_path):
    found = changed(tmp_path, lambda found: found["roles"]["steward"].pop("may_promote"))

    assert not found.access("steward").may_promote


def test_one_role_that_may_promote_is_enough(tmp_path):
    def change(found):
        found["roles"]["quality"] = {**found["roles"]["partner"], "may_promote": True}
        found["principals"]["ann"] = ["analyst", "quality"]

    assert changed(tmp_path, change).access("ann").may_promote


def test_whether_a_role_may_promote_is_part_of_the_rules_digest(policy, tmp_path):
    other = changed(tmp_path, lambda found: found["roles"]["steward"].update(may_promote=False))

    assert other.sha256() != policy.sha256()
