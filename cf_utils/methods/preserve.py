import torch
from torch.nn import functional as F

from cf_utils.checks import check_count, check_number
from cf_utils.methods.base import check_strength
from cf_utils.methods.replay import Replay
from cf_utils.randomness import generator
from cf_utils.replicas import evaluating
from cf_utils.saliency import grad_cam
from cf_utils.streams import mask_logits


class APR(Replay):
    """Activation-preserving loss on replay (after the write-up "Activation Preserving Loss").

    loss + strength * sum over ``places`` of MSE(activation, activation as the task began), on
    ``per_class`` samples of each earlier class, chosen then among those stored that the network got
    right; in evaluation mode.
    places: names of layers, one may stand twice; None: every ReLU and the output layer. The rest:
    as of ``Replay``.
    """

    name = "apr"
    extends = "replay"
    dial = "strength"
    example = {"strength": 1.0, "memory": 500}

    def __init__(self, strength, memory, batch=None, per_task=False, per_class=5, places=None):
        super().__init__(memory, batch, per_task)
        self.strength, self.places = check_strength("strength", strength), places
        self.per_class, self.samples = check_count("per_class", per_class, least=1), None

    def before_task(self, loop):
        """Choose the samples: x ``[R, K, ...]`` scaled.

        y, weight ``[R, K]``, weight 0 where too few were right.
        """
        self.samples = None
        if not self.stored:
            return
        self.kept_at = self.places or [
            *loop.model.relus,
            *dict.fromkeys(name.rpartition(".")[0] for name in loop.model.head),
        ]
        x, y = self.stored.x, self.stored.y
        with evaluating(loop.model) as model:
            logits = torch.cat([model(loop.scaled(part)) for part in x.split(500, 1)], 1)
        right = mask_logits(logits, y, loop.allowed).argmax(2) == y
        found = [
            ((y == c) & right).int().sort(dim=1, descending=True, stable=True) for c in y.unique()
        ]
        weight, index = (torch.cat([f[i][:, : self.per_class] for f in found], 1) for i in (0, 1))
        x, y = self.stored.at(index)
        self.samples = loop.scaled(x), y, weight
        self.then = {
            name: h.detach()
            for name, h in look(loop.model, self.samples[0], self.kept_at)[1].items()
        }

    def penalty(self, loop, batch, logits):
        if self.samples is not None:
            _, now = look(loop.model, self.samples[0], self.kept_at)
            moves = [(now[name] - self.then[name]).square() for name in self.kept_at]
            return self.mean(sum(move.flatten(2).mean(2) for move in moves))

    def mean(self, distance):
        """strength * mean of what is given ``[R, K]``, over the samples that count: ``[R]``."""
        weight = self.samples[2]
        total = self.strength.to(distance) * (weight * distance).sum(1)
        return total / weight.sum(1).clamp(min=1)


class SPL(APR):
    """Saliency-preserving loss on replay (same source): what is not salient shall not matter.

    loss + strength * 3 / n * MSE(h(x), h(x + noise_std * noise * (1 - mask))), both of the network
    as it is, h the activation of layer ``place``, on n samples chosen as in ``APR``, x
    standardised, noise new at each step. mask: where the sample's Grad-CAM map at ``place``, in [0,
    1], was above ``saliency_threshold`` as the task began.
    """

    name = "spl"
    example = {"strength": 1.0, "memory": 500, "place": "fc1"}

    def __init__(
        self, strength, memory, place, noise_std=0.1, saliency_threshold=0.5, per_class=6, **replay
    ):
        super().__init__(strength, memory, per_class=per_class, places=[place], **replay)
        self.place, self.noise_std = place, check_number("noise_std", noise_std)
        self.saliency_threshold = check_number(
            "saliency_threshold", saliency_threshold, least=-float("inf")
        )

    def before_task(self, loop):
        super().before_task(loop)
        if self.samples is not None:
            x, y, _ = self.samples
            mask = (grad_cam(loop.model, x, y, self.place) > self.saliency_threshold).to(x)
            self.free = 1 - F.interpolate(mask, x.shape[-2:], mode="bilinear").unsqueeze(2)

    def penalty(self, loop, batch, logits):
        if self.samples is not None:
            x, _, weight = self.samples
            step = f"noise {loop.epoch} {loop.step}"
            sources = [generator(seed, step, loop.t) for seed in loop.seeds]
            noise = torch.stack([torch.randn(x.shape[1:], generator=draw) for draw in sources])
            pair = x, x + self.noise_std * noise.to(x) * self.free
            clean, noisy = (look(loop.model, z, self.places)[1][self.place] for z in pair)
            distance = (clean - noisy).square().flatten(2).mean(2)
            return self.mean(distance) * 3 / weight.sum(1).clamp(min=1)


def look(model, x, places):
    """Logits and what layers put out for scaled ``x`` ``[R, B, ...]``, in evaluation mode,
    with gradients.
    """
    with evaluating(model), torch.enable_grad():
        return model.activations(x, places)
