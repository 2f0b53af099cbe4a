"""The process of c7n: what it leaves behind decides, it starts with no memory, and a time-out ends all of it."""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from slice_platform.ops.custodian.accounts import Account, Target
from slice_platform.ops.custodian.library import kinds_of
from slice_platform.ops.custodian.looking import Swept, look_everywhere
from slice_platform.ops.custodian.policies import Policy, Severity
from slice_platform.ops.custodian.runner import CustodianProcess
from slice_platform_tests.ops.custodian.aws_accounts import OTHER, OWN, REFUSING, REGION, SILENT, Accounts, role
from slice_platform_tests.tools import require_package

HERE = Target(Account(account_id=OWN, name="own", regions=(REGION,)), REGION)
BUCKETS = '{"name": "buckets", "resource": "aws.s3"}'
IMAGES = '{"name": "images", "resource": "aws.ami"}'


def target(account: str) -> Target:
    return Target(Account(account_id=account, name="there", role=role(account), regions=(REGION,)), REGION)


def program(folder: Path, text: str, timeout_seconds: float = 30) -> CustodianProcess:
    """A Custodian whose end is known; `out` is where it writes."""
    require_package("c7n", "custodian")
    head = "import json, os, pathlib, subprocess, sys, time\nout = pathlib.Path(sys.argv[sys.argv.index('-s') + 1])\n"
    (folder / "custodian.py").write_text(head + text)
    return CustodianProcess(timeout_seconds=timeout_seconds, program=(sys.executable, str(folder / "custodian.py")))


def test_buckets_of_an_account_are_seen_through_its_role(custodian: CustodianProcess, accounts: Accounts) -> None:
    place = {"LocationConstraint": REGION}
    accounts.client("s3", OTHER).create_bucket(Bucket="of-the-other", CreateBucketConfiguration=place)
    accounts.client("s3", OWN).create_bucket(Bucket="of-ours", CreateBucketConfiguration=place)
    for where, bucket in ((HERE, "of-ours"), (target(OTHER), "of-the-other")):
        answer = custodian.run(where, {"buckets": BUCKETS}, is_dry_run=True)["buckets"]
        assert answer.resources is not None
        assert [json.loads(one)["Name"] for one in answer.resources] == [bucket]


def test_an_account_that_refuses_its_role_is_an_error_of_every_policy(custodian: CustodianProcess) -> None:
    answers = custodian.run(target(REFUSING), {"buckets": BUCKETS, "images": IMAGES}, is_dry_run=True)
    for answer in answers.values():
        assert answer.resources is None and "exit code 1" in str(answer.error)
        assert "not authorized to perform: sts:AssumeRole" in str(answer.error)


def test_an_account_that_never_answers_is_given_up_after_the_time_out(custodian: CustodianProcess) -> None:
    began = time.monotonic()
    answers = replace(custodian, timeout_seconds=3).run(target(SILENT), {"buckets": BUCKETS}, is_dry_run=True)
    assert time.monotonic() - began < 12
    assert answers["buckets"].resources is None
    assert "did not end within 3 s and was killed" in str(answers["buckets"].error)


def test_a_policy_that_breaks_off_has_failed_and_the_others_have_answered(
    custodian: CustodianProcess, accounts: Accounts
) -> None:
    """Exit code 2, and no resources.json of that one: none found is something else."""
    accounts.denied.add(b"Action=DescribeImages")
    try:
        answers = custodian.run(HERE, {"images": IMAGES, "buckets": BUCKETS}, is_dry_run=True)
    finally:
        accounts.denied.clear()
    assert answers["buckets"].resources is not None and answers["buckets"].error is None
    assert answers["images"].resources is None
    assert "exit code 2" in str(answers["images"].error) and "not authorized" in str(answers["images"].error)


