"""What goes over the wire about the verdicts of people. A figure that is not defined is null, with its reason."""

from datetime import datetime

from evidence.agreement.reviewers import BlindAgainstAssisted
from kit.wire import Out
from routing.people.service import Arms, Behind, Blind, PeopleReport


class ShareOut(Out):
    """`part` of `whole`; `share` is null of nothing. `lower` and `upper` hold with 95 % confidence."""

    part: int
    whole: int
    share: float | None
    lower: float
    upper: float


class CoefficientOut(Out):
    """1 is full agreement and 0 is what chance gives; null when undefined, and then `reason` says why."""

    value: float | None
    observed: float | None
    by_chance: float | None
    items: int
    reason: str | None
    lower: float | None = None
    upper: float | None = None


class PairOut(Out):
    """Two people: the outputs both gave a verdict on, and Cohen's kappa."""

    first: str
    second: str
    agreed: ShareOut
    kappa: CoefficientOut


class AgreementOut(Out):
    """`advised` names the coefficient to read: `alpha`, or `ac1` where nearly all verdicts are of one kind."""

    people: int
    same: ShareOut
    alpha: CoefficientOut
    ac1: CoefficientOut
    advised: str
    pairs: list[PairOut]
    pairs_left_out: int


class BlindOut(Out):
    """
    People who had not seen the output (shadow) against people who had (review), of one version.

    `difference` is how much more often those who saw it agreed; `lower` and `upper` hold at every look together.
    """

    version: str
    blind: ShareOut
    assisted: ShareOut
    difference: float | None
    lower: float
    upper: float
    shown: bool
    words: str


class ArmsOut(Out):
    """
    Reviews or audits of one version. Those drawn for the blind arm were answered before their reviewer saw the output.

    `corrected_override_rate` is the one of the blind arm, `assisted_override_rate` that of all others drawn beside it;
    `difference` is how much more often those who saw the output at once agreed. These bounds hold at every look
    together. `equal`: answers given before that were the same as the output; `gave_way`: of those that were not, how
    many reviewers approved the output all the same.
    """

    version: str
    kind: str  # review | audit
    corrected_override_rate: ShareOut
    assisted_override_rate: ShareOut
    difference: float | None
    lower: float
    upper: float
    shown: bool
    equal: ShareOut
    gave_way: ShareOut
    words: str


class ReviewerOut(Out):
    """
    How often a reviewer overrode, in reviews and in audits.

    `stands_out` is `fewer` or `more` where that is not what all others do, beyond chance; null else.
    """

    person: str
    reviews: ShareOut
    audits: ShareOut
    stands_out: str | None


class BehindOut(Out):
    """
    How often people overrode, in reviews or audits, and the rate of wrong outputs that explains it by what they make
    of gold cases. `lower` and `upper` hold with 95 % together, if gold cases are as hard as real ones.
    """

    kind: str  # review | audit
    overridden: ShareOut
    wrong: float | None
    lower: float
    upper: float


class GoldOut(Out):
    """
    What all of the agent's reviewers together make of gold cases. `sensitivity` is the share of wrong outputs that they
    objected to, `specificity` that of right ones they confirmed, of all time. `behind` is empty before both were asked.
    """

    sensitivity: ShareOut
    specificity: ShareOut
    behind: list[BehindOut]


class RightOut(Out):
    """
    Agent against person where they differed and a later verdict of somebody else settled it.

    `agent_share` is the agent's share of those; `p_value` is for "each is right as often as the other". `both_right`
    and `both_wrong` count outputs that the first person had agreed with.
    """

    agent_only: int
    person_only: int
    agent_share: ShareOut
    p_value: float
    both_right: int
    both_wrong: int


class PeopleOut(Out):
    """
    Of decisions made from `since` to before `until`, whole days in UTC. `cut`: more outputs have several verdicts than
    were looked at; these are the newest.
    """

    agent: str
    version: str | None
    since: datetime
    until: datetime
    agreement: AgreementOut
    arms: list[ArmsOut]
    blind_against_assisted: list[BlindOut]
    reviewers: list[ReviewerOut]
    who_was_right: RightOut
    gold: GoldOut
    cut: bool


