"""The average follows the weights, and gives them back as they were."""

import torch

from training.families.transformer.average import Average


def test_over_one_step_it_is_the_weights_themselves() -> None:
    model = torch.nn.Linear(2, 2)
    average = Average(model, 0)
    for value in (1.0, 2.0):
        torch.nn.init.constant_(model.weight, value)
        average.update()
        assert torch.equal(average.weights["weight"], model.weight)


def test_over_many_it_forgets_where_it_began_and_lies_between_the_last() -> None:
    model = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(model.weight, 1000.0)
    average = Average(model, 10)
    for step in range(200):
        torch.nn.init.constant_(model.weight, step % 2)
        average.update()
    assert 0.4 < average.weights["weight"].mean() < 0.6


def test_the_model_has_it_for_a_while() -> None:
    model = torch.nn.Linear(2, 2)
    average = Average(model, 10)
    torch.nn.init.constant_(model.weight, 7.0)
    with average.applied():
        assert torch.equal(model.weight, average.weights["weight"])
    assert (model.weight == 7.0).all()