def test_a_policy_whose_action_is_refused_has_failed_though_it_found_its_resource(
    custodian: CustodianProcess, accounts: Accounts
) -> None:
    """c7n writes resources.json before it acts, so the file alone says nothing of the action."""
    s3 = accounts.client("s3")
    for bucket in ("refusing", "willing"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    act = {"resource": "aws.s3", "actions": [{"type": "set-public-block"}]}
    documents = {
        name: json.dumps({"name": name, "filters": [{"Name": name}], **act}) for name in ("refusing", "willing")
    }
    accounts.denied.add(f"PUT {accounts.url.removeprefix('http://')}/refusing".encode())
    try:
        answers = custodian.run(HERE, documents, is_dry_run=False)
    finally:
        accounts.denied.clear()
    assert answers["refusing"].resources is None and "PutPublicAccessBlock" in str(answers["refusing"].error)
    assert answers["willing"].error is None
    assert s3.get_public_access_block(Bucket="willing")["PublicAccessBlockConfiguration"]["BlockPublicAcls"]


@pytest.mark.parametrize("code", [0, 1, 2])
def test_without_resources_json_a_policy_failed_whatever_the_exit_code_says(tmp_path: Path, code: int) -> None:
    answers = program(tmp_path, f"sys.exit({code})").run(HERE, {"buckets": BUCKETS}, is_dry_run=True)
    assert answers["buckets"].resources is None
    assert f"exit code {code} and did not finish it: it wrote no log" in str(answers["buckets"].error)


def test_resources_of_a_process_that_was_killed_do_not_count(tmp_path: Path) -> None:
    text = (
        "(out / 'buckets').mkdir(parents=True); (out / 'buckets' / 'resources.json').write_text('[]'); time.sleep(60)"
    )
    answers = program(tmp_path, text, 2).run(HERE, {"buckets": BUCKETS}, is_dry_run=True)
    assert answers["buckets"].resources is None and "was killed" in str(answers["buckets"].error)


def test_a_time_out_ends_the_children_of_the_process_too(tmp_path: Path) -> None:
    child = f"subprocess.Popen(['sleep', '60']); pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))"
    program(tmp_path, f"child = {child}; time.sleep(60)", 2).run(HERE, {"buckets": BUCKETS}, is_dry_run=True)
    with pytest.raises(ProcessLookupError):
        _wait_until_gone(int((tmp_path / "child").read_text()))


def test_whoever_is_interrupted_leaves_no_process_behind(tmp_path: Path) -> None:
    """A run that is terminated in the UI must not wait for accounts, and nothing may go on in them."""
    text = f"(pathlib.Path({str(tmp_path)!r}) / str(os.getpid())).with_suffix('.pid').touch(); time.sleep(60)"
    one = Policy(
        "buckets", "aws.s3", Severity.LOW, is_critical=False, description="", document=BUCKETS, where="s3.yml:1"
    )
    three = tuple(Account(account_id=n * 12, name=n, regions=(REGION,)) for n in "123")
    custodian = program(tmp_path, text)
    swept, began = Swept((one,), three, kinds_of([one])), time.monotonic()
    before = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        with pytest.raises(KeyboardInterrupt):
            look_everywhere(custodian, swept)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 20
    started = [int(one.stem) for one in tmp_path.glob("*.pid")]
    assert len(started) == 2, "two at once, and the third was not begun"
    for process in started:
        with pytest.raises(ProcessLookupError):
            _wait_until_gone(process)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_each_process_has_a_home_of_its_own_and_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "real"))
    (tmp_path / "real" / ".aws" / "sso").mkdir(parents=True)
    told = tmp_path / "told"
    text = (
        "home = pathlib.Path.home(); seen = [str(one.relative_to(home)) for one in home.rglob('*')]; "
        "of_aws = os.listdir(home / '.aws'); "
        f"pathlib.Path({str(told)!r}).write_text(json.dumps([sys.argv, dict(os.environ), seen, of_aws]))"
    )
    program(tmp_path, text).run(HERE, {"buckets": BUCKETS}, is_dry_run=True)
    arguments, environment, seen, of_aws = json.loads(told.read_text())
    assert arguments[arguments.index("--cache-period") + 1] == "0" and "--dryrun" in arguments
    assert environment["HOME"] != str(tmp_path / "real") and environment["XDG_CACHE_HOME"].startswith(
        environment["HOME"]
    )
    assert (seen, of_aws) == ([".aws"], ["sso"]), "credentials are found, and nothing else"
    assert (tmp_path / "real" / ".aws" / "sso").is_dir()
    assert not Path(environment["HOME"]).parent.exists(), "nothing of it is left behind"


def _wait_until_gone(process: int) -> None:
    """Raises ProcessLookupError as soon as there is no such process; a zombie that waits for init is none."""
    for _ in range(100):
        os.kill(process, 0)
        status = Path(f"/proc/{process}/stat")
        if status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            raise ProcessLookupError
        time.sleep(0.05)
