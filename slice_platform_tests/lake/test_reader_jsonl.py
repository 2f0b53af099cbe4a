"""JSON lines to rows: what is no object, null against missing, nested values."""

from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, N, fate_of, feed
from slice_platform_tests.lake.test_reader_csv import LIST, OBJECT


def test_lines_that_are_no_objects_are_rejected_alone(make_lake: MakeLake) -> None:
    lines = [
        b'{"id":"a"}',
        b"{bad",
        b"[1]",
        b"5",
        b"null",
        b'"x"',
        b'{"id":"z"} more',
        b"",
        b"\xff",
        b'{"id":"b","n":"x"}',
    ]
    fate = fate_of(make_lake(feed()), "a.jsonl", b"\n".join(lines))
    assert fate.rows == [("a", None)]
    no_object = "the line is not a JSON object"
    assert [(line, column, reason) for line, column, reason, _ in fate.rejects] == [
        ("2", "", "the line is not JSON"),
        *((str(line), "", no_object) for line in range(3, 7)),
        ("7", "", "the line is not JSON"),
        ("9", "", "the line is not valid text of the file's encoding"),
        ("10", "n", "'x' is not integer"),
    ]
    assert [raw for _, _, _, raw in fate.rejects][-1] == '{"id":"b","n":"x"}'
    assert fate.counts == (9, 1, 8)


def test_null_and_missing_are_both_nothing(make_lake: MakeLake) -> None:
    fate = fate_of(make_lake(feed()), "a.jsonl", b'{"id":"a","n":null}\n{"id":"b"}\n{"id":null}\n{"n":1}\n{"id":""}\n')
    assert fate.rows == [("a", None), ("b", None), ("", None)]
    assert [(line, column, reason) for line, column, reason, _ in fate.rejects] == [
        ("3", "id", "required, but empty"),
        ("4", "id", "required, but empty"),
    ]


def test_numbers_may_be_texts_but_not_fractions(make_lake: MakeLake) -> None:
    fate = fate_of(
        make_lake(feed(N)), "a.jsonl", b'{"n":1}\n{"n":"2"}\n{"n":9223372036854775807}\n{"n":1.0}\n{"n":true}\n'
    )
    assert fate.rows == [(1,), (2,), (9223372036854775807,)]
    assert [reason for _, _, reason, _ in fate.rejects] == ["'1.0' is not integer", "'true' is not integer"]


def test_nested_values_become_structs_and_lists(make_lake: MakeLake) -> None:
    lines = [
        b'{"id":"a","o":{"a":1,"b":"x","beyond":1},"l":[1,null]}',
        b'{"id":"b","o":null,"l":[]}',
        b'{"id":"c","o":{}}',
        b'{"id":"d","o":5}',
        b'{"id":"e","l":["x"]}',
        b'{"id":"f","o":[],"l":{}}',
    ]
    fate = fate_of(make_lake(feed(ID, OBJECT, LIST)), "a.jsonl", b"\n".join(lines))
    nothing = {"a": None, "b": None}
    assert fate.rows == [("a", {"a": 1, "b": "x"}, [1, None]), ("b", None, []), ("c", nothing, None)]
    assert [(line, column) for line, column, _, _ in fate.rejects] == [("4", "o"), ("5", "l"), ("6", "o"), ("6", "l")]
    assert fate.rejects[0][2:] == ("does not fit object<a: integer, b: string>", '{"id":"d","o":5}')
