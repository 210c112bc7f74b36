"""All workers change their model or none does, whoever fails, and whenever; over real sockets."""

import asyncio
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento.coordinator import RefusedError, WorkersMissingError, change_model
from bento.package import PackageError
from bento.participant import Participant
from bento.rundir import BusyError, ModelRef, RunDirectory, RunDirectoryError, make_run_directory

WITHIN_S = 30
OLD = ModelRef(path=Path("/old"), digest="sha256:0", version="1")
NEW = ModelRef(path=Path("/new"), digest="sha256:1", version="2")

Fault = Literal["none", "refuses", "fails to stage", "fails to switch"]
Death = Literal["none", "before the commit", "after the commit"]


class Member:
    """A worker with nothing but its choice of a model; one that ends starts anew, as it does."""

    def __init__(self, serves: ModelRef, fault: Fault = "none") -> None:
        self.serves = serves
        self.ends = 0
        self.staged: ModelRef | None = None
        self.fault = fault
        self.settled = asyncio.Event()
        self.may_stage = asyncio.Event()
        self.may_stage.set()
        self.switches = 0

    async def stage(self, choice: ModelRef) -> None:
        await self.may_stage.wait()
        if self.fault == "refuses":
            self.settled.set()
            raise PackageError("canary text 3 scores 0.5000 away")
        if self.fault == "fails to stage":
            self.settled.set()
            raise MemoryError
        self.staged = choice

    def switch(self) -> None:
        if self.fault == "fails to switch":
            raise MemoryError
        assert self.staged is not None
        self.serves, self.staged = self.staged, None
        self.switches += 1
        self.settled.set()

    async def discard(self) -> None:
        self.staged = None
        self.settled.set()

    def start_anew(self, run: RunDirectory) -> None:
        self.ends += 1
        self.serves = run.choice() or OLD


class CoordinatorDiedError(Exception):
    pass


class Mortal(RunDirectory):
    """Has its coordinator die around the commit."""

    def __init__(self, path: Path, death: Death = "none") -> None:
        super().__init__(path)
        self.death = death

    def commit(self, choice: ModelRef) -> None:
        if self.death == "before the commit":
            raise CoordinatorDiedError
        super().commit(choice)
        if self.death == "after the commit":
            raise CoordinatorDiedError


@pytest.fixture
def path() -> Iterator[Path]:
    """A short one, as sockets want it."""
    with tempfile.TemporaryDirectory(prefix="valence-") as path:
        yield Path(path)


def participant_of(run: RunDirectory, member: Member) -> Participant:
    return Participant(run, member, lambda: member.start_anew(run))


@asynccontextmanager
async def taking_part(run: RunDirectory, members: Sequence[Member]) -> AsyncIterator[None]:
    participants = [participant_of(run, member) for member in members]
    for participant in participants:
        await participant.listen()
    try:
        yield
    finally:
        for participant in participants:
            await participant.close()


async def settle(members: Sequence[Member]) -> None:
    async with asyncio.timeout(WITHIN_S):
        for member in members:
            await member.settled.wait()


def test_all_switch_and_the_pointer_says_so(path: Path) -> None:
    async def scenario() -> None:
        run, members = RunDirectory(path), [Member(OLD) for _ in range(3)]
        async with taking_part(run, members):
            assert await change_model(run, NEW, workers=3) == 3
            assert await change_model(run, OLD, workers=3) == 3
            assert await change_model(run, NEW, workers=3) == 3
        assert [member.serves for member in members] == [NEW] * 3
        assert [member.switches for member in members] == [3] * 3
        assert run.choice() == NEW
        assert run.sockets() == []

    asyncio.run(scenario())


def test_one_that_refuses_speaks_for_all_and_the_reason_is_told(path: Path) -> None:
    async def scenario() -> None:
        run, members = RunDirectory(path), [Member(OLD), Member(OLD, "refuses"), Member(OLD)]
        async with taking_part(run, members):
            with pytest.raises(RefusedError, match="canary text 3"):
                await change_model(run, NEW, workers=3)
            await settle(members)
        assert [(member.serves, member.staged) for member in members] == [(OLD, None)] * 3
        assert run.choice() is None

    asyncio.run(scenario())


@given(
    faults=st.lists(st.sampled_from(Fault.__args__), min_size=1, max_size=4),  # type: ignore[attr-defined]
    death=st.sampled_from(Death.__args__),  # type: ignore[attr-defined]
    committed=st.booleans(),
)
def test_all_or_none_whoever_fails_and_whenever(faults: list[Fault], death: Death, committed: bool) -> None:
    """Who cannot follow what is committed ends, and its successor does; nobody else ends."""

    async def scenario(path: Path) -> None:
        run, members = Mortal(path), [Member(OLD, fault) for fault in faults]
        if committed:
            run.commit(OLD)
        run.death = death
        changed = False
        async with taking_part(run, members):
            try:
                said = await change_model(run, NEW, workers=len(members))
                changed = True
                assert said == faults.count("none")
            except (RefusedError, WorkersMissingError):
                assert {"refuses", "fails to stage"} & set(faults)
            except CoordinatorDiedError:
                assert death != "none"
                changed = death == "after the commit"
            await settle(members)
        assert run.choice() == (NEW if changed else OLD if committed else None)
        for member in members:
            assert member.serves == (NEW if changed else OLD)
            assert member.ends == (changed and member.fault == "fails to switch")
            assert member.staged is None
        with run.alone():
            pass  # nobody has kept the lock

    with tempfile.TemporaryDirectory(prefix="valence-") as path:
        asyncio.run(scenario(Path(path)))


