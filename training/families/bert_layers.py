"""BERT's layers in the form that is exported: without padding, and few large operators, as each costs time.

States are those of a batch's tokens, one row each [1, rows, hidden]: see `TokenRows`.
"""

from typing import Any, cast

import torch
from torch.nn import functional
from transformers import BertModel
from transformers.models.bert.modeling_bert import BertLayer

from training.families.token_rows import TokenRows


def number_tokens(bert: BertModel, mask: torch.Tensor) -> TokenRows:
    """Return where the tokens of a batch stand.

    Args:
        bert: The model.
        mask: 1 for a token, 0 for padding [texts, tokens].
    """
    heads = bert.config.num_attention_heads
    return TokenRows(mask, heads=heads, width=bert.config.hidden_size // heads)


def embed(bert: BertModel, input_ids: torch.Tensor, rows: TokenRows) -> torch.Tensor:
    """Return the states that the first layer reads.

    Args:
        bert: The model.
        input_ids: Tokens [texts, tokens].
        rows: Where they stand.
    """
    embeddings = cast("Any", bert.embeddings)
    # Nothing but weights until rows are taken of it, so the exporter works it out.
    places = embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
    states = embeddings.word_embeddings(rows.pack(input_ids)) + functional.embedding(rows.places, places)
    result: torch.Tensor = embeddings.LayerNorm(states)
    return result


def run_layer(layer: BertLayer, states: torch.Tensor, rows: TokenRows) -> torch.Tensor:
    """Return the layer's states.

    Args:
        layer: One of `bert.encoder.layer`.
        states: What it reads.
        rows: Where the tokens stand.
    """
    projected = _project(layer, states, "query", "key", "value")
    found = rows.attend(*rows.split(projected, 3))
    return _finish(layer, states, rows.join(found))


def run_layer_for_first(layer: BertLayer, states: torch.Tensor, rows: TokenRows) -> torch.Tensor:
    """Return what the layer makes of each text's first token [texts, 1, hidden]; see `run_layer`."""
    first = rows.first(states)
    attention = layer.attention.self
    query = _project(layer, first, "query")
    query = query.view(-1, attention.num_attention_heads, 1, attention.attention_head_size)
    found = rows.attend(query, *rows.split(_project(layer, states, "key", "value"), 2))
    return _finish(layer, first, found.view(-1, 1, attention.all_head_size))


def _project(layer: BertLayer, states: torch.Tensor, *names: str) -> torch.Tensor:
    # One large product is quicker than several.
    attention = layer.attention.self
    linears = [cast("torch.nn.Linear", getattr(attention, name)) for name in names]
    # What attention divides the products of queries and keys by; part of the weights, it costs no operator.
    scales = [attention.attention_head_size**-0.5 if name == "query" else 1.0 for name in names]
    weight, bias = (
        torch.cat([getattr(linear, part) * scale for linear, scale in zip(linears, scales, strict=True)])
        for part in ("weight", "bias")
    )
    return functional.linear(states, weight, bias)


def _finish(layer: BertLayer, states: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    attended = layer.attention.output(found, states)
    result: torch.Tensor = layer.output(layer.intermediate(attended), attended)
    return result
