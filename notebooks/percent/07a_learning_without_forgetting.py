# %% [markdown]
# # 07a · Learning without forgetting
#
# **Can a network keep old digits by repeating its old answers to new digits, and why did the notes' network keep so few?**
#
# Told the task, it can: 95.4%<!--=07a old, told/LwF, heads apart, warmed up as .1%--> of the old digits are right, but plain finetuning forgets little too. Among ten
# outputs the notes keep 38 % of the old digits, our run of the recipe in their text 39.3% ± 7.1%<!--=07a old/recipe, text's weights as ±.1%-->: too uncertain to call
# them equal. Two of their choices do harm: one softmax over old and new outputs, and a random layer put below the
# copied classifier.
#
# *Numbers in the text are those of the full run: 3,000 training digits of MNIST, ten seeds, an hour on one core. At quick settings the notebook takes about a minute on two cores.*
#
# Before: [06b · Memory aware synapses on images](06b_synapses_on_images.ipynb) · Next: [07b · Distillation over five tasks](07b_distillation.ipynb)

# %% [markdown]
# ## The idea
#
# Before a new task begins, let the network answer the new task's images, and keep its answers: $z^\text{old}$, the logits
# (scores before the softmax) of the old outputs. While the new task is trained, these answers are a second target
# beside the labels. This is *distillation* (Li & Hoiem 2016), and it needs no old image:
#
# $$L = L_\text{new} + \alpha\, T^2\, \mathrm{KL}\big(\sigma(z^\text{old}/T)\,\Vert\,\sigma(z^\text{new}/T)\big).$$
#
# σ is the softmax; KL, the Kullback-Leibler divergence, says how far two sets of probabilities are apart. α weighs
# old answers against new labels. The temperature T softens both sides.
#
# **As published.** Every task has outputs and a softmax of its own: *heads apart*. The new outputs are first trained
# alone: *warmed up*. T² is left out. A digit is tested among the outputs of its own task: *told the task*.
#
# **As in the notes.** The notes that we start from teach a small CNN six classes, then four, it seems. The first
# task falls from 94 % to 38 %. Their recipe differs from the paper in four ways:
#
# - *One softmax* over all outputs.
# - A *new hidden layer*, below a classifier copied from the first network.
# - A *moving teacher*, which only their listing shows. Both networks share one memory for the lower layers;
#   once these learn, the teacher moves with its pupil.
# - The weights of the two losses: $1 - \alpha$ and $\alpha$ in their text, 1 and α in their code.
#
# We run the recipe with either weights. Then we take away the moving teacher, and then the random layer too. Last
# comes the published method, heads apart and with one softmax.

# %%
import copy
import inspect
from collections import OrderedDict
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from IPython.display import Markdown
from torch import nn

from cf_utils import claims, data, methods, plots, probes, replicas, results, streams, training

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "mnist": all 70,000
validation = 500  # training digits held out, to fit and score probes
digits = 3500  # training digits used, drawn at random
seeds = 10  # replicas
epochs = 5  # passes over each task, as in the notes: three with most weights frozen, two without
batch_size = 16  # the notes do not say
lr = 1e-4  # of SGD with momentum 0.9, as in the notes
temperature = 2.0
alpha = 0.9
alphas = [0.1, 0.9, 3.0, 10.0, 30.0]  # weights of the old answers tried
temperatures = [1.0, 5.0]  # temperatures tried, with the largest of these weights
out = ""  # folder for figures and results; empty: out/07a_learning_without_forgetting

# %% [markdown]
# ## The method

# %%
Markdown(f"```python\n{inspect.getsource(methods.LwF)}```")

# %% [markdown]
# ## Six digits, then four
#
# The notes do not say which data set and classes they took, how the first task was trained, or among which outputs its
# digits were tested. We take MNIST's 0 to 5, then 6 to 9, with five epochs for each task. We test among
# all ten outputs, and also told the task.
#
# Their network has two convolutions, pooling and a hidden layer of 512 units, with Kaiming initialisation.

