"""Which release is open, was kept, or was made by helm alone: the records beside what Helm remembers."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from k8s.release.api import Api
from k8s.release.deployment import find_deployment
from k8s.release.helm import Helm
from k8s.release.model import Model
from k8s.release.outcome import ReleaseError
from k8s.release.record import Record, now, read_records, save


@dataclass(frozen=True)
class Ledger:
    """The records of one Helm release, in the hand of one process."""

    api: Api
    helm: Helm
    say: Callable[[str], None]
    process: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def save(self, record: Record, *, takes_over: bool = False) -> Record:
        """Write a record down, and return it; see `record.save`."""
        save(self.api, self.helm.release, record, takes_over=takes_over)
        return record

    def new(self, model: Model, before: Model, revision: int, *, who: str, why: str) -> Record:
        """Return the record of a release that begins."""
        return Record(uuid.uuid4().hex[:12], model, before, revision, who, why, now(), self.process)

    def find_open(self) -> Record | None:
        """Return the release that is open, as this process's; one that helm has overtaken is closed."""
        found = next((each for each in self._records() if each.open), None)
        if found is None:
            return None
        mine = replace(found, process=self.process)
        deployed = self.helm.model()
        if found.state == "rolling" or deployed in (found.model, found.before):
            return mine
        self.say(f"{found.told}, and {deployed} has been deployed by helm since: that release is over")
        self.save(mine.with_state("overtaken", reason=f"{deployed} was deployed by helm"), takes_over=True)
        return None

    def find_kept(self) -> Record | None:
        """Return the last release that was kept, as this process's, where its model is still deployed."""
        kept = next((each for each in reversed(self._records()) if each.state == "kept"), None)
        if kept is None or kept.model != self.helm.model():
            return None
        return replace(kept, process=self.process)

    def find_unrecorded(self) -> Record:
        """Return the last change of the model, which helm alone made, as if it had been a release.

        Raises:
            ReleaseError: Helm remembers no other model.
        """
        current = self.helm.model()
        for revision in reversed(self.helm.history()[:-1]):
            before = self.helm.model(revision.number)
            if revision.went_out and before != current:
                why = "not released by this tool"
                return self.new(current, before, revision.number, who="unknown", why=why)
        raise ReleaseError(
            f"Helm keeps no revision of {self.helm.release} with another model than {current}: release "
            f"one with {self.helm.command('VERSION')}"
        )

    def find_revision(self, model: Model | None) -> tuple[Model, int] | None:
        """Find the last revision that has a model; after `kubectl rollout undo` it is not the last of all."""
        for revision in reversed(self.helm.history()):
            if revision.went_out and self.helm.model(revision.number) == model is not None:
                return model, revision.number
        return None

    def _records(self) -> list[Record]:
        return read_records(self.api, find_deployment(self.api, self.helm.release))
