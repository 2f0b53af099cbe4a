"""Connections to a real Redshift, by AWS's own driver: by password, or by IAM with credentials that last minutes."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from slice_platform.aws import told

STATEMENT_SECONDS = 3600  # of one statement, waiting in a queue included: the lock is not held for ever
_KEEP_ALIVE = {"tcp_keepalive": True, "tcp_keepalive_idle": 60, "tcp_keepalive_interval": 15, "tcp_keepalive_count": 8}


@dataclass(frozen=True)
class RedshiftAccess:
    """Where it is, and as whom. With a cluster or a workgroup IAM gives the credentials, and no password is needed."""

    database: str
    user: str
    host: str | None = None
    port: int = 5439
    password: str | None = field(default=None, repr=False)
    cluster_identifier: str | None = None
    serverless_workgroup: str | None = None
    region: str | None = None
    is_encrypted: bool = True

    @property
    def by_iam(self) -> bool:
        return self.cluster_identifier is not None or self.serverless_workgroup is not None

    def options(self) -> dict[str, Any]:
        """As redshift_connector takes them."""
        wanted = {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "password": self.password,
            "region": self.region or os.environ.get("AWS_REGION"),  # boto3 by itself knows AWS_DEFAULT_REGION alone
            "ssl": self.is_encrypted,
            "iam": self.by_iam,
            **_KEEP_ALIVE,  # a balancer drops what is silent for 350 seconds, and COPY is
        }
        if self.serverless_workgroup is not None:
            wanted |= {"is_serverless": True, "serverless_work_group": self.serverless_workgroup}
        elif self.cluster_identifier is not None:
            wanted |= {"cluster_identifier": self.cluster_identifier, "db_user": self.user}
        else:
            wanted["user"] = self.user
        return {name: value for name, value in wanted.items() if value is not None}


def redshift_connection(access: RedshiftAccess) -> Callable[[], Any]:
    """What opens a connection: in a transaction, with `%s` for values, in UTC, with a limit for each statement.

    Raises, when called:
        AccessRefused, StoreUnavailable: IAM gives no credentials, or AWS does not answer.
    """

    def connect() -> Any:
        import redshift_connector  # noqa: PLC0415 -- loading definitions must not wait for it

        with told("get credentials from", "Redshift"):
            connection = redshift_connector.connect(**access.options())
        connection.autocommit = False
        cursor = connection.cursor()
        cursor.execute("SET timezone TO 'UTC'")
        cursor.execute(f"SET statement_timeout TO {STATEMENT_SECONDS * 1000}")
        connection.commit()  # else LOCK were not the first statement of its transaction
        return connection

    return connect
