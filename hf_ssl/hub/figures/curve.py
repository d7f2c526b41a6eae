"""The loss of a run, and the accuracy of its encoder on the way."""

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from pathlib import Path

from .drawing import BLUE, GREEN, GREY, INK, ORANGE, RED, new_figure, save, style_panel


def save_curve(
    path: str | Path, log_history: Sequence[Mapping[str, float]], baselines: Mapping[str, float] | None = None
) -> Path:
    """
    The loss over the epochs and, where it was logged, the accuracy of the online kNN classifier with the baselines.

    Args:
        log_history (`list[dict]`): `trainer.state.log_history`; reads `epoch`, `loss`, `eval_loss`, `eval_knn`.
        baselines (`dict[str, float]`, *optional*): name -> kNN accuracy in percent, a horizontal line each.
    """
    train, test, knn = (_series(log_history, name) for name in ("loss", "eval_loss", "eval_knn"))
    if not train[0]:
        raise ValueError("log_history holds no finite loss: nothing to draw.")
    figure = new_figure(9.2 if knn[0] else 4.6, 3.2, layout="constrained")
    left, *right = figure.subplots(1, 2 if knn[0] else 1, squeeze=False)[0]
    style_panel(left, "Training loss")
    left.plot(*train, color=BLUE, linewidth=1.8, label="train")
    if test[0]:
        left.plot(*test, color=ORANGE, linewidth=1.2, marker="o", markersize=3.5, label="held out")
        left.legend(frameon=False, fontsize=9, labelcolor=INK)
    for axes in right:
        style_panel(axes, f"Online kNN accuracy: {knn[1][-1]:.1f} % in the end")
        axes.plot(*knn, color=BLUE, linewidth=1.8, marker="o", markersize=4)
        ranked = sorted((baselines or {}).items(), key=lambda item: -item[1])
        levels = [*knn[1], *(value for _, value in ranked)]
        room = 0.16 * max(max(levels) - min(levels), 1.0)
        axes.set(xlim=left.get_xlim(), ylim=(min(levels) - room, max(levels) + room))
        note = {"textcoords": "offset points", "ha": "right", "fontsize": 9}
        for i, (name, value) in enumerate(ranked):
            above = i == 0 or ranked[i - 1][1] - value > room  # else the label would cover the line above
            place = {"xycoords": ("axes fraction", "data"), "va": "bottom" if above else "top"}
            color = (ORANGE, GREY, GREEN, RED)[i % 4]
            axes.axhline(value, color=color, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1.8)
            axes.annotate(f"{name} {value:.1f}", (1, value), (-3, 3 if above else -3), color=color, **place, **note)
    return save(figure, path)


def _series(log_history: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    points = [(e.get("epoch", i), e[name]) for i, e in enumerate(log_history) if isfinite(e.get(name, nan))]
    return [x for x, _ in points], [y for _, y in points]
