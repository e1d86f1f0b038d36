"""The shared models, methods and training loop of the notebooks on catastrophic forgetting."""
