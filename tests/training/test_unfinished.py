"""A training that was killed or stopped, and the next one, which goes on from there."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Set
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Final

import pytest

from models.artifact.files import Manifest, read_manifest
from models.artifact.locks import lock_directory
from models.artifact.registry import UNFINISHED, Registry
from models.settings import BlendSettings, ModelSettings, RankerSettings, Weights
from tests.support.shop import SMALL, Line, moment
from tests.support.training_shop import small_shop_purchases
from training.cli.commands import main
from training.config import Config, EvaluationConfig
from training.pipeline import train
from training.progress import Reporter
from training.reading.purchases import Purchases
from training.unfinished import ABOUT

pytestmark = pytest.mark.slow

NOW: Final = moment(200)
SHOP: Final = small_shop_purchases()
ALONE: Final = replace(SMALL, ranker=RankerSettings(windows=0))
GOES_ON: Final = "A training of the same purchases and settings was interrupted. This one goes on."
STEP: Final = re.compile(r"(?:.+: )?(.+): \d+\.\d s")
FIRST: Final = "processes = 1\n[model.factors]\nfactors = 8\niterations = 2\n[model.ranker]\n"
# Two windows, of which the fit of one is needed until the end
SECOND: Final = f"{FIRST}windows = 2\nexamples = 1\n[model.ranker.trees]\ntrees = 10\n"


class StoppedError(Exception):
    """The training ended in the middle."""


class StoppingStream(StringIO):
    """A stream that stops the training when a line begins with some words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    def write(self, text: str) -> int:
        if text.startswith(self.words):
            raise StoppedError
        return super().write(text)


def upside_down(weights: Weights) -> Weights:
    return Weights(**{name: -weight for name, weight in vars(weights).items()})


def config_of(settings: ModelSettings = ALONE, **evaluation: int) -> Config:
    return Config(model=settings, processes=1, evaluation=EvaluationConfig(**evaluation))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Return a registry in which a training was stopped while its twin was fitted."""
    registry = Registry(tmp_path_factory.mktemp("stopped") / "registry")
    with pytest.raises(StoppedError):
        run(registry, stream=StoppingStream("Test twin: substitutes: "))
    return registry


@pytest.fixture
def registry(stopped: Registry, tmp_path: Path) -> Registry:
    """Return such a registry of one's own."""
    return Registry(shutil.copytree(stopped.root, tmp_path / "registry"))


def run(
    registry: Registry,
    config: Config | None = None,
    *,
    purchases: Purchases = SHOP,
    stream: StringIO | None = None,
) -> list[str]:
    """Train, and return the lines that were said."""
    stream = stream or StringIO()
    train(purchases, config or config_of(), registry, Reporter(stream), now=NOW)
    return stream.getvalue().splitlines()


def active(registry: Registry) -> Manifest:
    version = registry.active()
    assert version is not None
    return read_manifest(registry.path(version))


def changed(*what: str) -> str:
    return (
        "A training was interrupted. This one begins again, because these have changed: "
        f"{', '.join(what)}."
    )


def test_what_was_done_is_taken_over_and_the_version_is_that_of_one_that_ran_through(
    registry: Registry, tmp_path: Path
) -> None:
    lines = run(registry)
    through = Registry(tmp_path / "through")
    all_lines = run(through)
    steps = ("factors", "neighbours", "bundles")
    assert lines[:5] == [
        GOES_ON,
        "Learning: taken over",
        *(f"Test twin: {step}: taken over" for step in steps),
    ]
    assert lines[5].startswith("Test twin: substitutes: ")
    assert not any("taken over" in line for line in [*lines[5:], *all_lines])
    assert active(registry).version == active(through).version
    assert not (registry.root / UNFINISHED).exists()


def test_other_purchases_settings_or_versions_begin_again_and_nothing_is_taken_over(
    registry: Registry,
) -> None:
    other = small_shop_purchases(Line("c01", "milk", 120))
    seed = config_of(replace(ALONE, seed=1))
    k = config_of(k=5)
    for config, purchases, told in (
        (config_of(), other, ("purchases",)),
        (seed, SHOP, ("purchases", "settings")),
        (k, SHOP, ("settings",)),
    ):
        stream = StoppingStream("Test twin: bundles: ")
        with pytest.raises(StoppedError):
            run(registry, config, purchases=purchases, stream=stream)
        lines = stream.getvalue().splitlines()
        assert lines[0] == changed(*told)
        assert not any("taken over" in line for line in lines)