# %%
folder = results.output_folder(out, "07a_learning_without_forgetting")
images = data.load(dataset, validation=validation, train=digits)
old, new = list(range(6)), list(range(6, 10))
stream = streams.split(images, [old, new], "class", outputs="seen")  # one softmax over all outputs
apart = streams.split(images, [old, new], "task")  # each task's loss over its own outputs
config = training.TrainConfig(
    epochs, batch_size, lr, "sgd", weight_decay=5e-4, momentum=0.9, fresh_optimizer=True
)
caption = (
    f"{images.name}, {len(images.y_train):,} training digits, {seeds} seeds, {epochs} epochs a task"
)


def cnn(extra=False):
    """The notes' network.

    With ``extra`` a new hidden layer below the classifier, initialised as PyTorch does.
    """
    layers = {
        "conv1": nn.Conv2d(1, 16, 3, padding=1),
        "act1": nn.ReLU(),
        "conv2": nn.Conv2d(16, 32, 3, padding=1),
    }
    layers |= {"act2": nn.ReLU(), "pool": nn.MaxPool2d(2), "flatten": nn.Flatten()}
    layers |= {
        "fc1": nn.Linear(32 * 14 * 14, 512),
        "act3": nn.ReLU(),
        "classifier": nn.Linear(512, 10),
    }
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            kind = "relu" if isinstance(layer, nn.Conv2d) else "sigmoid"
            nn.init.kaiming_normal_(layer.weight, nonlinearity=kind)
    if extra:
        classifier = layers.pop("classifier")
        layers |= {"new_fc": nn.Linear(512, 512), "act4": nn.ReLU(), "classifier": classifier}
    return nn.Sequential(OrderedDict(layers))


first = training.run_stream(cnn, methods.Finetune(), stream, config, range(seeds), until=1)

# %% [markdown]
# ## The recipe
#
# For three epochs only the new hidden layer and the classifier learn. Then all weights learn, without weight decay. (Their
# listing also restarts the momentum before the fifth epoch; we do so before the fourth only.)


# %%
class Recipe(methods.LwF):
    """The notes' second training, from another network than the one whose answers are kept."""

    name = None

    def __init__(self, weight_new=1.0, moving=True):
        super().__init__(alpha / weight_new, temperature)
        self.weight_new, self.moving = weight_new, moving

    def before_task(self, loop):
        self.teacher, self.groups = copy.deepcopy(first.model), [old]
        for name, weight in self.teacher.weights.items() if self.moving else ():
            if not name.startswith("classifier"):
                # One memory, as in the notes: what one learns moves both.
                weight.data = loop.model.weights[name].data

    def before_epoch(self, loop):
        # (1 - α) L + α D is (1 - α) (L + α / (1 - α) D)
        loop.set_lr(loop.config.lr * self.weight_new)
        for name, weight in loop.model.weights.items():
            weight.requires_grad_(loop.epoch > 2 or name.startswith(("new_fc", "classifier")))
        if loop.epoch == 3:
            loop.optimizer.state.clear()
            for group in loop.optimizer.param_groups:
                group["weight_decay"] = 0.0


class Frozen(methods.Method):
    """Feature extraction: only the last layer learns the second task,
    and with heads apart only the new outputs.
    """

    def before_epoch(self, loop):
        for name, weight in loop.model.weights.items():
            weight.requires_grad_(name.startswith("classifier"))


def grown(new_layer):
    """The notes' second network: weights copied, the new outputs' zero.

    Its new layer "random" or the "identity".
    """
    model = replicas.Replicas(partial(cnn, extra=True), range(seeds))
    with torch.no_grad():
        for name, weight in first.model.weights.items():
            model.weights[name].copy_(weight)
        for name in ("classifier.weight", "classifier.bias"):
            model.weights[name][:, new] = 0
        if new_layer == "identity":
            model.weights["new_fc.weight"].copy_(torch.eye(512))
            model.weights["new_fc.bias"].zero_()
    return replace(first, model=model)


# %% [markdown]
# **Prediction.** With a random layer in between, the old classifier reads noise. Everything is forgotten before the
# second task begins, and distillation has to teach the old digits anew, with new digits alone. A teacher that moves
# with its pupil makes it worse.
#
# A layer begun as the identity passes on what comes out of a ReLU as it is. Then the second network gives the old
# answers from the start, and keeps them better. So does the published method, which adds outputs but no layer.

