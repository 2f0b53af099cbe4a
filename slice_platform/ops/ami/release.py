"""The release of one commit: validate, build, test, promote, refresh, prune.

How far it has come is kept after every step, and each step finds out what of itself is done already. So whoever is cut
short is followed by one who goes on, and nothing is built, made or started twice. Where the new version does not reach
the group, the version before is put back, and the release says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import NoReturn

from slice_platform.errors import FenceRefused, PermanentError, ReleaseFailed
from slice_platform.ops.ami.account import Account, TemplateVersion
from slice_platform.ops.ami.build import ImageBuild
from slice_platform.ops.ami.image_test import ImageTrial
from slice_platform.ops.ami.instance_refresh import RefreshEnd
from slice_platform.ops.ami.packer_template import Marks
from slice_platform.ops.ami.promotion import Promotion, default_of, made_by
from slice_platform.ops.ami.prune import prune_alone
from slice_platform.ops.ami.releases import JOB, STEPS, Release, Releases, ReleaseState, Step, planned
from slice_platform.ops.ami.rollout import REFRESH_JOB, Rollout
from slice_platform.ops.ami.spec import ReleaseSpec, Service
from slice_platform.ops.fence import Hands, Mandate, Outcome, carry_out
from slice_platform.ops.journal import Journal
from slice_platform.ops.plan import Change, Plan


@dataclass
class _Act(Hands):
    """Hands that have one thing to do, which takes nothing away."""

    do: Callable[[], None]

    def act(self, change: Change) -> None:  # noqa: ARG002 -- there is one
        self.do()


@dataclass(frozen=True)
class Releaser:
    """Releases one commit of one service. Everything it changes passes the fence, by the mandate."""

    service: Service
    commit: str
    account: Account
    journal: Journal
    mandate: Mandate
    work_dir: Path

    def do(self, step: Step) -> Outcome | None:
        """The step is done, or had been; without `apply` it is planned. None where nothing was to do.

        Raises:
            ReleaseFailed: it ended without success; the message says what was put back.
            SettingsError: the template, or whatever builds, is not there or wrong.
            FenceRefused: it would take away more than the limits allow.
            AwsUnavailable, AccessRefused: AWS did not do what was asked; the next run goes on from here.
        """
        with self.journal.alone(JOB, self.service.name):
            release = self._release(step)
            if release.has_done(step):
                self.mandate.tell(f"{step}: done already")
                return None
            try:
                outcome, release = self._steps[step](release)
            except FenceRefused:
                raise
            except PermanentError as error:
                self._fail(release, step, error)
                raise
            if self.mandate.apply:
                state = ReleaseState.DONE if step is STEPS[-1] else release.state
                self._releases.mark(release, reached=step, state=state)
            return outcome

    @property
    def _steps(self) -> "dict[Step, Callable[[Release], tuple[Outcome | None, Release]]]":
        return {
            Step.VALIDATE: self._validate,
            Step.BUILD: self._build,
            Step.TEST: self._test,
            Step.PROMOTE: self._promote,
            Step.REFRESH: self._refresh,
            Step.PRUNE: self._prune,
        }

    @cached_property
    def _releases(self) -> Releases:
        return Releases(self.journal.db)

    # --- the steps

    def _validate(self, release: Release) -> tuple[None, Release]:
        """What the release needs is there, before anything is changed."""
        self.mandate.tell(self._image_build(release).validate())
        now = default_of(self.account, self._spec.launch_template)
        group = self.account.group(self._spec.auto_scaling_group)
        self._rollout(release).refresher.check(now.template_id)
        self.mandate.tell(
            f"{self._spec.launch_template} has version {now.number} ({now.image_id}) as its default, "
            f"{group.name} has {len(group.instance_versions)} instances"
        )
        return None, release

    def _build(self, release: Release) -> tuple[Outcome | None, Release]:
        build = self._image_build(release)
        if (found := build.find()) is not None and found.state == "available":
            self.mandate.tell(f"the image of {self.commit} is there: {found.id}")
            return None, self._mark(release, image_id=found.id)
        built: list[str] = []
        change = Change("build", "image", self._name, f"of branch {self._spec.branch}", removes=False)
        outcome = self._carry_out("ami_build", (change,), lambda: built.append(build.run()))
        return outcome, self._mark(release, image_id=built[0]) if built else release

    def _test(self, release: Release) -> tuple[Outcome | None, Release]:
        image = release.image_id or "the new image"
        trial = ImageTrial(self.account, self._spec.test, self._marks(release), self.mandate.tell)
        change = Change("launch and terminate", "test instance", image, "the image has to prove itself", removes=False)
        return self._carry_out("ami_test", (change,), lambda: trial.run(image)), release

    def _promote(self, release: Release) -> tuple[Outcome | None, Release]:
        before = default_of(self.account, self._spec.launch_template)
        promotion = self._promotion(release)
        changes = promotion.changes(before)
        release = self._mark(release, previous_version=self._proven(before).number)
        if self.mandate.apply:
            self._releases.supersede(self.service.name, but=release.id)
        outcome = carry_out(self._plan("ami_promote", changes), self.mandate, self.journal, promotion)
        made = promotion.version()
        return outcome, self._mark(release, version=made.number) if made else release

    def _refresh(self, release: Release) -> tuple[Outcome | None, Release]:
        ends: list[RefreshEnd] = []
        rollout = self._rollout(release)
        name, to, refresh_id = self._spec.auto_scaling_group, release.version or 0, release.refresh_id
        change = Change("refresh", "auto-scaling group", name, self._reason(release), removes=False)
        try:
            outcome = self._carry_out(REFRESH_JOB, (change,), lambda: ends.append(rollout.to_version(to, refresh_id)))
        except PermanentError as error:  # the version is the default, and whatever is launched has it
            if not self.mandate.apply:
                raise
            release = self._mark(release, state=ReleaseState.ROLLING_BACK, error=str(error))
            self._roll_back(release, None)
        if ends and not ends[0].is_success:
            release = self._mark(release, state=ReleaseState.ROLLING_BACK, error=str(ends[0]))
            self._roll_back(release, ends[0])
        return outcome, release

    def _prune(self, release: Release) -> tuple[Outcome, Release]:
        return prune_alone(self.account, self.service, self.journal, self.mandate), release

    # --- where it goes wrong

    def _roll_back(self, release: Release, end: RefreshEnd | None) -> NoReturn:
        """The version before is back, and the release has ended without success.

        Raises:
            ReleaseFailed: always; the message says how things stand.
        """
        assert release.previous_version is not None
        self.mandate.tell(f"the refresh did not succeed ({release.error}): rolling back to {release.previous_version}")
        done = self._rollout(release).back_to(release.previous_version, end)
        self._mark(release, state=ReleaseState.ROLLED_BACK, reached=Step.TEST, refresh_id=None, version=None)
        raise ReleaseFailed(
            f"Releasing {self._name}: the refresh of {self._spec.auto_scaling_group!r} did not succeed: "
            f"{release.error}. Rolled back: {done}. Mend the cause and release again; the image {release.image_id} is "
            "kept."
        )

    def _fail(self, release: Release, step: Step, error: PermanentError) -> None:
        if not self.mandate.apply:
            return
        now = self._releases.get(self.service.name, self._spec.branch, self.commit)
        if now.state is ReleaseState.RUNNING:
            self._releases.mark(release, state=ReleaseState.FAILED, error=f"{step}: {error}")

    # --- what the steps share

    @property
    def _spec(self) -> ReleaseSpec:
        return self.service.spec

    @property
    def _name(self) -> str:
        return f"{self.service.name}@{self.commit[:12]}"

    def _release(self, step: Step) -> Release:
        """How far the commit is; a plan alone leaves no trace of that."""
        if not self.mandate.apply:
            return self._planned()
        if step is STEPS[0]:
            return self._begun()
        release = self._releases.get(self.service.name, self._spec.branch, self.commit)
        if release.state is ReleaseState.ROLLING_BACK:
            self._roll_back(release, None)
        if release.state is ReleaseState.FAILED:  # it is gone on with at the step that failed
            release = self._mark(release, state=ReleaseState.RUNNING, error=None)
        if release.state is ReleaseState.SUPERSEDED or (step is Step.REFRESH and self._is_overtaken(release)):
            raise ReleaseFailed(
                f"Releasing {self._name}: another version was promoted, or rolled back to, since. The group is left as "
                "it is; release this commit anew, from the first step."
            )
        before = STEPS[STEPS.index(step) - 1]
        if not release.has_done(before):
            raise ReleaseFailed(
                f"Releasing {self._name}: {step} comes after {before}, which is not done. Release it anew, from the "
                "first step."
            )
        return release

    def _begun(self) -> Release:
        """The release of the commit, at the first step that has to be done, or done again."""
        release = self._releases.begin(self.service.name, self._spec.branch, self.commit)
        if release.state is ReleaseState.ROLLING_BACK:
            self._roll_back(release, None)
        if self._is_overtaken(release):
            release = self._releases.again(release)
        if release.image_id and not release.has_done(Step.PROMOTE) and not self._is_there(release.image_id):
            self.mandate.tell(f"the image {release.image_id} of {self.commit} is gone by now: it is built again")
            release = self._mark(release, reached=None, image_id=None)
        return release

    def _is_overtaken(self, release: Release) -> bool:
        """Whether it had promoted its version, and another is the default by now."""
        if not release.has_done(Step.PROMOTE):
            return False
        return default_of(self.account, self._spec.launch_template).number != release.version

    def _is_there(self, image_id: str) -> bool:
        image = self.account.image(image_id)
        return image is not None and image.state == "available"

    def _proven(self, version: TemplateVersion) -> TemplateVersion:
        """The version, or the one before it where a release made it the default and never got it to every instance."""
        there = {one.number: one for one in self.account.versions(self._spec.launch_template)}
        while (made := made_by(version)) is not None and made.source in there:
            release = self._releases.of_id(made.release)
            if release is None or release.state is ReleaseState.ROLLED_BACK or release.has_done(Step.REFRESH):
                break
            version = there[made.source]
        return version

    def _planned(self) -> Release:
        found = [one for one in self._releases.latest(self.service.name) if one.commit == self.commit]
        if found:
            return replace(found[0], reached=None)
        return planned(self.service.name, self._spec.branch, self.commit)

    def _mark(self, release: Release, **values: object) -> Release:
        if not self.mandate.apply:
            return replace(release, **values)  # type: ignore[arg-type]  # names of its fields, as `mark` takes them
        return self._releases.mark(release, **values)

    def _marks(self, release: Release) -> Marks:
        return Marks(release.id, self.service.name, self._spec.branch, self.commit)

    def _image_build(self, release: Release) -> ImageBuild:
        places = self.service.folder, self.work_dir / self.service.name
        return ImageBuild.of(self.account, self._spec, self._marks(release), places, self.mandate.tell)

    def _promotion(self, release: Release) -> Promotion:
        return Promotion(self.account, self._spec.launch_template, release.image_id or "the new image", release.id)

    def _rollout(self, release: Release) -> Rollout:
        return Rollout(self.account, self._spec, self.mandate.tell, partial(self._keep_refresh, release))

    def _keep_refresh(self, release: Release, refresh_id: str) -> None:
        self._mark(release, refresh_id=refresh_id)

    def _reason(self, release: Release) -> str:
        if release.version is None:
            return "to the version that is promoted, back to the one before where it fails"
        return f"to version {release.version}, back to {release.previous_version} where it fails"

    def _plan(self, job: str, changes: tuple[Change, ...]) -> Plan:
        return Plan(job, f"{self._name} in {self.account.id}/{self.account.region}", changes)

    def _carry_out(self, job: str, changes: tuple[Change, ...], do: Callable[[], None]) -> Outcome:
        return carry_out(self._plan(job, changes), self.mandate, self.journal, _Act(do))
