"""A torch classifier as an ONNX graph of the form that a model package holds."""

import io
import warnings

import torch

_OPSET = 17


def export_graph(classifier: torch.nn.Module) -> bytes:
    """Return the module as an ONNX graph with any number of texts and tokens.

    Args:
        classifier: Token ids and mask, int64 [batch, tokens], to probabilities [batch, labels].
    """
    ids = torch.ones((2, 8), dtype=torch.int64)
    graph = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter of choice: a sixth of the time of its successor, for the same numbers.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Other people's checks of sizes become constants; what comes out is compared with the model itself.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            classifier.eval(),
            (ids, torch.ones_like(ids)),
            graph,  # type: ignore[arg-type]  # this exporter takes a buffer as well
            dynamo=False,
            opset_version=_OPSET,
            do_constant_folding=True,
            input_names=["input_ids", "attention_mask"],
            output_names=["probabilities"],
            dynamic_axes={
                "input_ids": {0: "batch", 1: "tokens"},
                "attention_mask": {0: "batch", 1: "tokens"},
                "probabilities": {0: "batch"},
            },
        )
    return graph.getvalue()
