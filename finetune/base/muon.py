"""Muon: each matrix moves along its momentum made orthogonal (Jordan et al. 2024).

It needs fewer tokens than AdamW. Scaled as in Liu et al. 2025 (arXiv 2502.16982) it takes AdamW's
learning rate. PyTorch's own goes through the matrices one by one; here those of a shape are multiplied
together, which on a CPU with small matrices is most of the time saved.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
STEPS = 5


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with decoupled weight decay."""

    def __init__(
        self, matrices: Iterable[nn.Parameter], *, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(list(matrices), {"lr": 0.0, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            alike: defaultdict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for shape, matrices in alike.items():
                directions = [self._direction(matrix, group["momentum"]) for matrix in matrices]
                updates = orthogonal(torch.stack(directions))
                scale = 0.2 * max(shape) ** 0.5  # as large as AdamW's updates usually are
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(update.to(matrix.dtype), alpha=-group["lr"] * scale)

    def _direction(self, matrix: nn.Parameter, momentum: float) -> Tensor:
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        gradient: Tensor = matrix.grad  # type: ignore[assignment]
        state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum"], momentum)


def orthogonal(matrices: Tensor) -> Tensor:
    """Return each of the (n, rows, columns) matrices with its singular values near 1, in bf16."""
    first, second, third = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    made = matrices.bfloat16()
    made = made.mT if tall else made
    made = made / made.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(STEPS):
        square = made @ made.mT
        made = first * made + (second * square + third * square @ square) @ made
    return made.mT if tall else made
