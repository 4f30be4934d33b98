import pickle

import pytest

from extractor import errors


def all_errors(kind=errors.ExtractorError):
    yield kind
    for child in kind.__subclasses__():
        yield from all_errors(child)


@pytest.mark.parametrize("kind", list(all_errors()), ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling_with_its_place_and_narrowed_code(kind):
    error = kind("detail", doc_id="d" * 64, page_no=3, code="narrow.code", hint="do this")

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert (copy.detail, copy.doc_id, copy.page_no, copy.code, copy.hint) == (
        "detail",
        "d" * 64,
        3,
        "narrow.code",
        "do this",
    )


@pytest.mark.parametrize("kind", list(all_errors()), ids=lambda kind: kind.__name__)
def test_every_error_says_who_must_act(kind):
    if kind is not errors.ExtractorError:
        assert kind.hint.split(":")[0] in {
            "Operator",
            "Sender",
            "Developer",
            "Developer of the extractor",
            "Owner of configs/policy.yaml",
        }
    assert kind.exit_code != 0


def test_codes_of_classes_are_distinct():
    codes = [kind.code for kind in all_errors() if kind is not errors.AccessDeniedError]

    assert len(codes) == len(set(codes))


def test_the_message_names_code_document_and_page():
    message = str(errors.CorruptError(doc_id="abcdef0123456789", page_no=2))

    assert message.startswith("[input.corrupt] document abcdef012345 page 2")
