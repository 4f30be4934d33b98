"""``extractor vocab build``: a knowledge pack from a configuration of sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from extractor.errors import ConfigError
from extractor.knowledge import public_files, release_files
from extractor.knowledge.base import KnowledgeBase, load_knowledge
from extractor.knowledge.learning import LongForms, gold_texts, lexicon_of, rankers, teach_names
from extractor.knowledge.merge import KEPT, Joined, merge
from extractor.knowledge.pack import write_pack
from extractor.knowledge.terms import Term

KINDS: Mapping[str, Callable[..., Iterator[Term]]] = {
    "mesh": public_files.mesh,
    "doid": public_files.doid,
    "hpo": public_files.hpo,
    "icd10cm": public_files.icd10cm,
    "drugs": public_files.drugs,
    "ctcae": public_files.ctcae,
    "rxnorm": release_files.rxnorm,
    "umls": release_files.umls,
    "snomedct": release_files.snomedct,
    "meddra": release_files.meddra,
    "loinc": release_files.loinc,
}
"""What reads a source of each kind: from a file or a folder to its terms."""

Kind = Literal[
    "mesh", "doid", "hpo", "icd10cm", "drugs", "ctcae", "rxnorm", "umls", "snomedct", "meddra", "loinc"
]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Closed):
    """One vocabulary: its kind and where it lies, absolute or below ``--source``."""

    kind: Kind
    path: str


class Recipe(_Closed):
    """A build: what the pack is called, what it is made of, what text it learns from.

    ``codes`` are the systems whose codes a concept keeps where only another
    source names them. Without ``texts`` the ranker of the pack ``ranker`` is
    taken over.
    """

    name: str
    licence: str
    source: str
    sources: tuple[Source, ...]
    codes: tuple[str, ...] = KEPT
    texts: tuple[str, ...] = ()
    ranker: str | None = None


def read_recipe(path: Path) -> Recipe:
    """The recipe of a YAML file.

    Raises:
        ConfigError: absent, not YAML, or a key that is not known or missing, named.
    """
    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Recipe.model_validate(found)
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not YAML") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path.name}: {key or 'the file'}: {first['msg']}") from error


def build(
    recipe: Recipe, *, out: Path, long_forms: LongForms, root: Path = Path(), texts: Path = Path()
) -> Path:
    """Build the pack of a recipe into ``out``, whose name is the version; gives ``out`` back.

    ``root`` is where relative paths of sources start, ``texts`` those of
    annotated texts. ``long_forms`` gives the abbreviations that a text defines.

    Raises:
        ConfigError, InputError: a file that is absent or not of its layout, with the line.
    """
    concepts = merge([KINDS[source.kind](root / source.path) for source in recipe.sources], kept=recipe.codes)
    if not concepts:
        raise ConfigError("the sources hold no concept")
    gold = gold_texts([texts / path for path in recipe.texts])
    teach_names(concepts, gold)
    lexicon = lexicon_of(gold)

    def write(ranker: Mapping[str, Any]) -> Path:
        return write_pack(
            concepts,
            folder=out,
            name=recipe.name,
            version=out.name,
            licence=recipe.licence,
            source=recipe.source,
            lexicon=lexicon,
            ranker=ranker,
        )

    if not gold:
        return write(load_knowledge(recipe.ranker).ranker if recipe.ranker else {})
    write({})
    return write(rankers(KnowledgeBase(out), gold, long_forms))


__all__ = ["KINDS", "Joined", "Recipe", "Source", "build", "read_recipe"]
