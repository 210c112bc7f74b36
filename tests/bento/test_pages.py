"""The pages: whole without a network, and nothing of third parties in them."""

import re

import pytest
from starlette.testclient import TestClient

PAGES = ["/", "/docs"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    hosts = set(re.findall(r"(?:https?:)?//([^/\s'\"<]+)", page.text))
    assert hosts <= {"testserver"}, "but for the address in the example"
    for loaded in re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text):
        assert client.get(f"/{loaded}").status_code == 200, loaded


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_load_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    policy = dict(
        part.split(maxsplit=1) for part in client.get(path).headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert set(" ".join(policy.values()).split()) <= {"'none'", "'self'", "'unsafe-inline'", "data:"}


def test_the_documentation_validates_nowhere_else(client: TestClient) -> None:
    assert "validatorUrl: null" in client.get("/static/docs.js").text


def test_the_example_has_the_address_that_was_asked(client: TestClient) -> None:
    assert (
        "http://valence.example:8080/predict"
        in client.get("/", headers={"host": "valence.example:8080"}).text
    )


def test_an_address_that_is_none_is_not_repeated(client: TestClient) -> None:
    page = client.get("/", headers={"host": "<script>"}).text
    assert "<script>" not in page
    assert "localhost:3000" in page
