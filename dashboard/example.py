"""The example one click away: an invented hospital with invented answers, marked so wherever it is shown."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

from dashboard.frame import word
from data import Answer, Campaign, Store
from matrix import load_matrix, read_yaml
from matrix.types import Frozen
from questionnaires import Item, Option, Questionnaire

HERE = Path(__file__).parent
SUPPORTABLE = 0.66


class Plan(Frozen):
    """How the example answers; shares are of full practice, 0 to 1, by axis and level."""

    seed: int
    spread: float
    unsure: float
    respondents: dict[str, int]
    institution: dict[str, dict[str, float]]
    patients: dict[str, dict[str, float]]
    safeguards: float
    evidence: float

    def aim(self, item: Item, lens: str) -> float:
        """How far a side gets on an item."""
        if item.condition == "safeguard":
            return self.safeguards
        side = self.institution if lens == "declared" else self.patients
        return side[item.axis][item.level or "none"]


def add_example(
    store: Store, questionnaire: Questionnaire, lang: str, *, on: dt.date | None = None
) -> Campaign:
    """Keep the example institution, its assessment, answers and evidence; the one already there when there is one.

    The same day, questionnaire and language give the same example. Raises ``StoreError`` when it cannot be kept.
    """
    on = on or dt.datetime.now(tz=dt.UTC).date()
    for campaign in store.campaigns():
        if (
            campaign.synthetic
            and campaign.questionnaire == questionnaire.id
            and campaign.kind == "assessment"
        ):
            return campaign
    plan = read_yaml(HERE / "example.yaml", Plan)
    chance = random.Random(plan.seed)  # noqa: S311  # an example, not a secret
    house = store.add_institution(
        word("example-institution", lang), country="be", type="general", beds=480, synthetic=True
    )
    campaign = store.add_campaign(
        house.id,
        questionnaire,
        title=word("example-title", lang, year=on.year),
        year=on.year,
        scope=word("default-scope", lang),
        form="express",
        languages=load_matrix().languages,
        synthetic=True,
    )
    store.save_many(_answers(campaign, questionnaire, plan, chance))
    store.add_evidence(_evidence(campaign, questionnaire, plan, chance, on))
    return campaign


def _answers(
    campaign: Campaign, questionnaire: Questionnaire, plan: Plan, chance: random.Random
) -> list[Answer]:
    answers = []
    for role, count in plan.respondents.items():
        lens = load_matrix().lens_of[role]
        for person in range(1, count + 1):
            code = f"{role.replace('_', '-')}-{person}"
            answers += [
                Answer(
                    campaign.id,
                    code,
                    role,
                    item.id,
                    _pick(item, questionnaire.options(item.id, lens), lens, plan, chance),
                    channel="own_link",
                )
                for item in questionnaire.form(campaign.form)
                if item.asked_of(lens)
            ]
    return answers


def _pick(item: Item, options: tuple[Option, ...], lens: str, plan: Plan, chance: random.Random) -> str:
    if chance.random() < plan.unsure:
        return "dk"
    share = chance.gauss(plan.aim(item, lens), plan.spread)
    return min(options, key=lambda option: abs(option.value - share)).id


def _evidence(
    campaign: Campaign, questionnaire: Questionnaire, plan: Plan, chance: random.Random, on: dt.date
) -> list[dict[str, object]]:
    return [
        {
            "assessment": campaign.id,
            "item": item.id,
            "title": f"{item.id} ({item.evidence[0]})",
            "kind": item.evidence[0],
            "date": (on - dt.timedelta(days=chance.randrange(30, 500))).isoformat(),
            "valid_until": "",
            "added_by": "quality-1",
            "accepted_by": "patient-partner-1",
            "units": "all",
            "file": "",
        }
        for item in questionnaire.form(campaign.form)
        if item.evidence and plan.aim(item, "declared") >= SUPPORTABLE and chance.random() < plan.evidence
    ]
