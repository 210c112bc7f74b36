"""Releases in model versions, which is how people think of them."""

from dataclasses import dataclass

from k8s.release.api import Api
from k8s.release.deployment import find_deployment
from k8s.release.helm import Helm
from k8s.release.model import Model
from k8s.release.record import read_records


@dataclass(frozen=True)
class Entry:
    """A revision of Helm."""

    revision: int
    when: str
    status: str
    model: Model
    note: str


def tell_history(api: Api, helm: Helm, last: int) -> list[Entry]:
    """Return the last revisions with their models, oldest first."""
    records = read_records(api, find_deployment(api, helm.release))
    reasons = {each.back_revision: each.reason for each in records if each.back_revision}
    entries: list[Entry] = []
    for revision in helm.history()[-last:]:
        model, note = helm.model(revision.number), revision.description
        if (why := reasons.get(revision.number)) is not None:
            note += f": {why}"
        entries.append(
            Entry(revision.number, revision.updated.partition(".")[0], revision.status, model, note)
        )
    return entries
