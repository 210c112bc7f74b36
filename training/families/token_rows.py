"""The tokens of a batch in one list of rows, so that padding costs next to nothing.

Texts of different lengths are filled up with padding, on which every layer would work in vain. All layers but
attention work on one token at a time, so they get rows of tokens alone; attention gets them by text and head,
in one step each way.
"""

import torch
from torch.nn import functional


class TokenRows:
    """Where each token of a batch stands: in rows, in its text, and in attention.

    Attributes:
        places: The place of each row's token in its text [rows].
    """

    def __init__(self, mask: torch.Tensor, *, heads: int, width: int) -> None:
        """Number the tokens.

        Args:
            mask: 1 for a token, 0 for padding [texts, tokens].
            heads: How many the attention has.
            width: How many numbers a head works on.
        """
        self._width, self._hidden = width, heads * width
        tokens = mask.shape[1]
        flat = mask.reshape(-1)
        self._taken = flat.nonzero().squeeze(1)
        self.places = self._taken % tokens
        # Padding reads the row of the token before it: any would do, as nothing attends to it.
        self._rows = (flat.cumsum(0) - 1).view_as(mask)
        number = torch.arange(heads)
        self._joined = ((self._taken - self.places) * heads + self.places)[:, None] + number * tokens
        self._split = {}
        for parts in (2, 3):
            begin = self._rows[:, None] * (parts * heads)
            self._split[parts] = [begin + (number + part * heads)[:, None] for part in range(parts)]
        self._hide_padding = ((1 - mask) * torch.finfo(torch.float32).min)[:, None, None]

    def pack(self, ids: torch.Tensor) -> torch.Tensor:
        """Bring what each token has [texts, tokens] into rows [1, rows]."""
        return ids.reshape(-1)[self._taken].unsqueeze(0)

    def unpack(self, states: torch.Tensor) -> torch.Tensor:
        """Bring rows [1, rows, hidden] into texts [texts, tokens, hidden]; padding repeats a token."""
        return functional.embedding(self._rows, states.view(-1, self._hidden))

    def first(self, states: torch.Tensor) -> torch.Tensor:
        """Return, of rows [1, rows, hidden], those of each text's first token [texts, 1, hidden]."""
        return functional.embedding(self._rows[:, :1], states.view(-1, self._hidden))

    def split(self, states: torch.Tensor, parts: int) -> list[torch.Tensor]:
        """Bring rows of 2 or 3 parts [1, rows, parts * hidden] into heads [texts, heads, tokens, width]."""
        heads = states.view(-1, self._width)
        return [functional.embedding(place, heads) for place in self._split[parts]]

    def join(self, heads: torch.Tensor) -> torch.Tensor:
        """Bring heads [texts, heads, tokens, width] into rows [1, rows, hidden]."""
        rows = functional.embedding(self._joined, heads.reshape(-1, self._width))
        return rows.view(1, -1, self._hidden)

    def attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Return what queries find in tokens that are not padding.

        Args:
            query: Divided already by the root of the width [texts, heads, queries, width].
            key: [texts, heads, tokens, width].
            value: As `key`.

        Returns:
            [texts, heads, queries, width].
        """
        likeness = query @ key.transpose(2, 3) + self._hide_padding
        return torch.softmax(likeness, dim=-1) @ value
