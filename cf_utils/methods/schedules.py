"""Learning rates that change, as methods to put last in a list:
``[methods.EWC(100.0), schedules.Cosine()]``.
"""

import math

from cf_utils.methods.base import Method


class Cosine(Method):
    """From ``config.lr`` down to 0 within each task, epoch by epoch:
    lr (1 + cos(pi epoch / epochs)) / 2.
    """

    def before_epoch(self, loop):
        loop.set_lr(loop.config.lr * (1 + math.cos(math.pi * loop.epoch / loop.config.epochs)) / 2)


class SlowDown(Method):
    """``config.lr`` on the first task, then divided by ``factor``."""

    def __init__(self, factor):
        if not factor > 0:
            raise ValueError(f"factor={factor} is not possible; it is above 0")
        self.factor = factor

    def before_epoch(self, loop):
        loop.set_lr(loop.config.lr / (self.factor if loop.t else 1))
