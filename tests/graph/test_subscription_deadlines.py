"""Deadlines of the events of subscriptions."""

from tests.support.fixtures.server import running_server
from tests.support.fixtures.subscriptions import Watched
from tests.support.http.subscriptions import ASIA_TO_EUROPE, CHANGES, THERE, each_transport
from tests.support.streams import open_subscription


@each_transport
def test_subscription_event_has_the_deadline_of_a_query_and_the_next_one_follows(
    database_url: str, watched: Watched, transport: str
) -> None:
    query = CHANGES.replace("batch { number status }", "lanes { origin { name } }")
    with (
        running_server(database_url, execution_seconds=1e-6) as impatient,
        open_subscription(str(impatient.http.base_url), transport, query, **ASIA_TO_EUROPE) as answers,
    ):
        watched.wait_for_watchers(1)
        watched.apply(THERE)
        answer = next(answers)
        assert answer["data"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["EXECUTION_TIMEOUT"]
        watched.apply(THERE)
        assert next(answers)
