"""Many texts are scored as each is alone, in their own order."""

import numpy as np
import pytest

from bento.scorer import Scorer
from tests.training.packaged import Packaged
from training.scoring import score_texts


def test_scores_are_those_of_each_text_alone_in_its_place(
    packaged: Packaged, capsys: pytest.CaptureFixture[str]
) -> None:
    scorer = Scorer(packaged.package)
    texts = [f"{'so ' * (number % 7)}good {number}" for number in range(150)]
    alone = np.concatenate([scorer.predict([text]) for text in texts])
    np.testing.assert_allclose(score_texts(scorer, texts, "odd texts"), alone, atol=1e-5)
    assert capsys.readouterr().out.startswith("  scoring 150 odd texts: ")
