"""The web processes that answer agents, and how far each has followed the policies."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from kit.tables import Table


class WebProcess(Table):
    """One running web process. It removes its row when it ends; that of one that was killed is swept by the others."""

    __tablename__ = "web_processes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    beats: Mapped[int]  # grows with every sign of life: who is alive is told by it, and by no clock
    # The sequence of the newest policy in force here, with everything decided by older ones answered.
    in_force: Mapped[int]
