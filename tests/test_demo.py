"""The demonstration: the example, the desk readings and the network are put in a store once, and marked."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data import Store
from data.demo import load_demo, load_example
from questionnaires import load_library
from scoring import score

if TYPE_CHECKING:
    from collections.abc import Iterator

ON = dt.date(2026, 3, 31)
READINGS = ["reading-belgium-french-speaking", "reading-chuv-research-unit"]
ROOT = Path(__file__).parents[1]


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store in memory."""
    with Store.open("sqlite://") as opened:
        yield opened


def test_a_second_time_makes_nothing(store: Store) -> None:
    """The first call tells what it made; the second makes nothing and leaves every answer and proof alone."""
    assert load_demo(store, on=ON) == [*READINGS, "demo-example"]
    before = (store.answers().num_rows, store.evidence().num_rows, len(store.history("demo-example")))
    assert load_demo(store, on=ON) == []
    assert before == (store.answers().num_rows, store.evidence().num_rows, len(store.history("demo-example")))


def test_readings_are_loaded_with_their_places(store: Store) -> None:
    """Both readings come as readings of real texts, with every answer and the comment that says where it is from."""
    load_demo(store, on=ON)
    for id_ in READINGS:
        campaign = store.campaign(id_)
        assert (campaign.kind, campaign.form, campaign.synthetic) == ("reading", "full", False)
        answers = store.answers([id_])
        assert answers.num_rows > 20
        assert all(answers["comment"].to_pylist())
        assert set(answers["role"].to_pylist()) == {"quality"}
    assert set(store.campaign(READINGS[1]).out_of_scope) == {"care", "services", "policy", "teaching"}


def test_everything_invented_says_so(store: Store) -> None:
    """An invented institution and its assessment are marked, and the name itself says that its data are synthetic."""
    load_demo(store, network=2, on=ON)
    for house in store.institutions():
        assert house.synthetic == (house.id not in READINGS)
        assert house.synthetic == ("synthétiques" in house.name)
    for campaign in store.campaigns():
        assert campaign.synthetic == (campaign.id not in READINGS)
        assert campaign.institution == campaign.id


@pytest.mark.parametrize(
    ("lang", "word"), [("fr", "synthétiques"), ("nl", "synthetische"), ("en", "synthetic")]
)
def test_the_example_speaks_the_language_of_its_first_reader(store: Store, lang: str, word: str) -> None:
    """The example is named and titled in the language asked for, and is made once whatever the language later."""
    assert load_example(store, lang, on=ON) == "demo-example"
    house = store.institutions()[0]
    assert word in house.name
    assert "2026" in store.campaign("demo-example").title
    assert load_example(store, "fr", on=ON) == "demo-example"
    assert store.institutions() == [house]


def test_the_example_shows_every_kind_of_result(store: Store) -> None:
    """Showcase, emerging and sound axes, an incomplete one, differences between lenses, partial evidence, comments."""
    load_example(store, on=ON)
    tables = store.answers(), store.evidence(), store.assessments()
    result = score(
        load_library()["hospital"], tables[0], evidence=tables[1], assessments=tables[2], on=ON
    ).to_json()[0]
    axes = result["axes"]
    states = {axis: one["showcase"]["state"] for axis, one in axes.items()}
    assert states["services"] == "high"
    assert states["research"] == "emerging"
    assert states["care"] == states["teaching"] == "sound"
    assert not axes["policy"]["experienced"]["complete"]
    assert axes["services"]["declared"]["level"] > axes["services"]["experienced"]["level"]
    assert any(one["retained"]["ceilings"] for one in axes.values())
    documented = [one["documented"]["position"] / one["declared"]["position"] for one in axes.values()]
    assert min(documented) < 0.9
    assert max(documented) > 0.5
    assert set(result["respondents"].values()) == {26, 28}
    assert "na" in tables[0]["answer"].to_pylist()
    assert len([comment for comment in tables[0]["comment"].to_pylist() if comment]) >= 5
    assert result["findings"]


def test_what_was_cut_short_is_made_whole(store: Store) -> None:
    """An example that stopped before its answers is completed, without another institution or more evidence."""
    store.add_institution("Exemple (synthétiques)", synthetic=True, id="demo-example")
    load_example(store, on=ON)
    assert store.answers(["demo-example"]).num_rows > 3000
    assert len(store.institutions()) == 1


def test_a_network_of_five(store: Store) -> None:
    """Five institutions are made, scored, and kept when the network grows or is asked for with another seed."""
    made = load_demo(store, network=5, seed=3, on=ON)
    own = [f"demo-3-{number:03}" for number in range(1, 6)]
    assert made == [*READINGS, "demo-example", *own]
    before = store.answers(own)
    results = score(
        load_library()["hospital"],
        before,
        evidence=store.evidence(own),
        assessments=store.assessments(own),
        on=ON,
    ).to_json()
    assert [one["assessment"] for one in results] == own
    assert len({str(one["axes"]["services"]["declared"]) for one in results}) > 1
    assert load_demo(store, network=6, seed=3, on=ON) == ["demo-3-006"]
    assert load_demo(store, network=1, seed=4, on=ON) == ["demo-4-001"]
    assert store.answers(own).equals(before)


def test_the_command_prints_what_it_made(tmp_path: Path) -> None:
    """`pomey demo` prints each id on a line of its own, and nothing the second time."""
    command = [
        sys.executable,
        "-m",
        "dashboard.commands",
        "demo",
        "--store",
        f"sqlite:///{tmp_path / 'demo.db'}",
    ]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert first.stdout.split() == [*READINGS, "demo-example"]
    second = subprocess.run(
        [*command, "--network", "1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert second.stdout.split() == ["demo-1-001"]
