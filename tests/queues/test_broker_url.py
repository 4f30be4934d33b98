import pytest

from extractor.errors import ConfigError
from extractor.queues.broker_url import failure, parse_broker_url


def test_the_parts_of_a_url_are_unquoted():
    where = parse_broker_url("amqps://us%40er:p%2Fss@host:99/v%2Fhost?queue=intake&lanes=4", {"lanes": "8"})

    assert (where.scheme, where.host, where.port, where.path) == ("amqps", "host", 99, "v/host")
    assert (where.user, where.password, where.name) == ("us@er", "p/ss", "intake")
    assert where.number("lanes", least=1, most=9) == 4


def test_what_is_not_given_has_its_default():
    where = parse_broker_url("redis://", {"cluster": "false"})

    assert (where.name, where.host, where.port, where.user, where.password) == (
        "extractor",
        "",
        None,
        None,
        None,
    )
    assert where.one_of("cluster", "true", "false") == "false"


def test_a_representation_shows_the_name_of_the_queue_alone():
    where = parse_broker_url("redis://user:secret@host/0?queue=intake", {})

    assert repr(where) == "BrokerUrl(name='intake')"


@pytest.mark.parametrize("url", ["redis://h?colour=red", "redis://h#part"], ids=["option", "fragment"])
def test_what_nobody_knows_is_refused(url):
    with pytest.raises(ConfigError) as caught:
        parse_broker_url(url, {})

    assert "red" not in str(caught.value)


def test_an_error_of_a_library_is_told_by_its_kind_alone():
    error = failure("Redis", ConnectionError("redis://user:secret@host"), retryable=True)

    assert "secret" not in str(error)
    assert "ConnectionError" in str(error)
    assert error.retryable
    assert not failure("Redis", ValueError(), retryable=False).retryable
