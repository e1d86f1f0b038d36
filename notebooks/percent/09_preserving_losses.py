# %% [markdown]
# # 09 · Losses that preserve activations or saliency
#
# **On top of replay, does it help to hold a few old activations, or what a network looks at, and is it the loss that helps?**
#
# APR does, SPL does not. On replay's 23.0% ± 4.9%<!--=09 accuracy/replay as ±.1%--> of three CIFAR-10 tasks the activation-preserving loss wins 13.7% ± 5.7%<!--=09 gain/APR as ±.1%-->, the source's 13.7 points; with one place preserved at a time **the logits alone win all of it** (36.9% ± 2.5%<!--=09 accuracy/fc6 alone as ±.1%--> against 36.7% ± 2.7%<!--=09 accuracy/APR as ±.1%-->), the five places below them nothing. Nor need it be a loss on outputs: the cross-entropy of the same
# samples ends at 35.2% ± 0.5%<!--=09 accuracy/labels as ±.1%-->, 30 more stored samples a step at 32.4% ± 2.5%<!--=09 accuracy/more replay as ±.1%-->. So most of what the loss wins can be had by giving old samples more weight. The saliency-preserving loss ends at 23.4% ± 2.2%<!--=09 accuracy/SPL as ±.1%-->, with its map or without (22.8% ± 3.7%<!--=09 accuracy/SPL without the map as ±.1%-->), at every λ tried: no gain, where the source has 11.6 points from one run.
#
# *Numbers in the text are those of the full run: CIFAR-10 as a JPEG copy, five seeds, under an hour on one core. At quick settings the notebook takes about a minute on two cores, on digits.*
#
# Before: [08b · What a filter's picture says](08b_filter_pictures.ipynb) · Next: [09b · Where the network looks](09b_saliency_drift.ipynb)

# %% [markdown]
# ## The idea
#
# Replay joins stored old samples to every batch. The write-up that we start from ("Activation Preserving Loss") adds to it, on $n$ stored samples of each earlier class which the network
# gets right as a new task begins,
#
# $$\text{APR:}\quad \lambda \sum_{l} \overline{\big(h_l(x) - h_l^\text{then}(x)\big)^2}, \qquad
# \text{SPL:}\quad \lambda\,\tfrac{3}{N}\; \overline{\big(h(x) - h(x + \sigma\,\varepsilon\,(1 - M))\big)^2}.$$
#
# APR, *activation-preserving*: activations $h_l$ at six places $l$ shall stay what they were then; the last place is the logits, which count twice. SPL, *saliency-preserving*:
# what the last convolution makes of a sample shall not change when noise $\varepsilon$ falls on all that is not salient, outside of $M$, where the sample's Grad-CAM map
# (Selvaraju et al. 2016) was above $\tau$ as the task began. $N$ is the number of samples in all; $h$ is the network's as it is now in both places, so that SPL holds nothing of the past but what it deems salient. The write-up has one run of each: 45.8 % for replay, 59.5 % with APR, 57.4 % with SPL.
# Is that the loss, or the samples, or the compute?

# %%
import inspect
from collections import OrderedDict
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from torch import nn

from cf_utils import claims, data, methods, metrics, observers, plots, results, streams, training
from cf_utils.methods import controls

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "cifar10": as in the source
train_images = 1000  # training images used, of all ten classes
test_images = 1000  # test images used, the same
seeds = 2  # replicas
width = 4  # filters of the first two convolutions (64 in the source), of the next two twice as many
hidden = 64  # units of the hidden layer (256 in the source)
epochs = 3  # passes over each task (num_epochs in the source: 8)
batch_size = 16  # 64 in the source
lr = 3e-3  # of Adam, one for the whole stream (1e-3 in the source)
buffer_size = 60  # samples stored of each task (1,000 in the source)
replayed = 8  # of them, joined to each batch (32 in the source)
apr_lambda = 0.2  # strength of APR (saliency_lambda in the source, for both)
apr_samples = 5  # samples of each earlier class (num_samples_per_class in the source, for both)
spl_lambda = 65.0  # strength of SPL
spl_samples = 6  # samples of each earlier class
noise_std = 0.09  # of SPL's noise, in deviations of the pixels
saliency_threshold = 0.6  # above it a pixel is salient
threads = 1  # CPU threads
out = ""  # folder for figures and results; empty: out/09_preserving_losses

