"""Write the grammar-generated part of the training corpus from `lexicon.toml`.

Run as `python -m training.grammar`. The output depends on the lexicon and the seed alone, so the committed
CSV can be checked against a fresh run.
"""

import csv
import io
import random
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from training.usage import no_arguments
from training.whole import new_file

LEXICON: Final = Path(__file__).with_name("lexicon.toml")
CORPUS: Final = Path(__file__).parent / "corpus" / "grammar.csv"
_SEED: Final = 20240607

# Rows of each polarity, by group of frames and topic.
_POLAR: Final = {
    ("any", "film"): 310,
    ("any", "video"): 170,
    ("any", "product"): 190,
    ("any", "service"): 190,
    ("work", "film"): 710,
    ("work", "video"): 270,
    ("product", "product"): 240,
    ("service", "service"): 90,
    ("feeling", "people"): 190,
    ("felt", "people"): 40,
}
# Neutral rows: facts first, then questions that hold evaluative words, then mere topics.
_NEUTRAL: Final = {
    ("neutral_fact", "film"): 186,
    ("neutral_fact", "product"): 196,
    ("neutral_fact", "video"): 180,
    ("neutral_fact", "service"): 190,
    ("neutral_fact", "people"): 204,
    ("neutral_question", "film"): 35,
    ("neutral_question", "video"): 25,
    ("neutral_question", "product"): 25,
    ("neutral_question", "service"): 25,
    ("neutral_topic", "people"): 134,
}
_OPPOSITE: Final = {"positive": "negative", "negative": "positive"}
_PART: Final = re.compile(r"\{([+-]?)(\w+)\}|<([^|>]*)\|([^>]*)>")
# A vowel letter with a vowel sound; "useful", "unique" and "one-note" begin with a consonant sound.
_AN: Final = re.compile(r"\b([Aa]) (?=(?!uniq|unif|univ|use|usu|uti|eu|one\b)[aeiou]|hour|honest|honour)")


def flatten(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Give every list of a nested TOML table under its dotted name."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, [str(entry) for entry in value]


def load() -> dict[str, list[str]]:
    """Read the lexicon as lists under dotted names such as `adjectives.film.positive`."""
    return dict(flatten(tomllib.loads(LEXICON.read_text(encoding="utf-8"))))


def articles(text: str) -> str:
    """Put `an` for `a` before a vowel sound."""
    return _AN.sub(r"\1n ", text)


class Grammar:
    """Fills frames so that every entry is used about equally often, and in different frames."""

    def __init__(self) -> None:
        self.lists = load()
        self.rng = random.Random(_SEED)
        self.uses: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.frame = ""
        self.taken: set[str] = set()
        self.plural = False
        self.long = {
            f"adjectives.{kind}.{sign}": [
                word for word in self.lists[f"adjectives.{kind}.{sign}"] if word.isalpha() and len(word) > 7
            ]
            for kind in ("work", "product", "service")
            for sign in _OPPOSITE
        }

    def draw(self, name: str, among: list[str] | None = None) -> str:
        """Take the entry of a list used least, rather in a frame that it has not been in."""
        free = [entry for entry in among or self.lists[name] if entry not in self.taken]
        rank = {entry: self._rank(name, entry) for entry in free}
        least = min(rank.values())
        choice = self.rng.choice([entry for entry in free if rank[entry] == least])
        self.uses[name, choice].append(self.frame)
        self.taken.add(choice)
        return choice

    def _rank(self, name: str, entry: str) -> int:
        uses = self.uses[name, entry]
        return 2 * len(uses) + 3 * (self.frame in uses)

    def subject(self, topic: str, kinds: tuple[str, ...]) -> str:
        """Draw a subject and remember its number for the verb that follows."""
        kind = self.rng.choice(kinds)
        self.plural = kind == "plural"
        return self.draw(f"subjects.{topic}.{kind}")

    def slot(self, sign: str, slot: str, topic: str, polarity: str) -> str:
        """Fill one slot of a frame."""
        side = _OPPOSITE[polarity] if sign == "-" else polarity
        kind = "work" if topic in ("film", "video") else topic
        match slot:
            case "S":
                return self.subject(topic, ("whole", "whole", "singular", "plural"))
            case "W":
                return self.subject(topic, ("whole",))
            case "A" | "P":
                return self.subject(topic, ("singular", "singular", "plural"))
            case "a":
                return self.subject(topic, ("singular", "plural")).removeprefix("the ")
            case "I":
                return self.subject(topic, ("singular" if topic == "people" else "neutral",))
            case "adj":
                return self.draw(f"adjectives.{kind}.{side}")
            case "iadj":
                name = f"adjectives.{kind}.{side}"
                return self.draw(name, [word for word in self.lists[name] if word.isalpha()])
            case "long":
                name = f"adjectives.{kind}.{side}"
                return self.draw(name, self.long[name])
        fixed = {"N": f"heads.{topic}", "F": f"facts.{topic}", "T": "topics.neutral"}
        fixed |= {"int": "degree.intensifiers", "mit": f"mitigators.{side}", "flip": f"negatable.{side}"}
        fixed |= {"feel": f"feelings.{side}", "felt": f"felt.{side}", "re": f"reactions.{side}"}
        fixed |= {"np": f"nouns.{kind}.{side}", "vp": f"verbs.{kind}.{side}"}
        return self.draw(fixed[slot])

    def fill(self, frame: str, topic: str, polarity: str) -> str:
        """Turn a frame into a sentence without capital or final stop."""
        self.frame, self.taken, self.plural = frame, set(), False

        def part(match: re.Match[str]) -> str:
            if match[2]:
                return self.slot(match[1], match[2], topic, polarity)
            return match[4] if self.plural else match[3]

        return articles(_PART.sub(part, frame))

    def dress(self, text: str, ends: str) -> str:
        """Write half the sentences as comments are written, in lower case with no final stop."""
        if self.rng.random() < 0.5:
            return text.rstrip("?").lower()
        end = "" if text.endswith("?") else self.rng.choice(ends)
        return text[0].upper() + text[1:] + end

    def rows(self) -> Iterator[tuple[str, str]]:
        """Give each text with its label, no text twice."""
        seen: set[str] = set()
        plan = [(label, _POLAR) for label in _OPPOSITE] + [("neutral", _NEUTRAL)]
        for label, quotas in plan:
            for (group, topic), quota in quotas.items():
                for number in range(quota):
                    frames = self.lists[f"frames.{group}"]
                    polarity = label if label in _OPPOSITE else self.rng.choice(list(_OPPOSITE))
                    ends = ".......!" if label in _OPPOSITE else "."
                    text = self.dress(self.fill(frames[number % len(frames)], topic, polarity), ends)
                    while (bare := text.rstrip(".!?").lower()) in seen:
                        text = self.dress(self.fill(self.rng.choice(frames), topic, polarity), ends)
                    seen.add(bare)
                    yield text, label


def render(grammar: Grammar) -> str:
    """Give the whole CSV as text."""
    rows = list(grammar.rows())
    random.Random(_SEED).shuffle(rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([("text", "label"), *rows])
    return out.getvalue()


def main() -> None:
    """Write the corpus, whole or not at all."""
    no_arguments("training.grammar", __doc__)
    with new_file(CORPUS) as part:
        part.write_bytes(render(Grammar()).encode())


if __name__ == "__main__":
    main()
