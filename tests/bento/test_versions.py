"""Addresses are shown without their secrets, versions only fetched from where training puts them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.versions import ModelVersion, RegistryError, package_source, without_userinfo

RUN = "0123456789abcdef" * 2
MADE = datetime(2024, 1, 1, tzinfo=UTC)
VERSION = ModelVersion("m", "1", (), None, RUN, MADE, {}, {}, f"runs:/{RUN}/package")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://user:s3cret@host:5000/base", "http://host:5000/base"),
        ("http://s3cret@host", "http://host"),
        ("http://user:s3#cr/e@t@host", "http://host"),
        ("user:s3cret@host", "host"),
        ("https://host/base", "https://host/base"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("host", "host"),
    ],
)
def test_an_address_is_shown_without_user_and_password(address: str, shown: str) -> None:
    assert without_userinfo(address) == shown


@given(st.text(), st.sampled_from(["http", "https", "postgresql"]))
def test_whatever_the_password_holds(password: str, scheme: str) -> None:
    assert without_userinfo(f"{scheme}://user:{password}@host") == f"{scheme}://host"


def test_the_source_names_the_run_and_the_path() -> None:
    assert package_source(VERSION) == (RUN, "package")


@pytest.mark.parametrize("source", ["", "/etc", f"runs:/{RUN}/../x", "runs:/x/package"])
def test_another_source_is_refused(source: str) -> None:
    with pytest.raises(RegistryError, match="is not runs:/RUN/PATH; register it"):
        package_source(replace(VERSION, source=source))


def test_a_source_with_a_password_is_refused_without_telling_it() -> None:
    with pytest.raises(RegistryError) as refused:
        package_source(replace(VERSION, source="ftp://user:s3cret@host/package"))
    assert "s3cret" not in str(refused.value)
