"""The component `AmiRelease`: one service, released as an image, with the jobs that release, roll back and prune."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import BaseModel, Field

from slice_platform.aws import AwsAccess
from slice_platform.components.jarvis import notify_on_failure
from slice_platform.components.operations import FenceConfig, actor_of, outcome_metadata, tell_outcome
from slice_platform.components.runtime import told_to_dagster
from slice_platform.ops.ami.account import Account
from slice_platform.ops.ami.prune import prune
from slice_platform.ops.ami.release import Releaser
from slice_platform.ops.ami.releases import STEPS, Releases, Step, rollback_target
from slice_platform.ops.ami.rollout import rollback
from slice_platform.ops.ami.spec import ReleaseSpec, Service
from slice_platform.ops.fence import Mandate, Outcome
from slice_platform.ops.journal import Journal, open_journal
from slice_platform.settings import Settings, load_settings

RELEASE_PREFIX, ROLLBACK_PREFIX, PRUNE_PREFIX = "ami_release_", "ami_rollback_", "ami_prune_"
_MAX_RUNTIME = "dagster/max_runtime"  # Dagster's own tag, in seconds
_SPARE_SECONDS = 3600  # for all that has no time-out of its own
_SAID = {
    Step.VALIDATE: "Packer accepts the template; launch template and group are there.",
    Step.BUILD: "The image of the commit is built, once, and tagged.",
    Step.TEST: "One instance of the image ran and was well; it is terminated.",
    Step.PROMOTE: "A new version of the launch template has the image, and is the default.",
    Step.REFRESH: "Every instance of the group runs the image, or the version before is back and the run fails.",
    Step.PRUNE: "Old versions, images and snapshots are gone, but for those in use.",
}


class ReleaseConfig(FenceConfig):
    """What a release is asked for in the launchpad."""

    commit: str = Field(min_length=7, description="Whose image is released: the commit's full hash.")


class RollbackConfig(FenceConfig):
    """What a rollback is asked for in the launchpad."""

    to_version: int | None = Field(default=None, description="Default: the version before the last release.")


class AmiRelease(dg.Component):
    """A service on instances of one image: built, tested, promoted and rolled out, or put back."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return ReleaseSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "AmiRelease":
        assert isinstance(attributes, ReleaseSpec)
        return cls(Service(context.path.name, attributes, Path(context.path)))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002 -- Dagster's signature
        return dg.Definitions(jobs=[release_job(self.service), rollback_job(self.service), prune_job(self.service)])


@contextmanager
def opened_releaser(
    service: Service, commit: str, mandate: Mandate, settings: Settings | None = None
) -> Iterator[Releaser]:
    """A release of this deployment, for the length of the block."""
    settings = settings or load_settings()
    with open_journal(settings) as journal:
        account = Account(AwsAccess.of(settings))
        yield Releaser(service, commit, account, journal, mandate, settings.home_dir / "ami")


def release_job(service: Service) -> dg.JobDefinition:
    """Validate, build, test, promote, refresh, prune: each a step, and each goes on where it was cut short."""
    ops = [_step_op(service, step) for step in STEPS]

    @dg.config_mapping
    def for_each_step(given: ReleaseConfig) -> dg.RunConfig:
        return dg.RunConfig(ops={op.name: given for op in ops})

    @dg.job(
        name=f"{RELEASE_PREFIX}{service.name}",
        description=f"Release a commit of {service.name}: its image reaches every instance of "
        f"{service.spec.auto_scaling_group}, or the version before is put back. Without `apply` it is only planned.",
        config=for_each_step,
        hooks={notify_on_failure(load_settings().ops_channel)},
        tags=_tags(service),
    )
    def job() -> None:
        before = ops[0]()
        for op in ops[1:]:
            before = op(before)

    return job


