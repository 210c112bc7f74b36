"""An image's name, as people write it, becomes what the chart takes."""

import pytest

from tests.e2e.options import image_values

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "values"),
    [
        ("valence:1", {"repository": "valence", "tag": "1", "digest": ""}),
        (
            "localhost:5000/team/valence:1-a",
            {"repository": "localhost:5000/team/valence", "tag": "1-a", "digest": ""},
        ),
        (f"example.org/valence@{DIGEST}", {"repository": "example.org/valence", "digest": DIGEST}),
        (f"localhost:5000/valence:1@{DIGEST}", {"repository": "localhost:5000/valence", "digest": DIGEST}),
    ],
)
def test_of_a_name_its_parts(image: str, values: dict[str, str]) -> None:
    assert image_values(image) == values


@pytest.mark.parametrize("image", ["valence", "localhost:5000/valence"])
def test_without_a_tag_nothing_is_guessed(image: str) -> None:
    with pytest.raises(ValueError, match="has no tag"):
        image_values(image)
