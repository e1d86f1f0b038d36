import torch

from cf_utils import importances
from cf_utils.checks import check_count
from cf_utils.methods.base import Method
from cf_utils.randomness import generator
from cf_utils.vectors import (
    Factors,
    check_room,
    flat,
    gradients,
    in_part,
    logit_gradient,
    mean_gradient,
    names_in,
    orthonormal,
    pieces,
    project_out,
)

OF = ("loss", "logit")
PART = ("all", "head", "body")
PROJECT = ("gradient", "step", "both", "nothing")
KEEP = ("vectors", "factors")


class OGD(Method):
    """Orthogonal gradient descent (Farajtabar et al. 2019, arXiv:1910.07104).

    After each task but the last ``directions`` gradients (at most one an image) are stored,
    orthonormal to each other and to those before; later gradients g become g - sum_k (v_k . g) v_k.
    of: "logit", gradients of the true class's logit, of that many random samples of the task (the
    paper's OGD-GTL); or "loss", mean gradients of the cross-entropy over that many equal shares of
    the task (1: over all of it).
    part: project "all" weights, the "head" (last layer) or the "body" alone.
    project: the "gradient", or the optimizer's "step" with all that momentum, Adam and weight decay
    add to it, or "both"; or "nothing", which only stores, to compare with.
    keep: the gradients as "vectors", or those of logits as "factors": the same directions, but for
    how nearly dependent ones are told, in a fraction of time and memory, for networks of linear
    layers, convolutions and norms.
    Gradients to store are taken in evaluation mode. ``basis`` is ``[R, K, P]``, see
    ``vectors.orthonormal``, or ``vectors.Factors``. Raises, before training, ValueError for a basis
    larger than the network and MemoryError for one that does not fit.
    """

    name = "ogd"
    dial = "directions"
    example = {"directions": 20}

    def __init__(self, directions=200, of="logit", part="all", project="gradient", keep="vectors"):
        self.directions = check_count("directions", directions)
        for argument, value, known in (
            ("of", of, OF),
            ("part", part, PART),
            ("project", project, PROJECT),
            ("keep", keep, KEEP),
        ):
            if value not in known:
                raise ValueError(f"{argument}={value!r} is unknown; known are {', '.join(known)}")
        if keep == "factors" and of == "loss":
            raise ValueError("a mean gradient has no factors: keep='factors' needs of='logit'")
        self.of, self.part, self.project, self.keep = of, part, project, keep
        self.basis, self.factors = None, Factors() if keep == "factors" else None

    def adjust_gradients(self, loop):
        if self.stored and self.project in ("step", "both"):
            self.before = flat(loop.model.parameters())
        if self.stored and self.project in ("gradient", "both"):
            projected = self.projected(gradients(loop.model), loop.model)
            for weight, value in pieces(loop.model, projected):
                if weight.grad is not None:
                    weight.grad.copy_(value)

    def after_step(self, loop):
        if self.stored and self.project in ("step", "both"):
            step = self.projected(flat(loop.model.parameters()) - self.before, loop.model)
            for weight, value in pieces(loop.model, self.before + step):
                weight.data.copy_(value)

    def projected(self, vectors, model):
        """``vectors`` ``[R, P]`` without what lies along the stored gradients."""
        if self.keep == "factors":
            return self.factors.project_out(vectors, model)
        return project_out(self.basis, vectors)

    @property
    def stored(self):
        """Whether there is a gradient to project on."""
        return self.basis is not None or (self.keep == "factors" and self.factors.white is not None)

    def before_task(self, loop):
        if loop.t == 0 and self.keep == "vectors":
            check_room(loop.model, self.directions * (len(loop.stream) - 1), loop.device)

    def after_task(self, loop):
        if self.directions and loop.t < len(loop.stream) - 1:
            if self.keep == "factors":
                self.factors.add(task_factors(loop, self.directions, self.part))
            else:
                new = task_gradients(loop, self.directions, self.of)
                new = new * in_part(loop.model, self.part)
                self.basis = orthonormal(new, self.basis)


def task_gradients(loop, directions, of):
    """Gradients ``[R, directions, P]`` of the loop's task at its model, as of ``OGD``.

    No more than it has images.
    """
    x, y = loop.task.x_train, loop.task.y_train
    directions = min(directions, len(y))
    if of == "loss":
        return torch.stack(
            [mean_gradient(loop, x[i::directions], y[i::directions]) for i in range(directions)], 1
        )
    chosen = drawn(loop, directions).T
    return torch.stack([logit_gradient(loop, x[index], y[index]) for index in chosen], 1)


def task_factors(loop, directions, part):
    """The same gradients of logits as ``vectors.Factors.add`` takes them, of a part's weights."""
    found = []
    for r, index in enumerate(drawn(loop, directions)):
        x, y = loop.scaled(loop.task.x_train[index]), loop.task.y_train[index].unsqueeze(1)
        # Gradients at outputs are needed in front of frozen weights too.
        network = loop.model.replica(r).to(loop.device).eval().requires_grad_(True)
        found.append(importances.factors(network, x, lambda logits, _, y=y: logits.gather(1, y).T))
    return {
        name: tuple(torch.stack([of[name][i] for of in found]) for i in range(2))
        for name in names_in(loop.model, part)
        if loop.model.weights[name].requires_grad
    }


def drawn(loop, count):
    """Which samples of the loop's task each replica stores the gradients of: ``[R, count]``."""
    total = len(loop.task.y_train)
    orders = [
        torch.randperm(total, generator=generator(seed, "ogd", loop.t)) for seed in loop.seeds
    ]
    return torch.stack(orders)[:, :count].to(loop.device)
