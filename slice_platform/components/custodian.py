"""The component `CustodianSweep`: the accounts of the company, looked at by Cloud Custodian every day."""

import dagster as dg
from dagster import DagsterInvalidDefinitionError
from pydantic import BaseModel, Field

from slice_platform.aws import AwsAccess
from slice_platform.components.jarvis import TOLD_TAG
from slice_platform.components.operations import FenceConfig, actor_of, plan_metadata
from slice_platform.components.runtime import told_to_dagster
from slice_platform.components.sweeping import Done, sweep_and_tell
from slice_platform.ops.custodian.accounts import Target, read_accounts
from slice_platform.ops.custodian.exceptions import read_exceptions
from slice_platform.ops.custodian.findings import is_of
from slice_platform.ops.custodian.fixing import JOB
from slice_platform.ops.custodian.policies import read_policies
from slice_platform.ops.custodian.spec import CustodianSpec
from slice_platform.ops.custodian.sweep import Selection
from slice_platform.ops.fence import Mandate
from slice_platform.settings import load_settings
from slice_platform.yaml_lines import read_yaml


class SweepConfig(FenceConfig):
    """Run config: without `apply` nothing is changed anywhere."""

    accounts: list[str] = Field(default_factory=list, description="Names or numbers; none means all.")
    policies: list[str] = Field(default_factory=list, description="Names; none means all.")


class CustodianSweep(dg.Component):
    """A job that asks every policy in every account and region, and fixes what is critical where that is allowed."""

    def __init__(self, spec: CustodianSpec) -> None:
        self.spec = spec

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return CustodianSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "CustodianSweep":
        """Raises ContractError, which names file, line and field, before anything runs. c7n is not asked yet."""
        assert isinstance(attributes, CustodianSpec)
        spec = attributes.below(context.path)
        _refuse_mistakes(spec)
        try:
            dg.ScheduleDefinition(name="any", job_name="any", cron_schedule=spec.schedule)
        except DagsterInvalidDefinitionError as error:
            problem = f"expected a cron expression such as '0 3 * * *', got {spec.schedule!r}"
            raise read_yaml(context.path / "defs.yaml").error(("attributes", "schedule"), problem) from error
        return cls(spec)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  # Dagster's signature
        job = sweep_job(self.spec)
        return dg.Definitions(jobs=[job], schedules=[sweep_schedule(self.spec, job)])


def sweep_job(spec: CustodianSpec) -> dg.JobDefinition:
    """Dry by default: it looks and tells, and with `apply: true` fixes what is critical."""

    @dg.op(name="sweep_accounts", out=dg.Out(dg.Nothing), pool=JOB)
    def sweep_accounts(context: dg.OpExecutionContext, config: SweepConfig) -> None:
        mandate = Mandate(actor_of(context.run), config.apply, config.limits(spec.limits), context.log.info)
        selection = Selection(tuple(config.accounts), tuple(config.policies))
        with told_to_dagster():
            done = sweep_and_tell(spec, load_settings(), mandate, selection, context.run_id)
        context.log.info(f"{done.digest.heading}\n{done.digest.text}")
        if done.problems:
            if done.was_told:
                context.instance.add_run_tags(context.run_id, {TOLD_TAG: "true"})
            told = "\n".join(done.problems)
            raise dg.Failure(told, metadata=sweep_metadata(done), allow_retries=False)
        context.add_output_metadata(sweep_metadata(done))

    @dg.job(
        name=JOB,
        description="Ask the policies of Cloud Custodian in every account and region, land what they find in "
        "custodian_findings, and tell what is new, fixed and still open. Changes nothing unless its config says "
        "`apply: true`; then only what critical policies name, where accounts.yaml allows it, the canary first.",
    )
    def job() -> None:
        sweep_accounts()

    return job


def sweep_schedule(spec: CustodianSpec, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Looks every day, and changes nothing. It starts stopped: a laptop has no accounts."""
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=spec.schedule,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="A dry run over all accounts. Turn it on once accounts.yaml names yours.",
    )


def sweep_metadata(done: Done) -> dict[str, dg.MetadataValue]:
    """What the page of the run shows: counts, a row for each account and region, and the plans."""
    diff = done.report.diff
    counts = {
        "new": len(diff.new),
        "fixed": len(diff.fixed),
        "still_open": len(diff.still_open),
        "excepted": len(diff.excepted),
        "not_looked_at": len(diff.not_looked_at),
        "looks": len(done.report.looks),
        "looks_failed": len(done.report.failed_looks),
    }
    shown: dict[str, dg.MetadataValue] = {name: dg.MetadataValue.int(count) for name, count in counts.items()}
    shown |= {"accounts": _accounts(done), "rows": dg.MetadataValue.text(done.landed)}
    for one in done.report.applied:
        if one.outcome is not None:
            place = f"{one.target.account.name} {one.target.region}"
            shown |= {f"{name} of {place}": value for name, value in plan_metadata(one.outcome.plan).items()}
    return shown


def _accounts(done: Done) -> dg.MetadataValue:
    """A row for each account and region: how it was looked at, and what was done there."""
    applied = {one.target: one for one in done.report.applied}
    rows = []
    for target in (Target(account, region) for account in done.report.accounts for region in account.regions):
        looks = [one for one in done.report.looks if is_of(one.scope, target)]
        act = applied.get(target)
        record: dict[str, str | int] = {
            "account": str(target.account),
            "region": target.region,
            "policies": len(looks),
            "findings": sum(len(one.findings) for one in looks),
            "error": next((one.error for one in looks if one.error is not None), ""),
            "fixes": "" if act is None else act.problem or act.said or "",
        }
        rows.append(dg.TableRecord(record))
    columns = [dg.TableColumn(name) for name in ("account", "region", "policies", "findings", "error", "fixes")]
    return dg.MetadataValue.table(rows, dg.TableSchema(columns))


def _refuse_mistakes(spec: CustodianSpec) -> None:
    """Read what lies on this machine; what lies in S3 is read by the run."""
    access = AwsAccess()
    if spec.policies.startswith("s3://"):
        return
    policies = read_policies(spec.policies, access)
    if not spec.accounts.startswith("s3://"):
        read_accounts(spec.accounts, access)
    if not spec.exceptions.startswith("s3://"):
        read_exceptions(spec.exceptions, access, (one.name for one in policies))
