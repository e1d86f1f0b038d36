"""What holds weights: a quadratic around an anchor,
each weight weighed by its importance to the tasks before.
"""

import torch

from cf_utils.methods.base import Method, check_strength


class Quadratic:
    """A spring for each weight of every replica: Q(w) = const + sum of importance * (w - anchor)^2.

    importance, anchor: weight's name -> ``[R, ...]``, empty before the first ``add``; constant: a
    number or ``[R]``.
    """

    def __init__(self):
        self.importance, self.anchor, self.constant = {}, {}, 0.0

    def add(self, importance, weights):
        """Add importance * (w - weights)^2: two parabolas make one,
        around the weighted mean of their anchors.
        """
        for name, new in importance.items():
            w = weights[name].detach().clone()
            if name not in self.importance:
                self.importance[name], self.anchor[name] = new, w
                continue
            old, gap = self.importance[name], self.anchor[name] - w
            share = old / (old + new).clamp(min=torch.finfo(w.dtype).tiny)
            self.importance[name], self.anchor[name] = old + new, w + share * gap
            self.constant = self.constant + (share * new * gap.square()).view(len(w), -1).sum(1)

    def move(self, weights):
        """Put the anchor at ``weights``, without a constant."""
        self.anchor = {name: weights[name].detach().clone() for name in self.importance}
        self.constant = 0.0

    def scale(self, factor):
        """Multiply Q by a number."""
        self.importance = {name: factor * value for name, value in self.importance.items()}
        self.constant = factor * self.constant

    def value(self, weights):
        """Q(weights), ``[R]``; 0 before the first ``add``."""
        first = next(iter(weights.values()))
        energy = first.new_zeros(len(first))
        for name, importance in self.importance.items():
            gap = weights[name] - self.anchor[name]
            energy = energy + (importance * gap.detach() * gap).view(len(gap), -1).sum(1)
        # The squares' value and gradient in half their time.
        return self.constant + 2 * energy - energy.detach()

    def gradient(self, weights):
        """dQ / dw, name -> ``[R, ...]``; empty before the first ``add``."""
        return {
            n: 2 * f * (weights[n].detach() - self.anchor[n]) for n, f in self.importance.items()
        }


class Anchored(Method):
    """Base of the methods that hold weights: loss + strength * springs.

    Importances add up around the last weights.
    strength: 0 or more; one number, or one for each replica ``[R]``.
    """

    anchored = True
    dial = "strength"
    example = {"strength": 1.0}

    def __init__(self, strength):
        self.strength = check_strength("strength", strength)
        self.springs = Quadratic()

    def penalty(self, loop, batch, logits):
        value = self.springs.value(loop.model.weights)
        return self.strength.to(value) * value

    def importance_of(self, loop):
        """How much each weight matters to the loop's task, name -> ``[R, ...]``."""
        raise NotImplementedError

    def after_task(self, loop):
        self.springs.move(loop.model.weights)
        self.springs.add(self.importance_of(loop), loop.model.weights)


def outputs_of_task(loop):
    """The outputs that count for the loop's task, ``[outputs]`` bool."""
    return loop.allowed[loop.task.labels[0]]
