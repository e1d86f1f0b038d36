from cf_utils.methods.base import Method, check_strength


class ActivationL1(Method):
    """Sparse activations: loss + strength * sum over hidden layers of mean |h|, h after ReLU.

    strength: 0 or more; one number, or one for each replica ``[R]``.
    """

    name = "activation-l1"
    from_start = True
    dial = "strength"
    example = {"strength": 1.0}
    uses_hidden = True

    def __init__(self, strength):
        self.strength = check_strength("strength", strength)

    def penalty(self, loop, batch, logits):
        total = sum(h.abs().flatten(1).mean(1) for h in batch.hidden.values())
        return self.strength.to(total) * total
