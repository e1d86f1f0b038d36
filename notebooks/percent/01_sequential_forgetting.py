# %% [markdown]
# # 01 · Sequential forgetting on Split-MNIST
#
# **What exactly happens to a small network that learns five pairs of digits one after the other?**
#
# It forgets all but the last pair: 97.2%<!--=01 test accuracy/plain, joint as .1%--> when all digits are learned together become
# 19.9%<!--=01 test accuracy/plain as .1%--> in sequence, and neither batch-norm, layer-norm, dropout, weight decay nor a convolutional network does better.
# The loss is abrupt: the pair before is half forgotten after 12<!--=01 half-life/plain as .0f--> steps of some 600. The lower validation losses that the notes saw under
# batch-norm and sparse activations are mostly calibration, not memory; but told which task a digit belongs to, the plain network still
# gets 62%<!--=01 task-aware/plain as .0%--> right and the one with batch-norm 70%<!--=01 task-aware/batch-norm as .0%-->, so something is left behind the head.
#
# *(All of MNIST, ten seeds; on two cores about a minute at quick settings and an hour at full ones.)*
#
# Next: [02 · Sparsity and bias](02_sparsity_and_bias.ipynb)

# %% [markdown]
# ## The idea
#
# A *stream* of tasks $1 \dots T$: the network sees only the data of task $t$ while it trains on it. After each task we
# test it on all of them, which gives the accuracy matrix: $a_{ij}$ is the accuracy on task $j$ after task $i$. Two numbers
# sum it up (Lopez-Paz & Ranzato 2017; Chaudhry et al. 2018):
#
# $$\mathrm{ACC} = \frac{1}{T}\sum_j a_{Tj} \qquad F = \frac{1}{T-1}\sum_{j<T}\Big(\max_{l<T} a_{lj} - a_{Tj}\Big)$$
#
# The network is a multilayer perceptron 784–120–84–10; the tasks are the digits [1, 2], [3, 4], [5, 6], [7, 8], [9, 0];
# all ten outputs count at all times (*class-incremental*). **Joint** training sees all ten digits at once: the upper
# bound. **Sequential** training without a remedy is the lower bound.

# %%
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_samples

from cf_utils import data, methods, metrics, models, plots, probes, results, streams, training

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "mnist": all 70,000
validation = 1000  # training digits held out to validate on
seeds = 10  # replicas, trained side by side
lenet_seeds = 2  # the same for LeNet5, which is ten times slower
epochs = 5  # passes over each task
batch_size = 64
lr = 1e-3
curve_images = 100  # validation digits a task for the forgetting curves
map_points = 500  # digits in the latent maps
map_seeds = 2  # seeds whose t-SNE clouds are measured
umap = True  # draw UMAP beside t-SNE (compiles for 15 s at first)
out = ""  # folder for figures and results; empty: out/01_sequential_forgetting

# %% [markdown]
# ## The stream
#
# Ten networks (*replicas*) differ in initial weights and in the order of their data. They train side by side, so every
# number below comes with a 95 % interval over seeds. Accuracies are on test digits; losses and curves are on training
# digits that were held out, as in the notes. The notes give no batch size: it is 64 here.

# %%
folder = results.output_folder(out, "01_sequential_forgetting")
images = data.load(dataset, validation=validation)
stream = streams.split(images, [[1, 2], [3, 4], [5, 6], [7, 8], [9, 0]], scenario="class")
config = training.TrainConfig(epochs=epochs, batch_size=batch_size, lr=lr, optimizer="adamw", weight_decay=0.01)
caption = f"{images.name}, {len(images.y_train):,} training digits, {seeds} seeds, {epochs} epochs a task"
names = [task.name for task in stream.tasks]
sizes = {part: [len(getattr(task, f"y_{part}")) for task in stream.tasks] for part in ("train", "val", "test")}
pd.DataFrame({"task": names} | sizes)

# %% [markdown]
# A *callback* is a function that the training loop calls at its moments. This one looks at the network after each task:
# at its outputs on held-out digits of all classes seen so far, and at its hidden units.

# %%
chosen = torch.stack([torch.nonzero(images.y_test == c)[0, 0] for c in range(10)])  # a test digit of each class
mapped = torch.randperm(len(images.y_test), generator=torch.Generator().manual_seed(0))[:map_points]


