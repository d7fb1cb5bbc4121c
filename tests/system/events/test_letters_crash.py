"""R1: the files beside a log are hit at every call; no event depends on them."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest

from tallystick_merkle.exchange.base import Request, Response
from tests.rows.forms import Form
from tests.rows.report import Figures
from tests.system.crash.calls import Call, Point, points_of, why_not
from tests.system.crash.ends import judge_end
from tests.system.crash.events_run import Case, Client, event_of, new_case, recover
from tests.system.crash.matrix import Matrix
from tests.system.drive import fetch

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]

BESIDE = "data/derived/"
REFUSED = 3


def ask(client: Client, path: str, body: bytes = b"") -> Response | None:
    """Make one request; None when the server is gone."""
    headers = {
        "Authorization": f"Bearer {client.log.token}",
        "Content-Type": "application/json",
    }
    method, url = "POST" if body else "GET", f"{client.log.api_url}{path}"
    reply = fetch(Request(method, url, body, headers))
    return reply if isinstance(reply, Response) else None


def run_through(case: Case, client: Client) -> None:
    """Send good events and bad ones; a bad one is refused as such, or not at all."""
    for number in range(1, 1 + REFUSED):
        client.send(event_of(number))
        body = json.dumps({"reason": f"refused {number}"}).encode()
        answer = ask(client, "/events", body) if client.url else None
        if answer is not None and answer.status != 422:
            case.wrong.append(f"a bad event was answered {answer.status}")
    if client.url is not None:
        ask(client, "/dead-letters")


def list_beside(case: Case) -> list[Call]:
    """Do a run in which nothing is hit; give its calls on the files beside the log."""
    with case.serve(listing=True) as server:
        client = Client(case, server)
        run_through(case, client)
        assert server.stop() == 0, server.said()
        assert (client.failures, case.wrong) == ([], [])
        return [call for call in server.calls() if call.path.startswith(BESIDE)]


def hit(case: Case, point: Point) -> bool:
    """Do a run in which a point is hit; give whether it was reached."""
    with case.serve(point=point) as server:
        try:
            run_through(case, Client(case, server))
            server.stop()
        except subprocess.TimeoutExpired:
            case.wrong.append("it hangs")
            return True
        case.wrong += judge_end(server)
        return server.was_hit()


def letters_of(case: Case) -> list[str]:
    """Start again and look at the dead letters; give what is wrong."""
    with case.serve() as server:
        client = Client(case, server)
        if client.url is None:
            return [f"it does not start again: {server.said()}"]
        answer = ask(client, "/dead-letters")
        if answer is None or answer.status != 200:
            return [f"the letters cannot be listed: {answer} {server.said()}"]
        letters = json.loads(answer.body)["letters"]
        wrong = [] if len(letters) <= REFUSED else [f"{len(letters)} letters"]
        for letter in letters:
            one = ask(client, f"/dead-letters/{letter['id']}")
            if one is None or b"refused " not in b64decode(
                json.loads(one.body)["body"]
            ):
                wrong.append(f"letter {letter['id']} cannot be read: {one}")
        if server.stop() != 0:
            wrong.append(f"it does not stop well: {server.said()}")
    return wrong


@pytest.mark.row("R1")
def test_what_lies_beside_a_log_may_fail_at_any_call(
    tmp_path: Path, form: Form, figures: Figures
) -> None:
    if why := why_not():
        pytest.skip(why)
    form.needs(Form.CI, "each point starts a server three times")
    case, matrix = new_case(tmp_path / "new"), Matrix(tmp_path)
    points = points_of(list_beside(case.copy(tmp_path / "listed")))

    def attempt(place: Path, point: Point) -> list[str] | None:
        copy = case.copy(place)
        was_hit = hit(copy, point)
        found = [*letters_of(copy), *recover(copy)]
        return found if was_hit or found else None

    matrix.run(points, attempt, most=form.pick(quick=0, ci=8, long=1000))

    least = form.pick(quick=0, ci=8, long=30)
    matrix.record(figures, "crash points: dead letters and snapshot", least=least)
