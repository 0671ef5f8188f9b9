"""Where training examples come from, and what is done to them before a model sees them."""


class DataRefused(ValueError):
    """Data that no model can be trained on: one sentence for who gave it, and what would help."""

    def __init__(self, problem: str, *, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint
