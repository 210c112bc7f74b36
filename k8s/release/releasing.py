"""One release from its beginning to its end, whichever that is; interrupted, it is gone on with."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from k8s.release.api import Api
from k8s.release.bake import Verdict, bake
from k8s.release.deployment import Rollout, find_deployment, look
from k8s.release.helm import Helm, HelmError
from k8s.release.model import Model, from_template
from k8s.release.outcome import Exit, ReleaseError
from k8s.release.prometheus import Prometheus
from k8s.release.record import Record, now, read_records, save
from k8s.release.smoke import SmokeError, check_answers, read_canaries, through_pods, through_url
from k8s.release.watching import Patience, RolloutError, await_rollout

_WENT_OUT = ("superseded", "deployed")
_BUSY = ("pending-install", "pending-upgrade", "pending-rollback")


@dataclass(frozen=True)
class Wish:
    """What is to be released, and how it is watched."""

    model: Model
    package: Path | None  # for its canary texts
    chart: Path
    values: Path | None
    who: str
    why: str
    patience: Patience
    bake_s: int
    before_s: int
    prometheus: Prometheus | None
    url: str | None
    accept_little_traffic: bool


@dataclass(frozen=True)
class Release:
    """A Helm release on a cluster."""

    api: Api
    helm: Helm
    say: Callable[[str], None]

    def run(self, wish: Wish) -> Exit:
        """Release a model.

        Returns:
            DONE, UNDONE or UNPROVEN.

        Raises:
            ReleaseError: It was refused, or a person is needed.
        """
        record = self._begin(wish)
        if record is None:
            return Exit.DONE
        if record.state == "undoing":
            return self._go_back(record, record.reason or "its undo was interrupted")
        try:
            self._deploy(record, wish)
            rollout = await_rollout(self.api, self.helm.release, wish.patience, self.say)
            if record.state == "rolling":
                self._smoke(rollout, wish)
        except (RolloutError, SmokeError) as error:
            return self._go_back(record, str(error))
        if record.baking_since is None:
            record = self._save(record.with_state("baking", baking_since=now()))
        return self._conclude(record, self._bake(record, wish), accept=wish.accept_little_traffic)

    def undo(self, reason: str) -> Exit:
        """Go back to the model before: of the release that is open, else of the last that was kept."""
        record = next((each for each in reversed(self._records()) if each.open or each.state == "kept"), None)
        if record is not None and (record.open or record.model == self.helm.model()):
            self._go_back(record, reason)
            return Exit.DONE
        current = self.helm.model()
        for revision in reversed(self.helm.history()[:-1]):
            before = self.helm.model(revision.number)
            if revision.status in _WENT_OUT and before != current:
                fresh = self._record(current, before, revision.number, "unknown", "not released by this tool")
                self._go_back(fresh, reason)
                return Exit.DONE
        raise ReleaseError(
            f"Helm keeps no revision of {self.helm.release} with another model than {current}: release "
            "one with python -m k8s.release VERSION"
        )

    def _records(self) -> list[Record]:
        return read_records(self.api, find_deployment(self.api, self.helm.release))

    def _save(self, record: Record) -> Record:
        save(self.api, self.helm.release, record)
        return record

    @staticmethod
    def _record(model: Model, before: Model, revision: int, who: str, why: str) -> Record:
        return Record(uuid.uuid4().hex[:12], model, before, revision, who, why, now())

    def _begin(self, wish: Wish) -> Record | None:
        """Find the release to go on with, or begin one; None where there is nothing to do."""
        running = next((each for each in self._records() if each.open), None)
        if running is not None:
            if running.model != wish.model:
                raise ReleaseError(
                    f"{running.who} has been releasing {running.model} since {running.started} "
                    f"({running.state}); go on with it: python -m k8s.release {running.model.version}, or "
                    "end it: python -m k8s.release undo"
                )
            self.say(
                f"going on with the release of {running.model} that {running.who} began ({running.state})"
            )
            return running
        deployed, revision = self.helm.model(), self.helm.history()[-1]
        serves = from_template(find_deployment(self.api, self.helm.release))
        if deployed == wish.model == serves and look(self.api, self.helm.release).complete:
            self.say(f"{wish.model} serves already; nothing to do")
            return None
        if revision.status in _BUSY:
            raise ReleaseError(
                f"helm is busy with {self.helm.release}, or was killed: revision {revision.number} is "
                f"{revision.status}; when nobody runs it: helm rollback {self.helm.release}"
            )
        before, number = self._find_revision(serves) or (deployed, revision.number)
        self.say(f"{before} -> {wish.model}, by {wish.who}: {wish.why or 'no reason given'}")
        return self._save(self._record(wish.model, before, number, wish.who, wish.why))

    def _find_revision(self, model: Model | None) -> tuple[Model, int] | None:
        """Find the last revision that has a model; after `kubectl rollout undo` it is not the last of all."""
        for revision in reversed(self.helm.history()):
            if revision.status in _WENT_OUT and self.helm.model(revision.number) == model is not None:
                return model, revision.number
        return None

    def _deploy(self, record: Record, wish: Wish) -> None:
        """Let Helm deploy the model, unless it has."""
        last = self.helm.history()[-1]
        if last.status in _BUSY:
            self.say(f"helm was interrupted at revision {last.number}: back to {record.from_revision} first")
            self.helm.rollback(record.from_revision)
        elif record.state != "rolling" or (last.number != record.from_revision and self._is_deployed(record)):
            return
        description = f"model {record.model.version}, by {record.who}: {record.why or 'no reason given'}"
        try:
            self.helm.upgrade(wish.chart, record.model, values=wish.values, description=description)
        except HelmError as error:
            if self.helm.history()[-1].number != last.number:
                raise RolloutError(str(error)) from error
            self._save(record.with_state("refused", reason=str(error)))
            raise

    def _is_deployed(self, record: Record) -> bool:
        return self.helm.history()[-1].status == "deployed" and self.helm.model() == record.model

    def _smoke(self, rollout: Rollout, wish: Wish) -> None:
        canaries = read_canaries(wish.package)
        asks = through_url(wish.url) if wish.url else through_pods(self.api, rollout)
        made = check_answers(asks, wish.model, canaries)
        note = "" if canaries else "; no canary texts, as no registry was asked"
        self.say(f"{made} predictions by {', '.join(asks)} are as they should be{note}")

    def _bake(self, record: Record, wish: Wish) -> Verdict:
        if wish.bake_s == 0:
            return Verdict("kept", "no bake was asked for")
        assert wish.prometheus is not None  # noqa: S101 - the command line sees to it
        return bake(
            self.api,
            self.helm.release,
            record,
            wish.prometheus,
            bake_s=wish.bake_s,
            before_s=wish.before_s,
            say=self.say,
        )

    def _conclude(self, record: Record, verdict: Verdict, *, accept: bool) -> Exit:
        if verdict.says == "violated":
            return self._go_back(record, verdict.why)
        if verdict.says == "unproven" and not accept:
            self._save(record.with_state("unproven", reason=verdict.why))
            self.say(f"{record.model} is in place and unproven: {verdict.why}")
            self.say(
                f"judge it again: python -m k8s.release {record.model.version}; keep it as it is: the same "
                "with --accept-little-traffic; go back: python -m k8s.release undo"
            )
            return Exit.UNPROVEN
        self._save(record.with_state("kept", reason=verdict.why))
        self.say(f"{record.model} is kept: {verdict.why}")
        self.say(
            f"the registry's alias: python -m training.promote --to {record.model.version}; "
            "how all stand: python -m k8s.release status"
        )
        return Exit.DONE

    def _go_back(self, record: Record, reason: str) -> Exit:
        self.say(f"going back to {record.before}: {reason}")
        record = self._save(record.with_state("undoing", reason=reason))
        try:
            if self.helm.model() != record.before or self.helm.history()[-1].status != "deployed":
                self.helm.rollback(record.from_revision)
            await_rollout(self.api, self.helm.release, Patience(600), self.say)
        except ReleaseError as error:
            raise ReleaseError(
                f"{record.before} is not back: {error}; see: kubectl get pods, helm history "
                f"{self.helm.release}; then go on with: python -m k8s.release undo",
                Exit.STUCK,
            ) from error
        self._save(record.with_state("undone", reason=reason))
        self.say(f"{record.before} serves again; {record.model} was taken back: {reason}")
        return Exit.UNDONE