# %%
starts = {"random": grown("random"), "identity": grown("identity")}
arms = {
    "finetuning, one softmax": (first, methods.Finetune(), stream),
    "finetuning, heads apart": (first, methods.Finetune(), apart),
    "feature extraction, heads apart": (first, Frozen(), apart),
    "recipe, code's weights": (starts["random"], Recipe(), stream),
    "recipe, text's weights": (starts["random"], Recipe(1 - alpha), stream),
    "… its teacher kept": (starts["random"], Recipe(1 - alpha, moving=False), stream),
    "… and from identity": (starts["identity"], Recipe(1 - alpha, moving=False), stream),
    "LwF, one softmax": (first, methods.LwF(alpha, temperature), stream),
    "LwF, heads apart": (first, methods.LwF(alpha, temperature), apart),
    "LwF, heads apart, warmed up": (first, methods.LwF(alpha, temperature, warmup=1), apart),
}
trained = {
    name: training.proceed(start, on, method=method).model
    for name, (start, method, on) in arms.items()
}
whole = training.run_stream(cnn, methods.Finetune(), streams.joint(stream), config, range(seeds))
trained["joint training"] = whole.model


# %%
def look(model):
    """How a network does on both tasks' test digits, in percent, ``[seeds]``."""
    logits, found = training.predict(model, images, images.x_test), {}
    for name, group in (("old", old), ("new", new)):
        here = torch.isin(images.y_test, torch.tensor(group))
        right, y = logits[:, here], images.y_test[here]
        found[name] = (right.argmax(2) == y).double().mean(1)
        found[f"{name}, told"] = (right[..., group].argmax(2) + group[0] == y).double().mean(1)
    found["all"] = (logits.argmax(2) == images.y_test).double().mean(1)
    index, fitted = probes.held_out(images.y_val, range(10))
    parts = images.x_val[index].split(500)  # the maps of all convolutions at once would take 15 GB
    last = model.relus[-1]
    hidden = torch.cat([training.activations(model, images, x, [last])[1][last] for x in parts], 1)
    probe = probes.linear_probe(hidden, images.y_val[index], fitted)
    moved = (model.weights["fc1.weight"] - first.model.weights["fc1.weight"]).flatten(1).norm(dim=1)
    found["moved"] = (moved / first.model.weights["fc1.weight"].flatten(1).norm(dim=1)).detach()
    return {key: 100 * value.numpy() for key, value in found.items()} | {
        "probe": 100 * probe["accuracy"]
    }


looks = {
    "untrained": look(replicas.Replicas(cnn, range(seeds))),
    "after the first task": look(first.model),
}
looks |= {f"second network, new layer {name}": look(run.model) for name, run in starts.items()}
before = list(looks)
looks |= {name: look(model) for name, model in trained.items()}

# %%
keys = {
    "old digits\nright (%)": "old",
    "old digits, told\nthe task (%)": "old, told",
    "new digits\nright (%)": "new",
}
keys |= {"all ten\nright (%)": "all", "probe of the last\nhidden layer (%)": "probe"}
columns = {label: {name: of[key] for name, of in looks.items()} for label, key in keys.items()}
fig, axes, table = plots.dot_columns(columns)
for ax in axes:
    ax.axhline(len(before) - 0.5, color="0.4", lw=0.8)
    ax.set_xlim(-4, 104)
note = (
    f"{caption}; 95 % intervals. Test digits; probes: "
    "held-out digits. Above the line: before the second task."
)
note += (
    "\n"
    f"α = {alpha:g}, T = {temperature:g}; SGD, learning "
    f"rate {lr:g}, momentum 0.9, batch {batch_size}."
)
results.save_figure(fig, folder, "arms", table, note)

