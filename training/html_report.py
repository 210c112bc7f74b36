"""`report.html`: one page, with nothing to fetch, for whoever decides what goes into production."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path

from pydantic import JsonValue

from training.assessment import Assessment, Interval
from training.charts import confusion_chart, curve_chart, intervals_chart, reliability_chart
from training.evaluate_behaviour import pass_rates
from training.predictions import Predictions
from training.records import Result
from training.whole import new_file

_SURE_AND_WRONG = 12  # examples


@dataclass(frozen=True)
class Compared:
    """All that is known of a family."""

    result: Result
    assessment: Assessment
    predictions: Predictions
    learning: Sequence[tuple[float, float]]


def write_report(path: Path, compared: Sequence[Compared], changes: Mapping[str, Interval]) -> None:
    """Write the page, whole or not at all.

    Args:
        path: Where.
        compared: The families, best first.
        changes: Of each in macro-F1 against the best.
    """
    with new_file(path) as part:
        part.write_text("\n".join(_page(compared, changes)) + "\n", encoding="utf-8")


def _page(compared: Sequence[Compared], changes: Mapping[str, Interval]) -> Iterator[str]:
    best = compared[0]
    style = resources.files("training").joinpath("report.css").read_text(encoding="utf-8")
    data = escape(best.result.data)
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Models on {data}</title><style>{style}</style></head><body>"
    )
    yield f"<h1>Sentiment models on {data}</h1>"
    rows = best.assessment.evaluation.rows
    yield (
        f'<p class="soft">{rows:,} test texts, which no model has seen and nothing was chosen by. In '
        "brackets stand 95% intervals.</p>"
    )
    yield _answer(best, compared[1:], changes)
    yield "<h2>How they compare</h2>" + _chart(compared) + _table(compared, changes)
    for one in compared:
        yield from _family(one)
    yield "</body></html>"


def _answer(best: Compared, others: Sequence[Compared], changes: Mapping[str, Interval]) -> str:
    found = best.assessment
    lines = [
        f"<strong>{escape(best.result.family)}</strong> is the best by macro-F1 on validation. On the test "
        f"texts its macro-F1 is <strong>{_between(found.intervals['macro_f1'])}</strong>, and "
        f"{_between(found.intervals['accuracy'], percent=True)} of its sentiments are right.",
        _promise(found),
    ]
    lines += [_against(other.result, changes[other.result.family]) for other in others]
    weakest = min(found.slices, key=lambda one: one.accuracy.upper, default=None)
    if weakest is not None:
        lines.append(
            f"Its weakest kind of text: {escape(weakest.name)}, "
            f"{_between(weakest.accuracy, percent=True)} right on {weakest.rows} texts."
        )
    return '<div class="answer">' + "".join(f"<p>{line}</p>" for line in lines) + "</div>"


def _against(other: Result, change: Interval) -> str:
    name = escape(other.family)
    stopped = other.params.get("max_steps")
    taste = f" It had a taste of {stopped} steps (train.{name}.max_steps), no more." if stopped else ""
    value, lower, upper = (f"{100 * one:+.1f}" for one in (change.value, change.lower, change.upper))
    points = f"{value} points of macro-F1 ({lower} to {upper})"
    if change.lower <= 0 <= change.upper:
        return f"Between it and {name} these texts do not decide: {points}.{taste}"
    return f"{name} is surely {'better' if change.lower > 0 else 'worse'} on these texts: {points}.{taste}"


def _promise(found: Assessment) -> str:
    certain = found.certain
    if certain.threshold is None:
        return f"It calls nothing certain: no confidence surely means {certain.promise:.0%} right."
    if certain.right is None or certain.right_lower is None or certain.right_upper is None:
        return (
            f"None of these texts reaches the confidence of {certain.threshold:g} from which it is certain."
        )
    verdict = "kept" if certain.right >= certain.promise else "not kept"
    kind = "good" if certain.right >= certain.promise else "bad"
    return (
        f"It calls {certain.share:.0%} of the texts certain. Promised: {certain.promise:.0%} of these right; "
        f"found: {certain.right:.1%} ({certain.right_lower:.1%} to {certain.right_upper:.1%}), "
        f'<span class="{kind}">{verdict}</span>.'
    )


def _chart(compared: Sequence[Compared]) -> str:
    values = {one.result.family: one.assessment.intervals["macro_f1"] for one in compared}
    rows = {name: (found.value, found.lower, found.upper) for name, found in values.items()}
    return intervals_chart(rows, best=compared[0].result.family)


def _table(compared: Sequence[Compared], changes: Mapping[str, Interval]) -> str:
    heads = ["family", "accuracy", "macro-F1", "to the best", "validation", "ECE", "certain"]
    heads += ["ms a text", "texts/s", "MB", "trained, s"]
    rows = []
    for one in compared:
        found, change = one.assessment, changes[one.result.family]
        rows.append(
            [
                escape(one.result.family),
                _between(found.intervals["accuracy"]),
                _between(found.intervals["macro_f1"]),
                "\u2013" if one is compared[0] else f"{change.value:+.3f}",
                f"{one.result.evaluations['validation'].macro_f1:.3f}",
                f"{found.calibration.ece:.3f}",
                f"{found.certain.share:.0%}",
                f"{found.speed.median_ms:.2f}",
                f"{found.speed.texts_per_s:,.0f}",
                f"{found.package_bytes / 1e6:.1f}",
                f"{one.result.train_seconds:.0f}",
            ]
        )
    return _grid(heads, rows) + (
        '<p class="soft">Times are of one thread on the machine that trained. ECE: how far confidence is '
        "from the share that is right.</p>"
    )


def _family(one: Compared) -> Iterator[str]:
    found = one.assessment
    yield f"<h2>{escape(one.result.family)}</h2>"
    package, run = escape(found.digest), escape(found.run_id)
    yield f'<p class="soft">Package <code>{package}</code>, run <code>{run}</code>. {_recipe(one.result)}</p>'
    bins = [(each.confidence, each.right, each.rows) for each in found.calibration.bins]
    yield '<div class="side">'
    yield "<div><h3>What it confuses</h3>"
    yield confusion_chart(list(found.evaluation.classes), found.evaluation.confusion) + "</div>"
    yield "<div><h3>Whether its confidence is honest</h3>"
    yield reliability_chart(bins, found.certain.threshold) + "</div>"
    if len(one.learning) > 1:
        yield "<div><h3>Macro-F1 on validation as it learnt</h3>" + curve_chart(one.learning) + "</div>"
    yield "</div>"
    heads = ["label", "precision", "recall", "F1", "texts"]
    yield _grid(
        heads,
        [
            [
                escape(label),
                f"{scores.precision:.3f}",
                f"{scores.recall:.3f}",
                f"{scores.f1:.3f}",
                str(scores.rows),
            ]
            for label, scores in found.evaluation.classes.items()
        ],
    )
    yield "<h3>By kind of text: share right</h3>"
    accuracies = {
        f"{each.name} ({each.rows})": (each.accuracy.value, each.accuracy.lower, each.accuracy.upper)
        for each in found.slices
    }
    if accuracies:
        yield intervals_chart(accuracies)
    yield "<h3>Behaviour</h3>" + _behaviour(found)
    yield "<h3>Surest and wrong</h3>" + _wrong(one.predictions)


def _recipe(result: Result) -> str:
    params = {name: value for name, value in result.params.items() if value is not None} | result.chosen
    listed = ", ".join(f"{name} {_word(value)}" for name, value in params.items())
    return escape(f"Trained on {result.train_rows:,} rows with {listed}.")


def _word(value: JsonValue) -> str:
    if isinstance(value, list):
        return " ".join(map(_word, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _behaviour(found: Assessment) -> str:
    rates = ", ".join(f"{kind} {rate:.0%}" for kind, rate in pass_rates(found.behaviour).items())
    rows = [
        [
            escape(test.name),
            test.kind,
            f"{test.passed} of {test.cases}",
            "<br>".join(map(escape, test.failures)),
        ]
        for test in found.behaviour
    ]
    return f"<p>{rates}</p>" + _grid(["test", "kind", "passed", "failed, for example"], rows, words=3)


def _wrong(predictions: Predictions) -> str:
    confidence = predictions.scores.max(axis=1)
    wrong = sorted((~predictions.right()).nonzero()[0], key=lambda row: -confidence[row])[:_SURE_AND_WRONG]
    said = predictions.scores.argmax(axis=1)
    rows = [
        [
            f"{confidence[row]:.2f}",
            escape(predictions.labels[said[row]]),
            escape(predictions.truth[row]),
            escape(predictions.texts[row][:240]),
        ]
        for row in wrong
    ]
    return _grid(["confidence", "sentiment", "label", "text"], rows, words=3)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int | None = None) -> str:
    """Return a table of cells that are HTML already; the column `words` holds running text."""
    head = "".join(
        f'<th class="words">{escape(name)}</th>' if place == words else f"<th>{escape(name)}</th>"
        for place, name in enumerate(heads)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="words">{cell}</td>' if place == words else f"<td>{cell}</td>"
            for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _between(found: Interval, *, percent: bool = False) -> str:
    if percent:
        return f"{found.value:.1%} ({found.lower:.1%} to {found.upper:.1%})"
    return f"{found.value:.3f} ({found.lower:.3f} to {found.upper:.3f})"
