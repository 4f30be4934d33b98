"""The stages on Ray: the same rows as on this machine, and nothing lost when its processes die."""

import asyncio
import hashlib
import os
import shutil
import socket
import sys
import time
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

import extractor
from extractor.cli import main
from extractor.config import load_config
from extractor.engines import ray_pool, ray_session
from extractor.engines.ray_stages import Desk, joined
from extractor.errors import ConfigError, ExtractionError, ExtractorError, MissingToolError
from extractor.governance.inventory import Entry, load_inventory
from extractor.governance.policy import load_policy
from extractor.lake.store import Lake
from extractor.lake.verify import verify
from extractor.lineage import Pipeline
from extractor.pipeline import Job, Outcome
from extractor.pool import PoolStatistics
from extractor.resources import folder
from extractor.run import run, run_in
from extractor.sources import find_sources
from tests.conftest import FIXTURES
from tests.faults.ray import find_process, listening

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")

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
    deadline = time.monotonic() + 20
    while find_process("ray::MapWorker", below=os.getpid()) is not None:
        assert time.monotonic() < deadline, "a stage goes on after its pool was closed"
        time.sleep(0.1)


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
    assert (on_ray.seen, on_ray.partial, on_ray.quarantined) == (11, 1, 1)


def test_what_ray_extracted_is_current_for_ray_and_for_this_machine(fixtures, pool):
    on_ray, *_ = fixtures
    ledger = on_ray.rows("ledger")

    for again in (on_ray.run(pool), on_ray.run_here()):
        assert (again.seen, again.skipped) == (9, 9)
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


def test_stored_pages_are_searched_and_not_read_again(fixtures, pool):
    on_ray, *_ = fixtures
    (document,) = [row for row in on_ray.rows("documents") if row["media_type"] == "text/markdown"]
    doc_id = document["doc_id"]
    pipeline = Pipeline(code_version="1", config_sha256="2", models=pool.models)
    pool.submit(
        Job(
            doc_id=doc_id,
            stored=on_ray.lake.read("page_text", doc_ids=[doc_id]),
            entry=Entry(classification="PHI", consent_scope="none"),
            run_id="again",
            pipeline=pipeline,
        )
    )
    outcome = None
    while outcome is None:
        outcome = next(iter(pool.collect()), None)

    assert (outcome.doc_id, outcome.status, set(outcome.tables)) == (
        doc_id,
        "extracted",
        {"entities", "relations"},
    )
    assert sorted(outcome.tables["entities"].column("row_id").to_pylist()) == sorted(
        row["row_id"] for row in on_ray.rows("entities") if row["doc_id"] == doc_id
    )


class Killer:
    """Kills the Ray process of a title each time when so many documents are through."""

    def __init__(self, victims):
        self.waiting = sorted(victims.items())
        self.killed = []

    def __call__(self, progress):
        if self.waiting and progress.finished >= self.waiting[0][0]:
            _, title = self.waiting[0]
            process = find_process(title, below=os.getpid())
            if process is not None:  # else it is being started anew: next time
                process.kill()
                self.killed.append(title)
                self.waiting.pop(0)


@pytest.mark.parametrize(
    "victims",
    [
        pytest.param(
            {
                4: "ray::MapWorker(MapBatches(Read",
                12: "ray::MapBatches(hand_out",
                20: "ray::MapWorker(MapBatches(Find",
            },
            id="each-stage",
        ),
        pytest.param({4: "ray::Desk"}, id="the-desk"),
    ],
)
def test_processes_of_ray_that_are_killed_lose_and_double_nothing(house, pool, victims):
    house.put(**{f"n{number:02}": f"SLOW {number} weighed {number}.5 mg." for number in range(40)})
    killer = Killer(victims)

    tally = house.run(pool, on_progress=killer)

    assert killer.killed == list(victims.values())
    assert (tally.seen, tally.done) == (40, 40)
    assert set(house.states().values()) == {("extracted", None)}
    assert len(house.rows("page_text")) == len({row["row_id"] for row in house.rows("page_text")}) == 40
    house.assert_clean()


@pytest.fixture(scope="module")
def accidents(tmp_path_factory, pool):
    """A run over documents that take their reader or actor along, all full of one name."""
    house = House(tmp_path_factory.mktemp("accidents"))
    texts = {
        "good": "took 40 mg.",
        "loud": "SHOUT took 41 mg.",
        "crash": "CRASH",
        "page": "took 7 mg.\fCRASH",
        "actor": "ACTOR",
        "bug": "RAISE",
        "refused": "REFUSE",
        "another": "took 9 mg.",
    }
    house.put(**{f"{NAME}-{name}": f"{NAME} {text}" for name, text in texts.items()})
    manifest = house.base / "manifest.csv"
    lines = [f"{source.address},{NAME}-7,PHI,none" for source in house.sources]
    manifest.write_text("\n".join(["path,subject_id,classification,consent_scope", *lines]))
    tally = house.run(pool, manifest=str(manifest))
    return house, tally


def test_documents_that_take_their_reader_or_their_actor_along_are_quarantined_and_the_rest_go_on(accidents):
    house, tally = accidents

    assert {name.removeprefix(f"{NAME}-"): state for name, state in house.states().items()} == {
        "good": ("extracted", None),
        "loud": ("extracted", None),
        "another": ("extracted", None),
        "crash": ("quarantined", "input.crashed"),
        "page": ("partial", "input.crashed"),
        "actor": ("quarantined", "input.crashed"),
        "bug": ("quarantined", "bug.RuntimeError"),
        "refused": ("quarantined", "input.corrupt"),
    }
    assert (tally.done, tally.partial, tally.quarantined, tally.bugs) == (3, 1, 3, 1)
    house.assert_clean()