def rollback_job(service: Service) -> dg.JobDefinition:
    """An earlier version is the default again, and the group runs it."""

    @dg.op(name=f"roll_back_{service.name}", pool=_pool(service))
    def roll_back(context: dg.OpExecutionContext, config: RollbackConfig) -> None:
        def work(journal: Journal, account: Account, mandate: Mandate) -> Outcome:
            versions = account.versions(service.spec.launch_template)
            to = config.to_version or rollback_target(Releases(journal.db), service.name, versions)
            return rollback(account, service, journal, mandate, to_version=to)

        _carry_out(context, config, service, work)

    @dg.config_mapping
    def given_to_it(given: RollbackConfig) -> dg.RunConfig:
        return dg.RunConfig(ops={roll_back.name: given})

    what = "Make an earlier version the default again, and have the group run it."
    return _job(service, ROLLBACK_PREFIX, (roll_back, given_to_it), what)


def prune_job(service: Service) -> dg.JobDefinition:
    """Old versions and images go, with their snapshots, but for those in use."""

    @dg.op(name=f"prune_{service.name}", pool=_pool(service))
    def prune_images(context: dg.OpExecutionContext, config: FenceConfig) -> None:
        def work(journal: Journal, account: Account, mandate: Mandate) -> Outcome:
            return prune(account, service, journal, mandate)

        _carry_out(context, config, service, work)

    @dg.config_mapping
    def given_to_it(given: FenceConfig) -> dg.RunConfig:
        return dg.RunConfig(ops={prune_images.name: given})

    what = "Remove old versions and images, but for those in use."
    return _job(service, PRUNE_PREFIX, (prune_images, given_to_it), what)


def _job(service: Service, prefix: str, does: tuple[dg.OpDefinition, dg.ConfigMapping], what: str) -> dg.JobDefinition:
    """A job of one op, whose config is that of the job."""
    op, mapping = does

    @dg.job(
        name=f"{prefix}{service.name}",
        config=mapping,
        description=f"{what} Without `apply` it is only planned.",
        hooks={notify_on_failure(load_settings().ops_channel)},
        tags=_tags(service),
    )
    def job() -> None:
        op()

    return job


def _step_op(service: Service, step: Step) -> dg.OpDefinition:
    after = {} if step is STEPS[0] else {"before": dg.In(dg.Nothing)}

    @dg.op(name=step.value, description=_SAID[step], ins=after, out=dg.Out(dg.Nothing), pool=_pool(service))
    def done(context: dg.OpExecutionContext, config: ReleaseConfig) -> None:
        mandate = _mandate(context, config, service)
        with told_to_dagster(), opened_releaser(service, config.commit, mandate) as releaser:
            outcome = releaser.do(step)
        _report(context, outcome, mandate)

    return done


def _carry_out(
    context: dg.OpExecutionContext,
    config: FenceConfig,
    service: Service,
    work: Callable[[Journal, Account, Mandate], Outcome],
) -> None:
    settings, mandate = load_settings(), _mandate(context, config, service)
    with told_to_dagster(), open_journal(settings) as journal:
        outcome = work(journal, Account(AwsAccess.of(settings)), mandate)
    _report(context, outcome, mandate)


def _mandate(context: dg.OpExecutionContext, config: FenceConfig, service: Service) -> Mandate:
    limits = config.limits(service.spec.limits)
    return Mandate(actor_of(context.run), config.apply, limits, context.log.info)


def _report(context: dg.OpExecutionContext, outcome: Outcome | None, mandate: Mandate) -> None:
    if outcome is None:
        context.add_output_metadata({"outcome": "nothing to do"})
        return
    context.log.info(outcome.summary())
    context.add_output_metadata(outcome_metadata(outcome))
    tell_outcome(outcome, actor=mandate.actor, run_id=context.run_id)


def _tags(service: Service) -> dict[str, str]:
    """Dagster ends no run of the service before the service's own time-outs have: a rollback must not be cut short."""
    spec, build = service.spec, service.spec.packer or service.spec.codebuild
    assert build is not None
    # Of a refresh: another's is waited for, ours, its cancelling, and the same on the way back, twice each.
    longest = 2 * build.timeout_seconds + 2 * spec.test.timeout_seconds + 12 * spec.refresh.timeout_seconds
    return {"slice/service": service.name, _MAX_RUNTIME: str(int(longest) + _SPARE_SECONDS)}


def _pool(service: Service) -> str:
    return f"ami_{service.name}"
