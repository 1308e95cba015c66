"""Printed sheets: the invitation that hangs in a waiting room, and what becomes of a respondent's data."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from data import Campaign, Institution
from matrix import Refused, Words, day, load_document, load_matrix

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).parent
QUIET_ZONE = 4
"""White modules around a QR code, as its standard asks."""
EUROPEAN = frozenset({"be", "fr", "lu", "nl"})
"""Countries of ours where Regulation (EU) 2016/679 applies by itself."""


class Section(NamedTuple):
    """A titled part of a sheet; each of ``parts`` is a paragraph, or a tuple of lines that make a list."""

    title: str
    parts: tuple[str | tuple[str, ...], ...]


def data_sheet(
    campaign: Campaign, institution: Institution, lang: str, *, address: str = ""
) -> list[Section]:
    """What becomes of the answers of this campaign, as plain text for the respondents' page and for print.

    ``address`` is where respondents reach the server, without a slash at its end; without it the way to withdraw is
    told by its path alone.
    """
    facts = _facts(campaign, institution, lang, address)
    return [_section(one, facts, lang) for one in _privacy()["sections"]]


def data_sheet_title(lang: str) -> str:
    """What the data sheet is called."""
    return str(_privacy()["title"][lang])


def data_sheet_pdf(
    campaign: Campaign, institution: Institution, lang: str, on: dt.date, *, address: str = ""
) -> bytes:
    """The same sheet as a PDF (A4, PDF/UA), dated, with what the data protection officer has to complete."""
    texts, facts = _privacy(), _facts(campaign, institution, lang, address)
    return _pdf(
        "privacy.typ",
        {
            "lang": lang,
            "title": texts["title"][lang],
            "subtitle": texts["subtitle"][lang].format(**facts),
            "date": texts["date"][lang].format(date=day(on, lang)),
            "page": texts["page"][lang],
            "synthetic": texts["synthetic"][lang] if campaign.synthetic else "",
            "sections": data_sheet(campaign, institution, lang, address=address),
            "checklist": _section(texts["checklist"], facts, lang),
        },
    )


def waiting_sheet(
    campaign: Campaign,
    institution: Institution,
    link: str,
    role: str,
    langs: Sequence[str],
    *,
    minutes: int,
    expires: dt.date | None = None,
) -> bytes:
    """A PDF to hang up (A4, PDF/UA) that invites people of a role by a QR code, in one language or in several.

    ``minutes`` is how long answering takes, ``expires`` the last day the link opens.
    """
    w, lens = _waiting(), load_matrix().lens_of[role]
    texts = []
    for lang in langs:
        facts = [
            (w("minutes", lang, n=minutes), w("minutes-why", lang)),
            (w("anonymous", lang), w("anonymous-why", lang)),
            (w("voluntary", lang), w(f"voluntary-{lens}", lang)),
        ]
        texts.append(
            {
                "lang": lang,
                "title": w(f"title-{lens}", lang),
                "why": w(f"why-{lens}", lang),
                "for": w("for", lang, role=load_matrix().title("roles", role, lang)),
                "scan": w("scan", lang),
                "type": w("type", lang),
                "facts": facts,
                "until": w("until", lang, date=day(expires, lang)) if expires else "",
                "question": w("question", lang),
                "synthetic": w("synthetic", lang) if campaign.synthetic else "",
            }
        )
    first = langs[0]
    return _pdf(
        "waiting.typ",
        {
            "title": w("document", first, institution=institution.name),
            "institution": institution.name,
            "anchor": campaign.anchor,
            "link": link,
            "qr": qr_svg(link),
            "alt": w("alt", first, link=link),
            "texts": texts,
        },
    )


def qr_svg(link: str) -> str:
    """A QR code as standalone SVG, black on white whatever is around it; a quarter of it may be soiled."""
    import segno  # noqa: PLC0415  # here: the first page needs none

    out = io.BytesIO()
    segno.make_qr(link, error="q").save(
        out, kind="svg", border=QUIET_ZONE, scale=8, light="#ffffff", xmldecl=False, omitsize=True
    )
    return out.getvalue().decode().strip()


def _facts(campaign: Campaign, institution: Institution, lang: str, address: str) -> dict[str, str]:
    """What fills the sheet's braces; an empty one is a fact this campaign does not have."""
    authority = _privacy()["authorities"].get(institution.country, {})
    return {
        "institution": institution.name,
        "campaign": campaign.title,
        "anchor": campaign.anchor.strip().rstrip("."),
        "closes": day(campaign.closes, lang) if campaign.closes else "",
        "months": str(campaign.retention_months),
        "n": str(load_matrix().thresholds.n_min),
        "withdraw": f"{address}/withdraw",
        "authority": authority.get(lang, ""),
        "elsewhere": "" if institution.country in EUROPEAN else institution.country or "?",
    }


def _section(texts: Mapping[str, Any], facts: Mapping[str, str], lang: str) -> Section:
    parts: list[str | tuple[str, ...]] = []
    for part in texts["parts"]:
        if "list" in part:
            lines = [one[lang].format(**facts) for one in part["list"] if _applies(one, facts)]
            parts.append(tuple(lines))
        elif _applies(part, facts):
            parts.append(part[lang].format(**facts))
    return Section(texts["title"][lang], tuple(parts))


def _applies(part: Mapping[str, str], facts: Mapping[str, str]) -> bool:
    """Whether a part is meant for a campaign with these facts."""
    if "when" in part:
        return bool(facts[part["when"]])
    return not facts[part["unless"]] if "unless" in part else True


def _pdf(template: str, values: Mapping[str, Any]) -> bytes:
    """A template of ours set with values, which are text to it and never markup."""
    import typst  # noqa: PLC0415  # here: the first page needs none

    def compiled(*standards: Any) -> bytes:
        return typst.compile(
            str(HERE / template),
            sys_inputs={"data": json.dumps(values, ensure_ascii=False)},
            pdf_standards=list(standards),
        )

    try:
        return compiled("ua-1")
    except typst.TypstError:
        # A name in letters no font here can write must not cost the sheet: they become boxes, which the standard
        # forbids. Anything else that is wrong fails again.
        return compiled()


@cache
def _privacy() -> dict[str, Any]:
    document = load_document(HERE / "texts" / "privacy.yaml")
    if document.problems:
        raise Refused(document.problems)
    return dict(document.data)


@cache
def _waiting() -> Words:
    return Words.load(HERE / "texts" / "waiting.yaml")