def test_after_a_coordinator_died_the_next_one_is_heard(path: Path) -> None:
    async def scenario() -> None:
        run, members = Mortal(path, "before the commit"), [Member(OLD), Member(OLD)]
        async with taking_part(run, members):
            with pytest.raises(CoordinatorDiedError):
                await change_model(run, NEW, workers=2)
            assert await change_model(RunDirectory(path), NEW, workers=2) == 2
        assert [member.serves for member in members] == [NEW] * 2

    asyncio.run(scenario())


def test_a_worker_that_is_too_slow_is_not_waited_for_and_changes_nothing(path: Path) -> None:
    async def scenario() -> None:
        run, members = RunDirectory(path), [Member(OLD), Member(OLD)]
        members[1].may_stage.clear()
        async with taking_part(run, members):
            with pytest.raises(WorkersMissingError, match=r"within 0\.05 s"):
                await change_model(run, NEW, workers=2, stage_within_s=0.05)
            members[1].may_stage.set()
            await settle(members)
        assert [(member.serves, member.staged) for member in members] == [(OLD, None)] * 2

    asyncio.run(scenario())


def test_one_that_leaves_lets_go_of_what_it_staged(path: Path) -> None:
    async def scenario() -> None:
        run, members = RunDirectory(path), [Member(OLD), Member(OLD)]
        members[1].may_stage.clear()
        leaving, staying = (participant_of(run, member) for member in members)
        await leaving.listen()
        await staying.listen()
        change = asyncio.ensure_future(change_model(run, NEW, workers=2))
        while members[0].staged is None:
            await asyncio.sleep(0)
        await leaving.close()
        members[1].may_stage.set()
        with pytest.raises(WorkersMissingError, match="ended after it had staged"):
            await change
        await settle(members)
        await staying.close()
        assert [(member.serves, member.staged) for member in members] == [(OLD, None)] * 2

    asyncio.run(scenario())


def test_a_change_waits_for_no_other_and_for_every_worker(path: Path) -> None:
    async def scenario() -> None:
        run, member = RunDirectory(path), Member(OLD)
        async with taking_part(run, [member]):
            with run.alone(), pytest.raises(BusyError):
                await change_model(RunDirectory(path), NEW, workers=1)
            with pytest.raises(WorkersMissingError, match="1 of 2"):
                await change_model(run, NEW, workers=2)
            assert member.serves == OLD
            assert await change_model(run, NEW, workers=1) == 1

    asyncio.run(scenario())


def test_the_socket_of_a_dead_worker_is_cleared_away(path: Path) -> None:
    async def scenario() -> None:
        run, member = RunDirectory(path), Member(OLD)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(run.new_socket()))
        async with taking_part(run, [member]):
            assert len(run.sockets()) == 2
            assert await change_model(run, NEW, workers=1) == 1
            assert len(run.sockets()) == 1

    asyncio.run(scenario())


def test_whoever_says_nothing_or_nonsense_does_no_harm(path: Path) -> None:
    async def scenario() -> None:
        run, member = RunDirectory(path), Member(OLD)
        async with taking_part(run, [member]):
            (address,) = run.sockets()
            for message in (b"", b"{}\n", b"x" * 100_000):
                reader, writer = await asyncio.open_unix_connection(address)
                writer.write(message)
                if not message:
                    writer.write_eof()
                assert await reader.read() == b""
                writer.close()
            assert await change_model(run, NEW, workers=1) == 1

    asyncio.run(scenario())


def test_a_lock_goes_with_the_process_that_held_it(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bento.rundir import RunDirectory\n"
        "with RunDirectory(Path(sys.argv[1])).alone():\n    print('held', flush=True); sys.stdin.read()"
    )
    run = RunDirectory(path)
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyError), run.alone():
            pass
        holder.kill()
        holder.wait(WITHIN_S)
    with run.alone():
        pass


def test_the_run_directory_is_for_its_user_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    assert stat.S_IMODE(make_run_directory().stat().st_mode) == 0o700


@pytest.mark.parametrize(("folder", "why"), [("x" * 80, "too long a path"), (None, "set TMPDIR to one")])
def test_a_place_that_does_not_serve_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None, why: str
) -> None:
    place = path / (folder or "missing")
    if folder:
        place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with pytest.raises(RunDirectoryError, match=why):
        make_run_directory()
    assert not folder or list(place.iterdir()) == []
