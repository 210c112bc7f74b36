"""A text's scores depend on the text and the package alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from bento.package import (
    Limits,
    Package,
    PackageError,
    Quantisation,
    hash_files,
    read_package,
    write_package,
)
from bento.scorer import GraphError, Scorer, plan_batches
from bento.text import normalise

WORDS = ["good", "fantastic", "bad", "awful", "table", "film", "the", "unknown", "[PAD]", "[UNK]"]
TEXTS = st.lists(st.sampled_from(WORDS))


@pytest.fixture(scope="module")
def scorer(package_dir: Path) -> Scorer:
    return Scorer(read_package(package_dir))


def rewrite(package: Package, path: Path, *, graph: bytes | None = None, **fields: object) -> Package:
    graph = package.graph if graph is None else graph
    manifest = package.manifest.model_copy(
        update={"files": hash_files(tokenizer=package.tokenizer, graph=graph), **fields}
    )
    return write_package(path, manifest, tokenizer=package.tokenizer, graph=graph)


def test_scores_are_probabilities_in_the_order_of_the_labels(scorer: Scorer) -> None:
    good, bad, table = scorer.predict(["a good film", "an awful film", "the table"])
    assert scorer.labels == ("negative", "neutral", "positive")
    assert [scorer.labels[int(np.argmax(scores))] for scores in (good, bad, table)] == [
        "positive",
        "negative",
        "neutral",
    ]
    np.testing.assert_allclose(good.sum(), 1, rtol=1e-6)


@given(st.lists(TEXTS.map(" ".join), min_size=1, max_size=12))
def test_scores_depend_neither_on_batch_mates_nor_on_padding(scorer: Scorer, texts: list[str]) -> None:
    together = scorer.score([scorer.encode(text) for text in texts])
    alone = np.concatenate([scorer.score([scorer.encode(text)]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(scorer.predict(texts, batch_tokens=7), alone, atol=1e-6)


def test_the_text_is_normalised_first(scorer: Scorer) -> None:
    raw = "a <b>GOOD</b>\u200b \uff46ilm"
    assert scorer.encode(raw) == scorer.encode(normalise(raw)) == scorer.encode("a good film")


def test_a_special_token_in_a_text_is_plain_text(scorer: Scorer) -> None:
    assert scorer.encode("[PAD] [UNK]").ids == scorer.encode("( zzz ) ( zzz )").ids


def test_an_empty_text_can_be_scored(scorer: Scorer) -> None:
    assert len(scorer.encode(" <br> ")) == 0
    np.testing.assert_allclose(scorer.predict(["", "good"])[0].sum(), 1, rtol=1e-6)


def test_no_texts_give_no_scores(scorer: Scorer) -> None:
    assert scorer.predict([]).shape == (0, 3)


def test_a_long_text_is_read_to_the_limit_and_says_so(scorer: Scorer) -> None:
    fits, too_long = scorer.encode("good " * 64), scorer.encode("good " * 65)
    assert (len(fits), fits.truncated) == (64, False)
    assert (len(too_long), too_long.truncated) == (64, True)


@given(st.lists(st.integers(0, 600), max_size=60), st.integers(1, 5000))
def test_batches_hold_each_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(plan_batches(lengths, budget))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert len(batch) == 1 or padded <= budget
        assert padded - sum(lengths[index] for index in batch) <= padded / 8


def test_canaries_prove_the_package(package_dir: Path) -> None:
    Scorer(read_package(package_dir)).check()


def test_a_graph_that_scores_otherwise_fails_its_canaries(
    package_dir: Path, make_package: Callable[..., Package], tmp_path: Path
) -> None:
    other = make_package(tmp_path / "other", extra_words=["zzz"])
    model = onnx.load_from_string(other.graph)
    swap = helper.make_node("Gather", ["inverted", "order"], ["probabilities"], axis=1)
    model.graph.node[-1].output[0] = "inverted"
    model.graph.node.append(swap)
    model.graph.initializer.append(helper.make_tensor("order", TensorProto.INT64, [3], [2, 1, 0]))
    wrong = rewrite(other, tmp_path / "wrong", graph=model.SerializeToString())
    with pytest.raises(PackageError, match=r"canary text \d+ scores .* away"):
        Scorer(wrong).check()


def test_canaries_of_a_rounded_form_may_differ_a_little_more(package_dir: Path, tmp_path: Path) -> None:
    package = read_package(package_dir)
    canaries = tuple(
        canary.model_copy(update={"scores": {label: score * 0.99 for label, score in canary.scores.items()}})
        for canary in package.manifest.canaries
    )
    rounded = Quantisation(method="int8-rows")
    Scorer(rewrite(package, tmp_path / "rounded", canaries=canaries, quantisation=rounded)).check()
    with pytest.raises(PackageError, match=r"scores 0\.0"):
        Scorer(rewrite(package, tmp_path / "exact", canaries=canaries)).check()


def test_a_graph_that_fails_on_a_canary_is_refused(
    make_package: Callable[..., Package], tmp_path: Path
) -> None:
    """Here the tokenizer knows more words than the graph has rows."""
    package = make_package(tmp_path / "package", poison=["zzz"])
    first, *others = package.manifest.canaries
    canaries = (first.model_copy(update={"text": "zzz"}), *others)
    scorer = Scorer(rewrite(package, tmp_path / "fails", canaries=canaries))
    with pytest.raises(PackageError, match=r"fails: model\.onnx fails: ") as refused:
        scorer.check()
    assert "\n" not in str(refused.value)


def test_a_graph_that_answers_any_batch_with_one_row_is_refused(package_dir: Path, tmp_path: Path) -> None:
    """Each canary alone would pass."""
    package = read_package(package_dir)
    model = onnx.load_from_string(package.graph)
    model.graph.node[-1].output[0] = "all"
    model.graph.node.append(helper.make_node("Slice", ["all", "zero", "one", "zero"], ["probabilities"]))
    for name, value in (("zero", 0), ("one", 1)):
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [1], [value]))
    scorer = Scorer(rewrite(package, tmp_path / "one-row", graph=model.SerializeToString()))
    with pytest.raises(PackageError, match=r"returns scores of shape \(1, 3\) where \(32, 3\) is due"):
        scorer.check()


def test_a_graph_that_mixes_up_a_batch_is_refused(package_dir: Path, tmp_path: Path) -> None:
    package = read_package(package_dir)
    model = onnx.load_from_string(package.graph)
    model.graph.node[-1].output[0] = "sorted"
    backwards = ["sorted", "end", "before_first", "rows", "minus_one"]
    model.graph.node.append(helper.make_node("Slice", backwards, ["probabilities"]))
    for name, value in (("end", 2**31), ("before_first", -(2**31)), ("rows", 0), ("minus_one", -1)):
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [1], [value]))
    scorer = Scorer(rewrite(package, tmp_path / "backwards", graph=model.SerializeToString()))
    with pytest.raises(PackageError, match="away in a batch"):
        scorer.check()


def test_another_normaliser_is_refused(package_dir: Path, tmp_path: Path) -> None:
    package = rewrite(read_package(package_dir), tmp_path / "other", normaliser_version="0")
    with pytest.raises(PackageError, match="made with text normaliser 0"):
        Scorer(package)


def test_a_tokenizer_that_cuts_elsewhere_is_refused(package_dir: Path, tmp_path: Path) -> None:
    package = rewrite(read_package(package_dir), tmp_path / "other", limits=Limits(max_tokens=63))
    with pytest.raises(PackageError, match="must truncate at 63 tokens"):
        Scorer(package)


def test_what_is_no_graph_is_refused(package_dir: Path, tmp_path: Path) -> None:
    package = rewrite(read_package(package_dir), tmp_path / "other", graph=b"no graph")
    with pytest.raises(PackageError, match=r"model\.onnx cannot be loaded"):
        Scorer(package)


def test_a_graph_with_other_inputs_is_refused(package_dir: Path, tmp_path: Path) -> None:
    package = read_package(package_dir)
    model = onnx.load_from_string(package.graph)
    model.graph.output[0].name = "log_odds"
    model.graph.node[-1].output[0] = "log_odds"
    changed = rewrite(package, tmp_path / "other", graph=model.SerializeToString())
    with pytest.raises(PackageError, match="not the contract"):
        Scorer(changed)


def test_a_graph_that_reads_other_files_is_refused(package_dir: Path, tmp_path: Path) -> None:
    """An ONNX graph may name files that hold its weights; a package must not reach beyond itself."""
    package = read_package(package_dir)
    model = onnx.load_from_string(package.graph)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    (tmp_path / "aside.bin").write_bytes(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=str(tmp_path / "aside.bin"))
    outside = rewrite(package, tmp_path / "other", graph=model.SerializeToString())
    with pytest.raises(PackageError, match=r"model\.onnx cannot be loaded"):
        Scorer(outside)


def test_two_labels_stay_two(two_label_package_dir: Path) -> None:
    scorer = Scorer(read_package(two_label_package_dir))
    assert scorer.labels == ("negative", "positive")
    assert scorer.predict(["good"]).shape == (1, 2)


def test_scores_that_are_no_numbers_are_an_error(
    tmp_path: Path, make_package: Callable[..., Package]
) -> None:
    package = make_package(tmp_path / "good")
    graph = onnx.load_from_string(package.graph)
    (softmax,) = [node for node in graph.graph.node if node.output[0] == "probabilities"]
    softmax.output[0] = "softmax"
    graph.graph.node.append(helper.make_node("Sub", ["softmax", "softmax"], ["zero"]))
    graph.graph.node.append(helper.make_node("Div", ["zero", "zero"], ["probabilities"]))
    broken = Scorer(rewrite(package, tmp_path / "broken", graph=graph.SerializeToString()))
    with pytest.raises(GraphError, match="no numbers"):
        broken.score([broken.encode("good")])
