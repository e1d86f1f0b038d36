import torch

from cf_utils.methods.springs import Anchored, Quadratic


class L2(Anchored):
    """All weights alike: loss + strength / 2 * |w - w*|^2, w* the weights after the last task.

    The control of Kirkpatrick et al. 2017 (arXiv:1612.00796).
    """

    name = "l2"

    def penalty(self, loop, batch, logits):
        return super().penalty(loop, batch, logits) / 2

    def after_task(self, loop):
        self.springs = Quadratic()
        self.springs.add(
            {name: torch.ones_like(w) for name, w in loop.model.weights.items()}, loop.model.weights
        )
