import os
import time
import uuid

import psycopg
import pytest
from psycopg import sql

from extractor.errors import ConfigError, QueueError, QueueRefusedError
from extractor.queues.postgresql import PostgresqlQueue
from tests.queues.contract import LeaseTableContract, ids, jobs_named

SERVER = os.environ.get("EXTRACTOR_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test")


@pytest.fixture(scope="session")
def server():
    try:
        with psycopg.connect(SERVER, connect_timeout=5, autocommit=True) as connection:
            yield connection
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL server answers (EXTRACTOR_TEST_POSTGRESQL names one)")


@pytest.fixture
def name(server):
    chosen = f"test_{uuid.uuid4().hex[:12]}"
    yield chosen
    for kind in ("jobs", "dead", "turns"):
        server.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(f"{chosen}_{kind}")))


class TestPostgresqlQueue(LeaseTableContract):
    @pytest.fixture
    def url(self, name):
        return f"{SERVER}?queue={name}"

    def put_raw(self, url, body):
        address, _, name = url.partition("?queue=")
        with psycopg.connect(address) as connection:
            connection.execute(
                sql.SQL(
                    "INSERT INTO {} (job_id, priority, tenant, enqueued_at, body) "
                    "VALUES ('raw', 1, 'default', now(), %s)"
                ).format(sql.Identifier(f"{name}_jobs")),
                (body,),
            )


@pytest.fixture
def queue(name):
    opened = PostgresqlQueue(f"{SERVER}?queue={name}")
    yield opened
    opened.close()


def test_a_connection_that_the_server_ended_is_made_anew_by_the_next_call(server, queue):
    queue.put(jobs_named("one"))
    (held,) = queue.receive_batch(1, lease_s=60)
    server.execute("SELECT pg_terminate_backend(%s, 5000)", (queue._open.info.backend_pid,))

    with pytest.raises(QueueError) as caught:
        queue.extend([held], lease_s=60)

    assert caught.value.retryable
    assert queue.extend([held], lease_s=60) == []
    queue.ack([held])
    assert queue.status().leased == 0


def test_a_server_that_is_not_there_is_an_error_that_may_pass_and_quotes_nothing():
    queue = PostgresqlQueue("postgresql://jane:secret@127.0.0.1:9/base?connect_timeout=2")

    with pytest.raises(QueueError) as caught:
        queue.status()

    assert caught.value.retryable
    for said in (str(caught.value), repr(caught.value), repr(queue)):
        assert "secret" not in said
        assert "jane" not in said


def test_tables_that_somebody_dropped_are_made_anew(server, queue, name):
    queue.put(jobs_named("one"))
    for kind in ("jobs", "dead", "turns"):
        server.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"{name}_{kind}")))

    with pytest.raises(QueueError) as caught:
        queue.put(jobs_named("two"))

    assert caught.value.retryable
    assert queue.put(jobs_named("two")) == 1


def test_tables_of_somebody_else_are_left_alone(server, queue, name):
    table = sql.Identifier(f"{name}_jobs")
    server.execute(sql.SQL("CREATE TABLE {} (id int)").format(table))

    with pytest.raises(QueueRefusedError) as caught:
        queue.put(jobs_named("one"))

    assert not caught.value.retryable
    assert server.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone() == (0,)


def test_a_login_without_rights_is_refused_for_good(server, name):
    role = sql.Identifier(f"{name}_guest")
    server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    try:
        queue = PostgresqlQueue(f"{SERVER.replace('postgres@', f'{name}_guest@')}?queue={name}&schema={name}")
        with pytest.raises(QueueRefusedError) as caught:
            queue.status()
    finally:
        server.execute(sql.SQL("DROP ROLE {}").format(role))

    assert "42501" in str(caught.value)


def test_a_login_that_may_not_make_tables_works_with_those_that_are_there(server, queue, name):
    queue.put(jobs_named("one", "two"))
    role = sql.Identifier(f"{name}_guest")
    server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    for kind in ("jobs", "dead", "turns"):
        server.execute(
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(
                sql.Identifier(f"{name}_{kind}"), role
            )
        )
    guest = PostgresqlQueue(f"{SERVER.replace('postgres@', f'{name}_guest@')}?queue={name}")
    try:
        first, second = guest.receive_batch(2, lease_s=60)
        guest.ack([first])
        guest.dead(second, code="input.corrupt")
        assert guest.put(jobs_named("three")) == 1
        assert (guest.status().ready, guest.status().dead) == (1, 1)
    finally:
        guest.close()
        server.execute(sql.SQL("DROP OWNED BY {}").format(role))
        server.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_queue_may_live_in_a_schema_of_its_own(server, name):
    queue = PostgresqlQueue(f"{SERVER}?queue=intake&schema={name}")
    try:
        queue.put(jobs_named("one"))
        assert server.execute(
            sql.SQL("SELECT job_id FROM {}").format(sql.Identifier(name, "intake_jobs"))
        ).fetchall() == [("one",)]
    finally:
        queue.close()
        server.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


def test_two_queues_of_one_database_share_nothing(queue, name, server):
    other = PostgresqlQueue(f"{SERVER}?queue={name}_b")
    try:
        queue.put(jobs_named("one"))
        assert other.receive_batch(5, lease_s=60) == []
        assert ids(queue.receive_batch(5, lease_s=60)) == ["one"]
    finally:
        other.close()
        for kind in ("jobs", "dead", "turns"):
            server.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"{name}_b_{kind}")))


def test_leases_run_by_the_server_s_clock(queue, monkeypatch):
    queue.put(jobs_named("one"))
    monkeypatch.setattr(time, "time", lambda: 4e9)  # a consumer whose clock is far ahead

    assert ids(queue.receive_batch(1, lease_s=60)) == ["one"]
    assert queue.receive_batch(1, lease_s=60) == []


def test_rows_that_another_transaction_holds_are_passed_over(server, queue, name):
    queue.put(jobs_named("held", "free"))
    with psycopg.connect(SERVER) as other:
        other.execute(
            sql.SQL("SELECT id FROM {} WHERE job_id = 'held' FOR UPDATE").format(
                sql.Identifier(f"{name}_jobs")
            )
        )
        assert ids(queue.receive_batch(2, lease_s=60)) == ["free"]
    assert ids(queue.receive_batch(2, lease_s=60)) == ["held"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/base?queue=no%20spaces",
        "postgresql://host/base?schema=a;b",
        "postgresql://host/base?no_such_option=1",
        "postgresql://host:port/base",
        "postgresql://host/base?queue=a&queue=b",
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_without_quoting_it(url):
    with pytest.raises(ConfigError) as caught:
        PostgresqlQueue(url)

    assert "host" not in str(caught.value)
