"""A list is followed to its end, and not for ever."""

import pytest

from runtime.protocol import Paging, WireError


def test_a_list_is_followed_to_its_last_page():
    paging, cursors = Paging(), []
    pages = iter(["b", "", "c", None])
    while not paging.done:
        cursors.append(paging.cursor)
        paging.turn(next(pages))
    assert cursors == [None, "b", "", "c"]


def test_a_cursor_that_comes_again_leads_in_a_circle():
    paging = Paging()
    paging.turn("a")
    paging.turn("b")
    with pytest.raises(WireError, match="circle"):
        paging.turn("a")


def test_a_list_without_end_is_given_up():
    paging = Paging(limit=3)
    paging.turn("1")
    paging.turn("2")
    with pytest.raises(WireError, match="after 3 pages"):
        paging.turn("3")


def test_as_many_pages_as_allowed_are_a_list():
    paging = Paging(limit=3)
    for cursor in ("1", "2", None):
        paging.turn(cursor)
    assert paging.done