# %% [markdown]
# ## Stream and network
#
# Three tasks of three classes each, ten outputs for all (class-incremental), and the source's network: two 3×3 convolutions, pooling, two more, pooling, a hidden layer, ReLU throughout, no norm. Since every run is
# repeated over seeds and on a CPU, all of it is smaller: 12 filters in place of 64, 500 images a class in place of 5,000, four epochs in place of eight, so some 96 steps a task in place of 1,880, with a memory of 200 images of each task in place of
# 1,000 (13 % of a task in place of 7). Numbers cannot agree with the source's; what its losses win can be compared. Seeds differ in initial weights, order and memory; the images are the same. Accuracies are on test images of each task, among all ten outputs.

# %%
folder = results.output_folder(out, "09_preserving_losses")
images = data.load(dataset, train=train_images)
some = (
    torch.arange(test_images) * len(images.y_test) // test_images
)  # of all classes, however they are sorted
images = replace(images, x_test=images.x_test[some], y_test=images.y_test[some])
stream = streams.split(images, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], scenario="class")
config = training.TrainConfig(
    epochs, batch_size, lr, optimizer="adam", weight_decay=0.0, threads=threads
)
caption = f"{images.name}, {train_images:,} training images, {seeds} seeds, {epochs} epochs a task, width {width}"
channels, _, side = images.x_train.shape[1:]
names = [f"task {t + 1}" for t in range(3)]