def test_no_log_of_ray_holds_a_word_of_a_document_its_address_or_its_subject(accidents, ray):
    house, _ = accidents
    logs = Path(ray._private.worker._global_node.get_session_dir_path())
    files = [path for path in logs.rglob("*") if path.is_file()]

    assert {row["subject_id"] for row in house.rows("documents")} == {f"{NAME}-7"}
    assert any("given up" in path.read_text() for path in files if path.name.startswith("worker-"))
    assert [path.name for path in files if NAME.encode() in path.read_bytes()] == []


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
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(MissingToolError, match=r"lifescience-extractor\[ray\]"), ray_session.session(cpus=1):
        pass


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "127.0.0.1", "somewhere:else"])
def test_an_address_that_the_engine_cannot_use_is_refused(monkeypatch, address):
    monkeypatch.setenv("RAY_ADDRESS", address)

    with pytest.raises(ConfigError, match="RAY_ADDRESS"), ray_session.session(cpus=1):
        pass


def test_an_address_where_nobody_answers_fails_at_once(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")

        with pytest.raises(ExtractorError, match="ConnectionRefusedError"), ray_session.session(cpus=1):
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


JOBS = [(f"d{number}", b"x") for number in range(20)]


def test_a_chunk_asked_for_again_holds_what_is_not_done():
    desk = Desk(CONFIG, {})
    desk.add(JOBS[:2])
    desk.add(JOBS[2:3])
    desk.done(["d0", "d2"])
    desk.close()

    chunks = [asyncio.run(desk.chunk(index)) for index in range(3)]

    assert [chunk and [task.doc_id for task in chunk] for chunk in chunks] == [["d1"], [], None]


def test_who_asks_for_a_chunk_waits_until_there_is_one():
    async def ask():
        desk = Desk(CONFIG, {})
        asked = asyncio.create_task(desk.chunk(0))
        await asyncio.sleep(0)
        assert not asked.done()
        desk.add(JOBS[:1])
        return await asked

    assert [task.doc_id for task in asyncio.run(ask())] == ["d0"]


def test_a_try_counts_until_it_came_to_an_end():
    desk = Desk(CONFIG, {})
    tries = [desk.begin("read", "d0"), desk.begin("read", "d0"), desk.begin("find", "d0")]
    desk.end("read", "d0", "life", PoolStatistics(peak_worker_bytes=7))

    assert tries == [1, 2, 1]
    assert desk.begin("read", "d0") == 1
    assert desk.statistics().peak_worker_bytes == 7


def test_nodes_with_other_models_or_another_version_are_refused():
    models = (("ner@1", "aa"),)
    for version, others in (("0.0.0", models), (extractor.__version__, (("ner@1", "bb"),))):
        desk = Desk(CONFIG, {})
        assert desk.ready("find", extractor.__version__, models) is None
        assert desk.ready("read", extractor.__version__, ()) is None
        assert asyncio.run(desk.models()) == models
        assert isinstance(desk.ready("find", version, others), ConfigError)
        assert asyncio.run(desk.models()) is None


def test_what_finding_refuses_is_refused_with_the_type_that_reading_saw():
    read = Outcome(doc_id="d0", status="extracted", media_type="text/plain", stage_s={"read": 1.0})
    found = Outcome.refused("d0", ExtractionError(), stage="extract", stage_s={"extract": 2.0})
    job = Job(doc_id="d0", entry=Entry(classification="PHI", consent_scope="none"))

    outcome = joined(read, job, found)

    assert (outcome.status, outcome.code, outcome.stage) == ("quarantined", "extraction.failed", "extract")
    assert (outcome.media_type, outcome.tables) == ("text/plain", {})
    assert outcome.stage_s == {"read": 1.0, "extract": 2.0}


class Told:
    """A pipeline that only writes down what it is told."""

    def __init__(self):
        self.chunks = []

    def tell(self, method, jobs):
        assert method == "add"
        self.chunks.append(len(jobs))


@pytest.mark.parametrize(
    ("documents", "under_way", "bytes_each", "chunks"),
    [
        pytest.param(3, 0, 10, [1, 1, 1], id="few-are-shared"),
        pytest.param(32, 0, 10, [8, 8, 8, 8], id="full-ones"),
        pytest.param(3, 16, 10, [], id="few-wait-while-stages-are-busy"),
        pytest.param(10, 16, 10, [8], id="full-ones-go-at-once"),
        pytest.param(4, 16, 600_000, [1, 1, 1], id="large-ones-go-alone"),
    ],
)
def test_small_documents_go_out_together_unless_stages_would_be_idle(
    documents, under_way, bytes_each, chunks
):
    pool = ray_pool.RayPool(CONFIG, size=2)
    pool._size, pool._pipeline = 2, Told()
    pool._jobs = {f"busy{number}": b"" for number in range(under_way)}
    pool._jobs |= {f"d{number}": bytes(bytes_each) for number in range(documents)}
    pool._waiting = [f"d{number}" for number in range(documents)]

    pool._send()

    assert pool._pipeline.chunks == chunks
