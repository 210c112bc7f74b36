"""By how much waits outlast their predictions: what a prediction is multiplied by, so that it is kept."""

_LATE_SHARE = 0.005  # of the waits may still be longer than predicted
_STEP = 0.002  # hundreds of waits until a machine that became slower is known to be
_MOST = 2.0  # whatever a machine that stood still for a while makes of it


class Lateness:
    """Follows the 99.5th percentile of waits over predictions, by stochastic approximation.

    Batches do not all take as long as others of their size, and texts of rare lengths are overtaken more than
    others. Robbins and Monro, "A Stochastic Approximation Method", 1951.

    Attributes:
        factor: That percentile; at least 1, as the prediction is an upper bound where batches are even.
    """

    def __init__(self) -> None:
        self.factor = 1.0

    def learn(self, *, predicted_s: float, waited_s: float) -> None:
        """Take a wait into account.

        Args:
            predicted_s: What was predicted of it, before it was multiplied.
            waited_s: What it was.
        """
        late = waited_s > self.factor * predicted_s
        self.factor = min(_MOST, max(1.0, self.factor + _STEP * (late - _LATE_SHARE)))