def look(loop):
    _, hidden = training.predict(loop.model, images, images.x_test[mapped], hidden=True)
    beliefs = training.predict(loop.model, images, images.x_test[chosen]).softmax(2)
    latent = hidden[loop.model.relus[-1]]
    own = {"latent": latent.numpy(), "dimension": probes.effective_dimension(latent), "beliefs": beliefs}
    return probes.standing(loop) | probes.activity(loop.model, images, images.x_test) | own


looks, runs, curves, updates, moved = {}, {}, {}, {}, {}


def train(name, build=models.mlp, method=None, config=config, stream=stream, seeds=seeds, extra=()):
    """Train replicas, look at them after each task; keeps the run and the looks by name."""
    looks[name] = []
    note = training.at("after_task", lambda loop: looks[name].append(look(loop)))
    method = method or methods.Finetune()
    runs[name] = training.run_stream(build, method, stream, config, range(seeds), callbacks=[note, *extra])


# %% [markdown]
# ## Upper and lower bound
#
# **Prediction.** If the network kept what it learned, the sequential rows would come close to joint training (about
# 97 %). If it kept only the last task, it would know two digits of ten: 20 %.

# %%
kinds = {"plain": {}, "batch-norm": {"norm": "batch"}, "layer-norm": {"norm": "layer"}, "dropout 0.5": {"dropout": 0.5}}
joint = streams.joint(stream)
for name, options in kinds.items():
    extra = []
    if name in ("plain", "batch-norm"):
        curves[name], updates[name], moved[name] = [], [], []
        extra = [probes.forgetting_curves(curves[name], curve_images), probes.displacements(moved[name])]
        extra += [probes.relative_updates(updates[name])]
    train(name, partial(models.mlp, **options), extra=extra)
    train(f"{name}, joint", partial(models.mlp, **options), stream=joint)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), width_ratios=(1, 1.1))
matrix = 100 * runs["plain"].accuracy.mean(0)[1:].numpy()
plots.heatmap(left, matrix, "plain network, sequential: accuracy (%)", "tested on", "after training on", 0, 100)
left.set(xticks=range(5), xticklabels=names, yticks=range(5), yticklabels=names)
plots.numbers(left, matrix)
order = sorted(runs, key=lambda name: "joint" not in name)
values = {name: 100 * metrics.average_accuracy(runs[name].accuracy) for name in order}
table = plots.dots(right, values, "accuracy on all ten digits after the stream (%)")
right.set_xlim(0, 103)
results.save_figure(
    fig, folder, "bounds", table, f"{caption}. Test digits; mean (left), mean and 95 % interval (right)."
)

# %% [markdown]
# The matrix is a diagonal: each task is learned almost perfectly and is gone after the next one. The sequential rows sit
# at 20 %, with batch-norm, layer-norm and dropout as without. None of them is a remedy: batch-norm lifts joint training to
# 97.7%<!--=01 test accuracy/batch-norm, joint as .1%--> and sequential training to 19.9%<!--=01 test accuracy/batch-norm as .1%-->.

# %% [markdown]
# ## When exactly does it drop?
#
# **Prediction.** A task is some hundred steps long. If old digits faded as new ones are learned, their accuracy would
# fall over all of it. The notes saw it collapse between batches 3 and 11, abruptly, and more smoothly with batch-norm.

# %%
fig, table = plots.forgetting_grid({name: probes.curves_by_task(curves[name]) for name in curves}, names)
note = f"{caption}. {curve_images} held-out digits a task; 95 % bands."
results.save_figure(fig, folder, "curves", table, note)

# %%
losses = {name: probes.curves_by_task(curves[name], "loss") for name in curves}
fig, table = plots.forgetting_grid(losses, names, "loss (nats)", 1, (0, 12))
results.save_figure(fig, folder, "loss_curves", table, note)

# %%
half = {name: probes.first_step_below(curves[name]) for name in curves}
fall = {name: 100 * probes.largest_fall(curves[name]) for name in curves}
Markdown(
    f"The task before is half forgotten after **{results.plus_minus(half['plain'])} steps** of about {curves['plain'][-1]['step']} in the plain network, and after "
    f"{results.plus_minus(half['batch-norm'])} with batch-norm. The largest fall in one step is {fall['plain'].mean():.0f} points without "
    f"and {fall['batch-norm'].mean():.0f} with batch-norm."
)

