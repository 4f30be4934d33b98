import pytest

from extractor.errors import ConfigError, InputError, LimitError
from extractor.sources import find_sources


@pytest.fixture
def tree(tmp_path):
    for name in ("b.txt", "a.txt", "sub/c.txt", ".hidden", ".git/x"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
    return tmp_path


def names(found, tree):
    return [source.address.removeprefix(f"{tree}/") for source in found]


def test_a_folder_gives_its_files_by_name_without_hidden_ones(tree):
    assert names(find_sources([str(tree)]), tree) == ["a.txt", "b.txt", "sub/c.txt"]


def test_globs_and_files_give_each_document_once(tree):
    found = find_sources([str(tree / "b.txt"), str(tree / "*.txt"), f"file://{tree}/sub"])

    assert names(found, tree) == ["b.txt", "a.txt", "sub/c.txt"]


def test_a_missing_source_is_named_by_its_place_only(tree):
    with pytest.raises(ConfigError, match="source 2 of 2 does not exist") as caught:
        find_sources([str(tree), str(tree / "jane_roe.pdf")])

    assert "jane" not in str(caught.value)


def test_an_empty_folder_is_an_error_not_an_empty_run(tmp_path):
    with pytest.raises(ConfigError, match="holds no document"):
        find_sources([str(tmp_path)])


def test_a_file_that_is_gone_or_too_large_is_an_input_error(tree):
    source = find_sources([str(tree / "a.txt")])[0]

    with pytest.raises(LimitError):
        source.read(max_bytes=2)
    (tree / "a.txt").unlink()
    with pytest.raises(InputError) as caught:
        source.read(max_bytes=100)
    assert caught.value.code == "input.unreadable"


def test_an_object_store_prefix_gives_its_objects(s3):
    s3.put("bucket/notes/b.txt", b"two")
    s3.put("bucket/notes/a.txt", b"one")
    s3.put("bucket/other/c.txt", b"three")

    found = find_sources(["s3://bucket/notes"], storage_options=s3.source_options)

    assert [source.address for source in found] == ["s3://bucket/notes/a.txt", "s3://bucket/notes/b.txt"]
    assert found[0].read(max_bytes=10) == b"one"
