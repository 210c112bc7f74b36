"""BERT's layers in the form that is exported: few large operators, as each costs time by itself."""

from typing import Any, cast

import torch
from torch.nn import functional
from transformers import BertModel
from transformers.models.bert.modeling_bert import BertLayer


def embed(bert: BertModel, input_ids: torch.Tensor) -> torch.Tensor:
    """Return the states that the first layer reads [texts, tokens, hidden].

    Args:
        bert: The model.
        input_ids: Tokens [texts, tokens].
    """
    embeddings = cast("Any", bert.embeddings)
    # Nothing but weights until it is cut to the number of tokens, so the exporter works it out.
    places = embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
    states = embeddings.word_embeddings(input_ids) + places[: input_ids.shape[1]]
    result: torch.Tensor = embeddings.LayerNorm(states)
    return result


def run_layer(layer: BertLayer, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the layer's states [texts, tokens, hidden].

    Args:
        layer: One of `bert.encoder.layer`.
        states: What it reads [texts, tokens, hidden].
        mask: 1 for a token, 0 for padding [texts, tokens].
    """
    query, key, value = _project(layer, states, "query", "key", "value")
    return _finish(layer, states, query, key, value, mask)


def run_layer_for_first(layer: BertLayer, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return what the layer makes of each text's first token [texts, 1, hidden]; see `run_layer`."""
    first = states[:, :1]
    key, value = _project(layer, states, "key", "value")
    return _finish(layer, first, cast("Any", layer.attention.self.query)(first), key, value, mask)


def _project(layer: BertLayer, states: torch.Tensor, *names: str) -> tuple[torch.Tensor, ...]:
    # One large product is quicker than several.
    linears = [cast("torch.nn.Linear", getattr(layer.attention.self, name)) for name in names]
    weight, bias = (torch.cat([getattr(linear, part) for linear in linears]) for part in ("weight", "bias"))
    return torch.split(functional.linear(states, weight, bias), [one.out_features for one in linears], dim=-1)


def _finish(
    layer: BertLayer,
    states: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    heads = layer.attention.self.num_attention_heads
    found = cast("Any", _Attention).apply(query, key, value, mask.to(torch.int32), heads)
    attended = layer.attention.output(found, states)
    result: torch.Tensor = layer.output(layer.intermediate(attended), attended)
    return result


def _split(states: torch.Tensor, heads: int) -> torch.Tensor:
    return states.view(*states.shape[:2], heads, -1).transpose(1, 2)


class _Attention(torch.autograd.Function):
    """One operator of ONNX Runtime, where torch's own functions would be exported as two dozen."""

    @staticmethod
    def forward(
        _: Any,  # noqa: ANN401
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor,
        heads: int,
    ) -> torch.Tensor:
        query, key, value = (_split(part, heads) for part in (query, key, value))
        found = functional.scaled_dot_product_attention(query, key, value, mask.bool()[:, None, None])
        return found.transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(graph: Any, query: Any, key: Any, value: Any, mask: Any, heads: int) -> Any:  # noqa: ANN401
        nothing = graph.op("prim::Constant")  # a bias, which the products have added already
        nothing.setType(torch.OptionalType.ofTensor())
        operator = "com.microsoft::MultiHeadAttention"
        found = graph.op(operator, query, key, value, nothing, mask, num_heads_i=heads)
        found.setType(query.type())
        return found