# %% [markdown]
# The old digits fall in the same few steps in which the new ones rise, and once down they stay down. Batch-norm shifts the
# collapse by some steps and makes the curves of all seeds alike; it does not make it gradual. The loss on old digits keeps
# growing long after their accuracy is zero: the network becomes ever surer of its wrong answers.
#
# ## Whom does the network believe when it is wrong?
#
# One test digit of every class and the probability of each of the ten outputs after each task, averaged over seeds.
# **Prediction.** If the outputs kept a trace of the old digits, some probability would stay on the diagonal.

# %%
probabilities = {name: [after["beliefs"].mean(0).numpy() for after in looks[name]] for name in curves}
fig, table = plots.beliefs(probabilities, images.x_test[chosen, 0].numpy(), names)
results.save_figure(fig, folder, "beliefs", table, f"{caption}. Mean over seeds; one test digit of each class.")

# %% [markdown]
# All mass lies in the columns of the task just trained, with batch-norm as without: wrong, and sure of it. The digit is
# sorted by likeness: 7 and 4 become 9, 6 and 2 become 0. The notes saw some probability return to old classes under
# batch-norm; it is too little to see here. Its size is measured below, under *Calibration or memory?*
#
# ## Latent maps
#
# The 84 units of the last hidden layer, flattened to a plane by t-SNE and UMAP, for one seed. Grey crosses are digits
# whose class has not been trained yet. **Prediction (notes).** New classes lie well apart, old ones mingle.

# %%
labels = images.y_test[mapped].numpy()
known = [sorted({c for task in stream.tasks[: t + 1] for c in task.labels}) for t in range(5)]
tsne = TSNE(init="pca", perplexity=30, random_state=0).fit_transform
kinds_of_map = {"t-SNE": tsne}
if umap:
    from umap import UMAP

    kinds_of_map["UMAP"] = UMAP(random_state=0, n_jobs=1).fit_transform
fig, axes = plt.subplots(len(kinds_of_map), 5, figsize=(12, 2.6 * len(kinds_of_map)), squeeze=False)
tables = []
for row, (kind, flatten) in zip(axes, kinds_of_map.items(), strict=True):
    planes = [flatten(looks["plain"][t]["latent"][0]) for t in range(5)]
    tables.append(plots.clouds(row, planes, labels, known, [f"{kind}, after {name}" for name in names]))
note = f"{caption}. Plain network, seed 0; {map_points} test digits; grey crosses: not trained yet."
results.save_figure(fig, folder, "latent", pd.concat(tables), note)


# %%
def silhouette(name, of_old, t=4):
    """Mean silhouette in the 84 latent dimensions, of old or of new classes among all ten, one value a seed."""
    part = np.isin(labels, stream.tasks[t].labels) ^ of_old
    return np.array([silhouette_samples(latent, labels)[part].mean() for latent in looks[name][t]["latent"]])


separation = {"new digits": silhouette("plain", False), "old digits": silhouette("plain", True)}
stretch = {
    name: {t: [probes.elongation(tsne(z), labels) for z in looks[name][t]["latent"][:map_seeds]] for t in (1, 4)}
    for name in kinds
}
fig, axes = plt.subplots(2, 6, figsize=(15, 5.2), width_ratios=(1, 1, 1, 1, 0.8, 0.8))
tables = []
for row, t in zip(axes, (1, 4), strict=True):
    planes = [tsne(looks[name][t]["latent"][0]) for name in kinds]
    tables.append(
        plots.clouds(row[:4], planes, labels, [known[t]] * 4, [f"{name}, after {names[t]}" for name in kinds])
    )
    plots.dots(row[4], {name: stretch[name][t] for name in kinds}, "elongation of clouds")
    plots.dots(row[5], {name: looks[name][t]["dimension"] for name in kinds}, "effective dimension", index=1)
    row[4].set_xlim(1, None)
    row[5].set(yticklabels=[], xlim=(1, None))
note = f"{caption}. t-SNE of {map_points} test digits, seed 0; right: longest / shortest deviation in the map (mean over classes, {map_seeds} seeds), dimension of the 84 units; 95 %."
results.save_figure(fig, folder, "elongation", pd.concat(tables), note)

