"""The stages on Ray: the same rows as on this machine, and nothing lost when its processes die."""

import hashlib
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from extractor.cli import main
from extractor.config import load_config
from extractor.engines import ray_pool, ray_session
from extractor.errors import ConfigError, MissingToolError
from extractor.governance.inventory import Entry, load_inventory
from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.pipeline import Job
from extractor.resources import folder
from extractor.run import run, run_in
from extractor.sources import find_sources
from tests.conftest import FIXTURES
from tests.faults.ray import find_process, listening

pytest.importorskip("ray")

POLICY = load_policy(folder("configs") / "policy.yaml")
CONFIG = load_config(
    overrides={
        "readers": {"text/plain": "tests.faults.ray:ActorFaults"},
        "plugins": ["tests"],
        "limits": {"page_time_s": 20, "max_page_crashes": 1},
        "ocr": {"second_engine": None},
        "lake": {"batch_documents": 5},
    }
)
DOCUMENTS = (
    "office/certificate_mail.eml",  # carries a PDF
    "office/lab_results.csv",
    "office/study_summary.docx",
    "office/drug_label_spl.xml",
    "clinical/discharge_letter.tif",  # a scan
    "clinical/progress_note.txt",
    "clinical/oncology_consult.md",
    "hostile/one_broken_page.pdf",
    "hostile/encrypted.pdf",
)
NAME = "Plantagenet"


@pytest.fixture(scope="module")
def ray():
    with ray_session.session(cpus=2) as ray:
        yield ray


@pytest.fixture(scope="module")
def pool(ray):
    """One pipeline for all tests; at its end it is closed while a document hangs in it."""
    with ray_pool.RayPool(CONFIG, size=1) as pool:
        yield pool
        content = b"HANG"
        entry = Entry(classification="PHI", consent_scope="none")
        pool.submit(Job(doc_id=hashlib.sha256(content).hexdigest(), content=content, entry=entry))
        list(pool.collect(timeout_s=0.1))
    assert find_process("ray::MapWorker", below=os.getpid()) is None


class House:
    """A folder of documents and a lake."""

    def __init__(self, base):
        self.base = base
        self.inbox = base / "inbox"
        self.inbox.mkdir(parents=True)
        self.uri = str(base / "lake")

    def put(self, **texts):
        for name, text in texts.items():
            (self.inbox / f"{name}.txt").write_text(text)

    @property
    def lake(self):
        return Lake(self.uri, CONFIG.lake)

    @property
    def sources(self):
        return find_sources([str(self.inbox)])

    def run(self, pool, *, manifest=None, current=None, **more):
        inventory = load_inventory(POLICY, manifest=manifest)
        current = self.lake.current() if current is None else current
        tally, _ = run_in(
            pool, self.sources, self.lake, config=CONFIG, inventory=inventory, current=current, **more
        )
        return tally

    def run_here(self):
        inventory = load_inventory(POLICY, manifest=None)
        tally, _ = run(self.sources, self.lake, config=CONFIG, inventory=inventory, workers=1)
        return tally

    def rows(self, table, *without):
        """Rows in order, without what differs from run to run."""
        rows = self.lake.read(table).to_pylist()
        dropped = {"run_id", "extracted_at", *without}
        kept = [{name: value for name, value in row.items() if name not in dropped} for row in rows]
        return sorted(kept, key=repr)

    def states(self):
        """What became of each text, by its file's name."""
        states = {row["doc_id"]: (row["status"], row["status_code"]) for row in self.rows("documents")}
        return {
            path.stem: states.get(hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(self.inbox.iterdir())
        }

    def assert_clean(self):
        assert verify(self.lake, class_order=POLICY.classes, scope_order=POLICY.consent_scopes).findings == ()


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory, pool):
    """The same documents in two lakes: one filled on Ray, one here."""
    on_ray, here = House(tmp_path_factory.mktemp("ray")), House(tmp_path_factory.mktemp("here"))
    for name in DOCUMENTS:
        shutil.copy(FIXTURES / name, on_ray.inbox)
    here.inbox = on_ray.inbox
    return on_ray, here, on_ray.run(pool), here.run_here()


