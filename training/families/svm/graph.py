"""The whole SVM as one torch module, ready to be exported as an ONNX graph."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.svm import SVC

from training.families.svm.reader import Encoder


class Classifier(torch.nn.Module):
    """Token ids to probabilities: encoder, RBF kernel with the support vectors, logistic regression."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        support: NDArray[np.float32],
        svc: SVC,
        gamma: float,
        head: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> None:
        """Take the parts.

        Args:
            encoder: Token ids to embeddings of unit length.
            support: Embeddings of the support vectors [vectors, encoder.size].
            svc: Fitted on the kernel of these.
            gamma: Of the kernel.
            head: Weights [pairs, labels] and bias [labels] that turn decision values into logits.
        """
        super().__init__()
        self.encoder = encoder
        self.gamma = gamma
        pairs, intercepts = pair_coefficients(svc)
        weights, bias = head
        self.register_buffer("support", torch.tensor(support.T))
        # The two linear maps that follow the kernel are one. It stays in double precision: it adds up
        # thousands of numbers that nearly cancel, and single precision moved a text's scores by 4e-5 with
        # the size of its batch.
        self.register_buffer("weights", torch.tensor(pairs @ weights))
        self.register_buffer("bias", torch.tensor(intercepts @ weights + bias))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return probabilities [batch, labels]."""
        # Of unit vectors the squared distance is 2 - 2 * cosine.
        distances = 2.0 - 2.0 * (self.encoder(input_ids, attention_mask) @ self.support)
        kernel = (-self.gamma * distances).exp()
        logits = kernel.double() @ self.weights + self.bias
        return torch.softmax(logits, dim=1).float()


def pair_coefficients(svc: SVC) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what turns kernel values into one decision value for each pair of classes.

    Returns:
        Coefficients [support vectors, pairs] and intercepts [pairs]; pairs as in scikit-learn's one-vs-one
        `decision_function`: (0, 1), (0, 2), (1, 2).
    """
    classes = len(svc.classes_)
    ends = np.cumsum(svc.n_support_)
    vectors_of = [slice(end - count, end) for end, count in zip(ends, svc.n_support_, strict=True)]
    pairs = [(first, second) for first in range(classes) for second in range(first + 1, classes)]
    coefficients = np.zeros((len(svc.support_), len(pairs)))
    for column, (first, second) in enumerate(pairs):
        # libsvm keeps, for the vectors of one class, a row for each other class, its own left out.
        coefficients[vectors_of[first], column] = svc.dual_coef_[second - 1, vectors_of[first]]
        coefficients[vectors_of[second], column] = svc.dual_coef_[first, vectors_of[second]]
    return coefficients, np.asarray(svc.intercept_)
