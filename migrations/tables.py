"""Every table of the house, gathered in one place for Alembic, tests and `phasegate doctor`."""

import governance.audit.tables
import governance.people.tables
import rollout.agents.tables
import rollout.evaluation.tables
import rollout.failures.tables
import rollout.gates.tables
import rollout.oversight.tables
import rollout.plans.tables
import rollout.processes.tables
import rollout.reviewers.tables
import rollout.versions.tables
import routing.archives.tables
import routing.cases.tables
import routing.delivery.tables
import routing.drift.tables
import routing.gold.tables
import routing.judgements.tables
import routing.notifications.tables
import routing.opinions.tables
import routing.reviews.tables
import routing.skills.tables
import routing.supervision.tables
import routing.tallies.tables
import routing.thresholds.tables
import routing.views.tables
from kit.tables import Table

MODULES = (
    governance.audit.tables,
    governance.people.tables,
    rollout.agents.tables,
    rollout.evaluation.tables,
    rollout.failures.tables,
    rollout.gates.tables,
    rollout.oversight.tables,
    rollout.plans.tables,
    rollout.processes.tables,
    rollout.reviewers.tables,
    rollout.versions.tables,
    routing.archives.tables,
    routing.cases.tables,
    routing.delivery.tables,
    routing.drift.tables,
    routing.gold.tables,
    routing.judgements.tables,
    routing.notifications.tables,
    routing.opinions.tables,
    routing.reviews.tables,
    routing.skills.tables,
    routing.supervision.tables,
    routing.tallies.tables,
    routing.thresholds.tables,
    routing.views.tables,
)

metadata = Table.metadata  # filled by the imports above