def blind_words(row: Blind) -> str:
    """What the comparison says, for somebody who has to act on it."""
    return _sway(
        row.found,
        nobody=("people gave no verdict in shadow, without having seen the output", "people gave no verdict in review"),
        told="People who saw the output agreed {points} {more} often than people who had not.",
        shown="({at_least} more, at every look): seeing the output may sway them, or the cases were easier.",
        opposite="Seeing the output did not make them agree: they agreed less often, beyond chance.",
    )


def arms_words(row: Arms) -> str:
    """What the random comparison says."""
    return _sway(
        row.found,
        nobody=(
            "nobody who answered before seeing the output has ruled",
            "nobody who was shown the output at once has ruled",
        ),
        told="Reviewers who saw the output at once overrode it {points} {less} often than those who answered first.",
        shown="({at_least}, at every look): it sways them.",
        opposite="Seeing it did not make them agree: they overrode it more often, beyond chance.",
    )


def _sway(found: BlindAgainstAssisted, *, nobody: tuple[str, str], told: str, shown: str, opposite: str) -> str:
    """`nobody`: what is missing where nothing is known of those who had not seen the output, and of those who had."""
    if found.difference is None:
        return f"Nothing can be said yet: {nobody[1] if found.blind.whole else nobody[0]}."
    more, less = ("more", "less") if found.difference >= 0 else ("less", "more")
    said = told.format(points=_points(abs(found.difference)), more=more, less=less)
    if found.shown:
        return f"{said} That is more than chance {shown.format(at_least=f'at least {_points(found.lower)}')}"
    if found.upper < 0.0:
        return f"{said} {opposite}"
    return f"{said} That may be chance; a sway of up to {_points(found.upper)} is not ruled out."


def _points(share: float) -> str:
    return f"{max(share, 0.0) * 100:.1f} points"


def people_out(report: PeopleReport) -> PeopleOut:
    found = report.agreement
    interval = found.alpha_interval.interval
    alpha = CoefficientOut.model_validate(found.alpha)
    if interval is not None:
        alpha = alpha.model_copy(update={"lower": interval.lower, "upper": interval.upper})
    return PeopleOut(
        agent=report.scope.agent,
        version=report.scope.version,
        since=report.scope.since,
        until=report.scope.until,
        agreement=AgreementOut(
            people=found.people,
            same=ShareOut.model_validate(found.same),
            alpha=alpha,
            ac1=CoefficientOut.model_validate(found.ac1),
            advised=found.advised,
            pairs=[PairOut.model_validate(pair) for pair in found.pairs],
            pairs_left_out=found.pairs_left_out,
        ),
        arms=[arms_out(row) for row in report.arms],
        blind_against_assisted=[_blind_out(row) for row in report.blind],
        reviewers=[ReviewerOut.model_validate(row) for row in report.reviewers],
        who_was_right=RightOut(
            agent_only=report.right.differed.agent_only,
            person_only=report.right.differed.person_only,
            agent_share=ShareOut.model_validate(report.right.differed.agent_share),
            p_value=report.right.differed.p_value,
            both_right=report.right.both_right,
            both_wrong=report.right.both_wrong,
        ),
        gold=GoldOut(
            sensitivity=ShareOut.model_validate(report.gold.sensitivity),
            specificity=ShareOut.model_validate(report.gold.specificity),
            behind=[_behind_out(row) for row in report.behind],
        ),
        cut=report.cut,
    )


def _behind_out(row: Behind) -> BehindOut:
    wrong, lower, upper = row.found
    return BehindOut(kind=row.kind, overridden=ShareOut.model_validate(row.seen), wrong=wrong, lower=lower, upper=upper)


def arms_out(row: Arms) -> ArmsOut:
    return ArmsOut(
        version=row.version,
        kind=row.kind,
        corrected_override_rate=ShareOut.model_validate(row.corrected),
        assisted_override_rate=ShareOut.model_validate(row.assisted),
        difference=row.found.difference,
        lower=row.found.lower,
        upper=row.found.upper,
        shown=row.found.shown,
        equal=ShareOut.model_validate(row.equal),
        gave_way=ShareOut.model_validate(row.gave_way),
        words=arms_words(row),
    )


def _blind_out(row: Blind) -> BlindOut:
    return BlindOut(
        version=row.version,
        blind=ShareOut.model_validate(row.found.blind),
        assisted=ShareOut.model_validate(row.found.assisted),
        difference=row.found.difference,
        lower=row.found.lower,
        upper=row.found.upper,
        shown=row.found.shown,
        words=blind_words(row),
    )
