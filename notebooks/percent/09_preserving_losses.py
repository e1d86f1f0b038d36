# %% [markdown]
# # 09 · Losses that preserve activations or saliency
#
# **On top of replay, does a loss on old activations or on old saliency maps help, and is it the loss that helps or its extra samples?**
#
# **Answer.** Over three tasks replay ends at 23.0%<!--=09 accuracy/replay as .1%-->, with the activation-preserving loss (APR) at 36.7%<!--=09 accuracy/APR as .1%-->, with labels of
# the same samples at 35.2%<!--=09 accuracy/labels as .1%-->: we cannot tell the last two apart. APR's gain comes from the network's outputs;
# holding the layers below them shows none. The saliency-preserving loss (SPL) shows no gain, but weighs so little in
# networks this small that it is hardly tested.
#
# **Our networks are far smaller than the source's**: a tenth of its images, a fifth of its filters, a twentieth of its
# training steps. So they do not decide what its losses do at its size. A larger run is planned.
#
# *Numbers in the text are those of the full run: CIFAR-10 as a JPEG copy, five seeds, under an hour on one core. At quick settings the notebook takes about a minute on two cores, on digits.*
#
# Before: [08b · What a filter's picture says](08b_filter_pictures.ipynb) · Next: [09b · Where the network looks](09b_saliency_drift.ipynb)

# %% [markdown]
# ## The idea
#
# *Replay* joins stored images of earlier tasks to every batch. The write-up that we start from ("Activation Preserving
# Loss") adds a second loss, on $n$ stored images of each earlier class. They are chosen as a new task begins, among
# those that the network then gets right.
#
# $$\text{APR:}\quad \lambda \sum_{l} \overline{\big(h_l(x) - h_l^\text{then}(x)\big)^2}, \qquad
# \text{SPL:}\quad \lambda\,\tfrac{3}{N}\; \overline{\big(h(x) - h(x + \sigma\,\varepsilon\,(1 - M))\big)^2}.$$
#
# A line above means the average over all entries; $N$ is the number of pixels.
#
# **APR, *activation-preserving*, holds answers.** What the network makes of these images at six places $l$, its
# *activations* $h_l$, shall stay as it was. The last place is the *logits*, the ten outputs before the softmax. They count
# twice. λ is the strength.
#
# **SPL, *saliency-preserving*, holds a region.** A *Grad-CAM* map (Selvaraju et al. 2016) marks where an image raises the
# output of its class. Where the map was above τ as the task began, the mask $M$ is 1. Noise $\varepsilon$ of size σ falls
# on the rest, and shall not change the last convolution's answer $h$. $N$ is the number of samples.
#
# **SPL keeps nothing of the past but that mask.** Both answers are the present network's. It is asked to ignore the rest
# of the image, not to answer as before.
#
# The write-up has one run of each: 45.8 % for replay, 59.5 % with APR, 57.4 % with SPL. Its replay had neither the extra
# samples nor the extra compute.

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
# Three tasks of three classes each, and one set of ten outputs for all (*class-incremental*). The network has the source's
# form: two 3×3 convolutions, pooling, two more, pooling, a hidden layer; ReLU throughout, no norm.
#
# | | here, full run | source |
# |---|---|---|
# | training images a class | 500 | 5,000 |
# | filters of the four convolutions | 12, 12, 24, 24 | 64, 64, 128, 128 |
# | epochs a task | 4 | 8 |
# | training steps a task | some 96 | some 1,880 |
# | images stored of each task | 200, 13 % of it | 1,000, 7 % of it |
# | runs | five seeds | one |
#
# **Accuracies cannot agree with the source's; gains over replay can be compared.** Seeds differ in initial weights, order
# and stored images; the images are the same. Accuracies are on 900 test images of each task, among all ten outputs.

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
# ## The method
#
# This is all of APR, as every comparison uses it:

# %%
Markdown(f"```python\n{inspect.getsource(methods.APR)}```")

