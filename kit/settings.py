"""Settings, read once from the environment (`PHASEGATE_…`) by a composition root and handed in."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit.errors import Conflict


class NoSecret(Conflict):
    code = "no-secret"
    title = "A key is missing"


class Settings(BaseSettings):
    """Every setting, its unit and its default. Names in the environment carry the prefix PHASEGATE_."""

    model_config = SettingsConfigDict(env_prefix="PHASEGATE_", extra="ignore")

    data_dir: Path = Field(Path("var"), description="Where the embedded database, secret and spool live.")
    database_url: str | None = Field(None, description="SQLAlchemy URL; empty: SQLite in data_dir.")
    redis_url: str | None = Field(None, description="Redis or Valkey; empty: an embedded Valkey (phasegate up).")
    secret: str | None = Field(None, description="Key of draws and signatures; empty, on SQLite: a file in data_dir.")
    clock_file: Path | None = Field(None, description="Shared clock of the demo; empty: the machine's clock.")

    archive_dir: Path | None = Field(None, description="Where archived decisions go; empty: archive in data_dir.")

    host: str = "127.0.0.1"
    port: int = 8000
    pool_size: int = Field(20, ge=1, description="Database connections of a process at most; it keeps those it opened.")
    max_body_bytes: int = Field(4 * 1024 * 1024, description="Largest request body, bytes.")
    max_bodies_bytes: int = Field(
        64 * 1024 * 1024, description="Bytes of all request bodies that are on their way in; beyond it: 503."
    )
    max_import_bytes: int = Field(256 * 1024 * 1024, description="Largest uploaded suite, bytes.")
    answer_seconds: float = Field(8.0, ge=1, description="How long a web process waits for the database; then 503.")
    task_seconds: float = Field(60.0, ge=0, description="How long a worker waits for one statement; 0: for ever.")
    writer_backlog: int = Field(2000, description="Decisions that may wait to be stored; beyond it: 503.")
    writer_backlog_bytes: int = Field(
        64 * 1024 * 1024, description="Bytes of request bodies whose decisions may wait to be stored; beyond it: 503."
    )
    writer_batch: int = Field(256, description="Decisions stored in one commit at most.")
    waiters: int = Field(5000, ge=1, description="Callers that may wait for a ruling in a process; beyond it: 503.")
    streams_at_once: int = Field(4, description="Streams of decisions that a process takes at the same time.")
    snapshot_seconds: float = Field(0.5, description="How often a process looks for changed policies.")
    lease_seconds: int = Field(600, description="How long a reviewer holds a case without a sign of life.")
    beat_seconds: float = Field(2.0, description="How often the sweeps run.")
    session_hours: int = Field(12, description="How long a sign-in lasts.")
    secure_cookies: bool = Field(False, description="Set behind HTTPS.")
    false_alarms_per_year: float = Field(
        12.0, gt=0, lt=365, description="How many false alarms all guardrails together may raise in a year."
    )
    webhooks_allow_private: bool = Field(False, description="Let webhooks be http, and inside the own network.")
    public_url: str | None = Field(None, description="What people type to get here; empty: http://host:port.")
    smtp_url: str | None = Field(None, description="smtps://user:password@host, smtp:// (STARTTLS) or smtp+plain://.")
    mail_from: str = Field("phasegate@localhost", description="Sender of e-mails.")
    notify_before_minutes: float = Field(15.0, gt=0, description="How long before its time is over a case is told of.")
    log_level: str = "INFO"

    @property
    def resolved_database_url(self) -> str:
        """The URL that is used: the given one, or SQLite in the data directory."""
        if self.database_url:
            return self.database_url
        self.data_dir.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{(self.data_dir / 'phasegate.db').resolve()}"

    @property
    def base_url(self) -> str:
        """What links in messages begin with."""
        return self.public_url.rstrip("/") if self.public_url else f"http://{self.host}:{self.port}"

    def check_secret(self) -> None:
        """Refuse a database for many hosts without a key for all of them: each host would make up its own."""
        if not self.secret and not self.resolved_database_url.startswith("sqlite"):
            raise NoSecret(
                "PHASEGATE_DATABASE_URL names a server, so PHASEGATE_SECRET must be set, to the same value for every "
                "process; without it each host would make a key of its own, and audit draws and signatures would not "
                'agree. A good one: python -c "import secrets; print(secrets.token_hex(32))"'
            )

    def resolved_secret(self) -> bytes:
        """
        The key from the settings, or one that is made once and kept in the data directory.

        It appears whole or not at all: when processes start together, one makes it and the others read it.
        """
        self.check_secret()
        if self.secret:
            return self.secret.encode()
        path = self.data_dir / "secret"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_hex(32))
        key = path.read_text(encoding="ascii").strip()
        if not key:
            raise RuntimeError(f"the key file {path} is empty; delete it or set PHASEGATE_SECRET")
        return key.encode()


def _write_once(path: Path, text: str) -> None:
    """Linking a finished file is exclusive and atomic; the second one's is thrown away."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=path.parent, prefix="secret-") as draft:
        draft.write(text)
        draft.flush()
        os.fsync(draft.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)
