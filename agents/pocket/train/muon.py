# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""Muon: momentum whose matrices are made orthogonal; vectors and tables go by Adam."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from agents.pocket.train.run import half


def _orthogonal(g: torch.Tensor, steps: int = 5) -> torch.Tensor:
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g
    x = x / (x.norm() + 1e-7)
    with half():
        for _ in range(steps):
            s = x @ x.T
            x = a * x + (b * s + c * s @ s) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum for weights of two and more dimensions, Adam for the rest."""

    def __init__(
        self, named: Iterable[tuple[str, torch.nn.Parameter]], lr: float, *, tables: tuple[str, ...] = ()
    ) -> None:
        params = [(n, p) for n, p in named if p.requires_grad]

        def matrix(name: str, p: torch.Tensor) -> bool:
            return p.ndim >= 2 and not any(t in name for t in tables)

        groups = [
            {"params": [p for n, p in params if matrix(n, p)], "matrix": True},
            {"params": [p for n, p in params if not matrix(n, p)], "matrix": False},
        ]
        super().__init__([g for g in groups if g["params"]], {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):  # type: ignore[override]
        """One update."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    (self._turn if group["matrix"] else self._adam)(p, group["lr"])

    def _turn(self, p: torch.Tensor, lr: float) -> None:
        state = self.state[p]
        if not state:
            state["m"] = torch.zeros_like(p)
        m = state["m"]
        m.lerp_(p.grad, 0.05)  # type: ignore[arg-type]
        g = torch.lerp(p.grad, m, 0.95).reshape(p.shape[0], -1)  # type: ignore[arg-type]
        update = _orthogonal(g) * (0.2 * max(g.shape) ** 0.5)
        p.add_(update.reshape(p.shape), alpha=-lr)

    def _adam(self, p: torch.Tensor, lr: float) -> None:
        state = self.state[p]
        if not state:
            state["m"], state["v"], state["t"] = torch.zeros_like(p), torch.zeros_like(p), 0
        state["t"] += 1
        t, g = state["t"], p.grad
        state["m"].lerp_(g, 0.1)
        state["v"].lerp_(g * g, 0.01)  # type: ignore[operator]
        m, v = state["m"] / (1 - 0.9**t), state["v"] / (1 - 0.99**t)
        p.add_(m / (v.sqrt() + 1e-8), alpha=-lr)
