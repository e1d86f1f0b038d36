"""Runs that stop after a task and go on end as if they had never stopped."""

from dataclasses import replace

import pytest
import torch
from conftest import STOPPING as CONFIGS
from conftest import assert_same, assert_same_run, small, state, train
from conftest import dropping as build

from cf_utils import streams
from cf_utils.methods import METHODS, Finetune, LwF, Replay
from cf_utils.training import proceed, run_stream, start_from


@pytest.mark.parametrize("cls", [pytest.param(cls, id=name) for name, cls in METHODS.items()])
@pytest.mark.parametrize("config", CONFIGS)
def test_a_run_taken_up_after_every_task_ends_as_one_that_never_stopped(cls, config, stream):
    method, settings = cls(**cls.example), CONFIGS[config]
    whole = train(build, method, stream, settings)
    run = train(build, method, stream, settings, until=0)
    for t in range(len(stream)):
        run = proceed(run, stream, t + 1, "cpu")
        assert run.done == t + 1
    assert_same_run(run, whole)


def test_a_list_of_methods_goes_on_and_leaves_the_first_part_alone(stream):
    methods = [Replay(20), LwF(5.0)]
    whole = train(build, methods, stream, CONFIGS["adam"])
    part = train(build, methods, stream, CONFIGS["adam"], until=2)
    before = state(part.model)
    assert part.accuracy.shape == (3, 3, 3) and part.done == 2
    assert_same_run(proceed(part, stream, device="cpu"), whole)
    assert_same(state(part.model), before)
    assert part.done == 2


def test_a_run_can_go_on_with_another_method(stream):
    part = train(build, Finetune(), stream, CONFIGS["adam"], until=1)
    run = proceed(part, stream, method=Replay(20))
    assert run.done == 3 and torch.equal(run.accuracy[:, :2], part.accuracy)


def test_until_and_the_stream_must_fit(stream, images):
    part = train(small(), Finetune(), stream, CONFIGS["adam"], until=2)
    for until in (1, 4, True, 1.5):
        with pytest.raises(
            ValueError, match=rf"until={until} is not possible; it is a number of tasks, 2 to 3"
        ):
            proceed(part, stream, until)
    with pytest.raises(ValueError, match="the run is one on 3 tasks, but this stream has 2"):
        proceed(part, streams.split(images, [[0, 1], [2, 3]]))
    assert run_stream(
        small(), Finetune(), stream, CONFIGS["adam"], [0], "cpu", until=0
    ).accuracy.shape == (1, 1, 3)


def test_what_a_run_going_on_cannot_change_is_said(stream):
    part = train(small(), Finetune(), stream, CONFIGS["adam"], until=1)
    for config, message in [
        (replace(CONFIGS["adam"], lr=0.5), "goes on with its optimizer, so lr stays 0.01, not 0.5"),
        (replace(CONFIGS["adam"], optimizer="sgd"), "so optimizer stays 'adam', not 'sgd'"),
        (replace(CONFIGS["adam"], stop_at=0.9), "so stop_at stays None, not 0.9"),
    ]:
        with pytest.raises(ValueError, match=message):
            proceed(part, stream, config=config)
    with pytest.raises(
        ValueError, match="evaluate can't change within a run; method and config can"
    ):
        proceed(part, stream, evaluate="val")


def test_settings_change_where_each_task_has_an_optimizer_of_its_own(stream):
    part = train(small(), Finetune(), stream, CONFIGS["fresh"], until=1)
    run = proceed(part, stream, config=replace(CONFIGS["fresh"], lr=0.0))
    assert_same(state(run.model), state(part.model))


def test_each_start_takes_what_it_is_for(stream):
    run = train(small(), Finetune(), stream, CONFIGS["adam"], until=1)
    for call, message in [
        (
            lambda: run_stream(run, Finetune(), stream),
            r"training.proceed\(run, stream\) goes on with a Run",
        ),
        (
            lambda: run_stream(run.model, Finetune(), stream),
            r"training.start_from\(replicas, ...\) starts from these",
        ),
        (
            lambda: start_from(small(), Finetune(), stream),
            "start_from takes Replicas, not function; run_stream takes",
        ),
        (
            lambda: proceed(run.model, stream),
            "proceed takes a Run, not Replicas; run_stream starts one",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