@pytest.mark.parametrize(
    "table", ["documents", "page_text", "entities", "relations", "quarantine", "sources"]
)
def test_the_rows_are_those_of_a_run_on_this_machine(fixtures, table):
    on_ray, here, _, _ = fixtures

    assert on_ray.rows(table) == here.rows(table)
    assert on_ray.rows(table)


def test_the_tally_is_that_of_a_run_on_this_machine(fixtures):
    _, _, on_ray, here = fixtures
    told = {"seconds"}

    assert {k: v for k, v in on_ray.as_dict().items() if k not in told} == {
        k: v for k, v in here.as_dict().items() if k not in told
    }
    assert (on_ray.seen, on_ray.partial, on_ray.quarantined) == (10, 1, 1)


def test_what_ray_extracted_is_current_for_ray_and_for_this_machine(fixtures, pool):
    on_ray, _, tally, _ = fixtures
    ledger = on_ray.rows("ledger")

    assert on_ray.run(pool).skipped == tally.seen
    assert on_ray.run_here().skipped == tally.seen
    assert on_ray.rows("ledger") == ledger


def test_offering_the_same_outcomes_again_doubles_no_row(house, pool):
    house.put(**{f"n{number}": f"Dose {number} mg of aspirin." for number in range(3)})
    first = house.run(pool, current={})
    before = {
        table: house.rows(table) for table in ("page_text", "entities", "documents", "sources", "ledger")
    }
    second = house.run(pool, current={})

    assert (first.done, second.done) == (3, 3)
    assert second.rows == {}
    assert {table: house.rows(table) for table in before} == before


@pytest.mark.parametrize(
    "victim", ["ray::MapWorker(MapBatches(Read", "ray::MapWorker(MapBatches(Find", "ray::MapBatches(hand_out", "ray::Desk"]
)  # fmt: skip
def test_a_process_of_ray_that_is_killed_loses_and_doubles_nothing(house, pool, victim):
    house.put(**{f"n{number:02}": f"SLOW {number} weighed {number}.5 mg." for number in range(40)})
    killed = []

    def kill(progress):
        if progress.finished >= 4 and not killed:
            process = find_process(victim, below=os.getpid())
            assert process is not None
            process.kill()
            killed.append(process.pid)

    tally = house.run(pool, on_progress=kill)

    assert killed
    assert (tally.seen, tally.done) == (40, 40)
    assert set(house.states().values()) == {("extracted", None)}
    assert len(house.rows("page_text")) == len({row["row_id"] for row in house.rows("page_text")}) == 40
    house.assert_clean()


def test_documents_that_take_their_reader_or_their_actor_along_are_quarantined_and_the_rest_go_on(
    house, pool
):
    house.put(
        good="Dose 40 mg.",
        crash="CRASH",
        page="Dose 7 mg.\fCRASH",
        actor="ACTOR",
        bug="RAISE Jane Roe",
        refused="REFUSE",
        another="Dose 9 mg.",
    )

    tally = house.run(pool)

    assert house.states() == {
        "good": ("extracted", None),
        "another": ("extracted", None),
        "crash": ("quarantined", "input.crashed"),
        "page": ("partial", "input.crashed"),
        "actor": ("quarantined", "input.crashed"),
        "bug": ("quarantined", "bug.RuntimeError"),
        "refused": ("quarantined", "input.corrupt"),
    }
    assert (tally.done, tally.partial, tally.quarantined, tally.bugs) == (2, 1, 3, 1)
    house.assert_clean()


