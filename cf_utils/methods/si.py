import torch

from cf_utils.checks import number
from cf_utils.methods.springs import Anchored


class SI(Anchored):
    """Synaptic intelligence (Zenke et al. 2017, arXiv:1703.04200):
    credits weights with the loss that their way saved.

    loss + strength * sum omega (w - w*)^2. Along a task each weight collects -gradient * step, with
    the gradient of the loss without this penalty; omega is that divided by the square of its way in
    all plus ``damping`` (above 0), cut off at 0, and added up over tasks.
    """

    name = "si"
    from_start = True

    def __init__(self, strength, damping=0.1):
        super().__init__(strength)
        if not number(damping) > 0:
            raise ValueError(f"damping={damping!r} is not possible; it is above 0")
        self.damping = float(damping)

    def before_task(self, loop):
        self.start = {name: w.detach().clone() for name, w in loop.model.weights.items()}
        self.saved = {name: torch.zeros_like(w) for name, w in self.start.items()}

    def adjust_gradients(self, loop):
        weights, own = loop.model.weights, self.springs.gradient(loop.model.weights)
        self.before = {name: w.detach().clone() for name, w in weights.items()}
        self.slope = {
            name: torch.zeros_like(w) if w.grad is None else w.grad.clone()
            for name, w in weights.items()
        }
        for name, pull in own.items():
            self.slope[name] -= self.strength.to(pull).view(-1, *[1] * (pull.ndim - 1)) * pull

    def after_step(self, loop):
        for name, w in loop.model.weights.items():
            self.saved[name] -= self.slope[name] * (w.detach() - self.before[name])

    def importance_of(self, loop):
        """omega of the loop's task, name -> ``[R, ...]``."""
        ways = {name: w.detach() - self.start[name] for name, w in loop.model.weights.items()}
        return {
            name: (self.saved[name] / (way.square() + self.damping)).clamp(min=0)
            for name, way in ways.items()
        }
