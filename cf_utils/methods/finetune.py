from cf_utils.methods.base import Method


class Finetune(Method):
    """Train on each task in turn and do nothing about forgetting: the lower bound."""

    name = "finetune"
    extends = None