# %% [markdown]
# **A check that a reader can believe.** As a task begins nothing has changed yet, so APR's penalty must be zero. As the
# task ends it must not be.

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
# APR shows old samples once more at each step. Three controls tell what is due to the losses:
#
# - *labels*: APR's samples in an extra pass, with cross-entropy on their labels (weight 1) in place of the distances;
# - *more replay*: 30 more stored images in each batch, as many as APR has in the last task. Half of the batch is then old,
#   not a third;
# - *SPL without the map*: noise everywhere, and so more of it.
#
# Finetuning is trained without replay. The source searched its losses' settings; our controls are not tuned.
#
# **Prediction (source).** APR and SPL gain 14 and 12 points on replay, most of them on old tasks.
#
# **Ours.** Both losses beat labels and more replay, and SPL does worse without its map. Should labels do as well, it is the
# samples that help; should more replay, it is the compute.


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
# **APR gains on replay: 13.7% ± 5.7%<!--=09 gain/APR as ±.1%--> of all images, on average.** The source's one run gained 13.7 points. Whether both are the same is
# undecided: five seeds fix ours only to within six points either way.
#
# **The gain is in old tasks.** At the end 28%<!--=09 task 1/APR as .0%--> of the first task is right, with replay 3%<!--=09 task 1/replay as .0%-->. Of the second it is
# 19%<!--=09 task 2/APR as .0%-->, with replay 0%<!--=09 task 2/replay as .0%-->. On the last task we see no difference.
#
# **Plain labels do as well, as far as we can tell.** The same samples' labels end at 35.2% ± 0.5%<!--=09 accuracy/labels as ±.1%-->, APR at 36.7% ± 2.7%<!--=09 accuracy/APR as ±.1%-->; which is
# ahead is undecided. So most of APR's gain can be had without its loss.
#
# **More replay gets most of the way.** It ends at 32.4% ± 2.5%<!--=09 accuracy/more replay as ±.1%-->, behind APR (not significantly, among so many comparisons). It holds the first task as well, but keeps only 6%<!--=09 task 2/more replay as .0%--> of
# the second. Whatever gives old images more weight seems to help here.
#
# **Replay is a weak baseline at this size.** In the second task each stored image is shown some 15 times, at the source's
# size some 60 times. Finetuning has collapsed: of the last task it gets 33.3%<!--=09 task 3/finetuning as .1%--> right in every seed, as one
# answer for all images would.
#
# **SPL shows no gain.** It ends at 23.4% ± 2.2%<!--=09 accuracy/SPL as ±.1%-->, without its map at 22.8% ± 3.7%<!--=09 accuracy/SPL without the map as ±.1%-->. Labels and more replay are clearly ahead of it.
#
# **But SPL is hardly tested here.** As the second task begins its term is 0.0005<!--=09c term as task 2 begins/SPL as .4f--> *nats* (notebook 09c). The
# cross-entropy beside it, in the same unit, is over a thousand times larger. A network of the source's size may feel more.
#
# ## Which place holds the gain?
#
# APR with one place at a time, in the order of the network: act3 is the ReLU before the last convolution conv4, and fc6 the
# logits, counted once here. All have the source's λ. That is not one strength for all, since activations differ in size.
#
# **Prediction.** The logits alone win more than half of APR's gain. The last convolution alone wins something.

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
# **The logits hold all of the gain that we see.** Alone they end at 36.9% ± 2.5%<!--=09 accuracy/fc6 alone as ±.1%-->, all places together at 36.7% ± 2.7%<!--=09 accuracy/APR as ±.1%-->. So in effect
# this is a loss on outputs, as in dark experience replay (Buzzega et al.).
#
# **The five places below show none.** Each ends within two points of replay's 23.0%<!--=09 accuracy/replay as .1%-->, the last convolution too. But
# intervals of their gains reach three to seven points either way, and we have not tried a larger λ for them.
#
# ## How strong should the loss be?
#
# We take λ ten times lower and ten times higher.
#
# **Prediction.** The source searched near its λ, so less of it gains less. More of it keeps more and learns less.

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
# **The source's λ suits APR here too.** A tenth of it ends at 33.0%<!--=09 accuracy/APR, λ = 0.02 as .1%-->, ten times as much at 31.0%<!--=09 accuracy/APR, λ = 2 as .1%-->, the source's own at
# 36.7%<!--=09 accuracy/APR as .1%-->.
#
# **A stronger APR pays with new tasks.** Ten times λ halves forgetting, from 35%<!--=09 forgetting/APR as .0%--> to 16%<!--=09 forgetting/APR, λ = 2 as .0%--> (accuracy lost since its best, old tasks).
# But right after training a task is at 42%<!--=09 learned/APR, λ = 2 as .0%-->, not at 60%<!--=09 learned/APR as .0%-->.
#
# **SPL's λ makes no difference that we see.** Even ten times next to nothing is little. Notebook 09c
# turns up the noise until SPL is felt, and finds no gain there either.
#
# ## Where APR fails
#
# **It slows forgetting and does not stop it.** The first task falls from 75%<!--=09 task 1 after task 1/APR as .0%--> right after its training to 28%<!--=09 task 1 after task 3/APR as .0%--> at the end.
# After the second task, whether APR is ahead of replay at all is undecided (47%<!--=09 task 1 after task 2/APR as .0%--> and 40%<!--=09 task 1 after task 2/replay as .0%-->).
#
# ## What became of the claims
#
# Most of the source's accuracies are not reproduced. With networks this small that was to be expected, and says nothing
# about its losses. Its gains over replay are undecided: for APR in size, for SPL in sign.

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
# ## Exercises
#
# **1. What does SPL's penalty begin with?** APR's is zero as a task begins. Guess SPL's. Then run, in a new cell after
# `spl` is defined,
# `training.run_stream(network, spl(), stream, config, [0], observers=[Penalty()], until=2)`.
#
# <details><summary>Solution</summary>
#
# It is small, but not zero: noise changes the last convolution's answer at once. Nothing is compared with the past.
#
# </details>
#
# **2. Does replay catch up?** Set `epochs = 20` and run the notebook. Does APR's lead on replay shrink?
#
# <details><summary>Solution</summary>
#
# Open: we have not run this at full settings. If the lead shrinks, it came from training too short for replay.
#
# </details>
#
# ## Takeaways
#
# - **APR gains 13.7% ± 5.7%<!--=09 gain/APR as ±.1%--> on replay here, and its logits hold all of the gain that we see.**
# - **Give the control the same samples.** Their labels end at 35.2%<!--=09 accuracy/labels as .1%-->, APR at 36.7%<!--=09 accuracy/APR as .1%-->: not told apart. Replay alone has
#   too little rehearsal for a fair comparison.
# - **SPL shows no gain, nor does its map matter that we see.** Its loss is next to nothing at this size, so this is no
#   refutation.
# - **Note the size of a penalty before you judge its effect.**
#
# *Caveats.* Size: see the table above. One choice of images serves all seeds. APR's λ
# is the source's, searched there; the controls are not tuned. Adjusted for the number of claims (LEDGER.md), APR's gain on
# replay stands at the border of significance, and its lead on more replay does not hold.
#
# **References.** Selvaraju et al. 2016, arXiv:1610.02391. Chaudhry et al. 2019, arXiv:1902.10486. Buzzega et al. 2020,
# arXiv:2004.07211. The source: the write-up "Activation Preserving Loss".
