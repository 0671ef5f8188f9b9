"""Several processes that train one model: each learns from its own batches, then they share what they learnt.

On a CPU two processes of one thread each train a small model twice as fast as one process of two threads:
its matrices are too small for threads to be worth their waiting for each other.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as processes
from torch import nn


@dataclass(frozen=True)
class Crew:
    """Which one of how many processes this is; number 0 tells, keeps and writes for all."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, model: nn.Module) -> None:
        """Replace each process's gradients by the mean of all, in one exchange."""
        if self.size == 1:
            return
        learnt = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in learnt])
        dist.all_reduce(flat)
        flat /= self.size
        for gradient, mean in zip(learnt, flat.split([each.numel() for each in learnt]), strict=True):
            gradient.copy_(mean.view_as(gradient))


@contextmanager
def crew(size: int, work: Callable[[Crew], object]) -> Iterator[Crew]:
    """Have `size - 1` more processes do `work`, and yield the crew of this one, which has to do the same.

    `work` and all it refers to must be picklable. Whoever is left when this process leaves is ended.
    """
    if size == 1:
        yield Crew()
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        others = [
            processes.get_context("spawn").Process(target=_follow, args=(Crew(rank, size), meeting, work))
            for rank in range(1, size)
        ]
        for other in others:
            other.start()
        try:
            _meet(Crew(0, size), meeting)
            yield Crew(0, size)
        finally:
            for other in others:
                other.terminate()
            dist.destroy_process_group()


def _follow(member: Crew, meeting: Path, work: Callable[[Crew], object]) -> None:
    _meet(member, meeting)
    work(member)


def _meet(member: Crew, meeting: Path) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=member.rank, world_size=member.size)
