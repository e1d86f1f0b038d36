import torch

from cf_utils.checks import check_count
from cf_utils.methods.base import Method
from cf_utils.randomness import generator
from cf_utils.vectors import (
    check_room,
    flat,
    gradients,
    in_part,
    logit_gradient,
    mean_gradient,
    orthonormal,
    pieces,
    project_out,
)

OF = ("loss", "logit")
PART = ("all", "head", "body")
PROJECT = ("gradient", "step", "both", "nothing")


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
    Gradients to store are taken in evaluation mode. ``basis`` is ``[R, K, P]``, see
    ``vectors.orthonormal``. Raises, before training, ValueError for a basis larger than the network
    and MemoryError for one that does not fit.
    """

    name = "ogd"
    dial = "directions"
    example = {"directions": 20}

    def __init__(self, directions=200, of="logit", part="all", project="gradient"):
        self.directions = check_count("directions", directions)
        for argument, value, known in (
            ("of", of, OF),
            ("part", part, PART),
            ("project", project, PROJECT),
        ):
            if value not in known:
                raise ValueError(f"{argument}={value!r} is unknown; known are {', '.join(known)}")
        self.of, self.part, self.project, self.basis = of, part, project, None

    def adjust_gradients(self, loop):
        if self.basis is not None and self.project in ("step", "both"):
            self.before = flat(loop.model.parameters())
        if self.basis is not None and self.project in ("gradient", "both"):
            for weight, value in pieces(loop.model, project_out(self.basis, gradients(loop.model))):
                if weight.grad is not None:
                    weight.grad.copy_(value)

    def after_step(self, loop):
        if self.basis is not None and self.project in ("step", "both"):
            step = flat(loop.model.parameters()) - self.before
            for weight, value in pieces(loop.model, self.before + project_out(self.basis, step)):
                weight.data.copy_(value)

    def before_task(self, loop):
        if loop.t == 0:
            check_room(loop.model, self.directions * (len(loop.stream) - 1), loop.device)

    def after_task(self, loop):
        if self.directions and loop.t < len(loop.stream) - 1:
            new = task_gradients(loop, self.directions, self.of) * in_part(loop.model, self.part)
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
    orders = [
        torch.randperm(len(y), generator=generator(seed, "ogd", loop.t)) for seed in loop.seeds
    ]
    chosen = torch.stack(orders, 1)[:directions].to(loop.device)
    return torch.stack([logit_gradient(loop, x[index], y[index]) for index in chosen], 1)
