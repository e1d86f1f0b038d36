import copy

from cf_utils.checks import check_count, check_switch, number
from cf_utils.methods.base import Method, check_strength
from cf_utils.replicas import evaluating


class LwF(Method):
    """Learning without forgetting (Li and Hoiem 2016, arXiv:1606.09282):
    keeps old outputs on the new images.

    loss + strength * T^2 * mean KL(softmax(old / T) || softmax(new / T)), T the ``temperature``,
    old: of the network as it was before the task, in evaluation mode. Over the outputs of earlier
    tasks: each task's for itself in the task scenario, all of them together in the class scenario;
    in the domain scenario over all outputs.
    squared: False leaves out T^2, as the paper does.  warmup: epochs of each later task in which
    the new classes' rows of the last layer alone learn (in the domain scenario: all of it); nothing
    else gets a gradient, or moves.
    """

    name = "lwf"
    dial = "strength"
    example = {"strength": 1.0}

    def __init__(self, strength, temperature=2.0, squared=True, warmup=0):
        self.strength = check_strength("strength", strength)
        if not number(temperature) > 0:
            raise ValueError(f"temperature={temperature!r} is not possible; it is above 0")
        self.temperature, self.squared = float(temperature), check_switch("squared", squared)
        self.warmup = check_count("warmup", warmup)
        self.teacher, self.warm = None, False

    def before_task(self, loop):
        if loop.t == 0:
            return
        self.teacher = copy.deepcopy(loop.model).eval()
        earlier = [list(task.labels) for task in loop.stream.tasks[: loop.t]]
        self.groups = earlier if loop.stream.scenario == "task" else [sorted(set().union(*earlier))]

    def before_epoch(self, loop):
        self.warm = loop.t > 0 and loop.epoch < self.warmup
        if self.warm:
            same = loop.stream.scenario == "domain"  # the old outputs are the new ones
            old = set() if same else {*range(loop.model.outputs)} - {*loop.task.labels}
            rows = {name: made for name, made in loop.model.head.items() if made is not None}
            self.rows = {
                n: [c - of.start for c in sorted(old) if of.start <= c < of.stop]
                for n, of in rows.items()
            }
            state = {name: loop.model.weights[name] for name in self.rows} | loop.model.statistics
            self.kept = {name: value.detach().clone() for name, value in state.items()}

    def penalty(self, loop, batch, logits):
        if self.teacher is None:
            return None
        with evaluating(self.teacher):
            old = self.teacher(loop.scaled(batch.x[:, : batch.new])).mT
        # The layout of the cross-entropy, or rounding would differ at strength 0.
        new = logits.mT[..., : batch.new]
        total = 0
        for group in self.groups:
            log_p, log_q = ((z[:, group] / self.temperature).log_softmax(1) for z in (old, new))
            total = total + (log_p.exp() * (log_p - log_q)).sum(1).mean(1)
        return self.strength.to(total) * total * (self.temperature**2 if self.squared else 1)

    def adjust_gradients(self, loop):
        for name, w in loop.model.weights.items() if self.warm else ():
            if name not in self.rows:
                w.grad = None  # which also keeps it out of the optimizer's moments
            elif w.grad is not None:
                w.grad[:, self.rows[name]] = 0

    def after_step(self, loop):
        if not self.warm:
            return
        for name, before in self.kept.items():  # weight decay and older moments move them, too
            if name in self.rows:
                loop.model.weights[name].data[:, self.rows[name]] = before[:, self.rows[name]]
            else:
                loop.model.statistics[name].copy_(before)
