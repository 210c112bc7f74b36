"""One release from its beginning to its end, whichever that is; interrupted, it is gone on with."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from k8s.release.api import Api
from k8s.release.bake import Verdict, bake
from k8s.release.deployment import Rollout, is_ready, look
from k8s.release.helm import Helm, HelmError, Revision
from k8s.release.ledger import Ledger
from k8s.release.model import Model
from k8s.release.outcome import Exit, ReleaseError
from k8s.release.prometheus import Prometheus, PrometheusError
from k8s.release.record import Record, now
from k8s.release.slo import check_known
from k8s.release.smoke import SmokeError, check_answers, check_way, read_canaries, through_pods, through_url
from k8s.release.watching import Patience, RolloutError, await_rollout

_HELM_MAY_TAKE_S = 30  # after which a helm that another process began counts as killed


class RefusedError(ReleaseError):
    """Helm has refused, and nothing was changed."""


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

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(self.api, self.helm, self.say)

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
        try:
            return self._go_on(record, wish)
        except RefusedError:
            raise
        except ReleaseError as error:
            if error.code is not Exit.REFUSED:
                raise
            message = f"{error}; the release of {record.model} is not at its end: the same command goes on"
            raise ReleaseError(message, Exit.STUCK) from error

    def undo(self, reason: str, patience: Patience) -> Exit:
        """Go back to the model before: of the release that is open, else of the last that was kept."""
        ledger = self._ledger
        record = ledger.find_open() or ledger.find_kept() or ledger.find_unrecorded()
        self._go_back(ledger.save(record, takes_over=True), reason, patience)
        return Exit.DONE

    def _go_on(self, record: Record, wish: Wish) -> Exit:
        if record.state == "undoing":
            return self._go_back(record, record.reason or "its undo was interrupted", wish.patience)
        try:
            self._deploy(record, wish)
            rollout = await_rollout(self.api, self.helm.release, record.model, wish.patience, self.say)
            if record.state == "rolling":
                self._smoke(rollout, wish)
        except (RolloutError, SmokeError) as error:
            return self._go_back(record, str(error), wish.patience)
        if record.baking_since is None:
            record = self._ledger.save(record.with_state("baking", baking_since=now()))
        verdict = self._bake(record, wish)
        if verdict.says == "violated":
            return self._go_back(record, verdict.why, wish.patience)
        return self._conclude(record, verdict, accept=wish.accept_little_traffic)

    def _begin(self, wish: Wish) -> Record | None:
        """Find the release to go on with, or begin one; None where there is nothing to do."""
        running = self._ledger.find_open()
        if running is not None:
            if running.model != wish.model:
                raise ReleaseError(
                    f"{running.told}; go on with it: {self.helm.command(running.model.version)}, or end it: "
                    f"{self.helm.command('undo')}"
                )
            self.say(
                f"going on with the release of {running.model} that {running.who} began ({running.state})"
            )
            return self._ledger.save(running, takes_over=True)
        deployed, last = self.helm.model(), self.helm.last()
        rollout = look(self.api, self.helm.release)
        if last.is_pending:
            raise ReleaseError(
                f"helm is busy with {self.helm.release}, or was killed: revision {last.number} is "
                f"{last.status}; when nobody runs it: {self.helm.by_hand(f'rollback {self.helm.release}')}"
            )
        if deployed == wish.model == rollout.model and rollout.complete:
            self.say(f"{wish.model} serves already; nothing to do")
            return None
        self._check_ways(wish, rollout)
        before, number = self._ledger.find_revision(rollout.model) or (deployed, last.number)
        self.say(f"{before} -> {wish.model}, by {wish.who}: {wish.why or 'no reason given'}")
        return self._ledger.save(self._ledger.new(wish.model, before, number, who=wish.who, why=wish.why))

    def _check_ways(self, wish: Wish, rollout: Rollout) -> None:
        """See what can be seen before anything is changed: that pods can be asked, and are counted."""
        ready = [pod for pod in rollout.pods if is_ready(pod)]
        if not ready:
            return
        check_way(through_url(wish.url) if wish.url else through_pods(self.api, ready[:1]))
        if wish.prometheus is not None and wish.bake_s:
            name = rollout.name
            try:
                check_known(wish.prometheus, self.api.namespace, name, window_s=wish.before_s)
            except PrometheusError as error:
                raise ReleaseError(f"{error}; nothing was changed; to release unwatched: --bake 0") from error

    def _deploy(self, record: Record, wish: Wish) -> None:
        """Let Helm deploy the model, unless it has."""
        last = self._await_helm()
        if last.is_pending:
            self.say(f"helm was interrupted at revision {last.number}: back to {record.from_revision} first")
            self.helm.rollback(record.from_revision)
        elif record.state != "rolling" or self._stands(record.model):
            return
        description = f"model {record.model.version}, by {record.who}: {record.why or 'no reason given'}"
        try:
            self.helm.upgrade(wish.chart, record.model, values=wish.values, description=description)
        except HelmError as error:
            if self.helm.last().number != last.number:
                raise RolloutError(str(error)) from error
            self._ledger.save(record.with_state("refused", reason=str(error)))
            raise RefusedError(str(error)) from error

    def _await_helm(self) -> Revision:
        """Return the last revision; where a helm is at it that another process began, give it time to end."""
        until = time.monotonic() + _HELM_MAY_TAKE_S
        while (last := self.helm.last()).is_pending and time.monotonic() < until:
            time.sleep(1)
        return last

    def _stands(self, model: Model) -> bool:
        """Whether Helm has deployed a model, and nobody has changed it behind Helm's back."""
        deployed = self.helm.last().is_deployed and self.helm.model() == model
        return deployed and look(self.api, self.helm.release).model == model

    def _smoke(self, rollout: Rollout, wish: Wish) -> None:
        canaries = read_canaries(wish.package)
        asks = through_url(wish.url) if wish.url else through_pods(self.api, rollout.new)
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
        again = self.helm.command(record.model.version)
        if verdict.says == "unproven" and not accept:
            self._ledger.save(record.with_state("unproven", reason=verdict.why))
            self.say(f"{record.model} is in place and unproven: {verdict.why}")
            self.say(
                f"judge it again with the same command; keep it as it is: {again} --accept-little-traffic …; "
                f"go back: {self.helm.command('undo')}"
            )
            return Exit.UNPROVEN
        self._ledger.save(record.with_state("kept", reason=verdict.why))
        self.say(f"{record.model} is kept: {verdict.why}")
        self.say(
            f"the registry's alias: python -m training.promote --to {record.model.version}; "
            f"how all stand: {self.helm.command('status')}"
        )
        return Exit.DONE

    def _go_back(self, record: Record, reason: str, patience: Patience) -> Exit:
        before = record.before
        if record.from_revision not in {each.number for each in self.helm.history()}:
            raise ReleaseError(
                f"Helm no longer keeps revision {record.from_revision}, which had {before}; release that "
                f"instead: {self.helm.command(before.version)}"
            )
        self.say(f"going back to {before}: {reason}")
        record = self._ledger.save(record.with_state("undoing", reason=reason))
        try:
            self._await_helm()
            if not self._stands(before):
                self.helm.rollback(record.from_revision)
            await_rollout(self.api, self.helm.release, before, patience, self.say)
        except ReleaseError as error:
            raise ReleaseError(
                f"{before} is not back: {error}; see: kubectl get pods -n {self.helm.namespace}, "
                f"{self.helm.by_hand(f'history {self.helm.release}')}; then go on with: "
                f"{self.helm.command('undo')}",
                Exit.STUCK,
            ) from error
        self._ledger.save(record.with_state("undone", reason=reason, back_revision=self.helm.last().number))
        self.say(f"{before} serves again; {record.model} was taken back: {reason}")
        return Exit.UNDONE