# %% [markdown]
# New digits lie at the ends of the map, old ones mingle, though 1 keeps a place of its own throughout. In numbers: the mean
# silhouette after the last task is 0.1<!--=01 silhouette/new digits as .2f--> for new digits and 0.1<!--=01 silhouette/old digits as .2f--> for old ones. Dropout draws the maps out into ribbons, as
# the notes saw. The better number for that is not the shape of single clouds but the dimension of the space: after five
# tasks 2.0<!--=01 dimension/dropout 0.5 as .1f--> effective dimensions of 84 with dropout, 3.0<!--=01 dimension/plain as .1f--> without, 9.0<!--=01 dimension/batch-norm as .1f--> with batch-norm.
#
# ## Where the weights move
#
# The relative size of each update, $\lVert\Delta w\rVert / \lVert w\rVert$, layer by layer, and below it how far each
# layer has come by the end of each task. **Prediction (notes).** Nothing special marks the steps in which the old task is
# lost, except that the first updates of a task are large; with batch-norm the head moves more than the body.

# %%
layers = {"fc1.weight": "first layer", "fc2.weight": "second layer", "fc3.weight": "head"}
step_sizes = {
    name: {layer: [probes.curve(updates[name], "update", task=t, layer=layer)[1] for t in range(5)] for layer in layers}
    for name in updates
}
whole = {n: {layer: torch.stack([task[layer] for task in moved[n]], 1) for layer in layers} for n in moved}
fig, table = plots.update_grid(step_sizes, whole, layers, names)
results.save_figure(fig, folder, "updates", table, f"{caption}; 95 % bands. The table holds the first 100 steps.")


# %%
def ratio(name, top, bottom, of=("fc1.weight", "fc2.weight", "fc3.weight"), over=None):
    """Mean update in the steps ``top`` over that in the steps ``bottom``; tasks 2-5, one value a seed."""
    means = [
        np.mean([step_sizes[name][layer][t][:, steps].mean(1) for layer in part for t in range(1, 5)], axis=0)
        for part, steps in ((of, top), (over or of, bottom))
    ]
    return means[0] / means[1]


all_steps, body = slice(None), ("fc1.weight", "fc2.weight")
ratios = {f"first 20 steps / last 100, {name}": ratio(name, slice(20), slice(-100, None)) for name in updates}
ratios |= {f"steps 3–11 / steps 12–20, {name}": ratio(name, slice(2, 11), slice(11, 20)) for name in updates}
ratios |= {f"head / body, {name}": ratio(name, all_steps, all_steps, ("fc3.weight",), body) for name in updates}
pd.DataFrame([{"mean update": k} | results.summary(v) for k, v in ratios.items()])

# %% [markdown]
# The first updates of a task are far larger than its last ones, and they peak in the very steps in which the old task is
# lost, so something does mark those steps: it is the learning of the new task. In the plain network the first layer moves
# most at first and the head catches up; with batch-norm all layers move alike from the second task on.
#
# ## Dropout, weight decay, LeNet5, and every method of this collection
#
# **Prediction (notes).** Neither dropout nor weight decay helps. The notes stopped their weight-decay runs at 98 % training accuracy, after
# an epoch or so, and compared them with a plain network after four epochs. We stop likewise, *and* stop a control with
# the usual decay of 0.01. LeNet5 stands in for convolutional networks. And every method in `cf_utils.methods` runs with
# its example arguments: so far a penalty on activations (λ = 1) and replay of 500 stored digits.

# %%
for decay in (0.01, 0.1, 1.0, 5.0):
    stopped = replace(config, weight_decay=decay, stop_at=0.98)
    train(f"decay {decay:g}, stopped at 98 %", config=stopped)
for name, method in methods.METHODS.items():
    if name != "finetune":
        train(name, method=method(**method.example))
train("LeNet5, joint", models.lenet5, stream=joint, seeds=lenet_seeds)
train("LeNet5", models.lenet5, seeds=lenet_seeds)
train("LeNet5, batch-norm", partial(models.lenet5, norm="batch"), seeds=lenet_seeds)
train("LeNet5, dropout 0.5", partial(models.lenet5, dropout=0.5), seeds=lenet_seeds)
train("LeNet5, decay 1", models.lenet5, config=replace(config, weight_decay=1.0), seeds=lenet_seeds)

