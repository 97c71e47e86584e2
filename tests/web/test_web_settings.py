"""The page is off until somebody turns it on, and links only lead to a page that is there."""

import pytest
from pydantic import ValidationError

from canary_operator.settings import Web


def test_the_page_is_off_and_nothing_links_to_it_by_default():
    assert (Web().page, Web().url) == (False, None)


def test_the_page_has_an_address_if_somebody_says_so():
    assert Web(page=True, url="https://gates.example/canary").url == "https://gates.example/canary"


def test_an_address_of_a_page_that_is_off_is_a_mistake():
    with pytest.raises(ValidationError, match="page should be true"):
        Web(url="https://gates.example")


@pytest.mark.parametrize(
    "url", ["gates.example", "ftp://x", "https://me:secret@x", "https://x?a=b", "javascript:alert(1)"]
)
def test_an_address_that_is_none_is_a_mistake(url):
    with pytest.raises(ValidationError, match="should be http"):
        Web(page=True, url=url)
