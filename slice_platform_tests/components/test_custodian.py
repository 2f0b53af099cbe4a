"""The sweep in Dagster: dry unless told, every account to its end, and people are told once."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.custodian import sweep_job, sweep_schedule
from slice_platform.components.jarvis import TOLD_TAG
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import open_lake
from slice_platform.lake.query import query
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.ops.custodian.spec import CustodianSpec
from slice_platform.settings import PACKAGE_DIR, load_settings
from slice_platform_tests.cloud import CREDENTIALS
from slice_platform_tests.ops.custodian.aws_accounts import OWN, REFUSING, REGION, Accounts, role, running_accounts
from slice_platform_tests.ops.custodian.planting import is_public, make_public
from slice_platform_tests.slack import FakeSlack, running_slack, slack_chat
from slice_platform_tests.tools import require_package

POLICY = """\
policies:
  - name: s3-public-grants
    resource: aws.s3
    description: Buckets whose access list lets everybody read or write.
    metadata: {severity: critical, critical: true}
    filters: [{type: global-grants}]
    actions: [{type: delete-global-grants, grantees: ["http://acs.amazonaws.com/groups/global/AllUsers"]}]
"""
OWN_ONE = f'accounts:\n  - {{account_id: "{OWN}", name: own, regions: [{REGION}], allow_actions: true}}\n'
REFUSED = f'  - {{account_id: "{REFUSING}", name: refusing, role: "{role(REFUSING)}", regions: [{REGION}]}}\n'
CONFIG = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    require_package("c7n", "custodian")
    with running_accounts() as started:
        place = {"LocationConstraint": REGION}
        started.client("s3").create_bucket(Bucket="shop-window", CreateBucketConfiguration=place)
        yield started


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with running_slack("security", "platform-ops") as started:
        yield started


@pytest.fixture
def spec(accounts: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CustodianSpec:
    """One account, in which everybody may read a bucket."""
    make_public(accounts.client("s3"), "shop-window")
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLICE_AWS_ENDPOINT_URL", accounts.url)
    monkeypatch.setenv("SLICE_AWS_ATTEMPTS", "1")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return written(tmp_path)


def written(folder: Path, accounts: str = OWN_ONE) -> CustodianSpec:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "s3.yml").write_text(POLICY)
    (folder / "accounts.yaml").write_text(accounts)
    (folder / "exceptions.yaml").write_text("exceptions: []\n")
    return CustodianSpec(channel="security", limits={"max_share": 1}).below(folder)


def run(spec: CustodianSpec, instance: dg.DagsterInstance, **config: object) -> dg.ExecuteInProcessResult:
    chosen = {"ops": {"sweep_accounts": {"config": config}}}
    return sweep_job(spec).execute_in_process(instance=instance, run_config={**CONFIG, **chosen}, raise_on_error=False)


def sent(slack: FakeSlack) -> None:
    """What was told so far is in Slack."""
    with open_jarvis(chat=slack_chat(slack)) as jarvis:
        jarvis.deliver(seconds=10)


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = [one for one in result.all_events if one.event_type is dg.DagsterEventType.STEP_OUTPUT]
    return {name: value.value for name, value in event.step_output_data.metadata.items()}


def failure_of(result: dg.ExecuteInProcessResult) -> tuple[str, dict[str, object]]:
    (event,) = result.get_step_failure_events()
    told = event.step_failure_data.user_failure_data
    assert told is not None
    return str(told.description), {name: value.value for name, value in told.metadata.items()}


def test_a_run_looks_tells_and_changes_nothing_unless_told(
    spec: CustodianSpec, instance: dg.DagsterInstance, accounts: Accounts, slack: FakeSlack
) -> None:
    done = run(spec, instance)
    assert done.success and is_public(accounts.client("s3"), "shop-window")
    told = metadata_of(done)
    assert (told["new"], told["fixed"], told["looks"], told["looks_failed"]) == (1, 0, 1, 0)
    assert told[f"plan of own {REGION}"] == "delete-global-grants 1 of 1 s3 resource"
    sent(slack)
    text, file = slack.messages("security")
    assert text.text.startswith("*Cloud Custodian: 1 new, 0 fixed, 0 still open*")
    (row,) = csv.DictReader(io.StringIO((file.files[0].content or b"").decode()))
    assert (row["standing"], row["severity"], row["resource_id"]) == ("new", "critical", "shop-window")


def test_with_apply_the_bucket_is_private_and_the_rows_are_in_the_lake(
    spec: CustodianSpec, instance: dg.DagsterInstance, accounts: Accounts, slack: FakeSlack
) -> None:
    done = run(spec, instance, apply=True)
    assert done.success and not is_public(accounts.client("s3"), "shop-window")
    assert (metadata_of(done)["new"], metadata_of(done)["fixed"]) == (0, 1)
    sent(slack)
    (plan,) = slack.messages("platform-ops")
    assert plan.text.startswith(f"*custodian_sweep of own ({OWN}) in {REGION}: done*") and "by run " in plan.text
    with open_lake(load_settings(defs_dir=PACKAGE_DIR / "defs", landing_tick_seconds=0)) as lake:
        ingest(lake, "custodian_findings")
        asked = "select resource_id, status from curated.custodian_findings order by 1"
        assert query(lake, asked).table.to_pylist() == [
            {"resource_id": "-", "status": "clean"}, {"resource_id": "shop-window", "status": "closed"},
        ]  # fmt: skip


def test_security_hub_of_the_account_is_told_where_that_is_wanted(
    spec: CustodianSpec, instance: dg.DagsterInstance, accounts: Accounts
) -> None:
    hub = accounts.client("securityhub")
    hub.enable_security_hub()
    assert run(spec, instance).success and hub.get_findings()["Findings"] == []
    assert run(spec.model_copy(update={"security_hub": True}), instance).success
    (finding,) = hub.get_findings()["Findings"]
    assert (finding["Title"], finding["RecordState"]) == ("s3-public-grants: shop-window", "ACTIVE")
    assert finding["Description"] == "Buckets whose access list lets everybody read or write."


def test_limits_of_the_run_hold_instead_of_those_of_the_yaml(
    spec: CustodianSpec, instance: dg.DagsterInstance, accounts: Accounts
) -> None:
    said, told = failure_of(run(spec, instance, apply=True, max_resources=0))
    assert "refused by the rule max_resources" in said and told["new"] == 1
    assert is_public(accounts.client("s3"), "shop-window")


def test_an_account_that_fails_fails_the_run_after_the_rest_was_done(
    spec: CustodianSpec, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    result = run(written(tmp_path, OWN_ONE + REFUSED), instance)
    said, told = failure_of(result)
    assert "refusing was not looked at by s3-public-grants in global" in said and "own" not in said.split(":")[0]
    assert (told["new"], told["looks"], told["looks_failed"]) == (1, 2, 1)
    run_kept = instance.get_run_by_id(result.run_id)
    assert run_kept is not None and run_kept.tags[TOLD_TAG] == "true", "the digest has told of it"
    assert list((tmp_path / "home" / "lake" / "landing" / "custodian_findings").glob("sweep_*.jsonl"))


def test_without_c7n_the_run_fails_and_names_the_extra(
    spec: CustodianSpec, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slice_platform.ops.custodian.library.find_spec", lambda _name: None)
    (event,) = run(spec, instance).get_step_failure_events()
    told = event.step_failure_data.user_failure_data
    assert told is not None and "pip install 'slice_platform[custodian]'" in str(told.description)


def test_the_schedule_starts_stopped_and_asks_for_a_dry_run(tmp_path: Path) -> None:
    spec = written(tmp_path)
    schedule = sweep_schedule(spec, sweep_job(spec))
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "UTC")
    with dg.build_schedule_context() as context:
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.run_config == {}