# %% [markdown]
# **The notes' recipe.** With the weights of their text it keeps 39.3% ± 7.1%<!--=07a old/recipe, text's weights as ±.1%--> of the old digits among ten outputs. That is
# near the notes' 38 %, but seeds differ widely, and only 40%<!--=07a new/recipe, text's weights as .0%--> of the new digits are learned. With the weights of their
# code nothing is left: new outputs win on every old digit.
#
# Text and code differ in the weight of new labels alone, 0.1 or 1. Whether slower
# learning or relatively stronger old answers keep more, these arms do not tell.
#
# **The moving teacher does some harm, the random layer more.** Told the task, the recipe gets 76%<!--=07a old, told/recipe, text's weights as .0%--> of the old digits
# right. With a teacher that stays as it was, it gets 82%<!--=07a old, told/… its teacher kept as .0%-->; with the layer begun as the identity as well, 95.4%<!--=07a old, told/… and from identity as .1%-->. Among ten outputs the kept teacher brings no gain that we see, the identity twenty points.
#
# **One softmax does most of the damage.** As published, each task's loss looks at its own outputs only. Then even
# finetuning keeps 91.8%<!--=07a old/finetuning, heads apart as .1%--> of the old digits among ten outputs. With one softmax new labels push the old outputs down on
# every image, and finetuning keeps 1.3%<!--=07a old/finetuning, one softmax as .1%-->.
#
# **With one softmax LwF helps only if the task is told.** Told the task it gets 95.3%<!--=07a old, told/LwF, one softmax as .1%--> of the old digits right, finetuning
# 85.3%<!--=07a old, told/finetuning, one softmax as .1%-->. Among ten outputs it keeps 1.5%<!--=07a old/LwF, one softmax as .1%-->, which we cannot tell from finetuning.
#
# **Heads apart are paid for in new digits.** Old and new outputs were never compared in training. Only 62%<!--=07a new/LwF, heads apart as .0%--> of the new digits are right among ten outputs. Of all ten digits, LwF with heads apart gets 80%<!--=07a all/LwF, heads apart as .0%--> right:
# twice as many as with one softmax, but joint training reaches 92%<!--=07a all/joint training as .0%-->.
#
# **Then LwF has little left to do.** With heads apart, told the task, it gets 95.4%<!--=07a old, told/LwF, heads apart, warmed up as .1%--> of the old digits right, finetuning 94.9%<!--=07a old, told/finetuning, heads apart as .1%-->.
# Among ten outputs we see no difference.
#
# **The probe says little here.** A *probe* is a linear classifier fitted to the last hidden layer. It scores 94.5%<!--=07a probe/after the first task as .1%-->
# on trained networks and 93.8%<!--=07a probe/untrained as .1%--> on untrained ones. The hidden layer's weights move by only 2.1%<!--=07a moved/finetuning, one softmax as .1%--> of their length in
# the second task.
#
# That still matters: where the last layer alone learns (*feature extraction*), 63%<!--=07a all/feature extraction, heads apart as .0%--> of all ten digits are
# right; where all layers learn, 80%<!--=07a all/finetuning, heads apart as .0%-->.
#
# ## How much weight, and which temperature?
#
# LwF with one softmax again. We vary the weight α of the old answers, then their temperature at the largest α.
#
# **Prediction.** The more weight the old answers have, the more is kept and the less is learned. If the task is told,
# some weight does both. For all ten digits at once, hardly any does.

# %%
tried = [(a, temperature) for a in alphas] + [(max(alphas), t) for t in temperatures]
swept = {}
for a, t in tried:
    model = training.proceed(first, stream, method=methods.LwF(a, t)).model
    swept[f"α = {a:g}, T = {t:g}"] = look(model)
shown = (
    {"finetuning": looks["finetuning, one softmax"]}
    | swept
    | {"joint training": looks["joint training"]}
)
columns = {label: {name: of[key] for name, of in shown.items()} for label, key in keys.items()}
fig, axes, table = plots.dot_columns(columns)
for ax in axes:
    ax.set_xlim(-4, 104)
note = (
    f"{caption}; 95 % intervals. LwF, one softmax, after "
    "both tasks; test digits, probes: held-out digits."
)
results.save_figure(fig, folder, "strengths", table, note)

# %% [markdown]
# **More weight keeps more, but still little.** Among ten outputs the largest α keeps 12.7%<!--=07a old/α = 30, T = 2 as .1%--> of the old
# digits; α = 0.9 keeps 1.5%<!--=07a old/α = 0.9, T = 2 as .1%-->. New digits suffer by less than a point. Of all ten digits 45%<!--=07a all/α = 30, T = 2 as .0%--> are right at most,
# half of what joint training reaches.
#
# **Told the task, any of these weights will do.** Old and new digits are right for about 95 % at every α tried.
#
# **Temperature makes no visible difference.** All three keep about 12 % of the old digits at the largest α.
#
# ## How much of the old answers does the second network start with?
#
# Before its training, how often does the second network give the first network's answer? We count on test images of
# the old digits, and correlate the two networks' old logits.

