import pytest

from slice_platform_tests.tools import require_package, require_tool


def test_a_program_that_is_there_is_found() -> None:
    assert require_tool("sh").endswith("/sh")


def test_a_missing_program_skips_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        require_tool("no-such-program")


def test_a_missing_program_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        require_tool("no-such-program")


def test_a_missing_package_is_treated_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    require_package("pytest", "dev")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="'no_such_package' of the extra 'bench'"):
        require_package("no_such_package", "bench")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no_such_package"):
        require_package("no_such_package", "bench")
