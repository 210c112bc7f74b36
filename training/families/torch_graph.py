"""A torch module as an ONNX graph of the form that a model package holds."""

import io
import warnings

import torch

_OPSET = 17


def export_graph(module: torch.nn.Module, *, output: str = "probabilities") -> bytes:
    """Return the module as an ONNX graph with any number of texts and tokens.

    Args:
        module: Token ids and mask, int64 [batch, tokens], to one row of numbers for each text.
        output: What these are called.
    """
    ids = torch.ones((2, 8), dtype=torch.int64)
    graph = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter of choice: a sixth of the time of its successor, for the same numbers.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Other people's checks of sizes become constants; what comes out is compared with the model itself.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            module.eval(),
            (ids, torch.ones_like(ids)),
            graph,  # type: ignore[arg-type]  # this exporter takes a buffer as well
            dynamo=False,
            opset_version=_OPSET,
            do_constant_folding=True,
            input_names=["input_ids", "attention_mask"],
            output_names=[output],
            dynamic_axes={
                "input_ids": {0: "batch", 1: "tokens"},
                "attention_mask": {0: "batch", 1: "tokens"},
                output: {0: "batch"},
            },
        )
    return graph.getvalue()
