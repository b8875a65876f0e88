"""Many small matrices on a GPU: products and functions that become a few kernels each.

A frame of the bank is hundreds of operations on 3×3 and 9×9 matrices of thousands of tracks. On a
GPU the library's batched product takes a hundred microseconds for them, however few they are, and
each operation a kernel of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b for stacks of small matrices; on a GPU as a sum that the compiler can fuse."""
    if not a.is_cuda:
        return a @ b
    return (a.unsqueeze(-1) * b.unsqueeze(-3)).sum(-2)


def fused(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function for training on a GPU; elsewhere, and without gradients, leave it."""
    compiled: list[Callable[P, R]] = []

    @wraps(function)
    def chosen(*args: P.args, **kwargs: P.kwargs) -> R:
        if not (torch.is_grad_enabled() and torch.cuda.is_available()):
            return function(*args, **kwargs)
        if not compiled:
            compiled.append(torch.compile(function, dynamic=False))
        return compiled[0](*args, **kwargs)

    return chosen
