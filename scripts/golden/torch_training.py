"""Training a PyTorch network on the CPU, the same way each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

THREADS = 2
BATCH = 64


def seeded(seed: int) -> None:
    """Fix PyTorch's random numbers, its threads, and the order of its sums."""
    torch.manual_seed(seed)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)


def fit(
    net: nn.Module,
    inputs: Tensor,
    targets: tuple[Tensor, ...],
    loss: Callable[..., Tensor],
    epochs: int,
    rate: float,
) -> nn.Module:
    """Minimise `loss(net(x), *targets)` with AdamW and a one-cycle rate; returns `net` in eval mode."""
    steps = epochs * (len(inputs) // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps)
    net.train()
    for _ in range(epochs):
        for chosen in _batches(len(inputs)):
            optimiser.zero_grad()
            loss(net(inputs[chosen]), *(t[chosen] for t in targets)).backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def _batches(count: int) -> Iterator[Tensor]:
    """Shuffled full batches; what is left over comes up in another epoch."""
    order = torch.randperm(count)
    for start in range(0, count - BATCH + 1, BATCH):
        yield order[start : start + BATCH]