def network():
    layers, inputs = OrderedDict(), channels
    for i, filters in enumerate((width, width, 2 * width, 2 * width), start=1):
        layers |= {f"conv{i}": nn.Conv2d(inputs, filters, 3, padding=1), f"act{i}": nn.ReLU()}
        inputs = filters
        if i in (2, 4):
            layers[f"pool{i}"] = nn.MaxPool2d(2)
    layers |= {
        "flatten": nn.Flatten(),
        "fc5": nn.Linear(inputs * (side // 4) ** 2, hidden),
        "act5": nn.ReLU(),
    }
    return nn.Sequential(layers | {"fc6": nn.Linear(hidden, len(images.classes))})


pd.DataFrame(
    [
        {"task": task.name, "train": len(task.y_train), "test": len(task.y_test)}
        for task in stream.tasks
    ]
)

# %% [markdown]
# The whole method, as every comparison uses it:

# %%
Markdown(f"```python\n{inspect.getsource(methods.APR)}```")

# %% [markdown]
# A check that a reader can believe: as a task begins APR's penalty is zero, and then it is not.

# %%
memory = {"memory": buffer_size, "batch": replayed, "per_task": True}
places = ["act3", "conv4", "act4", "fc5", "act5", "fc6", "fc6"]  # the source's; fc6: the logits
apr = methods.APR(apr_lambda, **memory, per_class=apr_samples, places=places)


class Penalty(observers.Observer):
    """Prints APR's penalty as task 2 begins and as it ends."""

    def before_task(self, loop):
        if loop.t:
            print("as task 2 begins:", loop.methods[0].penalty(loop, None, None).tolist())

    def after_task(self, loop):
        if loop.t:
            print("as it ends:", loop.methods[0].penalty(loop, None, None).tolist())


_ = training.run_stream(network, apr, stream, config, [0], observers=[Penalty()], until=2)


# %% [markdown]
# ## The loss, the samples, or the compute?
#
# Beside replay, APR and SPL at the source's settings stand three controls. *Labels*: the samples that APR would take, with their cross-entropy (at weight 1) in place of the distances, and so the same extra pass. *More
# replay*: 30 more stored samples in each batch, as many as APR has in the last task, which also gives old samples half of the batch's loss in place of a third. *SPL without the map*: noise everywhere, and so also more of it. And finetuning, without replay. The source searched its losses' settings; the controls are not tuned.
#
# **Prediction (source).** APR and SPL win 14 and 12 points on replay alone, on the old tasks most. **Ours.** Were it the samples, labels would win as much; were it the
# compute, more replay would; and if the map matters, SPL without it does worse.


# %%
def spl(strength=spl_lambda, threshold=saliency_threshold):
    return methods.SPL(
        strength,
        place="conv4",
        noise_std=noise_std,
        saliency_threshold=threshold,
        per_class=spl_samples,
        **memory,
    )


more = memory | {"batch": replayed + apr_samples * 6}  # six old classes in the last task
arms = {
    "finetuning": methods.Finetune(),
    "replay": methods.Replay(**memory),
    "more replay": methods.Replay(**more),
    "labels": controls.Labels(1.0, **memory, per_class=apr_samples),
    "APR": apr,
    "SPL": spl(),
    "SPL without the map": spl(threshold=1.0),
}
accuracy = {}


def train(arms):
    """Accuracies ``[seeds, 4, 3]`` of each arm into ``accuracy``."""
    for name, method in arms.items():
        accuracy[name] = training.run_stream(network, method, stream, config, range(seeds)).accuracy


train(arms)
Markdown(f"```python\n{inspect.getsource(controls.Labels)}```")

# %%
columns = {
    f"{task}, at the end (%)": {name: 100 * accuracy[name][:, -1, t] for name in arms}
    for t, task in enumerate(names)
}
columns["mean of the tasks (%)"] = {
    name: 100 * metrics.average_accuracy(accuracy[name]) for name in arms
}
fig, axes, table = plots.dot_columns(columns)
results.save_figure(
    fig, folder, "arms", table, f"{caption}. Test images, ten outputs; 95 % intervals."
)

# %%
rows = {"accuracy (%)": {name: 100 * accuracy[name][:, 1:, 0].numpy() for name in arms}}
panels = [
    ["finetuning", "replay", "more replay", "labels"],
    ["replay", "APR", "SPL", "SPL without the map"],
]
fig, table = plots.over_tasks(rows, panels, names)
fig.suptitle("test images of task 1")
results.save_figure(fig, folder, "first_task", table, f"{caption}; 95 % bands.")

# %% [markdown]
# **APR's gain is there**: 13.7% ± 5.7%<!--=09 gain/APR as ±.1%--> on average, 28%<!--=09 task 1/APR as .0%--> of task 1 in place of 3%<!--=09 task 1/replay as .0%--> and 19%<!--=09 task 2/APR as .0%--> of task 2 in place of 0%<!--=09 task 2/replay as .0%-->. Replay alone has little left of either, and less than the source's (at 96 steps a task each stored image is seen some fifteen times). On the last task nothing differs; the source's five points there are not seen.
#
# **Much of it is the samples.** Their labels alone do as well: 35.2% ± 0.5%<!--=09 accuracy/labels as ±.1%--> against 36.7% ± 2.7%<!--=09 accuracy/APR as ±.1%-->, a difference of a point or two that five seeds do not show. More replay comes near on average, and as near on task 1, but keeps less of task 2 (6%<!--=09 task 2/more replay as .0%-->). So old samples count too little in plain replay at this size, and whatever adds
# to their weight helps.
#
# **SPL does nothing here**: 23.4% ± 2.2%<!--=09 accuracy/SPL as ±.1%-->, and 22.8% ± 3.7%<!--=09 accuracy/SPL without the map as ±.1%--> with noise everywhere. That fits what it asks for, which is that the network be smooth where it is, not that it answer as it did. At the source's size it may be otherwise; there it rests on one run.
#
# ## Which place matters?
#
# APR with one place at a time, at the source's λ, in the order of the network (act3 is the ReLU before the last convolution conv4; fc6 are the logits, counted once here). One λ is not one strength for all: places differ in the size of their activations. **Prediction.** The logits alone win most of APR's gain.

# %%
alone = {
    f"{place} alone": methods.APR(apr_lambda, **memory, per_class=apr_samples, places=[place])
    for place in places[:6]
}
train(alone)
shown = ["replay", *alone, "APR"]
measures = {
    "accuracy at the end,\nmean of the tasks (%)": metrics.average_accuracy,
    "accuracy right after\neach task (%)": metrics.learning_accuracy,
    "forgetting (points)": metrics.forgetting,
}
columns = {
    label: {name: 100 * measure(accuracy[name]) for name in shown}
    for label, measure in measures.items()
}
fig, axes, table = plots.dot_columns(columns)
results.save_figure(
    fig, folder, "places", table, f"{caption}. λ = {apr_lambda:g}; test images; 95 % intervals."
)

# %% [markdown]
# The logits do, and nothing else: alone they end at 36.9% ± 2.5%<!--=09 accuracy/fc6 alone as ±.1%-->, APR with all places at 36.7% ± 2.7%<!--=09 accuracy/APR as ±.1%-->, and each of the five others within two points of replay (23.0%<!--=09 accuracy/replay as .1%-->). What is called an activation-preserving loss is at work a loss on logits, as in dark experience replay (Buzzega et al. 2020). With a λ of their own the others might do more; each at ten times the λ is not tried.
#
# ## How strong?
#
# λ a decade lower and higher. **Prediction.** The source searched near its λ; more of it holds more and learns less.

# %%
strengths = {
    "APR": [apr_lambda * f for f in (0.1, 1, 10)],
    "SPL": [spl_lambda * f for f in (0.1, 1, 10)],
}
build = {
    "APR": lambda s: methods.APR(s, **memory, per_class=apr_samples, places=places),
    "SPL": spl,
}
for kind, of in strengths.items():
    train({f"{kind}, λ = {s:g}": build[kind](s) for s in (of[0], of[2])})
    accuracy[f"{kind}, λ = {of[1]:g}"] = accuracy[kind]
fig, axes = plt.subplots(1, 3, figsize=(11, 3.6))
tables = []
for ax, (label, measure) in zip(axes, measures.items(), strict=True):
    for i, (kind, of) in enumerate(strengths.items()):
        values = np.stack([100 * measure(accuracy[f"{kind}, λ = {s:g}"]).numpy() for s in of], 1)
        tables.append(
            plots.band(ax, [0.1, 1, 10], values, kind, index=i).assign(
                measure=" ".join(label.split())
            )
        )
    ax.axhline(100 * float(measure(accuracy["replay"]).mean()), color="0.4", ls=":", lw=1)
    ax.set(xscale="log", xlabel="λ / λ of the source", title=label)
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
results.save_figure(
    fig, folder, "strengths", pd.concat(tables), f"{caption}; 95 % bands. Dotted: replay alone."
)

# %% [markdown]
# APR's λ of the source is well chosen here too: a tenth of it ends at 33.0%<!--=09 accuracy/APR, λ = 0.02 as .1%-->, ten times as much at 31.0%<!--=09 accuracy/APR, λ = 2 as .1%-->, where half as much is forgotten (16%<!--=09 forgetting/APR, λ = 2 as .0%--> against 35%<!--=09 forgetting/APR as .0%-->) and new tasks are no longer learned (42%<!--=09 learned/APR, λ = 2 as .0%--> against 60%<!--=09 learned/APR as .0%-->). SPL's λ makes no difference over two decades.
#
# ## What became of the claims

# %%
numbers = {f"accuracy/{name}": metrics.average_accuracy(a) for name, a in accuracy.items()}
for name, a in accuracy.items():
    numbers |= {
        f"learned/{name}": metrics.learning_accuracy(a),
        f"forgetting/{name}": metrics.forgetting(a),
    }
    numbers |= {f"{task}/{name}": a[:, -1, t] for t, task in enumerate(names)}
    numbers |= {f"task 1 after {task}/{name}": a[:, t + 1, 0] for t, task in enumerate(names)}
    numbers[f"gain/{name}"] = metrics.average_accuracy(a) - metrics.average_accuracy(
        accuracy["replay"]
    )
verdicts = claims.read_claims("09", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
keys = (
    "train_images",
    "test_images",
    "width",
    "hidden",
    "epochs",
    "batch_size",
    "lr",
    "buffer_size",
    "replayed",
    "threads",
)
keys += (
    "apr_lambda",
    "apr_samples",
    "spl_lambda",
    "spl_samples",
    "noise_std",
    "saliency_threshold",
)
settings = {key: globals()[key] for key in keys}
_ = results.save_run(folder, "09", images.name, settings, range(seeds), numbers, verdicts)

# %% [markdown]
# ## Takeaways
#
# - **APR's gain is real and of the source's size**, 13.7% ± 5.7%<!--=09 gain/APR as ±.1%-->. It is won by the logits; the activations below them add nothing.
# - **Give the control the same samples.** Their labels in an extra pass do as well (35.2%<!--=09 accuracy/labels as .1%--> against 36.7%<!--=09 accuracy/APR as .1%-->), without tuning. Against replay alone each of these losses is compared with too little rehearsal.
# - **SPL is not seen to help**, nor its map to matter.
# - *Caveats.* A tenth of the source's images and a twentieth of its steps, a fifth of its width; the memory is twice as large for its tasks. One choice of images for all seeds. APR's λ is the source's, searched there; the controls' weights are not searched. SPL's n, τ and σ are not swept.
# - *To try.* `epochs=20`: does replay alone catch up, and SPL come to do something? Give SPL its samples' labels as well.
#
# **References.** Selvaraju et al. 2016, arXiv:1610.02391. Chaudhry et al. 2019, arXiv:1902.10486. Buzzega et al. 2020, arXiv:2004.07211.
