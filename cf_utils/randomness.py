"""Random numbers by purpose, so that one use never shifts another."""

import hashlib

import torch


def generator(seed, purpose, task=0):
    """A CPU torch.Generator, a function of the replica's seed, the purpose and the task alone."""
    digest = hashlib.sha256(f"{seed} {purpose} {task}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