def test_no_log_of_ray_holds_a_word_of_a_document_its_address_or_its_subject(house, ray, pool, capfd):
    house.put(
        **{
            f"{NAME}-fine": f"{NAME} took 40 mg.",
            f"{NAME}-loud": f"SHOUT {NAME} took 41 mg.",
            f"{NAME}-crash": f"{NAME}\fCRASH {NAME}",
            f"{NAME}-bug": f"RAISE {NAME}",
            f"{NAME}-actor": f"ACTOR {NAME}",
        }
    )
    manifest = house.base / "manifest.csv"
    manifest.write_text(
        "uri,subject_id,classification\n" + "".join(f"{one.address},{NAME}-7,PHI\n" for one in house.sources)
    )

    tally = house.run(pool, manifest=str(manifest))

    logs = Path(ray._private.worker._global_node.get_session_dir_path())
    files = [path for path in logs.rglob("*") if path.is_file()]
    assert (tally.seen, tally.done) == (5, 2)
    assert {row["subject_id"] for row in house.rows("documents")} == {f"{NAME}-7"}
    assert any("given up" in path.read_text() for path in files if path.name.startswith("worker-"))
    assert [path.name for path in files if NAME.encode() in path.read_bytes()] == []
    out, err = capfd.readouterr()
    assert NAME not in out + err


def test_a_ray_of_our_own_listens_on_loopback_alone_and_wants_a_token(ray, pool):
    assert listening(os.getpid()) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert listening(os.getpid())
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


def test_the_command_runs_on_ray(house, pool, monkeypatch):
    house.put(one="Dose 40 mg.", two="Dose 41 mg.")
    monkeypatch.setattr(ray_pool, "RayPool", lambda _config, *, size: nullcontext(pool))

    done = CliRunner().invoke(
        main, ["run", str(house.inbox), "--lake", house.uri, "--engine", "ray", "--workers", "1", "--json"]
    )

    assert done.exit_code == 0, done.output
    assert '"done": 2' in done.output
    assert house.rows("runs")[0]["models"] == [f"{name}={sha256}" for name, sha256 in pool.models]


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)

    with pytest.raises(MissingToolError, match=r"lifescience-extractor\[ray\]"), ray_session.session(cpus=1):
        pass


def test_a_ray_client_address_is_refused(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")

    with pytest.raises(ConfigError, match="Ray client"), ray_session.session(cpus=1):
        pass


TORCH = {"extractors": [{"name": "ner", "options": {"backend": "torch", "device": "cuda"}}]}
CUDA_OCR = {"ocr": {"engine_options": {"rapidocr": {"provider": "cuda"}}}}


@pytest.mark.parametrize(
    ("overrides", "cpus", "gpus", "read", "find"),
    [
        pytest.param({}, 8, 0, (0.5, 0, 8), (0.5, 0, 8), id="no-gpu"),
        pytest.param({}, 3, 2, (0.5, 0, 3), (0.5, 0, 3), id="gpus-nobody-asks-for"),
        pytest.param(TORCH, 8, 2, (0.5, 0, 8), (0.5, 1, 2), id="recogniser"),
        pytest.param(CUDA_OCR, 8, 3, (0.5, 1, 3), (0.5, 0, 8), id="ocr"),
        pytest.param({**TORCH, **CUDA_OCR}, 8, 4, (0.5, 1, 2), (0.5, 1, 2), id="both"),
        pytest.param({**TORCH, **CUDA_OCR}, 8, 1, (0.5, 0.5, 1), (0.5, 0.5, 1), id="both-on-one"),
    ],
)
def test_a_stage_asks_for_a_gpu_when_its_configuration_does(overrides, cpus, gpus, read, find):
    planned = ray_session.plan(load_config(overrides=overrides), size=8, cpus=cpus, gpus=gpus)

    told = {part: (one.num_cpus, one.num_gpus, one.actors) for part, one in planned.items()}
    assert told == {"read": read, "find": find}


def test_a_gpu_that_the_cluster_does_not_have_is_missing():
    with pytest.raises(MissingToolError, match="no GPU"):
        ray_session.plan(load_config(overrides=TORCH), size=2, cpus=2, gpus=0)
