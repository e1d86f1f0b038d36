import torch

from cf_utils.methods.anchored import Anchored


class SI(Anchored):
    """Synaptic intelligence (Zenke et al. 2017, arXiv:1703.04200): credits weights with the loss that their way saved.

    Along a task each weight collects -gradient * step, with the gradient of the loss without this penalty; divided by
    the square of its way in all, plus ``damping``, and cut off at 0, that is its importance.
    """

    name = "si"

    def __init__(self, strength, damping=0.1):
        super().__init__(strength)
        if not damping > 0:
            raise ValueError(f"damping={damping} is not possible; it is above 0")
        self.damping = damping

    def before_task(self, loop):
        self.start = {name: w.detach().clone() for name, w in loop.model.weights.items()}
        self.saved = {name: torch.zeros_like(w) for name, w in self.start.items()}

    def adjust_gradients(self, loop):
        self.before = {name: w.detach().clone() for name, w in loop.model.weights.items()}
        self.gradient = {}
        for name, w in loop.model.weights.items():
            self.gradient[name] = torch.zeros_like(w) if w.grad is None else w.grad.clone()
            if self.anchor is not None and w.grad is not None:
                strength = 2 * self.strength.to(w).view(-1, *[1] * (w.ndim - 1))
                self.gradient[name] -= strength * self.importance[name] * (w.detach() - self.anchor[name])

    def after_step(self, loop):
        for name, w in loop.model.weights.items():
            self.saved[name] -= self.gradient[name] * (w.detach() - self.before[name])

    def found(self, loop):
        ways = {name: w.detach() - self.start[name] for name, w in loop.model.weights.items()}
        return {name: (self.saved[name] / (way.square() + self.damping)).clamp(min=0) for name, way in ways.items()}
