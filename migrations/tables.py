"""Every table of the house, gathered in one place for Alembic, tests and `phasegate doctor`."""

import governance.audit.tables
import governance.people.tables
import rollout.agents.tables
import rollout.evaluation.tables
import rollout.failures.tables
import rollout.gates.tables
import rollout.oversight.tables
import rollout.plans.tables
import rollout.versions.tables
import routing.cases.tables
import routing.delivery.tables
import routing.reviews.tables
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
    rollout.versions.tables,
    routing.cases.tables,
    routing.delivery.tables,
    routing.reviews.tables,
)

metadata = Table.metadata  # filled by the imports above
