import math

import pytest
from hypothesis import given, strategies as st

from extractor.spans import BBox, Span

coordinates = st.floats(-1e4, 1e4)


def boxes():
    return st.builds(
        lambda x, y, w, h: BBox(x, y, x + w, y + h),
        coordinates,
        coordinates,
        st.floats(0, 1e3),
        st.floats(0, 1e3),
    )


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 3), (4, 2)])
def test_a_span_is_never_empty_or_backwards(start, end):
    with pytest.raises(ValueError, match="span"):
        Span(start, end)


@given(st.text(min_size=1), st.data())
def test_a_span_quotes_as_many_code_points_as_it_is_long(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(text))))

    assert len(span.of(text)) == len(span)


@pytest.mark.parametrize("bad", [(1, 0, 0, 1), (0, 1, 1, 0), (math.nan, 0, 1, 1), (0, 0, math.inf, 1)])
def test_a_box_is_never_inverted_or_infinite(bad):
    with pytest.raises(ValueError, match="box"):
        BBox(*bad)


@given(boxes())
def test_a_clamped_box_lies_inside_its_page(box):
    inside = box.clamp(612, 792)

    assert 0 <= inside.x0_pt <= inside.x1_pt <= 612
    assert 0 <= inside.y0_pt <= inside.y1_pt <= 792


@given(st.lists(boxes(), min_size=1, max_size=5))
def test_the_box_around_boxes_overlaps_each(found):
    around = BBox.around(found)

    assert all(around.overlaps(box) for box in found)
