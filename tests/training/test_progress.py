from io import StringIO

from rich.table import Table

from training.progress import Reporter


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_pipe_gets_plain_lines_with_what_is_left() -> None:
    stream, clock = StringIO(), Clock()
    with Reporter(stream, clock).step("Evaluating") as advance:
        clock.now = 3
        advance(5, 100)
        clock.now = 20
        advance(25, 100)
        clock.now = 40
        advance(100, 100)
    assert stream.getvalue() == "Evaluating: 25 of 100, about 60 s left\nEvaluating: 40.0 s\n"


def test_what_is_counted_is_told_with_its_rate() -> None:
    stream, clock = StringIO(), Clock()
    with Reporter(stream, clock).step("Exporting", each="recipients") as advance:
        clock.now = 20
        advance(25_000, 1_000_000)
    assert stream.getvalue().splitlines()[0] == (
        "Exporting: 25,000 of 1,000,000, 1,250 recipients a second, about 780 s left"
    )


def test_an_id_or_a_path_is_told_as_it_is_and_on_one_line() -> None:
    stream = StringIO()
    reporter, path = Reporter(stream), "/shop/[old]/bought:soon:90" + "/deep" * 60
    reporter.say(path)
    reporter.say(path, alarming=True)
    assert stream.getvalue() == f"{path}\n{path}\n"
    reporter.console.print(Table("[old] :soon:"))
    assert "[old] :soon:" in stream.getvalue()
