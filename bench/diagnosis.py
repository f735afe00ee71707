"""Diagnosis by simulation: how often a training run is judged as its curves without noise demand.

Curves are drawn by regime and scale of the loss, with 3 to 200 evaluations, smooth to noisy, one
training value an epoch or the losses of single batches, with and without what a user may know of
the data (rows, classes, baseline); the noise of one run in five has heavy tails. What must be said
follows from the curves before noise is added, and from the noise, both of which the judge does not
see:

- a rise of validation loss to the end of 5 % of its lowest value or more is overfitting, below 2 %
  it is none; between them both are right;
- a fall over the last 30 % of 6 % of what was learned, or of 12 % of the lowest loss, is still
  improving; below 1 % and 2 % it is none; between them both are right;
- where an observer who knows the noise could not tell (the change is below 8 of its standard
  errors, by the mean of the values at either end), or there are fewer than 5 evaluations and the
  change is below 20 % or 6 standard errors, "inconclusive" is right too; where it is below 4, the
  level curve is;
- without a known baseline nobody can tell rows that cannot be learned from rows that were not, so
  "inconclusive" is right as well.

Printed are, by regime and in all: the verdicts that are right, false alarms of overfitting where
there is none, verdicts of high confidence that are wrong (of those of high confidence), onsets
within 2 evaluations of the stretch over which the loss without noise goes from 1 % to 5 % above its
lowest, and verdicts that are given at all. Prints one JSON line a
regime and scale, then tables in Markdown.

    python bench/diagnosis.py [--quick] [--seed SEED]
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.diagnosis.diagnose import diagnose
from assay.readers.history import History

Floats = NDArray[np.float64]

RUNS, FEWER = 300, 20
SCALES = (1e-3, 1e-1, 1.0, 1e2, 1e4)
LENGTHS = (3, 4, 5, 8, 12, 20, 30, 60, 100, 200)
CLASSES = (2, 3, 5, 10, 100, 1000)
LENGTH_NAMES = ((4, "3 to 4"), (9, "5 to 9"), (30, "10 to 30"), (200, "31 to 200"))
NOISE_NAMES = ((0.002, "below 0.2 %"), (0.01, "to 1 %"), (math.inf, "to 6 %"))
ORDER = [name for _, name in (*LENGTH_NAMES, *NOISE_NAMES)]
RISE, NO_RISE = 0.05, 0.02  # shares of the lowest loss
AIMS = {"right": 0.95, "false alarms": 0.02, "wrong though sure": 0.01, "onset": 0.90}


@dataclass(frozen=True)
class Setting:
    """What is drawn before the curves: their length, noise, and what is known of the data.

    The curves have a baseline of 1. `noise` is the standard deviation of one validation value as
    a share of the loss; `batches` is how many losses are logged between evaluations.
    """

    count: int
    scale: float
    noise: float
    batches: int
    batch_noise: float
    n_val: int | None
    n_classes: int | None
    is_known: bool
    has_outliers: bool = False


@dataclass(frozen=True)
class Truth:
    """Curves without noise (n,), the verdicts that are right, and the onset by position."""

    train: Floats
    val: Floats
    right: frozenset[str]
    onset: tuple[int, int] | None = None
    noise: float | None = None
    reference: float | None = None
    metric: bool = False


@dataclass
class Tally:
    """Counts of verdicts, by what came of them."""

    runs: int = 0
    right: int = 0
    decided: int = 0
    level: int = 0
    alarms: int = 0
    sure: int = 0
    sure_wrong: int = 0
    onsets: int = 0
    onsets_near: int = 0
    said: dict[str, int] = field(default_factory=dict)


def draw_setting(random: np.random.Generator, scale: float, shortest: int) -> Setting:
    """Length, noise and knowledge of one run; the length is `shortest` at least."""
    count = int(random.choice([n for n in LENGTHS if n >= shortest]))
    is_steps = random.random() < 0.3
    n_classes = int(random.choice(CLASSES)) if scale == 1 and random.random() < 0.6 else None
    return Setting(
        count=count,
        scale=math.log(n_classes) if n_classes else scale * float(random.uniform(0.5, 2)),
        noise=float(np.exp(random.uniform(np.log(2e-4), np.log(0.06)))),
        batches=int(random.choice([5, 10, 20])) if is_steps else 1,
        batch_noise=float(random.uniform(0.05, 0.4)) if is_steps else 0.0,
        n_val=int(random.choice([200, 1000, 10_000, 50_000])) if random.random() < 0.5 else None,
        n_classes=n_classes,
        is_known=bool(random.random() < 0.5),
        has_outliers=bool(random.random() < 0.2),
    )


def draw_decay(random: np.random.Generator, count: int, floor: float) -> Floats:
    """A curve that falls from below the baseline of 1 and is level at `floor` by the middle."""
    start = floor + (1 - floor) * float(random.choice([random.uniform(0.3, 0.9), 0.1]))
    rate = random.uniform(8, 25) / max(count, 5)
    return floor + (start - floor) * np.exp(-rate * np.arange(count))


def draw_floor(random: np.random.Generator) -> float:
    """The lowest validation loss, as a share of the baseline: 0.005 to 0.3."""
    return float(np.exp(random.uniform(np.log(0.005), np.log(0.3))))


def draw_good_fit(random: np.random.Generator, setting: Setting) -> Truth:
    """Validation falls and is level; training is a little lower, or goes on falling.

    In one run in ten the learning rate drops, in another validation rises in passing.
    """
    val = draw_decay(random, setting.count, draw_floor(random))
    fall = np.linspace(0, random.choice([0.0, random.uniform(0, 0.7)]), setting.count)
    train = val * random.uniform(0.75, 1.0) * (1 - fall)
    if random.random() < 0.1 and setting.count >= 12:  # the learning rate dropped
        early = np.arange(setting.count) < random.integers(2, setting.count // 2)
        val = np.where(early, val + 0.2 * (1 - val), val)
        train = np.where(early, train + 0.2 * (1 - train), train)
    if random.random() < 0.1 and setting.count >= 20:  # a rise that passes
        time = np.arange(setting.count) / setting.count
        val = val * (1 + random.uniform(0.1, 0.5) * np.exp(-(((time - 0.4) / 0.06) ** 2)))
    return Truth(train, val, find_right_of_level(val, setting))


def find_right_of_level(val: Floats, setting: Setting) -> frozenset[str]:
    """What may be said of a validation curve that does not rise."""
    right = set()
    recent = val[-max(2, math.ceil(0.3 * len(val))) :]
    fall = float(recent[0] - val[-1])
    learned, lowest = 1 - float(val.min()), float(val.min())
    error = setting.noise * lowest
    is_falling = fall > 0.06 * learned or fall > 0.12 * lowest
    is_level = fall < 0.01 * learned and fall < 0.02 * lowest
    if not is_level:
        right.add("still_improving")
    if not is_falling or fall < 4 * error:
        right.add("good_fit")
    if setting.count < 5 or (is_falling and fall < 8 * error):
        right.add("inconclusive")
    # Where a rise of 5 % could hide in the noise, a good fit cannot be told from it.
    ends = max(1, setting.count // 5)
    if 2.5 * error * math.sqrt(2 / ends) > RISE * lowest or _is_uncertain(setting, val, RISE):
        right.add("inconclusive")
    return frozenset(right)


def _is_uncertain(setting: Setting, val: Floats, share: float) -> bool:
    """Whether a `share` of the lowest loss is within the sampling error of the validation rows."""
    lowest = float(val.min()) * setting.scale
    return setting.n_val is not None and share * lowest < 2 * find_sampling_error(setting, lowest)


def find_sampling_error(setting: Setting, loss: float) -> float:
    """Standard error of a mean loss over the rows of validation; losses of rows scatter as widely
    as a log loss does, or as the squares of normal errors do.
    """
    if setting.n_val is None:
        return 0.0
    spread = min(1.0, 4 * loss) if setting.n_classes else 2 * loss
    return spread / math.sqrt(setting.n_val)


def draw_overfit(random: np.random.Generator, setting: Setting) -> Truth:
    """Validation falls, then rises to the end, while training falls throughout."""
    count = setting.count
    floor = draw_floor(random)
    start = int(random.integers(max(1, count // 4), max(2, round(0.65 * count)) + 1))
    start = min(start, count - 2 if count < 6 else count - 4)
    rise = float(np.exp(random.uniform(np.log(0.05), np.log(1.5))))
    late = np.clip((np.arange(count) - start) / (count - 1 - start), 0, 1)
    shape = late ** random.choice([0.7, 1.0, 1.5])
    val = floor + (draw_decay(random, count, floor) - floor) + rise * floor * shape
    last = floor * random.uniform(0.05, 0.7)
    train = last + (val[0] * random.uniform(0.8, 1.1) - last) * np.exp(
        -random.uniform(3, 8) * np.arange(count) / count
    )
    return Truth(train, val, find_right_of_rise(val, setting), find_onset(val, setting))


def find_right_of_rise(val: Floats, setting: Setting) -> frozenset[str]:
    """What may be said of a validation curve that rises after its lowest value."""
    best, lowest = int(np.argmin(val)), float(val.min())
    rise = float(val[-3:].mean()) - lowest if len(val) >= 6 else float(val[-1]) - lowest
    error = setting.noise * float(val[-1])
    after = len(val) - 1 - best
    ends = max(1, after // 3)
    z = rise / (error * math.sqrt(2 / ends))
    right = {"overfit"}
    if rise < RISE * lowest:
        right.add("good_fit")
    if rise < NO_RISE * lowest:
        right.discard("overfit")
    is_few = len(val) < 5 and (rise < 0.2 * lowest or rise < 6 * error)
    if z < 8 or after < 3 or is_few or _is_uncertain(setting, val, rise / lowest):
        right.add("inconclusive")
    if z < 4:
        right.add("good_fit")
    if after < 1:
        right |= {"good_fit", "still_improving"}
    return frozenset(right)


def find_onset(val: Floats, setting: Setting) -> tuple[int, int]:
    """Positions between which validation goes from 1 % to 5 % and one deviation above its lowest.

    To its end, where it does not go so far.
    """
    best, lowest = int(np.argmin(val)), float(val.min())
    above = [val[best:] > lowest * (1 + share) for share in (0.01, RISE + setting.noise)]
    first, last = (int(np.argmax(a)) if a.any() else len(a) - 1 for a in above)
    return best + first, best + last


def draw_still_improving(random: np.random.Generator, setting: Setting) -> Truth:
    """Both losses fall to the end, by a line, an exponential or a power."""
    time = np.arange(setting.count) / max(setting.count - 1, 1)
    low, start = random.uniform(0.05, 0.4), random.uniform(0.75, 0.95)
    shape = random.integers(3)
    if shape == 0:
        fall = 1 - time
    elif shape == 1:
        fall = np.exp(-random.uniform(1, 2.5) * time)
    else:
        fall = (1 + random.uniform(2, 8) * time) ** -random.uniform(0.6, 1.0)
    val = low + (start - low) * fall
    train = val * (1 - random.uniform(0, 0.3) * time)
    return Truth(train, val, find_right_of_level(val, setting))


def draw_underfit(random: np.random.Generator, setting: Setting) -> Truth:
    """Of a known baseline little is learned: slowly, or level far above what is possible."""
    learned = random.uniform(0.08, 0.28)
    time = np.arange(setting.count) / max(setting.count - 1, 1)
    if random.random() < 0.5:
        val = 1 - learned * (0.05 + 0.95 * time)
        return Truth(val * 0.995, val, frozenset({"underfit", "still_improving"}) | _few(setting))
    val = 1 - learned * (1 - 0.5 * np.exp(-12 * time))
    is_shown = random.random() < 0.5
    unsure = _few(setting) if is_shown else frozenset({"inconclusive"})
    if setting.noise * math.sqrt(10 / setting.count) > 0.02:
        unsure |= {"inconclusive"}
    reference = float(random.uniform(0.2, 0.6)) if is_shown else None
    return Truth(val * 0.99, val, frozenset({"underfit"}) | unsure, reference=reference)


def _few(setting: Setting) -> frozenset[str]:
    return frozenset({"inconclusive"}) if setting.count < 5 else frozenset()


def draw_unstable(random: np.random.Generator, setting: Setting) -> Truth:
    """Both losses swing by a third to two thirds of themselves from one epoch to the next."""
    curve = draw_decay(random, setting.count, random.uniform(0.2, 0.5))
    swing = np.exp(random.normal(0, random.uniform(0.3, 0.6), setting.count))
    train = curve * swing
    val = train * np.exp(random.normal(0, 0.1, setting.count))
    return Truth(train, val, frozenset({"unstable"}))


def draw_diverged(random: np.random.Generator, setting: Setting) -> Truth:
    """A loss becomes nan or inf, and stays so."""
    curve = draw_decay(random, setting.count, 0.2)
    start = int(random.integers(1, setting.count))
    curve = np.where(np.arange(setting.count) < start, curve, random.choice([np.nan, np.inf]))
    return Truth(curve, curve, frozenset({"diverged"}), (start, start))


def draw_collapsed(random: np.random.Generator, setting: Setting) -> Truth:
    """Training learns, breaks down, and stays where a model that knows nothing stands."""
    count = setting.count
    curve = draw_decay(random, count, random.uniform(0.05, 0.4))
    start = int(random.integers(2, count - 3))
    after = np.arange(count) >= start
    curve = np.where(after, random.uniform(0.99, 1.1), curve)
    train = curve.copy()
    if random.random() < 0.5:
        train[start] = random.uniform(3, 100)
    unsure = frozenset() if setting.is_known else frozenset({"unstable"})
    return Truth(train, curve, frozenset({"collapsed"}) | unsure, noise=min(setting.noise, 0.01))


def draw_not_learning(random: np.random.Generator, setting: Setting) -> Truth:
    """Both losses stay at the baseline."""
    level = np.full(setting.count, random.uniform(0.98, 1.02))
    unsure = _few(setting) if setting.is_known else frozenset({"inconclusive"})
    right = frozenset({"not_learning"}) | unsure
    return Truth(level, level, right, noise=min(setting.noise, 0.01))


def draw_memorising(random: np.random.Generator, setting: Setting) -> Truth:
    """Training loss falls, validation loss stays at the baseline or rises from it."""
    time = np.arange(setting.count) / max(setting.count - 1, 1)
    rise = random.choice([0.0, random.uniform(0.1, 0.8)])
    val = random.uniform(0.98, 1.02) + rise * time
    low = random.uniform(0.05, 0.6)
    train = low + (random.uniform(0.95, 1.0) - low) * np.exp(-random.uniform(2, 6) * time)
    right = {"memorising"} | _few(setting)
    if not setting.is_known:
        right |= {"inconclusive"} | ({"overfit"} if rise else set())
    if setting.count < 5 and rise:
        right |= {"overfit"}
    return Truth(train, val, frozenset(right), noise=min(setting.noise, 0.02))


def draw_metric(random: np.random.Generator, setting: Setting) -> Truth:
    """An accuracy alone is validated: it is level, falls from its best, or rises to the end."""
    count = setting.count
    time = np.arange(count) / (count - 1)
    high, kind = random.uniform(0.6, 0.95), random.integers(3)
    rows = setting.n_val or 5000
    error = 0.5 * math.sqrt(high * (1 - high) / rows)
    if kind == 0:
        val, right = high - 0.3 * high * np.exp(-15 * time), {"good_fit"}
        if _is_open(error, count):
            right.add("inconclusive")
    elif kind == 1:
        drop = random.uniform(0.08, 0.3) * high
        val = high - 0.2 * np.exp(-25 * time) - drop * np.clip((time - 0.35) / 0.65, 0, 1)
        right = {"overfit"} | ({"inconclusive"} if drop < 8 * error or count < 8 else set())
    else:
        val, right = high - 0.4 * high * (1 - time), {"still_improving"}
        if count < 8 or 0.12 * high < 8 * error:
            right.add("inconclusive")
    train = 1.1 - 0.9 * time
    return Truth(train, val, frozenset(right), noise=error, metric=True)


def _is_open(error: float, count: int) -> bool:
    return count < 8 or 2.5 * error * math.sqrt(2 / max(1, count // 5)) > 0.02


@dataclass(frozen=True)
class Regime:
    """How the curves of one regime are drawn, with how many evaluations at least."""

    name: str
    draw: Callable[[np.random.Generator, Setting], Truth]
    shortest: int = 3
    needs_baseline: bool = False


REGIMES = (
    Regime("good_fit", draw_good_fit),
    Regime("overfit", draw_overfit),
    Regime("underfit", draw_underfit, needs_baseline=True),
    Regime("still_improving", draw_still_improving),
    Regime("unstable", draw_unstable, shortest=8),
    Regime("diverged", draw_diverged),
    Regime("collapsed", draw_collapsed, shortest=8),
    Regime("not_learning", draw_not_learning),
    Regime("memorising", draw_memorising),
    Regime("accuracy alone", draw_metric, shortest=5),
)


def draw_run(
    random: np.random.Generator, regime: Regime, scale: float
) -> tuple[Setting, Truth, History, dict[str, Any]]:
    """One run with noise: its setting and truth, its history, and what is told with it."""
    setting = draw_setting(random, scale, regime.shortest)
    if regime.needs_baseline:
        setting = replace(setting, is_known=True)
    truth = regime.draw(random, setting)
    if truth.noise is not None:
        setting = replace(setting, noise=truth.noise)
    facts: dict[str, Any] = {"n_val": setting.n_val}
    if setting.is_known and not truth.metric:
        known = {"n_classes": setting.n_classes} if setting.n_classes else {}
        facts |= known or {"baseline": setting.scale}
    if truth.reference is not None:
        facts["reference"] = truth.reference * setting.scale
    return setting, truth, add_noise(random, setting, truth), facts


def add_noise(random: np.random.Generator, setting: Setting, truth: Truth) -> History:
    """The history of a run: curves with noise, on the scale of the loss."""
    count, batches = setting.count, setting.batches
    wobble = random.normal(0, 1, count)
    if setting.has_outliers:  # Student's t of 3 degrees of freedom, of variance 1
        wobble = random.standard_t(3, count) / math.sqrt(3)
    if truth.metric:
        val = np.clip(truth.val + setting.noise * wobble, 0, 1).tolist()
        train = truth.train * (1 + random.normal(0, 0.01, count))
        return History.from_lists(train_loss=train.tolist(), val_accuracy=val)
    val = setting.scale * truth.val * (1 + setting.noise * wobble)
    # The rows of validation are a sample: their loss stands off by the same at each evaluation.
    val = np.maximum(val + random.normal() * _limit_offset(setting, truth), 1e-12)
    if batches == 1:
        train = setting.scale * truth.train * (1 + setting.noise / 2 * random.normal(0, 1, count))
        return History.from_lists(train_loss=train.tolist(), val_loss=val.tolist())
    ticks = np.arange(1, count * batches + 1)
    smooth = np.interp(ticks / batches, np.arange(1, count + 1), truth.train)
    scatter = np.maximum(1 + setting.batch_noise * random.normal(0, 1, len(ticks)), 0.05)
    sparse: list[float | None] = [None] * len(ticks)
    sparse[batches - 1 :: batches] = val.tolist()
    return History.from_lists(
        train_loss=(setting.scale * smooth * scatter).tolist(),
        val_loss=sparse,
        epochs=(ticks * 10).tolist(),
    )


def _limit_offset(setting: Setting, truth: Truth) -> float:
    """The sampling error of the lowest loss, at most 5 % of it, so that curves stay as drawn."""
    lowest = float(np.nanmin(truth.val)) * setting.scale
    return min(find_sampling_error(setting, lowest), 0.05 * lowest)


def judge_runs(regime: Regime, scale: float, runs: int, seed: int) -> Iterator[tuple[Any, ...]]:
    """Setting, truth and verdict of each of `runs` runs."""
    place = [REGIMES.index(regime), round(1000 + 10 * math.log10(scale)), seed]
    random = np.random.default_rng(place)
    for _ in range(runs):
        setting, truth, history, facts = draw_run(random, regime, scale)
        yield setting, truth, diagnose(history, **facts).runs[0]


def count_verdict(tally: Tally, setting: Setting, truth: Truth, verdict: Any) -> None:
    """Add one `verdict` to a `tally`."""
    is_right = verdict.status in truth.right
    tally.runs += 1
    tally.right += is_right
    tally.decided += verdict.status != "inconclusive"
    tally.said[verdict.status] = tally.said.get(verdict.status, 0) + 1
    if "overfit" not in truth.right:
        tally.level += 1
        tally.alarms += verdict.status == "overfit"
    if verdict.confidence == "high":
        tally.sure += 1
        tally.sure_wrong += not is_right
    if truth.onset is not None and verdict.onset is not None and is_right:
        ticks = 10 * setting.batches if setting.batches > 1 else 1
        tally.onsets += 1
        first, last = truth.onset
        tally.onsets_near += first - 2 <= verdict.onset / ticks - 1 <= last + 2


def describe(tally: Tally) -> dict[str, float]:
    """The shares of a `tally`; nan where nothing was counted."""
    return {
        "runs": tally.runs,
        "right": _divide(tally.right, tally.runs),
        "decided": _divide(tally.decided, tally.runs),
        "false alarms": _divide(tally.alarms, tally.level),
        "sure": _divide(tally.sure, tally.runs),
        "wrong though sure": _divide(tally.sure_wrong, tally.sure),
        "onset": _divide(tally.onsets_near, tally.onsets),
    }


def _divide(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def format_table(title: str, tallies: dict[str, Tally]) -> str:
    """A table in Markdown: one row a tally, shares in percent."""
    columns = ("right", "decided", "false alarms", "sure", "wrong though sure", "onset")
    lines = [f"| {title} | runs | {' | '.join(columns)} |", "|---|" + "---|" * 7]
    for name in sorted(tallies, key=lambda name: ORDER.index(name) if name in ORDER else -1):
        tally = tallies[name]
        found = describe(tally)
        cells = [_format_share(found[column]) for column in columns]
        lines.append(f"| {name} | {tally.runs} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _format_share(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.1f} %"


def name_groups(regime: Regime, scale: float, setting: Setting) -> Iterable[tuple[str, str]]:
    """The rows of the tables that a run counts in, each with its table."""
    yield "regime", regime.name
    yield "scale of the loss", f"{scale:g}"
    yield "evaluations", next(n for most, n in LENGTH_NAMES if setting.count <= most)
    yield "noise of one evaluation", next(n for most, n in NOISE_NAMES if setting.noise < most)
    yield "training loss", "of batches" if setting.batches > 1 else "of epochs"
    yield "tails of the noise", "heavy" if setting.has_outliers else "normal"
    yield "known", _name_facts(setting)
    yield "all", "all"


def _name_facts(setting: Setting) -> str:
    facts = ["baseline"] * setting.is_known + ["rows"] * (setting.n_val is not None)
    return " and ".join(facts) or "nothing"


def simulate(
    runs: int, seed: int = 0, regimes: Sequence[Regime] = REGIMES
) -> dict[str, dict[str, Tally]]:
    """Tallies by table and row."""
    tables: dict[str, dict[str, Tally]] = {}
    for regime in regimes:
        for scale in SCALES:
            own = Tally()
            for setting, truth, verdict in judge_runs(regime, scale, runs, seed):
                count_verdict(own, setting, truth, verdict)
                for table, row in name_groups(regime, scale, setting):
                    tally = tables.setdefault(table, {}).setdefault(row, Tally())
                    count_verdict(tally, setting, truth, verdict)
            line = {"regime": regime.name, "scale": scale, "said": own.said}
            print(json.dumps(line | {k: round(v, 4) for k, v in describe(own).items()}))
    return tables


def main() -> None:
    """Prints the tables, and what misses its aim."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{FEWER} runs in place of {RUNS}")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tables = simulate(FEWER if options.quick else RUNS, options.seed)
    for title, tallies in tables.items():
        print()
        print(format_table(title, tallies))
    print()
    for name, tally in tables["regime"].items():
        if describe(tally)["right"] < AIMS["right"]:
            print(f"below the aim: {name} right in {100 * describe(tally)['right']:.1f} %")
    found = describe(tables["all"]["all"])
    for column in ("false alarms", "wrong though sure"):
        print(f"{column}: {100 * found[column]:.2f} % (aim {100 * AIMS[column]:g} % at most)")
    onset = describe(tables["regime"]["overfit"])["onset"]
    print(f"onset of overfitting within 2: {100 * onset:.1f} % (aim {100 * AIMS['onset']:g} %)")


if __name__ == "__main__":
    sys.exit(main())
