import torch

from cf_utils import importances
from cf_utils.checks import check_count, number
from cf_utils.methods.springs import Anchored, outputs_of_task
from cf_utils.randomness import generator


class EWC(Anchored):
    """Elastic weight consolidation (Kirkpatrick et al. 2017, arXiv:1612.00796):
    loss + strength / 2 * sum F (w - w*)^2.

    fisher: "exact", "sampled", "empirical" or "batched" (over ``batch`` samples), see
    ``importances.fisher_diagonal``. samples: of the task's images the Fisher is taken on so many,
    drawn at random; None: all.
    online: None, a spring for every task, summed into one exactly; or gamma in [0, 1]: F = gamma
    F + F_t around the last task's weights (Schwarz et al. 2018, arXiv:1805.06370; gamma = 1: Huszar
    2018, arXiv:1712.03847).
    """

    name = "ewc"

    def __init__(self, strength, fisher="exact", batch=64, samples=None, online=None):
        super().__init__(strength)
        importances.check_kind(fisher, importances.FISHERS)
        if online is not None and not 0 <= number(online) <= 1:
            raise ValueError(f"online={online!r} is not possible; it lies in [0, 1], or is None")
        self.fisher, self.batch = fisher, check_count("batch", batch, 1)
        self.online = online if online is None else float(online)
        self.samples = samples if samples is None else check_count("samples", samples, 1)

    def importance_of(self, loop):
        """F of the loop's task, name -> ``[R, ...]``."""
        y = loop.task.y_train
        order = torch.randperm(len(y), generator=generator(0, "fisher", loop.t))
        index = order[: self.samples].to(y.device)
        x, allowed = loop.scaled(loop.task.x_train[index]), outputs_of_task(loop)
        return importances.fisher_diagonal(
            loop.model, x, y[index], self.fisher, allowed=allowed, batch=self.batch
        )

    def penalty(self, loop, batch, logits):
        return super().penalty(loop, batch, logits) / 2

    def after_task(self, loop):
        fisher, weights = self.importance_of(loop), loop.model.weights
        if self.online is not None:
            self.springs.scale(self.online)
            self.springs.move(weights)
        self.springs.add(fisher, weights)
