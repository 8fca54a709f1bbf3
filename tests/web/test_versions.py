"""The caller's version of a remote source (`v`): an unseen one asks the origin, at most once in ten seconds."""

import re
import time
from pathlib import Path

from tests.support import origin as at
from tests.support import serving
from tests.web.test_remote import OTHER, PHOTO, image, settings_for


def test_an_unseen_version_is_immutable_only_after_the_origin_was_asked(root: Path, tmp_path: Path) -> None:
    with (
        at.running({"/a.jpg": at.respond(PHOTO, cache_control="max-age=600")}) as origin,
        serving.edge(root, tmp_path, workers=1, **settings_for(origin)) as service,
    ):
        first = service.get(image(origin, query="w=100&v=1"))
        origin.scripts["/a.jpg"] = at.respond(OTHER, cache_control="max-age=600")
        early = service.get(image(origin, query="w=100&v=2"))
        max_age = re.match(r"public, max-age=([0-9]+), ", early.headers["cache-control"])

        assert "immutable" in first.headers["cache-control"]
        assert early.headers["etag"] == first.headers["etag"]
        assert max_age is not None
        assert int(max_age[1]) <= 10, "within the pause it may be the old picture"
        assert origin.count("/a.jpg") == 1

        deadline = time.monotonic() + 30
        while (late := service.get(image(origin, query="w=100&v=2"))).headers["etag"] == first.headers["etag"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert "immutable" in late.headers["cache-control"]
        assert "immutable" in service.get(image(origin, query="w=100&v=1")).headers["cache-control"]
