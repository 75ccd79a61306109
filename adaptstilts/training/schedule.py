"""How many steps there are, where the evaluations fall, and the learning rate at each step."""

from __future__ import annotations


def learning_rate(step: int, *, steps: int, warmup: float, peak: float) -> float:
    """Linear warm-up, then linear decay that would reach zero at the step after the last.

    Args:
        step: Counted from 1 to `steps`.
        steps: All optimizer steps of the training.
        warmup: Share of the steps in which the rate rises.
        peak: The highest rate.
    """
    rising = max(1, round(warmup * steps))
    if step <= rising:
        return peak * (step / rising)
    return peak * ((steps - step + 1) / (steps - rising + 1))


def evaluation_steps(*, steps: int, evaluations: int) -> dict[int, float]:
    """The steps after which the dev split is scored, with the share of the training done.

    Args:
        steps: All optimizer steps.
        evaluations: How often; the last one is at the end. Fewer if there are fewer steps.

    Returns:
        Share of the training, k / `evaluations`, by step.
    """
    return {
        max(1, round(steps * part / evaluations)): part / evaluations
        for part in range(1, evaluations + 1)
    }
