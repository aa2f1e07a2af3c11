import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.access.same_site import Crossing, crossing, is_same_site

HOST = "prov.example.net:8088"


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": f"https://{HOST}"}, False),
        ({"Sec-Fetch-Site": ""}, False),
        ({"Origin": f"http://{HOST}"}, True),
        ({"Origin": f"http://{HOST.upper()}"}, True),
        ({"Origin": "http://prov.example.net"}, False),
        ({"Origin": f"http://{HOST}.evil.example"}, False),
        ({"Origin": f"http://evil.example/{HOST}"}, False),
        ({"Origin": f"http://{HOST}@evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Origin": "http://[broken"}, False),
        ({}, True),
    ],
)
def test_tells_own_pages_from_foreign_ones_t15(headers: dict[str, str], is_own: bool) -> None:
    assert is_same_site(headers, HOST) is is_own


def test_an_empty_host_matches_no_origin_t15() -> None:
    assert not is_same_site({"Origin": "null"}, "")


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_raises(site: str, origin: str) -> None:
    is_same_site({"Sec-Fetch-Site": site}, HOST)
    is_same_site({"Origin": origin}, HOST)


def test_only_a_foreign_page_that_rides_on_the_cookie_is_refused_t15() -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert crossing("POST", foreign, host=HOST, has_session=True) is Crossing.FOREIGN
    assert crossing("delete", foreign, host=HOST, has_session=True) is Crossing.FOREIGN
    assert crossing("GET", foreign, host=HOST, has_session=True) is Crossing.SAFE
    assert crossing("POST", {}, host=HOST, has_session=True) is Crossing.OWN
    bearer = {**foreign, "Authorization": "Bearer x"}
    assert crossing("POST", bearer, host=HOST, has_session=False) is Crossing.BY_TOKEN
    assert crossing("POST", bearer, host=HOST, has_session=True) is Crossing.FOREIGN
    assert crossing("POST", foreign, host=HOST, has_session=False) is Crossing.FOREIGN
