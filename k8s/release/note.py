"""The release note: what a plan found, for people."""

from typing import Any


def write_note(plan: dict[str, Any]) -> str:
    """Return a plan as Markdown. It holds no text of the sample."""
    live, candidate = plan["live"], plan["candidate"]
    shift, replicas = plan["score_shift"], plan["replicas"]
    lines = [
        f"# {candidate['name']} {candidate['version']}, compared with {live['version']}",
        "",
        f"On {plan['texts']} texts of `{plan['sample']['file']}`, the sentiment of {_share(plan['flips'])} "
        "differs.",
        "",
        "| texts | how many | differ | share (95% interval) |",
        "|---|---|---|---|",
        *(_row(name, each) for name, each in [("all", plan["flips"]), *plan["slices"].items()]),
        "",
        *(f"- {name}: {count}" for name, count in plan["transitions"].items()),
        f"- scores move by {shift['mean']:.3f} on average, {shift['p95']:.3f} at the 95th percentile, "
        f"{shift['max']:.3f} at most; "
        + ", ".join(f"{label} {value:+.3f}" for label, value in shift["mean_by_label"].items()),
        "",
        "| | live | candidate |",
        "|---|---|---|",
        *_cost_rows(plan["cost"]["live"], plan["cost"]["candidate"]),
        "",
        _replicas(replicas),
        "",
        f"live {live['digest']}, candidate {candidate['digest']}",
    ]
    return "\n".join(lines) + "\n"


def _share(part: dict[str, Any]) -> str:
    low, high = part["interval"]
    return f"{part['count']} ({part['share']:.2%}, 95% interval {low:.2%} to {high:.2%})"


def _row(name: str, part: dict[str, Any]) -> str:
    low, high = part["interval"]
    return f"| {name} | {part['texts']} | {part['count']} | {part['share']:.2%} ({low:.2%} to {high:.2%}) |"


def _cost_rows(live: dict[str, Any], candidate: dict[str, Any]) -> list[str]:
    rows = [
        ("CPU time of a text, ms", "cpu_ms_per_text"),
        ("memory at most, MiB", "max_rss_mib"),
        ("all of them, s", "seconds"),
    ]
    made = [f"| {title} | {live[key]} | {candidate[key]} |" for title, key in rows]
    for part in ("p50", "p95", "p99"):
        each = (cost["alone_ms"].get(part, "-") for cost in (live, candidate))
        made.append(f"| a text alone, {part}, ms | {' | '.join(map(str, each))} |")
    return made


def _replicas(replicas: dict[str, Any]) -> str:
    line = f"A text costs {replicas['cpu_ratio']:.2f} times the CPU time"
    if replicas["needed"] is None:
        return f"{line}; the same traffic needs as many times the replicas."
    return f"{line}: for the same traffic {replicas['needed']} replicas instead of {replicas['now']}."
