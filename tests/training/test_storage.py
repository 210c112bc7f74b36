"""Raw files are found where a person said they are."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs  # type: ignore[import-untyped]

from training.errors import InputError
from training.reading import RawFile, read_batches
from training.storage import absolute, data_name, files_at, open_file

ENDINGS = (".csv", ".parquet")


def test_a_folder_is_its_files_in_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.parquet", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.csv").mkdir()
    assert files_at(str(tmp_path), ENDINGS) == [f"{tmp_path}/a.parquet", f"{tmp_path}/b.csv"]
    assert files_at(str(tmp_path / "b.csv"), ENDINGS) == [f"{tmp_path}/b.csv"]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such file"):
        files_at(str(tmp_path / "nowhere"), ENDINGS)
    with pytest.raises(InputError, match=r"a folder without any \.csv, \.parquet file"):
        files_at(str(tmp_path), ENDINGS)


@pytest.mark.parametrize(
    ("location", "name"),
    [("a/reviews.csv.gz", "reviews"), ("corpus", "corpus"), ("s3://bucket/in/2024.parquet", "2024")],
)
def test_a_data_set_is_called_by_its_file(location: str, name: str) -> None:
    assert data_name(location) == name


def test_an_address_means_the_same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("a.csv") == str(tmp_path / "a.csv")
    assert absolute("s3://bucket/a.csv") == "s3://bucket/a.csv"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket on a server that speaks S3."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        system = fs.S3FileSystem(
            endpoint_override=environment["AWS_ENDPOINT_URL"], allow_bucket_creation=True
        )
        system.create_dir("reviews")
        yield "s3://reviews"
    server.stop()


def put(location: str, content: bytes) -> None:
    system = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"])
    with system.open_output_stream(location.removeprefix("s3://"), compression=None) as file:
        file.write(content)


def test_files_in_s3_are_read_as_those_on_disk(bucket: str) -> None:
    content = b"text,label\nso good,positive\nso bad,negative\n"
    put(f"{bucket}/in/b.csv", content)
    put(f"{bucket}/in/a.csv.gz", gzip.compress(content))
    put(f"{bucket}/in/notes.txt", b"not read")
    assert files_at(f"{bucket}/in", (".csv", ".csv.gz")) == [f"{bucket}/in/a.csv.gz", f"{bucket}/in/b.csv"]
    columns = {"text": "text", "label": "label"}
    for location in files_at(f"{bucket}/in", (".csv", ".csv.gz")):
        (batch,) = read_batches(RawFile(location, 0, "data", columns))
        assert batch.column("text").to_pylist() == ["so good", "so bad"]


def test_what_is_not_in_s3_is_named(bucket: str) -> None:
    with pytest.raises(InputError, match=r"s3://reviews/nowhere\.csv: no such file"):
        files_at(f"{bucket}/nowhere.csv", ENDINGS)
    with pytest.raises(InputError, match="s3://no-such-bucket"):
        open_file("s3://no-such-bucket/a.csv")