# %%
sequential = [name for name in runs if "joint" not in name]
columns = {
    "accuracy after\nthe stream (%)": metrics.average_accuracy,
    "accuracy right after\neach task (%)": metrics.learning_accuracy,
    "forgetting (points)": metrics.forgetting,
}
groups = {title: {n: 100 * metric(runs[n].accuracy) for n in sequential} for title, metric in columns.items()}
fig, axes, table = plots.dot_columns(groups)
results.save_figure(fig, folder, "remedies", table, f"{caption} (LeNet5: {lenet_seeds}). Test digits; 95 % intervals.")

# %% [markdown]
# No row but replay gets above 20 %. Stopping at 98 % leaves the tasks a little less well learned and forgets as much.
# LeNet5 is no exception; with a weight decay of 1 some of its seeds stop learning altogether, and fall below. Replay of 500 stored digits, the simplest remedy there is, keeps 90%<!--=01 test accuracy/replay as .0%-->.
#
# ## Calibration or memory?
#
# The notes find lower validation losses under batch-norm and sparse activations at the same accuracy. Does the network
# remember, or is it less sure of its wrong answers? Three tests. (1) Divide the logits by the one temperature that suits
# them best (Guo et al. 2017): a difference that this removes was over-confidence. (2) How much probability do old classes
# get? (3) Tell the network the task (*task-aware*: only the two outputs of a digit's own task count): memory that the
# head hides shows here.

# %%
columns = {
    "loss (nats)": "nll",
    "loss at the best\ntemperature (nats)": "nll_best",
    "entropy of the\noutputs (nats)": "entropy",
    "probability left\nto old classes (%)": "old",
    "task-aware\naccuracy (%)": "task-aware",
}
percent = {"old": 100, "task-aware": 100}
groups = {c: {n: percent.get(key, 1) * looks[n][4][key] for n in sequential} for c, key in columns.items()}
fig, axes, table = plots.dot_columns(groups)
plots.mark(axes[1], np.log(10), "uniform")
plots.mark(axes[4], 50, "chance", "right")
note = (
    f"{caption} (LeNet5: {lenet_seeds}). {len(images.y_val):,} held-out digits, after all five tasks; 95 % intervals."
)
results.save_figure(fig, folder, "calibration", table, note)

# %% [markdown]
# Batch-norm halves the loss, from 11.6<!--=01 nll/plain as .1f--> to 5.6<!--=01 nll/batch-norm as .1f--> nats, at the same accuracy. At the best temperature all networks
# come to nearly the same loss, just below that of guessing (2.30): the difference was over-confidence. Weight decay lowers the
# loss in the same way, and it is the decay that does it: the control that stops at the same point has the plain network's loss.
# The probability left to old classes is 0.3%<!--=01 old/plain as .1%--> in the plain network, 1.8%<!--=01 old/batch-norm as .1%--> with batch-norm and 5.7%<!--=01 old/activation-l1 as .1%--> with sparse
# activations: more, as the notes saw, and far too little to be right. What memory there is shows only when the task is told.
#
# ## What became of the notes' claims
#
# Each claim of the source, its number and ours. `claims.csv` says what is tested; the verdict follows from the interval.

