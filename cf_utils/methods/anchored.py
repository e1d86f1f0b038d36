"""Methods that hold on to weights: a quadratic penalty, each weight weighed by its importance to the tasks before."""

import torch

from cf_utils import importances
from cf_utils.methods.base import Method, check_strength


def outputs_of_task(loop):
    """The outputs that count for the loop's task, ``[outputs]`` bool, or None for all."""
    return loop.allowed[loop.task.labels[0]] if loop.stream.scenario == "task" else loop.allowed


class Anchored(Method):
    """loss + strength * ``factor`` * sum over weights of importance * (w - anchor)^2; base of L2, EWC, SI and MAS.

    A subclass tells by ``found`` how important the weights are to the task that just ended, name -> ``[R, ...]``;
    here importances add up and the anchor is where the last task ended.  Cost and memory do not grow with the tasks.
    strength: 0 or more; one number, or one for each replica ``[R]``.
    """

    anchored = True
    dial = "strength"
    example = {"strength": 1.0}
    factor = 1.0

    def __init__(self, strength):
        self.strength = check_strength("strength", strength)
        self.importance = self.anchor = None

    def penalty(self, loop, batch, logits):
        if self.anchor is None:
            return None
        total = 0
        for name, w in loop.model.weights.items():
            gap = w - self.anchor[name]
            energy = (gap.detach() * self.importance[name] * gap).flatten(1).sum(1)
            total = total + 2 * energy - energy.detach()  # its gradient, at two thirds of the time of a square's
        return self.factor * self.strength.to(total) * total

    def found(self, loop):
        """Importances for the task that just ended, name -> ``[R, ...]``."""
        raise NotImplementedError

    def after_task(self, loop):
        new = self.found(loop)
        self.importance = new if self.importance is None else {n: old + new[n] for n, old in self.importance.items()}
        self.anchor = {name: w.detach().clone() for name, w in loop.model.weights.items()}


class L2(Anchored):
    """All weights matter alike: loss + strength / 2 * |w - w*|^2, w* the weights after the last task.

    The control of Kirkpatrick et al. 2017 (arXiv:1612.00796).
    """

    name = "l2"
    factor = 0.5

    def found(self, loop):
        return {name: torch.ones_like(w) for name, w in loop.model.weights.items()}

    def after_task(self, loop):
        self.importance = None  # not added up
        super().after_task(loop)


class MAS(Anchored):
    """Memory aware synapses (Aljundi et al. 2018, arXiv:1711.09601): how much the outputs' length hangs on a weight.

    kind: "global" or "local" (Hebbian), see ``importances.mas``, over the outputs that count; they add up over tasks.
    """

    name = "mas"

    def __init__(self, strength, kind="global"):
        super().__init__(strength)
        importances.check_kind(kind, importances.SYNAPSES)
        self.kind = kind

    def found(self, loop):
        return importances.mas(loop.model, loop.scaled(loop.task.x_train), self.kind, outputs_of_task(loop))
