"""A loaded model that answers: package, scorer and runner, behind one call."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from functools import partial

from bento.cpus import usable_cpus
from bento.ids import uuid7
from bento.metrics import Metrics, Series
from bento.observed import Observed
from bento.package import Manifest, PackageError, read_package
from bento.rundir import ModelRef
from bento.runner import BatchReport, Runner
from bento.schemas import Model
from bento.scorer import Encoding, Scorer
from bento.settings import Settings
from bento.tokenising import Tokenising
from bento.work import Request, Scored, ScoringError

INLINE_CHARS = 4_096  # up to here tokenising is quicker than handing it to a thread
_DIGITS = 6  # of a score
_JSON = {True: "true", False: "false"}


class TextRefusedError(Exception):
    """A text cannot be judged."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


class LoadedModel:
    """One model, ready to answer. Made by `load_model`.

    Attributes:
        manifest: What the package says of itself.
        model: What answers say of it; `model_json` is the same, written.
        version: What logs, metrics and headers call it: its version, else the beginning of its digest.
        runner: What scores.
        lanes: How many batches it scores side by side.
    """

    def __init__(
        self, scorer: Scorer, manifest: Manifest, model: Model, settings: Settings, metrics: Metrics
    ) -> None:
        self.manifest = manifest
        self.model = model
        self.model_json = model.model_dump_json()
        self.version = model.version or model.digest.removeprefix("sha256:")[:12]
        self.lanes = settings.lanes or max(1, usable_cpus() // settings.workers)
        self.runner = Runner(
            scorer.score,
            lanes=self.lanes,
            batch_tokens=settings.batch_tokens,
            max_queue_s=settings.max_queue_ms / 1e3,
            observe=partial(_observe_batch, metrics),
        )
        self._scorer = scorer
        self._settings = settings
        self._metrics = metrics
        self._observed = Observed(manifest, self.version, metrics)
        self._tokenising = Tokenising()
        self._nothing = scorer.encode("").ids
        self._parts = [f'"{label}":' for label in manifest.labels]

    async def start(self) -> None:
        """Start the lanes and warm them up, so that the first caller does not pay for it."""
        self.runner.start()
        texts = [canary.text for canary in self.manifest.canaries]

        def encode() -> list[Encoding]:
            return [self._scorer.encode(text) for text in texts]

        await self.runner.warm_up(await self._tokenising.run(encode, sum(map(len, texts))))

    def take_over(self, previous: "LoadedModel | None") -> None:
        """Be the model that metrics tell of, instead of the previous one, with the demand that it met."""
        told = self._describe()
        if previous is not None:
            self.runner.capacity.take_over_demand(previous.runner.capacity)
            for name, labels in previous._describe().keys() - told.keys():
                self._metrics.set(name, 0, *labels)
        for (name, labels), value in told.items():
            self._metrics.set(name, value, *labels)

    async def predict(
        self, texts: Sequence[str], *, deadline: float = math.inf, marks: list[float]
    ) -> list[str]:
        """Judge texts.

        Args:
            texts: At least one.
            deadline: By `time.perf_counter`; what has not begun by then is not scored.
            marks: Gets the times at which its stages end; see `Exchange`.

        Returns:
            The predictions, in the order of the texts, each written as JSON.

        Raises:
            TextRefusedError: One is too long or empty; none was scored.
            QueueFullError: See `Runner.submit`.
            DeadlineError: See `Runner.submit`.
            ScoringError: See `Runner.submit`.
            DrainingError: See `Runner.submit`.
        """
        kept = [self._shorten(index, text) for index, text in enumerate(texts)]
        chars = sum(map(len, kept))
        is_short = chars <= INLINE_CHARS
        self.runner.refuse_if_full(
            len(texts), deadline=deadline, not_before_s=0.0 if is_short else self._tokenising.wait_s
        )
        marks.append(time.perf_counter())
        encode = partial(self._encode, kept)
        encodings = encode() if is_short else await self._tokenising.run(encode, chars)
        marks.append(time.perf_counter())
        scored = await self.runner.submit(encodings, deadline=deadline, marks=marks)
        shortened = [len(short) < len(text) for short, text in zip(kept, texts, strict=True)]
        return self._answer(encodings, scored, shortened, marks)

    def begin(
        self,
        text: str,
        end: Callable[[Callable[[], list[str]]], None],
        *,
        deadline: float = math.inf,
        marks: list[float],
    ) -> Callable[[], None]:
        """Judge one text of at most `INLINE_CHARS`, without anybody awaiting it.

        Args:
            text: What to judge.
            end: Called once, later, with what returns the prediction, or raises what `predict` would.
            deadline: See `predict`.
            marks: See `predict`.

        Returns:
            Withdraws the text, whose answer nobody wants any more.

        Raises:
            Exception: What `predict` raises before it waits.
        """
        self.runner.refuse_if_full(1, deadline=deadline)
        marks.append(time.perf_counter())
        kept = self._shorten(0, text)
        encodings = self._encode([kept])
        marks.append(time.perf_counter())

        def answered(request: Request) -> None:
            end(lambda: self._answer(encodings, request.answer(), [len(kept) < len(text)], marks))

        request = self.runner.enqueue(encodings, answered, deadline=deadline, marks=marks)
        return partial(self.runner.withdraw, request)

    async def close(self) -> None:
        """Finish what was taken, then stop.

        Nothing refers back to it, so its memory is free as soon as nobody has it any more: the garbage
        collector does not look at what was there when the server became ready.
        """
        await self.runner.drain()
        self._tokenising.close()

    def set_gauges(self) -> None:
        """Say how much waits, and how much of the capacity is used."""
        now = time.perf_counter()
        self._metrics.set("valence_queue_texts", self.runner.depth)
        self._metrics.set("valence_capacity_used_ratio", self.runner.capacity.used_ratio(now))

    def _describe(self) -> dict[Series, float]:
        """Return the gauges that tell of this model, and their values."""
        model = self.model
        labels = (model.name, model.version or "", model.digest, self.manifest.family)
        return {("valence_model_info", labels): 1} | self._observed.reference()

    def _shorten(self, index: int, text: str) -> str:
        allowed = self._settings.max_text_chars
        if len(text) > allowed and self._settings.long_texts == "refuse":
            raise TextRefusedError(index, f"has {len(text)} characters, at most {allowed} are allowed")
        return text[:allowed]

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        encodings = [self._scorer.encode(text) for text in texts]
        for index, encoding in enumerate(encodings):
            if encoding.ids == self._nothing:
                raise TextRefusedError(index, "is empty: only markup, white space or invisible characters")
        return encodings

    def _answer(
        self,
        encodings: Sequence[Encoding],
        scored: Sequence[Scored],
        shortened: Sequence[bool],
        marks: list[float],
    ) -> list[str]:
        admitted, tokenised, _ = marks
        self._metrics.observe("valence_tokenise_seconds", tokenised - admitted)
        marks.append(max(one.taken + one.infer_s for one in scored))
        return [
            self._predict(encoding, one, truncated=encoding.truncated or short)
            for encoding, one, short in zip(encodings, scored, shortened, strict=True)
        ]

    def _predict(self, encoding: Encoding, scored: Scored, *, truncated: bool) -> str:
        """Return a `Prediction` as JSON; making one to write it would take four times as long."""
        scores = [round(score, _DIGITS) for score in scored.scores.tolist()]
        confidence = max(scores)
        sentiment = self.manifest.labels[scores.index(confidence)]
        certain = confidence >= self._scorer.certain_from
        self._observed.count(sentiment, confidence, len(encoding), certain=certain)
        written = ",".join([f"{part}{score}" for part, score in zip(self._parts, scores, strict=True)])
        return (
            f'{{"id":"{uuid7()}","sentiment":"{sentiment}","confidence":{confidence},'
            f'"scores":{{{written}}},"certain":{_JSON[certain]},"truncated":{_JSON[truncated]}}}'
        )


async def load_model(choice: ModelRef, settings: Settings, metrics: Metrics) -> LoadedModel:
    """Load a model package, prove that it computes what it should, and warm it up.

    Args:
        choice: The package.
        settings: The server's.
        metrics: Where it counts.

    Raises:
        PackageError: It must not be served.
    """

    def load() -> tuple[Scorer, Manifest, Model]:
        package = read_package(choice.path, choice.digest)
        scorer = Scorer(package)
        scorer.check()
        name = package.manifest.name
        return scorer, package.manifest, Model(name=name, version=choice.version, digest=package.digest)

    serving = LoadedModel(*await asyncio.to_thread(load), settings, metrics)
    try:
        await serving.start()
    except ScoringError as error:
        await serving.close()
        raise PackageError(f"{choice.path}: cannot be warmed up: {error}") from error
    except BaseException:
        await serving.close()
        raise
    return serving


def _observe_batch(metrics: Metrics, report: BatchReport) -> None:
    """Count a batch. Not a method, as nothing of a `LoadedModel` may refer to it: see `LoadedModel.close`."""
    observe = metrics.observe
    for wait_s in report.waits_s:
        observe("valence_queue_wait_seconds", wait_s)
    observe("valence_batch_texts", len(report.waits_s))
    observe("valence_batch_tokens", report.padded_tokens)
    observe("valence_batch_padding_ratio", 1 - report.tokens / max(1, report.padded_tokens))
    observe("valence_inference_seconds", report.infer_s)
