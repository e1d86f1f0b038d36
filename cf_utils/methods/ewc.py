import torch

from cf_utils import importances
from cf_utils.methods.anchored import Anchored, outputs_of_task
from cf_utils.methods.base import check_count
from cf_utils.randomness import generator


class EWC(Anchored):
    """Elastic weight consolidation (Kirkpatrick et al. 2017, arXiv:1612.00796): loss + strength / 2 * sum F (w - w*)^2.

    fisher: "exact", "sampled", "empirical" or "batched" (over ``batch`` samples), see ``importances.fisher_diagonal``.
    samples: of the task's images the Fisher is taken on so many, drawn at random; None: all.
    online: None, a quadratic for every task, summed into one (the exact sum, a constant included); or gamma in [0, 1]:
    F = gamma F + F_t around the last task's weights (Schwarz et al. 2018, arXiv:1805.06370).
    """

    name = "ewc"
    factor = 0.5

    def __init__(self, strength, fisher="exact", batch=64, samples=None, online=None):
        super().__init__(strength)
        importances.check_kind(fisher, importances.FISHERS)
        if online is not None and not 0 <= online <= 1:
            raise ValueError(f"online={online} is not possible; it lies in [0, 1], or is None")
        self.fisher, self.batch, self.online, self.constant = fisher, check_count("batch", batch, 1), online, 0
        self.samples = samples if samples is None else check_count("samples", samples, 1)

    def penalty(self, loop, batch, logits):
        total = super().penalty(loop, batch, logits)
        return total if total is None else total + self.factor * self.strength.to(total) * self.constant

    def found(self, loop):
        y = loop.task.y_train
        index = torch.randperm(len(y), generator=generator(0, "fisher", loop.t))[: self.samples].to(y.device)
        x, allowed = loop.scaled(loop.task.x_train[index]), outputs_of_task(loop)
        return importances.fisher_diagonal(loop.model, x, y[index], self.fisher, allowed=allowed, batch=self.batch)

    def after_task(self, loop):
        old, anchor = self.importance, self.anchor
        if old is not None and self.online is not None:
            self.importance = {name: self.online * value for name, value in old.items()}
        super().after_task(loop)
        if old is None or self.online is not None:
            return
        for name, total in self.importance.items():  # a (w - b)^2 + c (w - d)^2 as one quadratic
            share = old[name] / total.clamp(min=torch.finfo(total.dtype).tiny)
            gap = anchor[name] - self.anchor[name]
            self.anchor[name] += share * gap
            self.constant = self.constant + (old[name] * (1 - share) * gap.square()).flatten(1).sum(1)
