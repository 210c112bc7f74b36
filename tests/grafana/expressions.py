"""Every query of every dashboard, by where it stands."""

import json

from grafana.asked import queries
from grafana.generate import generate

EXPRESSIONS = {
    f"{name.removesuffix('.json')}: {asked.title} {asked.ref}".strip(): asked.expr
    for name, text in generate().items()
    for asked in queries(json.loads(text))
}
