"""In a container the quota counts, not the processors of the host."""

import os
from pathlib import Path

import pytest

from bento.cpus import usable_cpus

ALLOWED = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("content", "cpus"),
    [
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("150000 100000", min(2, ALLOWED)),
        ("max 100000", ALLOWED),
        ("9900000 100000", ALLOWED),
    ],
)
def test_the_quota_of_cgroup_version_2(tmp_path: Path, content: str, cpus: int) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert usable_cpus(tmp_path) == cpus


@pytest.mark.parametrize(("quota_us", "cpus"), [("100000", 1), ("-1", ALLOWED)])
def test_the_quota_of_cgroup_version_1(tmp_path: Path, quota_us: str, cpus: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota_us)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cpus(tmp_path) == cpus


def test_without_a_control_group_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) == ALLOWED
