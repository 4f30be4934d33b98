"""The policy: declared classes and consent scopes with their order, roles, and who holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from extractor.errors import AccessDeniedError, ConfigError
from extractor.lineage import fingerprint


class Role(BaseModel):
    """What a role may see."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    classes: tuple[str, ...] = Field(min_length=1)
    minimum_consent: str
    tables: tuple[str, ...] = Field(min_length=1)
    restricted: bool = False
    evidence_images: bool = False
    may_promote: bool = False


class Policy(BaseModel):
    """The policy file, checked. Orders run from open to strict, and from narrow to wide."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[str, ...] = Field(min_length=1)
    consent_scopes: tuple[str, ...] = Field(min_length=1)
    consent_free: tuple[str, ...] = ()
    """Classes whose rows are about no human subject: consent does not apply to them."""
    roles: dict[str, Role]
    principals: dict[str, tuple[str, ...]]

    @model_validator(mode="after")
    def _names_are_declared(self) -> Self:
        if undeclared := set(self.consent_free) - set(self.classes):
            raise ValueError(f"consent_free names undeclared classes: {', '.join(sorted(undeclared))}")
        if self.strictest_class in self.consent_free:
            raise ValueError("the strictest class cannot be free of consent: it stands for what nobody knows")
        for name, role in self.roles.items():
            if unknown := set(role.classes) - set(self.classes):
                raise ValueError(f"role {name} names undeclared classes: {', '.join(sorted(unknown))}")
            if role.minimum_consent not in self.consent_scopes:
                raise ValueError(f"role {name} names an undeclared consent scope: {role.minimum_consent}")
            if role.restricted and self.strictest_class not in role.classes:
                raise ValueError(f"role {name} is restricted without class {self.strictest_class}")
        for principal, roles in self.principals.items():
            if unknown := set(roles) - set(self.roles):
                raise ValueError(f"principal {principal} has undeclared roles: {', '.join(sorted(unknown))}")
        return self

    @property
    def strictest_class(self) -> str:
        """The class of everything that nothing is known about."""
        return self.classes[-1]

    @property
    def no_consent(self) -> str:
        """The narrowest consent scope."""
        return self.consent_scopes[0]

    def strictest(self, classes: Iterable[str]) -> str:
        """The strictest of some classes; the strictest of all for none."""
        return max(classes, key=self.classes.index, default=self.strictest_class)

    def narrowest(self, scopes: Iterable[str]) -> str:
        """The narrowest of some consent scopes; none for no scope."""
        return min(scopes, key=self.consent_scopes.index, default=self.no_consent)

    def sha256(self) -> str:
        """Digest of the rules."""
        return fingerprint(self.model_dump())

    def access(self, principal: str) -> Access:
        """What a principal may see.

        Raises:
            AccessDeniedError: the policy does not name the principal.
        """
        roles = self.principals.get(principal)
        if not roles:
            near = get_close_matches(principal, list(self.principals), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise AccessDeniedError(f"the policy names no principal {principal!r}{hint}")
        return Access(policy=self, principal=principal, roles=tuple(self.roles[name] for name in roles))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One role's view of one table: rows of ``classes`` whose consent is in ``consent_scopes``.

    Rows of ``consent_free`` classes need no consent. A row is seen when any
    grant of the principal lets it through.
    """

    classes: tuple[str, ...]
    consent_scopes: tuple[str, ...]
    consent_free: tuple[str, ...]
    restricted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A principal with its roles."""

    policy: Policy
    principal: str
    roles: tuple[Role, ...]

    @property
    def restricted(self) -> bool:
        """Whether restricted tables and columns may be seen."""
        return any(role.restricted for role in self.roles)

    @property
    def may_promote(self) -> bool:
        """Whether the version of a model that a lake uses may be changed."""
        return any(role.may_promote for role in self.roles)

    def grants(self, table: str, *, restricted_zone: bool = False) -> tuple[Grant, ...]:
        """What each role grants on a table; empty when none does."""
        scopes = self.policy.consent_scopes
        return tuple(
            Grant(
                classes=role.classes,
                consent_scopes=scopes[scopes.index(role.minimum_consent) :],
                consent_free=tuple(name for name in role.classes if name in self.policy.consent_free),
                restricted=role.restricted,
            )
            for role in self.roles
            if (role.restricted or not restricted_zone) and ("*" in role.tables or table in role.tables)
        )

    def sees(self, table: str, *, classification: str, consent_scope: str) -> bool:
        """Whether a row of a table with these attributes is visible."""
        return any(
            classification in grant.classes
            and (classification in grant.consent_free or consent_scope in grant.consent_scopes)
            for grant in self.grants(table)
        )

    def sees_images(self, table: str, *, classification: str, consent_scope: str) -> bool:
        """Whether the page picture behind a row may be seen: needs a role that sees pictures and the row."""
        one_role = (
            Access(policy=self.policy, principal=self.principal, roles=(role,))
            for role in self.roles
            if role.evidence_images or role.restricted
        )
        return any(
            access.sees(table, classification=classification, consent_scope=consent_scope)
            for access in one_role
        )


def load_policy(path: str | Path) -> Policy:
    """The policy in a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML, or names something it does not declare.
    """
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError("the policy file does not exist or cannot be read") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError("the policy file is no valid YAML") from None
    try:
        return Policy.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"policy {key}: {first['msg']}") from None
