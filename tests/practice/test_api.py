from datetime import timedelta

from practice.models import Notice
from tests.factories import MONDAY


def test_everybody_reads_the_notices_that_count_now(client, practice, monday):
    day = timedelta(days=1)
    Notice.objects.create(title="Closed on Friday", body="…", starts_at=MONDAY - day, ends_at=MONDAY + day)
    Notice.objects.create(title="Old", body="…", starts_at=MONDAY - 2 * day, ends_at=MONDAY - day)
    Notice.objects.create(title="Coming", body="…", starts_at=MONDAY + day)
    page = client.get("/api/v1/notices/").json()
    assert [notice["title"] for notice in page["results"]] == ["Closed on Friday"]


def test_notices_are_not_written_over_the_api(client, dana):
    client.force_login(dana)
    assert client.post("/api/v1/notices/", {"title": "x", "body": "y"}).status_code == 405
    assert not Notice.objects.exists()
