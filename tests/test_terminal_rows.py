"""How rows look on a terminal."""

from extractor import terminal_rows


def lines_at(width, names, rows, monkeypatch, capsys):
    monkeypatch.setattr(terminal_rows, "PIPE_WIDTH", width)
    terminal_rows.print_table(names, rows)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_table_that_fits_wraps_at_words_only(monkeypatch, capsys):
    rows = [["a" * 20, "five words that must wrap"], ["b", None]]

    lines = lines_at(40, ["name", "text"], rows, monkeypatch, capsys)

    assert max(map(len, lines)) <= 40
    assert {word for line in lines for word in line.split()} >= {"five", "words", "that", "must", "wrap"}


def test_a_table_that_cannot_fit_becomes_a_block_for_each_row(monkeypatch, capsys):
    names = [f"column_{number}" for number in range(9)]

    lines = lines_at(60, names, [[1, None, "x", *[3] * 6]], monkeypatch, capsys)

    assert lines[:3] == ["row 1", "  column_0  1", "  column_2  x"]


def test_a_document_cannot_steer_the_terminal(monkeypatch, capsys):
    lines = lines_at(80, ["text"], [["[red]\x1b[31mred"]], monkeypatch, capsys)

    assert lines[2] == "[red]␛[31mred"