# %%
of_old = torch.isin(images.y_test, torch.tensor(old))
reference = training.predict(first.model, images, images.x_test[of_old])[..., old]
agreement, likeness = {}, {}
for name, run in starts.items():
    logits = training.predict(run.model, images, images.x_test[of_old])[..., old]
    agreement[name] = 100 * (logits.argmax(2) == reference.argmax(2)).double().mean(1).numpy()
    pairs = zip(logits.flatten(1).numpy(), reference.flatten(1).numpy(), strict=True)
    likeness[name] = np.array([np.corrcoef(a, b)[0, 1] for a, b in pairs])
columns = {
    "same answer as the\nfirst network (%)": agreement,
    "correlation of\nthe old logits": likeness,
}
fig, axes, table = plots.dot_columns(columns)
axes[0].set_ylabel("new layer")
plots.mark(axes[0], 100 / len(old), "chance", "right")
for ax, low, high in ((axes[0], -4, 104), (axes[1], -0.3, 1.1)):
    ax.set_xlim(low, high)
results.save_figure(
    fig, folder, "start", table, f"{caption}; test images of the old digits, 95 % intervals."
)

# %% [markdown]
# **With a random layer it starts at chance.** It gives the first network's answer for 16%<!--=07a same answer/random as .0%--> of the old digits, as guessing
# among six would. Its logits are unrelated to the old ones (correlation 0.04 ± 0.10<!--=07a correlation/random as ±.2f-->).
# With the identity all answers are the same, as they must be.
#
# So the recipe's outputs began with nothing of the first task. Distillation had to teach them the old digits anew, from
# new ones.
#
# ## What became of the claims

# %%
numbers = {f"{key}/{name}": of[key] / 100 for name, of in (looks | swept).items() for key in of}
numbers |= {f"same answer/{name}": values / 100 for name, values in agreement.items()}
numbers |= {f"correlation/{name}": values for name, values in likeness.items()}
verdicts = claims.read_claims("07a", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
keys = (
    "digits",
    "epochs",
    "batch_size",
    "lr",
    "temperature",
    "alpha",
    "alphas",
    "temperatures",
    "validation",
)
settings = {key: globals()[key] for key in keys}
_ = results.save_run(folder, "07a", images.name, settings, range(seeds), numbers, verdicts)

# %% [markdown]
# ## Exercises
#
# **1. No weight at all.** In the cell of α and T, begin `tried` with `(0.0, temperature)`. Which row of the figure should
# "α = 0, T = 2" repeat? You should see the same numbers twice.
#
# <details><summary>Solution</summary>
#
# "finetuning". At α = 0 the second target adds nothing to the loss.
#
# </details>
#
# **2. A layer that passes nothing.** In `grown`, write `torch.zeros(512, 512)` for `torch.eye(512)`. How many answers will
# the second network share with the first before training? In the last figure, row
# "identity", you should see about a sixth.
#
# <details><summary>Solution</summary>
#
# Every image now gives the same logits, the classifier's biases. So all images get one answer, which is the first
# network's for one in six.
#
# </details>
#
# ## Takeaways
#
# - **A matching number can mislead.** Near the notes' 38 % lies a network that began at chance on the old digits, and
#   ends right for 40%<!--=07a all/recipe, text's weights as .0%--> of all ten.
# - **Look at what a copied part computes before training.** Above a random layer a copied classifier is worthless; above
#   the identity it loses nothing.
# - **Here most is lost in the softmax, not in the features.** A softmax for each task lifts finetuning from 1%<!--=07a old/finetuning, one softmax as .0%--> to
#   92%<!--=07a old/finetuning, heads apart as .0%--> of the old digits.
# - **Distillation adds half a point to heads apart, told the task.** With one softmax it adds ten.
#
# *Caveats.* Only 3,000 digits and one learning rate: the hidden layer moves little, so distillation has little to show.
# The freezing schedule is not taken apart; the identity layer was tried with a kept teacher only. Warm-up takes one
# epoch; the paper trains the new outputs to convergence. The notes do not say how many digits they used, nor their
# batch size.
#
# **References.** Li & Hoiem 2016, arXiv:1606.09282. Hinton, Vinyals & Dean 2015, arXiv:1503.02531. The source: notes on learning
# without forgetting.
