"""A package is either exactly what its digest says, or refused with the reason."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bento.package import (
    GRAPH,
    MANIFEST,
    TOKENIZER,
    Certainty,
    Package,
    PackageError,
    Quantisation,
    hash_files,
    read_package,
    write_package,
)


@pytest.fixture
def package(make_package: Callable[..., Package], tmp_path: Path) -> Package:
    return make_package(tmp_path / "package")


def change_manifest(package: Package, *, without: Sequence[str] = (), **fields: object) -> None:
    path = package.path / MANIFEST
    changed = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({name: value for name, value in changed.items() if name not in without}))


def test_reads_back_what_was_written(package: Package) -> None:
    again = read_package(package.path)
    assert again == package
    assert again.digest == "sha256:" + hashlib.sha256((package.path / MANIFEST).read_bytes()).hexdigest()


def test_the_required_digest_is_enforced(package: Package) -> None:
    assert read_package(package.path, package.digest) == package
    with pytest.raises(PackageError, match="not the required sha256:0000"):
        read_package(package.path, "sha256:" + "0" * 64)


def test_a_failed_write_leaves_the_former_package(package: Package) -> None:
    wrong = package.manifest.model_copy(
        update={"files": hash_files(tokenizer=b"something else", graph=package.graph)}
    )
    with pytest.raises(PackageError, match="not what the manifest says"):
        write_package(package.path, wrong, tokenizer=package.tokenizer, graph=package.graph)
    assert read_package(package.path) == package
    assert [path.name for path in package.path.parent.iterdir()] == ["package"]


def test_a_write_replaces_the_former_package_whole(package: Package) -> None:
    renamed = package.manifest.model_copy(update={"family": "renamed"})
    written = write_package(package.path, renamed, tokenizer=package.tokenizer, graph=package.graph)
    assert written.manifest.family == "renamed"
    assert written.digest != package.digest
    assert [path.name for path in package.path.parent.iterdir()] == ["package"]


@pytest.mark.parametrize("name", [TOKENIZER, GRAPH])
def test_a_tampered_file_is_refused(package: Package, name: str) -> None:
    content = bytearray((package.path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (package.path / name).write_bytes(content)
    with pytest.raises(PackageError, match=rf"{name}: not what the manifest says"):
        read_package(package.path)


@pytest.mark.parametrize("name", [MANIFEST, TOKENIZER, GRAPH])
def test_a_truncated_file_is_refused(package: Package, name: str) -> None:
    content = (package.path / name).read_bytes()
    (package.path / name).write_bytes(content[:-100])
    with pytest.raises(PackageError, match=name):
        read_package(package.path)


@pytest.mark.parametrize("name", [MANIFEST, TOKENIZER, GRAPH])
def test_a_missing_file_is_named(package: Package, name: str) -> None:
    (package.path / name).unlink()
    with pytest.raises(PackageError, match=f"missing or extra: {name}"):
        read_package(package.path)


def test_an_extra_file_is_refused(package: Package) -> None:
    (package.path / "hook.py").write_text("print('never run')")
    with pytest.raises(PackageError, match=r"missing or extra: hook\.py"):
        read_package(package.path)


@pytest.mark.parametrize("name", [MANIFEST, TOKENIZER, GRAPH])
def test_a_link_is_refused_even_to_the_right_content(package: Package, name: str, tmp_path: Path) -> None:
    aside = (package.path / name).rename(tmp_path / name)
    (package.path / name).symlink_to(aside)
    with pytest.raises(PackageError, match="links are refused"):
        read_package(package.path)


def test_a_device_or_pipe_is_refused_without_waiting(package: Package) -> None:
    (package.path / GRAPH).unlink()
    os.mkfifo(package.path / GRAPH)
    with pytest.raises(PackageError, match="not a plain file"):
        read_package(package.path)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "sub/model.onnx", "model.pkl"])
def test_file_names_other_than_the_two_are_refused(package: Package, name: str) -> None:
    files = dict(package.manifest.files)
    change_manifest(package, files={TOKENIZER: files["tokenizer.json"], name: files["model.onnx"]})
    with pytest.raises(PackageError, match="files"):
        read_package(package.path)


def test_a_manifest_of_the_first_schema_is_read(package: Package) -> None:
    quantisation = {
        "method": "none",
        "macro_f1_change": 0,
        "macro_f1_change_lower_bound": 0,
        "agreement_with_fp32": 1,
    }
    change_manifest(package, without=["certainty"], schema_version=1, quantisation=quantisation)
    assert read_package(package.path).manifest.quantisation == Quantisation()


def test_a_manifest_of_the_second_schema_promises_nothing(package: Package) -> None:
    change_manifest(package, without=["certainty"], schema_version=2)
    assert read_package(package.path).manifest.certainty == Certainty(threshold=None, share=0.0)


def test_what_a_numeric_form_cost_is_kept(package: Package) -> None:
    cost = Quantisation(
        method="int8-rows",
        macro_f1_change=-0.001,
        macro_f1_change_lower_bound=-0.004,
        macro_f1_change_upper_bound=0.002,
        agreement_with_fp32=0.99,
        batch_difference=1e-6,
        batch_flips=0.0,
    )
    manifest = package.manifest.model_copy(update={"quantisation": cost})
    written = write_package(package.path, manifest, tokenizer=package.tokenizer, graph=package.graph)
    assert written.manifest.quantisation == cost


@pytest.mark.parametrize("version", [4, 0, "1", True, None])
def test_another_schema_version_is_refused_with_the_remedy(package: Package, version: object) -> None:
    change_manifest(package, schema_version=version)
    with pytest.raises(
        PackageError, match=r"schema version .* this server reads 1 to 3; use the server version"
    ):
        read_package(package.path)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"unknown": 1}, "unknown: Extra inputs are not permitted"),
        ({"labels": ["positive", "negative"]}, "labels must be"),
        ({"labels": ["negative"]}, "labels must be"),
        ({"limits": {"max_tokens": 513}}, "limits.max_tokens"),
        ({"canaries": []}, "canaries"),
        ({"temperature": 0}, "temperature"),
        ({"name": "../x"}, "name"),
    ],
)
def test_a_manifest_that_breaks_the_contract_is_refused(
    package: Package, fields: dict[str, Any], reason: str
) -> None:
    change_manifest(package, **fields)
    with pytest.raises(PackageError, match=reason):
        read_package(package.path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"nonsense", b"[" * 200_000])
def test_what_is_no_manifest_is_refused(package: Package, content: bytes) -> None:
    (package.path / MANIFEST).write_bytes(content)
    with pytest.raises(PackageError, match="not a manifest"):
        read_package(package.path)


def test_a_path_without_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"nowhere: no model package there"):
        read_package(tmp_path / "nowhere")