def test_another_active_version_or_another_version_of_regulars_begins_again(
    registry: Registry, tmp_path: Path
) -> None:
    beside = Registry(tmp_path / "beside")
    run(beside, config_of(replace(ALONE, seed=1)))
    about = registry.root / UNFINISHED / ABOUT
    shutil.copytree(beside.root, registry.root, dirs_exist_ok=True)
    digests = json.loads(about.read_bytes()) | {"version of Regulars": "of yesterday"}
    about.write_text(json.dumps(digests))
    lines = run(registry)
    assert lines[0] == changed("settings of the active version", "version of Regulars")
    assert not any("taken over" in line for line in lines)
    assert any(line.startswith("Twin of the active version: ") for line in lines)


def test_what_a_store_has_counted_meanwhile_without_a_new_line_begins_nothing_again(
    registry: Registry,
) -> None:
    lines = run(registry, purchases=replace(SHOP, event_position=7, event_mark="ab"))
    assert lines[0] == GOES_ON
    assert active(registry).event_position == 7


def test_more_processes_go_on_with_what_fewer_have_done(registry: Registry) -> None:
    lines = run(registry, config_of().model_copy(update={"processes": 2}))
    assert lines[0] == GOES_ON


def test_two_trainings_at_once_do_not_share_steps(registry: Registry) -> None:
    with lock_directory(registry.root / UNFINISHED):
        lines = run(registry)
    assert lines[0] == "Another training keeps its steps in this registry; this one does not."
    assert not any("taken over" in line for line in lines)
    assert (registry.root / UNFINISHED / "Test twin" / "Test twin: bundles.npz").exists()
    assert run(registry)[0] == changed("settings of the active version")


def test_a_training_that_was_refused_leaves_no_steps(registry: Registry) -> None:
    run(registry)
    backwards = replace(
        ALONE, blend=BlendSettings(upside_down(BlendSettings().new), BlendSettings().bought)
    )
    lines = run(registry, config_of(backwards))
    assert len(registry.names()) == 1
    assert any(line.startswith("Test twin: slates") for line in lines)
    assert not (registry.root / UNFINISHED).exists()


def test_a_shop_that_ends_loses_its_unfinished_training(registry: Registry) -> None:
    registry.erase()
    assert not (registry.root / UNFINISHED).exists()


def test_a_training_that_is_killed_after_each_of_its_steps_publishes_what_one_in_peace_does(
    tmp_path: Path,
) -> None:
    """With the command itself; steps with the same name in two fits are killed after once."""
    shop, begun = tmp_path / "shop", tmp_path / "begun"
    sizes = ("--customers", "400", "--products", "60", "--purchases", "6000")
    assert main(["synthetic", *sizes, "--output", f"{shop}"], now=NOW) == 0
    config = tmp_path / "shop.toml"
    config.write_text(FIRST)
    assert subprocess.run(command(shop, config, begun), capture_output=True).returncode == 0
    config.write_text(SECOND)
    peaceful = Path(shutil.copytree(begun, tmp_path / "peaceful"))
    assert subprocess.run(command(shop, config, peaceful), capture_output=True).returncode == 0
    killed: set[str] = set()
    while (step := kill_after_new_step(command(shop, config, begun), killed)) is not None:
        killed.add(step)
    assert {"factors", "slates", "Ranker", "Basket ranker", "similar products"} < killed
    ours, theirs = active(Registry(begun)), active(Registry(peaceful))
    assert ours.files == theirs.files
    assert replace(ours, created=0).version == replace(theirs, created=0).version
    assert not (begun / UNFINISHED).exists()


def command(shop: Path, config: Path, registry: Path) -> list[str]:
    files = ["--purchases", shop / "purchases.parquet", "--products", shop / "products.parquet"]
    options = ["--config", config, "--registry", registry]
    return [sys.executable, "-m", "training", "train", *map(str, [*files, *options])]


def kill_after_new_step(command: list[str], killed: Set[str]) -> str | None:
    """Kill a training after the first step that none was killed after; None where it ends well."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as training:
        assert training.stderr is not None
        for line in training.stderr:
            step = STEP.fullmatch(line.strip())
            if step and step[1] not in killed:
                training.send_signal(signal.SIGKILL)
                return step[1]
    assert training.returncode == 0
    return None