# %%
acc = {name: [after["accuracy"] for after in looks[name]] for name in looks}
loss = {name: [after["nll"] for after in looks[name]] for name in looks}
zeros = {name: [after["sparsity"] for after in looks[name]] for name in looks}
learned = {name: metrics.learning_accuracy(runs[name].accuracy) for name in runs}
d = {size: f"decay {size}, stopped at 98 %" for size in ("0.01", "0.1", "1", "5")}
fitted = [record["accuracy"] for record in runs["dropout 0.5"].history if record["task"] == 3][-1]
ours = {
    **{"01-joint-plain": acc["plain, joint"][0], "01-joint-bn": acc["batch-norm, joint"][0]},
    "01-joint-bn-better": acc["batch-norm, joint"][0] - acc["plain, joint"][0],
    **{f"01-seq-task{t + 1}": acc["plain"][t] for t in (1, 2, 3, 4)},
    "01-seq-bn": acc["batch-norm"][4],
    "01-seq-ln": acc["layer-norm"][4] - acc["batch-norm"][4],
    "01-dropout": acc["dropout 0.5"][4],
    "01-dropout-fit": fitted,
    **{f"01-decay-{size}": acc[d[size]][4] for size in ("0.1", "1", "5")},
    **{f"01-decay-{size}-sparsity": zeros[d[size]][4] for size in ("0.1", "1", "5")},
    "01-decay-5-sparsity-grows": zeros[d["5"]][4] - zeros[d["5"]][0],
    "01-decay-5-hard": learned[d["0.01"]] - learned[d["5"]],
    "01-loss-task2": loss["plain"][1],
    "01-loss-task5": loss["plain"][4],
    "01-loss-bn": loss["batch-norm"][4],
    "01-loss-bn-lower": loss["plain"][4] - loss["batch-norm"][4],
    "01-loss-l1-lower": loss["plain"][4] - loss["activation-l1"][4],
    "01-loss-dropout-higher": loss["dropout 0.5"][4] - loss["plain"][4],
    "01-loss-decay-lower": loss["plain"][4] - loss[d["5"]][4],
    "01-loss-decay-control": loss[d["0.01"]][4] - loss[d["5"]][4],
    "01-abrupt": half["plain"],
    "01-bn-smoother": fall["plain"] - fall["batch-norm"],
    "01-sure-of-new": looks["plain"][4]["old"],
    "01-bn-old-probability": looks["batch-norm"][4]["old"] - looks["plain"][4]["old"],
    "01-updates-early": ratios["first 20 steps / last 100, plain"],
    "01-updates-at-drop": ratios["steps 3–11 / steps 12–20, plain"],
    "01-updates-bn-head": ratios["head / body, batch-norm"],
    "01-latent-new-apart": separation["new digits"] - separation["old digits"],
    "01-dropout-elongated": np.subtract(stretch["dropout 0.5"][4], stretch["plain"][4]),
    "01-dropout-dimension": looks["plain"][4]["dimension"] - looks["dropout 0.5"][4]["dimension"],
    "01-lenet": acc["LeNet5"][4],
}
claims = results.read_claims("01", ours)
Markdown(results.claims_table(claims))

# %%
numbers = {f"test accuracy/{name}": metrics.average_accuracy(run.accuracy) for name, run in runs.items()}
numbers |= {
    f"{key}/{name}": looks[name][4][key]
    for name in sequential
    for key in ("temperature", "dimension", *columns.values())
}
numbers |= {f"half-life/{name}": half[name] for name in half} | {f"largest fall/{name}": fall[name] for name in fall}
numbers |= {f"elongation/{name}": stretch[name][4] for name in kinds} | {
    f"silhouette/{k}": v for k, v in separation.items()
}
numbers |= {f"moved/{name}/{layers[key]}": whole[name][key][:, 4] for name in whole for key in layers} | ratios
settings = {
    k: globals()[k] for k in ("epochs", "batch_size", "lr", "validation", "lenet_seeds", "map_points", "map_seeds")
}
_ = results.save_run(folder, "01", images.name, settings, range(seeds), numbers, claims)

# %% [markdown]
# ## Takeaways
#
# - Sequential training keeps the last task and nothing else: 19.9%<!--=01 test accuracy/plain as .1%--> against 97.2%<!--=01 test accuracy/plain, joint as .1%--> for joint training, with intervals of hundredths
#   of a point. One seed was enough for *this* claim; for the shapes of maps and the effect of λ = 2 (notebook 02) it was not.
# - Forgetting is abrupt in steps, and simultaneous with learning. Accuracy within a task, not after it, shows it.
# - A lower loss is not memory. Rescale the logits before comparing losses of networks that differ in confidence: 10.9<!--=01 nll/plain as .1f--> against
#   5.8<!--=01 nll/batch-norm as .1f--> nats becomes 2.26<!--=01 nll_best/plain as .2f--> against 2.25<!--=01 nll_best/batch-norm as .2f-->.
# - Caveats: one order of tasks, one learning rate, AdamW with one state for the whole stream; the curves rest on
#   held-out digits of each task, t-SNE on its own random choices.
#
# **Try.** Set `lr` to 1e-4: is forgetting slower in steps, or only in proportion? Put [1, 7] and [4, 9] into one task each: are
# likelier mistakes easier to remember?
#
# **References.** McCloskey & Cohen 1989. Lopez-Paz & Ranzato 2017, arXiv:1706.08840. Chaudhry et al. 2018, arXiv:1801.10112.
# Guo et al. 2017, arXiv:1706.04599. van de Ven & Tolias 2019, arXiv:1904.07734. The source: Split-MNIST notes, up to
# "Sequential training with weight decay".
