"""The shared models, methods, losses and training loop of the notebooks on catastrophic forgetting."""
