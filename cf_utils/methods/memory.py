import torch

from cf_utils.methods.base import take
from cf_utils.randomness import generator


class Memory:
    """Samples of earlier tasks, each replica's own, and what is drawn of them for each step.

    room: samples kept in all, shared by the tasks as ``shares`` says, or with ``per_task`` of each
    task.
    x: ``[R, M, C, H, W]`` uint8 and y ``[R, M]``, the earliest task's first, each task's in random
    order; None before the first ``add``. sizes: how many of each task.
    draws: ``[R, steps, count]`` of this epoch, None if there is nothing to draw from. drawn:
    ``[R, count]``, those of the last step. Both are places in 0 to M - 1.
    """

    def __init__(self, room, per_task=False):
        self.room, self.per_task = room, per_task
        self.x = self.y = self.draws = self.drawn = None
        self.sizes = []

    def __len__(self):
        """How many samples each replica has."""
        return sum(self.sizes)

    def add(self, loop):
        """Keep samples of the loop's task, chosen at random,
        and of earlier tasks what then is their share.
        """
        x, y = loop.task.x_train, loop.task.y_train
        orders = [
            torch.randperm(len(y), generator=generator(seed, "memory", loop.t))
            for seed in loop.seeds
        ]
        chosen = torch.stack(orders)[:, : self.room].to(loop.device)
        sizes = [*self.sizes, chosen.shape[1]]
        self.sizes = sizes if self.per_task else shares(sizes, self.room)
        self.x = self._kept(self.x, x[chosen], sizes)
        self.y = self._kept(self.y, y[chosen], sizes)

    def _kept(self, old, new, sizes):
        """The first samples of each task, as many as ``self.sizes``, of ``sizes`` there are."""
        every = new if old is None else torch.cat([old, new], 1)
        parts = every.split(sizes, 1)
        return torch.cat([part[:, :size] for part, size in zip(parts, self.sizes, strict=True)], 1)

    def draw(self, loop, count):
        """Draw ``count`` samples a replica, with replacement, for each step of the loop's epoch."""
        self.draws = self.drawn = None
        if len(self):
            sources = [generator(seed, f"replay {loop.epoch}", loop.t) for seed in loop.seeds]
            draws = [
                torch.randint(len(self), (loop.steps, count), generator=source)
                for source in sources
            ]
            self.draws = torch.stack(draws).to(loop.device)

    def of_step(self, step):
        """x ``[R, count, C, H, W]`` and y ``[R, count]`` drawn for a step.

        A pass with more steps begins again.
        """
        self.drawn = self.draws[:, step % self.draws.shape[1]]
        return self.at(self.drawn)

    def at(self, places):
        """x and y of the samples at ``places`` ``[R, B]``, 0 to M - 1, of each replica."""
        start = len(self) * torch.arange(len(places), device=places.device).unsqueeze(1)
        index = start + places
        return take(self.x.flatten(0, 1), index), take(self.y.flatten(), index)


def shares(sizes, room):
    """How many samples each task may keep of ``sizes`` it has, evenly, in ``room`` samples in all.

    What a small task leaves of its share goes to the others. With more tasks than room the earliest
    keep one each.
    """
    level = next(
        (level for level in range(room, 0, -1) if sum(min(n, level) for n in sizes) <= room), 0
    )
    return [min(n, level) for n in sizes] if level else [int(t < room) for t in range(len(sizes))]
